"""What must hold of units and record before an act is sent, and again before it is confirmed.

Contract, database and log were found to agree just before, so what the database says here is what the other
two say. The contract itself refuses most of this too; it cannot see opinions, impacts and admissions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from carbonseal_api.assembly import Parts
from carbonseal_api.assets import acts, queries, refusals
from carbonseal_api.assets.acts import Act
from carbonseal_api.assets.opinion_checks import (
    admission,
    check_opinion,
    find_opinion,
    open_impacts,
    report_entry,
    taken_back_by,
)
from carbonseal_api.impacts.marks import marks_on


def check_act(parts: Parts, act: Act) -> None:
    """Refuse an act that may not be performed now.

    Raises:
        AssetRefused: The leaf says why.
    """
    _CHECKS.get(act.kind, _check_standing)(parts, act)


def _check_record(parts: Parts, act: Act) -> None:
    check_opinion(parts, find_opinion(parts, act.verification_report), act.holder)
    _check_holder(parts, act)
    taken = queries.overlapping(parts.engine, parts.registrar, act.registry, act.batch, act.first, act.last)
    if taken:
        one = taken[0]
        raise refusals.UnitsRecorded(
            "first, last",
            f"units {one['first']} to {one['last']} of this batch are recorded already",
            "a unit is recorded once and for good; look the serials up in the official registry",
        )


def _check_move(parts: Parts, act: Act) -> None:
    _check_standing(parts, act)
    if not _is_admitted(parts, act.to or "") or act.to == act.holder:
        raise refusals.ReceiverNotAdmitted(
            "to", "is no other admitted enterprise", "have the receiver admitted first"
        )
    if queries.is_transfer_used(parts.engine, parts.registrar, act.registry, act.reference or ""):
        raise refusals.TransferUsed(
            "reference",
            "an earlier move mirrors this official transfer",
            "name the transfer that this move mirrors; each serves once",
        )


def _check_release(parts: Parts, act: Act) -> None:
    row_of_live_record(parts, act.record)
    causes = queries.standing_causes(parts.engine, parts.registrar, [act.record]).get(act.record, [])
    if bytes.fromhex(act.reference or "") not in causes:
        raise refusals.RecordNotFrozen(
            "cause", "the record is not frozen for it", "look at the record: it names its causes"
        )
    open_now = _impacts(parts, act)
    if open_now:
        raise refusals.CauseOpen(
            "cause",
            f"{open_now[0].hex()} stands against what the record rests on",
            "release it once that is cured",
        )
    if queries.cause_cured_by(parts.engine, parts.host_party, bytes.fromhex(act.cure or "")) != bytes.fromhex(
        act.reference or ""
    ):
        raise refusals.CauseOpen(
            "cure", "is no statement that says that this cause is cured", "name the impact that cures it"
        )


def _check_standing(parts: Parts, act: Act) -> None:
    row_of_live_record(parts, act.record)
    if act.kind != acts.CANCEL:  # which a registrar may propose too
        _check_holder(parts, act)
    causes = queries.standing_causes(parts.engine, parts.registrar, [act.record]).get(act.record, [])
    # What an impact marks is frozen from that moment, even while the freeze is on its way to the chain.
    causes = causes or _impacts(parts, act)
    if causes:
        raise refusals.RecordFrozen(
            "record",
            f"is frozen because of {causes[0].hex()}",
            "cure what that statement names, then have the record released",
        )


def _check_holder(parts: Parts, act: Act) -> None:
    if not _is_admitted(parts, act.holder):
        raise refusals.HolderNotAdmitted(
            "holder", "is no admitted enterprise now", "have the registrar readmit it first"
        )


def _is_admitted(parts: Parts, party: str) -> bool:
    told = admission(parts, party)
    return told is not None and told["status"] == "admitted" and "enterprise" in told["roles"]


def row_of_live_record(parts: Parts, record: bytes) -> queries.Row:
    """Return a record's row.

    Raises:
        RecordNotLive: It was split or has ended.
    """
    row = queries.record(parts.engine, parts.registrar, record)
    if row is None or row["state"] != "live":
        raise refusals.RecordNotLive(
            "record",
            "is not recorded" if row is None else f"is {row['state']}",
            "what is not live stays as it is; a split record lives on in its parts",
        )
    return row


def _impacts(parts: Parts, act: Act) -> list[bytes]:
    """Return what speaks against the record: open impacts, and withdrawals that no impact has named yet."""
    opinion = find_opinion(parts, act.verification_report)
    rests_on = [opinion.digest, opinion.report]
    entries = [opinion.entry, report_entry(parts, opinion)]
    endings = [taken_back_by(parts, entry) for entry in entries if entry is not None]
    named = {mark.cause_digest for marks in marks_on(parts, rests_on).values() for mark in marks}
    unseen = [ending for ending in endings if ending is not None and ending not in named]
    return open_impacts(parts, rests_on) + unseen


_CHECKS: Final[Mapping[str, Callable[[Parts, Act], None]]] = {
    acts.RECORD: _check_record,
    acts.MOVE: _check_move,
    acts.RELEASE: _check_release,
}
