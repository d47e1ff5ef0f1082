"""`carbonseal-verifier rules` and `carbonseal-verifier quality`: the rule catalogue, and rules on one CSV."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from carbonseal_attest.instants import format_instant
from carbonseal_verifier.errors import SeriesInvalid
from carbonseal_verifier.paths import check_output, open_input, write_output
from carbonseal_verifier.quality.catalogue import Rule, find_rule, load_catalogue
from carbonseal_verifier.quality.code import GREEN, DataCode, judge
from carbonseal_verifier.quality.csv_series import read_csv, scope_of_csv
from carbonseal_verifier.quality.profile import MAX_PROFILE, Profile, load_profile
from carbonseal_verifier.wording import in_plural


def add_rules(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `rules list | show | explain`."""
    rules = commands.add_parser("rules", help="the catalogue of quality rules")
    actions = rules.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="one line a rule: ID@VERSION, severity, family, title")
    for name, what in (("show", "a rule as JSON"), ("explain", "a rule in words")):
        action = actions.add_parser(name, help=what)
        action.add_argument("rule", help="ID or ID@VERSION")
        action.add_argument("--lang", choices=("en", "zh"), default="en")
    rules.set_defaults(run=run_rules_command)


def add_quality(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `quality SERIES.csv`."""
    quality = commands.add_parser(
        "quality",
        help="run the series rules on a CSV",
        description="Header: time,value[,unit,status,reference]. Exit 0: green; 1: not green; 2: bad input.",
        epilog="example: carbonseal-verifier quality meter.csv --time-zone Asia/Shanghai",
    )
    quality.add_argument("series", type=Path)
    quality.add_argument("--profile", type=Path, help="quality profile (TOML); default: default@1")
    quality.add_argument("--time-zone", default="UTC", help="zone of stamps without an offset (IANA name)")
    quality.add_argument(
        "--form", choices=("register", "interval", "instant"), help="default: told by data and unit"
    )
    quality.add_argument("--lang", choices=("en", "zh"), default="en")
    quality.add_argument(
        "--json", type=Path, metavar="OUT", help="write code and findings; - for standard output"
    )
    quality.set_defaults(run=run_quality_command)


def run_rules_command(arguments: argparse.Namespace) -> int:
    """Print the catalogue or one rule."""
    if arguments.action == "list":
        for rule in load_catalogue().values():
            print(f"{rule.reference}\t{rule.severity}\t{rule.family}\t{rule.title['en']}")
        return 0
    rule = find_rule(arguments.rule)
    if arguments.action == "show":
        print(json.dumps(rule_json(rule), ensure_ascii=False, indent=2))
        return 0
    language = arguments.lang
    print(f"{rule.reference}: {rule.title[language]} ({rule.severity})\n{rule.purpose[language]}")
    print(f"inputs: {', '.join(rule.inputs)}")
    for name, parameter in rule.parameters.items():
        print(f"{name} = {parameter.default} {parameter.unit}: {parameter.reason}")
    for part in ("expected", "observed", "cure"):
        print(f"{part}: {in_plural(rule.message[part][language])}")
    return 0


def run_quality_command(arguments: argparse.Namespace) -> int:
    """Judge one CSV and print its code and findings."""
    profile = load_profile("default@1")
    if arguments.profile is not None:
        with open_input(arguments.profile, "--profile", "give the path of a quality profile") as stream:
            profile = Profile.parse(stream.read(MAX_PROFILE + 1))
    try:
        zone = ZoneInfo(arguments.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SeriesInvalid(
            "--time-zone", "no such zone", "give an IANA name such as Asia/Shanghai"
        ) from error
    check_output(arguments.json)
    code = judge(scope_of_csv(read_csv(arguments.series, zone), profile, form=arguments.form))
    text = json.dumps(quality_json(code, arguments.lang), ensure_ascii=False, indent=2)
    if arguments.json is not None and str(arguments.json) != "-":
        write_output(arguments.json, text + "\n")
    if arguments.json is not None and str(arguments.json) == "-":
        print(text)
    else:
        print(f"data code 数据红绿码: {code.code}  (profile {profile.reference})")
        for finding in code.findings:
            since = format_instant(finding.runs[0].start) if finding.runs else ""
            print(f"{finding.severity:13} {finding.rule:24} {since}  {finding.observed[arguments.lang]}")
        print(_rules_text(code, arguments.lang))
    return 0 if code.code == GREEN else 1


def _rules_text(code: DataCode, language: str) -> str:
    """Return the rules that ran in one line, and each that did not with its reason."""
    ran = [name for name in code.outcomes if name not in code.not_run]
    lines = [
        f"rules that ran ({len(ran)}): {', '.join(ran)}",
        f"rules that did not run ({len(code.not_run)}):",
    ]
    return "\n".join(lines + [f"  {name:24} {why[language]}" for name, why in code.not_run.items()])


def quality_json(code: DataCode, language: str) -> dict[str, Any]:
    """Return {code, findings, rules, figures}; a finding's runs stand one by one, times in RFC 3339."""
    return {
        "code": code.code,
        "findings": [
            {
                "rule": finding.rule,
                "severity": finding.severity,
                "start": format_instant(run.start),
                "end": format_instant(run.end),
                "count": run.count,
                "target": finding.target,
                "expected": finding.expected[language],
                "observed": finding.observed[language],
                "cure": finding.cure[language],
            }
            for finding in code.findings
            for run in finding.runs
        ],
        "rules": dict(code.outcomes),
        "figures": dict(code.figures),
    }


def rule_json(rule: Rule) -> dict[str, Any]:
    """Return a rule as JSON; decimals as strings."""
    return {
        "id": rule.id,
        "version": rule.version,
        "family": rule.family,
        "severity": rule.severity,
        "applies_to": rule.applies_to,
        "check": rule.check,
        "forms": sorted(rule.forms),
        "quantities": sorted(rule.quantities),
        "except_quantities": sorted(rule.except_quantities),
        "title": dict(rule.title),
        "purpose": dict(rule.purpose),
        "inputs": list(rule.inputs),
        "parameters": {
            name: {
                "default": p.default if isinstance(p.default, int) else str(p.default),
                "unit": p.unit,
                "reason": p.reason,
            }
            for name, p in rule.parameters.items()
        },
        "message": {part: dict(text) for part, text in rule.message.items()},
    }
