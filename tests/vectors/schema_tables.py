"""Reads the schemas of the kinds as tables of (field, type), to hold docs/spec/contents.md to the code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from carbonseal_attest.contents import KINDS
from carbonseal_attest.contents import schema as s

Rows = list[tuple[str, str]]
_WORDS: Final = {"cose-key": "COSE_Key", "org": "credit code or LEI"}
_NAMED: Final = {
    "digest": "bytes, 32",
    "bilingual": "bilingual",
    "readings-body": "map",
    "interval": "interval",
}
_NUMBERS: Final = {
    2**53: "2^53",
    2**53 - 1: "2^53−1",
    2**48: "2^48",
    2**40: "2^40",
    2**24: "2^24",
    400 * 86_400_000: "400 days",
}


def tables() -> dict[str, Rows]:
    """The rows of each kind's body: path of the field, and its type in words."""
    found: dict[str, Rows] = {}
    for kind in KINDS.values():
        if kind.name == "readings":
            continue
        merged: dict[str, dict[str, None]] = {}
        for path, words in _read(kind.schema)[1]:
            merged.setdefault(path.removeprefix("."), {})[words] = None
        found[kind.name] = [(path, " or ".join(words)) for path, words in merged.items()]
    return found


def _read(schema: s.Schema) -> tuple[str, Rows]:
    """The type in words, and the rows of what lies inside."""
    match schema:
        case s.Leaf(name):
            return _WORDS.get(name, name), []
        case s.Text(limit):
            return f"text ≤ {limit}", []
        case s.Integer(low, high):
            return f"int {_number(low)} to {_number(high)}", []
        case s.OneOf(values) if isinstance(values[0], int):
            return f"int, one of {', '.join(map(str, values))}", []
        case s.OneOf(values):
            return "one of " + ", ".join(f"`{word}`" for word in values), []
        case s.Octets(low, high):
            return f"bytes, {_number(low)}" + (f" to {_number(high)}" if high else ""), []
        case s.Nullable(inner):
            words, rows = _read(inner)
            return f"{words} or null", rows
        case s.Array(item, limit):
            words, rows = _read(item)
            span = f"{schema.least} to {limit}" if schema.least != limit else f"{limit}"
            return f"array of {span}: {words}", [(f"[]{path}", inside) for path, inside in rows]
        case s.Row(items):
            return f"[{', '.join(f'{name}: {_read(item)[0]}' for name, item in items.items())}]", []
        case s.Table(item, limit):
            words, rows = _read(item)
            return f"map of at most {limit} text keys: {words}", [(f".*{p}", t) for p, t in rows]
        case s.Either(choices):
            return f"one of {len(choices)} maps", [row for choice in choices for row in _read(choice)[1]]
        case s.Record():
            return "map", list(_fields(schema))
        case s.whole:
            return "int", []
        case s.Shared(name, inner):
            return (_NAMED[name], []) if name in _NAMED else _read(inner)
        case s.Where(inner, _, says):
            words, rows = _read(inner)
            return (f"{words}, {says}" if says == "start before end" else words), rows
        case _:
            raise TypeError(f"{schema!r} has no words")


def _fields(schema: s.Record) -> Iterator[tuple[str, str]]:
    for name, field in schema.known.items():
        words, inside = _read(field)
        yield f".{name}", words + (", may be left out" if name in schema.optional else "")
        yield from ((f".{name}{path}", text) for path, text in inside)


def _number(value: int) -> str:
    return _NUMBERS.get(value, str(value))
