"""Reads an ECDSA signature from DER (RFC 3279 §2.2.3) into r | s, as COSE and our signatures have it.

Strict: one spelling only (X.690 §10). Whatever BER would also admit is refused as an invalid signature, since
public suites count it as such. Numbers beyond 32 bytes have no form in r | s and are refused too.
"""

from __future__ import annotations

from typing import Final

from carbonseal_attest.errors import SignatureInvalid

_SEQUENCE: Final = 0x30
_INTEGER: Final = 0x02


def fixed_signature(data: bytes) -> bytes:
    """Return r | s, 32 bytes each, of a signature in DER.

    Raises:
        SignatureInvalid: not DER, a negative number, or one of more than 32 bytes.
    """
    body, rest = _element(data, _SEQUENCE)
    if rest:
        raise _refusal("bytes after the sequence")
    first, body = _element(body, _INTEGER)
    second, body = _element(body, _INTEGER)
    if body:
        raise _refusal("more than two integers")
    return _fixed(first) + _fixed(second)


def _element(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """Return the content of the element that `data` begins with, and what follows it."""
    if len(data) < 2 or data[0] != tag:
        raise _refusal("an element is missing or of another type")
    size, start = data[1], 2
    if size == 0x81:
        size, start = (data[2] if len(data) > 2 else 0), 3
        if size < 0x80:
            raise _refusal("a length is not in its shortest form")
    elif size >= 0x80:  # no signature of two numbers of 32 bytes needs a longer length
        raise _refusal("a length of an unknown form")
    if start + size > len(data):
        raise _refusal("cut off")
    return data[start : start + size], data[start + size :]


def _fixed(number: bytes) -> bytes:
    if not number or number[0] >= 0x80:
        raise _refusal("a number is empty or negative")
    if number[0] == 0 and len(number) > 1 and number[1] < 0x80:
        raise _refusal("a number is not in its shortest form")
    value = number.lstrip(b"\x00")
    if len(value) > 32:
        raise _refusal("a number has more than 32 bytes")
    return value.rjust(32, b"\x00")


def _refusal(reason: str) -> SignatureInvalid:
    return SignatureInvalid("signature", f"not DER: {reason}", "sign the very bytes sent, with that key")
