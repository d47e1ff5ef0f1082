"""A small factory as a deterministic function of a seed and an instant: seven meters whose figures agree.

Everything is integer arithmetic in the meters' own raw units, so that two runs give the same registers bit
for bit. main = line 1 + line 2 + auxiliaries, to the watt-hour and at every instant; the rooftop PV feeds
the auxiliaries' board, whose meter therefore shows what is left to draw. The main meter's power factor is
that of its own active and reactive energy over the last complete quarter of an hour. Weather, physics and
prices are left out.

Faults are told to the plant beforehand; they change what a meter shows, never what the plant does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final

from carbonseal_collectors.errors import PlantInvalid

SLOT_MS: Final = 900_000
DAY_SLOTS: Final = 96
_DAY_MS: Final = SLOT_MS * DAY_SLOTS
_LOCAL_MS: Final = 8 * 3_600_000  # the plant works by UTC+8


@dataclass(frozen=True, slots=True)
class PlantMeter:
    """A meter of the plant: its Modbus unit, its model in the register map, and its figures."""

    name: str
    unit_id: int
    model: str
    figures: tuple[str, ...]


METERS: Final[Mapping[str, PlantMeter]] = {
    meter.name: meter
    for meter in (
        PlantMeter(
            "main",
            1,
            "incoming",
            ("active_energy", "reactive_energy", "power_factor", "active_power", "clock"),
        ),
        PlantMeter("line_1", 2, "feeder", ("active_energy", "active_power", "clock")),
        PlantMeter("line_2", 3, "feeder", ("active_energy", "active_power", "clock")),
        PlantMeter("auxiliaries", 4, "feeder", ("active_energy", "active_power", "clock")),
        PlantMeter("gas", 5, "gas_meter", ("gas_volume", "clock")),
        PlantMeter("steam", 6, "heat_meter", ("heat", "clock")),
        PlantMeter("pv", 7, "inverter", ("generation", "clock")),
    )
}
_CUMULATIVE: Final = {"active_energy", "reactive_energy", "gas_volume", "heat", "generation"}
_MAIN_PARTS: Final = ("line_1", "line_2", "auxiliaries")
# What the counters showed when the simulation began, in raw units.
_INITIAL: Final = {
    ("line_1", "active_energy"): 2_104_332_170,
    ("line_2", "active_energy"): 1_377_904_450,
    ("auxiliaries", "active_energy"): 512_660_090,
    ("main", "reactive_energy"): 1_630_118_004,
    ("gas", "gas_volume"): 45_530_212,
    ("steam", "heat"): 18_226_541,
    ("pv", "generation"): 96_201_330,
}


@dataclass(frozen=True, slots=True)
class Gap:
    """The meter answers every read with a Modbus exception during [start, end)."""

    meter: str
    start: int
    end: int
    exception: int = 11  # gateway target device failed to respond


@dataclass(frozen=True, slots=True)
class Stuck:
    """The meter goes on showing what it showed at `start` during [start, end)."""

    meter: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Spike:
    """One figure shows `add` raw units too much during [start, end)."""

    meter: str
    figure: str
    start: int
    end: int
    add: int


@dataclass(frozen=True, slots=True)
class MeterReset:
    """The meter's counters begin again at zero at the instant `at` (exchanged or reset)."""

    meter: str
    at: int


@dataclass(frozen=True, slots=True)
class ClockJump:
    """The meter's own clock is off by `by_ms` during [start, end)."""

    meter: str
    start: int
    end: int
    by_ms: int


Fault = Gap | Stuck | Spike | MeterReset | ClockJump


class MeterSilent(Exception):
    """The meter does not give its registers; carries the Modbus exception code."""

    def __init__(self, exception: int) -> None:
        super().__init__(exception)
        self.exception = exception


