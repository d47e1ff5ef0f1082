"""`carbonseal succession`: plan, found, trust, and what guardians send to the contract.

Nothing is sent to the chain from here. Guardians have accounts of their own, perhaps of several persons; they
get the contract's address and the data to send. Exit codes: 0 done, 2 bad usage or a refused input.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from carbonseal_api.output_folder import new_output_file

_EXAMPLES: Final = """examples:
  carbonseal succession plan --data /srv/old --out succession.json --close
  carbonseal succession found --data /srv/new --plan succession.json --keys /srv/old/keys
  carbonseal succession trust --data /srv/new            lines for a trust file
  carbonseal succession appoint 0xAAA… 0xBBB…            names two guardians, once, while all is well
  carbonseal succession say --data /srv/old --successor /srv/new
"""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `succession`."""
    form = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(
        "succession",
        help="close a log host whose keys or data are lost, and go on",
        description="Close a log host whose keys or data are lost, and found the one that goes on.",
        epilog=_EXAMPLES,
        formatter_class=form,
    )
    acts = parser.add_subparsers(title="acts", required=True, metavar="ACT")
    planned = acts.add_parser("plan", help="write the last anchored heads of a log host into a file")
    planned.add_argument("--out", type=Path, default=Path("succession.json"), help="default succession.json")
    planned.add_argument("--close", action="store_true", help="and have this deployment refuse to run")
    planned.set_defaults(run=_plan)
    founded = acts.add_parser("found", help="found the log host that goes on, in a new data folder")
    founded.add_argument("--plan", type=Path, required=True, help="file that `plan` wrote")
    founded.add_argument("--keys", type=Path, required=True, help="key folder of the old log host")
    founded.set_defaults(run=_found)
    trusted = acts.add_parser("trust", help="print what a trust file says about the closed logs")
    trusted.set_defaults(run=_trust)
    named = acts.add_parser("appoint", help="print what names the two guardians of the log of logs, once")
    named.add_argument("guardian", nargs=2, help="address of an account, 0x and 40 digits")
    named.set_defaults(run=_appoint)
    said = acts.add_parser("say", help="print what the two guardians send to close the log of logs")
    said.add_argument("--successor", type=Path, required=True, help="data folder of the one that goes on")
    said.set_defaults(run=_say)
    for act in (planned, founded, trusted, named, said):
        act.add_argument("--data", type=Path, help="data folder (default .carbonseal)")


def _plan(options: argparse.Namespace) -> int:
    from carbonseal_api.assembly import system_clock
    from carbonseal_api.running import refuse_while_running, settings_beside
    from carbonseal_api.succession.plan import write_plan
    from carbonseal_api.succession.service import close, plan_of

    settings = settings_beside(options.data)
    if options.close:
        refuse_while_running(settings)  # it would go on giving receipts that count nowhere
    plan = plan_of(settings, system_clock)
    with new_output_file(options.out) as file:
        file.write(write_plan(plan))
    if options.close:
        close(settings, plan)
    told = {
        "plan": str(options.out),
        "epoch": plan.epoch,
        "logs": 1 + len(plan.logs),
        "parties": len(plan.parties),
    }
    print(json.dumps(told | {"closed": options.close}))
    return 0


def _found(options: argparse.Namespace) -> int:
    from carbonseal_api.assembly import system_clock
    from carbonseal_api.running import settings_beside
    from carbonseal_api.succession.plan import read_plan
    from carbonseal_api.succession.service import found_successor

    print("founding the successor; its parties are admitted one by one", file=sys.stderr, flush=True)
    founded = found_successor(
        settings_beside(options.data), read_plan(options.plan), options.keys, system_clock
    )
    told = {"log_host_name": founded.log_host_name, "admitted": list(founded.admitted)}
    print(json.dumps(told | {"to_invite": list(founded.to_invite)}))
    return 0


def _trust(options: argparse.Namespace) -> int:
    from carbonseal_api.running import settings_beside
    from carbonseal_api.succession.service import closed_logs

    for log in closed_logs(settings_beside(options.data)):
        print("\n".join(log.lines()))
    return 0


def _appoint(options: argparse.Namespace) -> int:
    from carbonseal_api.running import settings_beside
    from carbonseal_api.succession.guardians import appointment

    print(json.dumps(appointment(settings_beside(options.data), options.guardian)))
    return 0


def _say(options: argparse.Namespace) -> int:
    from carbonseal_api.running import settings_beside
    from carbonseal_api.succession.guardians import words

    old, new = settings_beside(options.data), settings_beside(options.successor)
    print(json.dumps(words(old, new), indent=1))
    return 0
