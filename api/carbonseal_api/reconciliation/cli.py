"""Commands `carbonseal reconcile …`: compare every source now, show what disagrees, say that one has looked.

Exit codes: 0 all sources tell one story, 1 they disagree or one could not be asked (`show`: something is
held), 2 refused. `run` compares what it can also where the service refuses to start.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from carbonseal_api.reconciliation.schemas import KeptDisagreementView, ReconciliationView

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name

_EXAMPLES = """examples:
  carbonseal reconcile run
  carbonseal reconcile show --json
  carbonseal reconcile acknowledge 8d1f0c5e7a2b9f34 --by "Li Na" --reason "copy restored from the second disk"
"""
_PROGRESS_SECONDS: Final = 2.0


def add_commands(commands: Commands) -> None:
    """Add the commands to the `carbonseal` parser."""
    text = "compare database, published copy, log of logs and contract; look at what disagrees"
    reconcile = commands.add_parser(
        "reconcile",
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    acts = reconcile.add_subparsers(title="commands", required=True, metavar="COMMAND")
    run = _command(acts, "run", "compare every source now; exit code 1 when something disagrees")
    run.set_defaults(run=_run)
    show = _command(acts, "show", "show the disagreements, and who has looked; exit code 1 while one blocks")
    show.add_argument("--all", action="store_true", help="those that are gone and looked at too")
    show.set_defaults(run=_show)
    acknowledge = _command(acts, "acknowledge", "say that a person has looked at one; what it held goes on")
    acknowledge.add_argument("id", help="of the disagreement")
    acknowledge.add_argument("--by", required=True, metavar="NAME", help="the person who has looked")
    acknowledge.add_argument("--reason", required=True, metavar="TEXT", help="what was found and done")
    acknowledge.set_defaults(run=_acknowledge)


def _command(acts: Commands, name: str, text: str) -> argparse.ArgumentParser:
    command = acts.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    command.add_argument("--data", type=Path, help="data folder (default .carbonseal)")
    command.add_argument("--json", action="store_true", help="print JSON")
    return command


def _run(options: argparse.Namespace) -> int:
    from carbonseal_api.reconciliation import service
    from carbonseal_api.reconciliation.schemas import shown
    from carbonseal_api.running import opened, settings_beside
    from carbonseal_api.without_service import reconciled_alone
    from carbonseal_ledger.errors import LedgerError

    progress = _Progress()
    try:
        with opened(options.data) as parts:
            newest, book = service.run(parts, progress), parts.holding.book
            view = shown(book.standing(), book.disagreements())
    except LedgerError as refusal:
        # The service would not start: all the more reason to say what disagrees.
        print(f"the service refuses to start: {refusal}", file=sys.stderr)
        newest, view = reconciled_alone(settings_beside(options.data), str(refusal), progress)
    _print(view, options, with_gone=False)
    return 1 if newest.present or newest.missing else 0


def _show(options: argparse.Namespace) -> int:
    from carbonseal_api.reconciliation.schemas import shown
    from carbonseal_api.running import settings_beside
    from carbonseal_api.without_service import opened_book

    with opened_book(settings_beside(options.data)) as book:
        view = shown(book.standing(), book.disagreements())
    _print(view, options, with_gone=options.all)
    return 1 if view.is_held else 0


def _acknowledge(options: argparse.Namespace) -> int:
    from carbonseal_api.reconciliation.schemas import disagreement_view
    from carbonseal_api.running import settings_beside
    from carbonseal_api.without_service import opened_book

    with opened_book(settings_beside(options.data)) as book:
        told = disagreement_view(book.acknowledge(options.id, person=options.by, reason=options.reason))
        left = len(book.blocking())
    if options.json:
        print(json.dumps(told.model_dump(), ensure_ascii=False, indent=2))
        return 0
    _print_one(told)
    print("nothing is held any more" if not left else f"{left} more wait to be looked at; reports are held")
    return 0


class _Progress:
    """Says every two seconds how many logs were read; nothing in a run that is quicker."""

    def __init__(self) -> None:
        self._said_at = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._said_at >= _PROGRESS_SECONDS:
            self._said_at = time.monotonic()
            print(f"compared {done} of {total} logs", file=sys.stderr)


def _print(view: ReconciliationView, options: argparse.Namespace, *, with_gone: bool) -> None:
    if options.json:
        print(json.dumps(view.model_dump(), ensure_ascii=False, indent=2))
        return
    if view.newest is None:
        print("no reconciliation ran yet")
    else:
        print(f"{view.newest.ended_at}  {view.newest.logs} logs, {view.newest.present} disagreements")
        for source in view.newest.missing:
            print(f"  not compared: {source}")
    for one in view.disagreements:
        if one.blocks or one.is_present or with_gone:
            _print_one(one)
    print("new reports and asset movements are held" if view.is_held else "nothing is held")


def _print_one(one: KeptDisagreementView) -> None:
    there = "still there" if one.is_present else "gone by itself"
    looked = "nobody has looked" if one.blocks else "looked at"
    print(f"{one.id}  {one.code}  {one.subject}  ({there}, {looked})")
    print(f"  {one.detail}")
    for look in one.looks:
        print(f"  {look.at} {look.person}: {look.reason}")
