"""The draw of docs/spec/sampling.md written as plainly as it can be read, without the code that it checks.

The whole population stands in a list of which the beginning is shuffled, and sizes are found by multiplying
one factor after another. Used by tests and vectors only.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction


def sample_size(confidence: str, tolerable: str, population: int) -> int:
    keep, miss = 1 - Fraction(tolerable) / 100, 1 - Fraction(confidence) / 100
    size, left = 0, Fraction(1)
    while left > miss and size < population:
        size, left = size + 1, left * keep
    return size


def seed_of(nonce: bytes, block_hash: bytes, commitment_digest: bytes) -> bytes:
    return hashlib.sha256(b"carbonseal-sampling-seed/v1" + nonce + block_hash + commitment_digest).digest()


def stratum_seed(seed: bytes, name: str, expected: int, sample_size: int) -> bytes:
    text = name.encode()
    numbers = expected.to_bytes(8, "big") + sample_size.to_bytes(8, "big")
    whole = b"carbonseal-sampling-stratum/v1" + seed + len(text).to_bytes(2, "big") + text + numbers
    return hashlib.sha256(whole).digest()


def order(seed: bytes, expected: int, sample_size: int) -> list[int]:
    numbers = []
    counter = used = 0
    slots = list(range(expected))
    for at in range(sample_size):
        bound = expected - at
        while True:
            if used == len(numbers):
                block = b"carbonseal-sampling-block/v1" + seed + counter.to_bytes(8, "big")
                digest = hashlib.sha256(block).digest()
                numbers += [int.from_bytes(digest[i : i + 8], "big") for i in (0, 8, 16, 24)]
                counter += 1
            number, used = numbers[used], used + 1
            if number < 2**64 // bound * bound:
                break
        chosen = at + number % bound
        slots[at], slots[chosen] = slots[chosen], slots[at]
    return slots[:sample_size]
