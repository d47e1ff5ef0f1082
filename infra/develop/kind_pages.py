"""Writes what docs/spec says of the kinds from their schemas: the CDDL file, and the tables of contents.md.

In the tables field and type are written; what a field means is the page's own, and is kept by field. A kind
without a section is refused: somebody has to say what it is for.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from carbonseal_attest.contents import KINDS, cddl, identity
from carbonseal_attest.contents import schema as s

SPEC: Final = Path(__file__).resolve().parents[2] / "docs" / "spec"
PAGE: Final = SPEC / "contents.md"
CDDL: Final = SPEC / "statement-kinds.cddl"
SHARED: Final = "Shared maps"
REGISTRY: Final = "Registry"

Rows = list[tuple[str, str]]
_WORDS: Final = {"cose-key": "COSE_Key", "org": "credit code or LEI", "digest": "bytes, 32"}
_SHARED: Final = (
    *(s.bilingual, s.sentence, s.quantity, s.difference, s.head, s.span, s.period, s.effective),
    *(s.reading_run, identity.registration_policy, identity.endorsement),
)
_NUMBERS: Final = {
    2**53: "2^53",
    2**53 - 1: "2^53−1",
    2**48: "2^48",
    2**40: "2^40",
    2**20: "2^20",
    400 * 86_400_000: "400 days",
}
_CELL: Final = re.compile(r"(?<!\\)\|")


def rows_of(kind: str) -> Rows:
    """The rows of a kind's body: path of the field, and its type in words."""
    schema = KINDS[kind].schema
    return _merged(_read(schema.inner if isinstance(schema, s.Shared) else schema)[1])


def shared_rows() -> Rows:
    """The rows of the maps that several kinds share, each under its name."""
    return [
        (schema.name + path, words)
        for schema in _SHARED
        for path, words in (("", _read(schema.inner)[0]), *_merged_dotted(_read(schema.inner)[1]))
    ]


def registry_rows() -> list[list[str]]:
    """The rows of the registry."""
    return [
        [
            f"`{kind.name}`",
            str(kind.version),
            kind.log,
            kind.signer,
            kind.role or "any",
            *("yes" if flag else "no" for flag in (kind.is_public, not kind.may_follow, kind.has_interval)),
        ]
        for kind in KINDS.values()
    ]


def page(text: str) -> str:
    """The page with its tables as the schemas stand now.

    Raises:
        LookupError: a kind has no section with a table on the page.
    """
    text = _with_table(text, REGISTRY, lambda _: registry_rows())
    text = _with_table(text, SHARED, lambda old: _with_meanings(shared_rows(), old))
    for kind in KINDS:
        text = _with_table(text, kind, lambda old, kind=kind: _with_meanings(rows_of(kind), old))
    return text


def _with_table(text: str, title: str, rows: Callable[[list[list[str]]], Iterable[list[str]]]) -> str:
    """Replace the rows of the first table below the heading `title`."""
    found = re.search(
        rf"(?P<before>^## {re.escape(title)}\n(?:(?!## ).*\n)*?\|.*\n\|---.*\n)(?P<rows>(?:\|.*\n)*)",
        text,
        re.MULTILINE,
    )
    if found is None:
        raise LookupError(f"no section {title} with a table on the page")
    old = [[cell.strip() for cell in _CELL.split(line)[1:-1]] for line in found["rows"].splitlines()]
    lines = "".join(f"| {' | '.join(row)} |\n" for row in rows(old))
    return text[: found.start("rows")] + lines + text[found.end("rows") :]


def _with_meanings(rows: Rows, old: list[list[str]]) -> Iterator[list[str]]:
    meanings = {row[0].strip("`"): row[2] for row in old if len(row) == 3}
    return ([f"`{path}`", words, meanings.get(path, "")] for path, words in rows)


def _merged(rows: Rows) -> Rows:
    return [(path.removeprefix("."), words) for path, words in _merged_dotted(rows)]


def _merged_dotted(rows: Iterable[tuple[str, str]]) -> Rows:
    merged: dict[str, dict[str, None]] = {}
    for path, words in rows:
        merged.setdefault(path, {})[words] = None
    return [(path, " or ".join(words)) for path, words in merged.items()]


def _read(schema: s.Schema) -> tuple[str, Rows]:
    """The type in words, and the rows of what lies inside."""
    match schema:
        case s.Leaf(name):
            return _WORDS.get(name, name), []
        case s.whole:
            return "int", []
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
        case s.Column(limit):
            return f"array of {schema.least} to {limit}: int or null", []
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
        case s.interval:
            return "interval", []
        case s.Shared(name) if schema in _SHARED or name in _WORDS:
            return _WORDS.get(name, name), []
        case s.Shared(name, inner):
            return (name, []) if name == "readings-body" else _read(inner)
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


def main() -> int:
    """Write the page and the CDDL file."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    CDDL.write_text(cddl.write(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
