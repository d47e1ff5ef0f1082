"""Step algorithms: all was signed by what the trust file admits, and anchored while that still counted.

A broken algorithm lets anybody sign with any date, so nobody's word about time is asked: what counts is when
the thing signed was anchored, and where no anchor covers it, the instant of the check. Only algorithms that
something uses are judged. Left out: whether the signatures verify (`parties`, `signatures`, `log-proofs`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from carbonseal_attest import cbor
from carbonseal_attest.contents import Content
from carbonseal_attest.cose import ALG, split_sign1
from carbonseal_attest.instants import format_instant
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.anchor_times import AnchorTimes
from carbonseal_verifier.case import Case
from carbonseal_verifier.wording import counted

_MAX_ENDORSEMENT: Final = 4096  # bytes
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
            for algorithm, what in _of_statement(statement, case.content(statement)):
                found[algorithm, what] = index
        found[host.key_for(origin, section.end).algorithm, "checkpoint"] = section.end - 1
        yield origin, [(algorithm, index, what) for (algorithm, what), index in found.items()]
    genesis = SignedStatement.parse(bundle.log_of_logs_entries[0])
    uses = [(algorithm, 0, what) for algorithm, what in _of_statement(genesis, case.content(genesis))]
    size = len(bundle.log_of_logs_entries)
    uses.append((host.key_for(host.log_of_logs, size).algorithm, size - 1, "checkpoint"))
    yield host.log_of_logs, uses


def _of_statement(statement: SignedStatement, content: Content | None) -> Iterator[tuple[int, str]]:
    yield statement.header.algorithm, "a statement"
    endorsements = () if content is None else content.body.get("endorsements", ())
    for item in endorsements:
        protected, _, _, _ = split_sign1(item["signature"], max_size=_MAX_ENDORSEMENT)
        yield cbor.decode(protected)[ALG], "an endorsement"
