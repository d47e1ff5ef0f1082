"""The rule catalogue: every quality rule as data, read from the TOML file beside its family's code.

A rule says which fault or falsification it exists for, what it applies to, its parameters with defaults and
reasons, and its message (expected, observed, cure; Chinese and English). Unknown keys are refused.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.quantities import parse_decimal
from carbonseal_verifier.errors import CatalogueInvalid, UnknownRule
from carbonseal_verifier.quality.findings import FAMILIES, LANGUAGES, SEVERITIES, Text
from carbonseal_verifier.wording import fill

SUBJECTS: Final = ("measurement", "cross_check", "source_stream", "period")
_KEYS: Final = {"id", "version", "severity", "applies_to", "title", "purpose", "inputs", "message", "forms",
                "quantities", "except_quantities", "check", "parameters"}  # fmt: skip
_OPTIONAL: Final = {"forms", "quantities", "except_quantities", "check", "parameters"}

Parameter = int | Decimal


@dataclass(frozen=True, slots=True)
class ParameterRule:
    """One parameter: its default, its unit, and why the default is what it is."""

    default: Parameter
    unit: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the catalogue."""

    id: str
    version: int
    family: str
    severity: str
    applies_to: str
    title: Text
    purpose: Text
    inputs: tuple[str, ...]
    message: Mapping[str, Text]
    parameters: Mapping[str, ParameterRule]
    forms: frozenset[str] = frozenset()
    quantities: frozenset[str] = frozenset()
    except_quantities: frozenset[str] = frozenset()
    check: str | None = None

    @property
    def reference(self) -> str:
        """The rule as findings name it, `ID@VERSION`."""
        return f"{self.id}@{self.version}"

    def applies(self, subject: Mapping[str, Any]) -> bool:
        """Whether the rule applies to this measurement, cross-check or source stream of a monitoring plan."""
        if self.applies_to == "cross_check":
            return bool(subject.get("check") == self.check)
        if self.forms and subject.get("form") not in self.forms:
            return False
        if self.quantities and subject.get("quantity") not in self.quantities:
            return False
        return subject.get("quantity") not in self.except_quantities

    def text(self, part: str, facts: Mapping[str, str]) -> dict[str, str]:
        """Return `expected`, `observed` or `cure` in each language, filled with `facts`."""
        return {language: fill(self.message[part][language], facts) for language in LANGUAGES}


@cache
def load_catalogue() -> Mapping[str, Rule]:
    """Return every rule by id, in catalogue order.

    Raises:
        CatalogueInvalid: a file breaks the catalogue's form, or two rules share an id.
    """
    rules: dict[str, Rule] = {}
    for family in FAMILIES:
        text = files("carbonseal_verifier.quality.rules").joinpath(f"{family}.toml").read_text("utf-8")
        for rule in parse_rules(text, family):
            if rule.id in rules:
                raise CatalogueInvalid(
                    rule.id, "stands twice in the catalogue", "give each rule an id of its own"
                )
            rules[rule.id] = rule
    return MappingProxyType(rules)


def find_rule(name: str) -> Rule:
    """Return the rule called `ID` or `ID@VERSION`."""
    identifier, _, version = name.partition("@")
    rule = load_catalogue().get(identifier)
    if rule is None or (version and version != str(rule.version)):
        raise UnknownRule(name, "no such rule", "see `carbonseal-verifier rules list`")
    return rule


def parse_rules(text: str, family: str) -> list[Rule]:
    """Return the rules that one family's TOML file holds."""
    try:
        entries = tomllib.loads(text)["rule"]
        return [_parse_rule(entry, family) for entry in entries]
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise CatalogueInvalid(
            family, f"not a rule catalogue: {error!r:.120}", "see the neighbouring files"
        ) from error


def _parse_rule(entry: dict[str, Any], family: str) -> Rule:
    unknown, missing = set(entry) - _KEYS, _KEYS - _OPTIONAL - set(entry)
    if unknown or missing:
        names = ", ".join(sorted(unknown or missing))
        problem = "unknown" if unknown else "missing"
        raise CatalogueInvalid(
            str(entry.get("id", family)), f"{problem} keys: {names}", "see the neighbouring rules"
        )
    if entry["severity"] not in SEVERITIES or entry["applies_to"] not in SUBJECTS:
        raise CatalogueInvalid(entry["id"], "unknown severity or subject", f"use {SEVERITIES} and {SUBJECTS}")
    message = {part: _text(entry["message"][part]) for part in ("expected", "observed", "cure")}
    return Rule(
        id=entry["id"], version=entry["version"], family=family, severity=entry["severity"],
        applies_to=entry["applies_to"], title=_text(entry["title"]), purpose=_text(entry["purpose"]),
        inputs=tuple(entry["inputs"]), message=message,
        parameters={k: _parameter(k, v) for k, v in entry.get("parameters", {}).items()},
        forms=frozenset(entry.get("forms", ())), quantities=frozenset(entry.get("quantities", ())),
        except_quantities=frozenset(entry.get("except_quantities", ())), check=entry.get("check"),
    )  # fmt: skip


def _parameter(name: str, entry: dict[str, Any]) -> ParameterRule:
    return ParameterRule(parse_parameter(name, entry["default"]), entry["unit"], entry["reason"])


def parse_parameter(name: str, value: object) -> Parameter:
    """Return a parameter's value: an integer as it is, a decimal from its plain text."""
    if type(value) is int:
        return value
    try:
        return parse_decimal(value, field=name)
    except CarbonsealError as error:
        raise CatalogueInvalid(name, error.reason, "write an integer, or a decimal in quotes") from error


def _text(entry: dict[str, str]) -> Text:
    return {language: entry[language] for language in LANGUAGES}
