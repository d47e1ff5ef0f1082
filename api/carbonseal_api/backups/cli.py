"""`carbonseal backup` and `carbonseal restore`.

Exit codes: 0 done, and after a restore: the same logs go on; 1 restored, and refused because going on would
fork a log, or receiving ended by itself; 2 bad usage, or a backup that cannot be taken or believed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_LOOK_SECONDS: Final = 0.5
_EXAMPLES: Final = """examples:
  carbonseal backup --to /mnt/other/2026-11-20            a copy, taken while the service works
  carbonseal backup --to /mnt/other/2026-11-20 --follow   and every commit after it, until Ctrl-C
  carbonseal restore --from /mnt/other/2026-11-20 --data /srv/carbonseal
"""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `backup` and `restore`."""
    form = argparse.RawDescriptionHelpFormatter
    taken = commands.add_parser(
        "backup", help="back up the running service's database", epilog=_EXAMPLES, formatter_class=form
    )
    taken.add_argument("--to", type=Path, required=True, help="new folder, on another disk")
    taken.add_argument("--follow", action="store_true", help="go on receiving each commit until Ctrl-C")
    taken.set_defaults(run=_backup)
    back = commands.add_parser(
        "restore",
        help="restore a backup, and say whether its logs may go on",
        epilog=_EXAMPLES,
        formatter_class=form,
    )
    back.add_argument("--from", dest="source", type=Path, required=True, help="folder of the backup")
    back.set_defaults(run=_restore)
    for parser in (taken, back):
        parser.add_argument("--data", type=Path, help="data folder (default .carbonseal)")
        parser.add_argument("--json", action="store_true", help="print the result as one JSON line")


def _backup(options: argparse.Namespace) -> int:
    from carbonseal_api.assembly import system_clock
    from carbonseal_api.backups.service import DATABASE, back_up, new_backup_folder
    from carbonseal_api.settings import load_settings
    from carbonseal_ledger.physical_backup import receiving_wal

    settings = load_settings(data_folder=options.data)
    new_backup_folder(options.to)
    server = settings.data_folder / DATABASE
    with contextlib.ExitStack() as stack:
        # Receiving begins first, so that nothing is written between the copy and what follows it.
        process = stack.enter_context(receiving_wal(server, options.to)) if options.follow else None
        told = back_up(settings, options.to, system_clock, _progress())
        entries = sum(told["heads"].values())
        line = f"{options.to}: {len(told['heads'])} logs, at least {entries} entries"
        print(json.dumps(told) if options.json else line, flush=True)
        if process is None:
            return 0
        print("receiving each commit until Ctrl-C", file=sys.stderr, flush=True)
        ended = False

        def end(*_: object) -> None:
            nonlocal ended
            ended = True

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, end)
        while not ended:
            if process.poll() is not None:
                print("the database ended, or no longer has what is missing; back up again", file=sys.stderr)
                return 1
            time.sleep(_LOOK_SECONDS)
    return 0


def _restore(options: argparse.Namespace) -> int:
    from carbonseal_api.backups.service import restore
    from carbonseal_api.running import settings_beside

    restored = restore(settings_beside(options.data), options.source, _progress())
    refusal = restored.refusal
    if options.json:
        problem = refusal and {
            "code": refusal.code,
            "field": refusal.field,
            "reason": refusal.reason,
            "remedy": refusal.remedy,
        }
        print(json.dumps({"goes_on": refusal is None, "heads": restored.heads, "problem": problem}))
    else:
        for origin, size in sorted(restored.heads.items()):
            print(f"{origin}: {size} entries")
        print("the same logs go on" if refusal is None else f"restored, and refused to run: {refusal}")
    return 0 if refusal is None else 1


def _progress() -> Callable[[str], None]:
    def show(words: str) -> None:
        print(f"  {words}", file=sys.stderr, flush=True)

    return show
