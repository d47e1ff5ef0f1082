"""Factors and factor sets: values with kind, family, region, year, unit, source and certainty.

A factor set is a package (`factor_set.toml` and CSV files in our own format) that never changes once
published. A `FactorNeed` says what a method's parameter takes; `check_factor` refuses by name whatever does
not fit it. How sure a value is travels with it to the report. Left out: choosing a factor for the user; the
plan names it.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from carbonseal_accounting.arithmetic import read_decimal
from carbonseal_accounting.errors import (
    AccountingError,
    FactorRefused,
    FactorSetInvalid,
    FactorSetUnknown,
    FactorUnknown,
)
from carbonseal_accounting.packages import (
    check_bilingual,
    check_files,
    check_identity,
    check_keys,
    read_toml,
    shipped,
)
from carbonseal_accounting.periods import Calendar
from carbonseal_accounting.units import Unit, parse_unit
from carbonseal_attest.packages import package_digest

SCHEMA: Final = "carbonseal-factor-set/1"
KINDS: Final = (
    "location_average",
    "residual",
    "fossil",
    "reporting_rule",
    "operating_margin",
    "build_margin",
    "life_cycle",
    "heat_default",
    "heat_supplier",
    "net_calorific_value",
    "carbon_content",
    "oxidation_factor",
    "fuel_factor",
    "combustion_co2",
    "combustion_ch4",
    "combustion_n2o",
    "gwp100",
    "standard_coal",
)
CERTAINTIES: Final = (
    "verified",
    "secondary-verified",
    "computed",
    "declared",
    "general-knowledge",
    "conflict",
    "unsure",
)
UNSURE: Final = frozenset({"general-knowledge", "conflict", "unsure"})
DECLARED: Final = "declared"
MAX_FACTORS: Final = 20_000
COLUMNS: Final = (
    "key",
    "kind",
    "name_zh",
    "name_en",
    "region",
    "year",
    "published",
    "value",
    "unit",
    "family",
    "gas",
    "source",
    "certainty",
    "note",
)


@dataclass(frozen=True, slots=True)
class Factor:
    """One value with all that gives it meaning; `set_name` is empty if declared or a method's default."""

    set_name: str  # ID@VERSION
    set_digest: bytes
    key: str
    kind: str
    name: Mapping[str, str]
    region: str
    year: int | None
    published_on: date | None
    value: Decimal
    unit: Unit
    family: str
    gas: str
    source: str
    certainty: str
    note: str

    @property
    def is_declared(self) -> bool:
        """Whether the plan states the value itself."""
        return self.certainty == DECLARED

    @property
    def is_unsure(self) -> bool:
        """Whether nobody checked the value: general knowledge, sources that disagree, or marked unsure.

        A value of `secondary-verified` was checked against a second source, not against the official page. It
        is not counted here; its certainty goes with it into inventory, trace and report, and is shown there.
        """
        return self.certainty in UNSURE

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"{self.set_name} {self.key}" if self.set_name else "the declared factor"

    def to_json(self) -> dict[str, Any]:
        """Return every attribute, decimals as strings, units by their common names."""
        return {
            "set": self.set_name or None,
            "set_digest": self.set_digest.hex() if self.set_name else None,
            "key": self.key or None,
            "kind": self.kind,
            "name": dict(self.name),
            "region": self.region,
            "year": self.year,
            "value": format(self.value, "f"),
            "unit": self.unit.name,
            "unit_ucum": self.unit.code,
            "family": self.family,
            "source": self.source,
            "certainty": self.certainty,
            "note": self.note,
            "is_declared": self.is_declared,
        }


