"""`carbonseal-verifier grade` and `grades`: re-perform a low-carbon grade offline, and show the rules."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from carbonseal_accounting.arithmetic import plain
from carbonseal_attest.instants import format_instant
from carbonseal_verifier.errors import UsageInvalid
from carbonseal_verifier.grade import Grade, grade_input
from carbonseal_verifier.grade_input import MAX_INPUT, GradeInput, one_spelling
from carbonseal_verifier.grade_package import find_grade_rule, load_grade_rules
from carbonseal_verifier.grade_rule import GradeRule
from carbonseal_verifier.grade_statement import MAX_FILE, GradeStatement, check_grade_statement
from carbonseal_verifier.paths import open_input, read_trust


def add_grade(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `grade INPUT.json --rule ID@VERSION`."""
    grade = commands.add_parser(
        "grade",
        help="re-perform a low-carbon grade from its input",
        description="Exit 0: graded, whatever the low-carbon grade; 1: not gradable, with reasons; 2: bad "
        "input, or a statement that does not carry exactly this input and result. The JSON is the same, byte "
        "for byte, for everybody.",
        epilog="example: carbonseal-verifier grade input.json --rule CARBON-EFFICIENCY@1.0.0 --json -",
    )
    grade.add_argument("input", metavar="INPUT.json", help="a file, or - for standard input")
    grade.add_argument("--rule", required=True, metavar="ID@VERSION", help="as `grades list` prints it")
    grade.add_argument(
        "--statement",
        metavar="FILE",
        type=Path,
        help="the log host's answer: check that its signed statement carries this input and result",
    )
    grade.add_argument(
        "--trust", metavar="FILE", type=Path, help="trust file for --statement, from somebody you believe"
    )
    grade.add_argument("--lang", choices=("en", "zh"), default="en", help="of the printed lines")
    grade.add_argument("--json", metavar="OUT", help="write the result; - for standard output")
    grade.set_defaults(run=run_grade_command)


