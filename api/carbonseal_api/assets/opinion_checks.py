"""Whether a verification report bears a carbon-asset record: read from the logs themselves, nothing believed.

It must stand in the data log of an admitted verification body, count as an opinion (`engagements.opinions`:
independence, facts and sample), be unmodified and not withdrawn, be about an emissions report that was not
withdrawn or superseded either and whose data code is green, be free of open impacts, and be covered by an
anchor. A modified opinion is
positive with reservations; what is reserved may be the very units, so it bears no record. It leaves out
whether the work behind an opinion was sound: that is what transcript and accreditation are for.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.assets import refusals
from carbonseal_api.engagements.opinions import OpinionBook
from carbonseal_api.founding import DATA, REGISTER
from carbonseal_api.impacts.marks import OPEN, marks_on
from carbonseal_api.quality.queries import results_by_digests
from carbonseal_api.taken_back import taken_back
from carbonseal_attest.contents import parse_content
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.errors import ContentUnknown, EntryUnknown, LogUnknown
from carbonseal_ledger.outcomes import LoggedEntry, ReceiptState
from carbonseal_verifier.quality.code import GREEN

BEARING: Final = "unmodified"  # the one opinion on which units are recorded
_DEPENDENT: Final = ("party", "key", "org")  # what a body may share with nobody whom it verifies
_ANCHORED: Final = (ReceiptState.ANCHORED, ReceiptState.FINAL)


@dataclass(frozen=True, slots=True)
class Opinion:
    """A verification report as the log has it.

    Attributes:
        digest: its statement digest.
        party: the verification body.
        operator: the enterprise whose report was verified.
        report: statement digest of that emissions report.
        opinion: unmodified, modified, adverse or disclaimer.
        entry: its entry in the verification body's data log.
    """

    digest: bytes
    party: str
    operator: str
    report: bytes
    opinion: str
    entry: LoggedEntry


def find_opinion(parts: Parts, digest: bytes) -> Opinion:
    """Return the verification report of a statement digest, from the data log that holds it.

    Raises:
        OpinionUnknown: no data log of a party holds such a verification report.
    """
    row = results_by_digests(parts.engine, [digest]).get(digest)
    if row is None or row["kind"] != "verification_report":
        raise _unknown()
    try:
        entry = parts.host.find(_origin(parts, row["party"], DATA), digest)
        statement = SignedStatement.parse(entry.raw)
        body = parse_content(parts.host.contents.get(statement.payload)).body
    except (EntryUnknown, LogUnknown, ContentUnknown) as problem:
        raise _unknown() from problem
    if entry.kind != "verification_report" or statement.header.issuer != row["party"]:
        raise _unknown()
    return Opinion(digest, row["party"], body["operator"], body["report_digest"], body["opinion"], entry)


def check_opinion(parts: Parts, opinion: Opinion, holder: str) -> None:
    """Refuse a verification report that does not bear a record of `holder`'s units now.

    Raises:
        BodyNotAdmitted, HolderNotOperator, OpinionNotIndependent, OpinionNotCounted, OpinionNotUnmodified,
        OpinionWithdrawn, ReportWithdrawn, ReportImpacted, DataCodeNotGreen, OpinionNotAnchored: as they say.
    """
    body = admission(parts, opinion.party)
    if body is None or body["status"] != "admitted" or "verification_body" not in body["roles"]:
        raise refusals.BodyNotAdmitted(
            "verification_report",
            f"{opinion.party} is no admitted verification body",
            "have the report verified by one that is admitted",
        )
    if holder != opinion.operator:
        raise refusals.HolderNotOperator(
            "holder",
            "the report is about another operator",
            "units are recorded for the operator whose report was verified; move them afterwards",
        )
    _check_counts(parts, opinion)
    if opinion.opinion != BEARING:
        raise refusals.OpinionNotUnmodified(
            "verification_report",
            f"its opinion is {opinion.opinion}",
            "close what the opinion reserves, and have the report verified anew",
        )
    ending = taken_back_by(parts, opinion.entry)
    if ending is not None:
        raise refusals.OpinionWithdrawn(
            "verification_report", f"taken back by {ending.hex()}", "name a verification report in force"
        )
    _check_report(parts, opinion)
    if parts.host.receipt_state(opinion.entry.origin, opinion.digest) not in _ANCHORED:
        raise refusals.OpinionNotAnchored(
            "verification_report", "no anchor covers its entry yet", "propose again after the next anchor"
        )


def open_impacts(parts: Parts, digests: Collection[bytes]) -> list[bytes]:
    """Return the statement digests of impacts that are open on any of these statements, oldest first."""
    marks = sorted(
        (mark for found in marks_on(parts, digests).values() for mark in found if mark.state == OPEN),
        key=lambda mark: mark.registered_at,
    )
    return list(dict.fromkeys(mark.impact for mark in marks))


def admission(parts: Parts, party: str) -> dict[str, Any] | None:
    """Return what the registrar's newest statement about a party says, from its register log."""
    entries = parts.host.select(_origin(parts, parts.registrar, REGISTER), kinds={"party"}, subject=party)
    if not entries:
        return None
    payload = SignedStatement.parse(entries[-1].raw).payload
    body = dict(parse_content(parts.host.contents.get(payload)).body)
    return body if body["party"] == party else None


