"""The one table of signature algorithms: numbers, names, sizes, and who may use them.

Numbers are those of the IANA COSE registry: fully specified ones (RFC 9864) and ML-DSA-44 (FIPS 204).
`ADMITTED` ones sign what is new. A *legacy* number, EdDSA (-8) or ES256 (-7), names the same keys and the
same signatures as its twin; it counts only where the caller admits it. An *extra* has a private-use number
(RFC 9053 §8) and needs an optional part; it too counts only where it is named. Table only: keys are in
`keys`, and who admits what is the trust file's, or the log host's, affair.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from carbonseal_attest.errors import AlgorithmRefused

ED25519: Final = -19
ESP256: Final = -9
ML_DSA_44: Final = -48
EDDSA: Final = -8
ES256: Final = -7
SM2: Final = -70101  # private use: no registry names SM2 with SM3 (GM/T 0003) for COSE
SM2_CURVE: Final = -70102  # private use, as above

OKP, EC2, AKP = 1, 2, 7  # COSE key types


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One row of the table.

    `key_size` is that of the raw public key in bytes (elliptic curves but Ed25519: x, then y); `twin` is the
    fully specified algorithm whose keys a legacy number uses.
    """

    id: int
    name: str
    title: str
    key_type: int
    curve: int | None
    key_size: int
    signature_size: int
    status: Literal["admitted", "legacy", "extra"]
    twin: int | None = None


_ROWS: Final = (
    Algorithm(ED25519, "ed25519", "Ed25519", OKP, 6, 32, 64, "admitted"),
    Algorithm(ESP256, "esp256", "ECDSA on P-256 with SHA-256", EC2, 1, 64, 64, "admitted"),
    Algorithm(ML_DSA_44, "ml-dsa-44", "ML-DSA-44", AKP, None, 1312, 2420, "admitted"),
    Algorithm(EDDSA, "eddsa", "EdDSA (legacy number of Ed25519)", OKP, 6, 32, 64, "legacy", ED25519),
    Algorithm(ES256, "es256", "ES256 (legacy number of ESP256)", EC2, 1, 64, 64, "legacy", ESP256),
    Algorithm(SM2, "sm2", "SM2 with SM3", EC2, SM2_CURVE, 64, 64, "extra"),
)
ALGORITHMS: Final[Mapping[int, Algorithm]] = {row.id: row for row in _ROWS}
ADMITTED: Final = frozenset(row.id for row in _ROWS if row.status == "admitted")
KEY_ALGORITHMS: Final = frozenset(row.id for row in _ROWS if row.twin is None)  # what a key may be made for


def algorithm_named(name: str) -> Algorithm:
    """Return the row of a key algorithm's name, as a command line or a key's text gives it.

    Raises:
        AlgorithmRefused: no key algorithm has that name.
    """
    for row in _ROWS:
        if row.name == name and row.twin is None:
            return row
    raise AlgorithmRefused("algorithm", "no known name", f"choose one of {', '.join(algorithm_names())}")


def algorithm_names() -> list[str]:
    """Return the names of all key algorithms, the plain one first."""
    return [row.name for row in _ROWS if row.twin is None]


def check_signed_with(found: object, key_algorithm: int, admitted: Container[int]) -> None:
    """Check the algorithm that a header names against the key's own and against what the caller admits.

    Args:
        found: the header's algorithm.
        key_algorithm: the algorithm of the key that is to verify.
        admitted: every number that may stand in a header; a legacy number must stand here itself.

    Raises:
        AlgorithmRefused: not that key's algorithm or its legacy twin, or not admitted.
    """
    row = ALGORITHMS.get(found) if type(found) is int else None
    if row is None or key_algorithm not in {row.id, row.twin}:
        raise AlgorithmRefused("alg", "is not that of the key", "name the key's own algorithm in the header")
    if row.id not in admitted:
        raise AlgorithmRefused(
            "alg", f"{row.title} ({row.id}) is not admitted here", "sign with an admitted algorithm"
        )
