"""A strict reader of TOML tables: every key is asked for by type, and what nobody asked for is refused.

TOML 1.0. It knows nothing of gateways: `gateway_config`, `register_map`, `plan_file` and the adapters read
their own tables with it. Durations are written `"15 min"`, `"1 h"`, `"30 s"`, `"1 d"`, `"500 ms"` or as an
integer of milliseconds; decimals are written as text, because a TOML float is not the number that was
typed.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final, NoReturn

from carbonseal_collectors.errors import CollectorError, ConfigInvalid

MAX_FILE_BYTES: Final = 1 << 20  # bytes; a gateway with 1,000 points needs about a tenth of it
MAX_LINE_BYTES: Final = 8_000  # tomllib takes quadratic time over a long dotted key
MAX_TEXT: Final = 500  # characters of any one text
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")  # a tab may separate cells
_DURATION: Final = re.compile(r"^([1-9][0-9]{0,8}) ?(ms|s|min|h|d)$")
_UNIT_MS: Final = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_DECIMAL: Final = re.compile(r"^-?[0-9]{1,30}(\.[0-9]{1,30})?$")


class _Required:
    pass


REQUIRED: Final = _Required()


class Table:
    """One table of a TOML file, with its place for messages.

    Args:
        values: the table as `tomllib` gives it.
        file: name of the file, for messages.
        path: key path of the table inside the file, empty for the file itself.
        error: the class of error that every refusal raises.
    """

    def __init__(
        self,
        values: Mapping[str, object],
        *,
        file: str,
        path: str = "",
        error: type[CollectorError] = ConfigInvalid,
    ) -> None:
        self._values = values
        self._asked: set[str] = set()
        self.file = file
        self.path = path
        self._error = error

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def place(self, key: str = "") -> str:
        """The file and key path of `key`, as messages show it."""
        path = ".".join(part for part in (self.path, key) if part)
        return f"{self.file}: {path}" if path else self.file

    def refuse(self, key: str, reason: str, remedy: str) -> NoReturn:
        """Raises the table's error for `key`."""
        raise self._error(self.place(key), reason, remedy)

    def raw(self, key: str, default: object = REQUIRED) -> object:
        """The value of `key` as TOML gave it. Raises when a required key is absent."""
        self._asked.add(key)
        if key in self._values:
            return self._values[key]
        if default is REQUIRED:
            self.refuse(key, "is missing", f"add {key} to [{_without_numbers(self.path) or 'the file'}]")
        return default

    def text(
        self,
        key: str,
        default: str | _Required | None = REQUIRED,
        *,
        choices: Sequence[str] = (),
        pattern: str = "",
        allow_empty: bool = False,
    ) -> str:
        """A text. An absent optional text is the empty one."""
        value = self.raw(key, default)
        if value is None or (value == "" and (allow_empty or value is default)):
            return ""
        if not isinstance(value, str) or not value or len(value) > MAX_TEXT:
            self.refuse(key, f"is not a text of 1 to {MAX_TEXT} characters", f'write {key} = "..."')
        if _CONTROL.search(value):
            self.refuse(key, "holds a control character", "write it in plain text")
        if choices and value not in choices:
            self.refuse(key, f"{value!r} is not known", f"use one of {', '.join(choices)}")
        if pattern and not re.fullmatch(pattern, value):
            self.refuse(key, f"{value!r} has the wrong form", f"it must match {pattern}")
        return value

    def texts(self, key: str, default: Sequence[str] | _Required = REQUIRED) -> tuple[str, ...]:
        """A list of texts (empty ones are allowed: they stand for empty cells)."""
        value = self.raw(key, default)
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            self.refuse(key, "is not a list of texts", f'write {key} = ["...", "..."]')
        if any(_CONTROL.search(item) for item in value):
            self.refuse(key, "holds a control character", "write it in plain text")
        return tuple(str(item) for item in value)

    def integer(
        self, key: str, default: int | _Required = REQUIRED, *, minimum: int = 0, maximum: int = 2**53 - 1
    ) -> int:
        """An integer within `minimum` and `maximum`, both included."""
        value = self.raw(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
            self.refuse(
                key,
                f"{value!r} is not an integer from {minimum} to {maximum}",
                "write a number in that range",
            )
        return value

    def boolean(self, key: str, *, default: bool | _Required = REQUIRED) -> bool:
        """The truth value of `key`."""
        value = self.raw(key, default)
        if not isinstance(value, bool):
            self.refuse(key, "is neither true nor false", f"write {key} = true or {key} = false")
        return value

    def decimal(self, key: str, default: str | _Required = REQUIRED) -> Decimal:
        """A decimal written as text, exact."""
        value = self.raw(key, default)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
            self.refuse(key, f"{value!r} is not a plain decimal in quotes", f'write {key} = "0.01"')
        return Decimal(value)

    def duration(
        self,
        key: str,
        default: int | str | _Required | None = REQUIRED,
        *,
        minimum: int = 1,
        maximum: int = 400 * 86_400_000,
    ) -> int | None:
        """A duration in milliseconds, or None when it is absent and the default is None."""
        value = self.raw(key, default)
        if value is None:
            return None
        length = parse_duration(value)
        if length is None or not minimum <= length <= maximum:
            self.refuse(
                key,
                f"{value!r} is not a duration from {minimum} to {maximum} ms",
                'write "15 min", "1 h", "30 s", "1 d" or milliseconds',
            )
        return length

    def table(self, key: str, *, optional: bool = False) -> Table:
        """The sub-table `key`; an absent optional one is empty."""
        value = self.raw(key, {} if optional else REQUIRED)
        if not isinstance(value, dict):
            self.refuse(key, "is not a table", f"write [{self._header(key)}]")
        return Table(value, file=self.file, path=self._sub(key), error=self._error)

    def tables(self, key: str, *, optional: bool = False, maximum: int = 10_000) -> list[Table]:
        """The array of tables `key`, each with its number in its path."""
        value = self.raw(key, [] if optional else REQUIRED)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.refuse(key, "is not an array of tables", f"write [[{self._header(key)}]]")
        if len(value) > maximum:
            self.refuse(key, f"has more than {maximum} entries", "split the file")
        return [
            Table(item, file=self.file, path=f"{self._sub(key)}[{number}]", error=self._error)
            for number, item in enumerate(value)
        ]

    def finish(self) -> None:
        """Refuses the first key that nobody asked for.

        Raises:
            CollectorError: of the table's class, naming the key and the nearest known one.
        """
        for key in self._values:
            if key not in self._asked:
                near = difflib.get_close_matches(key, sorted(self._asked), n=1)
                known = (
                    f"did you mean {near[0]}?" if near else f"known here: {', '.join(sorted(self._asked))}"
                )
                self.refuse(key, "is not a known key", f"remove it or correct it; {known}")

    def _header(self, key: str) -> str:
        return _without_numbers(self._sub(key))

    def _sub(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def _without_numbers(path: str) -> str:
    """A key path as a TOML header writes it: `sources.meters` for `sources[0].meters`."""
    return re.sub(r"\[[0-9]+\]", "", path)


def parse_duration(value: object) -> int | None:
    """Milliseconds of `"15 min"` or of an integer; None when it is neither."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        return int(match[1]) * _UNIT_MS[match[2]]
    return None


def read_toml(path: Path, *, error: type[CollectorError] = ConfigInvalid) -> dict[str, object]:
    """The tables of a TOML file.

    Raises:
        CollectorError: of class `error`, when the file is absent, too large, not UTF-8 or not TOML (with
        the line).
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise error(
            str(path), f"cannot be read ({exc.strerror or exc})", "check the path and its permissions"
        ) from exc
    if len(data) > MAX_FILE_BYTES:
        raise error(
            str(path),
            f"is larger than {MAX_FILE_BYTES} bytes",
            "split it or remove what is not configuration",
        )
    if any(len(line) > MAX_LINE_BYTES for line in data.split(b"\n")):
        raise error(str(path), f"has a line of more than {MAX_LINE_BYTES} bytes", "break that line")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as exc:  # not TOML or UTF-8, or a number of many thousand digits
        raise error(str(path), f"is not TOML: {exc}", "correct that line") from exc
