"""An entry of a log as both sides of a computation see it: place, statement, and content if disclosed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from carbonseal_attest.contents import Content
from carbonseal_attest.statement import SignedStatement


@dataclass(frozen=True, slots=True)
class LoggedStatement:
    """An entry of a log: its index, the statement, and its content if disclosed."""

    index: int
    statement: SignedStatement
    content: Content | None


def disclosed(entries: Iterable[LoggedStatement], kind: str) -> list[tuple[LoggedStatement, Content]]:
    """Return the entries of a kind whose content is there, with it."""
    return [(e, e.content) for e in entries if e.content is not None and e.content.kind == kind]
