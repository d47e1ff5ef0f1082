"""One COSE message as it is: a file that holds the bytes, or their hex or base64 as text."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from carbonseal_attest import errors
from carbonseal_verifier.conformance.case import ACCEPTED, Case, Meaning, Unsupported
from carbonseal_verifier.conformance.shape import Shape
from carbonseal_verifier.conformance.vector_file import Source

# Heads of a tag, or of an array without one; no text in hex or base64 begins with such a byte.
_HEADS: Final = frozenset({0x84, 0x98, 0x9F, *range(0xC0, 0xDC)})
Deviation = Callable[[bytes, errors.CarbonsealError], str | None]


def message_shape(
    name: str, text: str, run: Callable[[bytes], Meaning], *, deviation: Deviation | None = None
) -> Shape:
    """Return the shape of a raw message that `run` reads; what we do not have comes out as unsupported."""

    def cases(document: Any, source: Source) -> Iterable[Case]:
        data = _message(document) or b""
        case = Case(source.name, ACCEPTED, partial(_run, run, data))
        if deviation is not None:
            case = Case(source.name, ACCEPTED, partial(_run, run, data), deviation=partial(deviation, data))
        yield case

    return Shape(name, text, lambda document: _message(document) is not None, cases)


def _run(run: Callable[[bytes], Meaning], data: bytes) -> Meaning:
    try:
        return run(data)
    except errors.Unsupported as error:
        raise Unsupported(error.reason) from error


def _message(document: Any) -> bytes | None:
    """Return the bytes of a message, however the document writes them; None if it is none."""
    if not isinstance(document, bytes):
        return None
    if document[:1] and document[0] in _HEADS:
        return document
    text = b"".join(document.split())
    readers: tuple[Callable[[bytes], bytes], ...] = (binascii.unhexlify, _base64)
    for read in readers:
        try:
            data = read(text)
        except (ValueError, binascii.Error):
            continue
        if data[:1] and data[0] in _HEADS:
            return data
    return None


def _base64(text: bytes) -> bytes:
    plain = text.replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
    return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
