"""The proof section of the PDF: how to check with its QR code, statements, log, anchor, receipt states."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.platypus import (
    Flowable,
    Table,
    TableStyle,
)

from carbonseal_api.reports import pages
from carbonseal_api.reports.pages import CONTENT_WIDTH, Styles, facts, gap, table, text
from carbonseal_api.reports.proofs import ReportProofs
from carbonseal_api.reports.wording import Wording

QR_POINTS: Final = 112.0


def proof_pages(
    report: Mapping[str, Any], proofs: ReportProofs, digest: str, words: Wording, styles: Styles
) -> list[Flowable]:
    """Return the section about proofs; `digest` is the SHA-256 of report.json in hex."""
    mono = partial(text, style=styles.mono)
    made: list[Flowable] = [
        text(words("page.proof"), styles.section),
        _check_box(proofs, digest, words, styles),
        text(words("proof.statements"), styles.subsection),
        table(
            [words("column.statement"), words("column.digest"), words("column.state")],
            [
                (
                    f"{words.term('kind', s.kind)} #{s.entry_index}",
                    mono(s.digest),
                    words.term("state", s.state),
                )
                for s in proofs.statements
            ],
            widths=(24, 62, 14),
            styles=styles,
        ),
        text(words("proof.log"), styles.subsection),
        facts(_log_rows(report, proofs, words, styles), styles=styles),
        text(words("proof.anchor"), styles.subsection),
    ]
    anchor = proofs.anchor
    if anchor is None:
        made.append(text(words("proof.not_anchored"), styles.body))
    else:
        rows: list[tuple[str, object]] = [
            (words("column.state"), words.term("state", anchor.state)),
            (words("proof.chain"), str(anchor.chain_id)),
            (words("proof.contract"), mono(anchor.contract)),
            (words("proof.block"), mono(f"{anchor.block_number}  {anchor.block_hash}")),
            (words("proof.transaction"), mono(anchor.transaction)),
            (words("proof.anchored_at"), anchor.anchored_at),
        ]
        made.append(facts(rows, styles=styles))
    if proofs.states:
        counted = " · ".join(
            f"{words.term('state', state)} {count}" for state, count in sorted(proofs.states.items())
        )
        made += [text(words("proof.states"), styles.subsection), text(counted, styles.body)]
    made += [gap(12), text(words("proof.not_proved"), styles.small)]
    return made


def _log_rows(
    report: Mapping[str, Any], proofs: ReportProofs, words: Wording, styles: Styles
) -> list[tuple[str, object]]:
    cut_off = report["cut_off"]["data"]
    rows: list[tuple[str, object]] = [
        (
            words("proof.cut_off"),
            text(f"{cut_off['origin']}\n{cut_off['tree_size']} · {cut_off['root_hash']}", styles.mono),
        )
    ]
    rows.extend(
        (words("proof.origin"), text(f"{head.origin}\n{head.tree_size} · {head.root_hash}", styles.mono))
        for head in (proofs.checkpoint, proofs.log_of_logs)
        if head is not None
    )
    if proofs.epoch is not None:
        rows.append((words("proof.epoch"), f"{proofs.epoch}"))
        rows.append((words("proof.map_root"), text(proofs.map_root or "", styles.mono)))
    return rows


def _check_box(proofs: ReportProofs, digest: str, words: Wording, styles: Styles) -> Table:
    widget = QrCodeWidget(f"{proofs.check_command}\nreport.json sha-256:{digest}", barLevel="M", barBorder=2)
    left, bottom, right, top = widget.getBounds()
    scale = QR_POINTS / max(right - left, top - bottom)
    code = Drawing(QR_POINTS, QR_POINTS, transform=[scale, 0, 0, scale, 0, 0])
    code.add(widget)
    words_beside = [
        text(words("proof.check"), styles.subsection.clone("c", spaceBefore=0)),
        text(words("proof.check_text"), styles.body),
        gap(5),
        text(proofs.check_command, styles.mono.clone("m", fontName=styles.bold)),
        gap(4),
        text(words("proof.report_digest"), styles.small),
        text(digest, styles.mono),
    ]
    box = Table([[code, words_beside]], colWidths=[QR_POINTS + 22, CONTENT_WIDTH - QR_POINTS - 22])
    box.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
                ("BACKGROUND", (0, 0), (-1, -1), pages.BRAND_LIGHT),
                ("LEFTPADDING", (0, 0), (-1, -1), 11),
                ("TOPPADDING", (0, 0), (-1, -1), 10),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 10),
            ]
        )
    )
    return box
