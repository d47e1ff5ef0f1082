"""`carbonseal-verifier conformance FAMILY FILE`: vectors through the code that checks bundles."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from carbonseal_verifier.conformance.case import Outcome, judge
from carbonseal_verifier.conformance.families import FAMILIES, read_cases
from carbonseal_verifier.conformance.vector_file import Source, parse_document, read_input
from carbonseal_verifier.errors import UsageInvalid
from carbonseal_verifier.paths import open_input

Subparsers = argparse._SubParsersAction  # noqa: SLF001 - argparse gives its return type no public name


def add_conformance(commands: Subparsers[argparse.ArgumentParser]) -> None:
    """Add `conformance`."""
    command = commands.add_parser(
        "conformance",
        help="run vectors of a public suite, or ours, through the production code",
        description="Prints one line of JSON a case, {id, outcome, expected, observed, reason}, and a last "
        "one with the counts. Outcomes: same; different; unsupported, which names what we do not "
        "have; deviation, where we refuse on purpose (docs/spec/deviations.md). Files are plain "
        "or gzip: one upstream vector, an array of {path, vector}, a suite's own file, or ours. "
        "Exit 0: nothing is different; 1: something is; 2: bad usage, or a file that cannot be "
        "read.",
        epilog="examples: carbonseal-verifier conformance ed25519 ed25519_test.json.gz ; "
        "carbonseal-verifier conformance checkpoint checkpoint.5 --key example.com/log+33d7b496+AeHT...",
    )
    command.add_argument("family", nargs="?", metavar="FAMILY", help="one of those that --list prints")
    command.add_argument("file", nargs="?", type=Path, metavar="FILE")
    command.add_argument("--list", action="store_true", help="print the families, one a line, name first")
    command.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="VKEY",
        help="verifier key that must have signed a raw note; may be given again",
    )
    command.set_defaults(run=run_conformance)


def run_conformance(arguments: argparse.Namespace) -> int:
    """Run the command: 0 nothing different, 1 something is; refusals become exit code 2."""
    if arguments.list:
        if arguments.family is not None:
            raise UsageInvalid("--list", "stands beside a family", "give --list alone, or FAMILY and FILE")
        for each in FAMILIES.values():
            print(f"{each.name:12} {each.text}")
        return 0
    family = FAMILIES.get(arguments.family or "")
    if family is None or arguments.file is None:
        given = "none is named" if arguments.family is None else f"{arguments.family!r:.60} is no family"
        reason = given if family is None else "FILE is missing"
        remedy = f"give one of {' '.join(FAMILIES)}, and a file of its vectors"
        raise UsageInvalid("FAMILY FILE", reason, remedy)
    path: Path = arguments.file
    with open_input(path, "FILE", "give the path of a vector file") as stream:
        data = read_input(stream)
    source = Source(path.name, path.as_posix(), keys=arguments.key)
    results = [judge(case) for case in read_cases(family, parse_document(data), source)]
    for result in results:
        _print(result.to_json())
    counts = Counter(result.outcome for result in results)
    summary = {outcome.value: counts[outcome] for outcome in Outcome}
    _print({"family": family.name, "file": path.name, "cases": len(results)} | summary)
    return 1 if counts[Outcome.DIFFERENT] else 0


def _print(line: dict[str, Any]) -> None:
    print(json.dumps(line))  # in ASCII, whatever characters a vector smuggled in
