"""Writes `ml-dsa.json`: ML-DSA-44 keys and signatures, and what is refused.

Our signer is hedged, so no two of its signatures are equal; these are made by somebody else's code in the
deterministic variant of FIPS 204, so that a second run writes the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dilithium_py.ml_dsa import ML_DSA_44, ML_DSA_65
from key_vectors import MESSAGE, bad_key, bad_signature, good, seed, spoilt
from vector_files import Vector, document, write

from carbonseal_attest.signing import MlDsa44Signer

_NAMES = ("ml-dsa device", "ml-dsa party")


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {"ml-dsa.json": document(__file__, "keys.md", [*_good(), *_bad_keys(), *_bad_signatures()])}


def _signer(name: str) -> MlDsa44Signer:
    return MlDsa44Signer.from_seed(seed(name))


def _sign(name: str, message: bytes = MESSAGE, context: bytes = b"") -> bytes:
    public, secret = ML_DSA_44.key_derive(seed(name))
    assert public == _signer(name).public.raw
    made: bytes = ML_DSA_44.sign(secret, message, ctx=context, deterministic=True)
    return made


def _good() -> list[Vector]:
    made = [good(f"example key {name}", _signer(name), _sign(name)) for name in _NAMES]
    return [*made, good("empty message", _signer(_NAMES[0]), _sign(_NAMES[0], b""), b"")]


def _bad_keys() -> list[Vector]:
    text = _signer(_NAMES[0]).public.text()
    larger, _ = ML_DSA_65.key_derive(seed(_NAMES[0]))
    return [
        bad_key("1,311 bytes", text[:-2]),
        bad_key("1,313 bytes", text + "00"),
        bad_key("a key of ML-DSA-65", f"ml-dsa-44:{larger.hex()[:2640]}"),
        bad_key("without its name", text.removeprefix("ml-dsa-44:")),
        bad_key("name of another algorithm", text.replace("ml-dsa-44", "ml-dsa-65")),
        bad_key("name without a key", "ml-dsa-44:"),
    ]


def _bad_signatures() -> list[Vector]:
    signer, signature = _signer(_NAMES[0]), _sign(_NAMES[0])
    return [
        *spoilt(signer, signature),
        bad_signature("with a context", signer, _sign(_NAMES[0], context=b"carbonseal")),
        bad_signature("hints out of order", signer, signature[:-84] + b"\x02\x01" + signature[-82:]),
        bad_signature("by another key", signer, _sign(_NAMES[1])),
    ]


if __name__ == "__main__":
    write(__file__, files())
