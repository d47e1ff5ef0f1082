"""What cures a mark: a new standing report, a new opinion on it, a grade that rests on them, a release.

The old things are not mended: they stay what they are, and stay provable. Cured means that something stands
in their place that knows the cause.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.impacts import queries
from carbonseal_api.impacts.causes import EXPIRED, Cause
from carbonseal_api.impacts.marks import Mark
from carbonseal_api.lineage.accounts import Account

REPORTED: Final = frozenset({"inventory", "emissions_report", "quality_code"})
_LIVE: Final = "live"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Standing:
    """What of a party stands now: its reports and the opinions on them, taken back or not."""

    accounts: Sequence[Account]
    taken: Collection[str]  # digests of its own statements that it took back
    opinions: Sequence[Row]
    withdrawn: Collection[str]  # digests of opinions that their bodies took back

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
        return next((one for one in self.accounts if one.digest == digest), None)

    def kinds(self) -> dict[str, str]:
        """Return the kind of each of its reports, codes and opinions by digest."""
        return {one.digest: one.kind for one in self.accounts} | {
            bytes(one["digest"]).hex(): "verification_report" for one in self.opinions
        }

    def opinions_in_force(self, reports: Collection[str], *, after: int) -> list[Row]:
        """Return opinions on some reports, newer than an instant, that were not taken back."""
        return [
            one
            for one in self.opinions
            if one["report"] in reports
            and one["registered_at"] > after
            and bytes(one["digest"]).hex() not in self.withdrawn
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
    grades = queries.grades_of(parts.engine, parts.host_party, party)
    inputs = queries.inputs_of(parts.engine, {bytes(row["digest"]).hex() for row in grades})
    records = [mark.digest for mark in marks if mark.kind == "asset"]
    rows = queries.asset_records(parts.engine, parts.registrar, records)
    frozen = queries.freezes(parts.engine, parts.registrar, records)
    found: list[Mark] = []
    for mark in marks:
        has_ended = cause.kind == EXPIRED and mark.digest.hex() not in derived
        if mark.kind == "asset":
            is_cured = _is_released(parts, mark, rows, frozen, cause, derived, standing)
        elif has_ended:
            is_cured = True
        elif mark.kind in REPORTED:
            is_cured = bool(_successors(mark.digest.hex(), cause, derived, standing))
        elif mark.kind == "verification_report":
            is_cured = _has_opinion(mark.digest, cause, derived, standing)
        else:
            is_cured = _has_grade(mark, grades, inputs, derived, standing)
        if is_cured:
            found.append(mark)
    return found


def _successors(report: str, cause: Cause, derived: Collection[str], standing: Standing) -> list[Account]:
    like = standing.by_digest(report)
    if like is None:
        return []
    return standing.reports(like, after=max(cause.known_at, like.registered_at), spared=derived)


def _has_opinion(digest: bytes, cause: Cause, derived: Collection[str], standing: Standing) -> bool:
    about = next((one["report"] for one in standing.opinions if bytes(one["digest"]) == digest), None)
    if about is None:
        return False
    reports = {one.digest for one in _successors(about, cause, derived, standing)}
    # Where the opinion alone fell, the report it was about may be opined on again.
    if about not in derived and about not in standing.taken:
        reports.add(about)
    found = standing.opinions_in_force(reports, after=cause.known_at)
    return any(bytes(one["digest"]) != digest for one in found)


def _has_grade(
    mark: Mark,
    grades: Sequence[Row],
    inputs: Mapping[str, set[str]],
    derived: Collection[str],
    standing: Standing,
) -> bool:
    old = next((row for row in grades if bytes(row["digest"]) == mark.digest), None)
    if old is None:
        return False
    kinds = standing.kinds()
    wanted = {kinds[one] for one in inputs.get(mark.digest.hex(), ()) if one in kinds}
    sound = kinds.keys() - {*derived, *standing.taken, *standing.withdrawn}

    def follows(row: Row) -> bool:
        """Whether a grade names something sound in the place of each input of the old one."""
        digest = bytes(row["digest"]).hex()
        named = {kinds[one] for one in inputs.get(digest, set()) & sound}
        return digest not in derived and bool(wanted) and wanted <= named

    return any(
        row["rule"] == old["rule"]
        and row["registered_at"] > mark.registered_at
        and row["period"]["start"] < old["period"]["end"]
        and row["period"]["end"] > old["period"]["start"]
        and follows(row)
        for row in grades
    )


def _is_released(
    parts: Parts,
    mark: Mark,
    rows: Mapping[bytes, Row],
    frozen: Mapping[tuple[bytes, str], bool],
    cause: Cause,
    derived: Collection[str],
    standing: Standing,
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
    return _has_opinion(bytes(row["verification_report"]), cause, derived, standing)
