"""Tells the demo's progress: lines for people in Chinese or English, or one JSON object a line.

Sentences live in `wording.json`. A step that is under way on a terminal shows how far it is; elsewhere only
finished steps are printed, so that logs stay readable.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final, TextIO

LANGUAGES: Final = ("en", "zh")
_PROGRESS_EVERY_S: Final = 0.2
_MARKS: Final = {"done": "\N{CHECK MARK}", "caught": "\N{CHECK MARK}", "failed": "\N{BALLOT X}", "note": " "}


@dataclass(slots=True)
class Narrator:
    """Prints what happens. `steps` keeps the wall time of each finished step in seconds, for the summary."""

    language: str = "en"
    is_json: bool = False
    out: TextIO = field(default_factory=lambda: sys.stdout)
    steps: list[tuple[str, float]] = field(default_factory=list)
    _words: dict[str, dict[str, str]] = field(init=False)
    _shown_at: float = 0.0

    def __post_init__(self) -> None:
        text = files("carbonseal_api.demo").joinpath("wording.json").read_text(encoding="utf-8")
        self._words = json.loads(text)

    def words(self, key: str, **values: object) -> str:
        """Return the sentence `key` in the chosen language with `values` filled in."""
        return self._words[key][self.language].format(**values)

    def heading(self, key: str) -> None:
        """Print a heading."""
        if self.is_json:
            self._line({"event": "heading", "name": key})
        else:
            print(f"\n{self.words(key)}", file=self.out, flush=True)

    def tell(self, key: str, mark: str = "note", **values: object) -> None:
        """Print one sentence; `mark` is done, caught, failed or note."""
        if self.is_json:
            self._line({"event": mark, "name": key, **{k: str(v) for k, v in values.items()}})
        else:
            print(f"  {_MARKS[mark]} {self.words(key, **values)}", file=self.out, flush=True)

    @contextmanager
    def step(self, key: str, **values: object) -> Iterator[dict[str, Any]]:
        """Time a step; the caller puts what it found into the yielded map, for the finished line."""
        started = time.monotonic()
        found: dict[str, Any] = dict(values)
        self.progress(key, 0, 0)
        yield found
        seconds = time.monotonic() - started
        self.steps.append((key, seconds))
        if self.is_json:
            facts = {k: str(v) for k, v in found.items()}
            self._line({"event": "done", "name": key, "seconds": f"{seconds:.2f}", **facts})
        else:
            self._clear()
            print(
                f"  {_MARKS['done']} {self.words(key, **found)}  ({seconds:.1f} s)", file=self.out, flush=True
            )

    def progress(self, key: str, at: int, total: int) -> None:
        """Show how far the step `key` is; at most five times a second, and only on a terminal or as JSON."""
        now = time.monotonic()
        if now - self._shown_at < _PROGRESS_EVERY_S and at != total:
            return
        self._shown_at = now
        if self.is_json:
            self._line({"event": "progress", "name": key, "at": at, "total": total})
        elif self.out.isatty():
            share = f" {at * 100 // total} %" if total else ""
            name = self._words.get(f"{key}.doing", {}).get(self.language, key)
            self.out.write(f"\r\x1b[K  … {name}{share}")
            self.out.flush()

    def _clear(self) -> None:
        if self.out.isatty():
            self.out.write("\r\x1b[K")

    def _line(self, value: dict[str, Any]) -> None:
        print(json.dumps(value, ensure_ascii=False), file=self.out, flush=True)
