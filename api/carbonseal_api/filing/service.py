"""Files one period of one enterprise: cut-off, data code, emissions report, report.json.

The figures and the code come from `carbonseal_verifier.recompute`, the same function that checks a bundle
(decision 0009). The enterprise's desk signs; this module only asks it to. Once the report is anchored,
`render_and_register` makes the PDF; `carbonseal_api.bundles` closes the bundle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from carbonseal_api.assembly import Parts
from carbonseal_api.bundles.service import ENTRIES_AT_ONCE
from carbonseal_api.evidence.service import put_document
from carbonseal_api.filing.period_checks import check_period
from carbonseal_api.issuing import Issuer
from carbonseal_api.reports.report_json import ReportInputs, build_report, parse_report
from carbonseal_api.reports.report_pdf import render_pdf
from carbonseal_api.reports.service import proofs_of
from carbonseal_attest.identifiers import opaque_code
from carbonseal_attest.instants import Clock, Interval, format_instant
from carbonseal_attest.packages import package_digest
from carbonseal_attest.quantities import parse_decimal
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.outcomes import Head, LoggedEntry
from carbonseal_verifier.recompute import Recomputed, recompute_period


@dataclass(frozen=True, slots=True)
class FilingRequest:
    """What is to be filed.

    Attributes:
        operator: party code of the enterprise.
        installation: opaque code of the installation, the subject of plan, code and report.
        plan_digest: statement digest of the monitoring plan.
        period: half-open, in ms.
        packages: ID@VERSION to files of the method, the factor sets and the quality profile.
        parties: role to {party, name, org} for report.json; `operator` is required.
    """

    operator: str
    installation: str
    register_origin: str
    data_origin: str
    plan_digest: bytes
    period: Interval
    packages: Mapping[str, Mapping[str, bytes]]
    parties: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class FiledReport:
    """A filed report: its bytes, its statements and what they were computed from."""

    report_json: bytes
    report: SignedStatement
    quality: SignedStatement
    recomputed: Recomputed
    cut_off: tuple[Head, Head]


def file_report(host: LogHost, desk: Issuer, request: FilingRequest, *, clock: Clock) -> FiledReport:
    """Return the filed report of `request`; two statements more stand in the data log.

    The cut-off is the head of both logs at the moment of the call. `clock` says whether the period is over. A
    period whose report was withdrawn or superseded is filed anew, under a report code of its own.

    Raises:
        PeriodNotOver, NothingToReport, AlreadyFiled: the period cannot be filed; nothing was signed.
        VerifierError, AccountingError: the plan, the packages or the readings cannot be computed.
        StatementRefused: the log refused the code or the report.
    """
    earlier = check_period(
        host,
        register_origin=request.register_origin,
        data_origin=request.data_origin,
        installation=request.installation,
        period=request.period,
        now=clock(),
    )
    # A cut-off follows a tick, so that everything before it has an upper bound of its registration.
    host.tick(request.register_origin)
    host.tick(request.data_origin)
    # The register's head first: what a correction in it names then stands in the data log's head too.
    register_head = host.head(request.register_origin)
    heads = host.head(request.data_origin), register_head
    cut_off = [(head.origin, head.tree_size, head.root_hash) for head in heads]
    data, register = (_entries(host, head) for head in heads)
    start, end = request.period
    recomputed = recompute_period(
        register_entries=[entry.raw for entry in register],
        data_entries=[(entry.index, entry.raw) for entry in data],
        contents=_contents(host, [*register, *data]),
        plan_digest=request.plan_digest,
        start_ms=start,
        end_ms=end,
        cut_off=cut_off,
        packages=request.packages,
    )
    quality = desk.issue(
        request.data_origin,
        "quality_code",
        recomputed.quality_body,
        subject=request.installation,
        interval=request.period,
    )
    inventory = recomputed.inventory.to_json()
    code = _report_code(request, earlier)
    report_json = build_report(_inputs(request, code, recomputed, inventory, quality.digest, heads))
    body = _report_body(request, code, recomputed, inventory, quality.digest, cut_off, report_json)
    report = desk.issue(
        request.data_origin, "emissions_report", body, subject=request.installation, interval=request.period
    )
    return FiledReport(report_json, report, quality, recomputed, heads)


def keep_report_json(parts: Parts, filed: FiledReport) -> None:
    """Keep report.json here: pages and bundles are made from it, and only its digest is in the log."""
    _keep(parts, filed.report.header.issuer, "report.json", "application/json", filed.report_json)


def render_and_register(parts: Parts, desk: Issuer, filed: FiledReport, *, language: str) -> bytes:
    """Return the PDF of a filed report with its proofs as they stand now, kept here and registered.

    report.json is kept too.
    """
    report = filed.report
    keep_report_json(parts, filed)
    parts.projections.refresh()
    proofs = proofs_of(parts, report.header.issuer, report.digest, parse_report(filed.report_json))
    pdf = render_pdf(filed.report_json, proofs, lang=language)
    _keep(parts, report.header.issuer, "report.pdf", "application/pdf", pdf)
    start, end = (
        filed.recomputed.quality_body["period"]["start"],
        filed.recomputed.quality_body["period"]["end"],
    )
    title = f"report.pdf {format_instant(start)}/{format_instant(end)}"
    file_document(desk, report.header.origin, title, "application/pdf", pdf, report.digest)
    parts.projections.refresh()
    return pdf


def _keep(parts: Parts, party: str, name: str, media_type: str, data: bytes) -> None:
    put_document(parts, party, hashlib.sha256(data).digest(), data, name, media_type)


def file_document(
    desk: Issuer, origin: str, title: str, media_type: str, data: bytes, about: bytes
) -> SignedStatement:
    """Return the registered `document` statement for `data`, relating it to the statement digest `about`."""
    body = {
        "title": title,
        "media_type": media_type,
        "document_digest": hashlib.sha256(data).digest(),
        "size": len(data),
        "relates_to": [about],
    }
    return desk.issue(origin, "document", body)


def package_rows(packages: Mapping[str, Mapping[str, bytes]]) -> list[dict[str, Any]]:
    """Return (id, digest) of each package as the emissions report names them, sorted by id."""
    return [{"id": name, "digest": package_digest(packages[name])} for name in sorted(packages)]


def _inputs(
    request: FilingRequest,
    code: str,
    recomputed: Recomputed,
    inventory: Mapping[str, Any],
    quality_digest: bytes,
    heads: tuple[Head, Head],
) -> ReportInputs:
    data, register = heads
    rows = []
    for row in package_rows(request.packages):
        name, _, version = row["id"].partition("@")
        rows.append({"id": name, "version": version, "digest": row["digest"].hex()})
    return ReportInputs(
        report=code,
        parties=request.parties,
        plan=recomputed.plan,
        plan_digest=request.plan_digest,
        start_ms=request.period[0],
        end_ms=request.period[1],
        inventory=inventory,
        packages=rows,
        quality=recomputed.quality_body,
        quality_digest=quality_digest,
        cut_off={
            "data": (data.tree_size, data.root_hash),
            "register": (register.tree_size, register.root_hash),
        },
        origins={"data": data.origin, "register": register.origin},
        completeness=recomputed.completeness,
        signer_classes=recomputed.signer_classes,
        beside={
            "corrections": recomputed.corrections,
            "declared_activity": recomputed.declared_activity,
            "downgrades": recomputed.downgrades,
        },
    )


def _report_body(
    request: FilingRequest,
    code: str,
    recomputed: Recomputed,
    inventory: Mapping[str, Any],
    quality_digest: bytes,
    cut_off: Sequence[tuple[str, int, bytes]],
    report_json: bytes,
) -> dict[str, Any]:
    start, end = request.period
    return {
        "report": code,
        "plan_digest": request.plan_digest,
        "method": inventory["method"],
        "packages": package_rows(request.packages),
        "period": {"start": start, "end": end, "time_zone": recomputed.plan["time_zone"]},
        "cut_off": [{"origin": o, "tree_size": n, "root_hash": r} for o, n, r in cut_off],
        "totals": {"total": _quantity(inventory["total"])},
        "by_stream": {
            stream: {"activity": _quantity(row["activity"]), "emissions": _quantity(row["emissions"])}
            for stream, row in inventory["by_stream"].items()
        },
        "quality_code_digest": quality_digest,
        "report_json_digest": hashlib.sha256(report_json).digest(),
    }


def _quantity(value: Mapping[str, Any]) -> dict[str, str]:
    parse_decimal(value["value"], field="report figure")
    return {"value": value["value"], "unit": value["unit"]}


def _report_code(request: FilingRequest, earlier: Sequence[bytes]) -> str:
    """Return a code that no earlier report of the period has."""
    start, end = request.period
    seed = f"{request.installation}/{start}/{end}".encode() + request.plan_digest
    return opaque_code("rp", seed + b"".join(earlier))


def _entries(host: LogHost, head: Head) -> list[LoggedEntry]:
    entries: list[LoggedEntry] = []
    for start in range(0, head.tree_size, ENTRIES_AT_ONCE):
        entries += host.entries(head.origin, start, min(head.tree_size, start + ENTRIES_AT_ONCE))
    return entries


def _contents(host: LogHost, entries: Sequence[LoggedEntry]) -> dict[bytes, bytes]:
    return host.contents.get_many([SignedStatement.parse(entry.raw).payload for entry in entries])
