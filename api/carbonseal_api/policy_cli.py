"""`carbonseal policy`: show a log's registration policy, and amend it.

Exit codes: 0 done, 2 refused, with one line on standard error. `amend` needs the keys of log host, registrar
and party in the data folder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name


def add_commands(commands: Commands) -> None:
    """Add the commands about registration policies to the `carbonseal` command."""
    policy = commands.add_parser("policy", help="show or amend the registration policy of a party's logs")
    acts = policy.add_subparsers(title="acts", required=True, metavar="ACT")
    shown = _act(acts, "show", "show the policy in force and those before it, as JSON")
    shown.epilog = "example: carbonseal policy show --party e-7k2mq5xw3ztbn4pr"
    shown.set_defaults(run=_show)
    amended = _act(acts, "amend", "register another policy, agreed by party, log host and registrar")
    amended.epilog = (
        "example: carbonseal policy amend --party e-7k2mq5xw3ztbn4pr --reason 'a pilot of ten meters' "
        "policy.toml"
    )
    amended.add_argument("file", type=Path, help="TOML file of what changes; see docs/how-to/set-a-policy.md")
    amended.add_argument("--reason", required=True, help="why; stands in the statement, which is public")
    amended.add_argument("--dry-run", action="store_true", help="print the policy, register nothing")
    amended.set_defaults(run=_amend)


def _act(acts: Commands, name: str, text: str) -> argparse.ArgumentParser:
    parser = acts.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("--data", type=Path, help="data folder (default .carbonseal)")
    parser.add_argument("--party", required=True, help="party code, as `carbonseal admit` printed it")
    return parser


def _show(options: argparse.Namespace) -> int:
    from carbonseal_api.logs.service import policies
    from carbonseal_api.running import opened

    with opened(options.data) as parts:
        view = policies(parts, parts.host.policies(options.party).origin)
    print(json.dumps(view.model_dump(), indent=2))
    return 0


def _amend(options: argparse.Namespace) -> int:
    from carbonseal_api.desk.service import require_party_here
    from carbonseal_api.policy_acts import amend, read_policy
    from carbonseal_api.running import opened

    with opened(options.data) as parts:
        require_party_here(parts, options.party)
        policy = read_policy(options.file, parts.host.policies(options.party).newest.value)
        shown: dict[str, object] = {"party": options.party, "policy": policy}
        if not options.dry_run:
            shown["statement"] = amend(parts, options.party, policy, options.reason).digest.hex()
    print(json.dumps(shown, indent=2))
    return 0