@dataclass(frozen=True, slots=True)
class FactorSet:
    """A published package of factors."""

    name: str  # ID@VERSION
    title: Mapping[str, str]
    digest: bytes
    factors: Mapping[str, Factor] = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> FactorSet:
        """Return the set that a package's files write.

        Raises:
            FactorSetInvalid: the package or one of its values is malformed.
        """
        check_files(files, FactorSetInvalid)
        try:
            return cls._read(files)
        except (TypeError, AttributeError) as error:
            raise FactorSetInvalid(
                "factor_set.toml", f"misshapen: {str(error)[:80]}", "follow a published package"
            ) from error

    @classmethod
    def _read(cls, files: Mapping[str, bytes]) -> FactorSet:
        head = read_toml(files, "factor_set.toml", FactorSetInvalid)
        keys = {"schema", "id", "version", "title", "files"}
        check_keys(head, keys, keys, "factor_set.toml", FactorSetInvalid)
        if head["schema"] != SCHEMA:
            raise FactorSetInvalid("factor_set.toml.schema", "unknown", f"use {SCHEMA}")
        name = check_identity(f"{head['id']}@{head['version']}", "factor_set.toml.id", FactorSetInvalid)
        title = check_bilingual(head["title"], "factor_set.toml.title", FactorSetInvalid)
        if not isinstance(head["files"], list) or set(files) != {"factor_set.toml", *map(str, head["files"])}:
            raise FactorSetInvalid(
                "factor_set.toml.files", "not the files of the package", "list each CSV once"
            )
        digest = package_digest(files)
        factors = dict[str, Factor]()
        for path in head["files"]:
            for factor in _read_csv(files[path], path, name, digest):
                if factor.key in factors:
                    raise FactorSetInvalid(path, f"{factor.key} stands twice", "give each factor its own key")
                factors[factor.key] = factor
        return cls(name, title, digest, factors, dict(files))

    def find(self, key: object, *, field: str = "key") -> Factor:
        """Return the factor of `key`.

        Raises:
            FactorUnknown: no such key; the nearest one is named.
        """
        factor = self.factors.get(key) if isinstance(key, str) else None
        if factor is None:
            near = difflib.get_close_matches(str(key), self.factors, n=1, cutoff=0.3)
            raise FactorUnknown(
                field,
                f"{self.name} has no factor {str(key)[:60]!r}",
                f"the nearest is {near[0]}" if near else "name one of its keys",
            )
        return factor


@dataclass(frozen=True, slots=True)
class FactorNeed:
    """What a method's parameter takes."""

    kinds: tuple[str, ...]
    unit: Unit
    families: tuple[str, ...] = ()  # none: any
    regions: tuple[str, ...] = ()  # none: any; CN stands for CN and all CN-...
    sets: tuple[str, ...] = ()  # none: any
    year_rule: str = ""  # "latest_published", or none
    is_declared_allowed: bool = False


def load_factor_sets() -> dict[str, FactorSet]:
    """Return every factor set of this distribution by ID@VERSION."""
    return dict(_shipped_sets())


def find_factor_set(name: str) -> FactorSet:
    """Return the shipped factor set `name` (ID@VERSION).

    Raises:
        FactorSetUnknown: not shipped.
    """
    return pick_factor_set(_shipped_sets(), name, field="set")


def pick_factor_set(sets: Mapping[str, FactorSet], name: object, *, field: str) -> FactorSet:
    """Return the set `name` out of `sets`; refuse by name when it is not there."""
    found = sets.get(name) if isinstance(name, str) else None
    if found is None:
        raise FactorSetUnknown(
            field,
            f"no factor set {str(name)[:60]!r} at hand",
            f"name one of {', '.join(sorted(sets)) or 'none'}",
        )
    return found


def read_declared(table: object, *, field: str) -> Factor:
    """Return the factor that a plan declares: `{value, unit, kind, region, year, source}`.

    Raises:
        FactorRefused: a part is missing, unknown or malformed.
    """
    needed = {"value", "unit", "kind", "region", "year", "source"}
    body = check_keys(table, needed, needed, field, FactorRefused)
    if body["kind"] not in KINDS:
        raise FactorRefused(
            f"{field}.kind", f"unknown kind {str(body['kind'])[:40]!r}", f"use {', '.join(KINDS)}"
        )
    for part in ("region", "source"):
        if not isinstance(body[part], str) or not body[part].strip():
            raise FactorRefused(f"{field}.{part}", "empty", "say where the value holds and where it stands")
    if type(body["year"]) is not int or not 1900 <= body["year"] <= 2200:
        raise FactorRefused(f"{field}.year", "not a year", "write the year that the value describes")
    value = read_decimal(body["value"], field=f"{field}.value")
    if value < 0:
        raise FactorRefused(f"{field}.value", "negative", "a factor is zero or more")
    unit = parse_unit(body["unit"], field=f"{field}.unit")
    return Factor(
        "",
        b"",
        "",
        body["kind"],
        {"zh": "自行声明", "en": "declared"},
        body["region"],
        body["year"],
        None,
        value,
        unit,
        DECLARED,
        "",
        body["source"],
        DECLARED,
        "",
    )