class Plant:
    """The plant and what its meters show.

    Args:
        seed: another seed is another plant with the same shape.
        start: first instant, a whole quarter of an hour, in milliseconds since 1970 UTC.
        faults: what the meters are told to do wrong.

    Raises:
        PlantInvalid: a fault names a meter or figure that does not exist, or an empty interval.
    """

    def __init__(self, *, seed: int, start: int, faults: Sequence[Fault] = ()) -> None:
        if start % SLOT_MS:
            raise PlantInvalid("plant.start", "is not a whole quarter of an hour", "round it")
        for fault in faults:
            _check_fault(fault)
        self._seed = seed
        self._start = start
        self._faults = tuple(faults)
        self._sums: dict[str, list[int]] = {}  # per flow: what had passed at each slot's start

    def show(self, meter: str, figure: str, at: int) -> int:
        """The raw number that a figure of a meter shows at the instant `at`, faults included.

        Raises:
            MeterSilent: a gap fault is on.
            PlantInvalid: `at` lies before the plant's start.
        """
        if at < self._start:
            raise PlantInvalid("plant", "was asked for a time before its start", "move the clock forwards")
        seen_at, extra, offset_ms, reset_at = at, 0, 0, None
        for fault in self._faults:
            if fault.meter != meter:
                continue
            if isinstance(fault, MeterReset):
                if at >= fault.at:
                    reset_at = fault.at if reset_at is None else max(reset_at, fault.at)
            elif fault.start <= at < fault.end:
                match fault:
                    case Gap():
                        raise MeterSilent(fault.exception)
                    case Stuck():
                        seen_at = min(seen_at, fault.start)
                    case Spike():
                        extra += fault.add if fault.figure == figure else 0
                    case ClockJump():
                        offset_ms += fault.by_ms
        if figure == "clock":
            return (seen_at + offset_ms) // 1000
        shown = self.true(meter, figure, seen_at)
        if reset_at is not None and figure in _CUMULATIVE:
            shown -= self.true(meter, figure, max(reset_at, self._start))
        return max(shown + extra, 0)

    def true(self, meter: str, figure: str, at: int) -> int:
        """What the figure truly is at `at`, in raw units: Wh, varh, 0.01 %, W, 0.01 m3, MJ."""
        if figure in _CUMULATIVE:
            if (meter, figure) == ("main", "active_energy"):
                return sum(self.true(part, figure, at) for part in _MAIN_PARTS)
            return _INITIAL[meter, figure] + self._passed(_flow(meter, figure), at)
        slot_start = at - at % SLOT_MS
        if figure == "power_factor":
            earlier = max(slot_start - SLOT_MS, self._start)
            later = max(slot_start, self._start)
            active, reactive = (
                self.true(meter, energy, later) - self.true(meter, energy, earlier)
                for energy in ("active_energy", "reactive_energy")
            )
            return _power_factor(active, reactive)
        # active_power: the mean of the running quarter of an hour, in watts
        return 4 * (
            self.true(meter, "active_energy", slot_start + SLOT_MS)
            - self.true(meter, "active_energy", slot_start)
        )

    def _passed(self, flow: str, at: int) -> int:
        slot, rest = divmod(at - self._start, SLOT_MS)
        sums = self._sums.setdefault(flow, [0])
        while len(sums) <= slot + 1:
            sums.append(sums[-1] + self._amount(flow, self._start + (len(sums) - 1) * SLOT_MS))
        return sums[slot] + (sums[slot + 1] - sums[slot]) * rest // SLOT_MS

    def _amount(self, flow: str, slot_start: int) -> int:
        """What one flow is in the slot that begins at `slot_start`, in raw units."""
        local = slot_start + _LOCAL_MS
        day, slot = local // _DAY_MS, local % _DAY_MS // SLOT_MS
        is_weekend = (day + 3) % 7 >= 5
        is_shift = 24 <= slot < 88 and not is_weekend
        noise = self._noise(flow, day, slot)  # 0 to 999
        match flow:
            case "line_1":
                return (96_000 if is_shift else 11_000) * (870 + noise // 4) // 1000
            case "line_2":
                return (74_000 if not is_weekend else 52_000) * (900 + noise // 5) // 1000
            case "pv":
                return _daylight(slot) * (400 + self._noise("cloud", day, slot // 4) * 6 // 10) // 1000
            case "auxiliaries":
                gross = 31_000 * (920 + noise // 7) // 1000
                return gross - self._amount("pv", slot_start)
            case "reactive":
                active = sum(self._amount(part, slot_start) for part in _MAIN_PARTS)
                return active * (330 + noise // 8) // 1000
            case "gas":
                return (5_200 if is_shift else 2_100) * (850 + noise * 3 // 10) // 1000
            case _:
                return (3_900 if is_shift else 1_700) * (880 + noise // 4) // 1000

    def _noise(self, flow: str, day: int, slot: int) -> int:
        digest = hashlib.sha256(f"{self._seed}/{flow}/{day}/{slot}".encode()).digest()
        return int.from_bytes(digest[:4], "big") % 1000


def _flow(meter: str, figure: str) -> str:
    return "reactive" if figure == "reactive_energy" else meter


def _daylight(slot: int) -> int:
    """Wh of a clear quarter of an hour in winter: a parabola between 07:30 and 16:30."""
    from_sunrise, to_sunset = slot - 30, 66 - slot
    return max(from_sunrise * to_sunset, 0) * 24_000 // 324


def _power_factor(active: int, reactive: int) -> int:
    """Power factor in hundredths of a per cent, rounded half up; 10000 where nothing flowed."""
    squared = active * active + reactive * reactive
    if not squared:
        return 10_000
    return (isqrt(4 * (10_000 * active) ** 2 // squared) + 1) // 2


def _check_fault(fault: Fault) -> None:
    if fault.meter not in METERS:
        raise PlantInvalid("fault.meter", f"{fault.meter!r} is none", f"use one of {', '.join(METERS)}")
    if isinstance(fault, Spike) and fault.figure not in METERS[fault.meter].figures:
        raise PlantInvalid("fault.figure", f"{fault.figure!r} is not one of its figures", "correct it")
    if not isinstance(fault, MeterReset) and fault.start >= fault.end:
        raise PlantInvalid("fault.end", "is not after its start", "give a half-open interval")
