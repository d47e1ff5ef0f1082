"""A shape: one form of vector file that a family reads, told by its fields, and how it becomes cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from carbonseal_verifier.conformance.case import Case
from carbonseal_verifier.conformance.vector_file import Source


@dataclass(frozen=True, slots=True)
class Shape:
    """One form of vector file.

    `fits` looks at one document (JSON, or bytes); `cases` reads it, and raises VectorInvalid where a field is
    missing or malformed. `text` is what --list and a refusal say of it.
    """

    name: str
    text: str
    fits: Callable[[Any], bool]
    cases: Callable[[Any, Source], Iterable[Case]]


def has(*names: str) -> Callable[[Any], bool]:
    """Return whether a document is an object with these fields; `a|b` is either."""
    groups = [name.split("|") for name in names]
    return lambda document: (
        isinstance(document, dict) and all(any(name in document for name in group) for group in groups)
    )


def has_each(*names: str) -> Callable[[Any], bool]:
    """Return whether a document is an array of objects with these fields, or one such object."""
    one = has(*names)
    return lambda document: bool(document) and all(map(one, each(document)))


def each(document: Any) -> list[Any]:
    """Return the vectors of an array; an object is the only one."""
    return document if isinstance(document, list) else [document]
