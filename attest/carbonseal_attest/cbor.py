"""Deterministic CBOR (RFC 8949 §4.2.1): one value, one byte string.

Only integers of 64 bits, byte strings, text, arrays, maps, booleans and null exist here. Floats, tags, and
bignums are refused: figures travel as scaled integers or decimal text. Decoding accepts nothing that
encoding would not have written, which it shows by writing the value again and comparing.
"""

from __future__ import annotations

from typing import Any, Final

import cbor2

from carbonseal_attest.errors import EncodingError

MAX_SIZE: Final = 1 << 20  # bytes of one value; larger things are split into members or tiles
MAX_ITEMS: Final = 2_000_000  # of one value; an empty array is one byte to send and sixty to hold
MAX_DEPTH: Final = 16  # nested containers; our deepest schema needs 9
_MAX_INT: Final = (1 << 64) - 1
_MIN_INT: Final = -(1 << 64)
_SCALARS: Final = frozenset({bytes, str, bool, type(None)})


class _NoTags(dict[int, Any]):
    """Stands for a decoder of every tag, and each refuses before the decoder acts on it.

    Tags 28 and 29 (shared values) would let a hundred bytes unfold into billions of items.
    """

    def __contains__(self, tag: object) -> bool:
        return True

    def __getitem__(self, tag: int) -> Any:
        return _refuse_tag

    def get(self, tag: int, default: Any = None) -> Any:
        return _refuse_tag


def _refuse_tag(*_: object) -> Any:
    raise _refusal("holds a tag")


_NO_TAGS: Final = _NoTags()


def encode(value: Any) -> bytes:
    """Return the one encoding of `value`.

    Raises:
        EncodingError: the value holds a type, an integer or a map key that has no place in our contents.
    """
    _admit(value, MAX_DEPTH)
    try:
        return cbor2.dumps(value, canonical=True)
    except (UnicodeEncodeError, ValueError) as error:
        raise _refusal(f"can't be written: {error}") from error


def decode(data: bytes, *, max_size: int = MAX_SIZE, max_depth: int = MAX_DEPTH) -> Any:
    """Return the value that `data` encodes, if `data` is its one encoding.

    Args:
        data: exactly one CBOR item.
        max_size: greatest length in bytes.
        max_depth: greatest number of nested containers.

    Raises:
        EncodingError: too large, too many items, too deep, no CBOR, or not the deterministic form.
    """
    if len(data) > max_size:
        raise _refusal(f"{len(data)} bytes, and at most {max_size} are read")
    if len(data) > MAX_ITEMS:
        _check_item_count(data)
    try:
        value = cbor2.loads(
            data,
            max_depth=max_depth,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            semantic_decoders=_NO_TAGS,
            tag_hook=_refuse_tag,
        )
    except Exception as error:  # the decoder's own errors have no common root; all of them mean bad input
        raise _refusal(f"not CBOR within limits ({type(error).__name__})") from error
    _admit(value, max_depth)
    if cbor2.dumps(value, canonical=True) != data:
        raise _refusal("not the deterministic encoding of its value (RFC 8949 §4.2.1)")
    return value


def _check_item_count(data: bytes) -> None:
    """Refuse more than MAX_ITEMS heads; whatever else is wrong with the bytes is left to the decoder."""
    at = count = 0
    while at < len(data):
        count += 1
        if count > MAX_ITEMS:
            raise _refusal(f"holds more than {MAX_ITEMS} items")
        initial = data[at]
        major, width = initial >> 5, (1 << (initial & 31) - 24) if 24 <= initial & 31 <= 27 else 0
        at += 1 + width
        if major in (2, 3):
            at += int.from_bytes(data[at - width : at], "big") if width else initial & 31


def _admit(value: Any, depth: int) -> None:
    """Refuse whatever lies outside the admitted types, without recursing into flat lists of numbers."""
    kind = type(value)
    if kind in _SCALARS:
        return
    if kind is int:
        if not _MIN_INT <= value <= _MAX_INT:
            raise _refusal("an integer needs more than 64 bits")
    elif kind is list:
        if depth == 0:
            raise _refusal("nested too deeply")
        kinds = set(map(type, value))
        if kinds <= {int, type(None)}:
            numbers = [n for n in value if n is not None]
            if numbers and (min(numbers) < _MIN_INT or max(numbers) > _MAX_INT):
                raise _refusal("an integer needs more than 64 bits")
        elif not kinds <= _SCALARS:
            for item in value:
                _admit(item, depth - 1)
    elif kind is dict:
        if depth == 0:
            raise _refusal("nested too deeply")
        _admit_keys(value)
        for item in value.values():
            _admit(item, depth - 1)
    else:
        raise _refusal(f"holds a value of type {kind.__name__}")


def _admit_keys(mapping: dict[Any, Any]) -> None:
    # cbor2 sorts keys length-first (RFC 7049). That equals the bytewise order of RFC 8949 for text keys, and
    # for integers as long as no negative key is encoded shorter than a non-negative one.
    kinds = set(map(type, mapping))
    if kinds <= {str}:
        return
    if kinds != {int}:
        raise _refusal("map keys are all text or all integers")
    negative, highest = [k for k in mapping if k < 0], max(mapping)
    if negative and highest >= 0 and _head_size(-1 - max(negative)) < _head_size(highest):
        raise _refusal("a short negative key stands beside a long non-negative one")


def _head_size(argument: int) -> int:
    """Return the length in bytes of the head that writes `argument` (RFC 8949 §3)."""
    return (
        1
        if argument < 24
        else 2
        if argument < 256
        else 3
        if argument < 65_536
        else 5
        if argument < 1 << 32
        else 9
    )


def _refusal(reason: str) -> EncodingError:
    return EncodingError("cbor", reason, "write the value as deterministic CBOR, RFC 8949 §4.2.1")
