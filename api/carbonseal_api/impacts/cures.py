"""What cures a mark: a new standing report, a new opinion on it, a grade that rests on them, a release.

The old things are not mended: they stay what they are, and stay provable. Cured means that something stands
in their place that knows the cause. An opinion stands in the place of another only if it counts as one and is
as clean: an adverse opinion cures nothing that rested on an unmodified one. When what stands in the place is
taken back itself, the cure is undone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.impacts import queries
from carbonseal_api.impacts.causes import EXPIRED, Cause
from carbonseal_api.impacts.marks import Mark
from carbonseal_api.lineage.accounts import Account

REPORTED: Final = frozenset({"inventory", "emissions_report", "quality_code"})
_LIVE: Final = "live"
_CLEAN: Final = "unmodified"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Standing:
    """What of a party stands now: its reports and the opinions on them, taken back or not."""

    accounts: Sequence[Account]
    taken: Collection[str]  # digests of its own statements that it took back
    opinions: Sequence[Row]
    withdrawn: Collection[str]  # digests of opinions that their bodies took back
    counted: Callable[[str], Collection[bytes]]  # which opinions on a report count as such

    def reports(self, like: Account, *, after: int, spared: Collection[str]) -> list[Account]:
        """Return standing reports in the place of one: same installation, its period covered, newer.

        Args:
            like: The report or code to be replaced.
            after: Registered later than this, in ms.
            spared: Not among these digests.
        """
        return [
            one
            for one in self.accounts
            if one.kind == "emissions_report"
            and one.installation == like.installation
            and one.start <= like.start
            and one.end >= like.end
            and one.registered_at > after
            and one.digest not in spared
            and one.digest not in self.taken
        ]

    def by_digest(self, digest: str) -> Account | None:
        """Return a report or code of the party."""
        return self._by_digest.get(digest)

    @cached_property
    def _by_digest(self) -> dict[str, Account]:
        return {one.digest: one for one in self.accounts}

    @cached_property
    def _opinion_by_digest(self) -> dict[bytes, Row]:
        return {bytes(one["digest"]): one for one in self.opinions}

    def opinion(self, digest: bytes) -> Row | None:
        """Return an opinion on one of its reports."""
        return self._opinion_by_digest.get(digest)

    def kinds(self) -> dict[str, str]:
        """Return the kind of each of its reports, codes and opinions by digest."""
        return {one.digest: one.kind for one in self.accounts} | {
            bytes(one["digest"]).hex(): "verification_report" for one in self.opinions
        }

    def opinions_in_force(self, reports: Collection[str], *, after: int, like: Row) -> list[Row]:
        """Return opinions in the place of one: on some reports, newer, counted, standing and as clean."""
        return [
            one
            for one in self.opinions
            if one["report"] in reports
            and one["registered_at"] > after
            and bytes(one["digest"]) != bytes(like["digest"])
            and one["opinion"] in {_CLEAN, like["opinion"]}
            and bytes(one["digest"]).hex() not in self.withdrawn
            and bytes(one["digest"]) in self.counted(one["report"])
        ]


def cured(
    parts: Parts,
    marks: Sequence[Mark],
    cause: Cause,
    derived: Collection[str],
    standing: Standing,
    party: str,
) -> list[Mark]:
    """Return those of a cause's open marks that are cured now.

    Args:
        parts: The deployment.
        marks: The open marks of the cause.
        cause: The cause.
        derived: Everything derived from what it strikes, that included.
        standing: What of the party stands.
        party: The enterprise.
    """
    records = [mark.digest for mark in marks if mark.kind == "asset"]
    rows = queries.asset_records(parts.engine, parts.registrar, records)
    frozen = queries.freezes(parts.engine, parts.registrar, records)
    replaced = _replaced(parts, marks, cause, derived, standing, party)
    return [
        mark
        for mark in marks
        if (mark.kind != "asset" and cause.kind == EXPIRED and mark.digest.hex() not in derived)
        or (mark.kind != "asset" and _key(mark) in replaced)
        or (mark.kind == "asset" and _is_released(parts, mark, rows, frozen, replaced))
    ]


def undone(
    parts: Parts,
    marks: Sequence[Mark],
    cause: Cause,
    derived: Collection[str],
    standing: Standing,
    party: str,
) -> list[Mark]:
    """Return those of a cause's cured marks whose cure does not hold: nothing stands in their place any more.

    What the cause no longer strikes is not among them. Arguments as those of `cured`.
    """
    struck = [mark for mark in marks if mark.kind == "asset" or mark.digest.hex() in derived]
    replaced = _replaced(parts, struck, cause, derived, standing, party)
    return [mark for mark in struck if _key(mark) not in replaced]


def _replaced(
    parts: Parts,
    marks: Sequence[Mark],
    cause: Cause,
    derived: Collection[str],
    standing: Standing,
    party: str,
) -> set[tuple[str, bytes]]:
    """Return what has something sound in its place, an asset record where its opinion has."""
    has_grades = any(mark.kind == "grade" for mark in marks)
    grades = _Grades(parts, party, derived, standing) if has_grades else None
    records = [mark.digest for mark in marks if mark.kind == "asset"]
    rows = queries.asset_records(parts.engine, parts.registrar, records)
    found: set[tuple[str, bytes]] = set()
    for mark in marks:
        if mark.kind in REPORTED:
            is_replaced = bool(_successors(mark.digest.hex(), cause, derived, standing))
        elif mark.kind == "verification_report":
            is_replaced = _has_opinion(mark.digest, cause, derived, standing)
        elif mark.kind == "asset":
            row = rows.get(mark.digest)
            is_replaced = row is not None and _has_opinion(
                bytes(row["verification_report"]), cause, derived, standing
            )
        else:
            is_replaced = grades is not None and grades.has_successor(mark)
        if is_replaced:
            found.add(_key(mark))
    return found


def _key(mark: Mark) -> tuple[str, bytes]:
    return mark.kind, mark.digest


def _successors(report: str, cause: Cause, derived: Collection[str], standing: Standing) -> list[Account]:
    like = standing.by_digest(report)
    if like is None:
        return []
    return standing.reports(like, after=max(cause.known_at, like.registered_at), spared=derived)


def _has_opinion(digest: bytes, cause: Cause, derived: Collection[str], standing: Standing) -> bool:
    old = standing.opinion(digest)
    if old is None:
        return False
    about = old["report"]
    reports = {one.digest for one in _successors(about, cause, derived, standing)}
    # Where the opinion alone fell, the report it was about may be opined on again.
    if about not in derived and about not in standing.taken:
        reports.add(about)
    return bool(standing.opinions_in_force(reports, after=cause.known_at, like=old))


class _Grades:
    """A party's grades, and which of them may stand in the place of others."""

    def __init__(self, parts: Parts, party: str, derived: Collection[str], standing: Standing) -> None:
        rows = queries.grades_of(parts.engine, parts.host_party, party)
        self._by_digest = {bytes(row["digest"]): row for row in rows}
        inputs = queries.inputs_of(parts.engine, {digest.hex() for digest in self._by_digest})
        kinds = standing.kinds()
        sound = kinds.keys() - {*derived, *standing.taken, *standing.withdrawn}
        self._wanted = {
            bytes.fromhex(grade): {kinds[one] for one in named if one in kinds}
            for grade, named in inputs.items()
        }
        # With what kinds of sound input each that the cause did not strike was made.
        self._sound = [
            (row, {kinds[one] for one in inputs.get(digest.hex(), set()) & sound})
            for digest, row in self._by_digest.items()
            if digest.hex() not in derived
        ]

    def has_successor(self, mark: Mark) -> bool:
        """Whether a newer grade names something sound in the place of each input of a marked one."""
        old, wanted = self._by_digest.get(mark.digest), self._wanted.get(mark.digest)
        if old is None or not wanted:
            return False
        return any(
            row["rule"] == old["rule"]
            and row["registered_at"] > mark.registered_at
            and row["period"]["start"] < old["period"]["end"]
            and row["period"]["end"] > old["period"]["start"]
            and wanted <= named
            for row, named in self._sound
        )


def _is_released(
    parts: Parts,
    mark: Mark,
    rows: Mapping[bytes, Row],
    frozen: Mapping[tuple[bytes, str], bool],
    replaced: Collection[tuple[str, bytes]],
) -> bool:
    row = rows.get(mark.digest)
    if row is None:
        return False
    is_frozen = frozen.get((mark.digest, mark.impact.hex()))
    if is_frozen is not None:
        return not is_frozen
    if row["state"] == _LIVE and parts.assets is not None:
        return False  # it is to be frozen yet
    # What has left for good cannot be frozen, and needs no release once the opinion has a successor.
    return _key(mark) in replaced
