"""Commands `grant` and `grant-withdraw`, on the machine that holds the enterprise's key file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name


def add_commands(commands: Commands) -> None:
    """Add the commands to the `carbonseal` parser."""
    grant = _command(commands, "grant", "let a bank or a verification body see a period")
    grant.epilog = (
        "example: carbonseal grant --party e-7k2mq5xw3ztbn4pr --to b-5p3rwx7kq2mzt4bn --purpose loan "
        "--level grade --period 2026 --until 2027-12-31"
    )
    grant.add_argument("--to", required=True, help="party code or credit code of the grantee, or public")
    grant.add_argument("--purpose", required=True, help="loan, verification, disclosure or research")
    grant.add_argument("--level", required=True, help="grade, report or evidence")
    grant.add_argument(
        "--period", required=True, help="days of China: 2026, 2026-01 or 2026-01-01..2026-03-31"
    )
    grant.add_argument(
        "--until", required=True, help="last day on which the grant stands, such as 2027-12-31"
    )
    grant.set_defaults(run=_give)
    withdraw = _command(commands, "grant-withdraw", "withdraw a grant; it ends at once")
    withdraw.add_argument("digest", help="statement digest that `grant` printed")
    withdraw.add_argument("--reason", default="withdrawn by its owner", help="kept in the withdrawal")
    withdraw.set_defaults(run=_withdraw)


def _command(commands: Commands, name: str, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("--data", type=Path, help="data folder (default .carbonseal)")
    parser.add_argument("--party", required=True, help="party code, as `carbonseal admit` printed it")
    return parser


def _give(options: argparse.Namespace) -> int:
    from carbonseal_api.civil_days import end_of, parse_civil_span, parse_day
    from carbonseal_api.grants import service
    from carbonseal_api.running import opened

    start, end = parse_civil_span(options.period, "--period")
    until = end_of(parse_day(options.until, "--until"))
    with opened(options.data) as parts:
        body = {
            "to": service.party_named(parts, options.to),
            "purpose": options.purpose,
            "level": options.level,
            "period": {"start": start, "end": end},
            "valid": {"start": parts.clock(), "end": until},
        }
        statement = service.give(parts, options.party, body)
        grant = service.by_digest(parts, options.party, statement.digest)
    return _print({"grant": grant.grant, "to": grant.to, "statement": statement.digest.hex()})


def _withdraw(options: argparse.Namespace) -> int:
    from carbonseal_api.grants import service
    from carbonseal_api.incoming import parse_digest
    from carbonseal_api.running import opened

    with opened(options.data) as parts:
        digest = parse_digest(options.digest)
        statement = service.withdraw(parts, options.party, digest, options.reason)
    return _print({"withdrawn": digest.hex(), "statement": statement.digest.hex()})


def _print(value: dict[str, str]) -> int:
    print(json.dumps(value, ensure_ascii=False, indent=2))
    return 0
