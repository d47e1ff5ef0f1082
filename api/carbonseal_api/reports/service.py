"""Filed emissions reports: listing, their report.json, and the PDF rendered from it and its proofs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from carbonseal_api.assembly import Parts
from carbonseal_api.evidence import queries as document_queries
from carbonseal_api.evidence import service as evidence
from carbonseal_api.impacts.marks import Mark, marks_on
from carbonseal_api.lineage.describing import mark_view
from carbonseal_api.paging import Page
from carbonseal_api.problems import NotFound
from carbonseal_api.quality import queries
from carbonseal_api.reports.proofs import AnchorProof, HeadProof, ReportProofs, StatementProof
from carbonseal_api.reports.report_json import parse_report
from carbonseal_api.reports.report_pdf import render_pdf
from carbonseal_api.reports.schemas import FiledReport, Quantity
from carbonseal_api.taken_back import TakenBack, taken_back
from carbonseal_attest.instants import format_instant, parse_instant

ENTRIES_COUNTED = 100_000  # of a period's readings, for the states on the proof page


def reports(parts: Parts, party: str) -> list[FiledReport]:
    """Return the filed emissions reports of an organisation, newest first."""
    return _shown(parts, queries.results(parts.engine, party, "emissions_report"))


def reports_page(
    parts: Parts, party: str, page: Page, is_shown: Callable[[tuple[int, int]], bool]
) -> list[FiledReport]:
    """Return a page of the filed reports whose reporting period may be shown, newest first."""
    rows = queries.results(parts.engine, party, "emissions_report", limit=queries.MOST)
    shown = [row for row in rows if is_shown((row["interval_start"], row["interval_end"]))]
    return _shown(parts, page.cut(shown, lambda row: (row["entry_index"],), newest_first=True))


def report(parts: Parts, party: str, digest: bytes) -> FiledReport:
    """Return one filed report by the digest of its statement."""
    return _shown(parts, [_row(parts, party, digest)])[0]


def report_json(parts: Parts, party: str, digest: bytes) -> bytes:
    """Return the bytes of report.json that a report's statement signed.

    Raises:
        NotFound: No such report, or its owner does not keep the file here.
    """
    body = _row(parts, party, digest)["body"]
    stored = document_queries.document(parts.engine, party, bytes.fromhex(body["report_json_digest"]))
    if stored is None:
        raise NotFound(
            "report.json",
            "its owner does not keep it here",
            "PUT it under /organisations/{party}/documents/{digest}",
        )
    data: bytes = bytes(stored["data"])
    return data


def report_pdf(parts: Parts, party: str, digest: bytes, lang: str) -> bytes:
    """Return the PDF of a filed report with its proofs as they stand now."""
    data = report_json(parts, party, digest)
    return render_pdf(data, proofs_of(parts, party, digest, parse_report(data)), lang=lang)


def proofs_of(parts: Parts, party: str, digest: bytes, content: Mapping[str, Any]) -> ReportProofs:
    """Return what the proof page shows about a filed report: statements, heads, epoch, anchor."""
    wanted = [
        bytes.fromhex(content["plan"]["statement_digest"]),
        bytes.fromhex(content["data_quality"]["statement_digest"]),
        digest,
    ]
    views = [evidence.statement_view(parts, party, one) for one in wanted]
    last = views[-1]
    start, end = (parse_instant(content["period"][key]) for key in ("start", "end"))
    readings = parts.host.select(last.origin, kinds={"readings"}, overlapping=(start, end))[:ENTRIES_COUNTED]
    # Anchors cover a log's beginning, so each reading has come at least as far as the report after it.
    states = Counter({last.receipt_state: sum(entry.index < last.entry_index for entry in readings)})
    anchor = last.anchor
    return ReportProofs(
        statements=tuple(
            StatementProof(
                view.header["kind"].split("/")[0],
                view.statement_digest,
                view.origin,
                view.entry_index,
                view.receipt_state,
            )
            for view in views
        ),
        checkpoint=HeadProof(last.checkpoint.origin, last.checkpoint.tree_size, last.checkpoint.root_hash),
        epoch=None if last.epoch is None else last.epoch.epoch,
        map_root=None if last.epoch is None else last.epoch.map_root,
        log_of_logs=None
        if last.epoch is None
        else HeadProof(parts.host.log_of_logs, last.epoch.log_of_logs_size, last.epoch.log_of_logs_root),
        anchor=None
        if anchor is None or anchor.block_number is None
        else AnchorProof(
            anchor.chain_id,
            anchor.contract,
            anchor.block_number,
            anchor.block_hash or "",
            anchor.transaction or "",
            anchor.anchored_at or "",
            anchor.state,
        ),
        states=dict(states),
    )


def _row(parts: Parts, party: str, digest: bytes) -> Mapping[str, Any]:
    row = queries.result_by_digest(parts.engine, party, digest)
    if row is None or row["kind"] != "emissions_report":
        raise NotFound("digest", "no such emissions report", "list the reports of the organisation")
    return row


def _shown(parts: Parts, rows: Sequence[Mapping[str, Any]]) -> list[FiledReport]:
    marks = marks_on(parts, [bytes(row["statement_digest"]) for row in rows])
    gone = {
        party: taken_back(parts.host, parts.settings.log_host_name, party)
        for party in {row["party"] for row in rows}
    }
    return [
        _one_shown(parts, row, gone[row["party"]], marks.get(bytes(row["statement_digest"]), ()))
        for row in rows
    ]


def _one_shown(parts: Parts, row: Mapping[str, Any], gone: TakenBack, marks: Sequence[Mark]) -> FiledReport:
    body = row["body"]
    ending = gone.ending(bytes(row["statement_digest"]), row["registered_at"])
    origin = f"{parts.settings.log_host_name}/{row['party']}/data"
    stored = document_queries.has_document(
        parts.engine, row["party"], bytes.fromhex(body["report_json_digest"])
    )
    return FiledReport(
        report=body["report"],
        method=body["method"],
        start=format_instant(body["period"]["start"]),
        end=format_instant(body["period"]["end"]),
        total=Quantity(**body["totals"]["total"]),
        by_stream=body["by_stream"],
        report_json_digest=body["report_json_digest"],
        quality_code_digest=body["quality_code_digest"],
        plan_digest=body["plan_digest"],
        statement_digest=row["statement_digest"].hex(),
        entry_index=row["entry_index"],
        registered_at=format_instant(row["registered_at"]),
        receipt_state=str(parts.host.receipt_state(origin, bytes(row["statement_digest"]))),
        is_report_json_here=stored,
        taken_back_by=None if ending is None else ending.digest.hex(),
        marks=[mark_view(mark) for mark in marks],
    )
