"""Renders the PDF of an emissions report from report.json and that report's proofs, in Chinese or English.

The same report.json and proofs give the same bytes (reportlab's `invariant`); figures are printed exactly as
report.json writes them, so both languages and the JSON show the same ones. Sections: cover and summary,
charts, method and factors, data quality, proof with a QR code. It computes nothing and looks nothing up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from reportlab.platypus import (
    CondPageBreak,
    Flowable,
    KeepTogether,
    NextPageTemplate,
    PageBreak,
    Table,
    TableStyle,
)

from carbonseal_api.reports import charts, pages
from carbonseal_api.reports.cover import CoverBand, Headline
from carbonseal_api.reports.pages import CONTENT_WIDTH, HALF_PAGE, Frames, Styles, facts, gap, table, text
from carbonseal_api.reports.proof_pages import proof_pages
from carbonseal_api.reports.proofs import ReportProofs
from carbonseal_api.reports.quality_pages import quality_pages
from carbonseal_api.reports.report_json import parse_report, report_digest
from carbonseal_api.reports.wording import Wording, bare_share, load_wording, percentage
from carbonseal_attest.instants import parse_instant

_MINUTE_MS: Final = 60_000


def render_pdf(report_json: bytes, proofs: ReportProofs, *, lang: str) -> bytes:
    """Return the PDF of a report.

    Args:
        report_json: The bytes of report.json.
        proofs: What the proof page shows.
        lang: `zh` or `en`.

    Raises:
        ReportInvalid: report.json is not a report of ours.
        WordingMissing: The language is not offered.
        FontMissing: The typeface with Chinese characters is not installed.
    """
    report = parse_report(report_json)
    digest = report_digest(report_json)
    words = load_wording(lang)
    styles = pages.make_styles()
    flowables: list[Flowable] = [
        *_cover(report, words, styles),
        *_charts(report, words, styles),
        *_method(report, words, styles),
        *quality_pages(report, words, styles),
        *proof_pages(report, proofs, digest, words, styles),
    ]
    operator = words.name(report["parties"]["operator"].get("name"), report["parties"]["operator"]["party"])
    frames = Frames(
        title=f"{words('title')} · {operator}",
        subject=f"report.json SHA-256 {digest}",
        head_left=words("brand"),
        head_right=f"{operator} · {words('title')} · {_period_text(report, words)}",
        foot_left=words("foot", digest=digest),
        page_of=words.sentences["page.of"],
    )
    return pages.write_document(flowables, frames, styles)


def _cover(report: Mapping[str, Any], words: Wording, styles: Styles) -> list[Flowable]:
    operator = report["parties"]["operator"]
    quality, emissions = report["data_quality"], report["emissions"]
    code, unit = quality["code"], emissions["total"]["unit"]
    band = CoverBand(
        brand=words("brand"),
        title=words("title"),
        strap=words("cover.strap"),
        rows=(
            (words("cover.operator"), words.name(operator.get("name"), operator["party"])),
            (words("cover.plan"), words.name(report["installation"]["name"])),
            (words("cover.period"), f"{_period_text(report, words)} ({report['period']['time_zone']})"),
            (words("cover.report"), report["report"]),
        ),
        styles=styles,
    )
    shares = quality["shares"]
    headline = Headline(
        label=words("cover.total"),
        value=emissions["total"]["rounded"],
        unrounded=words("cover.unrounded", value=emissions["total"]["value"]),
        unit=unit,
        code=code,
        code_label=f"{words('code.noun')}: {words.term('code', code)}",
        code_meaning=words(f"code.{code}.meaning"),
        styles=styles,
    )
    strip = _share_strip(
        (
            (
                (words("share.completeness"), percentage(shares["completeness_percent"])),
                (words("share.late"), percentage(shares["late_percent"])),
                (words("share.substituted"), percentage(shares["substituted_percent"])),
            ),
            # Reports made before corrections were computed do not name these two: nothing was corrected.
            (
                (words("share.corrected"), percentage(shares.get("corrected_percent", "0"))),
                (words("share.declared_activity"), percentage(shares.get("declared_percent", "0"))),
                (words("share.delay"), _duration(quality["greatest_commit_delay_ms"], words)),
            ),
        ),
        styles,
    )
    return [
        NextPageTemplate("plain"),
        band,
        gap(20),
        headline,
        gap(16),
        strip,
        text(words("summary.streams"), styles.subsection),
        _stream_table(report, words, styles),
        PageBreak(),
    ]


def _stream_table(report: Mapping[str, Any], words: Wording, styles: Styles) -> Table:
    emissions = report["emissions"]
    rows = [
        (
            words.name(row["name"], row["stream"]),
            report["activity_data"][row["stream"]]["value"],
            report["activity_data"][row["stream"]]["unit"],
            row["rounded"],
            bare_share(row["share_percent"]) if row["is_counted"] else words("scope.apart"),
        )
        for row in emissions["by_stream"]
    ]
    head = [
        words("column.stream"),
        words("column.activity"),
        words("column.unit"),
        words("column.emissions", unit=emissions["total"]["unit"]),
        words("column.share"),
    ]
    return table(head, rows, widths=(32, 20, 10, 26, 12), styles=styles, right=(1, 3, 4))


def _charts(report: Mapping[str, Any], words: Wording, styles: Styles) -> list[Flowable]:
    emissions = report["emissions"]
    unit = emissions["total"]["unit"]
    streams, months = emissions["by_stream"], emissions["by_month"]
    label = {row["stream"]: words.name(row["name"], row["stream"]) for row in streams}
    # What is not counted in the total (biomass, own generation) stands in the table alone: a stack with it
    # would be taller than the total that it shows.
    counted = [row for row in streams if row["is_counted"]]
    bars = charts.stream_bars(
        [(label[row["stream"]], row["rounded"], f"({percentage(row['share_percent'])})") for row in counted],
        width=CONTENT_WIDTH,
        font=styles.regular,
    )
    series = [
        charts.Series(label[row["stream"]], tuple(_of_month(month, row["stream"]) for month in months))
        for row in counted
    ]
    columns = charts.month_columns(
        [month["month"] for month in months],
        series,
        unit=unit,
        width=CONTENT_WIDTH,
        height=250,
        font=styles.regular,
    )
    order = [row["stream"] for row in streams]
    month_rows = [
        (month["month"], *(_of_month(month, stream) for stream in order), month["rounded"])
        for month in months
    ]
    head = [words("column.month"), *(label[stream] for stream in order), words("column.total")]
    return [
        text(words("page.charts"), styles.section),
        text(words("charts.stream", unit=unit), styles.subsection),
        bars,
        text(words("charts.month", unit=unit), styles.subsection),
        columns,
        gap(6),
        text(words("charts.months_note", time_zone=report["period"]["time_zone"]), styles.small),
        gap(8),
        table(
            head,
            month_rows,
            widths=(10, *(16 for _ in order), 16),
            styles=styles,
            right=tuple(range(1, len(order) + 2)),
        ),
        PageBreak(),
    ]


def _of_month(month: Mapping[str, Any], stream: str) -> str:
    return str(month["by_stream"][stream]["rounded"]) if stream in month["by_stream"] else "0"


def _method(report: Mapping[str, Any], words: Wording, styles: Styles) -> list[Flowable]:
    method, plan = report["method"], report["plan"]
    title = words.name(method.get("title"), "")
    factor_rows = [
        (
            words.name(factor["stream_name"], factor["stream"]),
            words.term("parameter", factor["parameter"]),
            # A number without a unit is written so in report.json.
            factor["value"] if factor["unit"] == "1" else f"{factor['value']} {factor['unit']}",
            " · ".join(
                str(part)
                for part in (words.term("factor_kind", factor["kind"]), factor["region"], factor["year"])
                if part
            ),
            _factor_source(factor, words),
        )
        for factor in report["factors"]
    ]
    return [
        text(words("page.method"), styles.section),
        facts(
            [
                (words("method.method"), f"{method['method']}  {title}".strip()),
                (
                    words("method.plan"),
                    " · ".join(
                        (
                            plan["plan"],
                            words("method.version", version=plan["plan_version"]),
                            words.name(plan["name"]),
                        )
                    ),
                ),
                (words("method.plan_statement"), text(plan["statement_digest"], styles.mono)),
                (words("method.boundary"), words.name(method["boundary"])),
                (words("method.rounding"), _rounding(method["rounding"], words)),
            ],
            styles=styles,
        ),
        text(words("method.factors"), styles.subsection),
        table(
            [words(f"column.{key}") for key in ("stream", "parameter", "value", "kind", "source")],
            factor_rows,
            widths=(16, 15, 16, 19, 42),
            styles=styles,
        ),
        text(words("method.calculation"), styles.subsection),
        _calculation(report, words, styles),
        KeepTogether(
            [
                text(words("method.packages"), styles.subsection),
                table(
                    [words("column.package"), words("column.digest")],
                    [
                        (f"{p['id']}@{p['version']}", text(p["digest"], styles.mono))
                        for p in method["packages"]
                    ],
                    widths=(34, 66),
                    styles=styles,
                ),
            ]
        ),
        gap(24),
        CondPageBreak(HALF_PAGE),
    ]


def _calculation(report: Mapping[str, Any], words: Wording, styles: Styles) -> Table:
    emissions, activity = report["emissions"], report["activity_data"]
    rows = [
        (
            words.name(row["name"], row["stream"]),
            words.term("scope", row["scope"]),
            f"{activity[row['stream']]['value']} {activity[row['stream']]['unit']}",
            row["value"],
        )
        for row in emissions["by_stream"]
    ]
    head = [
        words("column.stream"),
        words("column.scope"),
        words("column.activity"),
        words("column.unrounded", unit=emissions["total"]["unit"]),
    ]
    return table(head, rows, widths=(30, 10, 28, 32), styles=styles, right=(2, 3))


def _rounding(rule: Mapping[str, Any], words: Wording) -> str:
    return words("method.rounding_text", places=rule["places"], mode=words.term("rounding", rule["mode"]))


def _factor_source(factor: Mapping[str, Any], words: Wording) -> str:
    source = str(factor["source"])
    if factor["is_declared"]:
        return f"{words('factor.declared')}; {source}"
    certainty = words.term("certainty", str(factor["certainty"]))
    return f"{source} [{certainty}]" + (f" · {factor['set']}" if factor.get("set") else "")


def _share_strip(rows: Sequence[Sequence[tuple[str, str]]], styles: Styles) -> Table:
    figure = styles.section.clone("figure", fontSize=14, leading=18, spaceAfter=0)
    made = Table(
        [[[text(value, figure), text(label, styles.small)] for label, value in row] for row in rows],
        colWidths=[CONTENT_WIDTH / len(rows[0])] * len(rows[0]),
    )
    made.setStyle(
        TableStyle(
            [
                ("LINEABOVE", (0, 0), (-1, 0), 0.6, pages.RULE),
                ("LINEBELOW", (0, 0), (-1, -1), 0.6, pages.RULE),
                ("LINEAFTER", (0, 0), (-2, -1), 0.6, pages.RULE),
                ("TOPPADDING", (0, 0), (-1, -1), 7),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 8),
                ("LEFTPADDING", (0, 0), (-1, -1), 10),
            ]
        )
    )
    return made


def _period_text(report: Mapping[str, Any], words: Wording) -> str:
    zone = ZoneInfo(report["period"]["time_zone"])
    start = _civil(parse_instant(report["period"]["start"]), zone)
    last = _civil(parse_instant(report["period"]["end"]) - 1, zone)
    return f"{start} {words('cover.to')} {last}"


def _civil(instant: int, zone: ZoneInfo) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant)
    return moment.astimezone(zone).date().isoformat()


def _duration(milliseconds: int, words: Wording) -> str:
    minutes = -(-milliseconds // _MINUTE_MS)  # rounded up: a delay is never shown shorter than it was
    return words("duration.hours", hours=minutes // 60, minutes=minutes % 60)
