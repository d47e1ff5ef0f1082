"""Continuity of streams: consecutive sequence numbers, each naming the digest of the one before.

A stream is (key, log, stream id). A `void` takes the place of a statement that was refused for good, and what
follows may name either; after a loss of state the party's `resume` says where a stream goes on. Both are
accepted and shown. A stream whose first entries lie before the bundle's range begins wherever it begins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from carbonseal_attest.contents import Content
from carbonseal_attest.statement import SignedStatement

Logged = tuple[SignedStatement, Content | None]


@dataclass(frozen=True, slots=True)
class Break:
    """A place where a stream's statement does not follow the one before it."""

    subject: str
    stream: str
    sequence: int
    at: int
    problem: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Restart:
    """Where a party's resume lets a stream go on."""

    kid: bytes
    stream: str
    next_sequence: int
    previous: bytes
    reason: str


def find_restarts(register: Iterable[Logged]) -> list[Restart]:
    """Return the resumes of a register log; without a previous digest the resume itself is the previous."""
    return [
        Restart(
            c.body["kid"],
            c.body["stream"],
            c.body["next_sequence"],
            c.body["previous"] or statement.digest,
            c.body["reason"],
        )
        for statement, c in register
        if c is not None and c.kind == "resume"
    ]


def find_breaks(
    logged: Iterable[Logged], restarts: Iterable[Restart] = (), *, is_whole: bool = False
) -> list[Break]:
    """Return the breaks in one log's streams, in log order.

    Args:
        logged: the log's statements in log order, with their contents where disclosed.
        restarts: the resumes of the party's register log.
        is_whole: whether the statements begin at the log's first entry, so that streams must begin at 0.
    """
    allowed = {(r.kid, r.stream, r.next_sequence, r.previous) for r in restarts}
    heads: dict[tuple[bytes, str], tuple[int, frozenset[bytes]]] = {}
    breaks: list[Break] = []
    for statement, content in logged:
        header = statement.header
        key = (header.kid, header.stream)
        head = heads.get(key)
        problem = None
        if (*key, header.sequence, header.previous) not in allowed:
            if head is None:
                problem = "begins above 0" if is_whole and header.sequence else None
            elif header.sequence != head[0] + 1:
                problem = f"number {header.sequence} follows {head[0]}"
            elif header.previous not in head[1]:
                problem = "does not name the digest of the statement before it"
        if problem is None and content is not None and content.kind == "void":
            other = content.body["sequence"]
            problem = None if other == header.sequence else f"a void that speaks of number {other}"
        if problem is not None:
            at = header.interval[0] if header.interval else header.issued_at * 1000
            breaks.append(
                Break(header.subject, header.stream, header.sequence, at, problem, statement.digest)
            )
        digests = {statement.digest}
        if content is not None and content.kind == "void":
            digests.add(content.body["digest"])
        heads[key] = (header.sequence, frozenset(digests))
    return breaks
