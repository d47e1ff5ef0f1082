"""Gateways that seal readings: the statements of a load, signed before the clock starts.

Each gateway has a key and one stream a meter; each statement carries a window of readings of one meter at one
reading a minute, with values that wander as a meter's do. Signing is the gateways' work in the field and is
therefore never inside a measured time.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from carbonseal_attest import cbor
from carbonseal_attest.contents import build_content
from carbonseal_attest.contents.readings import Sample, Series, readings_body
from carbonseal_attest.signing import Ed25519Signer, Signer
from carbonseal_attest.statement import sign_statement

READINGS_PER_STATEMENT = 15  # a quarter of an hour at one reading a minute, as polled meters seal
STEP_MS = 60_000


@dataclass(slots=True)
class Meter:
    """One meter behind a gateway, and where its stream and register stand."""

    code: str
    sequence: int = 0
    previous: bytes | None = None
    register: Decimal = Decimal(100_000)
    next_at: int = 0


@dataclass(slots=True)
class Gateway:
    """One gateway: its device code, key and meters."""

    code: str
    signer: Signer
    meters: list[Meter]
    turn: int = 0
    random: random.Random = field(default_factory=lambda: random.Random(1))

    def seal(
        self, *, party: str, origin: str, issued_at: int, readings: int = READINGS_PER_STATEMENT
    ) -> tuple[bytes, bytes]:
        """The next statement and its content; meters take turns.

        Args:
            party: code of the enterprise, the issuer.
            origin: origin of its data log.
            issued_at: whole seconds since 1970.
            readings: how many it carries.
        """
        meter = self.meters[self.turn % len(self.meters)]
        self.turn += 1
        start, end = meter.next_at, meter.next_at + readings * STEP_MS
        samples = []
        for at in range(start, end, STEP_MS):
            meter.register += Decimal(self.random.randrange(500, 2500)).scaleb(-2)
            samples.append(Sample(at, meter.register))
        stream = f"readings/{meter.code}"
        content = build_content(
            "readings",
            subject=meter.code,
            stream=stream,
            interval=(start, end),
            body=readings_body([Series.of("energy", "register", "kW.h", samples)]),
            salt=os.urandom(16),
        )
        statement = sign_statement(
            self.signer,
            kind="readings",
            issuer=party,
            subject=meter.code,
            issued_at=issued_at,
            origin=origin,
            stream=stream,
            sequence=meter.sequence,
            previous=meter.previous,
            interval=(start, end),
            checkpoint=None,
            content=content,
        )
        meter.sequence, meter.previous, meter.next_at = meter.sequence + 1, statement.digest, end
        return statement.raw, content


def make_gateways(count: int, meters_each: int, *, first_at: int, numbered_from: int = 0) -> list[Gateway]:
    """`count` gateways whose first readings are at `first_at` (milliseconds), with codes of their own."""
    return [
        Gateway(
            f"g-bench{number:04d}",
            Ed25519Signer.generate(),
            [Meter(f"m-bench{number:04d}x{meter:02d}", next_at=first_at) for meter in range(meters_each)],
            random=random.Random(number),
        )
        for number in range(numbered_from, numbered_from + count)
    ]


def batches(
    gateway: Gateway,
    statements: int,
    batch: int,
    *,
    party: str,
    origin: str,
    issued_at: int,
    readings: int = READINGS_PER_STATEMENT,
) -> Iterator[bytes]:
    """`statements` statements as bodies of `entries:batch`: CBOR sequences of [statement, content]."""
    for start in range(0, statements, batch):
        yield b"".join(
            cbor.encode(
                list(gateway.seal(party=party, origin=origin, issued_at=issued_at, readings=readings))
            )
            for _ in range(min(batch, statements - start))
        )
