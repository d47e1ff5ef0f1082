"""Any well-formed CBOR (RFC 8949), for reading what others wrote and for judging how they wrote it.

Our own formats are read by `cbor.decode`, which admits one encoding of few types. Here everything that §3
allows becomes a value, and the answer says where the bytes depart from the deterministic encoding of §4.2.1
and what lies outside our profile although it is deterministic: floats, tags, bignums, `undefined`, other
simple values, keys that are neither integers nor text. Nothing is repaired, no tag is acted on, and the cost
is linear in the bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest.cbor import MAX_DEPTH, MAX_SIZE
from carbonseal_attest.errors import EncodingError

BIGNUM_TAGS: Final = frozenset({2, 3})
UNDEFINED: Final = 23

_SHORTEST: Final = {24: 24, 25: 1 << 8, 26: 1 << 16, 27: 1 << 32}  # least argument that needs this head
_FLOATS: Final = {25: ">e", 26: ">f", 27: ">d"}
_NARROWER: Final = {26: (">e", 13), 27: (">f", 29)}  # form, and bits of a NaN's payload that it lacks


@dataclass(frozen=True, slots=True)
class Tag:
    """A tagged value (§3.4), not acted on."""

    number: int
    value: Any


@dataclass(frozen=True, slots=True)
class Simple:
    """A simple value (§3.3) other than false, true and null; 23 is `undefined`."""

    number: int


@dataclass(frozen=True, slots=True)
class Pairs:
    """A map with a key that no Python dictionary keeps apart from the others, such as 1.0 beside 1."""

    pairs: tuple[tuple[Any, Any], ...]


@dataclass(frozen=True, slots=True)
class ForeignItem:
    """One value, how its bytes depart from §4.2.1, and what of it our profile leaves out."""

    value: Any
    departures: frozenset[str]
    outside: frozenset[str]

    @property
    def is_deterministic(self) -> bool:
        """Say whether the bytes are the deterministic encoding of the value, in whatever types."""
        return not self.departures


def read(data: bytes, *, max_size: int = MAX_SIZE, max_depth: int = MAX_DEPTH) -> ForeignItem:
    """Return the value that `data`, exactly one CBOR item, encodes.

    Args:
        data: the bytes.
        max_size: greatest length in bytes.
        max_depth: greatest number of nested containers and tags.

    Raises:
        EncodingError: not well-formed, text that is not UTF-8, a key twice, or beyond a limit.
    """
    if len(data) > max_size:
        raise _refusal(f"{len(data)} bytes, and at most {max_size} are read")
    reader = _Reader(data)
    value = reader.item(max_depth)
    if reader.at != len(data):
        raise _refusal("bytes after the value")
    return ForeignItem(value, frozenset(reader.departures), frozenset(reader.outside))


class _Reader:
    """A position in the bytes, and what was noticed up to it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.departures: set[str] = set()
        self.outside: set[str] = set()

    def item(self, depth: int) -> Any:
        major, info, argument = self._head()
        match major:
            case 0:
                return argument
            case 1:
                return -1 - argument
            case 2 | 3:
                return self._string(major, info, argument)
            case 7:
                return self._simple(info, argument)
        if depth == 0:
            raise _refusal("nested too deeply")
        if major == 4:
            return self._array(info, argument, depth)
        return self._map(info, argument, depth) if major == 5 else self._tag(argument, depth)

    def _head(self) -> tuple[int, int, int]:
        initial = self._take(1)[0]
        major, info = initial >> 5, initial & 31
        if info < 24:
            return major, info, info
        if info <= 27:
            argument = int.from_bytes(self._take(1 << info - 24), "big")
            if major != 7 and argument < _SHORTEST[info]:
                self.departures.add("an argument not in its shortest form")
            return major, info, argument
        if info == 31 and major in (2, 3, 4, 5, 7):
            return major, info, 0
        raise _refusal("not well-formed: a reserved additional information")

    def _take(self, count: int) -> bytes:
        taken = self.data[self.at : self.at + count]
        if len(taken) < count:
            raise _refusal("cut off")
        self.at += count
        return taken

    def _is_break(self) -> bool:
        if self.data[self.at : self.at + 1] != b"\xff":
            return False
        self.at += 1
        return True

    def _string(self, major: int, info: int, size: int) -> bytes | str:
        if info != 31:
            return _text(self._take(size)) if major == 3 else self._take(size)
        self.departures.add("an indefinite length")
        chunks: list[Any] = []
        while not self._is_break():
            inner, form, length = self._head()
            if inner != major or form == 31:
                raise _refusal("not well-formed: a chunk of another type")
            chunks.append(self._string(major, form, length))
        return "".join(chunks) if major == 3 else b"".join(chunks)

    def _array(self, info: int, count: int, depth: int) -> list[Any]:
        if info != 31:
            # A count beyond the bytes that are left ends at the first missing item; nothing is reserved.
            return [self.item(depth - 1) for _ in range(count)]
        self.departures.add("an indefinite length")
        items = []
        while not self._is_break():
            items.append(self.item(depth - 1))
        return items

    def _map(self, info: int, count: int, depth: int) -> dict[Any, Any] | Pairs:
        pairs: list[tuple[Any, Any]] = []
        seen: set[bytes] = set()
        last = b""
        left = count
        if info == 31:
            self.departures.add("an indefinite length")
        while not self._is_break() if info == 31 else left > 0:
            left -= 1
            start = self.at
            key = self.item(depth - 1)
            encoded = self.data[start : self.at]
            if encoded in seen:
                raise _refusal("a map key twice")
            if encoded < last:
                self.departures.add("map keys not in bytewise order")
            seen.add(encoded)
            last = encoded
            pairs.append((key, self.item(depth - 1)))
        kinds = {type(key) for key, _ in pairs}
        if not kinds <= {int, str}:
            self.outside.add("a map key that is neither integer nor text")
        if not kinds <= {int, str, bytes}:
            return Pairs(tuple(pairs))
        value = dict(pairs)
        if len(value) < len(pairs):  # the same key in two encodings, one of them not the shortest
            raise _refusal("a map key twice")
        return value

    def _tag(self, number: int, depth: int) -> Tag:
        value = self.item(depth - 1)
        is_bignum = number in BIGNUM_TAGS and isinstance(value, bytes)
        self.outside.add("a bignum" if is_bignum else "a tag")
        if is_bignum and (len(value) <= 8 or value[0] == 0):
            self.departures.add("a bignum not in its preferred form")
        return Tag(number, value)

    def _simple(self, info: int, argument: int) -> Any:
        if info in _FLOATS:
            return self._float(info, argument)
        if info == 31:
            raise _refusal("not well-formed: a break without an indefinite length")
        if info == 24 and argument < 32:
            raise _refusal("not well-formed: a simple value below 32 in two bytes")
        if argument in (20, 21, 22):
            return {20: False, 21: True, 22: None}[argument]
        self.outside.add("undefined" if argument == UNDEFINED else "a simple value")
        return Simple(argument)

    def _float(self, info: int, bits: int) -> float:
        self.outside.add("a float")
        value = struct.unpack(_FLOATS[info], bits.to_bytes(1 << info - 24, "big"))[0]
        if info in _NARROWER:
            form, lost = _NARROWER[info]
            if _fits(value, form) if value == value else bits & ((1 << lost) - 1) == 0:  # noqa: PLR0124 - NaN
                self.departures.add("a float not in its shortest form")
        return float(value)


def _fits(value: float, form: str) -> bool:
    try:
        return bool(struct.unpack(form, struct.pack(form, value))[0] == value)
    except OverflowError:
        return False


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refusal("text that is not UTF-8") from error


def _refusal(reason: str) -> EncodingError:
    return EncodingError("cbor", reason, "send well-formed CBOR (RFC 8949) within the limits")
