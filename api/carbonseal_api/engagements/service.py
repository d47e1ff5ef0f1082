"""Opinions on reports, what a verification body may verify, and the proof that a commitment came in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.engagements import queries
from carbonseal_api.engagements.opinions import IN_FORCE, WITHDRAWN, Opinion, OpinionBook, RefusedOpinion
from carbonseal_api.engagements.schemas import (
    CommitmentView,
    EngagementView,
    MapProofView,
    OpinionsView,
    OpinionView,
    RefusedView,
)
from carbonseal_api.grants import service as grants
from carbonseal_api.grants.standing import STANDING, Grant
from carbonseal_api.impacts.marks import Mark, marks_on
from carbonseal_api.lineage.describing import mark_view
from carbonseal_api.problems import NotFound
from carbonseal_api.taken_back import taken_back
from carbonseal_attest.instants import format_instant
from carbonseal_ledger.errors import RangeInvalid

_LEVELS = ("report", "evidence")
_PURPOSE = "verification"


def opinions_on(parts: Parts, report_digest: bytes) -> list[Opinion]:
    """Return the opinions on an emissions report, newest first, each with its standing.

    A logged verification report whose signer lacks the role, is not independent of the operator, or whose own
    facts forbid it, is not among them; see `refused_on`. Projections must be fresh.
    """
    return OpinionBook(parts).on(report_digest)[0]


def refused_on(parts: Parts, report_digest: bytes) -> list[RefusedOpinion]:
    """Return the logged verification reports on a report that do not count, newest first, and why."""
    return OpinionBook(parts).on(report_digest)[1]


def shown_opinions(parts: Parts, report_digest: bytes) -> OpinionsView:
    """Return opinions and what does not count as one, as the API shows them."""
    parts.projections.refresh()
    counted, refused = OpinionBook(parts).on(report_digest)
    return OpinionsView(
        opinions=_shown(parts, counted),
        refused=[
            RefusedView(
                statement_digest=one.digest.hex(),
                body=one.body,
                registered_at=format_instant(one.registered_at),
                field=one.field,
                reason=one.reason,
            )
            for one in refused
        ],
    )


def engagements(parts: Parts, principal: Principal) -> list[EngagementView]:
    """Return the reports that standing grants let a verification body verify, with what it did about each."""
    parts.projections.refresh()
    now, book = parts.clock(), OpinionBook(parts)
    found: dict[bytes, EngagementView] = {}
    for grant in grants.given_to(parts, principal.party):
        if grant.state(now) != STANDING or grant.purpose != _PURPOSE or grant.level not in _LEVELS:
            continue
        grants.note_query(parts, principal, grant.owner, action="list", resource="/engagements", grant=grant)
        for row in queries.reports_within(parts.engine, grant.owner, *grant.period):
            digest = bytes(row["statement_digest"])
            known = found.get(digest)
            if known is None or _LEVELS.index(known.level) < _LEVELS.index(grant.level):
                found[digest] = _engagement(parts, book, principal.party, grant, row)
    return list(found.values())


def map_proof(parts: Parts, origin: str, epoch: int) -> MapProofView:
    """Return the proof that a log's head stands in an epoch's map.

    Raises:
        NotFound: No such epoch, or the log is not in it.
    """
    try:
        heads = parts.host.epoch_evidence([origin], [epoch]).heads
    except RangeInvalid as problem:
        raise _no_head() from problem
    if not heads:
        raise _no_head()
    proof = heads[0].map_proof
    return MapProofView(
        origin=origin,
        epoch=epoch,
        tree_size=proof.entry.tree_size,
        root_hash=proof.entry.root_hash.hex(),
        index=proof.index,
        path=[node.hex() for node in proof.path],
    )


def _engagement(
    parts: Parts, book: OpinionBook, body: str, grant: Grant, row: Mapping[str, Any]
) -> EngagementView:
    digest = bytes(row["statement_digest"])
    ending = taken_back(parts.host, parts.settings.log_host_name, grant.owner).ending(
        digest, row["registered_at"]
    )
    counted, _ = book.on(digest)
    commitments = queries.about_report(parts.engine, "sampling_commitment", digest, party=body)
    return EngagementView(
        owner=grant.owner,
        grant=grant.digest.hex(),
        level=grant.level,
        valid_until=format_instant(grant.valid[1]),
        report=row["body"]["report"],
        report_digest=digest.hex(),
        start=format_instant(row["interval_start"]),
        end=format_instant(row["interval_end"]),
        is_withdrawn=ending is not None,
        bundle=f"/organisations/{grant.owner}/reports/{digest.hex()}/evidence.bundle"
        if grant.level == _LEVELS[-1]
        else None,
        commitments=[
            CommitmentView(
                statement_digest=one["statement_digest"].hex(),
                engagement=one["body"]["engagement"],
                epoch=one["body"]["epoch"],
                registered_at=format_instant(one["registered_at"]),
            )
            for one in commitments
        ],
        opinions=_shown(parts, [one for one in counted if one.body == body]),
    )


def _shown(parts: Parts, opinions: Sequence[Opinion]) -> list[OpinionView]:
    marks = marks_on(parts, [one.digest for one in opinions])
    return [_view(parts, one, marks.get(one.digest, [])) for one in opinions]


def _view(parts: Parts, one: Opinion, marks: Sequence[Mark]) -> OpinionView:
    body, origin = one.content, f"{parts.settings.log_host_name}/{one.body}/data"
    return OpinionView(
        statement_digest=one.digest.hex(),
        body=one.body,
        operator=one.operator,
        report_digest=one.report_digest.hex(),
        engagement=body["engagement"],
        opinion=one.opinion,
        opinion_text=body["opinion_text"],
        level_of_assurance=one.level_of_assurance,
        materiality_percent=body["materiality_percent"],
        criteria=body["criteria"],
        standing=one.standing,
        withdrawn_by=None if one.ending is None else one.ending.digest.hex(),
        withdrawn_reason=None if one.ending is None else one.ending.reason,
        open_findings=sum(row["state"] == "open" for row in body["findings"]),
        findings=body["findings"],
        figures=body["figures"],
        sampling=body["sampling"],
        registered_at=format_instant(one.registered_at),
        entry_index=one.entry_index,
        receipt_state=str(parts.host.receipt_state(origin, one.digest)),
        marks=[mark_view(mark) for mark in marks],
    )


def _no_head() -> NotFound:
    return NotFound("epoch", "no epoch of that number holds this log", "ask for an epoch that was built")


__all__ = [
    "IN_FORCE",
    "WITHDRAWN",
    "Opinion",
    "RefusedOpinion",
    "engagements",
    "map_proof",
    "opinions_on",
    "refused_on",
    "shown_opinions",
]
