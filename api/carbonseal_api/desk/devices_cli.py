"""`carbonseal devices`: a party's devices by the thousand, and the end or the pause of one key.

`enrol` and `rotate` take the lines that devices made (`carbonseal-collector key request | rotate`), sign
them at the party's desk and register them in batches; run again, they go on where they were interrupted.
Exit codes: 0 all lines are taken, now or before; 1 some were refused, each said with line, field, reason and
remedy; 2 bad usage, a file that cannot be used, or a party that may not sign.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from carbonseal_api.problems import NotFound, RequestInvalid

if TYPE_CHECKING:
    from carbonseal_api.desk.device_requests import LineRefused, Tally

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name

_LEAP = 1000  # statements that a gateway may have signed and not delivered: a week of a hundred meters
_MOST_LEAP = 1 << 32
_REASON_LIMIT = 400  # characters, as the content's schema has it


def add_commands(commands: Commands) -> None:
    """Add the group `devices` to the `carbonseal` parser."""
    devices = commands.add_parser(
        "devices",
        help="enrol, rotate, suspend, lift, revoke and list devices",
        epilog="example: carbonseal devices enrol --party e-7k2mq5xw3ztbn4pr fleet.csv",
    )
    acts = devices.add_subparsers(title="acts", required=True, metavar="ACT")
    for act, lines, text in (
        ("enrol", "fleet.csv", "enrol the devices of a CSV file; run again, it goes on where it stopped"),
        ("rotate", "rotation.csv", "replace keys by the lines of a CSV file, old and new key endorsing"),
    ):
        taken = _act(acts, act, text, _take)
        taken.add_argument("file", type=Path, metavar="FILE.csv", help="requests; - reads standard input")
        taken.add_argument("--json", action="store_true", help="one JSON object a line, last the tally")
        taken.epilog = f"example: carbonseal devices {act} --party e-7k2mq5xw3ztbn4pr {lines}"
    for act, text in (
        ("suspend", "let a device's key sign nothing more until that is lifted"),
        ("lift", "let a suspended key sign again"),
        ("revoke", "end a device's key for good"),
    ):
        changed = _act(acts, act, text, _change)
        changed.add_argument("device", help="device code")
        changed.add_argument("--reason", required=True, help="why; stands in the statement")
    resumed = _act(acts, "resume", "let a device whose spool is lost go on; prints where", _resume)
    resumed.add_argument("device", help="device code")
    resumed.add_argument("--reason", required=True, help="why; stands in the statements")
    resumed.add_argument(
        "--leap",
        type=int,
        default=_LEAP,
        help="numbers left out, which it may have used before (default %(default)s)",
    )
    _act(acts, "list", "list the party's device keys, one JSON object a line", _list)


def _act(acts: Commands, name: str, text: str, run: Any) -> argparse.ArgumentParser:
    parser = acts.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("--data", type=Path, help="data folder (default .carbonseal)")
    parser.add_argument("--party", required=True, help="party code, as `carbonseal admit` printed it")
    parser.set_defaults(run=run, act=name)
    return parser


def _take(options: argparse.Namespace) -> int:
    from carbonseal_api.desk.device_requests import take_requests
    from carbonseal_api.desk.service import Desk
    from carbonseal_api.running import opened
    from carbonseal_attest.identity.device_requests import read_requests

    requests = read_requests(_lines(options.file))
    with opened(options.data) as parts:
        desk = Desk(parts, options.party)
        try:
            tally = take_requests(
                parts.host,
                parts.desks,
                options.party,
                desk.register_origin,
                desk.data_origin,
                requests,
                action=options.act,
                refuse=lambda refused: _say_refusal(refused, is_json=options.json),
                progress=lambda tally: _say_progress(tally, is_json=options.json),
            )
        except BrokenPipeError as error:  # unlike the end of a list, the rest of the file is still to be done
            raise RequestInvalid(
                "output", "was closed before the end of the file", "run it again: it goes on where it stopped"
            ) from error
        parts.projections.refresh()
    shown = {"read": tally.read, "taken": tally.taken, "known": tally.known, "refused": tally.refused}
    print(json.dumps(shown) if options.json else ", ".join(f"{name} {n}" for name, n in shown.items()))
    return 1 if tally.refused else 0


def _lines(path: Path) -> TextIO:
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return io.StringIO(data.decode("utf-8-sig"), newline="")  # ends lines where an editor does
    except OSError as error:
        raise RequestInvalid(str(path), f"cannot be read ({error.strerror})", "name a file") from error
    except UnicodeDecodeError as error:
        raise RequestInvalid(str(path), "is not UTF-8", "save it as CSV in UTF-8") from error


def _say_refusal(refused: LineRefused, *, is_json: bool) -> None:
    if is_json:
        print(json.dumps({"refused": refused.to_json()}, ensure_ascii=False), flush=True)
    else:
        words = f"line {refused.line}, {refused.device}: {refused.field}: {refused.reason}; {refused.remedy}"
        print("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words), flush=True)


def _say_progress(tally: Tally, *, is_json: bool) -> None:
    if is_json:
        print(json.dumps({"read": tally.read, "taken": tally.taken, "known": tally.known}), flush=True)
    else:
        done = f"so far {tally.read} read, {tally.taken} taken, {tally.known} known, {tally.refused} refused"
        print(done, file=sys.stderr, flush=True)


def _change(options: argparse.Namespace) -> int:
    from carbonseal_api.desk.service import Desk
    from carbonseal_api.running import opened
    from carbonseal_attest.identity.device_statements import withdrawal

    reason = _reason(options)
    with opened(options.data) as parts:
        desk = Desk(parts, options.party)
        held = parts.host.device_keys(options.party).holder(options.device)
        if held is None:
            raise NotFound("device", "has no key", "see `carbonseal devices list`")
        # What the log holds of the key's streams still counts; a gateway's backlog beyond it does not.
        heads = parts.host.stream_heads(desk.data_origin, kid=held.key.kid)
        last = [(head.stream, head.sequence, head.digest) for head in heads] if options.act != "lift" else []
        body = withdrawal(options.party, options.device, held.key, options.act, last=last, reason=reason)
        statement = desk.issue_about_device(body)
        parts.projections.refresh()
    print(json.dumps({"device": options.device, "key": held.key.text(), "statement": statement.digest.hex()}))
    return 0


def _resume(options: argparse.Namespace) -> int:
    from carbonseal_api.desk.service import Desk
    from carbonseal_api.running import opened

    reason = _reason(options)
    if not 0 <= options.leap <= _MOST_LEAP:
        raise RequestInvalid("--leap", "is out of reach", f"write 0 to {_MOST_LEAP}")
    with opened(options.data) as parts:
        desk = Desk(parts, options.party)
        held = parts.host.device_keys(options.party).holder(options.device)
        if held is None or held.status != "active":
            state = "no key" if held is None else f"a key that is {held.status}"
            raise NotFound("device", f"has {state}", "see `carbonseal devices list`")
        for head in parts.host.stream_heads(desk.data_origin, kid=held.key.kid):
            number = head.sequence + 1 + options.leap
            statement = desk.resume(held.device, held.key.kid, head.stream, number, reason)
            place = {"kid": held.key.kid.hex(), "stream": head.stream, "next_sequence": number}
            print(json.dumps(place | {"previous": statement.digest.hex()}), flush=True)
        parts.projections.refresh()
    return 0


def _reason(options: argparse.Namespace) -> str:
    reason: str = options.reason.strip()
    if not reason or len(reason) > _REASON_LIMIT:
        raise RequestInvalid("--reason", "is missing or too long", f"say why, in {_REASON_LIMIT} characters")
    return reason


def _list(options: argparse.Namespace) -> int:
    from carbonseal_api.desk.service import require_party_here
    from carbonseal_api.running import opened
    from carbonseal_attest.instants import format_instant

    with opened(options.data) as parts:
        require_party_here(parts, options.party)
        keys = parts.host.device_keys(options.party).keys.values()
    for key in sorted(keys, key=lambda one: (one.device, one.enrolled)):
        expires = None if key.expires is None else format_instant(key.expires)
        print(
            json.dumps(
                {
                    "device": key.device,
                    "key": key.key.text(),
                    "status": key.status,
                    "class": key.signer_class,
                    "subjects": sorted(key.subjects - {key.device}),
                    "expires": expires,
                    "vouched_for_by": None if key.predecessor is None else key.predecessor.hex(),
                    "on_the_partys_word": key.is_replacement,
                }
            )
        )
    return 0
