"""RFC 9162 §2.1 written as the RFC has it, plainly; the fast code is compared with it.

Each function is over the entries D[start:end] of one list. Tree hashes that were computed are kept, since a
test of all trees up to 1,025 entries asks for the same ones again and again; nothing else is clever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


class Entries:
    """D_n, and what §2.1 defines over it."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self._entries = entries
        self._hashes: dict[tuple[int, int], bytes] = {}

    def mth(self, start: int, end: int) -> bytes:
        """§2.1.1, the Merkle tree hash of D[start:end]."""
        if (start, end) not in self._hashes:
            self._hashes[start, end] = self._mth(start, end)
        return self._hashes[start, end]

    def _mth(self, start: int, end: int) -> bytes:
        n = end - start
        if n == 0:
            return _sha256(b"")
        if n == 1:
            return _sha256(b"\x00" + self._entries[start])
        k = _split(n)
        return _sha256(b"\x01" + self.mth(start, start + k) + self.mth(start + k, end))

    def path(self, m: int, start: int, end: int) -> list[bytes]:
        """§2.1.3.1, PATH(m, D[start:end])."""
        n = end - start
        if n == 1:
            return []
        k = _split(n)
        if m < k:
            return [*self.path(m, start, start + k), self.mth(start + k, end)]
        return [*self.path(m - k, start + k, end), self.mth(start, start + k)]

    def proof(self, m: int, end: int) -> list[bytes]:
        """§2.1.4.1, PROOF(m, D[0:end])."""
        return self._subproof(m, 0, end, is_whole=True)

    def _subproof(self, m: int, start: int, end: int, *, is_whole: bool) -> list[bytes]:
        n = end - start
        if m == n:
            return [] if is_whole else [self.mth(start, end)]
        k = _split(n)
        if m <= k:
            return [*self._subproof(m, start, start + k, is_whole=is_whole), self.mth(start + k, end)]
        return [*self._subproof(m - k, start + k, end, is_whole=False), self.mth(start, start + k)]

    def subtree_proof(self, start: int, end: int, size: int) -> list[bytes]:
        """SUBTREE_PROOF(start, end, D[0:size]) of draft-ietf-plants-merkle-tree-certs, §4.4.1."""
        return self._subtree_subproof(start, end, 0, size, is_whole=True) if start < end else []

    def _subtree_subproof(self, start: int, end: int, low: int, high: int, *, is_whole: bool) -> list[bytes]:
        if (start, end) == (low, high):
            return [] if is_whole else [self.mth(low, high)]
        k = low + _split(high - low)
        if end <= k:
            return [*self._subtree_subproof(start, end, low, k, is_whole=is_whole), self.mth(k, high)]
        if k <= start:
            return [*self._subtree_subproof(start, end, k, high, is_whole=is_whole), self.mth(low, k)]
        return [*self._subtree_subproof(k, end, k, high, is_whole=False), self.mth(low, k)]


def mth(entries: Sequence[bytes]) -> bytes:
    """§2.1.1 over a whole list."""
    return Entries(entries).mth(0, len(entries))


def includes(fn: int, size: int, leaf: bytes, hashes: Sequence[bytes], root: bytes) -> bool:
    """§2.1.3.2, step by step."""
    if fn >= size:
        return False
    sn, r = size - 1, leaf
    for p in hashes:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = _sha256(b"\x01" + p + r)
            if not fn & 1:
                while not fn & 1 and fn:
                    fn, sn = fn >> 1, sn >> 1
        else:
            r = _sha256(b"\x01" + r + p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def is_consistent(first: int, second: int, old: bytes, new: bytes, hashes: Sequence[bytes]) -> bool:
    """§2.1.4.2, step by step; sizes 0 are outside it."""
    if first == second:
        return not hashes and old == new
    if not 0 < first < second or not hashes:
        return False
    if first & (first - 1) == 0:
        hashes = [old, *hashes]
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = hashes[0]
    for c in hashes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = _sha256(b"\x01" + c + fr), _sha256(b"\x01" + c + sr)
            if not fn & 1:
                while not fn & 1 and fn:
                    fn, sn = fn >> 1, sn >> 1
        else:
            sr = _sha256(b"\x01" + sr + c)
        fn, sn = fn >> 1, sn >> 1
    return fr == old and sr == new and sn == 0
