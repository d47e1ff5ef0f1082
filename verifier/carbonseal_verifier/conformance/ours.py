"""Vectors in our own format: {"format", "family", "source", "vectors": [{"desc", "want_error", ...}]}.

`want_error` is null or the stable code of the refusal; docs/spec/conformance.md has the fields of each
family.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from carbonseal_verifier.conformance.case import ACCEPTED, REFUSED, Case, Meaning
from carbonseal_verifier.conformance.fields import Fields
from carbonseal_verifier.conformance.shape import Shape
from carbonseal_verifier.conformance.vector_file import Source

RunVector = Callable[[Fields], Meaning | None]


def fits(family: str) -> Callable[[Any], bool]:
    """Return whether a document is ours and of `family`."""
    return lambda document: (
        isinstance(document, dict) and "vectors" in document and document.get("family") == family
    )


def shape(family: str, run: RunVector, *, meanings: dict[str, str] | None = None) -> Shape:
    """Return our shape of `family`.

    `run` calls the production code with a vector's fields; `meanings` maps the fields that say what a good
    input means to their types (hex, whole, text, value).
    """

    def cases(document: Any, source: Source) -> Iterable[Case]:
        for number, vector in enumerate(Fields(document, source.name).items("vectors")):
            fields = Fields(vector, f"vector {number}")
            name = fields.text("id", "desc")
            wanted = fields.value("want_error")
            if wanted is not None and not isinstance(wanted, str):
                raise fields.refusal("want_error", "neither null nor the code of a refusal")
            meaning = {key: _read(fields, key, how) for key, how in (meanings or {}).items() if key in fields}
            yield Case(
                source.prefix + name,
                ACCEPTED if wanted is None else REFUSED,
                partial(run, fields),
                code=wanted,
                meaning={} if wanted is not None else meaning,
            )

    text = f'ours: {{"family": "{family}", "vectors": [...]}}, docs/spec/conformance.md'
    return Shape("carbonseal", text, fits(family), cases)


def _read(fields: Fields, key: str, how: str) -> Any:
    if how == "hex":
        return fields.hex(key)
    if how == "whole":
        return fields.whole(key)
    if how == "value":
        return fields.value(key)
    if how == "value":
        return fields.value(key)
    return fields.text(key)
