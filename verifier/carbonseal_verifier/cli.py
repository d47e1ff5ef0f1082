"""The `carbonseal-verifier` command: check a bundle, run rules, grade; and what a verification body does."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import parse_instant
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.trust import TrustFile
from carbonseal_verifier import (
    body_cli,
    conformance_cli,
    grade_cli,
    monitor_cli,
    quality_cli,
    receipt_cli,
    sample_cli,
    show_cli,
    sign_cli,
    text_report,
    trust_cli,
    witness_cli,
)
from carbonseal_verifier.check import StepResult, run_check
from carbonseal_verifier.errors import UsageInvalid
from carbonseal_verifier.paths import check_output, in_words, open_input, read_trust, write_output


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 passed, 1 did not pass, 2 bad usage or input."""
    parser = argparse.ArgumentParser(
        prog="carbonseal-verifier",
        description="Re-performs everything from one evidence bundle, offline.",
        epilog="example: carbonseal-verifier check evidence.bundle --trust trust.toml",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _add_check(commands)
    receipt_cli.add_receipt(commands)
    show_cli.add_show(commands)
    trust_cli.add_trust(commands)
    quality_cli.add_quality(commands)
    quality_cli.add_rules(commands)
    grade_cli.add_grade(commands)
    grade_cli.add_grades(commands)
    body_cli.add_key(commands)
    body_cli.add_rotate(commands)
    body_cli.add_join(commands)
    sample_cli.add_sample(commands)
    sign_cli.add_sign(commands)
    sign_cli.add_opinion(commands)
    body_cli.add_submit(commands)
    body_cli.add_withdraw(commands)
    conformance_cli.add_conformance(commands)
    witness_cli.add_witness(commands, "carbonseal-verifier")
    monitor_cli.add_monitor(commands, "carbonseal-verifier")
    parsed = parser.parse_args(arguments)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started this
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - as long as the process
    try:
        return int(parsed.run(parsed))
    except CarbonsealError as error:
        print(f"carbonseal-verifier: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 1
    except OSError as error:
        print(f"carbonseal-verifier: reading or writing ended: {in_words(error)}", file=sys.stderr)
        return 2


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    check = commands.add_parser(
        "check",
        help="re-perform everything from an evidence bundle",
        description="Exit 0: every required step passed (whatever the data code's colour); "
        "1: one did not, or the file is no bundle; 2: bad usage, a file that can't be opened or written, "
        "or a trust file that is malformed or not signed by --trust-signer.",
        epilog="example: carbonseal-verifier check evidence.bundle --trust trust.toml --json result.json",
    )
    check.add_argument("bundle", type=Path)
    check.add_argument("--trust", type=Path, required=True, help="trust file, from somebody you believe")
    check.add_argument(
        "--trust-signer", metavar="HEX", help="raw public key that must have signed the trust file"
    )
    check.add_argument("--rpc", metavar="URL", help="compare the anchor with a live node")
    check.add_argument("--at", metavar="INSTANT", help="judge freshness at this instant; default: now")
    check.add_argument("--json", type=Path, metavar="OUT", help="write the result; - for standard output")
    check.set_defaults(run=_run_check)


def _run_check(arguments: argparse.Namespace) -> int:
    check_output(arguments.json)
    trust = read_trust(arguments.trust)
    _check_signer(trust, arguments.trust_signer)
    at = time.time_ns() // 1_000_000 if arguments.at is None else parse_instant(arguments.at, field="--at")
    is_machine = arguments.json is not None and str(arguments.json) == "-"
    out = sys.stderr if is_machine else sys.stdout
    show_progress = sys.stderr.isatty()

    def report(step: StepResult) -> None:
        print(text_report.step_line(step), file=out, flush=True)

    def progress(note: str) -> None:
        if show_progress:
            print(f"  … {note}", end="\r", file=sys.stderr, flush=True)

    with open_input(arguments.bundle, "bundle", "give the path of a bundle") as stream:
        print(text_report.opening(trust), file=out)
        result = run_check(
            stream, trust=trust, at=at, rpc_url=arguments.rpc, report=report, progress=progress
        )
    print(text_report.closing(result), file=out)
    text = json.dumps(result.to_json(), ensure_ascii=False, indent=2) + "\n"
    if is_machine:
        sys.stdout.write(text)
    elif arguments.json is not None:
        write_output(arguments.json, text)
    return 0 if result.has_passed else 1


def _check_signer(trust: TrustFile, wanted: str | None) -> None:
    """Refuse a trust file that the key the user believes has not signed."""
    if wanted is None:
        return
    try:
        key = PublicKey.from_text(wanted.strip().lower().removeprefix("0x"))
    except CarbonsealError as error:
        raise UsageInvalid("--trust-signer", error.reason, error.remedy) from error
    if trust.signed_by != key:
        found = "not signed" if trust.signed_by is None else f"signed by {trust.signed_by.text()}"
        raise UsageInvalid(
            "--trust-signer", f"the trust file is {found}", "get it again from the publisher you believe"
        )


if __name__ == "__main__":
    sys.exit(main())
