"""Commands `carbonseal anchoring …`: where each head of the log of logs stands, and failed ones planned anew.

They read the journal of anchors and need neither service nor node. Exit codes: 0 done, 1 a head has failed
(`show`), 2 refused.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from carbonseal_ledger.anchoring import AnchorRecord

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name

_EXAMPLES = """examples:
  carbonseal anchoring show
  carbonseal anchoring show --unfinished --json
  carbonseal anchoring retry
"""


def add_commands(commands: Commands) -> None:
    """Add the commands to the `carbonseal` parser."""
    text = "show where each head of the log of logs stands on the chain; plan failed ones anew"
    anchoring = commands.add_parser(
        "anchoring",
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    acts = anchoring.add_subparsers(title="commands", required=True, metavar="COMMAND")
    show = _command(acts, "show", "show each head with its state; exit code 1 when one has failed")
    show.add_argument("--unfinished", action="store_true", help="only those that are not final")
    show.set_defaults(run=_show)
    retry = _command(acts, "retry", "plan anew what has failed, once its cause is cured")
    retry.set_defaults(run=_retry)


def _command(acts: Commands, name: str, text: str) -> argparse.ArgumentParser:
    command = acts.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    command.add_argument("--data", type=Path, help="data folder (default .carbonseal)")
    command.add_argument("--json", action="store_true", help="print JSON")
    return command


def _show(options: argparse.Namespace) -> int:
    from carbonseal_api.running import settings_beside
    from carbonseal_api.without_service import opened_anchors
    from carbonseal_ledger.anchoring import AnchorState

    with opened_anchors(settings_beside(options.data)) as anchors:
        records = anchors.anchorer.records()
    shown = [one for one in records if not options.unfinished or one.state != AnchorState.FINAL]
    _print(shown, as_json=options.json)
    return 1 if any(one.state == AnchorState.FAILED for one in records) else 0


def _retry(options: argparse.Namespace) -> int:
    from carbonseal_api.running import settings_beside
    from carbonseal_api.without_service import opened_anchors
    from carbonseal_ledger.anchoring import AnchorState

    with opened_anchors(settings_beside(options.data)) as anchors:
        failed = {one.tree_size for one in anchors.anchorer.records() if one.state == AnchorState.FAILED}
        anchors.anchorer.retry_failed()
        planned = [one for one in anchors.anchorer.records() if one.tree_size in failed]
    _print(planned, as_json=options.json)
    return 0


def _print(records: list[AnchorRecord], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([_value(one) for one in records], indent=2))
        return
    for one in records:
        where = "" if one.block_number is None else f"  block {one.block_number}"
        lost = "" if not one.final_losses else f"  {one.final_losses} final blocks lost"
        print(f"size {one.tree_size}  {one.state}{where}{lost}")
        if one.problem:
            print(f"  {one.problem}")
    if not records:
        print("no head")


def _value(one: AnchorRecord) -> dict[str, Any]:
    return {
        "tree_size": one.tree_size,
        "root_hash": one.root_hash.hex(),
        "state": str(one.state),
        "transaction": None if one.transaction_hash is None else "0x" + one.transaction_hash.hex(),
        "block_number": one.block_number,
        "block_hash": None if one.block_hash is None else "0x" + one.block_hash.hex(),
        "anchored_at": one.anchored_at,
        "gas_used": one.gas_used,
        "final_losses": one.final_losses,
        "problem": one.problem,
    }
