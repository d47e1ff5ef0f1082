from __future__ import annotations

import json
from typing import Any

import pytest
from example_contents import DATA, INTERVAL, METER, PARTY, SALT, bodies, content, key
from example_statements import statement
from hypothesis import given
from hypothesis import strategies as st
from over_limit import variants
from vector_files import read_vectors

from carbonseal_attest import cbor
from carbonseal_attest.contents import KINDS, Content, build_content, check_content, parse_content
from carbonseal_attest.errors import ContentContradictsHeader, ContentInvalid
from carbonseal_attest.json_view import from_json_view, to_json_view
from carbonseal_attest.statement import sign_statement

HOSTILE = [None, True, -1, 1 << 63, "", "\u202e", "a" * 500, b"", b"\0" * 33, [], [[]], {}, {"x": 1}, {1: 1}]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside `value`."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [path, *(place for name, item in items for place in places(item, (*path, name)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_own_vectors(kind: str) -> None:
    good, *refused = read_vectors("content", f"{kind}.json")
    data = bytes.fromhex(good["content"])
    assert (parse_content(data).kind, parse_content(data).version) == (kind, good["version"])
    assert refused
    for vector in refused:
        with pytest.raises(ContentInvalid) as caught:
            parse_content(bytes.fromhex(vector["content"]))
        assert caught.value.code == vector["want_error"]
        assert caught.value.field.startswith(vector["field"]), vector["desc"]


@pytest.mark.parametrize("kind", KINDS)
def test_json_view_of_the_example_gives_its_bytes_back(kind: str) -> None:
    good = read_vectors("content", f"{kind}.json")[0]
    assert to_json_view(cbor.decode(content(kind))) == good["json"]
    assert cbor.encode(from_json_view(json.loads(json.dumps(good["json"])))) == content(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_value_beyond_any_limit_is_refused_and_its_field_named(kind: str) -> None:
    schema, tried = KINDS[kind].schema, 0
    for variant in variants(schema, bodies()[kind], "content.body"):
        with pytest.raises(ContentInvalid) as caught:
            schema(variant.value, "content.body")
        assert caught.value.field.startswith(variant.field), variant.desc
        tried += 1
    assert tried > 3


def test_every_kind_of_the_registry_has_an_example() -> None:
    assert set(bodies()) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_content_that_was_built_parses_to_what_was_given(kind: str) -> None:
    made = parse_content(content(kind))
    assert made.body == bodies()[kind]
    assert made.interval == (INTERVAL if KINDS[kind].has_interval else None)
    again = build_content(
        kind,
        subject=made.subject,
        stream=made.stream,
        interval=made.interval,
        body=made.body,
        salt=made.salt,
    )
    assert again == content(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_value_anywhere_gives_a_content_or_our_refusal(kind: str) -> None:
    envelope = cbor.decode(content(kind))
    refusals = set()
    for path in places(envelope):
        for value in HOSTILE:
            changed = replaced(envelope, path, value)
            try:
                assert type(parse_content(cbor.encode(changed))) is Content
            except ContentInvalid as error:
                refusals.add(str(error))
    assert refusals
    assert all(refusal.isprintable() for refusal in refusals)


@pytest.mark.parametrize("kind", KINDS)
def test_true_is_never_read_as_a_number(kind: str) -> None:
    envelope = cbor.decode(content(kind))
    for path in places(envelope):
        value = envelope
        for name in path:
            value = value[name]
        if type(value) is int:
            with pytest.raises(ContentInvalid):
                parse_content(cbor.encode(replaced(envelope, path, True)))


MAY_BE_LEFT_OUT = {("party", "industry")}


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_or_missing_field_of_a_body_is_refused(kind: str) -> None:
    envelope = cbor.decode(content(kind))
    with pytest.raises(ContentInvalid, match="is not known"):
        parse_content(cbor.encode({**envelope, "body": {**envelope["body"], "note": "x"}}))
    for field in envelope["body"]:
        rest = {name: value for name, value in envelope["body"].items() if name != field}
        data = cbor.encode({**envelope, "body": rest})
        if (kind, field) in MAY_BE_LEFT_OUT:
            assert parse_content(data).body == rest
            continue
        with pytest.raises(ContentInvalid, match=f"{field}: is missing"):
            parse_content(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "gap"),
        ("subject", "m-other"),
        ("stream", "other"),
        ("interval", [INTERVAL[0], INTERVAL[1] + 1]),
    ],
)
def test_content_that_contradicts_its_header_is_refused(field: str, value: Any) -> None:
    envelope = cbor.decode(content("readings"))
    if field == "kind":
        envelope = cbor.decode(content("gap")) | {"stream": envelope["stream"]}
    data = cbor.encode({**envelope, field: value})
    lying = sign_statement(
        key("device"),
        kind="readings",
        issuer=PARTY,
        subject=METER,
        issued_at=0,
        origin=DATA,
        stream=f"readings/{METER}",
        sequence=0,
        previous=None,
        interval=INTERVAL,
        checkpoint=None,
        content=data,
    )
    with pytest.raises(ContentContradictsHeader, match=f"content.{field}"):
        check_content(lying, data)


