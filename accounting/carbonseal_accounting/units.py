"""Units: UCUM codes, the common names people write, dimensions, exact conversion.

Codes follow UCUM (<https://ucum.org/ucum>): `kW.h`, `t{CO2e}`, `m3{normal}`, `GJ/(10*4.m3{normal})`. An
annotation in braces is a dimension of its own here: UCUM lets readers ignore it, we do not, so a tonne of
CO2 never adds to a tonne of coal, and a cubic metre at line conditions never passes for a normal one.
Conversions are exact fractions. Left out: units with an offset (`Cel` is known by name and converts to
nothing), logarithmic and arbitrary units.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final

from carbonseal_accounting.arithmetic import scale_by
from carbonseal_accounting.errors import UnitMismatch, UnitUnknown

MAX_CODE: Final = 64  # characters
MAX_DEPTH: Final = 4  # nested parentheses
Dimension = tuple[tuple[str, int], ...]  # base and power, sorted by base

_POWER: Final = (("kg", 1), ("m", 2), ("s", -3))
_ATOMS: Final[dict[str, tuple[Fraction, Dimension, bool]]] = {  # factor to SI, dimension, takes prefixes
    "1": (Fraction(1), (), False),
    "%": (Fraction(1, 100), (), False),
    "g": (Fraction(1, 1000), (("kg", 1),), True),
    "t": (Fraction(1000), (("kg", 1),), False),
    "[lb_av]": (Fraction(45359237, 100000000), (("kg", 1),), False),
    "m": (Fraction(1), (("m", 1),), True),
    "L": (Fraction(1, 1000), (("m", 3),), True),
    "l": (Fraction(1, 1000), (("m", 3),), True),
    "s": (Fraction(1), (("s", 1),), True),
    "min": (Fraction(60), (("s", 1),), False),
    "h": (Fraction(3600), (("s", 1),), False),
    "d": (Fraction(86400), (("s", 1),), False),
    "J": (Fraction(1), (("kg", 1), ("m", 2), ("s", -2)), True),
    "W": (Fraction(1), _POWER, True),
    "A": (Fraction(1), (("A", 1),), True),
    "V": (Fraction(1), (("A", -1), *_POWER), True),
    "Hz": (Fraction(1), (("s", -1),), True),
    "Pa": (Fraction(1), (("kg", 1), ("m", -1), ("s", -2)), True),
    "bar": (Fraction(100000), (("kg", 1), ("m", -1), ("s", -2)), True),
    "K": (Fraction(1), (("K", 1),), True),
    "Cel": (Fraction(1), (("Cel", 1),), False),
    "[Btu_IT]": (Fraction(105505585262, 100000000), (("kg", 1), ("m", 2), ("s", -2)), False),
}
_PREFIXES: Final = {
    "T": Fraction(10**12),
    "G": Fraction(10**9),
    "M": Fraction(10**6),
    "k": Fraction(1000),
    "h": Fraction(100),
    "d": Fraction(1, 10),
    "c": Fraction(1, 100),
    "m": Fraction(1, 1000),
    "u": Fraction(1, 10**6),
}
# UCUM code -> the name shown, then other names read. The first of each list is what reports print.
COMMON_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "kW.h": ("kWh", "kwh", "KWH", "千瓦时", "度"),
    "MW.h": ("MWh", "mwh", "兆瓦时"),
    "GW.h": ("GWh", "吉瓦时"),
    "W.h": ("Wh", "瓦时"),
    "kW": ("千瓦",),
    "kV.A.h{reactive}": ("kvarh", "kVarh", "kVArh", "kvar.h", "kVar.h", "千乏时"),
    "MV.A.h{reactive}": ("Mvarh", "MVarh", "Mvar.h", "兆乏时"),
    "kV.A{reactive}": ("kvar", "kVar", "千乏"),
    "kV.A.h": ("kVAh", "千伏安时"),
    "GJ": ("吉焦", "百万千焦"),
    "MJ": ("兆焦",),
    "kJ": ("千焦",),
    "TJ": ("太焦",),
    "t": ("吨", "tonne", "tonnes"),
    "kg": ("千克", "公斤"),
    "g": ("克",),
    "m3": ("m³", "立方米", "方"),
    "L": ("升", "litre", "liter"),
    "m3{normal}": ("Nm3", "Nm³", "标准立方米", "标方"),
    "10*4.m3{normal}": (
        "10^4 Nm3",
        "10^4Nm3",
        "10⁴Nm³",
        "10⁴ Nm³",
        "万Nm3",
        "万Nm³",
        "万标准立方米",
        "万标方",
    ),
    "10*4.m3": ("10^4 m3", "10^4m3", "万立方米", "万m3"),
    "t{CO2e}": ("tCO2e", "tCO₂e", "t CO2e", "吨二氧化碳当量"),
    "kg{CO2e}": ("kgCO2e", "kgCO₂e", "kg CO2e", "千克二氧化碳当量"),
    "t{CO2}": ("tCO2", "tCO₂", "t CO2", "吨二氧化碳"),
    "kg{CO2}": ("kgCO2", "kgCO₂", "kg CO2", "千克二氧化碳"),
    "g{CO2}": ("gCO2",),
    "kg{CH4}": ("kgCH4",),
    "t{CH4}": ("tCH4",),
    "kg{N2O}": ("kgN2O",),
    "t{N2O}": ("tN2O",),
    "t{C}": ("tC", "吨碳"),
    "kg{ce}": ("kgce", "千克标准煤"),
    "t{ce}": ("tce", "吨标准煤"),
    "Cel": ("°C", "℃", "摄氏度"),
    "bar": ("巴",),
    "h": ("小时",),
}
_BY_NAME: Final = {name: code for code, names in COMMON_NAMES.items() for name in names}
_SHOWN: Final = {code: names[0] for code, names in COMMON_NAMES.items() if names[0].isascii()}
_ATOM: Final = re.compile(
    r"(?P<symbol>\[[A-Za-z_]+\]|[A-Za-z]+|%|1)(?P<power>-?[1-9])?(?P<tag>\{[A-Za-z0-9_]{1,16}\})?"
)
_TEN: Final = re.compile(r"10[*^](-?[0-9]{1,2})")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: its UCUM code, its exact factor to SI base units, its dimension. Equal when all three are."""

    code: str
    factor: Fraction = field(repr=False)
    dimension: Dimension = field(repr=False)

    @property
    def name(self) -> str:
        """The common name that people read (`kWh`, `tCO2/MWh`), else the code."""
        return _shown(self.code)

    def ratio_to(self, other: Unit, *, field: str = "unit") -> Fraction:
        """Return how many `other` make one of this unit.

        Raises:
            UnitMismatch: the dimensions differ.
        """
        if self.dimension != other.dimension:
            raise UnitMismatch(
                field, f"{self.name} cannot be read as {other.name}", _mismatch_remedy(self, other)
            )
        return self.factor / other.factor

    def convert(self, value: Decimal, other: Unit, *, field: str = "unit") -> Decimal:
        """Return `value` of this unit in `other`: exact, or one quotient of 34 digits where none is."""
        return scale_by(value, self.ratio_to(other, field=field))


