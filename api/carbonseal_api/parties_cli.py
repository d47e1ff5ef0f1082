"""`carbonseal admit` and `carbonseal party`: whom the registrar admits, and under which standing.

They run where the registrar's key is. A verification body's key is never made here: it signs its opinions
with a key that no server has seen, or its word would be the server's.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from carbonseal_api.output_folder import new_output_file
from carbonseal_api.problems import RequestInvalid
from carbonseal_attest.algorithms import algorithm_named, algorithm_names
from carbonseal_attest.contents.identity import ROLES
from carbonseal_attest.identifiers import check_org

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name

ADMITTED: Final = tuple(role for role in ROLES if role != "log_host")


def add_commands(commands: Commands) -> None:
    """Add the commands about parties to the `carbonseal` command."""
    admit = commands.add_parser("admit", help="admit a party: its key, logs, API key")
    _add_data(admit)
    admit.add_argument("--name-zh", required=True, help="its name in Chinese")
    admit.add_argument("--name-en", required=True, help="its name in English")
    admit.add_argument("--org", help="unified social credit code, outside China the LEI")
    admit.add_argument("--industry", help="industry code of GB/T 4754, such as C31")
    admit.add_argument(
        "--role", action="append", choices=ADMITTED, help="may be given again (default enterprise)"
    )
    admit.add_argument(
        "--public-key",
        metavar="KEY",
        help="public key of a party that has its key elsewhere; left out, a key is made here",
    )
    admit.add_argument(
        "--algorithm",
        choices=algorithm_names(),
        help="of the key that is made here (default ed25519)",
    )
    admit.add_argument(
        "--out", type=Path, help="with --public-key: the invitation file (default invitation.json)"
    )
    admit.set_defaults(run=_admit)

    party = commands.add_parser("party", help="list or find parties; suspend, remove, readmit or rekey one")
    acts = party.add_subparsers(title="acts", required=True, metavar="ACT")
    _add_data(listed := acts.add_parser("list", help="list the parties that the registrar admitted"))
    listed.set_defaults(run=_list)
    _add_data(found := acts.add_parser("find", help="look up who a credit code or LEI is, in the register"))
    found.add_argument("org", help="unified social credit code or LEI")
    found.set_defaults(run=_find)
    _add_data(rotated := acts.add_parser("rotate", help="replace a party's key; the old one vouches for it"))
    rotated.add_argument("party", nargs="?", help="party code")
    rotated.add_argument(
        "--public-key", metavar="KEY", help="new key of a party that has it elsewhere; it endorses --out"
    )
    rotated.add_argument(
        "--algorithm",
        choices=algorithm_names(),
        help="of the new key, if it is made here (default that of the old one)",
    )
    rotated.add_argument("--out", type=Path, default=Path("rotation.json"), help="default rotation.json")
    rotated.add_argument("--endorsed", type=Path, metavar="FILE", help="register what both keys endorsed")
    rotated.set_defaults(run=_rotate)
    mirrored = acts.add_parser(
        "mirror",
        help="mirror a contract's events in the registrar's log; compare it with the register",
        description="Mirrors the final events of the registrar's contract Membership or MethodRegistry. "
        "Exit 1: the contract and the register differ about a party.",
    )
    _add_data(mirrored)
    mirrored.add_argument("contract", choices=("Membership", "MethodRegistry"), help="which one")
    mirrored.add_argument("address", help="its address, 40 hex digits")
    mirrored.set_defaults(run=_mirror)
    for act, text in (
        ("suspend", "refuse a party's statements and accounts until it is readmitted"),
        ("remove", "refuse a party's statements and accounts for good"),
        ("readmit", "take a party's statements and accounts again"),
    ):
        changed = acts.add_parser(act, help=text, description=f"{text[0].upper()}{text[1:]}.")
        _add_data(changed)
        changed.add_argument("party", help="party code")
        changed.add_argument("--reason", required=True, help="why; stands in the registrar's statement")
        changed.set_defaults(run=_change, act=act)


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="data folder (default .carbonseal)")


def _admit(options: argparse.Namespace) -> int:
    from carbonseal_api import admitting
    from carbonseal_api.deployment import admit_enterprise, host_facts_of
    from carbonseal_api.running import opened

    roles, name = tuple(options.role or ["enterprise"]), {"zh": options.name_zh, "en": options.name_en}
    if options.org is not None:
        check_org(options.org)
    if options.public_key is None:
        admitting.check_key_may_be_here(roles)
        if options.out is not None:
            raise RequestInvalid("out", "is for a party whose key is elsewhere", "give its --public-key too")
    elif options.algorithm is not None:
        raise RequestInvalid("algorithm", "is for a key that is made here", "leave it out: the key says it")
    with opened(options.data) as parts:
        if options.public_key is None:
            admitted = admit_enterprise(
                parts,
                name,
                roles=roles,
                org=options.org,
                industry=options.industry,
                algorithm=algorithm_named(options.algorithm or "ed25519").id,
            )
            shown: dict[str, Any] = asdict(admitted)
        else:
            out = options.out or Path("invitation.json")
            key = admitting.parse_public_key(options.public_key)
            with new_output_file(out) as file:
                invited = admitting.invite_party(
                    parts,
                    host_facts_of(parts),
                    key,
                    name,
                    roles=roles,
                    org=options.org,
                    industry=options.industry,
                )
                file.write(invited.invitation)
            shown = asdict(invited) | {"invitation": str(out)}
    print(json.dumps(shown, indent=2))
    return 0


def _list(options: argparse.Namespace) -> int:
    from carbonseal_api.organisations.queries import all_parties
    from carbonseal_api.running import opened

    with opened(options.data) as parts:
        parts.projections.refresh()
        rows = all_parties(parts.engine)
    shown = ("party", "status", "roles", "org", "name")
    for row in rows:
        print(json.dumps({name: row[name] for name in shown}, ensure_ascii=False))
    return 0


def _find(options: argparse.Namespace) -> int:
    from carbonseal_api.running import opened

    org = check_org(options.org)
    with opened(options.data) as parts:
        found = parts.host.parties_of(org)
    for record in found:
        shown = {"party": record.party, "status": record.status, "roles": sorted(record.roles)}
        print(json.dumps(shown | {"name": dict(record.name)}, ensure_ascii=False))
    if not found:
        raise RequestInvalid("org", "no party of that number is admitted", "see `carbonseal party list`")
    return 0


def _rotate(options: argparse.Namespace) -> int:
    from carbonseal_api import party_keys
    from carbonseal_api.admitting import parse_public_key
    from carbonseal_api.running import opened
    from carbonseal_attest.identity.party_rotation import read_rotation, write_rotation

    if (options.endorsed is None) == (options.party is None):
        raise RequestInvalid("party", "name a party, or a file with --endorsed", "give one of the two")
    with opened(options.data) as parts:
        if options.endorsed is not None:
            try:
                body = read_rotation(options.endorsed.read_bytes())
            except OSError as error:
                reason = f"cannot be read ({error.strerror})"
                raise RequestInvalid("--endorsed", reason, "name a file") from error
            statement = party_keys.register_rotation(parts, body)
            shown: dict[str, Any] = {"party": body["party"], "statement_digest": statement.digest.hex()}
        elif options.public_key is not None:
            body = party_keys.rotation_for(parts, options.party, parse_public_key(options.public_key))
            with new_output_file(options.out) as file:
                file.write(write_rotation(body))
            shown = {"party": options.party, "rotation": str(options.out)}
        else:
            wanted = None if options.algorithm is None else algorithm_named(options.algorithm).id
            key = party_keys.rotate_here(parts, options.party, algorithm=wanted)
            shown = {"party": options.party, "public_key": key.text()}
    print(json.dumps(shown))
    return 0


def _mirror(options: argparse.Namespace) -> int:
    from carbonseal_api.registrar_contracts import mirror_events
    from carbonseal_api.running import opened
    from carbonseal_ledger.chain_client import ChainClient

    try:
        address = bytes.fromhex(options.address.removeprefix("0x"))
    except ValueError:
        address = b""
    if len(address) != 20:
        raise RequestInvalid("address", "is no address", "give its 40 hex digits")
    with opened(options.data) as parts:
        if parts.settings.chain_rpc_url is None:
            raise RequestInvalid("chain_rpc_url", "names no node", "set CHAIN_RPC_URL to one of the chain")
        chain = ChainClient(parts.settings.chain_rpc_url, chain_id=parts.settings.chain_id)
        told = mirror_events(parts, chain, options.contract, address)
    print(json.dumps(asdict(told)))
    return 1 if told.differing else 0


def _change(options: argparse.Namespace) -> int:
    from carbonseal_api.admitting import change_status
    from carbonseal_api.running import opened

    with opened(options.data) as parts:
        statement = change_status(parts, options.party, options.act, options.reason)
    print(json.dumps({"party": options.party, "statement_digest": statement.digest.hex()}))
    return 0
