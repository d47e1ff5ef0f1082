"""`carbonseal-verifier grade` and `grades`: re-perform a low-carbon grade offline, and show the rules."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from carbonseal_accounting.arithmetic import plain
from carbonseal_attest.instants import format_instant
from carbonseal_verifier.errors import UsageInvalid
from carbonseal_verifier.grade import Grade, grade_input
from carbonseal_verifier.grade_input import MAX_INPUT, GradeInput, one_spelling
from carbonseal_verifier.grade_package import find_grade_rule, load_grade_rules
from carbonseal_verifier.grade_rule import GradeRule


def add_grade(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `grade INPUT.json --rule ID@VERSION`."""
    grade = commands.add_parser(
        "grade",
        help="re-perform a low-carbon grade from its input",
        description="Exit 0: graded, whatever the low-carbon grade; 1: not gradable, with reasons; 2: bad "
        "input. The JSON is the same, byte for byte, for everybody.",
        epilog="example: carbonseal-verifier grade input.json --rule CARBON-EFFICIENCY@1.0.0 --json -",
    )
    grade.add_argument("input", metavar="INPUT.json", help="a file, or - for standard input")
    grade.add_argument("--rule", required=True, metavar="ID@VERSION", help="as `grades list` prints it")
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
    result = grade_input(rule, GradeInput.parse(_read(arguments.input), rule))
    if arguments.json == "-":
        _print(result.to_bytes())
    else:
        if arguments.json is not None:
            _write(Path(arguments.json), result.to_bytes())
        _print("".join(f"{line}\n" for line in grade_lines(result, arguments.lang)).encode())
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