def taken_back_by(parts: Parts, entry: LoggedEntry) -> bytes | None:
    """Return the digest of what took back a party's statement, None while it stands."""
    party = entry.origin.split("/")[1]
    endings = taken_back(parts.host, parts.settings.log_host_name, party)
    ending = endings.ending(entry.digest, entry.registered_at)
    return None if ending is None else ending.digest


def report_entry(parts: Parts, opinion: Opinion) -> LoggedEntry | None:
    """Return the entry of the emissions report that was verified, None when it is in no log here."""
    try:
        entry = parts.host.find(_origin(parts, opinion.operator, DATA), opinion.report)
    except (EntryUnknown, LogUnknown):
        return None
    return entry if entry.kind == "emissions_report" else None


def _check_counts(parts: Parts, opinion: Opinion) -> None:
    """Refuse what the one place that decides it, for grades too, does not count as an opinion."""
    _, refused = OpinionBook(parts).on(opinion.report)
    against = next((one for one in refused if one.digest == opinion.digest), None)
    if against is None:
        return
    if against.field in _DEPENDENT:
        raise refusals.OpinionNotIndependent(
            "verification_report", against.reason, "have the report verified by an independent body"
        )
    raise refusals.OpinionNotCounted(
        "verification_report",
        f"{against.field}: {against.reason}",
        "have an independent, admitted body give an opinion on this report",
    )


def _check_report(parts: Parts, opinion: Opinion) -> None:
    entry = report_entry(parts, opinion)
    if entry is None:
        raise refusals.ReportWithdrawn(
            "verification_report",
            "the emissions report that it is about is not in the operator's data log",
            "name a verification report about a filed report",
        )
    ending = taken_back_by(parts, entry)
    if ending is not None:
        raise refusals.ReportWithdrawn(
            "verification_report",
            f"its emissions report was taken back by {ending.hex()}",
            "file a new report and have that one verified",
        )
    impacts = open_impacts(parts, [opinion.digest, opinion.report])
    if impacts:
        raise refusals.ReportImpacted(
            "verification_report",
            f"impact {impacts[0].hex()} marks it",
            "cure what the impact names; `carbonseal lineage` shows the way to it",
        )
    _check_data_code(parts, opinion.operator, entry)


def _check_data_code(parts: Parts, operator: str, report: LoggedEntry) -> None:
    """Refuse a report whose data code is not green, is gone, or judges something else."""
    filed = SignedStatement.parse(report.raw)
    told = "the data code that its emissions report names is not in the operator's data log"
    try:
        named = parse_content(parts.host.contents.get(filed.payload)).body["quality_code_digest"]
        entry = parts.host.find(_origin(parts, operator, DATA), named)
        judged = SignedStatement.parse(entry.raw)
        code = parse_content(parts.host.contents.get(judged.payload))
    except (EntryUnknown, LogUnknown, ContentUnknown):
        code = None
    if code is not None and code.kind == "quality_code":
        ending = taken_back_by(parts, entry)
        same = (judged.header.subject, judged.header.interval) == (
            filed.header.subject,
            filed.header.interval,
        )
        if ending is None and same and code.body["code"] == GREEN:
            return
        told = f"the data code of its emissions report is {code.body['code']}"
        if ending is not None:
            told = f"the data code of its emissions report was taken back by {ending.hex()}"
        elif not same:
            told = "the data code that its emissions report names judges another installation or period"
    raise refusals.DataCodeNotGreen(
        "verification_report", told, "cure what the code found, file a new report and have that one verified"
    )


def _origin(parts: Parts, party: str, log: str) -> str:
    return f"{parts.settings.log_host_name}/{party}/{log}"


def _unknown() -> refusals.OpinionUnknown:
    return refusals.OpinionUnknown(
        "verification_report",
        "no verification body's data log holds it",
        "copy the statement digest of a verification report that was logged",
    )
