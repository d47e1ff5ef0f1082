"""Quality profiles: the limits of a data code, as data. `default@1` comes with this room.

A profile is chosen by the relying party's trust file (or the plan that the registrar accepted), never by the
enterprise alone: whoever loosens it turns red data green, so `check` compares its digest.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from typing import Any, Final

from carbonseal_accounting.packages import is_slow_toml
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.packages import package_digest
from carbonseal_attest.quantities import parse_decimal
from carbonseal_verifier.errors import ProfileInvalid
from carbonseal_verifier.quality.catalogue import Parameter, Rule, load_catalogue, parse_parameter
from carbonseal_verifier.quality.findings import SEVERITIES

PROFILE_FILE: Final = "profile.toml"  # the one file of a profile's package
MAX_PROFILE: Final = 1 << 16  # bytes
_DAY: Final = 86_400_000
_INTEGERS: Final = {"commit_delay_ms": 400 * _DAY, "clock_offset_ms": 400 * _DAY, "filing_days": 400}
_PERCENTS: Final = ("completeness_min_percent", "late_max_percent", "substituted_max_percent")


@dataclass(frozen=True, slots=True)
class Profile:
    """Limits and rule settings under one name and digest.

    Attributes:
        commit_delay_ms: a value registered later than this after its interval counts as late.
        clock_offset_ms: how far a signer's clock may stand beside the log's ticks.
        filing_days: days after the period during which missing evidence leaves the code pending.
        completeness_min_percent: least share of the plan's grid that is there, late or not.
        late_max_percent: greatest share that came late.
        substituted_max_percent: greatest share that the calculation had to substitute.
    """

    reference: str
    digest: bytes
    title: Mapping[str, str]
    commit_delay_ms: int
    clock_offset_ms: int
    filing_days: int
    completeness_min_percent: Decimal
    late_max_percent: Decimal
    substituted_max_percent: Decimal
    settings: Mapping[str, Mapping[str, Any]]

    @classmethod
    def parse(cls, data: bytes) -> Profile:
        """Return the profile that a TOML file holds.

        Raises:
            ProfileInvalid: not TOML, an unknown key, or a limit out of bounds.
        """
        if len(data) > MAX_PROFILE or is_slow_toml(data):
            raise _refusal("profile", f"{len(data)} bytes, or a line that is too long")
        try:
            entry = tomllib.loads(data.decode("utf-8"))
        except (ValueError, RecursionError) as error:  # a number of many thousand digits too
            raise _refusal("profile", f"not TOML: {error!s:.80}") from error
        _only(entry, {"id", "version", "title", "limits", "rules"}, "profile")
        limits = _table(entry, "limits")
        _only(limits, {*_INTEGERS, *_PERCENTS}, "limits")
        title = _table(entry, "title")
        if not isinstance(entry.get("id"), str) or type(entry.get("version")) is not int:
            raise _refusal("id", "a profile has an id and an integer version")
        if not all(isinstance(title.get(k), str) for k in ("zh", "en")):
            raise _refusal("title", "wants zh and en")
        return cls(
            reference=f"{entry['id']}@{entry['version']}",
            digest=package_digest({PROFILE_FILE: data}),
            title=title,
            settings=_settings(entry.get("rules", {})),
            commit_delay_ms=_integer(limits, "commit_delay_ms"),
            clock_offset_ms=_integer(limits, "clock_offset_ms"),
            filing_days=_integer(limits, "filing_days"),
            completeness_min_percent=_percent(limits, "completeness_min_percent"),
            late_max_percent=_percent(limits, "late_max_percent"),
            substituted_max_percent=_percent(limits, "substituted_max_percent"),
        )

    def parameters(self, rule: Rule) -> dict[str, Parameter]:
        """Return a rule's parameters under this profile."""
        settings = self.settings.get(rule.id, {})
        return {name: settings.get(name, p.default) for name, p in rule.parameters.items()}

    def severity(self, rule: Rule) -> str:
        """Return a rule's severity under this profile."""
        return str(self.settings.get(rule.id, {}).get("severity", rule.severity))


def load_profile(reference: str) -> Profile:
    """Return a profile that comes with this room, such as `default@1`."""
    folder = files("carbonseal_verifier.quality.profiles")
    for entry in folder.iterdir():
        if entry.name == f"{reference}.toml":
            return Profile.parse(entry.read_bytes())
    raise ProfileInvalid("profile", f"no profile {reference!r:.60}", "give its file, or use default@1")


def _settings(entry: object) -> dict[str, dict[str, Any]]:
    if not isinstance(entry, dict):
        raise _refusal("rules", "not a table")
    catalogue = load_catalogue()
    result: dict[str, dict[str, Any]] = {}
    for name, values in entry.items():
        if name not in catalogue or not isinstance(values, dict):
            raise _refusal(f"rules.{name}", "no such rule")
        _only(values, {*catalogue[name].parameters, "severity"}, f"rules.{name}")
        if values.get("severity", "major") not in SEVERITIES:
            raise _refusal(f"rules.{name}.severity", "no such severity")
        try:
            result[name] = {k: v if k == "severity" else parse_parameter(k, v) for k, v in values.items()}
        except CarbonsealError as error:
            raise _refusal(f"rules.{name}.{error.field}", error.reason) from error
    return result


def _only(entry: Mapping[str, Any], known: set[str], field: str) -> None:
    if unknown := sorted(set(entry) - known):
        raise _refusal(f"{field}.{unknown[0]:.60}", "unknown key")


def _table(entry: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = entry.get(name)
    if not isinstance(value, dict):
        raise _refusal(name, "not a table")
    return value


def _integer(limits: Mapping[str, Any], name: str) -> int:
    value, most = limits.get(name), _INTEGERS[name]
    if type(value) is not int or not 0 <= value <= most:
        raise _refusal(f"limits.{name}", f"not an integer from 0 to {most}")
    return value


def _percent(limits: Mapping[str, Any], name: str) -> Decimal:
    try:
        value = parse_decimal(limits.get(name), field=f"limits.{name}")
    except CarbonsealError as error:
        raise _refusal(error.field, error.reason) from error
    if not 0 <= value <= 100:
        raise _refusal(f"limits.{name}", "not a percentage")
    return value


def _refusal(field: str, reason: str) -> ProfileInvalid:
    return ProfileInvalid(field, reason, "see profiles/default@1.toml in this package")
