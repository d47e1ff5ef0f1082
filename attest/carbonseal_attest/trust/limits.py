"""What a trust file demands of any bundle: how fresh, anchored or not, how late, and by which profiles.

Profiles are named as ID@VERSION. Rule profiles judge the data code; the plan's own must be one of them. Grade
profiles are the grade rules whose results count; that none does is written as an empty array.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from carbonseal_attest.instants import format_instant
from carbonseal_attest.trust.tables import Table, refusal

_HOUR: Final = 3_600_000
_MAX_COMMIT_DELAY: Final = 9_600  # hours; 400 days, as in a rule profile
_PROFILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}@[0-9][0-9.]{0,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The demands that are numbers or names.

    Freshness: the anchored head must not be older than `max_age_ms` at the time of the check, nor than
    `not_before`; at least one of them is there. `commit_delay_ms` is the most that a rule profile may allow
    between the end of an interval and its registration.
    """

    max_age_ms: int | None
    not_before: int | None
    is_anchor_required: bool
    commit_delay_ms: int
    rule_profiles: tuple[str, ...]
    grade_profiles: tuple[str, ...]

    @classmethod
    def read(cls, root: Table) -> Limits:
        """Return what the tables freshness, requirements, commit_delay and profiles say."""
        freshness, requirements = root.table("freshness"), root.table("requirements")
        delay, profiles = root.table("commit_delay"), root.table("profiles")
        max_age = freshness.integer("max_age_hours", 1, 1_000_000) if "max_age_hours" in freshness else None
        not_before = freshness.instant("not_before") if "not_before" in freshness else None
        if max_age is None and not_before is None:
            raise refusal("freshness", "names neither max_age_hours nor not_before")
        anchor = requirements.text("anchor")
        if anchor not in {"required", "optional"}:
            raise refusal("requirements.anchor", "neither required nor optional")
        result = cls(
            max_age_ms=None if max_age is None else max_age * _HOUR,
            not_before=not_before,
            is_anchor_required=anchor == "required",
            commit_delay_ms=delay.integer("limit_hours", 1, _MAX_COMMIT_DELAY) * _HOUR,
            rule_profiles=_references(profiles, "rule"),
            grade_profiles=_references(profiles, "grade"),
        )
        if not result.rule_profiles:
            raise refusal("profiles.rule", "none is named, so that no data code could be judged")
        for table in (freshness, requirements, delay, profiles):
            table.close()
        return result

    def lines(self) -> list[str]:
        """Return the TOML lines."""
        written = ["[freshness]"]
        if self.max_age_ms is not None:
            written.append(f"max_age_hours = {self.max_age_ms // _HOUR}")
        if self.not_before is not None:
            written.append(f'not_before = "{format_instant(self.not_before)}"')
        written += [
            "",
            "[requirements]",
            f'anchor = "{"required" if self.is_anchor_required else "optional"}"',
        ]
        written += ["", "[commit_delay]", f"limit_hours = {self.commit_delay_ms // _HOUR}", "", "[profiles]"]
        for name, references in (("rule", self.rule_profiles), ("grade", self.grade_profiles)):
            quoted = ", ".join(f'"{_reference(one, f"profiles.{name}")}"' for one in references)
            written.append(f"{name} = [{quoted}]")
        return [*written, ""]


def _references(table: Table, key: str) -> tuple[str, ...]:
    return tuple(_reference(one, f"profiles.{key}") for one in table.texts(key))


def _reference(value: str, field: str) -> str:
    if not _PROFILE.fullmatch(value):
        raise refusal(field, f"{value!r:.60} is not ID@VERSION")
    return value
