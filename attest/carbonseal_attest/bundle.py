"""The container of an evidence bundle: one deterministic CBOR sequence that anybody can read as a stream.

    ["carbonseal-bundle", 1]        what it is, and the version of its form
    {name: [size, sha256], ...}     the manifest: every member
    bstr, bstr, ...                 the members, in the manifest's order
    bstr of 32 bytes                SHA-256 of all bytes before it

Uncompressed, with one way to write it: two bundles of the same members are the same bytes. The trailer is a
check of transport, not of trust: whoever changes a member can mend it, and must then be caught by a proof.
What the members are is in `bundle_layout`. Neither side holds more than one member: the writer keeps them in
a given spool, since the manifest stands before them. No disk here, only given streams.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, BinaryIO, Final

from carbonseal_attest import cbor
from carbonseal_attest.errors import BundleInvalid, EncodingError

FORMAT: Final = "carbonseal-bundle"
VERSION: Final = 1
MAX_MEMBERS: Final = 200_000
MAX_MEMBER: Final = 64 << 20  # bytes; larger things are cut into numbered members
MAX_BUNDLE: Final = 4 << 30  # bytes of all members together
_MAX_MANIFEST: Final = 32 << 20
# No part begins with a dot: two names must never be one path, nor climb out of a folder.
_NAME: Final = re.compile(r"[A-Za-z0-9_@-][A-Za-z0-9._@-]*(/[A-Za-z0-9_@-][A-Za-z0-9._@-]*){0,15}")
_MAX_NAME: Final = 240


def write_bundle(
    members: Iterable[tuple[str, bytes]], out: IO[bytes], *, spool: IO[bytes] | None = None
) -> bytes:
    """Write a bundle of `members` to `out` and return its trailer, the SHA-256 of everything before it.

    Args:
        members: (name, bytes) in any order, taken one at a time.
        out: where the bundle goes.
        spool: an empty stream that can be read back, a temporary file for a large bundle; memory by default.

    Raises:
        BundleInvalid: a name is malformed or stands twice, or there is too much.
    """
    spool = io.BytesIO() if spool is None else spool
    places: dict[str, int] = {}
    manifest: dict[str, tuple[int, bytes]] = {}
    total = 0
    for name, data in members:
        if name in places:
            raise _refusal(name, "is given twice")
        places[name], manifest[name] = total, (len(data), hashlib.sha256(data).digest())
        total += len(data)
        if total > MAX_BUNDLE or len(places) > MAX_MEMBERS:
            raise _refusal("manifest", "too much for one bundle")
        spool.write(data)
    _check_manifest({name: list(entry) for name, entry in manifest.items()})
    head = cbor.encode({name: list(entry) for name, entry in manifest.items()})
    if len(head) > _MAX_MANIFEST:
        raise _refusal("manifest", "too much for one bundle")
    running = hashlib.sha256()

    def put(data: bytes) -> None:
        running.update(data)
        out.write(data)

    put(cbor.encode([FORMAT, VERSION]))
    put(head)
    for name in _in_order(manifest):
        size, digest = manifest[name]
        spool.seek(places[name])
        data = spool.read(size)
        if hashlib.sha256(data).digest() != digest:
            raise _refusal(name, "came back from the spool as something else")
        put(_bstr_head(size))
        put(data)
    trailer = running.digest()
    out.write(cbor.encode(trailer))
    return trailer


def read_members(stream: BinaryIO, *, max_bundle: int = MAX_BUNDLE) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) of each member, in the manifest's order.

    What was yielded may be relied on only when the iteration has ended: the trailer is checked last.

    Raises:
        BundleInvalid: not a bundle, cut off, changed, too large, or followed by further bytes.
    """
    source = _Source(stream)
    if cbor.encode(source.item(64, most=3)) != cbor.encode([FORMAT, VERSION]):
        raise _refusal("header", "not a Carbonseal evidence bundle of version 1")
    manifest = _check_manifest(source.item(_MAX_MANIFEST, most=1 + 4 * MAX_MEMBERS))
    if sum(size for size, _ in manifest.values()) > max_bundle:
        raise _refusal("manifest", f"members of more than {max_bundle} bytes")
    for name in _in_order(manifest):
        size, digest = manifest[name]
        data = source.bstr(size)
        if hashlib.sha256(data).digest() != digest:
            raise _refusal(name, "differs from the manifest's digest")
        yield name, data
    expected = source.running.digest()
    if source.bstr(32) != expected:
        raise _refusal("trailer", "the SHA-256 of all bytes before it is another")
    if stream.read(1):
        raise _refusal("trailer", "is followed by further bytes")


def _in_order(manifest: Mapping[str, object]) -> list[str]:
    # The order that deterministic CBOR gives map keys: shorter names first, then bytewise.
    return sorted(manifest, key=lambda name: (len(name), name))


def _check_manifest(manifest: object) -> dict[str, tuple[int, bytes]]:
    if not isinstance(manifest, dict) or not 0 < len(manifest) <= MAX_MEMBERS:
        raise _refusal("manifest", "not a map of members, or too many")
    for name, entry in manifest.items():
        if not isinstance(name, str) or len(name) > _MAX_NAME or not _NAME.fullmatch(name) or ".." in name:
            raise _refusal("manifest", "a member's name is malformed")
        match entry:
            case [int(size), bytes(digest)] if (
                type(size) is int and 0 <= size <= MAX_MEMBER and len(digest) == 32
            ):
                pass
            case _:
                raise _refusal("manifest", f"entry of {name} is not a size within limits and a digest")
    return {name: (entry[0], entry[1]) for name, entry in manifest.items()}


def _bstr_head(size: int) -> bytes:
    if size < 24:
        return bytes([0x40 | size])
    for width, initial in ((1, 0x58), (2, 0x59), (4, 0x5A)):
        if size < 1 << (8 * width):
            return bytes([initial]) + size.to_bytes(width, "big")
    raise _refusal("member", "too long")


class _Source:
    """Reads a CBOR sequence item by item and keeps the running digest of all it read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.running = hashlib.sha256()

    def _read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) != size:
            raise _refusal("bundle", "cut off")
        self.running.update(data)
        return data

    def bstr(self, size: int) -> bytes:
        head = _bstr_head(size)
        if self._read(len(head)) != head:
            raise _refusal("member", "has another length than the manifest says")
        return self._read(size)

    def item(self, limit: int, *, most: int) -> object:
        """Read one item of at most `limit` bytes and `most` parts, head by head."""
        data = bytearray()
        pending, parts = 1, 0
        while pending:
            parts += 1
            head = self._read(1)
            data += head
            major, info = head[0] >> 5, head[0] & 31
            if info > 27 or major > 5:
                raise _refusal("bundle", "not the CBOR of a header or manifest")
            extra = self._read(1 << (info - 24)) if info >= 24 else b""
            data += extra
            value = int.from_bytes(extra, "big") if info >= 24 else info
            if major in (2, 3):
                if value > limit:
                    raise _refusal("bundle", "header or manifest too large")
                data += self._read(value)
            elif major > 3 and value > MAX_MEMBERS:
                raise _refusal("bundle", "header or manifest too large")
            pending += -1 + (value if major == 4 else 2 * value if major == 5 else 0)
            if len(data) > limit or parts + pending > most:
                raise _refusal("bundle", "header or manifest too large")
        try:
            decoded: object = cbor.decode(bytes(data), max_size=limit, max_depth=3)
        except EncodingError as error:
            raise _refusal("bundle", error.reason) from error
        return decoded


def _refusal(field: str, reason: str) -> BundleInvalid:
    return BundleInvalid(field, reason, "ask for the bundle again from whoever made it")
