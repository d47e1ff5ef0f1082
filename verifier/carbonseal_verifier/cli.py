"""The `carbonseal-verifier` command: check a bundle, look up rules, run them on a series, grade."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import parse_instant
from carbonseal_attest.trust import MAX_TRUST_FILE, TrustFile
from carbonseal_verifier import grade_cli, quality_cli, text_report
from carbonseal_verifier.check import StepResult, run_check
from carbonseal_verifier.errors import UsageInvalid


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 passed, 1 did not pass, 2 bad usage or input."""
    parser = argparse.ArgumentParser(
        prog="carbonseal-verifier",
        description="Re-performs everything from one evidence bundle, offline.",
        epilog="example: carbonseal-verifier check evidence.bundle --trust trust.toml",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _add_check(commands)
    quality_cli.add_quality(commands)
    quality_cli.add_rules(commands)
    grade_cli.add_grade(commands)
    grade_cli.add_grades(commands)
    parsed = parser.parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except CarbonsealError as error:
        print(f"carbonseal-verifier: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 1


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    check = commands.add_parser(
        "check",
        help="re-perform everything from an evidence bundle",
        description="Exit 0: every required step passed (whatever the data code's colour); "
        "1: one did not, or the bundle is unreadable; 2: bad usage or trust file.",
        epilog="example: carbonseal-verifier check evidence.bundle --trust trust.toml --json result.json",
    )
    check.add_argument("bundle", type=Path)
    check.add_argument("--trust", type=Path, required=True, help="trust file, from somebody you believe")
    check.add_argument("--rpc", metavar="URL", help="compare the anchor with a live node")
    check.add_argument("--at", metavar="INSTANT", help="judge freshness at this instant; default: now")
    check.add_argument("--json", type=Path, metavar="OUT", help="write the result; - for standard output")
    check.set_defaults(run=_run_check)


def _run_check(arguments: argparse.Namespace) -> int:
    trust = TrustFile.parse(_read(arguments.trust, "--trust", MAX_TRUST_FILE + 1))
    at = time.time_ns() // 1_000_000 if arguments.at is None else parse_instant(arguments.at, field="--at")
    is_machine = arguments.json is not None and str(arguments.json) == "-"
    out = sys.stderr if is_machine else sys.stdout
    show_progress = sys.stderr.isatty()

    def report(step: StepResult) -> None:
        print(text_report.step_line(step), file=out, flush=True)

    def progress(note: str) -> None:
        if show_progress:
            print(f"  … {note}", end="\r", file=sys.stderr, flush=True)

    print(text_report.opening(trust), file=out)
    try:
        stream = arguments.bundle.open("rb")
    except OSError as error:
        raise UsageInvalid("bundle", f"can't be read: {error.strerror}", "give the bundle's path") from error
    with stream:
        result = run_check(
            stream, trust=trust, at=at, rpc_url=arguments.rpc, report=report, progress=progress
        )
    print(text_report.closing(result), file=out)
    text = json.dumps(result.to_json(), ensure_ascii=False, indent=2) + "\n"
    if is_machine:
        sys.stdout.write(text)
    elif arguments.json is not None:
        try:
            arguments.json.write_text(text, "utf-8")
        except OSError as error:
            raise UsageInvalid("--json", f"can't be written: {error.strerror}", "give a path") from error
    return 0 if result.has_passed else 1


def _read(path: Path, field: str, most: int) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(most)
    except OSError as error:
        raise UsageInvalid(field, f"can't be read: {error.strerror}", "give the file's path") from error


if __name__ == "__main__":
    sys.exit(main())
