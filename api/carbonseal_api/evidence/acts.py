"""What every act of evidence asks first: whose desk, which plan and source stream, which document.

All of it is asked with the desk open and the projections fresh, so that of two equal acts at the same moment
the second sees the first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from carbonseal_accounting.periods import Calendar
from carbonseal_api.assembly import Parts
from carbonseal_api.evidence import statement_queries as queries
from carbonseal_api.evidence.civil_periods import read_period
from carbonseal_api.evidence.errors import (
    DocumentUnknown,
    KeyElsewhere,
    MonthsNotWhole,
    PlanMissing,
    StatementUnknown,
    StreamUnknown,
)
from carbonseal_api.founding import DATA, REGISTER
from carbonseal_api.issuing import Issuer
from carbonseal_api.plans import queries as plan_queries
from carbonseal_api.problems import NotFound, PartMissing, RequestInvalid
from carbonseal_attest.errors import IdentifierInvalid
from carbonseal_attest.identifiers import is_plain_text
from carbonseal_attest.instants import Interval, format_instant
from carbonseal_ledger.errors import EntryUnknown, LogUnknown

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlannedPeriod:
    """A period of whole civil months under the plan version that covers it.

    `installation` is the subject of the plan's statement; `streams` are its source streams by id.
    """

    plan_digest: bytes
    plan: str
    installation: str
    time_zone: str
    interval: Interval
    streams: Mapping[str, Mapping[str, Any]]


@contextmanager
def open_desk(parts: Parts, party: str) -> Iterator[Issuer]:
    """Yield the party's desk, the projections fresh, nobody else here signing for it meanwhile.

    Raises:
        KeyElsewhere: the party's key is not in this deployment.
    """
    with ExitStack() as stack:
        try:
            issuer = stack.enter_context(parts.desks.desk(party))
        except PartMissing as missing:
            raise KeyElsewhere(
                "party",
                "its signing key is not kept here",
                "sign where the key is, and send the statement to /logs/{origin}/entries",
            ) from missing
        refresh(parts, party)
        yield issuer


def refresh(parts: Parts, party: str) -> None:
    """Bring the projections of a party's two logs up to what is registered now.

    Raises:
        NotFound: no party of that code has logs here.
    """
    try:
        for origin in origins(parts, party):
            parts.projections.refresh_log(origin)
    except (LogUnknown, IdentifierInvalid) as unknown:
        remedy = "use the code of an organisation that was admitted here"
        raise NotFound("party", "no such resource for this key", remedy) from unknown


def origins(parts: Parts, party: str) -> tuple[str, str]:
    """Return the origins of a party's register log and data log."""
    base = f"{parts.settings.log_host_name}/{party}"
    return f"{base}/{REGISTER}", f"{base}/{DATA}"


def planned_period(
    parts: Parts, party: str, period: str, *, stream: str, plan: str | None = None
) -> PlannedPeriod:
    """Return the period that `period` names, under the newest standing plan version that covers it.

    Where several plans cover it, the one that has the source stream `stream` is meant; `plan`, a plan's code,
    decides where that is not enough.

    Raises:
        PlanMissing: no plan covers it, or several do.
        MonthsNotWhole: not whole civil months of the plan's time zone.
    """
    rows = [row for row in _standing_plans(parts, party) if plan is None or row["plan"] == plan]
    if not rows:
        raise PlanMissing("plan", f"no plan {(plan or '')[:40]!r} stands", "name one that is filed")
    newest: dict[str, tuple[Row, Interval]] = {}
    for row in rows:
        start, end = interval = read_period(period, row["body"]["time_zone"])
        if row["effective_start"] <= start and (row["effective_end"] is None or end <= row["effective_end"]):
            newest[row["plan"]] = (row, interval)
    if not newest:
        first = format_instant(min(row["effective_start"] for row in rows))
        raise PlanMissing(
            "period",
            f"no plan is in force for the whole of it; the first begins {first}",
            "name months that one plan covers",
        )
    having = [
        one for one in newest.values() if stream in {item["id"] for item in one[0]["body"]["source_streams"]}
    ]
    chosen = having or list(newest.values())
    if len(chosen) > 1:
        codes = ", ".join(row["plan"] for row, _ in chosen)
        raise PlanMissing("plan", f"{codes} cover the period", "say which plan is meant")
    ((row, interval),) = chosen
    digest, body = bytes(row["statement_digest"]), row["body"]
    return PlannedPeriod(
        plan_digest=digest,
        plan=row["plan"],
        installation=parts.host.find(origins(parts, party)[0], digest).subject or party,
        time_zone=body["time_zone"],
        interval=interval,
        streams={item["id"]: item for item in body["source_streams"]},
    )


