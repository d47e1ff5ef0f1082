"""Writes `ecdsa-p256.json`: ESP256 keys and signatures, high-s twins that verify, and what is refused.

Signatures are deterministic (RFC 6979), so that a second run writes the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from key_vectors import MESSAGE, bad_key, bad_signature, good, seed, spoilt
from vector_files import Vector, document, write

from carbonseal_attest.signing import Esp256Signer

_PRIME = (1 << 256) - (1 << 224) + (1 << 192) + (1 << 96) - 1
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_NAMES = ("p256 device", "p256 party")


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {"ecdsa-p256.json": document(__file__, "keys.md", [*_good(), *_bad_keys(), *_bad_signatures()])}


def _signer(name: str) -> Esp256Signer:
    return Esp256Signer.from_seed(seed(name))


def _high(signature: bytes) -> bytes:
    return signature[:32] + (_ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")


def _good() -> list[Vector]:
    made = []
    for name in _NAMES:
        signer = _signer(name)
        signature = signer.sign(MESSAGE)
        made.append(good(f"example key {name}", signer, signature))
        made.append(good(f"example key {name}, the same r with the high s", signer, _high(signature)))
    least = Esp256Signer.from_seed((1).to_bytes(32, "big"))
    greatest = Esp256Signer.from_seed((_ORDER - 1).to_bytes(32, "big"))
    return [
        *made,
        good("scalar 1", least, least.sign(MESSAGE)),
        good("scalar of the order less 1, the negative point", greatest, greatest.sign(b""), b""),
    ]


def _bad_keys() -> list[Vector]:
    text = _signer(_NAMES[0]).public.text()
    x, y = text[7:71], text[71:]
    return [
        bad_key("no point: last bit of y", f"esp256:{x}{int(y, 16) ^ 1:064x}"),
        bad_key("no point: x and y exchanged", f"esp256:{y}{x}"),
        bad_key("zeros, as some write infinity", "esp256:" + "00" * 64),
        bad_key("x at the prime", f"esp256:{_PRIME:064x}{y}"),
        bad_key("y at the prime", f"esp256:{x}{_PRIME:064x}"),
        bad_key("uncompressed point of SEC 1", f"esp256:04{x}{y}"),
        bad_key("compressed point of SEC 1", f"esp256:02{x}"),
        bad_key("infinity of SEC 1", "esp256:00"),
        bad_key("without its name", x + y),
        bad_key("name of a legacy algorithm", f"es256:{x}{y}"),
        bad_key("upper-case hex", f"esp256:{(x + y).upper()}"),
    ]


def _bad_signatures() -> list[Vector]:
    signer = _signer(_NAMES[0])
    signature = signer.sign(MESSAGE)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    values = [
        ("r of 0", 0, s),
        ("s of 0", r, 0),
        ("r of the order", _ORDER, s),
        ("s of the order", r, _ORDER),
    ]
    values += [("r and s of all ones", (1 << 256) - 1, (1 << 256) - 1), ("r and s exchanged", s, r)]
    values += [("r with its negative", _ORDER - r, s), ("r and s of 1", 1, 1)]
    return [
        *spoilt(signer, signature),
        *(bad_signature(w, signer, a.to_bytes(32, "big") + b.to_bytes(32, "big")) for w, a, b in values),
        bad_signature("in DER", signer, encode_dss_signature(r, s)),
        bad_signature("by another key", signer, _signer(_NAMES[1]).sign(MESSAGE)),
    ]


if __name__ == "__main__":
    write(__file__, files())
