"""Write `sampling.json` anew, from the plain reference beside it: sample sizes, draws, and what is refused.

Run it with the project's Python from the repository's root.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER))

import sampling_reference as reference  # noqa: E402 - the folder has to be on the path first

SIZES = (
    ("95", "5", 2976),
    ("95", "5", 59),
    ("95", "5", 58),
    ("90", "5", 2976),
    ("99", "1", 35_040),
    ("95", "0.5", 35_040),
    ("99.9", "0.1", 1_000_000),
    ("50", "50", 10),
    ("0.0001", "99.9999", 10),
)
DRAWS = (
    ("one measurement, a quarter-hourly month", [("main", 2976, 59)]),
    ("two measurements of one size are drawn apart", [("main", 192, 10), ("line", 192, 10)]),
    ("the whole of a small stratum", [("daily", 5, 5)]),
    ("one slot of one", [("only", 1, 1)]),
    ("a population beyond 32 bits", [("large", (1 << 52) + 12_345, 4)]),
)
REFUSED = (
    ("more slots than there are", [("main", 10, 11)]),
    ("no slot", [("main", 10, 0)]),
    ("a stratum twice", [("main", 10, 1), ("main", 10, 1)]),
)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def vectors() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "desc": f"size: {confidence} % confidence, {tolerable} % tolerable, {population} slots",
            "want_error": None,
            "confidence": confidence,
            "tolerable": tolerable,
            "population": population,
            "sample_size": reference.sample_size(confidence, tolerable, population),
        }
        for confidence, tolerable, population in SIZES
    ]
    for desc, strata in DRAWS:
        nonce, block, commitment = (_digest(f"{what} of {desc}") for what in ("nonce", "block", "commitment"))
        seed = reference.seed_of(nonce, block, commitment)
        rows = []
        for name, expected, size in strata:
            own = reference.stratum_seed(seed, name, expected, size)
            # A list of 2^52 slots cannot be shuffled; the places that moved are the same.
            order = (
                reference.order(own, expected, size) if expected < 1 << 20 else _sparse(own, expected, size)
            )
            row = {"id": name, "expected": expected, "sample_size": size}
            rows.append(row | {"seed": own.hex(), "order": order, "slots": sorted(order)})
        found.append(
            {
                "desc": f"draw: {desc}",
                "want_error": None,
                "nonce": nonce.hex(),
                "nonce_digest": hashlib.sha256(nonce).hexdigest(),
                "block_hash": block.hex(),
                "commitment_digest": commitment.hex(),
                "seed": seed.hex(),
                "strata": rows,
            }
        )
    found.append(_passed_over())
    found += [
        {
            "desc": f"refused: {desc}",
            "want_error": "sampling-refused",
            "strata": [
                {"id": name, "expected": expected, "sample_size": size} for name, expected, size in strata
            ],
        }
        for desc, strata in REFUSED
    ]
    return found


def _passed_over() -> dict[str, Any]:
    """A draw whose first number would favour small slots: it is passed over, and the second one counts."""
    expected = 3 << 51  # 2^64 is no multiple of it, by a third of it
    limit = 2**64 // expected * expected
    attempt = 0
    while True:
        parts = [
            _digest(f"{what} {attempt} of a number passed over") for what in ("nonce", "block", "commitment")
        ]
        seed = reference.seed_of(*parts)
        own = reference.stratum_seed(seed, "large", expected, 1)
        digest = hashlib.sha256(b"carbonseal-sampling-block/v1" + own + bytes(8)).digest()
        first, second = (int.from_bytes(digest[at : at + 8], "big") for at in (0, 8))
        if first >= limit > second:
            break
        attempt += 1
    row = {"id": "large", "expected": expected, "sample_size": 1, "seed": own.hex()}
    return {
        "desc": "draw: a number that would favour small slots is passed over",
        "want_error": None,
        "nonce": parts[0].hex(),
        "nonce_digest": hashlib.sha256(parts[0]).hexdigest(),
        "block_hash": parts[1].hex(),
        "commitment_digest": parts[2].hex(),
        "seed": seed.hex(),
        "strata": [row | {"order": [second % expected], "slots": [second % expected]}],
    }


def _sparse(seed: bytes, expected: int, size: int) -> list[int]:
    """The first numbers of a population so large that none repeats among them: no place has moved."""
    found = []
    digest = hashlib.sha256(b"carbonseal-sampling-block/v1" + seed + bytes(8)).digest()
    for at in range(size):
        number = int.from_bytes(digest[8 * at : 8 * at + 8], "big")
        bound = expected - at
        assert number < 2**64 // bound * bound, "choose another population for this vector"
        found.append(at + number % bound)
    assert len(set(found)) == size, "choose another population for this vector"
    return found


def files() -> dict[str, str]:
    """Name to text of every file of vectors in this folder."""
    value = {
        "format": "docs/spec/sampling.md",
        "source": "made by write_sampling_vectors.py from the plain reference beside it",
        "vectors": vectors(),
    }
    return {"sampling.json": json.dumps(value, ensure_ascii=False, indent=1) + "\n"}


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
