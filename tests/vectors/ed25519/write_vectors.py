"""Writes `ed25519.json`: the example keys with a signature of each, keys and signatures that are refused."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import example_contents as example
from key_vectors import MESSAGE, bad_key, bad_signature, good, spoilt
from vector_files import Vector, document, write

_PRIME = (1 << 255) - 19
_ORDER = (1 << 252) + 27742317777372353535851937790883648493
# One y of each order that divides 8 but 1; the sign bit makes the other points.
_LOW_ORDER = (
    ("the neutral point", 1),
    ("the point of order 2", _PRIME - 1),
    ("a point of order 4", 0),
    ("a point of order 8", 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7),
    ("another point of order 8", 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826),
)


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {"ed25519.json": document(__file__, "keys.md", [*_good(), *_bad_keys(), *_bad_signatures()])}


def _good() -> list[Vector]:
    return [
        good(f"example key of the {name}", example.key(name), example.key(name).sign(MESSAGE))
        for name in ("device", "party", "log host", "registrar")
    ]


def _bad_keys() -> list[Vector]:
    made = []
    for words, y in _LOW_ORDER:
        made.append(bad_key(words, _little(y)))
        made.append(bad_key(f"{words}, sign bit set", _little(y | 1 << 255)))
        if y + _PRIME < 1 << 255:
            made.append(bad_key(f"{words}, y not reduced", _little(y + _PRIME)))
    text = example.key("device").public.text()
    return [
        *made,
        bad_key("y at the prime and no point of low order", _little(_PRIME + 3)),
        bad_key("no point of the curve", _little(2)),
        bad_key("31 bytes", text[:-2]),
        bad_key("33 bytes", text + "00"),
        bad_key("upper-case hex", text.upper()),
        bad_key("name of the algorithm before it", "ed25519:" + text),
        bad_key("name of a legacy algorithm before it", "eddsa:" + text),
    ]


def _bad_signatures() -> list[Vector]:
    signer = example.key("device")
    signature = signer.sign(MESSAGE)
    s = int.from_bytes(signature[32:], "little")
    return [
        *spoilt(signer, signature),
        bad_signature("S with the order added", signer, signature[:32] + (s + _ORDER).to_bytes(32, "little")),
        bad_signature("by another key", signer, example.key("party").sign(MESSAGE)),
    ]


def _little(value: int) -> str:
    return value.to_bytes(32, "little").hex()


if __name__ == "__main__":
    write(__file__, files())
