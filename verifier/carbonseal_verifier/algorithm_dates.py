"""Step algorithms: all was signed by what the trust file admits, and anchored while that still counted.

A broken algorithm lets anybody sign with any date, so nobody's word about time is asked: what counts is when
the thing signed was anchored, and where no anchor covers it, the instant of the check. Only algorithms that
something uses are judged. Left out: whether the signatures verify (`parties`, `signatures`, `log-proofs`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from carbonseal_attest import cbor
from carbonseal_attest.contents import KINDS
from carbonseal_attest.contents.schema import Record
from carbonseal_attest.cose import ALG, split_sign1
from carbonseal_attest.instants import format_instant
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.anchor_times import AnchorTimes
from carbonseal_verifier.case import Case
from carbonseal_verifier.wording import counted

_MAX_ENDORSEMENT: Final = 4096  # bytes
_ENDORSED: Final = frozenset(
    name
    for name, kind in KINDS.items()
    if isinstance(kind.schema, Record) and "endorsements" in kind.schema.known
)
_Use = tuple[int, int, str]  # algorithm, index of the last entry it signed, in words


def check_algorithms(case: Case) -> str:
    """Hold every algorithm used, at the latest time of all that it signed, against the trust file's table."""
    latest: dict[int, int] = {}
    for origin, uses in _uses_by_log(case):
        times = AnchorTimes(case, origin)
        for algorithm, index, what in uses:
            anchored_at = times.of(index)
            at = case.at if anchored_at is None else anchored_at
            case.trust.algorithms.require(algorithm, anchored_at=at, what=f"{what} of {origin}")
            latest[algorithm] = max(at, latest.get(algorithm, 0))
    shown = ", ".join(f"{algorithm} up to {format_instant(at)}" for algorithm, at in sorted(latest.items()))
    return f"{counted(len(latest), 'algorithm')} used, each admitted when it was anchored: {shown}"


def _uses_by_log(case: Case) -> Iterator[tuple[str, list[_Use]]]:
    """Yield each log with its algorithms, each with the last entry it signed: anchors only come later."""
    host, bundle = case.log_host, case.bundle
    for origin, view in case.logs.items():
        section = view.section
        found: dict[tuple[int, str], int] = {}
        for index, statement in enumerate(view.statements, section.first):
            found[statement.header.algorithm, "a statement"] = index
            for algorithm in _of_endorsements(case, statement):
                found[algorithm, "an endorsement"] = index
        found[host.key_for(origin, section.end).algorithm, "checkpoint"] = section.end - 1
        yield origin, [(algorithm, index, what) for (algorithm, what), index in found.items()]
    genesis = SignedStatement.parse(bundle.log_of_logs_entries[0])
    uses = [(genesis.header.algorithm, 0, "a statement")]
    uses += [(algorithm, 0, "an endorsement") for algorithm in _of_endorsements(case, genesis)]
    size = len(bundle.log_of_logs_entries)
    uses.append((host.key_for(host.log_of_logs, size).algorithm, size - 1, "checkpoint"))
    yield host.log_of_logs, uses


def _of_endorsements(case: Case, statement: SignedStatement) -> Iterator[int]:
    content = case.content(statement) if statement.header.kind in _ENDORSED else None
    for item in () if content is None else content.body.get("endorsements", ()):
        protected, _, _, _ = split_sign1(item["signature"], max_size=_MAX_ENDORSEMENT)
        algorithm: int = cbor.decode(protected)[ALG]
        yield algorithm
