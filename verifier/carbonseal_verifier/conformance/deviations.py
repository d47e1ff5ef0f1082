"""Where we refuse on purpose what a public suite accepts: the table behind docs/spec/deviations.md.

A deviation only ever excuses a refusal, never an acceptance; each family's module decides, from the input
itself, whether one applies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Deviation:
    """One thing that we refuse although a suite accepts it."""

    name: str
    families: tuple[str, ...]
    what: str
    reason: str


_CBOR: Final = ("cbor",)
_LISTED: Final = (
    Deviation(
        "cbor-float",
        _CBOR,
        "floating-point numbers, NaN and infinities",
        "a figure is a scaled integer or a decimal text, so that everybody computes with the same number",
    ),
    Deviation(
        "cbor-tag",
        _CBOR,
        "tags, bignums among them",
        "a tag may give a value a second form or unfold into billions of items; integers end at 64 bits",
    ),
    Deviation(
        "cbor-simple",
        _CBOR,
        "undefined and simple values other than false, true and null",
        "they mean nothing in our contents; f818 is not well-formed since RFC 8949 §3.3",
    ),
    Deviation(
        "statement-profile",
        ("statement",),
        "signed statements of others: other labels, certificates, payloads carried along",
        "one profile means one statement to everybody; anybody's COSE_Sign1 is read by family cose-sign1",
    ),
    Deviation(
        "ed25519-low-order-key",
        ("ed25519",),
        "low-order and non-canonical public keys",
        "under such a key one signature fits many messages, so it is refused when it is read",
    ),
    Deviation(
        "consistency-from-empty",
        ("consistency",),
        "a consistency proof from or between empty trees",
        "every tree extends the empty one, so there is nothing to prove",
    ),
)
DEVIATIONS: Final[Mapping[str, Deviation]] = {deviation.name: deviation for deviation in _LISTED}