def add_grades(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `grades list | show`."""
    grades = commands.add_parser("grades", help="the published grade rules")
    actions = grades.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="one line a rule: ID@VERSION, package digest, title")
    show = actions.add_parser("show", help="a rule as JSON: inputs, limits, reasons, cures")
    show.add_argument("rule", metavar="ID@VERSION")
    grades.set_defaults(run=run_grades_command)


def run_grade_command(arguments: argparse.Namespace) -> int:
    """Grade one input, print or write the result."""
    rule = find_grade_rule(arguments.rule)
    given = _read(arguments.input)
    result = grade_input(rule, GradeInput.parse(given, rule))
    proved = _statement(arguments)
    if proved is not None:
        proved.require(given, result)
    if arguments.json == "-":
        _print(result.to_bytes())
    else:
        if arguments.json is not None:
            _write(Path(arguments.json), result.to_bytes())
        lines = grade_lines(result, arguments.lang) + ([] if proved is None else statement_lines(proved))
        _print("".join(f"{line}\n" for line in lines).encode())
    return 0 if result.is_gradable else 1


def run_grades_command(arguments: argparse.Namespace) -> int:
    """Print the rules, or one of them."""
    if arguments.action == "list":
        rules = load_grade_rules().values()
        lines = [f"{rule.name}\t{rule.digest.hex()}\t{rule.title['en']}\n" for rule in rules]
        _print("".join(lines).encode())
    else:
        _print(one_spelling(grade_rule_json(find_grade_rule(arguments.rule))))
    return 0


def grade_lines(result: Grade, language: str) -> list[str]:
    """Return the result in words, the grade with its noun first."""
    made = result.to_json()
    lines = [result.label[language], f"  rule {made['rule']}, package {made['rule_digest']}"]
    if result.is_gradable:
        lines.append(f"  L = {made['intensity']} {made['intensity_unit']}, K = {made['ratio']}")
    if result.pcaf_score is not None:
        lines.append(f"  PCAF score {result.pcaf_score} of 5 (1 is best)")
    for reason in result.reasons:
        lines.append(f"  {reason.code}: {reason.text[language]}")
        if reason.cure is not None:
            lines.append(f"    → {reason.cure[language]}")
    return [*lines, f"  inputs {made['inputs_digest']}"]


def statement_lines(checked: GradeStatement) -> list[str]:
    """Return who signed the grade, and where its statement stands."""
    proved = checked.proved
    return [
        f"  statement {proved.statement.digest.hex()}",
        f"    signed by log host {checked.log_host}, admitted by registrar {checked.registrar}",
        f"    about {proved.content.body['party']}, credit code {checked.credit_code or 'none'}",
        f"    entry {proved.index} of {proved.statement.header.origin}, proved at size {proved.tree_size}",
    ]


def grade_rule_json(rule: GradeRule) -> dict[str, Any]:
    """Return a rule as JSON; decimals as strings, instants in UTC, null where there is no limit or end."""
    start, end = rule.effective
    return {
        "rule": rule.name,
        "rule_digest": rule.digest.hex(),
        "title": dict(rule.title),
        "basis": dict(rule.basis),
        "effective": {
            "start": format_instant(start),
            "end": None if end is None else format_instant(end),
        },
        "shown": {"intensity": rule.shown_intensity.to_json(), "ratio": rule.shown_ratio.to_json()},
        "inputs": {
            name: {"title": dict(one.title), "unit": one.unit, "meaning": dict(one.meaning)}
            for name, one in rule.inputs.items()
        },
        "accepts": {name: list(values) for name, values in rule.accepts.items()},
        "grades": [
            {
                "grade": level.grade,
                "ratio_at_most": None if level.ratio_at_most is None else plain(level.ratio_at_most),
                "title": dict(level.title),
                "reason": dict(level.reason),
            }
            for level in rule.levels
        ],
        "not_gradable": {
            "title": dict(rule.not_gradable),
            "reasons": {
                code: {"reason": dict(bar.reason), "cure": dict(bar.cure)} for code, bar in rule.bars.items()
            },
        },
        "pcaf": [
            {
                "score": row.score,
                "data_sources": list(row.data_sources),
                "is_verified": row.is_verified,
                "meaning": dict(row.meaning),
            }
            for row in rule.pcaf
        ],
        "examples": sorted(rule.examples),
    }


def _statement(arguments: argparse.Namespace) -> GradeStatement | None:
    if arguments.statement is None and arguments.trust is None:
        return None
    if arguments.statement is None:
        raise UsageInvalid("--statement", "is missing", "give the log host's answer, or leave --trust out")
    if arguments.trust is None:
        raise UsageInvalid("--trust", "is missing", "give the trust file of a publisher whom you believe")
    trust = read_trust(arguments.trust)
    with open_input(arguments.statement, "--statement", "give the path of the log host's answer") as stream:
        return check_grade_statement(stream.read(MAX_FILE + 1), trust=trust, at=time.time_ns() // 1_000_000)


def _read(name: str) -> bytes:
    try:
        if name == "-":
            return sys.stdin.buffer.read(MAX_INPUT + 1)
        with Path(name).open("rb") as stream:
            return stream.read(MAX_INPUT + 1)
    except (OSError, ValueError) as error:
        raise UsageInvalid("INPUT.json", f"can't be read: {_why(error)}", "give the input's path") from error


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except (OSError, ValueError) as error:
        raise UsageInvalid("--json", f"can't be written: {_why(error)}", "give a path") from error


def _print(data: bytes) -> None:
    """Write to standard output; exit code 1 would say "not gradable", so that a closed pipe is a refusal."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except OSError as error:
        raise UsageInvalid("output", f"can't be written: {_why(error)}", "write it elsewhere") from error


def _why(error: OSError | ValueError) -> str:
    return (isinstance(error, OSError) and error.strerror) or "not a path"
