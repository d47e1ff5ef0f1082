"""RFC 9162 §2.1 written as the RFC has it, slowly and plainly; the fast code is compared with it."""

from __future__ import annotations

import hashlib


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(entries: list[bytes]) -> bytes:
    """§2.1.1, the Merkle tree hash."""
    n = len(entries)
    if n == 0:
        return _sha256(b"")
    if n == 1:
        return _sha256(b"\x00" + entries[0])
    k = _split(n)
    return _sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:]))


def path(m: int, entries: list[bytes]) -> list[bytes]:
    """§2.1.3.1, PATH(m, D_n)."""
    n = len(entries)
    if n == 1:
        return []
    k = _split(n)
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def proof(m: int, entries: list[bytes]) -> list[bytes]:
    """§2.1.4.1, PROOF(m, D_n)."""
    return _subproof(m, entries, is_whole=True)


def _subproof(m: int, entries: list[bytes], *, is_whole: bool) -> list[bytes]:
    n = len(entries)
    if m == n:
        return [] if is_whole else [mth(entries)]
    k = _split(n)
    if m <= k:
        return [*_subproof(m, entries[:k], is_whole=is_whole), mth(entries[k:])]
    return [*_subproof(m - k, entries[k:], is_whole=False), mth(entries[:k])]


def includes(fn: int, size: int, leaf: bytes, hashes: list[bytes], root: bytes) -> bool:
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


def is_consistent(first: int, second: int, old: bytes, new: bytes, hashes: list[bytes]) -> bool:
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
