"""A small closed schema language for contents: values that check what they are given, and can be read.

A schema is called with (value, place) and raises `ContentInvalid`. It is also data: `contents.cddl` writes it
as CDDL (RFC 8610), and the tables of `docs/spec/contents.md` are written from it, so that neither can say
something else than what is admitted. Maps are closed: a key outside the schema is refused, since whatever
nobody reads could hide something. What no combinator says is a rule beside it, with its sentence (`where`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from carbonseal_attest import identifiers
from carbonseal_attest.algorithms import ALGORITHMS, KEY_ALGORITHMS
from carbonseal_attest.errors import AttestError, ContentInvalid
from carbonseal_attest.instants import MAX_INSTANT, check_instant
from carbonseal_attest.keys import COORDINATES, PublicKey
from carbonseal_attest.quantities import MAX_DIGITS, parse_decimal

Check = Callable[[object, str], None]
MAX_KEY: Final = 200  # characters of a key of a table


def refuse(place: str, reason: str) -> ContentInvalid:
    """Return the refusal of a content's field `place`."""
    return ContentInvalid(place, reason, "write the content as docs/spec/contents.md has it")


class Schema(ABC):
    """What a value must be; the nodes below are all there are."""

    __slots__ = ()

    def __call__(self, value: object, place: str) -> None:
        """Refuse a `value` that is not so.

        Raises:
            ContentInvalid: it names the field, which begins with `place`.
        """
        self._check(value, place)

    @abstractmethod
    def _check(self, value: object, place: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Leaf(Schema):
    """A named type whose check is a function; `cddl` is its right-hand side, `says` what CDDL can't say."""

    name: str
    cddl: str
    says: str
    run: Callable[..., object]

    def _check(self, value: object, place: str) -> None:
        try:
            self.run(value, field=place)
        except ContentInvalid:
            raise
        except AttestError as error:
            raise refuse(error.field, error.reason) from error


@dataclass(frozen=True, slots=True)
class Text(Schema):
    """Text of at most `limit` characters that a reader can see (`identifiers.is_plain_text`)."""

    limit: int = 400

    def _check(self, value: object, place: str) -> None:
        if not isinstance(value, str) or len(value) > self.limit or not identifiers.is_plain_text(value):
            raise refuse(place, f"not plain text of at most {self.limit} characters")


@dataclass(frozen=True, slots=True)
class Integer(Schema):
    """A whole number between `low` and `high`, both included."""

    low: int
    high: int

    def _check(self, value: object, place: str) -> None:
        if type(value) is not int or not self.low <= value <= self.high:
            raise refuse(place, f"not a whole number from {self.low} to {self.high}")


@dataclass(frozen=True, slots=True)
class OneOf(Schema):
    """One of the given words, or of the given whole numbers."""

    values: tuple[str | int, ...]

    def _check(self, value: object, place: str) -> None:
        if type(value) not in (str, int) or value not in self.values:
            raise refuse(place, f"not one of {', '.join(map(str, self.values))}")


@dataclass(frozen=True, slots=True)
class Octets(Schema):
    """A byte string of `low` to `high` bytes; of exactly `low` where no `high` is given."""

    low: int
    high: int | None = None

    def _check(self, value: object, place: str) -> None:
        high = self.low if self.high is None else self.high
        if not isinstance(value, bytes) or not self.low <= len(value) <= high:
            raise refuse(place, f"not {self.low if high == self.low else f'{self.low} to {high}'} bytes")


@dataclass(frozen=True, slots=True)
class Anything(Schema):
    """Any value that deterministic CBOR can write; its own reader checks it further. No kind has it."""

    def _check(self, value: object, place: str) -> None:
        return


@dataclass(frozen=True, slots=True)
class Nullable(Schema):
    """Null, or what `inner` admits."""

    inner: Schema

    def _check(self, value: object, place: str) -> None:
        if value is not None:
            self.inner(value, place)


@dataclass(frozen=True, slots=True)
class Array(Schema):
    """An array of `least` to `limit` items that `item` admits."""

    item: Schema
    limit: int
    least: int = field(default=0, kw_only=True)

    def _check(self, value: object, place: str) -> None:
        if not isinstance(value, list) or not self.least <= len(value) <= self.limit:
            raise refuse(place, f"not an array of {self.least} to {self.limit} items")
        for at, item in enumerate(value):
            self.item(item, f"{place}[{at}]")


@dataclass(frozen=True, slots=True)
class Column(Schema):
    """An array of `least` to `limit` whole numbers of 64 bits or null, looked at in one sweep."""

    limit: int
    least: int = field(default=1, kw_only=True)

    def _check(self, value: object, place: str) -> None:
        if not isinstance(value, list) or not self.least <= len(value) <= self.limit:
            raise refuse(place, f"not an array of {self.least} to {self.limit} items")
        if not set(map(type, value)) <= {int, type(None)}:
            raise refuse(place, "holds something else than whole numbers and null")


@dataclass(frozen=True, slots=True)
class Row(Schema):
    """An array of exactly these items, in this order; their names stand in refusals only."""

    items: Mapping[str, Schema]

    def _check(self, value: object, place: str) -> None:
        if not isinstance(value, list) or len(value) != len(self.items):
            raise refuse(place, f"not an array of {', '.join(self.items)}")
        for (name_, item), inner in zip(self.items.items(), value, strict=True):
            item(inner, f"{place}.{name_}")


@dataclass(frozen=True, slots=True)
class Record(Schema):
    """A closed map with text keys."""

    required: Mapping[str, Schema]
    optional: Mapping[str, Schema] = field(default_factory=dict)
    known: Mapping[str, Schema] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", {**self.required, **self.optional})

    def _check(self, value: object, place: str) -> None:
        if not isinstance(value, dict):
            raise refuse(place, "not a map")
        if missing := sorted(self.required.keys() - value.keys()):
            raise refuse(f"{place}.{missing[0]}", "is missing")
        if unknown := sorted(str(k)[:40] for k in value.keys() - self.known.keys()):
            raise refuse(f"{place}.{unknown[0]}", "is not known")
        for key, item in value.items():
            self.known[key](item, f"{place}.{key}")


@dataclass(frozen=True, slots=True)
class Table(Schema):
    """A map from texts of at most `MAX_KEY` characters to what `item` admits, of at most `limit` keys."""

    item: Schema
    limit: int

    def _check(self, value: object, place: str) -> None:
        if not isinstance(value, dict) or len(value) > self.limit:
            raise refuse(place, f"not a map of at most {self.limit} keys")
        for key, item in value.items():
            Text(MAX_KEY)(key, f"{place} key")
            self.item(item, f"{place}.{key}")


@dataclass(frozen=True, slots=True)
class Either(Schema):
    """What at least one of `choices` admits; the refusal is the last one's."""

    choices: tuple[Schema, ...]

    def _check(self, value: object, place: str) -> None:
        refusals: list[ContentInvalid] = []
        for choice in self.choices:
            try:
                choice(value, place)
            except ContentInvalid as error:
                refusals.append(error)
            else:
                return
        raise refusals[-1]


@dataclass(frozen=True, slots=True)
class Where(Schema):
    """What `inner` admits and `rule`, a check of several fields against each other, does not refuse.

    `says` is the rule as a sentence: it stands in the CDDL as a comment.
    """

    inner: Schema
    rule: Callable[[Any, str], None]
    says: str

    def _check(self, value: object, place: str) -> None:
        self.inner(value, place)
        self.rule(value, place)


@dataclass(frozen=True, slots=True)
class Shared(Schema):
    """What `inner` admits, under a name by which several kinds refer to it."""

    name: str
    inner: Schema

    def _check(self, value: object, place: str) -> None:
        self.inner(value, place)


text, integer, octets, nullable, array, column = Text, Integer, Octets, Nullable, Array, Column
row, record, table, where, shared = Row, Record, Table, Where, Shared


def one_of(*values: str) -> OneOf:
    """One of the given words."""
    return OneOf(values)


def one_of_integers(*values: int) -> OneOf:
    """One of the given whole numbers."""
    return OneOf(values)


def either(*choices: Schema) -> Either:
    """What at least one of `choices` admits."""
    return Either(choices)


def _check_ends(value: Mapping[str, Any], place: str) -> None:
    if value["end"] is not None and value["start"] >= value["end"]:
        raise refuse(place, "ends before it starts, or is empty")


def _check_interval(value: Sequence[int], place: str) -> None:
    if value[0] >= value[1]:
        raise refuse(place, "ends before it starts, or is empty")


def ordered(inner: Schema) -> Where:
    """What `inner` admits, a map whose `start` lies before its `end`, if it has one."""
    return Where(inner, _check_ends, "start before end")


def body_map(value: Any) -> dict[str, Any]:
    """Return `value` as a map of text keys; used after a schema has admitted it."""
    result: dict[str, Any] = value
    return result


def _check_boolean(value: object, *, field: str) -> None:
    if type(value) is not bool:
        raise refuse(field, "not true or false")


def _cose_key_cddl() -> str:
    choices = []
    for row in map(ALGORITHMS.__getitem__, sorted(KEY_ALGORITHMS, reverse=True)):
        labels = COORDINATES[row.key_type]
        curve = "" if row.curve is None else f"-1: {row.curve}, "
        raw = ", ".join(f"{label}: bstr .size {row.key_size // len(labels)}" for label in labels)
        choices.append(f"{{1: {row.key_type}, 3: {row.id}, {curve}{raw}}}")
    return "\n         / ".join(choices)


def _check_cose_key(value: object, *, field: str) -> None:
    try:
        PublicKey.from_cose_key(value)
    except AttestError as error:
        raise refuse(f"{field}.{error.field}", error.reason) from error


instant = Leaf(
    "instant", f"0..{MAX_INSTANT}", "milliseconds since 1970-01-01T00:00:00Z, in UTC", check_instant
)
decimal = Leaf(
    "decimal",
    'tstr .regexp "-?(0|[1-9][0-9]*)([.][0-9]+)?"',
    f"at most {MAX_DIGITS} characters",
    parse_decimal,
)
code = Leaf(
    "code",
    'tstr .regexp "[a-z]{1,3}-[a-z0-9][a-z0-9-]{1,46}"',
    "opaque: no credit code and no LEI behind the dash, in any case",
    identifiers.check_code,
)
name = Leaf("name", 'tstr .regexp "[a-z0-9][a-z0-9._/-]{0,79}"', "no `..`, no `//`", identifiers.check_name)
origin = Leaf(
    "origin",
    'tstr .regexp "[a-z0-9][a-z0-9.-]*(/[a-z0-9][a-z0-9._-]*){1,6}"',
    f"at most {identifiers.MAX_ORIGIN} characters, no `..`",
    identifiers.check_origin,
)
org = Leaf(
    "org",
    'tstr .regexp "[0-9A-HJ-NP-RTUWXY]{18}|[0-9A-Z]{18}[0-9]{2}"',
    "unified social credit code of GB 32100-2015, else LEI of ISO 17442; its check characters right",
    identifiers.check_org,
)
cose_key = Leaf(
    "cose-key",
    _cose_key_cddl(),
    "Ed25519, P-256, SM2 or ML-DSA-44 (docs/spec/keys.md): a point of its curve in its one spelling",
    _check_cose_key,
)


def _check_null(value: object, *, field: str) -> None:
    if value is not None:
        raise refuse(field, "not null")


null = Leaf("null", "", "", _check_null)  # of CDDL's own prelude
boolean = Leaf("bool", "", "", _check_boolean)  # of CDDL's own prelude
digest = shared("digest", octets(32))
interval = shared(
    "interval",
    where(row({"start": instant, "end": instant}), _check_interval, "half-open; start before end"),
)
count = integer(0, 1 << 53)
whole = Integer(-(1 << 64), (1 << 64) - 1)  # whatever CBOR writes as an integer
anything = Anything()
bilingual = shared("bilingual", record({"zh": text(200), "en": text(200)}))
sentence = shared("sentence", record({"zh": text(400), "en": text(400)}))
quantity = shared("quantity", record({"value": decimal, "unit": text(40)}))
difference = shared(
    "difference",
    record({"operator": quantity, "verification_body": quantity, "difference": quantity}),
)
head = shared("head", record({"origin": origin, "tree_size": integer(1, 1 << 48), "root_hash": digest}))
reading_run = shared("reading-run", row({"start": count, "end": count, "count": count}))
span = shared("span", ordered(record({"start": instant, "end": instant})))
period = shared("period", ordered(record({"start": instant, "end": instant, "time_zone": text(60)})))
effective = shared("effective", ordered(record({"start": instant, "end": nullable(instant)})))
