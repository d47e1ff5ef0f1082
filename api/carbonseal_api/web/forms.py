"""Reading the forms of pages: bounded, from our own pages only, every field a plain text.

The session cookie is SameSite=Strict; where a browser states an origin, it must be ours besides.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs, urlsplit

from fastapi import Request

from carbonseal_api.incoming import read_body
from carbonseal_api.problems import RequestInvalid, RoleMissing

MAX_FORM: Final = 4096  # bytes
_MAX_FIELDS: Final = 20


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a posted form, the first of each name.

    Raises:
        RoleMissing: It was sent from a page of another origin.
        BodyTooLarge, RequestInvalid: Longer than a form of ours, or no form.
    """
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise RoleMissing("origin", "the form was sent from another site", "send it from our page")
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
