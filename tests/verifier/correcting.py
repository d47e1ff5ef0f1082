"""Corrections, declared values and downgrades in the small world of `bundle_factory`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bundle_factory import END, GATEWAY, OPERATOR, SITE, START, World, data, register

from carbonseal_attest.contents import parse_content
from carbonseal_attest.contents.readings import Sample, Series, read_series, readings_body
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.recompute import Recomputed, recompute_period

Change = Callable[[Sample], Sample | None]
BILLED = {"data_sources": ["meter", "bill", "ledger"]}


def twice(sample: Sample) -> Sample:
    value = None if sample.value is None else sample.value * 2
    return Sample(sample.at, value, sample.quality, sample.source_status)


def same(sample: Sample) -> Sample:
    return sample


def statements(world: World, kind: str, subject: str | None = None) -> list[SignedStatement]:
    made = map(SignedStatement.parse, world.logs[data(OPERATOR)].entries)
    return [s for s in made if s.header.kind == kind and subject in {None, s.header.subject}]


def body_of(world: World, statement: SignedStatement) -> dict[str, Any]:
    return parse_content(world.contents[statement.payload]).body


def changed(world: World, statement: SignedStatement, change: Change) -> dict[str, Any]:
    """The readings of a statement, each sample changed; those changed to None are left out."""
    body = body_of(world, statement)
    series = []
    for one in read_series(body.get("readings", body)):
        samples = [made for sample in one.samples() if (made := change(sample)) is not None]
        series.append(Series.of(one.point, one.form, one.unit, samples, width_ms=one.width_ms))
    return readings_body(series)


def replace_readings(
    world: World, statement: SignedStatement, change: Change = twice, *, by: str = OPERATOR, **facts: Any
) -> SignedStatement:
    """Log corrected readings in the data log; they do not count before a correction names them."""
    body = {
        "supersedes": facts.pop("supersedes", statement.digest),
        "reason": "the transformer ratio was wrong",
        "readings": facts.pop("readings", None) or changed(world, statement, change),
    }
    facts = {"subject": statement.header.subject, "interval": statement.header.interval} | facts
    made = world.add(data(OPERATOR), by, "corrected_readings", body, **facts)
    world.tick(data(OPERATOR))
    return made


def act(
    world: World, supersedes: bytes, replacement: bytes | None, reason: str = "wrong ratio"
) -> SignedStatement:
    body = {"supersedes": supersedes, "replacement": replacement, "role": "operator", "reason": reason}
    return world.add(register(OPERATOR), OPERATOR, "correction", body)


def withdraw(world: World, digest: bytes) -> SignedStatement:
    body = {"withdraws": digest, "role": "operator", "reason": "taken back"}
    return world.add(register(OPERATOR), OPERATOR, "withdrawal", body)


def correct(
    world: World, statement: SignedStatement, change: Change = twice, **facts: Any
) -> SignedStatement:
    """Correct a statement: both statements in their order; returns the corrected readings."""
    made = replace_readings(world, statement, change, **facts)
    act(world, statement.digest, made.digest)
    return made


def document(world: World, name: str = "bill.pdf") -> SignedStatement:
    digest = hashlib.sha256(name.encode()).digest()
    body = {"title": name, "media_type": "application/pdf", "document_digest": digest, "size": 9,
            "relates_to": []}  # fmt: skip
    return world.add(data(OPERATOR), OPERATOR, "document", body)


def declare(world: World, value: Decimal | str, **facts: Any) -> SignedStatement:
    """Declare an amount of the only stream over the whole period, from a bill that is in the log."""
    found = facts.pop("document", None) or document(world).digest
    body = {
        "plan_digest": facts.pop("plan_digest", world.plan.digest),
        "source_stream": facts.pop("stream_id", "electricity"),
        "data_source": facts.pop("data_source", "bill"),
        "quantity": {"value": str(value), "unit": facts.pop("unit", "kW.h")},
        "document_digest": found,
    }
    about = {"subject": SITE, "interval": (START, END)} | facts
    return world.add(data(OPERATOR), OPERATOR, "declared_activity", body, **about)


def downgrade(world: World, origin: str = "meter", to: str = "bill", **facts: Any) -> SignedStatement:
    body = {
        "plan_digest": facts.pop("plan_digest", world.plan.digest),
        "source_stream": facts.pop("stream_id", "electricity"),
        "from": origin,
        "to": to,
        "reason": "the meter was being repaired",
    }
    about = {"subject": SITE, "interval": (START, END)} | facts
    return world.add(data(OPERATOR), OPERATOR, "downgrade", body, **about)


def billed(**stream: Any) -> World:
    """A measured world whose plan orders meter, bill and ledger."""
    from bundle_factory import plan_body

    (own,) = plan_body()["source_streams"]
    return World(source_streams=[own | BILLED | stream]).found().measure()


def recompute(world: World, **changes: Any) -> Recomputed:
    """The period as it stands in the logs now."""
    origins = (data(OPERATOR), register(OPERATOR))
    given = {
        "register_entries": world.logs[register(OPERATOR)].entries,
        "data_entries": list(enumerate(world.logs[data(OPERATOR)].entries)),
        "contents": world.contents, "plan_digest": world.plan.digest, "start_ms": START, "end_ms": END,
        "cut_off": [(o, len(world.logs[o].entries), world.logs[o].root()) for o in origins],
        "packages": world.packages,
    }  # fmt: skip
    return recompute_period(**given | changes)


def findings(made: Recomputed, rule: str) -> list[dict[str, Any]]:
    return [f for f in made.quality_body["findings"] if f["rule"].split("@")[0] == rule]


def metered(made: Recomputed) -> Decimal:
    """What the meters give for the only stream over the period, in kWh."""
    (month,) = made.activity.streams["electricity"]
    return month.metered_amount * 1000


__all__ = ["GATEWAY", "act", "correct", "declare", "downgrade", "recompute"]
