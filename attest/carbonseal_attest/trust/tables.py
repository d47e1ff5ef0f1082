"""A TOML table that is read strictly: each key is asked for by type, and what nobody asked for is refused.

Nothing has a default here. A missing key is refused by name, with what to write instead; the table of what
to write is the reader's (`file`). Long lines are read only where they hold one value: TOML readers take
quadratic time over long dotted keys.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, Final

from carbonseal_attest.errors import KeyRefused, TrustInvalid
from carbonseal_attest.identifiers import is_plain_text
from carbonseal_attest.instants import parse_instant
from carbonseal_attest.keys import MAX_KEY_TEXT, PublicKey
from carbonseal_attest.merkle import MAX_TREE_SIZE

MAX_TRUST_FILE: Final = 1 << 18  # bytes
MAX_LINE: Final = 1000  # bytes of a line that holds anything but one value
MAX_VALUE_LINE: Final = 8000  # bytes of a line with one value; an ML-DSA-44 signature and key take 7,500
_REMEDY: Final = "get the trust file again from its publisher, or write it as docs/spec/trust-file.md has it"
# One key and one string, or one line of a witness policy. Neither can be read as a dotted key.
_ONE_VALUE: Final = re.compile(rb'[a-z_]+ = "[^"\\]*"|(log|witness) [!-~ ]*|# signature [0-9a-z: -]*')
_MAX_TEXT: Final = 300  # characters


def read_toml(data: bytes) -> dict[str, Any]:
    """Return the tables of a TOML file within our limits.

    Raises:
        TrustInvalid: too large, a line too long, not UTF-8, not TOML.
    """
    if len(data) > MAX_TRUST_FILE or any(_is_too_long(line) for line in data.split(b"\n")):
        raise refusal("trust file", "too large, or a line is too long")
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:  # not TOML or UTF-8, or a number of many thousand digits
        raise refusal("trust file", f"not TOML ({error})") from error


def plain(value: str, field: str, *, most: int = _MAX_TEXT) -> str:
    """Return `value` if it can stand between quotes as it is, on paper and in TOML.

    Raises:
        TrustInvalid: empty, too long, or with characters that could say more than they seem to.
    """
    if not value or len(value) > most or not is_plain_text(value) or '"' in value or "\\" in value:
        raise refusal(field, "empty, too long, or not plain text")
    return value


def refusal(field: str, reason: str, remedy: str = _REMEDY) -> TrustInvalid:
    """Return the refusal of a trust file."""
    return TrustInvalid(field, reason, remedy)


def check_spans(spans: Iterable[tuple[int, int | None]], field: str) -> None:
    """Refuse [from, until) spans of tree sizes that overlap or are empty: one size has one key."""
    ends = sorted((start, MAX_TREE_SIZE + 1 if until is None else until) for start, until in spans)
    if any(start >= end for start, end in ends) or any(a[1] > b[0] for a, b in pairwise(ends)):
        raise refusal(field, "sizes of keys overlap, or are empty")


class Table:
    """A TOML table whose keys must all be read: what is left at `close` is unknown and refused.

    `to_write` says, by the full name of a key, what to write where it is missing.
    """

    def __init__(self, path: str, value: object, to_write: Mapping[str, str]) -> None:
        if not isinstance(value, dict):
            raise refusal(path, "not a table")
        self._path = path
        self._rest: dict[str, Any] = dict(value)
        self._to_write = to_write

    def __contains__(self, key: str) -> bool:
        return key in self._rest

    def _take(self, key: str, kind: type) -> Any:
        name = f"{self._path}{key}"
        if key not in self._rest:
            raise refusal(name, "is missing", self._to_write.get(re.sub(r"\[\d+\]", "", name), _REMEDY))
        value = self._rest.pop(key)
        if type(value) is not kind:
            raise refusal(name, f"not of type {kind.__name__}")
        return value

    def text(self, key: str, *, most: int = _MAX_TEXT) -> str:
        """Return a plain string of at most `most` characters."""
        value: str = self._take(key, str)
        return plain(value, f"{self._path}{key}", most=most)

    def lines(self, key: str) -> str:
        """Return a string that may have several lines; the caller's parser decides what it may hold."""
        value: str = self._take(key, str)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return an array of plain strings without doubles."""
        found = tuple(self._take(key, list))
        if not all(type(item) is str for item in found) or len(set(found)) != len(found):
            raise refusal(f"{self._path}{key}", "not an array of strings, each once")
        return tuple(plain(item, f"{self._path}{key}") for item in found)

    def integer(self, key: str, low: int, high: int) -> int:
        """Return a whole number within limits."""
        value: int = self._take(key, int)
        if not low <= value <= high:
            raise refusal(f"{self._path}{key}", f"not from {low} to {high}")
        return value

    def octets(self, key: str, size: int) -> bytes:
        """Return bytes written in lower-case hex, `0x` before them or not."""
        text = self.text(key)
        if not re.fullmatch(rf"(0x)?[0-9a-f]{{{2 * size}}}", text):
            raise refusal(f"{self._path}{key}", f"not {size} bytes in lower-case hex")
        return bytes.fromhex(text.removeprefix("0x"))

    def public_key(self, key: str) -> PublicKey:
        """Return a public key; one of low order or off the curve is refused by `PublicKey`."""
        text: str = self._take(key, str)
        if len(text) > MAX_KEY_TEXT:
            raise refusal(f"{self._path}{key}", "too long for a public key")
        try:
            return PublicKey.from_text(text)
        except KeyRefused as error:
            raise refusal(f"{self._path}{key}", error.reason) from error

    def instant(self, key: str) -> int:
        """Return an instant, ms since 1970 UTC."""
        return parse_instant(self.text(key), field=f"{self._path}{key}")

    def named(self, key: str, check: Callable[..., str]) -> str:
        """Return a string that `check` admits as a code or an origin."""
        return check(self.text(key), field=f"{self._path}{key}")

    def table(self, key: str) -> Table:
        """Return the table under a key."""
        return Table(f"{self._path}{key}.", self._take(key, dict), self._to_write)

    def tables(self, key: str) -> list[Table]:
        """Return the array of tables under a key."""
        items = enumerate(self._take(key, list))
        return [Table(f"{self._path}{key}[{at}].", item, self._to_write) for at, item in items]

    def close(self) -> None:
        """Refuse what is left: a key that nobody knows could be a misspelt condition."""
        if self._rest:
            raise refusal(f"{self._path}{min(self._rest)}", "is not known")


def _is_too_long(line: bytes) -> bool:
    return len(line) > (MAX_VALUE_LINE if _ONE_VALUE.fullmatch(line) else MAX_LINE)
