"""Local stamps of files turned into instants: format, zone, daylight saving, interval and day-end rules.

A stamp without a zone is ambiguous once a year and impossible once a year; what then happens is
configuration with a name, never a guess. RFC 9557 suffixes and leap seconds are left out (a stamp of second
60 is refused).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from carbonseal_attest.instants import MAX_INSTANT
from carbonseal_collectors.toml_table import Table
from carbonseal_collectors.windows import to_instant

AMBIGUOUS: Final = ("reject", "earlier", "later", "by_order")
NONEXISTENT: Final = ("reject", "shift_forward")
STAMPS: Final = ("interval_start", "interval_end", "instant")
DAY_ENDS: Final = ("next_date", "same_date")
_DAY: Final = timedelta(days=1)


class StampUnusable(ValueError):
    """A stamp that gives no instant; the text says why."""


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """How a file writes time.

    Attributes:
        column: name (or number from 1, where there is no header) of the column.
        format: `strptime` directives, or `iso`, `unix_s`, `unix_ms`.
        stamp: whether the stamp is the start or the end of the slot, or an instant.
        interval_ms: length of a slot; 0 for instants.
        day_end: `same_date` when 00:00 at the end of a day is written with the date of the day that ends.
        ambiguous: the hour that comes twice: refuse the row, take the earlier, the later, or go by the
            file's order.
        nonexistent: the hour that never comes: refuse the row, or count on from before the change.
    """

    column: str
    format: str
    stamp: str
    interval_ms: int
    day_end: str
    ambiguous: str
    nonexistent: str

    @classmethod
    def from_table(cls, table: Table) -> TimeFormat:
        """Reads a `time` table strictly. Raises ConfigInvalid."""
        if "column" not in table:
            table.refuse(
                "column",
                "no time column is named, and readings without a time cannot be signed",
                "name the column that holds the time; a file that has none cannot be taken",
            )
        stamp = table.text("stamp", choices=STAMPS)
        interval = table.duration("interval", None, minimum=1_000, maximum=86_400_000)
        if (interval is None) != (stamp == "instant"):
            table.refuse(
                "interval", "must stand exactly where stamps are interval ends or starts", "correct it"
            )
        day_end = table.text("day_end", "next_date", choices=DAY_ENDS)
        if day_end == "same_date" and stamp != "interval_end":
            table.refuse("day_end", "same_date needs stamps at interval ends", 'set stamp = "interval_end"')
        time_format = table.text("format")
        if "%" not in time_format and time_format not in {"iso", "unix_s", "unix_ms"}:
            table.refuse(
                "format",
                f"{time_format!r} is not known",
                'write "%d/%m/%Y %H:%M", "iso", "unix_s" or "unix_ms"',
            )
        made = cls(
            column=table.text("column"),
            format=time_format,
            stamp=stamp,
            interval_ms=interval or 0,
            day_end=day_end,
            ambiguous=table.text("ambiguous", "reject", choices=AMBIGUOUS),
            nonexistent=table.text("nonexistent", "reject", choices=NONEXISTENT),
        )
        table.finish()
        return made


class StampReader:
    """Turns the stamps of one file into instants, in the file's order.

    Args:
        time_format: the file's conventions.
        time_zone: IANA name; used only for stamps without an offset of their own.
        is_newest_first: the file runs backwards in time (matters for `by_order` only).
    """

    def __init__(self, time_format: TimeFormat, time_zone: str, *, is_newest_first: bool = False) -> None:
        self._format = time_format
        self._zone = ZoneInfo(time_zone)
        self._is_newest_first = is_newest_first
        self._seen_ambiguous: set[tuple[str, datetime]] = set()

    def start(self, text: str, *, stream: str = "") -> int:
        """The instant (or the start of the slot) of a stamp, in milliseconds since 1970 UTC.

        Args:
            text: the stamp as it stands in the file.
            stream: whose stamps these are (a meter); `by_order` counts each stream on its own.

        Raises:
            StampUnusable: with the reason in words.
        """
        try:
            stamp = self._instant(text.strip(), stream)
        except OverflowError as exc:  # a day after year 9999, or before year 1 once in UTC
            raise StampUnusable(f"time {text[:40]!r} is outside 1970 to 9999") from exc
        at = stamp - self._format.interval_ms if self._format.stamp == "interval_end" else stamp
        if not 0 <= at <= MAX_INSTANT:
            raise StampUnusable(f"time {text[:40]!r} is outside 1970 to 9999")
        return at

    def _instant(self, text: str, stream: str) -> int:
        if self._format.format in {"unix_s", "unix_ms"}:
            if not text.isascii() or not text.isdigit() or len(text) > 15:
                raise StampUnusable(f"time {text[:40]!r} is not a whole number")
            return int(text) * (1000 if self._format.format == "unix_s" else 1)
        moment = self._parse(text)
        if moment.microsecond % 1000:
            raise StampUnusable(f"time {text[:40]!r} is finer than a millisecond")
        if self._format.day_end == "same_date" and not (moment.hour or moment.minute or moment.second):
            moment += _DAY
        if moment.tzinfo is None:
            moment = self._place(moment, text, stream)
        return to_instant(moment.astimezone(UTC))

    def _parse(self, text: str) -> datetime:
        try:
            if self._format.format == "iso":
                return datetime.fromisoformat(text)
            return datetime.strptime(text, self._format.format)  # noqa: DTZ007 - the zone is placed below
        except (ValueError, OverflowError) as exc:
            raise StampUnusable(f"time {text[:40]!r} is not {self._format.format}") from exc

    def _place(self, moment: datetime, text: str, stream: str) -> datetime:
        first = moment.replace(tzinfo=self._zone, fold=0)
        second = moment.replace(tzinfo=self._zone, fold=1)
        before, after = first.utcoffset(), second.utcoffset()
        if before == after or before is None or after is None:
            return first
        if before < after:  # the clocks went forward over this stamp
            if self._format.nonexistent == "reject":
                raise StampUnusable(f"time {text[:40]!r} does not exist in {self._zone.key}")
            return first
        match self._format.ambiguous:
            case "earlier":
                return first
            case "later":
                return second
            case "by_order":
                is_second_met = (stream, moment) in self._seen_ambiguous
                self._seen_ambiguous.add((stream, moment))
                return second if is_second_met != self._is_newest_first else first
            case _:
                raise StampUnusable(f"time {text[:40]!r} comes twice in {self._zone.key}")
