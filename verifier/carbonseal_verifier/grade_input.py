"""The input of a grade: one strict JSON object about one party and one reporting period.

Decimals are plain strings, instants RFC 3339 in UTC, intervals half-open. A figure that is not at hand is
null or left out, and is then a reason for "not gradable"; a key that nobody knows, a figure in another unit
or a verification that contradicts itself is refused. The digest is over the one spelling of the object: keys
sorted, absent figures null. Each figure may name the statement that it comes from; emissions also name what
puts their report in doubt (statements of open impacts) and which installations it leaves out. Left out:
whether any of it is true, and whether those statements say it; that is what a bundle's check is for.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NoReturn

from carbonseal_accounting.packages import check_keys
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.identifiers import check_code, is_plain_text
from carbonseal_attest.instants import Interval, parse_instant
from carbonseal_attest.quantities import parse_decimal
from carbonseal_verifier.errors import GradeInputInvalid
from carbonseal_verifier.grade_rule import DATA_SOURCES, INPUTS, LEVELS_OF_ASSURANCE, GradeRule
from carbonseal_verifier.quality.code import GREEN, PENDING, RED
from carbonseal_verifier.quality.findings import SEVERITIES

SCHEMA: Final = "carbonseal-grade-input/1"
MAX_INPUT: Final = 1 << 18  # bytes
MAX_OPEN_FINDINGS: Final = 2000  # as many as a data code lists
MAX_TEXT: Final = 400  # characters of a source, as in a statement
MAX_LISTED: Final = 500  # doubts, or installations left out
VERIFIED, WITHDRAWN = "verified", "withdrawn"
STATES: Final = (VERIFIED, "in_progress", WITHDRAWN, "none")
OPINIONS: Final = ("unmodified", "modified", "adverse", "disclaimer")
_MAX_FIELD: Final = 80  # characters of a field's name in a refusal
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_NEEDED: Final = {"schema", "party", "as_of", "period"}
_LEFT_OUT: Final[Mapping[str, Mapping[str, Any]]] = {
    "emissions": {"doubts": [], "left_out": []},
    "value_added": {"replaced": []},
    "verification": {"is_independent": True},
}
_ENGAGEMENT: Final = ("opinion", "level_of_assurance", "body")


@dataclass(frozen=True, slots=True)
class Verification:
    """What is known of the verification; opinion, level and body stand when it is verified or withdrawn."""

    state: str
    opinion: str | None
    level_of_assurance: str | None
    body: str | None  # party code of the verification body
    is_independent: bool = True  # false: another party code, but the same organisation


@dataclass(frozen=True, slots=True)
class GradeInput:
    """An input that has been read and checked; None: not at hand. Units are the rule's."""

    party: str
    as_of: int  # ms: when the grade is asked for
    period: Interval
    emissions: Decimal | None
    data_source: str | None
    value_added: Decimal | None
    industry_mean: Decimal | None
    mean_period: Interval | None
    data_code: str | None
    open_findings: tuple[str, ...] | None  # severities
    verification: Verification | None
    doubts: int  # open impacts on the report or what it rests on
    left_out: int  # installations of the party that the report does not cover
    digest: bytes

    @classmethod
    def parse(cls, data: bytes, rule: GradeRule) -> GradeInput:
        """Return the input that JSON in UTF-8 holds.

        Raises:
            GradeInputInvalid: too large, not JSON, a key unknown or twice, a malformed value, a unit that
                the rule does not take, emissions below zero, or a mean that is not above zero.
        """
        document = _decode(data)
        try:
            return _read(document, rule)
        except CarbonsealError as error:
            # A key of the input may be as long as the input; the line that names it may not.
            raise GradeInputInvalid(error.field[:_MAX_FIELD], error.reason, error.remedy) from error

    @property
    def missing(self) -> tuple[str, ...]:
        """The rule's inputs that are not at hand, in the rule's order."""
        return tuple(name for name in INPUTS if getattr(self, name) is None)


def one_spelling(value: Mapping[str, Any]) -> bytes:
    """Return JSON in UTF-8: keys sorted, indented by two, one line feed at the end. One way to write it."""
    return (json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2) + "\n").encode()


