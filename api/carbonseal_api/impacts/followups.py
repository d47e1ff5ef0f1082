"""What follows an impact or its cure elsewhere: grades are stated anew, asset records freeze or may go on.

Each step asks the projections whether it was taken, so that one which a kill or an absent chain kept back is
taken at the next look, and none is taken twice. What fails is told and tried again; it never undoes the
marks, which stand in the log already.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from carbonseal_api.assembly import Parts
from carbonseal_api.impacts import queries
from carbonseal_api.impacts.marks import Mark
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.statement import SignedStatement

_logger = logging.getLogger(__name__)


def regrade_marked(parts: Parts, party: str, marks: Sequence[Mark], at: int) -> list[SignedStatement]:
    """State a party's grades anew where one is marked and none was stated since; return what was stated."""
    grades = queries.grades_of(parts.engine, parts.host_party, party)
    rule_of = {bytes(row["digest"]): str(row["rule"]) for row in grades}
    newest = {str(row["rule"]): int(row["registered_at"]) for row in grades}  # they come in order
    waiting: dict[str, bytes] = {}
    for mark in marks:
        rule = rule_of.get(mark.digest) if mark.kind == "grade" else None
        if rule is not None and newest[rule] < mark.registered_at:
            waiting.setdefault(rule, mark.impact)
    return _regraded(parts, party, waiting, at)


def regrade_cured(parts: Parts, party: str, rules: Collection[str], at: int) -> list[SignedStatement]:
    """State a party's grades anew by some rules after a cure; return what was stated."""
    return _regraded(parts, party, dict.fromkeys(rules), at)


def freeze_marked(parts: Parts, marks: Sequence[Mark]) -> None:
    """Have asset records frozen whose mark is open and that were not frozen for it yet."""
    of_assets = [mark for mark in marks if mark.kind == "asset"]
    if not of_assets or parts.assets is None:
        return
    from carbonseal_api.assets.service import freeze_for

    records = [mark.digest for mark in of_assets]
    rows = queries.asset_records(parts.engine, parts.registrar, records)
    frozen = queries.freezes(parts.engine, parts.registrar, records)
    wanted = {
        (bytes(rows[mark.digest]["verification_report"]), mark.impact)
        for mark in of_assets
        if mark.digest in rows
        and rows[mark.digest]["state"] == "live"
        and (mark.digest, mark.impact.hex()) not in frozen
    }
    for report, impact in sorted(wanted):
        try:
            freeze_for(parts, report, impact)
        except CarbonsealError as problem:
            _logger.warning("what rests on opinion %s is not frozen yet: %s", report.hex(), problem)


def release_cured(parts: Parts, marks: Sequence[Mark]) -> None:
    """Have the release proposed of asset records that stay frozen for what is cured of its opinion.

    Proposing again what waits changes nothing; the registrar's person confirms.
    """
    frozen = queries.freezes(
        parts.engine, parts.registrar, [mark.digest for mark in marks if mark.kind == "asset"]
    )
    waiting = [mark for mark in marks if frozen.get((mark.digest, mark.impact.hex()))]
    if not waiting or parts.assets is None:
        return
    from carbonseal_api.assets.service import release_for

    rows = queries.asset_records(parts.engine, parts.registrar, [mark.digest for mark in waiting])
    cures = queries.opinions_cured(parts.engine, parts.host_party, {mark.impact for mark in waiting})
    wanted = {
        (bytes(rows[mark.digest]["verification_report"]), cures[mark.impact])
        for mark in waiting
        if mark.digest in rows and mark.impact in cures
    }
    for report, cure in sorted(wanted):
        try:
            release_for(parts, report, cure)
        except CarbonsealError as problem:
            _logger.warning(
                "no release is proposed yet of what rests on opinion %s: %s", report.hex(), problem
            )


def _regraded(
    parts: Parts, party: str, rules: dict[str, bytes | None] | dict[str, bytes], at: int
) -> list[SignedStatement]:
    from carbonseal_api.grades.service import regrade

    made: list[SignedStatement] = []
    for rule, cause in sorted(rules.items()):
        try:
            statement = regrade(parts, party, at=at, cause=cause, rule=rule)
        except CarbonsealError as problem:
            _logger.warning("%s is not graded anew by %s yet: %s", party, rule, problem)
            continue
        if statement is not None:
            made.append(statement)
    return made
