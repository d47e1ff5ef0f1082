"""Writes `KIND.json` for every kind: its example as bytes and as JSON view, and what is refused.

Most refusals are made from the schema (`over_limit.py`): one value beyond each limit, with the field that a
refusal names. Left out of the files, and tried in the tests, are those longer than the example by much, those
deep inside, and missing or unknown fields below the top.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import example_contents as example
from over_limit import variants
from vector_files import Vector, document, write

from carbonseal_attest import cbor
from carbonseal_attest.contents import KINDS
from carbonseal_attest.errors import EncodingError
from carbonseal_attest.json_view import to_json_view

_LONGER: Final = 600  # bytes by which a refused content may be longer than the example
_SHALLOW: Final = 2  # dots and brackets in the name of a field
_DEEPEST: Final = 4
_EVERYWHERE: Final = (": is missing", ": an unknown field", ": true")


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {f"{kind}.json": document(__file__, "contents.md", _vectors(kind)) for kind in KINDS}


def _vectors(kind: str) -> list[Vector]:
    data = example.content(kind)
    good = {
        "desc": f"example of {kind}",
        "want_error": None,
        "kind": kind,
        "version": KINDS[kind].version,
        "content": data.hex(),
        "json": to_json_view(cbor.decode(data)),
    }
    return [good, *_envelopes(kind), *_over_limits(kind), *(_readings() if kind == "readings" else ())]


def _envelopes(kind: str) -> Iterator[Vector]:
    entry = KINDS[kind]
    wrong_interval = None if entry.has_interval else list(example.INTERVAL)
    for desc, field, changes in (
        ("unknown field", "content.note", {"note": "x"}),
        ("another version", "content.version", {"version": entry.version + 1}),
        ("version is true", "content.version", {"version": True}),
        ("another length of the salt", "content.salt", {"salt": bytes(8)}),
        ("null and interval exchanged", "content.interval", {"interval": wrong_interval}),
        ("a subject that is no code", "content.subject", {"subject": "Boiler one"}),
        ("a stream that climbs", "content.stream", {"stream": "../other"}),
    ):
        yield _bad(desc, field, {**cbor.decode(example.content(kind)), **changes})


def _over_limits(kind: str) -> Iterator[Vector]:
    envelope = cbor.decode(example.content(kind))
    longest = len(example.content(kind)) + _LONGER
    for variant in variants(KINDS[kind].schema, envelope["body"], "content.body"):
        depth = variant.field.count(".") + variant.field.count("[")
        if depth > _DEEPEST or (depth > _SHALLOW and variant.desc.endswith(_EVERYWHERE)):
            continue
        try:
            data = cbor.encode({**envelope, "body": variant.value})
        except EncodingError:
            continue  # what no bytes can say
        if len(data) <= longest:
            yield _bad(variant.desc, variant.field, data)


def _readings() -> Iterator[Vector]:
    envelope = cbor.decode(example.content("readings"))
    series = envelope["body"]["series"][0]
    where = "content.body.series"
    yield _bad("a kind that is not registered", "content.kind", {**envelope, "kind": "reading"})
    yield _bad("a series twice", where, {**envelope, "body": {"series": [series, series]}})
    for desc, field, changes in (
        ("a run of 10^18 readings", "times.runs[0].count", {"times": [0, [[0, 10**18]]]}),
        ("two runs that are one", "times", {"times": [series["times"][0], [[900_000, 1], [900_000, 2]]]}),
        ("a time before 1970", "times", {"times": [0, [[-1, 3]]]}),
        (
            "a scale larger than needed",
            "values",
            {"scale": 3, "values": [5_120, 5_130, None, 5_140]},
        ),
        ("a value is true", "values", {"values": [True, 0, None, 0]}),
        ("fewer values than times", "values", {"values": [1]}),
        ("quality of fewer readings", "quality", {"quality": [["good", "", 1]]}),
        ("right-to-left override in the unit", "unit", {"unit": "kW\u202eh"}),
    ):
        yield _bad(desc, f"{where}[0].{field}", {**envelope, "body": {"series": [{**series, **changes}]}})
    late = {**envelope, "interval": [example.INTERVAL[0], example.INTERVAL[0] + 1]}
    yield {
        **_bad("readings after the interval", "content.interval", late),
        "want_error": "content-contradicts-header",
    }


def _bad(desc: str, field: str, content: Any) -> Vector:
    data = content if isinstance(content, bytes) else cbor.encode(content)
    return {"desc": desc, "want_error": "content-invalid", "field": field, "content": data.hex()}


if __name__ == "__main__":
    write(__file__, files())
