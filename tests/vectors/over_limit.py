"""Values just beyond what a schema admits, one for each limit of it, made from the schema and a good value.

Whoever adds a limit gets its refusal tried without writing it. Rules between fields (`schema.Where`) can't be
guessed: the tests of the kinds try those by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest.contents import schema as s
from carbonseal_attest.errors import ContentInvalid
from carbonseal_attest.instants import MAX_INSTANT

HIDDEN: Final = "\u202e"  # right-to-left override
_WRONG_LEAVES: Final[dict[str, dict[str, Any]]] = {
    "instant": {"before 1970": -1, "after 9999": MAX_INSTANT + 1, "true": True},
    "decimal": {"an exponent": "1e5", "a plus": "+1", "61 digits": "1" * 61, "another script": "\u0661"},
    "code": {"upper case": "M-METER1", "no dash": "meter", "49 characters": "m-" + "a" * 48},
    "name": {"upper case": "Name", "two dots": "a..b", "81 characters": "a" * 81},
    "origin": {"no path": "log.example.org", "two dots": "log.example.org/a..b", "long": "a/" + "b" * 120},
    "org": {"a wrong check character": "91350100M000100Y44", "17 characters": "91350100M000100Y4"},
    "cose-key": {"no key": {}, "a key of zeros": {1: 1, 3: -19, -1: 6, -2: bytes(32)}},
    "bool": {"1": 1, "null": None},
}


@dataclass(frozen=True, slots=True)
class Variant:
    """A value that must be refused: what is wrong with it, and which field the refusal names."""

    desc: str
    value: Any
    field: str


def variants(schema: s.Schema, value: Any, field: str) -> Iterator[Variant]:
    """Yield, for each limit of `schema`, a copy of the good `value` that breaks it alone."""
    match schema:
        case s.Leaf(name):
            for what, wrong in _WRONG_LEAVES[name].items():
                yield Variant(f"{field}: {what}", wrong, field)
        case s.Text(limit):
            yield Variant(f"{field}: {limit + 1} characters", "a" * (limit + 1), field)
            yield Variant(f"{field}: a hidden character", HIDDEN, field)
        case s.Integer(low, high):
            for wrong in (low - 1, high + 1):
                if -(1 << 64) <= wrong < 1 << 64:
                    yield Variant(f"{field}: {wrong}", wrong, field)
            yield Variant(f"{field}: true", True, field)
        case s.OneOf():
            yield Variant(f"{field}: another word", "another", field)
        case s.Octets(low, high):
            if low:
                yield Variant(f"{field}: {low - 1} bytes", bytes(low - 1), field)
            yield Variant(f"{field}: {(high or low) + 1} bytes", bytes((high or low) + 1), field)
        case s.Nullable(inner):
            yield from variants(inner, least(inner) if value is None else value, field)
        case s.Column(limit):
            yield Variant(f"{field}: {limit + 1} values", [0] * (limit + 1), field)
            yield Variant(f"{field}: no value", [], field)
            yield Variant(f"{field}: a text", ["0", *value[1:]], field)
        case s.Array(item, limit):
            one = value[0] if value else least(item)
            if schema.least:
                few = schema.least - 1
                yield Variant(f"{field}: {few} items", [one] * few, field)
            yield Variant(f"{field}: {limit + 1} items", [one] * (limit + 1), field)
            for inside in variants(item, one, f"{field}[0]"):
                yield Variant(inside.desc, [inside.value, *value[1:]], inside.field)
        case s.Row(items):
            yield Variant(f"{field}: an item too many", [*value, 0], field)
            for at, (name, item) in enumerate(items.items()):
                for inside in variants(item, value[at], f"{field}.{name}"):
                    yield Variant(inside.desc, [*value[:at], inside.value, *value[at + 1 :]], inside.field)
        case s.Record():
            yield from _of_record(schema, value, field)
        case s.Table(item, limit):
            key, one = next(iter(value.items()), ("key", least(item)))
            many = {f"k{at}": one for at in range(limit + 1)}
            yield Variant(f"{field}: {limit + 1} keys", many, field)
            yield Variant(
                f"{field}: a key of {s.MAX_KEY + 1} characters", {"k" * (s.MAX_KEY + 1): one}, f"{field} key"
            )
            for inside in variants(item, one, f"{field}.{key}"):
                yield Variant(inside.desc, {**value, key: inside.value}, inside.field)
        case s.Either(choices):
            # The refusal is the last choice's, so that no more than the field itself can be foretold.
            for choice in choices:
                good = value if _admits(choice, value) else least(choice)
                for inside in variants(choice, good, field):
                    yield Variant(f"{inside.desc} ({_name(choice)})", inside.value, field)
        case s.Shared(_, inner) | s.Where(inner):
            yield from variants(inner, value, field)
        case _:
            raise TypeError(f"{schema!r} has no variants")


def least(schema: s.Schema) -> Any:
    """Some value that `schema` admits, rules between fields aside."""
    match schema:
        case s.Leaf(name):
            return {
                "instant": 0,
                "decimal": "0",
                "code": "m-one",
                "name": "n",
                "origin": "a/b",
                "bool": True,
            }[name]
        case s.Text():
            return ""
        case s.Integer(low):
            return low
        case s.OneOf(values):
            return values[0]
        case s.Octets(low):
            return bytes(low)
        case s.Nullable():
            return None
        case s.Array(item):
            return [least(item)] * schema.least
        case s.Row(items):
            return [least(item) for item in items.values()]
        case s.Record(required):
            return {name: least(item) for name, item in required.items()}
        case s.Table():
            return {}
        case s.Shared(_, inner) | s.Where(inner):
            return least(inner)
        case s.Either(choices):
            return least(choices[0])
        case _:
            raise TypeError(f"{schema!r} has no least value")


def _of_record(schema: s.Record, value: dict[str, Any], field: str) -> Iterator[Variant]:
    yield Variant(f"{field}: an unknown field", {**value, "unknown": 0}, f"{field}.unknown")
    for name in schema.required:
        rest = {key: item for key, item in value.items() if key != name}
        yield Variant(f"{field}.{name}: is missing", rest, f"{field}.{name}")
    for name, item in schema.known.items():
        if name in value:
            for inside in variants(item, value[name], f"{field}.{name}"):
                yield Variant(inside.desc, {**value, name: inside.value}, inside.field)


def _admits(schema: s.Schema, value: Any) -> bool:
    try:
        schema(value, "value")
    except ContentInvalid:
        return False
    return True


def _name(schema: s.Schema) -> str:
    return schema.name if isinstance(schema, s.Shared) else "map"
