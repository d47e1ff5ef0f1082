"""How fast statements and inclusion proofs are verified, and how large a statement is.

Each rate stands beside the bare operation of the same run: a signature verified by the library alone, an
inner node hashed. Statements are those of `fleet`: one meter, one register, a reading a minute.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from carbonseal_attest.algorithms import ADMITTED, ALGORITHMS, ED25519
from carbonseal_attest.contents import check_content
from carbonseal_attest.cose import sig_structure
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import Frontier, inclusion_path, leaf_hash, verify_inclusion
from carbonseal_attest.signing import Signer, generate_signer
from carbonseal_attest.statement import SignedStatement
from figures import Figure, Measure
from fleet import make_gateways
from machine_limits import best_rate

SIZES: Final = (15, 60)  # readings a statement
LEAVES: Final = 1 << 20
STATEMENTS: Final = 512  # different ones, so that nothing is remembered
ORIGIN, PARTY = "log.carbonseal.example/e-enterprise/data", "e-enterprise"
FIRST_AT: Final = 1_767_225_600_000  # 2026-01-01T00:00:00Z


def statement_figures() -> list[Figure]:
    """Statements parsed and verified a second, by algorithm, beside bare verifications of the same bytes."""
    found = []
    for algorithm in sorted(ADMITTED, reverse=True):
        name, signer = ALGORITHMS[algorithm].name.replace("-", "_"), generate_signer(algorithm)
        raws = [raw for raw, _ in _sealed(signer, STATEMENTS, 60)]
        parsed = [SignedStatement.parse(raw) for raw in raws]
        key = signer.public
        signed = [(sig_structure(one.protected, one.payload), one.signature) for one in parsed]
        bare = partial(_verify_raw, _raw_verify(key), cycle(signed))
        whole = partial(_verify_whole, key, cycle(raws))
        beside = Measure(f"raw_{name}_verifications_per_second", best_rate(bare, batch=16), "1/s")
        measure = Measure(f"{name}_statements_verified_per_second", best_rate(whole, batch=16), "1/s")
        found.append(Figure(measure, beside))
    return found


def size_figures() -> list[Figure]:
    """Bytes of a statement of 15 and of 60 readings, beside those of statement and content."""
    found = []
    signer = generate_signer()
    for readings in SIZES:
        raw, content = _sealed(signer, 2, readings)[-1]  # the second names the one before, as all but one do
        check_content(SignedStatement.parse(raw), content)
        found.append(
            Figure(
                Measure(f"statement_bytes_of_{readings}_readings", len(raw), "B"),
                Measure(f"statement_and_content_bytes_of_{readings}_readings", len(raw) + len(content), "B"),
            )
        )
    return found


def inclusion_figures() -> list[Figure]:
    """Inclusion proofs verified a second in a tree of 2^20 leaves, beside SHA-256 of an inner node."""
    levels = [[leaf_hash(at.to_bytes(4, "big")) for at in range(LEAVES)]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = zip(below[::2], below[1::2], strict=True)
        levels.append([hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs])
    root = levels[-1][0]
    assert root == Frontier().extend(levels[0]).root()
    draw = random.Random(1)
    proofs = []
    for index in draw.sample(range(LEAVES), STATEMENTS):
        path = inclusion_path(index, LEAVES, lambda level, at: levels[level][at])
        proofs.append((index, levels[0][index], path))
    turn, node = cycle(proofs), bytes(65)

    def verify() -> None:
        index, leaf, path = next(turn)
        verify_inclusion(index, LEAVES, leaf, path, root)

    hashes = best_rate(lambda: hashlib.sha256(node).digest(), batch=1024)
    measure = Measure("inclusion_proofs_verified_per_second", best_rate(verify, batch=64), "1/s")
    return [Figure(measure, Measure("sha256_per_second", hashes, "1/s"))]


def _raw_verify(key: PublicKey) -> Callable[[bytes, bytes], None]:
    """Return what verifies (signature, message) with nothing of ours around it; else through the key."""
    if key.algorithm == ED25519:
        return Ed25519PublicKey.from_public_bytes(key.raw).verify
    return key.verify


def _verify_raw(verify: Callable[[bytes, bytes], None], turn: Iterator[tuple[bytes, bytes]]) -> None:
    message, signature = next(turn)
    verify(signature, message)


def _verify_whole(key: PublicKey, turn: Iterator[bytes]) -> None:
    SignedStatement.parse(next(turn)).verify_signature(key)


def _sealed(signer: Signer, count: int, readings: int) -> list[tuple[bytes, bytes]]:
    (gateway,) = make_gateways(1, 1, first_at=FIRST_AT)
    gateway.signer = signer
    return [
        gateway.seal(party=PARTY, origin=ORIGIN, issued_at=FIRST_AT // 1000, readings=readings)
        for _ in range(count)
    ]
