"""What stands beside the totals, as tables of the PDF: corrections, declared values, downgrades.

A long list is cut after a number of rows and says so; report.json holds all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from reportlab.platypus import Flowable

from carbonseal_api.reports.pages import Styles, gap, table, text
from carbonseal_api.reports.wording import Wording, percentage
from carbonseal_attest.instants import parse_instant

MAX_ROWS: Final = 40
_SHOWN: Final = 12  # digits of a digest in a table; report.json has it whole


def beside_totals(report: Mapping[str, Any], words: Wording, styles: Styles) -> list[Flowable]:
    """Return the tables; nothing where nothing was corrected, declared or downgraded."""
    quality = report["data_quality"]
    zone = ZoneInfo(report["period"]["time_zone"])
    names = {
        row["stream"]: words.name(row["name"], row["stream"]) for row in report["emissions"]["by_stream"]
    }
    corrections = quality.get("corrections", ())
    made = _listed(
        "corrections",
        ("device", "interval", "reason", "supersedes", "replacement"),
        (14, 24, 28, 17, 17),
        [
            (
                row["device"],
                _interval(row, zone),
                row["reason"],
                row["supersedes"][:_SHOWN],
                row["replacement"][:_SHOWN] if row["replacement"] else words("beside.taken_out"),
            )
            for row in corrections[:MAX_ROWS]
        ],
        len(corrections),
        (words, styles),
    )
    declared = quality.get("declared_activity", ())
    made += _listed(
        "declared",
        ("stream", "data_source", "interval", "declared", "metered", "difference"),
        (18, 13, 24, 17, 17, 11),
        [
            (
                names.get(row["stream"], row["stream"]),
                words.term("data_source", row["data_source"]),
                _interval(row, zone),
                _amount(row["declared"]),
                _amount(row["metered"]),
                "–" if row["difference_percent"] is None else percentage(row["difference_percent"]),
            )
            for row in declared[:MAX_ROWS]
        ],
        len(declared),
        (words, styles),
    )
    downgrades = quality.get("downgrades", ())
    return made + _listed(
        "downgrades",
        ("stream", "interval", "from", "to", "reason"),
        (16, 24, 19, 19, 22),
        [
            (
                names.get(row["stream"], row["stream"]),
                _interval(row, zone),
                f"{words.term('data_source', row['from'])} {_amount(row['from_amount'])}",
                f"{words.term('data_source', row['to'])} {_amount(row['to_amount'])}",
                row["reason"] + (f" ({words('beside.lowers')})" if row["lowers"] else ""),
            )
            for row in downgrades[:MAX_ROWS]
        ],
        len(downgrades),
        (words, styles),
    )


def _listed(
    name: str,
    columns: Sequence[str],
    widths: Sequence[int],
    rows: Sequence[Sequence[str]],
    count: int,
    tools: tuple[Wording, Styles],
) -> list[Flowable]:
    words, styles = tools
    if not rows:
        return []
    made: list[Flowable] = [
        text(words(f"beside.{name}"), styles.subsection),
        table([words(f"beside.column.{column}") for column in columns], rows, widths=widths, styles=styles),
        gap(4),
    ]
    if count > len(rows):
        made.append(text(words("beside.more", count=count - len(rows)), styles.small))
    return made


def _interval(row: Mapping[str, Any], zone: ZoneInfo) -> str:
    return " – ".join(_local(row[key], zone) for key in ("start", "end"))


def _local(instant: str, zone: ZoneInfo) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=parse_instant(instant))
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def _amount(quantity: Mapping[str, str] | None) -> str:
    return "–" if quantity is None else f"{quantity['value']} {quantity['unit']}"
