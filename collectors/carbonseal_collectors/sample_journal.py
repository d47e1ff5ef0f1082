"""The journal of samples that are not signed yet, and what a gateway knows of its meters and files.

Samples that could not be read again wait here until a statement holds them; marks tell which readings of a
window are signed, so that none is signed twice. It leaves out sealing (`sealing`) and signed statements
(`spool`).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from carbonseal_collectors.adapter import Sample, SourceFile
from carbonseal_collectors.spool_database import SpoolDatabase


class SampleJournal(SpoolDatabase):
    """Samples, meters, marks and files, in the spool's database."""

    def journal(self, source: str, samples: Sequence[Sample]) -> None:
        """Keeps samples that could not be read again until they are signed."""
        with self.transaction():
            self._db.executemany(
                "INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(source, *s[:4], None if s.value is None else str(s.value), *s[5:]) for s in samples],
            )

    def journalled(self, meter: str) -> list[Sample]:
        """The samples of a meter that are not signed yet, in the order in which they came."""
        with self._lock:
            rows = self._db.execute(
                "SELECT meter, point, at, width_ms, value, unit, form, quality, source_status FROM samples "
                "WHERE meter = ? ORDER BY rowid",
                (meter,),
            ).fetchall()
        return [_sample(row) for row in rows]

    def forget_samples(self, meter: str, *, before: int) -> None:
        """Lets go of a meter's samples before that instant: they are signed."""
        with self.transaction():
            self._db.execute("DELETE FROM samples WHERE meter = ? AND at < ?", (meter, before))

    def resume_from(self, meter: str) -> int | None:
        """The end of what was signed of a meter, or None."""
        with self._lock:
            row = self._db.execute("SELECT resume_from FROM meters WHERE meter = ?", (meter,)).fetchone()
        return None if row is None else int(row[0])

    def set_resume_from(self, meter: str, instant: int) -> None:
        """Notes the end of what is signed of a meter."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO meters VALUES (?, ?) "
                "ON CONFLICT DO UPDATE SET resume_from = excluded.resume_from",
                (meter, instant),
            )

    def signed_marks(self, meter: str, window_start: int) -> bytes:
        """Marks of the readings signed in a window, see `sealing.mark`; empty when there are none."""
        with self._lock:
            row = self._db.execute(
                "SELECT marks FROM signed_slots WHERE meter = ? AND window_start = ?", (meter, window_start)
            ).fetchone()
        return b"" if row is None else bytes(row[0])

    def add_marks(self, meter: str, window_start: int, marks: bytes) -> None:
        """Adds marks to a window."""
        with self.transaction():
            known = self.signed_marks(meter, window_start)
            self._db.execute(
                "INSERT INTO signed_slots VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET marks = excluded.marks",
                (meter, window_start, known + marks),
            )

    def known_files(self, source: str) -> list[bytes]:
        """Digests of the files of a source whose readings are all signed."""
        with self._lock:
            return [
                bytes(row[0])
                for row in self._db.execute("SELECT digest FROM files WHERE source = ?", (source,))
            ]

    def add_files(self, source: str, files: Sequence[SourceFile]) -> None:
        """Notes that all readings of these files are signed."""
        with self.transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO files VALUES (?, ?, ?, ?, ?)",
                [(source, item.digest, item.name, item.size, item.rows) for item in files],
            )


def _sample(row: Sequence[Any]) -> Sample:
    meter, point, at, width_ms, value, unit, form, quality, status = row
    number = None if value is None else Decimal(value)
    return Sample(meter, point, at, width_ms, number, unit, form, quality, status)
