"""Spools, sealers and small batches for the tests."""

from __future__ import annotations

from pathlib import Path

from gateways import SIGNER, START, meter, sample
from log_server import ORIGIN

from carbonseal_attest.signing import Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_collectors.batching import Batch, cut_meter
from carbonseal_collectors.sealing import Sealer
from carbonseal_collectors.spool import Spool
from carbonseal_collectors.windows import Window

HOUR = 3_600_000


def open_spool(folder: Path, **more) -> Spool:
    return Spool(folder / "spool", **({"gateway": "d-gateway", "origin": ORIGIN} | more))


def sealer(spool: Spool, signer: Signer = SIGNER) -> Sealer:
    return Sealer(signer, issuer="e-party", origin=ORIGIN, spool=spool, clock=lambda: START + HOUR)


def batch(hour: int, code: str = "m-one") -> Batch:
    at = START + hour * HOUR
    (only,) = cut_meter(
        meter(), [sample(at, "1")], window=Window(HOUR, "UTC"), resume_from=None, until=at + HOUR,
        is_silence_open=True,
    ).batches  # fmt: skip
    return Batch(only.kind, code, only.interval, only.body, only.samples)


def chain(spool: Spool) -> list[SignedStatement]:
    return [SignedStatement.parse(e.statement) for e in spool.waiting(limit=10**6, max_bytes=1 << 40)]


def assert_chained(statements: list[SignedStatement]) -> None:
    heads: dict[str, tuple[int, bytes | None]] = {}
    for statement in statements:
        sequence, digest = heads.get(statement.header.stream, (-1, None))
        assert statement.header.sequence == sequence + 1
        assert statement.header.previous == digest
        heads[statement.header.stream] = (statement.header.sequence, statement.digest)
