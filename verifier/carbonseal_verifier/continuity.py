"""Continuity of streams: consecutive sequence numbers, each naming the digest of the one before.

A stream is (key, origin, stream id). A `void` takes the place of a statement that was refused for
good; after a loss of state the party's `resume` says where a stream goes on. Both are accepted and
shown. A stream whose first entries lie before the bundle's range begins wherever it begins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from carbonseal_attest.contents import Content
from carbonseal_attest.statement import SignedStatement


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
class Joint:
    """A void or a resume: an accepted irregularity that every reader should see."""

    stream: str
    sequence: int
    kind: str
    reason: str


def find_breaks(
    statements: Iterable[SignedStatement],
    resumes: Iterable[Content] = (),
    *,
    is_whole: bool = False,
) -> list[Break]:
    """Return the breaks in one log's streams, in log order.

    Args:
        statements: the log's statements in log order.
        resumes: the register log's resume contents.
        is_whole: whether the statements begin at the log's first entry, so that streams must begin at 0.
    """
    allowed = {
        (r.body["kid"], r.body["stream"], r.body["next_sequence"], r.body["previous"]) for r in resumes
    }
    heads: dict[tuple[bytes, str], tuple[int, bytes]] = {}
    breaks: list[Break] = []
    for statement in statements:
        header = statement.header
        key = (header.kid, header.stream)
        head = heads.get(key)
        problem = None
        if (*key, header.sequence, header.previous) not in allowed:
            if head is None:
                problem = "begins above 0" if is_whole and header.sequence else None
            elif header.sequence != head[0] + 1:
                problem = f"number {header.sequence} follows {head[0]}"
            elif header.previous != head[1]:
                problem = "does not name the digest of the statement before it"
        if problem is not None:
            at = header.interval[0] if header.interval else header.issued_at * 1000
            breaks.append(
                Break(header.subject, header.stream, header.sequence, at, problem, statement.digest)
            )
        heads[key] = (header.sequence, statement.digest)
    return breaks


def find_joints(
    statements: Iterable[tuple[SignedStatement, Content | None]], resumes: Iterable[Content]
) -> list[Joint]:
    """Return the voids in a log and the resumes of its register log."""
    joints = [
        Joint(s.header.stream, s.header.sequence, "void", c.body["problem"] if c is not None else "withheld")
        for s, c in statements
        if s.header.kind == "void"
    ]
    return joints + [
        Joint(r.body["stream"], r.body["next_sequence"], "resume", r.body["reason"]) for r in resumes
    ]