def _decode(data: bytes) -> Any:
    if len(data) > MAX_INPUT:
        raise GradeInputInvalid("input", f"over {MAX_INPUT} bytes", "give one party and one period")
    try:
        return json.loads(
            data.decode(),
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
            object_pairs_hook=_unique,
        )
    except json.JSONDecodeError as error:
        place = f"input line {error.lineno} column {error.colno}"
        raise GradeInputInvalid(place, f"not JSON: {error.msg}", "mend it there") from error
    except (ValueError, RecursionError) as error:
        raise GradeInputInvalid("input", "not JSON in UTF-8, or nested too deep", "mend the file") from error


def _refuse_number(text: str) -> NoReturn:
    raise GradeInputInvalid("input", f"{text[:40]} is a bare number", f'write a string, "{text[:40]}"')


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise GradeInputInvalid(twice[:60], "stands twice in one object", "keep one")
    return made


def _read(document: object, rule: GradeRule) -> GradeInput:
    body = check_keys(document, set(INPUTS), _NEEDED, "input", GradeInputInvalid)
    if body["schema"] != SCHEMA:
        raise GradeInputInvalid("schema", "unknown", f"write {SCHEMA}")
    emissions = _table(body, "emissions", {"value", "unit", "data_source"}, {"doubts", "left_out"})
    value_added = _table(body, "value_added", {"value", "unit", "source"}, {"replaced"})
    mean = _table(body, "industry_mean", {"value", "unit", "industry", "period", "source"})
    code = _table(body, "data_code", {"code", "profile"})
    for table, name, keys in (
        (value_added, "value_added", ("source",)),
        (mean, "industry_mean", ("industry", "source")),
        (code, "data_code", ("profile",)),
    ):
        for key in keys if table is not None else ():
            _text(table, key, f"{name}.{key}")
    # How often the figure was stated anew bars nothing; whoever relies on the grade reads it in the input.
    _count(value_added, "value_added.replaced", _check_digest)
    emitted = _quantity(emissions, "emissions", rule)
    if emitted is not None and emitted < 0:
        raise GradeInputInvalid("emissions.value", "below zero", "give gross emissions, nothing deducted")
    usual = _quantity(mean, "industry_mean", rule)
    if usual is not None and usual <= 0:
        raise GradeInputInvalid("industry_mean.value", "not above zero", "copy the published mean again")
    return GradeInput(
        party=check_code(body["party"], field="party"),
        as_of=_instant(body["as_of"], "as_of"),
        period=_period(body["period"], "period"),
        emissions=emitted,
        data_source=None
        if emissions is None
        else _choice(emissions["data_source"], DATA_SOURCES, "emissions.data_source"),
        value_added=_quantity(value_added, "value_added", rule),
        industry_mean=usual,
        mean_period=None if mean is None else _period(mean["period"], "industry_mean.period"),
        data_code=None if code is None else _choice(code["code"], (GREEN, RED, PENDING), "data_code.code"),
        open_findings=_findings(body.get("open_findings")),
        verification=_verification(_table(body, "verification", {"state", *_ENGAGEMENT}, {"is_independent"})),
        doubts=_count(emissions, "emissions.doubts", _check_digest),
        left_out=_count(emissions, "emissions.left_out", check_code),
        # Last, when every text is known to be plain. Null and absent give the same digest.
        digest=hashlib.sha256(_spelled(body)).digest(),
    )


def _table(
    body: Mapping[str, Any], name: str, keys: set[str], optional: Collection[str] = ()
) -> dict[str, Any] | None:
    value = body.get(name)
    if value is None:
        return None
    table = check_keys(value, {*keys, *optional, "statement"}, keys, name, GradeInputInvalid)
    statement = table.get("statement")
    if statement is not None:
        _check_digest(statement, field=f"{name}.statement")
    return table


def _check_digest(value: object, *, field: str) -> str:
    if isinstance(value, str) and _DIGEST.fullmatch(value):
        return value
    raise GradeInputInvalid(field, "not a statement digest", "write 64 of 0-9a-f, or null")


