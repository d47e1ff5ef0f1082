"""`carbonseal fsck`: says what covers each stored column, and finds what was changed.

Exit codes: 0 everything is as it was signed; 1 something is not, each place is named; 2 bad usage, or nothing
could be audited.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from carbonseal_ledger.audit_report import Progress

LIMIT = 10_000  # damages after which an audit has seen enough
_EXAMPLES = """examples:
  carbonseal fsck                      audit everything; nothing is changed
  carbonseal fsck --json > audit.json  the same for programs, progress on standard error
  carbonseal fsck --covers             what covers each column and each file, and nothing else
  carbonseal fsck --draw-projections   and put wrong projections right, from the logs
"""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `fsck`."""
    fsck = commands.add_parser(
        "fsck",
        help="audit every stored byte against what was signed, published or computed",
        description="Re-hashes entries, contents, tiles and documents, makes epochs and projections again, "
        "and compares row checksums. May run beside the service, and where the ledger refuses to start. "
        "Exit 0: all is sound; 1: something was changed, each place is named; 2: bad usage, or no audit.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    fsck.add_argument("--data", type=Path, help="data folder (default .carbonseal)")
    fsck.add_argument("--json", action="store_true", help="print the result as JSON")
    fsck.add_argument(
        "--covers", action="store_true", help="print what covers each column, and audit nothing"
    )
    fsck.add_argument("--no-projections", action="store_true", help="do not draw the projections again")
    fsck.add_argument(
        "--draw-projections", action="store_true", help="drop the projections and draw them from the logs"
    )
    fsck.add_argument(
        "--limit", type=_positive, default=LIMIT, help=f"places after which to stop (default {LIMIT})"
    )
    fsck.set_defaults(run=_fsck)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _fsck(options: argparse.Namespace) -> int:
    if options.covers:
        return _covers(is_json=options.json)
    from carbonseal_api.assembly import system_clock
    from carbonseal_api.audit.service import audit_deployment, draw_projections, note_audit
    from carbonseal_api.running import settings_beside

    settings = settings_beside(options.data)
    if options.draw_projections:
        read = draw_projections(settings)
        print(f"projections drawn from {read} entries", file=sys.stderr)
    began_at = system_clock()
    found = audit_deployment(
        settings,
        limit=options.limit,
        with_projections=not options.no_projections,
        progress=_progress(),
    )
    report = found.report
    note_audit(settings, began_at=began_at, is_sound=report.is_sound)
    if options.json:
        print(json.dumps(found.to_json(), ensure_ascii=False, indent=2))
    else:
        for damage in report.damages:
            print(damage)
        for words in found.not_audited:
            print(f"not audited: {words}")
        print(
            f"{report.logs} logs, {report.entries} entries, {report.tiles} tiles, {report.contents} contents,"
            f" {report.epochs} epochs, {report.rows} rows with checksums, {found.documents} documents,"
            f" {found.projections} projected rows"
        )
        cut = " (stopped there)" if report.is_cut_off else ""
        print("sound" if report.is_sound else f"NOT SOUND: {len(report.damages)} places{cut}")
    return 0 if report.is_sound else 1


def _covers(*, is_json: bool) -> int:
    from carbonseal_api.audit.covers import all_covers

    covers = all_covers()
    if is_json:
        rows = [
            {"table": c.table, "column": c.column, "cover": str(c.cover), "reason": c.reason} for c in covers
        ]
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return 0
    width = max(len(f"{one.table}.{one.column}") for one in covers)
    for one in covers:
        print(f"{one.table + '.' + one.column:{width}}  {one}")
    return 0


def _progress() -> Progress:
    """Progress on standard error: a line that is written over on a terminal, else one now and then."""
    last = [""]

    def tell(what: str, done: int, of: int) -> None:
        share = f" {100 * done // of} %" if of > 1 else ""
        if sys.stderr.isatty():
            print(f"\r  … {what}{share}".ljust(78), end="\r", file=sys.stderr, flush=True)
        elif what != last[0]:
            print(f"fsck: {what}", file=sys.stderr, flush=True)
        last[0] = what

    return tell
