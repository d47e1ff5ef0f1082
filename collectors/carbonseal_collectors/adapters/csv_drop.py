"""CSV drop: reads the files that a meter system leaves in a folder, one row a time stamp, one column a point.

Everything that differs between exports is configuration (`csv_format`, `local_time`). A row that cannot be
read is set aside with its line number and the rows around it go on; a file that does not fit its
configuration at all is refused whole. Files that are already known by their digest are passed over; a file
that grew is read again, and `batching` leaves out what was signed before.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal, Inexact
from pathlib import Path
from typing import ClassVar, Final, Self

from carbonseal_attest.instants import MAX_INSTANT
from carbonseal_collectors.adapter import BAD, GOOD, UNCERTAIN, Poll, Sample, SetAside, SourceFile
from carbonseal_collectors.bounded_lines import FileBytes
from carbonseal_collectors.csv_format import CellUnreadable, CsvFormat
from carbonseal_collectors.errors import SourceRefused
from carbonseal_collectors.gateway_config import MeterConfig, PointConfig, SourceConfig
from carbonseal_collectors.local_time import StampReader, StampUnusable
from carbonseal_collectors.plain_text import as_plain_text

MAX_FILES: Final = 10_000  # one poll; a folder with more should be tidied
LINES_A_ROW: Final = 10  # lines of a file for each of max_rows, empty ones and other meters' among them
_EXACT: Final = Context(prec=120, traps=[Inexact])


@dataclass(frozen=True, slots=True)
class _Column:
    index: int
    point: PointConfig


class _RowBroken(ValueError):
    pass


class CsvDropAdapter:
    """Reads files by glob; see `CsvFormat` for what may be configured."""

    is_replayable: ClassVar[bool] = True

    def __init__(self, source: SourceConfig, format_: CsvFormat, meters: dict[str, MeterConfig]) -> None:
        self._source = source
        self._format = format_
        self._meters = meters

    @classmethod
    def from_config(cls, source: SourceConfig) -> Self:
        """An adapter for `source`; raises ConfigInvalid for a table it cannot take."""
        table = source.settings_table()
        format_ = CsvFormat.from_table(table)
        meters: dict[str, MeterConfig] = {}
        for meter in source.meters:
            settings = source.meter_table(meter)
            identity = settings.text("identity", "") or meter.code
            if "identity" in settings and not format_.identity_column:
                settings.refuse("identity", "needs an identity_column", "name the column, or remove it")
            settings.finish()
            if identity in meters:
                settings.refuse("identity", f"{identity!r} is used twice", "give each meter its own")
            meters[identity] = meter
            for point in meter.points:
                step = format_.time.interval_ms
                if (point.form == "interval") != bool(step) or (step and point.step_ms != step):
                    table.refuse(
                        "time.interval",
                        f"does not fit form and step of point {point.point}",
                        "interval points need stamps at interval starts or ends, with the point's own step",
                    )
        return cls(source, format_, meters)

    def poll(self, now: int, *, known: Sequence[bytes] = ()) -> Poll:
        """Reads every file that is not in `known` by digest; a refused file never stops the others."""
        poll = Poll()
        passed_over = set(known)
        readers: list[_FileReader] = []
        if not self._source.data_folder.is_dir():  # a share that is not mounted is no silence of the meters
            folder = as_plain_text(str(self._source.data_folder), 255)
            poll.refused.append(SourceRefused(folder, "is no folder", "mount it, or correct data_folder"))
        for path in self._paths():
            try:
                data = FileBytes(path, max_bytes=self._format.max_file_bytes)
                if data.digest not in passed_over:
                    readers.append(self._read(data))
                    passed_over.add(data.digest)
            except SourceRefused as refusal:
                poll.refused.append(refusal)
        # Files come by name, which need not be their order in time; inside a file nothing is moved.
        for reader in sorted(readers, key=lambda reader: reader.first_at):
            poll.samples.extend(reader.samples)
            poll.set_aside.extend(reader.set_aside)
            poll.files.append(reader.file)
        return poll

    def close(self) -> None:
        """Nothing is held open between polls."""

    def _paths(self) -> list[Path]:
        folder = self._source.data_folder
        found = {path for pattern in self._format.files for path in folder.glob(pattern) if path.is_file()}
        return sorted(found)[:MAX_FILES]

    def _read(self, data: FileBytes) -> _FileReader:
        reader = _FileReader(data, self._source, self._format, self._meters)
        reader.run()
        return reader


class _FileReader:
    """Reads one file; kept apart so that a refused file leaves nothing behind."""

    def __init__(
        self, data: FileBytes, source: SourceConfig, format_: CsvFormat, meters: dict[str, MeterConfig]
    ) -> None:
        self.samples: list[Sample] = []
        self.set_aside: list[SetAside] = []
        self.rows = 0
        self.first_at = MAX_INSTANT
        self.file = SourceFile(data.name, data.size, data.digest, 0)
        self._data = data
        self._format = format_
        self._meters = meters
        self._stamps = StampReader(
            format_.time, source.window.time_zone, is_newest_first=format_.order == "newest_first"
        )
        self._columns: dict[str, list[_Column]] = {}
        self._time_index = 0
        self._identity_index: int | None = None
        self._width = 0  # cells of a row, by the header or the first row
        self._last: dict[str, int] = {}
        self._newest: int | None = None  # instant of the last good row of any meter
        self._open: list[int] = []  # set-aside rows that still wait for the row after them

    def run(self) -> None:
        lines = self._data.lines(
            max_line_bytes=self._format.max_line_bytes, max_plain_bytes=self._format.max_plain_bytes
        )
        self._read_header(lines)
        most = LINES_A_ROW * self._format.max_rows
        for number, line, has_end in lines:
            if number > most:  # empty lines and other meters' rows are no rows, yet cost time
                raise SourceRefused(
                    self._data.name, f"has more than {most} lines", "split it or raise max_rows"
                )
            if line is not None and not line.strip():
                continue
            try:
                self._row(number, self._cells(self._whole(line, has_end=has_end)))
            except _RowBroken as exc:
                self._put_aside(number, str(exc), line)
        self._close_open(None)
        self.file = SourceFile(self._data.name, self._data.size, self._data.digest, self.rows)
        if self._format.order == "newest_first":
            self.samples.reverse()  # the declared direction of the whole file; rows out of it stay out of it
        if not self.rows:
            first = self.set_aside[0] if self.set_aside else None
            said = f"; line {first.line} {first.reason}" if first else ""
            raise SourceRefused(
                self._data.name,
                f"no row of it fits the configuration{said}",
                "compare the file with its source",
            )

    def _read_header(self, lines: Iterator[tuple[int, bytes | None, bool]]) -> None:
        names: list[str] = []
        if self._format.has_header:
            line = next(lines, (1, b"", True))[1]
            try:
                names = self._cells(line or b"")
            except _RowBroken as exc:
                raise SourceRefused(f"{self._data.name}: line 1", str(exc), "set encoding and quote") from exc
            self._width = len(names)
        self._time_index = self._index(self._format.time.column, names)
        if self._format.identity_column:
            self._identity_index = self._index(self._format.identity_column, names)
        for meter in self._meters.values():
            self._columns[meter.code] = [
                _Column(self._index(point.source_name, names), point) for point in meter.points
            ]

    def _whole(self, line: bytes | None, *, has_end: bool) -> bytes:
        if line is None:
            raise _RowBroken(f"is longer than {self._format.max_line_bytes} bytes")
        if not has_end and self._format.last_line == "complete":
            raise _RowBroken("has no line end and may be cut off")
        return line

    def _index(self, column: str, names: list[str]) -> int:
        if not self._format.has_header:
            if column.isascii() and column.isdigit() and 0 < int(column) <= 10_000:
                return int(column) - 1
            raise SourceRefused(
                self._data.name,
                f"column {column!r} is named, but the file has no header",
                "use numbers from 1",
            )
        if names.count(column) == 1:
            return names.index(column)
        shown = ", ".join(name[:30] for name in names[:12])
        what = "no column" if column not in names else "more than one column"
        hint = (
            '; it begins with a byte order mark: set encoding = "utf-8-sig"'
            if names[0][:1] == "\ufeff"
            else ""
        )
        raise SourceRefused(
            f"{self._data.name}: line 1",
            f"{what} is called {column!r} (found: {shown}){hint}",
            "name the columns as the first line does; a file without header or times cannot be taken so",
        )

    def _cells(self, line: bytes) -> list[str]:
        try:
            text = line.decode(self._format.encoding)
        except UnicodeDecodeError as exc:
            raise _RowBroken(f"is not {self._format.encoding} at byte {exc.start + 1}") from exc
        if not self._format.quote or self._format.quote not in text:
            return text.split(self._format.separator)
        try:
            return next(
                csv.reader(
                    [text], delimiter=self._format.separator, quotechar=self._format.quote, strict=True
                )
            )
        except csv.Error as exc:
            raise _RowBroken(f"is quoted wrongly ({exc})") from exc

    def _row(self, number: int, cells: list[str]) -> None:
        self._width = self._width or len(cells)
        if len(cells) != self._width:
            raise _RowBroken(f"has {len(cells)} cells instead of {self._width}")
        if self.rows >= self._format.max_rows:
            raise SourceRefused(
                self._data.name, f"has more than {self._format.max_rows} rows", "split it or raise max_rows"
            )
        stream = self._identity(cells)
        meters = [self._meters[stream]] if stream in self._meters else list(self._meters.values())
        if stream and stream not in self._meters:
            return
        try:
            at = self._stamps.start(cells[self._time_index], stream=stream)
        except (StampUnusable, IndexError) as exc:
            raise _RowBroken(str(exc)) from exc
        self.rows += 1
        self._close_open(at)
        is_in_order = self._is_in_order(stream, at)
        self._last[stream] = self._newest = at
        self.first_at = min(self.first_at, at)
        for meter in meters:
            for column in self._columns[meter.code]:
                self._cell(number, cells, column, meter.code, at, is_in_order=is_in_order)

    def _identity(self, cells: list[str]) -> str:
        """Which meter a row is of, by the identity column; empty where every row is of every meter."""
        if self._identity_index is None:
            return ""
        if self._identity_index >= self._width:
            raise _RowBroken("has no meter column")
        identity = cells[self._identity_index].strip()
        is_known = identity in self._meters
        if not identity or (not is_known and self._format.other_meters == "set_aside"):
            raise _RowBroken(f"is of meter {identity[:40]!r}, which is not configured")
        return identity

    def _is_in_order(self, stream: str, at: int) -> bool:
        last = self._last.get(stream)
        if last is None or self._format.order == "any":
            return True
        return at > last if self._format.order == "oldest_first" else at < last

    def _cell(
        self, number: int, cells: list[str], column: _Column, meter: str, at: int, *, is_in_order: bool
    ) -> None:
        point, width_ms = column.point, self._format.time.interval_ms
        try:
            raw = self._format.numbers.read(cells[column.index].strip() if column.index < len(cells) else "?")
        except CellUnreadable as exc:
            text = self._format.separator.join(cells)
            self._add_aside(
                SetAside(
                    self._data.name,
                    number,
                    f"column {point.source_name!r}: {exc}",
                    text[:200],
                    meter,
                    (point.point,),
                    at,
                    at + (width_ms or point.step_ms),
                )
            )
            return
        value: Decimal | None = None
        quality, status = BAD, "empty"
        if raw is not None:
            value = raw if point.scale == 1 else _EXACT.multiply(raw, point.scale)
            quality, status = (GOOD, "") if is_in_order else (UNCERTAIN, "out_of_order")
        self.samples.append(
            Sample(meter, point.point, at, width_ms, value, point.unit, point.form, quality, status)
        )

    def _put_aside(self, number: int, reason: str, line: bytes | None) -> None:
        text = (line or b"")[:200].decode("utf-8", "replace")
        only = next(iter(self._meters.values())).code if len(self._meters) == 1 else None
        self._open.append(len(self.set_aside))
        self._add_aside(SetAside(self._data.name, number, reason, text, only, after=self._newest))

    def _close_open(self, at: int | None) -> None:
        # The rows around a set-aside row bound the slots it may have been; at an end of the file, one slot.
        slot = self._format.time.interval_ms
        for index in self._open:
            row = self.set_aside[index]
            ends = [end for end in (row.after, at) if end is not None]
            if len(ends) == 1 and slot:
                is_earlier = (row.after is None) != (self._format.order == "newest_first")
                ends.append(ends[0] - 2 * slot if is_earlier else ends[0] + 2 * slot)
            after, before = (min(ends), max(ends)) if len(ends) > 1 else (None, None)
            self.set_aside[index] = replace(row, after=after, before=before)
        self._open.clear()

    def _add_aside(self, row: SetAside) -> None:
        self.set_aside.append(row)
        if len(self.set_aside) > self._format.max_set_aside:
            raise SourceRefused(
                f"{self._data.name}: line {row.line}",
                f"more than {self._format.max_set_aside} rows cannot be read; this one: {row.reason}",
                "correct the source's configuration, or raise max_set_aside",
            )
