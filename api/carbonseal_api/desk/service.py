"""The enterprise's desk on the machine that holds its key file: enrolment, plan, calibration, report.

Everything becomes a statement in the enterprise's own logs. In a pilot the key lies in the deployment's key
folder beside the log host's, which is said when it is made; in production the desk runs elsewhere and sends
its statements to the service's HTTP side.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as day_time
from typing import Any, Final
from zoneinfo import ZoneInfo

from carbonseal_api.assembly import Parts
from carbonseal_api.catalogue.service import files_for_plan
from carbonseal_api.chain_anchors import ChainAnchors
from carbonseal_api.desk.acts_one_by_one import ActsOneByOne
from carbonseal_api.desk.filing_lock import filing
from carbonseal_api.filing.service import (
    FiledReport,
    FilingRequest,
    file_report,
    keep_report_json,
    render_and_register,
)
from carbonseal_api.founding import DATA, REGISTER
from carbonseal_api.impacts.closing import close_epoch
from carbonseal_api.issuing import Issuer, StatementRefused
from carbonseal_api.problems import ApiError, NotFound, RequestInvalid, ServiceUnavailable
from carbonseal_api.reports.bundle_files import bundle_bytes
from carbonseal_attest.contents import parse_content
from carbonseal_attest.identity.device_statements import enrolment
from carbonseal_attest.instants import Interval
from carbonseal_attest.signing import Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_collectors.gateway_config import GatewayConfig
from carbonseal_collectors.plan_file import PlanFile
from carbonseal_ledger.outcomes import LoggedEntry

FINAL_SECONDS: Final = 120  # how long a report waits for its anchor to become final
_FIRST_YEAR: Final = 1971
_LAST_YEAR: Final = 9000  # what comes after a day must still be an instant of ours
_STEP_SECONDS: Final = 1.0


class EnrolmentRefused(ApiError):
    """The log refused a gateway's enrolment; the remedy gives the log key too."""

    code = "enrolment-refused"
    status = 422


@dataclass(frozen=True, slots=True)
class ClosedReport:
    """A filed report with its rendering and its bundle."""

    filed: FiledReport
    pdf: bytes
    bundle: bytes