def test_content_with_another_digest_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(ContentContradictsHeader, match="not what the statement signed"):
        check_content(statement(), b"\xff")


def test_content_that_agrees_with_its_header_is_returned() -> None:
    assert check_content(statement(), content("readings")) == parse_content(content("readings"))


@pytest.mark.parametrize(
    "changes",
    [{"kind": "reading"}, {"salt": b""}, {"salt": bytes(15)}, {"interval": None}, {"interval": (1, 1)}],
    ids=repr,
)
def test_refuses_to_build_what_would_not_be_a_content(changes: dict[str, Any]) -> None:
    fields: dict[str, Any] = {
        "kind": "readings",
        "subject": METER,
        "stream": "s",
        "interval": INTERVAL,
        "body": bodies()["readings"],
        "salt": SALT,
    }
    fields |= changes
    with pytest.raises(ContentInvalid):
        build_content(fields.pop("kind"), **fields)


def test_public_kind_with_a_salt_is_refused() -> None:
    with pytest.raises(ContentInvalid, match="salt"):
        build_content("tick", subject=METER, stream="tick", interval=None, body={"at": 0}, salt=SALT)


def plan(**changes: Any) -> bytes:
    envelope = cbor.decode(content("monitoring_plan"))
    return cbor.encode({**envelope, "body": {**envelope["body"], **changes}})


def test_plan_with_two_measurements_of_one_id_is_refused() -> None:
    measurements = bodies()["monitoring_plan"]["measurements"]
    with pytest.raises(ContentInvalid, match="one id stands twice"):
        parse_content(plan(measurements=[*measurements, {**measurements[0], "device": "m-other"}]))


def test_plan_that_uses_a_measurement_it_lacks_is_refused() -> None:
    body = bodies()["monitoring_plan"]
    streams = replaced(body["source_streams"], (0, "activity", 0, "measurement"), "hidden")
    with pytest.raises(ContentInvalid, match="electricity uses a measurement"):
        parse_content(plan(source_streams=streams))
    with pytest.raises(ContentInvalid, match="whole uses a measurement"):
        parse_content(plan(cross_checks=replaced(body["cross_checks"], (1, "parts", 0), "hidden")))


@pytest.mark.parametrize("sign", [0, 2, True])
def test_plan_with_a_sign_that_is_neither_plus_nor_minus_is_refused(sign: int) -> None:
    # A sign of 0 would let a measured stream count for nothing.
    streams = replaced(bodies()["monitoring_plan"]["source_streams"], (0, "activity", 0, "sign"), sign)
    with pytest.raises(ContentInvalid, match="sign"):
        parse_content(plan(source_streams=streams))


def with_body(kind: str, **changes: Any) -> bytes:
    envelope = cbor.decode(content(kind))
    return cbor.encode({**envelope, "body": {**envelope["body"], **changes}})


@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        ("finding", {"engagement": None, "rule": None}, "rule"),
        ("finding", {"state": "open"}, "closed_by"),
        ("finding", {"closed_by": None}, "closed_by"),
        ("explanation", {"evidence": []}, "evidence"),
        (
            "explanation",
            {"answers": {"statement_digest": bytes(32), "rule": "r", "subject": None}},
            "answers",
        ),
        ("engagement", {"team": []}, "team"),
        ("engagement", {"team": [{"role": "lead_verifier", "person_digest": bytes(32)}] * 2}, "team"),
        ("engagement", {"state": "agreed"}, "verification_report"),
        ("engagement", {"verification_report": None}, "verification_report"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(
    kind: str, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(ContentInvalid) as caught:
        parse_content(with_body(kind, **changes))
    assert caught.value.field.removeprefix("content.body.").startswith(field)


def test_finding_by_a_rule_alone_or_by_people_alone_is_admitted() -> None:
    assert parse_content(with_body("finding", engagement=None)).body["rule"]
    assert parse_content(with_body("finding", rule=None, state="open", closed_by=None)).body["engagement"]


def test_no_draft_kind_is_one_that_anything_uses() -> None:
    drafts = {kind.name for kind in KINDS.values() if kind.is_draft}
    assert drafts == {"rule_profile", "engagement", "finding", "explanation"}


def test_public_kinds_are_those_that_must_be_the_same_for_everybody() -> None:
    assert {"method", "rule_profile", "policy", "genesis"} <= {k.name for k in KINDS.values() if k.is_public}


def test_period_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ContentInvalid, match="ends before it starts"):
        parse_content(plan(effective={"start": 5, "end": 5}))
    assert parse_content(plan(effective={"start": 5, "end": None}))


@given(st.sampled_from(sorted(KINDS)), st.data())
def test_any_change_of_bytes_gives_a_content_or_our_refusal(kind: str, data: st.DataObject) -> None:
    whole = content(kind)
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = whole[:at] + data.draw(st.binary(max_size=6)) + whole[at + data.draw(st.integers(0, 6)) :]
    try:
        parse_content(changed)
    except ContentInvalid:
        return
