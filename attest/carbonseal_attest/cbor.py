"""Deterministic CBOR (RFC 8949 §4.2.1): one value, one byte string.

Only integers of 64 bits, byte strings, text, arrays, maps with integer or text keys, booleans and null exist
here. Floats, tags and bignums are refused: figures travel as scaled integers or decimal text. Decoding
accepts nothing that encoding would not have written: it looks at the order of the keys, writes the value
again and compares. What others wrote outside this profile is read by `foreign_cbor`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import cbor2

from carbonseal_attest.errors import EncodingError

MAX_SIZE: Final = 1 << 20  # bytes of one value; larger things are split into members or tiles
MAX_ITEMS: Final = 2_000_000  # of one value; an empty array is one byte to send and sixty to hold
MAX_DEPTH: Final = 16  # nested containers; our deepest schema needs 9
_MAX_INT: Final = (1 << 64) - 1
_MIN_INT: Final = -(1 << 64)
_SCALARS: Final = frozenset({bytes, str, bool, type(None)})
_FLAT: Final = _SCALARS | {int}


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
    """Return the one encoding of `value`, in whatever order its maps were built.

    Raises:
        EncodingError: the value holds a type, an integer or a map key that has no place in our contents.
    """
    try:
        return cbor2.dumps(_arranged(value, MAX_DEPTH))
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
    # The decoder keeps the order of keys and the writer writes it, so the two conditions are the whole rule.
    if not _is_arranged(value, max_depth) or cbor2.dumps(value) != data:
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


def _is_arranged(value: Any, depth: int) -> bool:
    """Whether a decoded value has the keys of its maps in order; refuses types that are none of ours.

    This is what every statement and content passes, so it walks once and copies nothing. Without tags the
    decoder gives no integer beyond 64 bits.
    """
    kind = type(value)
    if kind in _FLAT:
        return True
    if depth == 0 and kind in (list, dict):
        raise _refusal("nested too deeply")
    if kind is dict:
        if not _has_keys_in_order(value):
            return False
        inner = value.values()
    elif kind is list:
        if set(map(type, value)) <= _FLAT:
            return True
        inner = value
    else:
        raise _refusal(f"holds a value of type {kind.__name__}")
    return all(_is_arranged(item, depth - 1) for item in inner if type(item) not in _FLAT)


def _has_keys_in_order(mapping: dict[Any, Any]) -> bool:
    last_size, last = -1, ""
    for key in mapping:
        if type(key) is not str or not key.isascii():
            return keys_in_order(mapping) == list(mapping)
        size = len(key)
        if size < last_size or (size == last_size and key < last):
            return False
        last_size, last = size, key
    return True


def _arranged(value: Any, depth: int) -> Any:
    """Return `value` with the keys of its maps in order; refuses whatever lies outside the admitted types."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is int:
        if not _MIN_INT <= value <= _MAX_INT:
            raise _refusal("an integer needs more than 64 bits")
        return value
    if depth == 0 and kind in (list, dict):
        raise _refusal("nested too deeply")
    if kind is list:
        return [_arranged(item, depth - 1) for item in value]
    if kind is dict:
        return {key: _arranged(value[key], depth - 1) for key in keys_in_order(value)}
    raise _refusal(f"holds a value of type {kind.__name__}")


def keys_in_order(mapping: dict[Any, Any]) -> list[Any]:
    """Return the keys in the bytewise order of their encodings, RFC 8949 §4.2.1.

    That is 0, 1, 2, …, then -1, -2, …, then text, the shorter first: neither the order of values nor the
    length-first order of RFC 7049, which libraries write when told to be canonical.
    """
    kinds = set(map(type, mapping))
    if kinds <= {str}:
        return _texts_in_order(mapping)
    if not kinds <= {int, str}:
        raise _refusal("map keys are integers or text")
    numbers = sorted(key for key in mapping if type(key) is int)
    if numbers[0] < _MIN_INT or numbers[-1] > _MAX_INT:
        raise _refusal("an integer needs more than 64 bits")
    if numbers[0] < 0:
        numbers = [n for n in numbers if n >= 0] + [n for n in reversed(numbers) if n < 0]
    return numbers + _texts_in_order([key for key in mapping if type(key) is str])


def _texts_in_order(texts: Iterable[str]) -> list[str]:
    # Of one length in UTF-8, the order of code points is that of the bytes; the head is the length.
    return sorted(sorted(texts), key=len if "".join(texts).isascii() else _utf8_size)


def _utf8_size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))  # half a pair is refused when it is written


def _refusal(reason: str) -> EncodingError:
    return EncodingError("cbor", reason, "write the value as deterministic CBOR, RFC 8949 §4.2.1")
