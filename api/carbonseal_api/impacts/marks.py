"""Marks: what impact statements say of reports, codes, opinions, grades and asset records. Read, never made.

A mark is open until a `cured` impact of the same cause names the same thing. Only impacts in the log of this
log host's own party are read: another log host's are not ours to believe.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import RowMapping, and_, select

from carbonseal_api.assembly import Parts
from carbonseal_api.projections.tables import MARKS, RESULTS

OPEN: Final = "open"
CURED: Final = "cured"
_CHUNK: Final = 5_000


@dataclass(frozen=True, slots=True)
class Mark:
    """What one impact says of one thing.

    `digest` is a statement digest, or the id of an asset record; `party` whose it is; `cured_by` the
    statement digest of the impact that says it is cured.
    """

    kind: str
    party: str
    digest: bytes
    impact: bytes
    cause: str
    cause_digest: bytes
    registered_at: int
    reason: Mapping[str, str]
    cure: Mapping[str, str]
    cured_by: bytes | None = None

    @property
    def state(self) -> str:
        """`open` or `cured`."""
        return OPEN if self.cured_by is None else CURED


def marks_on(parts: Parts, digests: Collection[bytes]) -> dict[bytes, list[Mark]]:
    """Return all marks on some things, open and cured, oldest first; things without one are left out."""
    found: dict[bytes, list[Mark]] = {}
    wanted = sorted(set(digests))
    for start in range(0, len(wanted), _CHUNK):
        for mark in _marks(parts, MARKS.c.digest.in_(wanted[start : start + _CHUNK])):
            found.setdefault(mark.digest, []).append(mark)
    return found


def marks_of_causes(parts: Parts, causes: Collection[bytes]) -> list[Mark]:
    """Return all marks of some causes, open and cured, oldest first."""
    found: list[Mark] = []
    wanted = sorted(set(causes))
    for start in range(0, len(wanted), _CHUNK):
        found += _marks(parts, MARKS.c.cause_digest.in_(wanted[start : start + _CHUNK]))
    return found


def marks_of_party(parts: Parts, party: str, *, only_open: bool = True) -> list[Mark]:
    """Return the marks on what is a party's, oldest first."""
    marks = _marks(parts, MARKS.c.party == party)
    return [mark for mark in marks if mark.state == OPEN or not only_open]


def all_marks(parts: Parts, *, only_open: bool = True) -> list[Mark]:
    """Return the marks on everything, oldest first."""
    marks = _marks(parts, MARKS.c.digest.is_not(None))
    return [mark for mark in marks if mark.state == OPEN or not only_open]


def _marks(parts: Parts, where: Any) -> list[Mark]:
    cured = MARKS.alias("cured")
    is_same = and_(
        cured.c.issuer == parts.host_party,
        cured.c.state == CURED,
        cured.c.cures == MARKS.c.impact_digest,
        cured.c.kind == MARKS.c.kind,
        cured.c.digest == MARKS.c.digest,
    )
    says = RESULTS.c
    query = (
        select(MARKS, cured.c.impact_digest.label("cured_by"))
        .outerjoin(cured, is_same)
        .where(MARKS.c.issuer == parts.host_party, MARKS.c.state == OPEN, where)
        .order_by(MARKS.c.registered_at, MARKS.c.impact_digest, MARKS.c.position)
    )
    with parts.engine.connect() as connection:
        rows = connection.execute(query).mappings().all()
        # A list of what is affected may be long: its sentences are read once an impact, not once a row.
        impacts = {row["impact_digest"] for row in rows}
        sentences = {
            bytes(row.statement_digest): (row.reason, row.cure)
            for row in connection.execute(
                select(
                    says.statement_digest,
                    says.body["reason"].label("reason"),
                    says.body["cure"].label("cure"),
                ).where(says.statement_digest.in_(impacts))
            )
        }
    made: dict[tuple[bytes, str, bytes], Mark] = {}
    for row in rows:
        key = (bytes(row["impact_digest"]), row["kind"], bytes(row["digest"]))
        made.setdefault(key, _mark(row, *sentences[key[0]]))
    return list(made.values())


def _mark(row: RowMapping, reason: Mapping[str, str], cure: Mapping[str, str]) -> Mark:
    return Mark(
        kind=row["kind"],
        party=row["party"],
        digest=bytes(row["digest"]),
        impact=bytes(row["impact_digest"]),
        cause=row["cause"],
        cause_digest=bytes(row["cause_digest"]),
        registered_at=row["registered_at"],
        reason=reason,
        cure=cure,
        cured_by=None if row["cured_by"] is None else bytes(row["cured_by"]),
    )