def _count(table: Mapping[str, Any] | None, place: str, check: Callable[..., str]) -> int:
    value = [] if table is None else table.get(place.rpartition(".")[2])
    if value is None:
        return 0
    if not isinstance(value, list) or len(value) > MAX_LISTED:
        raise GradeInputInvalid(place, "not a list, or too long", "list them once each, or write []")
    if len({check(item, field=f"{place}[{number}]") for number, item in enumerate(value)}) != len(value):
        raise GradeInputInvalid(place, "names something twice", "list them once each")
    return len(value)


def _spelled(body: Mapping[str, Any]) -> bytes:
    """Return the one spelling of an input: whatever may be left out stands there as null."""
    whole = {**dict.fromkeys(INPUTS), **body}
    for name, value in whole.items():
        if name in INPUTS and isinstance(value, dict):
            whole[name] = {"statement": None, **_LEFT_OUT.get(name, {}), **value}
    for name, key in (("emissions", "doubts"), ("emissions", "left_out"), ("value_added", "replaced")):
        if isinstance(whole[name], dict):
            whole[name][key] = whole[name][key] or []
    return one_spelling(whole)


def _quantity(table: Mapping[str, Any] | None, name: str, rule: GradeRule) -> Decimal | None:
    if table is None:
        return None
    unit = rule.inputs[name].unit
    if table["unit"] != unit:
        raise GradeInputInvalid(f"{name}.unit", "not the rule's unit", f"convert it and write {unit}")
    return parse_decimal(table["value"], field=f"{name}.value")


def _findings(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > MAX_OPEN_FINDINGS:
        raise GradeInputInvalid("open_findings", "not a list, or too long", "list the open findings, or []")
    keys = {"finding", "severity"}
    severities = list[str]()
    for number, item in enumerate(value):
        place = f"open_findings[{number}]"
        row = check_keys(item, keys, keys, place, GradeInputInvalid)
        _text(row, "finding", f"{place}.finding")
        severities.append(_choice(row["severity"], SEVERITIES, f"{place}.severity"))
    return tuple(severities)


def _verification(table: Mapping[str, Any] | None) -> Verification | None:
    if table is None:
        return None
    state = _choice(table["state"], STATES, "verification.state")
    is_independent = table.get("is_independent", True)
    if type(is_independent) is not bool:
        raise GradeInputInvalid("verification.is_independent", "not true or false", "write one of them")
    if state not in {VERIFIED, WITHDRAWN}:
        for key in _ENGAGEMENT[:2]:
            if table[key] is not None:
                raise GradeInputInvalid(f"verification.{key}", f"stands beside state {state}", "write null")
        body = None if table["body"] is None else check_code(table["body"], field="verification.body")
        return Verification(state, None, None, body, is_independent)
    return Verification(
        state,
        _choice(table["opinion"], OPINIONS, "verification.opinion"),
        _choice(table["level_of_assurance"], LEVELS_OF_ASSURANCE, "verification.level_of_assurance"),
        check_code(table["body"], field="verification.body"),
        is_independent,
    )


def _period(value: object, place: str) -> Interval:
    keys = {"start", "end"}
    table = check_keys(value, keys, keys, place, GradeInputInvalid)
    start, end = (_instant(table[key], f"{place}.{key}") for key in ("start", "end"))
    if start >= end:
        raise GradeInputInvalid(place, "ends before it starts, or is empty", "give start before end")
    return start, end


def _instant(value: object, place: str) -> int:
    if not isinstance(value, str):
        raise GradeInputInvalid(place, "not a text", "give a UTC instant such as 2026-01-31T16:00:00Z")
    return parse_instant(value, field=place)


def _choice(value: object, known: tuple[str, ...], place: str) -> str:
    if isinstance(value, str) and value in known:
        return value
    raise GradeInputInvalid(place, f"{str(value)[:40]!r} is not known", f"use {', '.join(known)}")


def _text(table: Mapping[str, Any] | None, key: str, place: str) -> None:
    value = None if table is None else table[key]
    if not isinstance(value, str) or not 0 < len(value.strip()) <= len(value) <= MAX_TEXT:
        raise GradeInputInvalid(place, f"not a text of 1 to {MAX_TEXT} characters", "name it")
    if not is_plain_text(value):
        raise GradeInputInvalid(place, "holds characters that nobody sees", "write plain text")
