"""The draw of a sample (docs/spec/sampling.md): sizes, seeds and slots, each a function of what was fixed.

A verification body commits to a nonce and to its strata before a block exists, and draws when it does, so
that neither side can steer. Sizes follow discovery sampling (attribute sampling with no expected error) in
whole numbers. Pure: no bundle, clock or disk. Left out: what the strata are (`sample_grid`), which block it
is (`sample_block`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from carbonseal_attest.quantities import parse_decimal
from carbonseal_verifier.errors import SamplingRefused

NONCE_SIZE: Final = 32  # bytes
MAX_SAMPLE: Final = 100_000  # a stratum's; the limit of the kind sampling_commitment
MAX_POPULATION: Final = 1 << 53
_SEED: Final = b"carbonseal-sampling-seed/v1"
_STRATUM: Final = b"carbonseal-sampling-stratum/v1"
_BLOCK: Final = b"carbonseal-sampling-block/v1"
_WORD: Final = 8  # bytes of one candidate number
_WORDS: Final = 1 << 64
_MAX_PLACES: Final = 4


@dataclass(frozen=True, slots=True)
class Stratum:
    """One measurement of the plan: its id, the slots of its grid in the period, and how many are drawn."""

    id: str
    expected: int
    sample_size: int


def sample_size(confidence: str, tolerable: str, population: int) -> int:
    """Return how many slots to draw so that an error rate above `tolerable` is met with `confidence`.

    The least n with (1 - tolerable)^n <= 1 - confidence, at most the population; the same n as
    ceil(ln(1 - c) / ln(1 - p)), but without logarithms: both are percentages, taken exactly.

    Args:
        confidence: per cent, above 0 and below 100, as a plain decimal.
        tolerable: tolerable error rate in per cent, above 0 and below 100, as a plain decimal.
        population: slots of the stratum.

    Raises:
        SamplingRefused: a percentage out of range, or so small that more than 100,000 would be drawn.
    """
    miss, keep = 1 - _share(confidence, "confidence"), 1 - _share(tolerable, "tolerable error rate")
    if population > MAX_SAMPLE and not _is_enough(keep, MAX_SAMPLE, miss):
        raise SamplingRefused(
            "tolerable error rate", f"more than {MAX_SAMPLE} slots would be drawn", "choose a higher rate"
        )
    low, high = 1, min(population, MAX_SAMPLE)
    while low < high:
        middle = (low + high) // 2
        if _is_enough(keep, middle, miss):
            high = middle
        else:
            low = middle + 1
    return low


def nonce_digest(nonce: bytes) -> bytes:
    """Return what a commitment says of its nonce: the SHA-256 of its 32 bytes.

    Raises:
        SamplingRefused: another length; a short nonce could be guessed.
    """
    if len(nonce) != NONCE_SIZE:
        raise SamplingRefused("nonce", f"{len(nonce)} bytes instead of {NONCE_SIZE}", "give the one drawn")
    return hashlib.sha256(nonce).digest()


def seed_of(nonce: bytes, block_hash: bytes, commitment_digest: bytes) -> bytes:
    """Return the seed of a draw, of which nobody knew all three parts when any was fixed."""
    nonce_digest(nonce)
    for name, part in (("block hash", block_hash), ("commitment digest", commitment_digest)):
        if len(part) != 32:
            raise SamplingRefused(name, f"{len(part)} bytes instead of 32", "give all 64 hexadecimal digits")
    return hashlib.sha256(_SEED + nonce + block_hash + commitment_digest).digest()


def stratum_seed(seed: bytes, stratum: Stratum) -> bytes:
    """Return the seed of one stratum: strata are drawn apart, so that none depends on their order."""
    name = stratum.id.encode()
    numbers = stratum.expected.to_bytes(8, "big") + stratum.sample_size.to_bytes(8, "big")
    return hashlib.sha256(_STRATUM + seed + len(name).to_bytes(2, "big") + name + numbers).digest()


def draw(seed: bytes, strata: Sequence[Stratum]) -> dict[str, list[int]]:
    """Return the drawn slots of each stratum, ascending; every subset of its size is equally likely.

    Raises:
        SamplingRefused: a sample larger than its stratum, or a stratum that stands twice.
    """
    if len({stratum.id for stratum in strata}) != len(strata):
        raise SamplingRefused("strata", "one stands twice", "name each measurement once")
    return {stratum.id: sorted(draw_stratum(stratum_seed(seed, stratum), stratum)) for stratum in strata}


def draw_stratum(seed: bytes, stratum: Stratum) -> list[int]:
    """Return the drawn slots of one stratum in the order of the draw.

    A Fisher-Yates shuffle that stops after the sample, kept as the few places that moved: a population of
    millions takes no more memory than its sample.
    """
    if not 1 <= stratum.sample_size <= stratum.expected <= MAX_POPULATION:
        raise SamplingRefused(
            f"stratum {stratum.id}",
            f"{stratum.sample_size} of {stratum.expected} slots cannot be drawn",
            "draw at least one slot and at most all",
        )
    numbers = _numbers(seed)
    moved: dict[int, int] = {}
    drawn = []
    for at in range(stratum.sample_size):
        chosen = at + _below(stratum.expected - at, numbers)
        drawn.append(moved.get(chosen, chosen))
        moved[chosen] = moved.get(at, at)
    return drawn


def _numbers(seed: bytes) -> Iterator[int]:
    """Yield 64-bit numbers: four from each SHA-256 of the seed and a counter."""
    counter = 0
    while True:
        block = hashlib.sha256(_BLOCK + seed + counter.to_bytes(8, "big")).digest()
        counter += 1
        for at in range(0, len(block), _WORD):
            yield int.from_bytes(block[at : at + _WORD], "big")


def _below(bound: int, numbers: Iterator[int]) -> int:
    """Return a number in [0, bound), each equally likely: what would favour the small ones is passed over."""
    limit = _WORDS - _WORDS % bound
    return next(number for number in numbers if number < limit) % bound


def _share(percent: str, field: str) -> Fraction:
    share = Fraction(parse_decimal(percent, field=field)) / 100
    # More places would make the powers below numbers of many millions of digits.
    if not 0 < share < 1 or len(percent.partition(".")[2]) > _MAX_PLACES:
        reason = f"{percent} is not between 0 and 100 per cent with at most {_MAX_PLACES} decimal places"
        raise SamplingRefused(field, reason, "give a percentage such as 95 or 0.5")
    return share


def _is_enough(keep: Fraction, count: int, miss: Fraction) -> bool:
    """Say whether keep^count <= miss, in whole numbers."""
    left: int = keep.numerator**count * miss.denominator
    right: int = miss.numerator * keep.denominator**count
    return left <= right
