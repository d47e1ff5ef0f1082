"""A small closed schema language for contents: each check takes (value, field) and raises `ContentInvalid`.

Maps are closed: a key outside the schema is refused, since whatever nobody reads could hide something. It
leaves CDDL out; the tables in `docs/spec/contents.md` are written from these checks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from carbonseal_attest import identifiers
from carbonseal_attest.errors import AttestError, ContentInvalid
from carbonseal_attest.instants import check_instant, check_interval
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.quantities import parse_decimal

Check = Callable[[object, str], None]


def refuse(field: str, reason: str) -> ContentInvalid:
    """Return the refusal of a content's `field`."""
    return ContentInvalid(field, reason, "write the content as docs/spec/contents.md has it")


def _wrapped(check: Callable[..., object]) -> Check:
    def run(value: object, field: str) -> None:
        try:
            check(value, field=field)
        except ContentInvalid:
            raise
        except AttestError as error:
            raise refuse(error.field, error.reason) from error

    return run


instant = _wrapped(check_instant)
interval = _wrapped(check_interval)
decimal = _wrapped(parse_decimal)
code = _wrapped(identifiers.check_code)
name = _wrapped(identifiers.check_name)
origin = _wrapped(identifiers.check_origin)
credit_code = _wrapped(identifiers.check_credit_code)


def text(limit: int = 400) -> Check:
    """Text of at most `limit` characters that a reader can see (`identifiers.is_plain_text`)."""

    def check(value: object, field: str) -> None:
        if not isinstance(value, str) or len(value) > limit or not identifiers.is_plain_text(value):
            raise refuse(field, f"not plain text of at most {limit} characters")

    return check


def integer(low: int, high: int) -> Check:
    """A whole number between `low` and `high`, both included."""

    def check(value: object, field: str) -> None:
        if type(value) is not int or not low <= value <= high:
            raise refuse(field, f"not a whole number from {low} to {high}")

    return check


def one_of_integers(*values: int) -> Check:
    """One of the given whole numbers."""

    def check(value: object, field: str) -> None:
        if type(value) is not int or value not in values:
            raise refuse(field, f"not one of {', '.join(map(str, values))}")

    return check


def octets(low: int, high: int | None = None) -> Check:
    """A byte string of `low` to `high` bytes; of exactly `low` where no `high` is given."""

    def check(value: object, field: str) -> None:
        if not isinstance(value, bytes) or not low <= len(value) <= (low if high is None else high):
            raise refuse(field, f"not {low if high is None else f'{low} to {high}'} bytes")

    return check


digest = octets(32)


def boolean(value: object, field: str) -> None:
    """True or false."""
    if type(value) is not bool:
        raise refuse(field, "not true or false")


def cose_key(value: object, field: str) -> None:
    """A COSE_Key that is admitted (RFC 9052 §7)."""
    try:
        PublicKey.from_cose_key(value)
    except AttestError as error:
        raise refuse(f"{field}.{error.field}", error.reason) from error


def one_of(*values: str) -> Check:
    """One of the given words."""

    def check(value: object, field: str) -> None:
        if value not in values or not isinstance(value, str):
            raise refuse(field, f"not one of {', '.join(values)}")

    return check


def nullable(check: Check) -> Check:
    """Null, or what `check` admits."""

    def run(value: object, field: str) -> None:
        if value is not None:
            check(value, field)

    return run


def array(check: Check, limit: int, *, least: int = 0) -> Check:
    """An array of `least` to `limit` items that `check` admits."""

    def run(value: object, field: str) -> None:
        if not isinstance(value, list) or not least <= len(value) <= limit:
            raise refuse(field, f"not an array of {least} to {limit} items")
        for at, item in enumerate(value):
            check(item, f"{field}[{at}]")

    return run


def record(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """A closed map with text keys."""
    known = {**required, **(optional or {})}

    def run(value: object, field: str) -> None:
        if not isinstance(value, dict):
            raise refuse(field, "not a map")
        if missing := sorted(required.keys() - value.keys()):
            raise refuse(f"{field}.{missing[0]}", "is missing")
        if unknown := sorted(str(k)[:40] for k in value.keys() - known.keys()):
            raise refuse(f"{field}.{unknown[0]}", "is not known")
        for key, item in value.items():
            known[key](item, f"{field}.{key}")

    return run


def table(check: Check, limit: int) -> Check:
    """A map from texts of at most 200 characters to what `check` admits, of at most `limit` keys."""

    def run(value: object, field: str) -> None:
        if not isinstance(value, dict) or len(value) > limit:
            raise refuse(field, f"not a map of at most {limit} keys")
        for key, item in value.items():
            text(200)(key, f"{field} key")
            check(item, f"{field}.{key}")

    return run


def anything(value: object, field: str) -> None:
    """Any value that deterministic CBOR can write; its kind's own reader checks it further."""


def ordered(check: Check) -> Check:
    """What `check` admits, a map whose `start` lies before its `end`, if it has one."""

    def run(value: object, field: str) -> None:
        check(value, field)
        period = body_map(value)
        if period["end"] is not None and period["start"] >= period["end"]:
            raise refuse(field, "ends before it starts, or is empty")

    return run


bilingual = record({"zh": text(200), "en": text(200)})


def either(*checks: Check) -> Check:
    """What at least one of `checks` admits; the refusal is the last one's."""

    def run(value: object, field: str) -> None:
        refusals: list[ContentInvalid] = []
        for check in checks:
            try:
                check(value, field)
            except ContentInvalid as error:
                refusals.append(error)
            else:
                return
        raise refusals[-1]

    return run


def body_map(value: Any) -> dict[str, Any]:
    """Return `value` as a map of text keys; used after a schema has admitted it."""
    result: dict[str, Any] = value
    return result
