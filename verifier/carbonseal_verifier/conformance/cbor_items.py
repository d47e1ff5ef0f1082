"""Family cbor: appendix A of RFC 8949 as cbor/test-vectors has it, and ours, through `attest.cbor`.

An appendix vector marked `roundtrip` must decode, mean what it says and encode to the same bytes; any other
is not the deterministic encoding and must be refused. What our profile leaves out is a listed deviation,
told from the bytes themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import partial
from typing import Any

from carbonseal_attest import cbor
from carbonseal_attest.errors import CarbonsealError, EncodingError
from carbonseal_attest.json_view import read_json_view, to_json_view
from carbonseal_verifier.conformance import ours
from carbonseal_verifier.conformance.case import ACCEPTED, REFUSED, Case, Meaning
from carbonseal_verifier.conformance.fields import Fields
from carbonseal_verifier.conformance.shape import Shape, each, has_each
from carbonseal_verifier.conformance.vector_file import Source

_FLOATS = range(25, 28)  # additional information of major type 7
_PLAIN = range(20, 23)  # false, true, null


def _appendix(document: Any, source: Source) -> Iterable[Case]:
    for number, vector in enumerate(each(document)):
        fields = Fields(vector, f"vector {number}")
        data = fields.hex("hex")
        meaning = {}
        if fields.flag("roundtrip"):
            meaning["encoded"] = data
            if "decoded" in fields and not _holds_fraction(fields.value("decoded")):
                meaning["value"] = fields.value("decoded")
        want = ACCEPTED if meaning else REFUSED
        yield Case(
            source.prefix + fields.text("hex"),
            want,
            partial(_round_trip, data),
            meaning=meaning,
            deviation=partial(_deviation, data),
        )


def _round_trip(data: bytes) -> Meaning:
    value = cbor.decode(data)
    return {"value": value, "encoded": cbor.encode(value)}


def _ours(fields: Fields) -> Meaning:
    """Read the CBOR of a vector, or the JSON view, and say what the other form would be."""
    if "json" in fields:
        return {"cbor": cbor.encode(read_json_view(fields.text("json")))}
    value = cbor.decode(fields.hex("cbor"))
    return {"cbor": cbor.encode(value), "json_view": to_json_view(value)}


def _deviation(data: bytes, error: CarbonsealError) -> str | None:
    """Name what the profile leaves out, by the heads of the item; None if there is nothing of the kind."""
    if not isinstance(error, EncodingError):
        return None
    at = 0
    while at < len(data):
        major, info = data[at] >> 5, data[at] & 31
        if major == 6:
            return "cbor-tag"
        if major == 7 and info in _FLOATS:
            return "cbor-float"
        if major == 7 and info not in _PLAIN:
            return "cbor-simple"
        width = 1 << (info - 24) if 24 <= info <= 27 else 0
        argument = int.from_bytes(data[at + 1 : at + 1 + width], "big") if width else info
        at += 1 + width + (argument if major in (2, 3) else 0)
    return None


def _holds_fraction(value: Any) -> bool:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, Decimal):
            return True
        pending += item if isinstance(item, list) else item.values() if isinstance(item, dict) else ()
    return False


CBOR = (
    ours.shape("cbor", _ours, meanings={"cbor": "hex", "json_view": "value"}),
    Shape(
        "cbor/test-vectors",
        "cbor/test-vectors: [{hex, roundtrip, decoded}]",
        has_each("hex", "roundtrip"),
        _appendix,
    ),
)
