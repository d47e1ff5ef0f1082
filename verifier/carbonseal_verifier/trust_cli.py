"""`carbonseal-verifier trust`: a trust file in words, two compared, its digest read out, and signing it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from carbonseal_attest.trust import MAX_TRUST_FILE, TrustFile, sign_trust_text
from carbonseal_verifier.body_key import open_key
from carbonseal_verifier.errors import UsageInvalid
from carbonseal_verifier.paths import check_output, open_input, read_trust, write_output
from carbonseal_verifier.trust_changes import changes, verdict
from carbonseal_verifier.trust_words import fingerprint_lines, to_json, to_text


def add_trust(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `trust show | diff | fingerprint | sign`."""
    trust = commands.add_parser(
        "trust",
        help="what a trust file lets pass: show, compare, read out",
        epilog="example: carbonseal-verifier trust show trust.toml",
    )
    actions = trust.add_subparsers(dest="action", required=True)
    show = actions.add_parser(
        "show",
        help="a trust file in words",
        description="Exit 0: shown; 2: no trust file, or one that is malformed or lacks a part.",
        epilog="example: carbonseal-verifier trust show trust.toml",
    )
    show.add_argument("file", metavar="FILE", type=Path)
    _add_json(show)
    show.set_defaults(run=_show)
    diff = actions.add_parser(
        "diff",
        help="what changed between two trust files, and whether more or less passes",
        description="Each change is wider (more passes), narrower (less passes) or different. "
        "Exit 0: both say the same; 1: they differ; 2: one is no trust file.",
        epilog="example: carbonseal-verifier trust diff last-year.toml trust.toml",
    )
    diff.add_argument("old", metavar="OLD", type=Path)
    diff.add_argument("new", metavar="NEW", type=Path)
    _add_json(diff)
    diff.set_defaults(run=_diff)
    fingerprint = actions.add_parser(
        "fingerprint",
        help="SHA-256 and publisher's key, in groups to compare by telephone",
        description="Exit 0: printed; 2: no trust file.",
        epilog="example: carbonseal-verifier trust fingerprint trust.toml",
    )
    fingerprint.add_argument("file", metavar="FILE", type=Path)
    fingerprint.set_defaults(run=_fingerprint)
    sign = actions.add_parser(
        "sign",
        help="sign a trust file as its publisher",
        description="Writes the key into `publisher_key`, and the signature as the last line; comments stay. "
        "Exit 0: signed; 2: no trust file, or one that lacks a part.",
        epilog="example: carbonseal-verifier trust sign draft.toml --key publisher.key --out trust.toml",
    )
    sign.add_argument("file", metavar="FILE", type=Path)
    sign.add_argument(
        "--key", type=Path, required=True, help="key file, as `carbonseal-verifier key` makes it"
    )
    sign.add_argument("--out", type=Path, required=True, metavar="OUT", help="where to write the signed file")
    sign.set_defaults(run=_sign)


def _show(arguments: argparse.Namespace) -> int:
    trust = read_trust(arguments.file, "FILE")
    if arguments.json:
        _print_json(to_json(trust))
    else:
        print(to_text(trust), end="")
    return 0


def _diff(arguments: argparse.Namespace) -> int:
    found = changes(read_trust(arguments.old, "OLD"), read_trust(arguments.new, "NEW"))
    if arguments.json:
        _print_json({"verdict": verdict(found).partition(":")[0], "changes": [c.to_json() for c in found]})
    else:
        print("\n".join([*(change.line() for change in found), verdict(found)]))
    return 1 if found else 0


def _fingerprint(arguments: argparse.Namespace) -> int:
    print("\n".join(fingerprint_lines(read_trust(arguments.file, "FILE"))))
    return 0


def _sign(arguments: argparse.Namespace) -> int:
    check_output(arguments.out, "--out")
    with open_input(arguments.file, "FILE", "give the path of a trust file") as stream:
        data = stream.read(MAX_TRUST_FILE + 1)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise UsageInvalid("FILE", "is not UTF-8", "give a trust file") from error
    signed = sign_trust_text(text, open_key(arguments.key))
    write_output(arguments.out, signed.decode(), "--out")
    print("\n".join(fingerprint_lines(TrustFile.parse(signed))))
    return 0


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
