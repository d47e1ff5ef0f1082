"""The command `activity`: who did what, when, for one organisation, as lines, JSON or CSV."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carbonseal_api.activity.schemas import Activity

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name


def add_commands(commands: Commands) -> None:
    """Add the command to the `carbonseal` parser."""
    text = "list who did what, when, for an organisation"
    activity = commands.add_parser("activity", help=text, description=f"{text[0].upper()}{text[1:]}.")
    activity.add_argument("--data", type=Path, help="data folder (default .carbonseal)")
    activity.add_argument("--party", required=True, help="party code, as `carbonseal admit` printed it")
    activity.add_argument(
        "--kind", action="append", default=[], help="only this kind; may be repeated; `access` for looks"
    )
    activity.add_argument("--by", metavar="PARTY", help="only what this party did")
    activity.add_argument("--subject", metavar="CODE", help="only what is about this code")
    activity.add_argument("--from", dest="since", type=_day, metavar="DAY", help="from this day on, UTC")
    activity.add_argument("--until", type=_day, metavar="DAY", help="before this day, UTC")
    activity.add_argument("--limit", type=int, default=100, metavar="N", help="lines (default 100)")
    activity.add_argument("--format", choices=("text", "json", "csv"), default="text")
    activity.set_defaults(run=_activity)


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a civil day has no zone yet
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write one such as 2026-01-31") from None


def _activity(options: argparse.Namespace) -> int:
    from carbonseal_api.activity import service
    from carbonseal_api.activity.csv_export import deeds_csv
    from carbonseal_api.problems import RequestInvalid
    from carbonseal_api.running import opened
    from carbonseal_attest.instants import MAX_INSTANT, parse_instant

    if not 1 <= options.limit <= service.MAX_EXPORT:
        raise RequestInvalid("--limit", "is out of range", f"ask for 1 to {service.MAX_EXPORT}")
    since, until = (
        None if day is None else parse_instant(f"{day}T00:00:00Z") for day in (options.since, options.until)
    )
    with opened(options.data) as parts:
        parts.projections.refresh()
        found = service.activity(
            parts,
            options.party,
            kinds=options.kind,
            by=options.by,
            since=since or 0,
            until=MAX_INSTANT if until is None else until,
            subject=options.subject,
            limit=options.limit,
        )
    if options.format == "csv":
        sys.stdout.flush()
        sys.stdout.buffer.write(deeds_csv(found.deeds))
    else:
        print(
            json.dumps(found.model_dump(), ensure_ascii=False, indent=2)
            if options.format == "json"
            else _lines(found)
        )
    return 0


def _lines(found: Activity) -> str:
    lines = [
        "  ".join(
            part
            for part in (
                deed.at,
                deed.by,
                deed.kind,
                deed.subject or "",
                "" if deed.statement_digest is None else f"{deed.statement_digest[:12]}…",
                deed.receipt_state or "",
                deed.detail,
            )
            if part
        )
        for deed in found.deeds
    ]
    if found.next is not None:
        lines.append("(more: ask for a greater --limit, or for a shorter time)")
    return "\n".join(lines)
