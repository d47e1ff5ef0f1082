"""Which logged verification reports count as opinions: role, independence, subject, facts, and the sample.

A log takes in what a party with the role signs; whether that is an opinion is decided here, each time, from
the logs. The rules about keys and facts are the verifier's own (`admissions`, `opinion`), so that a stranger
with the bundle decides alike. Left out: whether the work behind an opinion was sound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from carbonseal_accounting.errors import AccountingError
from carbonseal_accounting.units import parse_unit
from carbonseal_api.assembly import Parts
from carbonseal_api.engagements import queries
from carbonseal_api.taken_back import Ending, taken_back
from carbonseal_attest.contents import parse_content
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.quantities import parse_decimal
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.errors import LogUnknown
from carbonseal_verifier.admissions import Admissions
from carbonseal_verifier.errors import OpinionRefused
from carbonseal_verifier.opinion import TOTAL, check_opinion

IN_FORCE: Final = "in_force"
WITHDRAWN: Final = "withdrawn"
_CLEAN: Final = "unmodified"
# An anchor may be one that the body's trust file did not require; every other step is always required.
_OPTIONAL_STEPS: Final = frozenset({"anchor"})


@dataclass(frozen=True, slots=True)
class Opinion:
    """A verification report that counts as an opinion, as its statement says.

    Attributes:
        digest: its statement digest.
        body: party code of the verification body.
        operator: party code of the enterprise.
        report_digest: statement digest of the emissions report.
        opinion: unmodified, modified, adverse or disclaimer.
        level_of_assurance: reasonable or limited.
        standing: `in_force` or `withdrawn`.
        registered_at: in ms.
        entry_index: in the body's data log.
        ending: the statement that took it back; None while it is in force.
        content: the content's body, byte strings in hex.
    """

    digest: bytes
    body: str
    operator: str
    report_digest: bytes
    opinion: str
    level_of_assurance: str
    standing: str
    registered_at: int
    entry_index: int
    ending: Ending | None
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RefusedOpinion:
    """A logged verification report that does not count, and why."""

    digest: bytes
    body: str
    registered_at: int
    field: str
    reason: str


class OpinionBook:
    """The registrar's statements about parties, read once for several reports."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._name = parts.settings.log_host_name
        self._admissions = Admissions.of(self._bodies(parts.registrar, "party"))

    def on(self, report_digest: bytes) -> tuple[list[Opinion], list[RefusedOpinion]]:
        """Return the opinions on an emissions report and what does not count as one, newest first."""
        counted: list[Opinion] = []
        refused: list[RefusedOpinion] = []
        engine = self._parts.engine
        report = queries.report(engine, report_digest)
        rows = queries.about_report(engine, "verification_report", report_digest)
        for row in rows:
            try:
                self._check(row, report)
            except CarbonsealError as error:
                digest = bytes(row["statement_digest"])
                refused.append(
                    RefusedOpinion(digest, row["party"], row["registered_at"], error.field, error.reason)
                )
            else:
                counted.append(self._opinion(row))
        return counted[::-1], refused[::-1]

    def _check(self, row: queries.Row, report: queries.Row | None) -> None:
        """Refuse what is no opinion.

        Raises:
            OpinionRefused: by whom it is, about whom, or its own facts speak against it.
        """
        body = row["body"]
        if report is None or report["party"] != body["operator"]:
            raise _refusal("report_digest", "names no emissions report of that operator")
        entry = self._parts.host.entry(self._origin(row["party"], "data"), row["entry_index"])
        facts = self._admissions.body_of(SignedStatement.parse(entry.raw).header.kid, is_logged=True)
        if facts.party != row["party"]:
            raise _refusal("party", f"{row['party']} is not the party of the key that signed it")
        kids = {PublicKey.from_cose_key(one["key"]).kid for one in self._bodies(body["operator"], "device")}
        self._admissions.check_independent(facts.party, body["operator"], kids=kids)
        check_opinion(body, is_required=lambda name: name not in _OPTIONAL_STEPS)
        if body["opinion"] == _CLEAN:
            _check_subject(body, report)
        if body["opinion"] == _CLEAN or body["sampling"] is not None:
            self._check_sample(row, body["sampling"])

    def _check_sample(self, row: queries.Row, sampling: Mapping[str, Any] | None) -> None:
        """See that the sample was committed to in time, and no earlier commitment was left unrevealed.

        Without a sample every commitment before it counts: who dislikes a draw cannot go on as if none had
        been made.
        """
        engine, party = self._parts.engine, row["party"]
        report_digest = bytes.fromhex(row["body"]["report_digest"])
        commitments = queries.about_report(engine, "sampling_commitment", report_digest, party=party)
        before = row["entry_index"] if sampling is None else self._check_cited(row, sampling, commitments)
        reports = queries.about_report(engine, "verification_report", report_digest, party=party)
        revealed = {
            one["body"]["sampling"]["commitment_digest"]
            for one in reports
            if one["body"]["sampling"] is not None
        }
        for earlier in commitments:
            if earlier["entry_index"] < before and earlier["statement_digest"].hex() not in revealed:
                raise _refusal(
                    "sampling", "an earlier commitment to a sample of this report was never revealed"
                )

    def _check_cited(
        self, row: queries.Row, sampling: Mapping[str, Any], commitments: Sequence[queries.Row]
    ) -> int:
        """Return where in the body's log the commitment stands that a sample was drawn by, if it holds."""
        cited = next(
            (one for one in commitments if one["statement_digest"].hex() == sampling["commitment_digest"]),
            None,
        )
        if cited is None or cited["entry_index"] >= row["entry_index"]:
            raise _refusal("sampling", "its commitment does not stand before it in the body's log")
        committed = sum(stratum["sample_size"] for stratum in cited["body"]["strata"])
        if sampling["drawn"] != committed or cited["body"]["engagement"] != row["body"]["engagement"]:
            raise _refusal("sampling", "it drew another sample than it committed to")
        epoch = self._parts.host.epoch_covering(self._origin(row["party"], "data"), cited["entry_index"] + 1)
        if epoch is None or epoch.epoch > cited["body"]["epoch"]:
            raise _refusal("sampling", "its commitment was logged after the epoch that it names")
        return int(cited["entry_index"])

    def _opinion(self, row: queries.Row) -> Opinion:
        digest, body = bytes(row["statement_digest"]), row["body"]
        ending = taken_back(self._parts.host, self._name, row["party"]).ending(digest, row["registered_at"])
        return Opinion(
            digest=digest,
            body=row["party"],
            operator=body["operator"],
            report_digest=bytes.fromhex(body["report_digest"]),
            opinion=body["opinion"],
            level_of_assurance=body["level_of_assurance"],
            standing=IN_FORCE if ending is None else WITHDRAWN,
            registered_at=row["registered_at"],
            entry_index=row["entry_index"],
            ending=ending,
            content=body,
        )

    def _bodies(self, party: str, kind: str) -> list[Mapping[str, Any]]:
        """Return the bodies of one kind in a party's register log, in log order.

        Raises:
            OpinionRefused: one of them can no longer be read: it may have said anything.
        """
        try:
            entries = self._parts.host.select(self._origin(party, "register"), kinds={kind})
        except LogUnknown:
            return []
        payloads = [SignedStatement.parse(entry.raw).payload for entry in entries]
        contents = self._parts.host.contents.get_many(payloads)
        if any(payload not in contents for payload in payloads):
            raise _refusal(kind, f"a {kind} statement of {party} can no longer be read")
        return [parse_content(contents[payload]).body for payload in payloads]

    def _origin(self, party: str, log: str) -> str:
        return f"{self._name}/{party}/{log}"


def _check_subject(body: Mapping[str, Any], report: queries.Row) -> None:
    """Refuse an opinion on another period or total than the report's.

    Asked of unmodified ones alone, so that no slip of a body makes its objections vanish.
    """
    if body["period"] != {"start": report["interval_start"], "end": report["interval_end"]}:
        raise _refusal("period", "is not the period of the emissions report")
    told, filed = body["figures"][TOTAL]["operator"], report["body"]["totals"].get(TOTAL)
    if filed is None or _in_canon(told) != _in_canon(filed):
        raise _refusal("figures.total", "is not the total of the emissions report")


def _in_canon(quantity: Mapping[str, str]) -> tuple[Decimal, str]:
    unit = quantity["unit"]
    with suppress(AccountingError):  # a text that is no unit equals itself alone
        unit = parse_unit(unit).code  # reports write common names, such as tCO2e
    return parse_decimal(quantity["value"]), unit


def _refusal(field: str, reason: str) -> OpinionRefused:
    return OpinionRefused(field, reason, "have an independent, admitted body give an opinion on this report")