def site_zone(parts: Parts, party: str) -> str:
    """Return the time zone of the party's newest standing plan: where its months begin.

    Raises:
        PlanMissing: none stands.
    """
    zone: str = _standing_plans(parts, party)[-1]["body"]["time_zone"]
    return zone


def stream_of(planned: PlannedPeriod, stream: str) -> Mapping[str, Any]:
    """Return a source stream of the plan.

    Raises:
        StreamUnknown: the plan has no such stream.
    """
    if stream not in planned.streams:
        known = ", ".join(list(planned.streams)[:20])
        raise StreamUnknown(
            "stream", f"{stream[:40]!r} is not in plan {planned.plan}", f"name one of {known}"
        )
    return planned.streams[stream]


def require_over(parts: Parts, interval: Interval) -> None:
    """Refuse a period that has not ended: what was not used yet cannot be stated.

    Raises:
        MonthsNotWhole: it ends after now.
    """
    now = parts.clock()
    if interval[1] > now:
        reason = f"ends {format_instant(interval[1])}, and it is {format_instant(now)}"
        raise MonthsNotWhole("period", reason, "state it once its last month has ended")


def require_one_month(parts: Parts, planned: PlannedPeriod) -> None:
    """Refuse a period of more than one civil month, or one that has not begun.

    Raises:
        MonthsNotWhole: it is not one month, or begins after now: what is registered before a period is not
            among its statements.
    """
    months = Calendar.of(planned.time_zone, *planned.interval).months
    if len(months) > 1:
        raise MonthsNotWhole("period", f"is {len(months)} months", "name one civil month at a time")
    if planned.interval[0] > parts.clock():
        raise MonthsNotWhole("period", "has not begun", "state it once the month has begun")


def require_document(
    parts: Parts, party: str, digest: bytes, *, begins: int = 0, field: str = "document"
) -> Row:
    """Return the standing document statement of the party with this digest, registered from `begins` (ms) on.

    Raises:
        DocumentUnknown: the party filed none, withdrew it, or filed it before the period began, so that
            whoever is shown the period would not find it. Whether somebody else filed it is not said.
    """
    row = queries.statement(parts.engine, party, digest)
    if row is None or row["kind"] != "document":
        raise DocumentUnknown(
            field,
            f"{digest.hex()} is no document statement of this organisation",
            "file the document first and give its statement digest",
        )
    ended = queries.endings(parts.engine, party, [digest])
    if ended:
        gone = bytes(ended[digest]["statement_digest"]).hex()
        raise DocumentUnknown(field, f"{digest.hex()} was withdrawn by {gone}", "file the right document")
    if row["registered_at"] < begins:
        raise DocumentUnknown(
            field,
            f"{digest.hex()} was registered before the period began, and is not among its statements",
            "file the same file again, relating it to that statement, and name the new one",
        )
    return row


def require_own_statements(parts: Parts, party: str, digests: Collection[bytes], *, field: str) -> None:
    """Refuse digests of statements that neither log of the party holds.

    Raises:
        StatementUnknown: names the first. Whether somebody else's log holds it is not said.
    """
    for digest in digests:
        if kind_of(parts, party, digest) is None:
            reason = f"{digest.hex()} is no statement of this organisation"
            raise StatementUnknown(field, reason, "copy the digest again, or leave it out")


def kind_of(parts: Parts, party: str, digest: bytes) -> str | None:
    """Return the kind of a statement in one of the party's two logs; None when neither holds it."""
    for origin in origins(parts, party):
        try:
            return parts.host.find(origin, digest).kind
        except (EntryUnknown, LogUnknown):
            continue
    return None


def ending_of(ended: Mapping[bytes, Row], digest: bytes) -> str | None:
    """Return the digest, in hex, of what ended a statement; None while it stands."""
    row = ended.get(digest)
    return None if row is None else bytes(row["statement_digest"]).hex()


def standing(parts: Parts, party: str, rows: Collection[Row]) -> list[Row]:
    """Return those of some statement rows that were not withdrawn or superseded."""
    ended = queries.endings(parts.engine, party, [bytes(row["statement_digest"]) for row in rows])
    return [row for row in rows if bytes(row["statement_digest"]) not in ended]


def _standing_plans(parts: Parts, party: str) -> list[Row]:
    """By start of effect and version, the newest last."""
    rows = standing(parts, party, plan_queries.plans(parts.engine, party))
    if not rows:
        raise PlanMissing("plan", "none stands", "file a monitoring plan first: `carbonseal plan FILE`")
    return rows


def plain_text(text: str, limit: int, *, field: str) -> str:
    """Return `text` if it says something, in at most `limit` characters that a reader can see.

    Raises:
        RequestInvalid: it does not.
    """
    if not text.strip() or len(text) > limit or not is_plain_text(text):
        reason = "says nothing, is too long or holds what cannot be seen"
        raise RequestInvalid(field, reason, f"write 1 to {limit} plain characters")
    return text
