"""Packages of grade rules: read, checked, and found by ID@VERSION.

A package holds `grade_rule.toml` and `examples/*.json`, as a method does; its digest is made as a method's
is, so that it is the same for everybody. A rule that loosens what none may is refused when it is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

from carbonseal_accounting.arithmetic import Rounding
from carbonseal_accounting.packages import (
    check_bilingual,
    check_files,
    check_identity,
    check_keys,
    read_toml,
)
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import parse_instant
from carbonseal_attest.packages import package_digest
from carbonseal_attest.quantities import parse_decimal
from carbonseal_verifier.errors import GradeRuleInvalid, GradeRuleUnknown
from carbonseal_verifier.grade_rule import (
    ACCEPTABLE_OPINIONS,
    CALCULATION,
    DATA_SOURCES,
    GRADES,
    INPUTS,
    LEVELS_OF_ASSURANCE,
    NOUNS,
    REASONS,
    Bar,
    GradeLevel,
    GradeRule,
    PcafRow,
    RuleInput,
)

SCHEMA: Final = "carbonseal-grade-rule/1"
_TOML: Final = "grade_rule.toml"
_MAX_EXAMPLE: Final = 1 << 16  # bytes


def read_grade_rule(files: Mapping[str, bytes]) -> GradeRule:
    """Return the rule that a package's files write.

    Raises:
        GradeRuleInvalid: malformed, limits that do not rise, a colour without its noun, or a rule that
            loosens what none may.
    """
    try:
        check_files(files, GradeRuleInvalid)
        return _read(files)
    except GradeRuleInvalid:
        raise
    except CarbonsealError as error:
        raise GradeRuleInvalid(error.field, error.reason, error.remedy) from error
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise _refusal(_TOML, f"misshapen: {str(error)[:80]}") from error


def load_grade_rules() -> dict[str, GradeRule]:
    """Return every grade rule of this distribution by ID@VERSION, sorted."""
    return dict(_shipped())


def find_grade_rule(name: str) -> GradeRule:
    """Return the shipped grade rule `name` (ID@VERSION).

    Raises:
        GradeRuleUnknown: not shipped; those that are, are named.
    """
    if name in _shipped():
        return _shipped()[name]
    raise GradeRuleUnknown("--rule", f"no grade rule {name[:60]!r}", f"use {', '.join(_shipped())}")


@lru_cache(maxsize=1)
def shipped_grade_rules() -> Mapping[str, Mapping[str, bytes]]:
    """Return the files of every grade rule of this distribution by ID@VERSION."""
    root = resources.files("carbonseal_verifier") / "grades"
    found = dict[str, Mapping[str, bytes]]()
    for package in _folders(root):
        for version in _folders(package):
            examples = {f"examples/{item.name}": item for item in _files(version / "examples")}
            files = {item.name: item for item in _files(version)} | examples
            found[f"{package.name}@{version.name}"] = {p: item.read_bytes() for p, item in files.items()}
    return found


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, GradeRule]:
    found = dict[str, GradeRule]()
    for name, files in shipped_grade_rules().items():
        found[name] = read_grade_rule(files)
        if found[name].name != name:
            raise _refusal("id", f"{found[name].name} lies in the folder of {name}")
    return found


def _folders(root: Traversable) -> list[Traversable]:
    return sorted((item for item in _seen(root) if item.is_dir()), key=lambda item: item.name)


def _files(folder: Traversable) -> Iterator[Traversable]:
    return (item for item in _seen(folder) if item.is_file())


def _seen(folder: Traversable) -> Iterator[Traversable]:
    # Caches of editors and interpreters are no part of a package.
    return (item for item in folder.iterdir() if not item.name.startswith(("_", ".")))


def _read(files: Mapping[str, bytes]) -> GradeRule:
    keys = {"schema", "id", "version", "calculation", "title", "basis", "effective", "shown", "inputs"}
    keys |= {"accepts", "grades", "not_gradable", "pcaf"}
    head = _keys(read_toml(files, _TOML, GradeRuleInvalid), keys, _TOML)
    if head["schema"] != SCHEMA or head["calculation"] != CALCULATION:
        raise _refusal(_TOML, f"not {SCHEMA}, or not the calculation {CALCULATION}")
    effective = _keys(head["effective"], {"start", "end"}, "effective")
    start = parse_instant(effective["start"], field="effective.start")
    end = parse_instant(effective["end"], field="effective.end") if effective["end"] else None
    if end is not None and end <= start:
        raise _refusal("effective", "ends before it starts")
    shown = _keys(head["shown"], {"intensity", "ratio"}, "shown")
    barred = _keys(head["not_gradable"], {"title", "reasons"}, "not_gradable")
    reasons = _keys(barred["reasons"], set(REASONS), "not_gradable.reasons")
    return GradeRule(
        name=check_identity(f"{head['id']}@{head['version']}", "id", GradeRuleInvalid),
        digest=package_digest(files),
        title=check_bilingual(head["title"], "title", GradeRuleInvalid),
        basis=check_bilingual(head["basis"], "basis", GradeRuleInvalid),
        effective=(start, end),
        shown_intensity=Rounding.from_table(shown["intensity"], field="shown.intensity"),
        shown_ratio=Rounding.from_table(shown["ratio"], field="shown.ratio"),
        inputs=_inputs(head["inputs"]),
        accepts=_accepts(head["accepts"]),
        levels=_levels(head["grades"]),
        not_gradable=_with_noun(barred["title"], "not_gradable.title"),
        bars={code: _bar(reasons[code], f"not_gradable.reasons.{code}") for code in REASONS},
        pcaf=_pcaf(head["pcaf"]),
        examples=_examples(files),
    )


def _inputs(table: object) -> dict[str, RuleInput]:
    found = dict[str, RuleInput]()
    for name, value in _keys(table, set(INPUTS), "inputs").items():
        place = f"inputs.{name}"
        body = _keys(value, {"title", "unit", "meaning"}, place)
        if not isinstance(body["unit"], str):
            raise _refusal(f"{place}.unit", "not a text")
        texts = [
            check_bilingual(body[key], f"{place}.{key}", GradeRuleInvalid) for key in ("title", "meaning")
        ]
        found[name] = RuleInput(texts[0], body["unit"], texts[1])
    return found


def _accepts(table: object) -> dict[str, tuple[str, ...]]:
    allowed = {
        "data_sources": DATA_SOURCES,
        "opinions": ACCEPTABLE_OPINIONS,
        "levels_of_assurance": LEVELS_OF_ASSURANCE,
    }
    body = _keys(table, set(allowed), "accepts")
    return {name: _choices(body[name], known, f"accepts.{name}") for name, known in allowed.items()}


def _levels(rows: list[Any]) -> tuple[GradeLevel, ...]:
    levels = list[GradeLevel]()
    for number, row in enumerate(rows):
        place = f"grades[{number}]"
        body = _keys(row, {"grade", "ratio_at_most", "title", "reason"}, place)
        limit = body["ratio_at_most"]
        levels.append(
            GradeLevel(
                grade=body["grade"],
                ratio_at_most=None if limit == "" else parse_decimal(limit, field=f"{place}.ratio_at_most"),
                title=_with_noun(body["title"], f"{place}.title"),
                reason=check_bilingual(body["reason"], f"{place}.reason", GradeRuleInvalid),
            )
        )
    limits = [level.ratio_at_most for level in levels]
    rising = [limit for limit in limits[:-1] if limit is not None]
    if tuple(level.grade for level in levels) != GRADES or limits[-1] is not None:
        raise _refusal("grades", f"not {', '.join(GRADES)}, the last without a limit")
    if len(rising) != len(GRADES) - 1 or rising[0] <= 0 or sorted(set(rising)) != rising:
        raise _refusal("grades", "limits are not above zero and rising")
    return tuple(levels)


def _bar(table: object, place: str) -> Bar:
    body = _keys(table, {"reason", "cure"}, place)
    reason, cure = (check_bilingual(body[k], f"{place}.{k}", GradeRuleInvalid) for k in ("reason", "cure"))
    return Bar(reason, cure)


def _pcaf(rows: list[Any]) -> tuple[PcafRow, ...]:
    found = list[PcafRow]()
    for number, row in enumerate(rows):
        place = f"pcaf[{number}]"
        body = _keys(row, {"score", "data_sources", "is_verified", "meaning"}, place)
        if type(body["score"]) is not int or type(body["is_verified"]) is not bool:
            raise _refusal(place, "score is not an integer, or is_verified not true or false")
        sources = _choices(body["data_sources"], DATA_SOURCES, f"{place}.data_sources")
        meaning = check_bilingual(body["meaning"], f"{place}.meaning", GradeRuleInvalid)
        found.append(PcafRow(body["score"], sources, body["is_verified"], meaning))
    if [row.score for row in found] != [1, 2, 3, 4, 5] or not found[0].is_verified:
        raise _refusal("pcaf", "not the scores 1 to 5 in order, or score 1 without verification")
    unverified = {source for row in found if not row.is_verified for source in row.data_sources}
    if unverified != set(DATA_SOURCES):
        raise _refusal("pcaf", "leaves a data source without a score when it is not verified")
    return tuple(found)


def _examples(files: Mapping[str, bytes]) -> dict[str, Mapping[str, Any]]:
    found = dict[str, Mapping[str, Any]]()
    for path in sorted(files):
        if path == _TOML:
            continue
        if not path.startswith("examples/") or not path.endswith(".json") or len(files[path]) > _MAX_EXAMPLE:
            raise _refusal(path, "neither the rule nor an example of ordinary size")
        example = json.loads(files[path].decode(), parse_float=Decimal)
        found[path] = _keys(example, {"title", "derivation", "input", "expected"}, path)
    if not found:
        raise _refusal("examples", "missing")
    return found


def _keys(table: object, keys: set[str], place: str) -> dict[str, Any]:
    return check_keys(table, keys, keys, place, GradeRuleInvalid)


def _choices(value: object, known: tuple[str, ...], place: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or len(set(value)) != len(value) or set(value) - set(known):
        raise _refusal(place, f"not a list out of {', '.join(known)}")
    return tuple(value)


def _with_noun(value: object, place: str) -> dict[str, str]:
    text = check_bilingual(value, place, GradeRuleInvalid)
    if any(noun not in text[language] for language, noun in NOUNS.items()):
        raise _refusal(place, f"a colour without its noun ({' / '.join(NOUNS.values())})")
    return text


def _refusal(place: str, reason: str) -> GradeRuleInvalid:
    return GradeRuleInvalid(place, reason, "follow a published package")
