"""The data-quality section of the PDF: the data code with its reasons and cures, the grid, and who signed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reportlab.platypus import (
    Flowable,
    PageBreak,
    Table,
    TableStyle,
)

from carbonseal_api.reports import charts, pages
from carbonseal_api.reports.beside_pages import beside_totals
from carbonseal_api.reports.pages import CONTENT_WIDTH, Styles, facts, gap, table, text
from carbonseal_api.reports.wording import Wording, bare_share


def quality_pages(report: Mapping[str, Any], words: Wording, styles: Styles) -> list[Flowable]:
    """Return the section about the data code and completeness."""
    quality = report["data_quality"]
    code = quality["code"]
    mark = Table(
        [
            [
                charts.code_mark(code, size=30),
                [
                    text(
                        f"{words('code.noun')}: {words.term('code', code)}",
                        styles.subsection.clone("q", spaceBefore=0),
                    ),
                    text(words(f"code.{code}.meaning"), styles.body),
                ],
            ]
        ],
        colWidths=[44, CONTENT_WIDTH - 44],
    )
    mark.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "MIDDLE"), ("LEFTPADDING", (0, 0), (-1, -1), 0)]))
    made: list[Flowable] = [
        text(words("page.quality"), styles.section),
        mark,
        gap(8),
        facts(
            [
                (words("quality.profile"), quality["profile"]),
                (words("quality.statement"), text(quality["statement_digest"], styles.mono)),
            ],
            styles=styles,
        ),
        text(words("quality.findings"), styles.subsection),
    ]
    if not quality["findings"]:
        made.append(text(words("quality.none"), styles.body))
    made += [_finding(finding, words, styles) for finding in quality["findings"]]
    made += beside_totals(report, words, styles)
    keys = ("expected", "measured", "late", "gap", "substituted", "missing", "corrected")
    made += [
        text(words("quality.signers"), styles.subsection),
        table(
            [words("column.signer"), words("column.statements"), words("column.share")],
            [
                (
                    words.term("signer", row["signer_class"]),
                    row["statements"],
                    bare_share(row["share_percent"]),
                )
                for row in quality["signer_classes"]
            ],
            widths=(50, 25, 25),
            styles=styles,
            right=(1, 2),
        ),
        gap(6),
        text(words("quality.signers_note"), styles.small),
        text(words("quality.completeness"), styles.subsection),
        table(
            [words("column.measurement"), *(words(f"column.{key}") for key in keys)],
            [
                (words.name(row["name"], row["measurement"]), *(row.get(key, 0) for key in keys))
                for row in quality["completeness"]
            ],
            widths=(22, 11, 11, 9, 15, 13, 11, 12),
            styles=styles,
            right=tuple(range(1, 8)),
        ),
        PageBreak(),
    ]
    return made


def _finding(finding: Mapping[str, Any], words: Wording, styles: Styles) -> Flowable:
    severity = words.term("severity", finding["severity"])
    since = ""
    if finding["start"] is not None:
        since = " · " + words("quality.when", start=finding["start"], count=finding["count"])
    lines: list[Flowable] = [
        text(f"{severity} · {finding['rule']} · {finding['target']}{since}", styles.cell_bold),
        text(f"{words('quality.expected')}: {words.name(finding['expected'])}", styles.cell),
        text(f"{words('quality.observed')}: {words.name(finding['observed'])}", styles.cell),
        text(f"{words('quality.cure')}: {words.name(finding['cure'])}", styles.cell),
    ]
    accepted = finding.get("accepted")
    if accepted:
        lines.append(text(words("quality.accepted", **accepted), styles.cell))
    colour = charts.code_colour("red" if finding["severity"] in {"critical", "major"} else "pending")
    box = Table([[lines]], colWidths=[CONTENT_WIDTH])
    box.setStyle(
        TableStyle(
            [
                ("LINEBEFORE", (0, 0), (0, -1), 2.5, colour),
                ("LEFTPADDING", (0, 0), (-1, -1), 10),
                ("TOPPADDING", (0, 0), (-1, -1), 4),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 6),
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, pages.RULE),
            ]
        )
    )
    return box