class Desk:
    """The desk of one enterprise in one deployment.

    Raises on construction:
        NotFound: no such party was admitted here.
        PartMissing: the party's key file is not in the key folder.
    """

    def __init__(self, parts: Parts, party: str) -> None:
        self._parts = parts
        self._party = party
        require_party_here(parts, party)
        with parts.desks.desk(party):
            pass  # the key is here, and opens; better known now than after an hour of recomputing
        self._issuer: Issuer = ActsOneByOne(parts.desks, party)
        name = parts.settings.log_host_name
        self.register_origin = f"{name}/{party}/{REGISTER}"
        self.data_origin = f"{name}/{party}/{DATA}"

    def enrol(self, config: GatewayConfig, signer: Signer) -> SignedStatement:
        """Return the statement that enrols a gateway's key for the meters of its file.

        Raises:
            RequestInvalid: the gateway file names another party or another log.
            EnrolmentRefused: the log refused it: the key or the device is enrolled already.
        """
        for field, found, wanted in (
            ("gateway.party", config.party, self._party),
            ("gateway.log_origin", config.log_origin, self.data_origin),
        ):
            if found != wanted:
                raise RequestInvalid(f"{config.file}: {field}", f"is {found}", f"write {wanted}")
        meters = list(config.meters())
        name = {"zh": config.id, "en": config.id}
        body = enrolment(
            self._party, config.id, signer, name=name, subjects=meters, key_storage=config.key_storage
        )
        try:
            return self._issuer.issue(self.register_origin, "device", body, subject=config.id)
        except StatementRefused as refusal:
            # Who enrols again has most often lost what the first enrolment printed.
            remedy = f"{refusal.remedy}; the log key for the gateway file is {self._parts.log_key.text()}"
            raise EnrolmentRefused(refusal.field, refusal.reason, remedy) from refusal

    def issue_about_device(self, body: Mapping[str, Any]) -> SignedStatement:
        """Return the statement that suspends, lifts or revokes a device's key."""
        return self._issuer.issue(self.register_origin, "device", dict(body), subject=str(body["device"]))

    def resume(self, device: str, kid: bytes, stream: str, number: int, reason: str) -> SignedStatement:
        """Return the statement by which a stream goes on at `number`, naming this very statement."""
        body = {
            "device": device,
            "kid": kid,
            "stream": stream,
            "next_sequence": number,
            "previous": None,
            "reason": reason,
        }
        return self._issuer.issue(self.register_origin, "resume", body, subject=device)

    def file_plan(self, plan: PlanFile) -> SignedStatement:
        """Return the statement that files a monitoring plan."""
        return self._issuer.issue(
            self.register_origin, "monitoring_plan", plan.body, subject=plan.installation
        )

    def file_calibration(self, meter: str, body: Mapping[str, Any]) -> SignedStatement:
        """Return the statement that registers a meter's calibration."""
        return self._issuer.issue(self.register_origin, "calibration", dict(body), subject=meter)

    def newest_plan(self) -> tuple[SignedStatement, str, dict[str, Any]]:
        """Return the newest monitoring plan: its statement, its installation, its body.

        Raises:
            NotFound: none is filed.
        """
        entries = self._parts.host.select(self.register_origin, kinds={"monitoring_plan"})
        if not entries:
            raise NotFound("plan", "none is filed", "file one with `carbonseal plan`")
        statement = SignedStatement.parse(entries[-1].raw)
        content = parse_content(self._parts.host.contents.get(statement.payload))
        return statement, content.subject, content.body

    def report(self, first: date, last: date, *, language: str, settle: Callable[[], None]) -> ClosedReport:
        """Return the closed report over the civil days `first` to `last`, both included, in the plan's zone.

        `settle` is called when what was registered is to be anchored, and returns once that is final.

        Raises:
            FilingUnderWay: another report of the party is being filed at this moment.
            ReconciliationOpen: sources of the ledger disagree, and nobody has looked yet.
            AlreadyFiled, PeriodNotOver, NothingToReport: see `filing.period_checks`.
        """
        with filing(self._parts.engine, self._party):
            return self._report(first, last, language=language, settle=settle)

    def _report(self, first: date, last: date, *, language: str, settle: Callable[[], None]) -> ClosedReport:
        statement, installation, plan = self.newest_plan()
        request = FilingRequest(
            operator=self._party,
            installation=installation,
            register_origin=self.register_origin,
            data_origin=self.data_origin,
            plan_digest=statement.digest,
            period=civil_period(first, last, str(plan["time_zone"])),
            packages=files_for_plan(plan),
            parties={
                "operator": self._named(self._party),
                "registrar": self._named(self._parts.registrar),
                "log_host": self._named(self._parts.host_party),
            },
        )
        self._parts.holding.require_none("report")
        filed = file_report(self._parts.host, self._issuer, request, clock=self._parts.clock)
        # Before anything can fail: the period cannot be filed again.
        keep_report_json(self._parts, filed)
        settle()
        pdf = render_and_register(self._parts, self._issuer, filed, language=language)
        settle()
        return ClosedReport(filed, pdf, bundle_bytes(self._parts, self._party, filed.report.digest))

    def _named(self, party: str) -> dict[str, Any]:
        entries = _admissions(self._parts, party)
        contents = [self._parts.host.contents.get(SignedStatement.parse(e.raw).payload) for e in entries]
        return {"party": party, "name": parse_content(contents[-1]).body["name"] if contents else {}}


def require_party_here(parts: Parts, party: str) -> None:
    """Refuse a party code that was never admitted here.

    Raises:
        NotFound: no such party.
    """
    if not _admissions(parts, party):
        raise NotFound(
            "--party",
            f"no such party here: {party[:40]!r}",
            "give a code that `carbonseal admit` printed",
        )


def _admissions(parts: Parts, party: str) -> list[LoggedEntry]:
    register = f"{parts.settings.log_host_name}/{parts.registrar}/{REGISTER}"
    return parts.host.select(register, kinds={"party"}, subject=party)


def civil_period(first: date, last: date, time_zone: str) -> Interval:
    """Return the half-open interval of the civil days `first` to `last`, both included, in ms."""
    if first.year < _FIRST_YEAR or last.year > _LAST_YEAR:
        raise RequestInvalid("period", "is out of reach", f"stay within {_FIRST_YEAR} and {_LAST_YEAR}")
    zone = ZoneInfo(time_zone)
    after = date.fromordinal(last.toordinal() + 1)
    start, end = (int(datetime.combine(day, day_time(), zone).timestamp()) * 1000 for day in (first, after))
    if start >= end:
        raise RequestInvalid("period", "ends before it starts", "give the first and the last day")
    return start, end


def settle_epoch(parts: Parts) -> None:
    """Close an epoch, anchor it, and return once that is final; without a chain the epoch alone is closed.

    What no longer stands is marked first, as before every epoch.

    Raises:
        ServiceUnavailable: it did not become final in time; nothing is lost, anchoring goes on.
    """
    record = close_epoch(parts)
    if not isinstance(parts.anchors, ChainAnchors):
        return
    deadline = time.monotonic() + FINAL_SECONDS
    while parts.anchors.final_size() < record.tree_size:
        parts.anchors.plan_epochs(parts.host)
        if time.monotonic() > deadline:
            raise ServiceUnavailable(
                "anchor",
                f"epoch {record.epoch} is not final after {FINAL_SECONDS} s",
                "the report is filed; ask for its bundle once the anchor is final",
            )
        parts.anchors.step()
        time.sleep(_STEP_SECONDS)
