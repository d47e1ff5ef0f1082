"""`carbonseal client` and `carbonseal person`: the accounts of a party, made and withdrawn at the machine.

What is printed as JSON holds secrets, once: give it to whom it is for, and to nobody else.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carbonseal_attest.instants import format_instant

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name


def add_commands(commands: Commands) -> None:
    """Add the commands about accounts to the `carbonseal` command."""
    client = _group(commands, "client", "OAuth2 clients of a party's programs")
    made = _act(client, "add", "make a client; prints its secret once", _add_client)
    made.add_argument("--party", required=True, help="party code")
    made.add_argument("--roles", required=True, help="roles, separated by commas")
    made.add_argument("--label", required=True, help="what it is for")
    _act(client, "list", "list the clients of a party", _list_clients).add_argument(
        "--party", required=True, help="party code"
    )
    _act(client, "withdraw", "end a client and its tokens", _withdraw_client).add_argument("client_id")

    person = _group(commands, "person", "persons of a party, who sign in on the pages")
    added = _act(person, "add", "add a person; prints link and code secret once", _add_person)
    added.add_argument("--party", required=True, help="party code")
    added.add_argument("--login", required=True, help="name to sign in with, such as li.wei@example.org")
    added.add_argument("--roles", required=True, help="roles, separated by commas")
    _act(person, "list", "list the persons of a party", _list_persons).add_argument(
        "--party", required=True, help="party code"
    )
    _act(person, "withdraw", "end a person's sign-in and sessions", _withdraw_person).add_argument(
        "person_id"
    )


def _group(commands: Commands, name: str, text: str) -> Commands:
    parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    return parser.add_subparsers(title="acts", required=True, metavar="ACT")


def _act(group: Commands, name: str, text: str, run: Any) -> argparse.ArgumentParser:
    parser = group.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("--data", type=Path, help="data folder (default .carbonseal)")
    parser.set_defaults(run=lambda options: _with_parts(options, run))
    return parser


def _with_parts(options: argparse.Namespace, run: Any) -> int:
    from carbonseal_api.running import opened

    with opened(options.data) as parts:
        shown = run(parts, options)
    if shown is not None:
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    return 0


def _add_client(parts: Any, options: argparse.Namespace) -> Any:
    from carbonseal_api.accounts.clients import add_client

    return asdict(add_client(parts, options.party, options.roles.split(","), options.label))


def _list_clients(parts: Any, options: argparse.Namespace) -> Any:
    from carbonseal_api.accounts.clients import clients_of

    return [
        {"client_id": row.client_id, "roles": list(row.roles), "label": row.label, **_times(row)}
        for row in clients_of(parts, options.party)
    ]


def _withdraw_client(parts: Any, options: argparse.Namespace) -> None:
    from carbonseal_api.accounts.clients import withdraw_client

    withdraw_client(parts, options.client_id)


def _add_person(parts: Any, options: argparse.Namespace) -> Any:
    from carbonseal_api.accounts.persons import add_person

    return asdict(add_person(parts, options.party, options.login, options.roles.split(",")))


def _list_persons(parts: Any, options: argparse.Namespace) -> Any:
    from carbonseal_api.accounts.persons import persons_of

    return [
        {"person_id": row.person_id, "login": row.login, "roles": list(row.roles), **_times(row)}
        for row in persons_of(parts, options.party)
    ]


def _withdraw_person(parts: Any, options: argparse.Namespace) -> None:
    from carbonseal_api.accounts.persons import withdraw_person

    withdraw_person(parts, options.person_id)


def _times(row: Any) -> dict[str, str | None]:
    gone = row.withdrawn_at
    return {
        "created_at": format_instant(row.created_at),
        "withdrawn_at": None if gone is None else format_instant(gone),
    }
