"""Continuity of streams: consecutive sequence numbers, each naming the digest of the one before.

A stream is (key, log, stream id). A `void` takes the place of a statement that was refused for good, and what
follows may name either; after a loss of state the party's `resume` says where a stream goes on. Both are
accepted and shown. A stream whose first entries lie before the bundle's range begins wherever it begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from carbonseal_attest.identity.streams import GAP, Restart, misfit
from carbonseal_verifier.logged import LoggedStatement


@dataclass(frozen=True, slots=True)
class Break:
    """A place where a stream's statement does not follow the one before it."""

    subject: str
    stream: str
    sequence: int
    at: int
    problem: str
    digest: bytes


def find_restarts(register: Iterable[LoggedStatement]) -> list[Restart]:
    """Return the resumes of a register log."""
    return [
        Restart.of(entry.index, entry.statement.digest, entry.content.body)
        for entry in register
        if entry.content is not None and entry.content.kind == "resume"
    ]


def find_breaks(
    logged: Iterable[LoggedStatement],
    restarts: Iterable[Restart] = (),
    *,
    is_whole: bool = False,
    comes_before: Callable[[Restart, int], bool] = lambda _restart, _index: True,
) -> list[Break]:
    """Return the breaks in one log's streams, in log order.

    Args:
        logged: the log's entries in log order, with their contents where disclosed.
        restarts: the resumes of the party's register log.
        is_whole: whether the entries begin at the log's first, so that streams must begin at 0.
        comes_before: whether a resume lies before an entry of this log, as far as epochs tell.
    """
    by_stream: dict[tuple[bytes, str], list[Restart]] = {}
    for restart in restarts:
        by_stream.setdefault((restart.kid, restart.stream), []).append(restart)
    heads: dict[tuple[bytes, str], tuple[int, frozenset[bytes]]] = {}
    breaks: list[Break] = []
    for entry in logged:
        statement, content = entry.statement, entry.content
        header = statement.header
        key = (header.kid, header.stream)
        head = heads.get(key)
        # A stream whose first entries lie before the range begins wherever it begins.
        sequence = head[0] if head is not None else -1 if is_whole else header.sequence - 1
        digests = head[1] if head is not None else {header.previous}
        allowed = [r for r in by_stream.get(key, ()) if comes_before(r, entry.index)]
        problem = None
        match misfit(header, sequence, digests, allowed):
            case None:
                pass
            case found if found == GAP:
                problem = "begins above 0" if head is None else f"number {header.sequence} follows {sequence}"
            case _:
                problem = "does not name the digest of the statement before it"
        if problem is None and content is not None and content.kind == "void":
            other = content.body["sequence"]
            problem = None if other == header.sequence else f"a void that speaks of number {other}"
        if problem is not None:
            at = header.interval[0] if header.interval else header.issued_at * 1000
            breaks.append(
                Break(header.subject, header.stream, header.sequence, at, problem, statement.digest)
            )
        accepted = {statement.digest}
        if content is not None and content.kind == "void":
            accepted.add(content.body["digest"])
        heads[key] = (header.sequence, frozenset(accepted))
    return breaks
