"""`carbonseal-verifier receipt`: one statement's extended receipt, checked offline from log to chain."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from carbonseal_attest import cbor
from carbonseal_attest.contents import KINDS
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.extended_receipt import MAX_SIZE
from carbonseal_attest.instants import parse_instant
from carbonseal_attest.transparent_statement import TransparentStatement
from carbonseal_verifier import text_report
from carbonseal_verifier.check import StepResult
from carbonseal_verifier.errors import UsageInvalid
from carbonseal_verifier.extended_check import check_extended_receipt
from carbonseal_verifier.paths import check_output, open_input, read_trust, write_output
from carbonseal_verifier.statement_file import FORMAT, MAX_FILE, StatementFile

Subparsers = argparse._SubParsersAction  # noqa: SLF001 - argparse gives its return type no public name


def add_receipt(commands: Subparsers[argparse.ArgumentParser]) -> None:
    """Add `receipt`."""
    command = commands.add_parser(
        "receipt",
        help="check one statement's extended receipt, from its log up to the chain",
        description="Shows step by step that a statement is in its log, that log's head in an epoch, the "
        "epoch in the log of logs, and that head cosigned and anchored as far as the trust file asks. It "
        "does not show who signed the statement or what it says: `check` does, from a bundle. "
        "Exit 0: every required step passed; 1: one did not; 2: bad usage or input.",
        epilog="example: carbonseal-verifier receipt reading.extended --statement reading.cose "
        "--trust trust.toml",
    )
    command.add_argument("receipt", type=Path, metavar="FILE", help="the extended receipt")
    command.add_argument(
        "--statement", type=Path, required=True, help="the signed statement: COSE, or a statement file"
    )
    command.add_argument("--trust", type=Path, required=True, help="trust file, from somebody you believe")
    command.add_argument("--at", metavar="INSTANT", help="judge algorithms at this instant; default: now")
    command.add_argument("--json", type=Path, metavar="OUT", help="write the result; - for standard output")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    check_output(arguments.json)
    trust = read_trust(arguments.trust)
    at = time.time_ns() // 1_000_000 if arguments.at is None else parse_instant(arguments.at, field="--at")
    with open_input(arguments.receipt, "FILE", "give the path of an extended receipt") as stream:
        receipt = stream.read(MAX_SIZE + 1)
    statement = _read_statement(arguments.statement)
    is_machine = arguments.json is not None and str(arguments.json) == "-"
    out = sys.stderr if is_machine else sys.stdout

    def report(step: StepResult) -> None:
        print(text_report.step_line(step), file=out, flush=True)

    print(text_report.opening(trust), file=out)
    result = check_extended_receipt(receipt, statement, trust=trust, at=at, report=report)
    print(text_report.closing(result), file=out)
    text = json.dumps(result.to_json(), ensure_ascii=False, indent=2) + "\n"
    if is_machine:
        sys.stdout.write(text)
    elif arguments.json is not None:
        write_output(arguments.json, text)
    return 0 if result.has_passed else 1


def _read_statement(path: Path) -> bytes:
    """The bytes that were logged, out of a statement, a transparent statement or a statement file."""
    with open_input(path, "--statement", "give the path of a signed statement") as stream:
        data = stream.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise UsageInvalid("--statement", f"has more than {MAX_FILE} bytes", "give one signed statement")
    if data.startswith(cbor.encode([FORMAT])[1:]) or data[1:].startswith(cbor.encode(FORMAT)):
        return StatementFile.parse(data, kinds=KINDS).statement.raw
    try:
        return TransparentStatement.parse(data).statement.raw
    except CarbonsealError:
        return data  # a plain statement, or nothing of the kind, which the first step says
