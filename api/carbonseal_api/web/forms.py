"""Reading the forms of pages: bounded, every field a plain text.

That a form was sent by a page of ours is the guard's business, for every route that the cookie opens.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs

from fastapi import Request

from carbonseal_api.incoming import read_body
from carbonseal_api.problems import RequestInvalid

MAX_FORM: Final = 4096  # bytes
_MAX_FIELDS: Final = 20


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a posted form, the first of each name.

    Raises:
        BodyTooLarge, RequestInvalid: Longer than a form of ours, or no form.
    """
    body = await read_body(request, MAX_FORM, what="form")
    try:
        fields = parse_qs(
            body.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=_MAX_FIELDS,
            strict_parsing=bool(body),
        )
    except ValueError as problem:
        raise RequestInvalid("form", "is not a form", "send it from our page") from problem
    return {name: values[0].strip() for name, values in fields.items()}


def field(form: dict[str, str], name: str) -> str:
    """Return a field that must be there.

    Raises:
        RequestInvalid: It is missing or empty.
    """
    value = form.get(name, "")
    if not value:
        raise RequestInvalid(name, "is missing", "fill it in")
    return value