def check_factor(
    factor: Factor, need: FactorNeed, *, sets: Mapping[str, FactorSet], calendar: Calendar, field: str
) -> str:
    """Check that `factor` fits `need` in a period; return the year rule applied, in words ("" if none).

    Raises:
        FactorRefused: wrong kind, unit, method family, region or year, or declared where that is not allowed.
    """
    if factor.is_declared and not need.is_declared_allowed:
        raise FactorRefused(field, "a declared factor is not allowed here", "take one from a factor set")
    if factor.kind not in need.kinds:
        raise FactorRefused(
            field, f"{factor.title} is of kind {factor.kind}", f"use kind {' or '.join(need.kinds)}"
        )
    if factor.unit.dimension != need.unit.dimension:
        raise FactorRefused(
            field, f"{factor.title} is in {factor.unit.name}", f"use one in {need.unit.name} or its multiples"
        )
    if not factor.is_declared:
        if need.sets and factor.set_name not in need.sets:
            raise FactorRefused(
                field, f"{factor.set_name} is not of this method", f"use {' or '.join(need.sets)}"
            )
        if need.families and factor.family not in need.families:
            raise FactorRefused(
                field,
                f"{factor.title} belongs to the method family {factor.family}",
                f"use family {' or '.join(need.families)}",
            )
    if need.regions and not any(covers(region, factor.region) for region in need.regions):
        raise FactorRefused(
            field, f"{factor.title} holds in {factor.region}", f"use region {' or '.join(need.regions)}"
        )
    return _check_year(factor, need, sets, calendar, field)


def covers(region: str, part: str) -> bool:
    """Whether `part` is `region` or lies in it (CN covers CN-SH)."""
    return part == region or part.startswith(f"{region}-")


def _check_year(
    factor: Factor, need: FactorNeed, sets: Mapping[str, FactorSet], calendar: Calendar, field: str
) -> str:
    if need.year_rule != "latest_published":
        return ""
    if factor.year is None or factor.year > calendar.last_year:
        raise FactorRefused(
            field,
            f"{factor.title} is of {factor.year}, later than the period ({calendar.last_year})",
            f"use one of {calendar.last_year} or before, or declare one with its source",
        )
    if not factor.is_declared:
        ends_on = datetime.fromtimestamp(calendar.end_ms // 1000, tz=UTC).date()
        for other in sets[factor.set_name].factors.values():
            is_newer = (
                other.kind == factor.kind
                and other.region == factor.region
                and other.year is not None
                and factor.year < other.year <= calendar.last_year
                and other.published_on is not None
                and other.published_on <= ends_on
            )
            if is_newer:
                raise FactorRefused(
                    field,
                    f"{factor.title} is of {factor.year}; {other.year} was published on {other.published_on}",
                    f"use {other.key}",
                )
    return (
        f"latest published at or before the end of the period; data year {factor.year}"
        if not factor.is_declared
        else f"declared; data year {factor.year}"
    )


@lru_cache(maxsize=1)
def _shipped_sets() -> Mapping[str, FactorSet]:
    sets = (FactorSet.from_files(files) for files in shipped("factor_sets").values())
    return {item.name: item for item in sets}


def _read_csv(data: bytes, path: str, name: str, digest: bytes) -> list[Factor]:
    try:
        rows = list(csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True))
    except (ValueError, csv.Error) as error:
        raise FactorSetInvalid(path, "not CSV in UTF-8", "mend the file") from error
    if len(rows) > MAX_FACTORS:
        raise FactorSetInvalid(path, f"more than {MAX_FACTORS} factors", "split the set")
    return [_read_row(row, f"{path}:{line}", name, digest) for line, row in enumerate(rows, start=2)]


def _read_row(row: dict[str, Any], place: str, name: str, digest: bytes) -> Factor:
    if set(row) != set(COLUMNS) or not all(isinstance(text, str) for text in row.values()):
        raise FactorSetInvalid(place, "not the columns of a factor", f"use {', '.join(sorted(COLUMNS))}")
    for column in ("key", "region", "family", "source", "name_zh", "name_en"):
        if not row[column]:
            raise FactorSetInvalid(f"{place}.{column}", "empty", "fill it")
    for column, words in (("kind", KINDS), ("certainty", CERTAINTIES)):
        if row[column] not in words:
            raise FactorSetInvalid(f"{place}.{column}", f"unknown {row[column]!r}", f"use {', '.join(words)}")
    try:
        year = int(row["year"]) if row["year"] else None
        published = date.fromisoformat(row["published"]) if row["published"] else None
        value = read_decimal(row["value"], field=f"{place}.value")
        unit = parse_unit(row["unit"], field=f"{place}.unit")
    except (ValueError, AccountingError) as error:
        raise FactorSetInvalid(place, str(error), "mend the row") from error
    return Factor(
        name,
        digest,
        row["key"],
        row["kind"],
        {"zh": row["name_zh"], "en": row["name_en"]},
        row["region"],
        year,
        published,
        value,
        unit,
        row["family"],
        row["gas"],
        row["source"],
        row["certainty"],
        row["note"],
    )