def parse_unit(text: object, *, field: str = "unit") -> Unit:
    """Return the unit of a UCUM code or of a common name (`kWh`, `10^4 Nm3`, `tCO2/MWh`).

    Raises:
        UnitUnknown: not known; the nearest known code is named.
    """
    if not isinstance(text, str) or not text or len(text) > MAX_CODE:
        raise UnitUnknown(field, f"{str(text)[:40]!r} is not a unit", "write a UCUM code such as kW.h")
    return _parse(text, field)


def combine(code: str, parts: list[tuple[Unit, int]]) -> Unit:
    """Return the product of units to powers under the name `code` (not parsed again)."""
    factor, powers = Fraction(1), dict[str, int]()
    for unit, power in parts:
        factor *= unit.factor**power
        for base, exponent in unit.dimension:
            powers[base] = powers.get(base, 0) + exponent * power
    return Unit(code, factor, _sorted(powers))


def describe(dimension: Dimension) -> str:
    """Return a dimension in base units, for messages: `kg.m2.s-2`."""
    return ".".join(f"{base}{power if power != 1 else ''}" for base, power in dimension) or "1"


@lru_cache(maxsize=1024)
def _parse(text: str, field: str) -> Unit:
    code = _code_of(text)
    reader = _Reader(code)
    try:
        factor, powers = reader.whole()
    except _AmbiguousProduct as error:
        raise UnitUnknown(
            field,
            f"{text!r} divides, then multiplies: UCUM reads it from left to right",
            "put what stands below the line in parentheses, as in t{CO2}/(MW.h)",
        ) from error
    except (ValueError, OverflowError) as error:
        raise UnitUnknown(field, f"unknown unit {text!r}", _nearest(text)) from error
    return Unit(code, factor, _sorted(powers))


