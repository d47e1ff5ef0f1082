"""Rule families: in each, a TOML file (the rules as data) and a module (their code) of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from carbonseal_verifier.quality.rules import (
    corrections,
    cross_source,
    declared,
    instruments,
    meter_behaviour,
    physics,
    time_and_sequence,
)
from carbonseal_verifier.quality.rules.signature import RuleFunction

RULE_FUNCTIONS: Final[Mapping[str, RuleFunction]] = {
    **time_and_sequence.RULES,
    **meter_behaviour.RULES,
    **instruments.RULES,
    **cross_source.RULES,
    **physics.RULES,
    **declared.RULES,
    **corrections.RULES,
}
