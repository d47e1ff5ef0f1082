"""Commands `carbonseal asset …`: the holder proposes, the registrar confirms, everybody else looks.

They run on the machine that holds the deployment's data folder, beside the running service, with the accounts
in its key folder: a pilot's stand-in for two persons with a machine each. Each prints one JSON value. Exit
codes: 0 done, 1 contract, database and log disagree (`agreement`), 2 refused.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name

_ENDS: Final = {
    "retire": "propose a retirement: units used up for a voluntary claim",
    "surrender": "propose a surrender: units used up against an obligation",
    "cancel": "propose a cancellation: units that nobody may claim",
}


def add_commands(commands: Commands) -> None:
    """Add the command `asset` to the `carbonseal` parser."""
    asset = commands.add_parser(
        "asset",
        help="carbon-asset records: propose, confirm, look",
        description="Carbon-asset records mirror units of an official registry. Every act takes two persons.",
    )
    acts = asset.add_subparsers(title="acts", required=True, metavar="ACT")
    record = _proposal(acts, "record", "propose to record units of a verified report")
    record.add_argument("--registry", required=True, help="official registry, such as CCER")
    record.add_argument("--batch", required=True, help="batch in it")
    record.add_argument("--first", required=True, type=int, help="first serial")
    record.add_argument("--last", required=True, type=int, help="last serial, included")
    record.add_argument(
        "--verification-report", required=True, help="statement digest of the verification report"
    )
    split = _proposal(acts, "split", "propose to divide a record", with_record=True)
    split.add_argument("--last-of-left", required=True, type=int, help="last serial of the left part")
    move = _proposal(acts, "move", "propose to mirror an official transfer", with_record=True)
    move.add_argument("--to", required=True, help="party code of the receiver")
    move.add_argument("--reference", help="official transfer that it mirrors")
    for name, text in _ENDS.items():
        end = _proposal(acts, name, text, with_record=True)
        end.add_argument("--reference", help="official act that it mirrors")
    release = _proposal(acts, "release", "propose to lift a freeze whose cause is cured", with_record=True)
    release.add_argument("--cause", required=True, help="statement digest of the impact that froze it")
    release.add_argument("--cure", required=True, help="statement digest of the impact that says it is cured")
    confirm = _command(acts, "confirm", "confirm an act as the registrar", _confirm)
    confirm.add_argument("id", help="id that the proposal printed")
    listed = _command(acts, "list", "list records, and the acts that wait", _list)
    listed.add_argument("--party", help="only of this holder")
    show = _command(acts, "show", "show one record with its way", _show)
    show.add_argument("record", help="id of the record")
    _command(acts, "agreement", "compare contract, database and log", _agreement)


def _command(
    acts: Commands, name: str, text: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    parser = acts.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("--data", type=Path, help="data folder (default .carbonseal)")
    parser.set_defaults(run=run)
    return parser


def _proposal(acts: Commands, name: str, text: str, *, with_record: bool = False) -> argparse.ArgumentParser:
    parser = _command(acts, name, text, _propose)
    parser.set_defaults(act=name)
    parser.add_argument("--party", required=True, help="holder's party code")
    if with_record:
        parser.add_argument("record", help="id of the record")
    return parser


def _propose(options: argparse.Namespace) -> int:
    from pydantic import TypeAdapter, ValidationError

    from carbonseal_api.assets import service, views
    from carbonseal_api.assets.service import Actor
    from carbonseal_api.assets.wishes import AnyWish
    from carbonseal_api.problems import RequestInvalid
    from carbonseal_api.running import opened

    fields = {name: value for name, value in vars(options).items() if name not in {"run", "data", "party"}}
    try:
        wish = TypeAdapter(AnyWish).validate_python(fields)
    except ValidationError as problem:
        first = problem.errors()[0]
        place = f"--{first['loc'][-1]}".replace("_", "-")
        raise RequestInvalid(place, first["msg"], "see --help for what is taken") from problem
    with opened(options.data) as parts:
        row = service.propose(parts, Actor.at_desk(options.party), wish)
        return _print(views.act(parts, row).model_dump())


def _confirm(options: argparse.Namespace) -> int:
    from carbonseal_api.assets import service, views
    from carbonseal_api.assets.service import Actor
    from carbonseal_api.running import opened

    with opened(options.data) as parts:
        row = service.confirm(parts, Actor.at_desk(parts.registrar), options.id)
        return _print(views.act(parts, row).model_dump())


def _list(options: argparse.Namespace) -> int:
    from carbonseal_api.assets import views
    from carbonseal_api.running import opened

    with opened(options.data) as parts:
        principal = views.owner_of_folder(parts)
        parts.projections.refresh()
        found = views.records(parts, principal, options.party)
        waiting = [
            one
            for one in views.acts(parts, principal)
            if one.state not in {"mirrored", "failed"} and options.party in {None, one.holder}
        ]
        records, acts = ([one.model_dump() for one in many] for many in (found, waiting))
        return _print({"records": records, "waiting": acts})


def _show(options: argparse.Namespace) -> int:
    from carbonseal_api.assets import views
    from carbonseal_api.incoming import parse_digest
    from carbonseal_api.running import opened

    with opened(options.data) as parts:
        parts.projections.refresh()
        shown = views.record(parts, views.owner_of_folder(parts), parse_digest(options.record, "record"))
        return _print(shown.model_dump())


def _agreement(options: argparse.Namespace) -> int:
    from carbonseal_api.assets import agreement, service
    from carbonseal_api.running import opened

    with opened(options.data) as parts:
        chain = service.chain_of(parts)
        service.step(parts)  # what is on its way is finished first
        found = agreement.check_and_keep(parts, chain)
        _print(found.model_dump())
        return 0 if found.is_agreed else 1


def _print(value: dict[str, Any]) -> int:
    print(json.dumps(value, ensure_ascii=False, indent=2))
    return 0