class _AmbiguousProduct(Exception):
    pass


class _Reader:
    """A recursive-descent reader of UCUM terms."""

    def __init__(self, code: str) -> None:
        self.rest = code

    def whole(self) -> tuple[Fraction, dict[str, int]]:
        read = self.product(0)
        if self.rest:
            raise ValueError(self.rest)
        return read

    def product(self, depth: int) -> tuple[Fraction, dict[str, int]]:
        if depth > MAX_DEPTH:
            raise ValueError("too deep")
        factor, powers = Fraction(1), dict[str, int]()
        sign, divided = 1, False
        while True:
            part, exponents = self._component(depth)
            factor = factor * part if sign > 0 else factor / part
            for base, power in exponents.items():
                powers[base] = powers.get(base, 0) + sign * power
            if not self.rest or self.rest[0] not in "./":
                return factor, powers
            if self.rest[0] == "." and divided:
                raise _AmbiguousProduct
            divided = divided or self.rest[0] == "/"
            sign = -1 if self.rest[0] == "/" else 1
            self.rest = self.rest[1:]

    def _component(self, depth: int) -> tuple[Fraction, dict[str, int]]:
        if self.rest.startswith("("):
            self.rest = self.rest[1:]
            inside = self.product(depth + 1)
            if not self.rest.startswith(")"):
                raise ValueError(self.rest)
            self.rest = self.rest[1:]
            return inside
        ten = _TEN.match(self.rest)
        if ten:
            self.rest = self.rest[ten.end() :]
            return Fraction(10) ** int(ten[1]), {}
        atom = _ATOM.match(self.rest)
        if not atom:
            raise ValueError(self.rest)
        self.rest = self.rest[atom.end() :]
        power = int(atom["power"] or 1)
        factor, dimension = _atom(atom["symbol"])
        powers = {base: exponent * power for base, exponent in dimension}
        if atom["tag"]:
            powers[atom["tag"]] = 1
        return factor**power, powers


def _atom(symbol: str) -> tuple[Fraction, Dimension]:
    if symbol in _ATOMS:
        factor, dimension, _ = _ATOMS[symbol]
        return factor, dimension
    prefix, rest = symbol[0], symbol[1:]
    if prefix in _PREFIXES and rest in _ATOMS and _ATOMS[rest][2]:
        return _PREFIXES[prefix] * _ATOMS[rest][0], _ATOMS[rest][1]
    raise ValueError(symbol)


def _code_of(text: str) -> str:
    """Turn common names into codes, also on both sides of one dividing line."""
    if text in _BY_NAME:
        return _BY_NAME[text]
    above, line, below = text.partition("/")
    if not line or "/" in below or below.startswith("("):
        return f"{_BY_NAME.get(above, above)}{line}{below}"
    if below in _BY_NAME:
        code = _BY_NAME[below]
        below = f"({code})" if "." in code else code
    return f"{_BY_NAME.get(above, above)}/{below}"


def _shown(code: str) -> str:
    if code in _SHOWN:
        return _SHOWN[code]
    above, line, below = code.partition("/")
    if not line:
        return code
    if below.startswith("(") and below.endswith(")"):
        below = below[1:-1]
    return f"{_SHOWN.get(above, above)}/{_SHOWN.get(below, below)}"


def _sorted(powers: dict[str, int]) -> Dimension:
    return tuple(sorted((base, power) for base, power in powers.items() if power))


def _nearest(text: str) -> str:
    known = [*COMMON_NAMES, *_BY_NAME]
    close = difflib.get_close_matches(text, known, n=1, cutoff=0.5)
    if not close:
        folded = {name.lower(): name for name in known}
        near = difflib.get_close_matches(text.lower(), list(folded), n=1, cutoff=0.4)
        close = [folded[near[0]]] if near else ["kW.h"]
    code = _BY_NAME.get(close[0], close[0])
    return (
        f"the nearest known is {code} ({_shown(code)})"
        if _shown(code) != code
        else f"the nearest known is {code}"
    )


def _mismatch_remedy(have: Unit, want: Unit) -> str:
    tags = {base for base, _ in have.dimension + want.dimension if base.startswith("{")}
    if "{normal}" in tags:
        return (
            "state gas volumes at normal conditions (Nm3), converted with the site's pressure and temperature"
        )
    return f"give it in {want.name} or a unit of the same dimension"
