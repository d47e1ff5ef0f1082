"""The example statements and the example bundle, from which the vectors of several families are made."""

from __future__ import annotations

import example_contents as example

from carbonseal_attest.bundle_layout import BundledReport, EvidenceBundle, LogSection
from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.contents import KINDS
from carbonseal_attest.epoch import EpochMap, MapEntry
from carbonseal_attest.merkle import Frontier, leaf_hash, root_of
from carbonseal_attest.statement import SignedStatement, sign_statement


def statement(sequence: int = 0, previous: bytes | None = None, kind: str = "readings") -> SignedStatement:
    """The example statement of `kind` at `sequence` of its stream."""
    return sign_statement(
        example.key("device"),
        kind=kind,
        issuer=example.PARTY,
        subject=example.METER,
        issued_at=example.INTERVAL[1] // 1000,
        origin=example.DATA,
        stream=f"{kind}/{example.METER}",
        sequence=sequence,
        previous=previous,
        interval=example.INTERVAL if KINDS[kind].has_interval else None,
        checkpoint=(17, example.digest("root")),
        content=example.content(kind),
    )


def statements(count: int) -> list[SignedStatement]:
    """A stream of `count` example statements."""
    made = [statement()]
    while len(made) < count:
        made.append(statement(len(made), made[-1].digest))
    return made


def example_bundle() -> EvidenceBundle:
    """A tiny bundle: its form is right, its evidence is not complete enough for a check to pass."""
    made = statements(3)
    leaves = [leaf_hash(s.raw) for s in made]
    host = example.key("log host")
    head = Checkpoint(example.DATA, 3, root_of(leaves))
    tree = EpochMap([MapEntry(example.DATA, 3, head.root_hash)])
    epochs = [b"\xd2genesis", tree.close(1, example.INTERVAL[1]).encode()]
    log_of_logs = Checkpoint(f"{example.HOST}/epochs", 2, root_of([leaf_hash(e) for e in epochs]))
    prefix = Frontier().extend(leaves[:1])
    note = sign_checkpoint(head, host)
    period = (example.PERIOD["start"], example.PERIOD["end"])
    return EvidenceBundle(
        operator=example.PARTY,
        registrar="r-exampleregistrar",
        log_host="h-examplehost",
        reports=(BundledReport(example.digest("report"), period, "Asia/Shanghai", b"{}\n"),),
        logs={example.DATA: LogSection(example.DATA, 1, 3, prefix, note, tuple(s.raw for s in made[1:]))},
        log_of_logs_checkpoint=sign_checkpoint(log_of_logs, host),
        log_of_logs_entries=epochs,
        maps={example.DATA: {1: tree.prove(example.DATA)}},
        contents={made[0].payload: example.content("readings")},
        packages={"EXAMPLE@1.0.0": {"method.toml": b'id = "EXAMPLE"\n'}},
    )
