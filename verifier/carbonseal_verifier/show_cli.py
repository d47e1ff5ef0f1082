"""`carbonseal-verifier show`: what a file holds, in words and as exact JSON. Nothing is checked."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from carbonseal_attest import cbor
from carbonseal_attest.bundle import FORMAT, MAX_MEMBER, VERSION, read_members
from carbonseal_attest.errors import CarbonsealError
from carbonseal_verifier.errors import UsageInvalid
from carbonseal_verifier.paths import open_input
from carbonseal_verifier.shown import MAX_SHOWN, UNCHECKED, Shown, show

Subparsers = argparse._SubParsersAction  # noqa: SLF001 - argparse gives its return type no public name
_BUNDLE: Final = cbor.encode([FORMAT, VERSION])


def add_show(commands: Subparsers[argparse.ArgumentParser]) -> None:
    """Add `show`."""
    command = commands.add_parser(
        "show",
        help="what a statement, content, receipt or bundle holds, as it stands",
        description="Prints what a file is, its header and its content as exact JSON; of a bundle the names "
        "of its members, or one of them. Nothing is checked: that is what `check` does. "
        "Exit 0: shown; 2: nothing that can be shown.",
        epilog="examples: carbonseal-verifier show opinion.statement ; "
        "carbonseal-verifier show evidence.bundle --member contents/000000 --item 0",
    )
    command.add_argument("file", type=Path, metavar="FILE")
    command.add_argument("--member", metavar="NAME", help="a member of the bundle")
    command.add_argument(
        "--item", type=int, metavar="N", help="one of the statements or contents in a member, from 0"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    with open_input(arguments.file, "FILE", "give the path of a file") as stream:
        start = stream.read(len(_BUNDLE))
        stream.seek(0)
        if start == _BUNDLE:
            return _show_bundle(stream, arguments)
        if arguments.member is not None:
            raise UsageInvalid("--member", "the file is no bundle", "leave --member out")
        found = show(_item(stream.read(MAX_SHOWN + 1), arguments.item))
    _print(found, as_json=arguments.json)
    return 0


def _show_bundle(stream: BinaryIO, arguments: argparse.Namespace) -> int:
    if arguments.member is None:
        members = [{"name": name, "bytes": size, "items": items} for name, size, items in _members(stream)]
        if arguments.json:
            print(json.dumps({"what": "bundle", "members": members}))
            return 0
        print(f"bundle of {len(members)} members")
        for one in members:
            print(
                f"{one['bytes']:>12}  {one['name']}" + (f"  ({one['items']} items)" if one["items"] else "")
            )
        print(UNCHECKED)
        return 0
    for name, data in read_members(stream):
        if name == arguments.member:
            _print(show(_item(data, arguments.item)), as_json=arguments.json)
            return 0
    raise UsageInvalid(
        "--member",
        f"the bundle has no member {arguments.member!r:.80}",
        "give one that is listed without --member",
    )


def _members(stream: BinaryIO) -> Iterator[tuple[str, int, int | None]]:
    for name, data in read_members(stream):
        items = _items(data) if name.startswith(("entries/", "contents/")) else None
        yield name, len(data), None if items is None else len(items)


def _item(data: bytes, number: int | None) -> bytes:
    """The bytes to show: the whole, or item `number` of an array of byte strings."""
    if number is None:
        return data
    items = _items(data)
    if items is None:
        raise UsageInvalid("--item", "not an array of statements or contents", "leave --item out")
    if not 0 <= number < len(items):
        raise UsageInvalid("--item", f"there are {len(items)}, counted from 0", "give a smaller number")
    return items[number]


def _items(data: bytes) -> list[bytes] | None:
    try:
        value: Any = cbor.decode(data, max_size=MAX_MEMBER)
    except CarbonsealError:
        return None
    return value if isinstance(value, list) and all(isinstance(item, bytes) for item in value) else None


def _print(found: Shown, *, as_json: bool) -> None:
    print(json.dumps(found.to_json()) if as_json else f"{found.to_text()}\n{UNCHECKED}")
