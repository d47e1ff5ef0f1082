"""The API's examples, run: each fits its schema and is answered as documented; every route succeeds once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from described import Operation, operations
from prepared import Prepared, open_prepared
from raw_bodies import FORM, RAW, Sent

from carbonseal_api.impacts.service import travel

JSON = "application/json"
# Who calls, where it is not the first of these that the permission table allows.
PREFERRED = ("enterprise", "operator", "registrar", "verification_body", "bank")
CALLERS = {
    "add_client": "bank",
    "list_received_grants": "bank",
    "register_statement": "gateway",
    "register_statements": "gateway",
}
# Which fact of the prepared site stands for a parameter whose name alone does not tell.
PATHS = {
    "get_content": {"digest": "content"},
    "get_receipt": {"digest": "readings"},
    "get_registration": {"digest": "readings"},
    "get_transparent_statement": {"digest": "readings"},
    "get_receipt_state": {"digest": "readings"},
    "get_document": {"digest": "file"},
    "get_statement": {"digest": "document"},
    "get_data_code": {"digest": "quality"},
    "get_lineage": {"id": "report"},
    "withdraw_grant": {"digest": "grant to research"},
}
QUERIES: dict[str, dict[str, Any]] = {
    "get_load_curve": {"start": "2025-12-31T16:00:00Z", "end": "2026-01-01T16:00:00Z"},
    "list_entries": {"start": 0, "end": 3},
    "get_inclusion_proof": {"index": 0},
    "get_consistency_proof": {"old_size": 1},
    "get_consistency_receipt": {"old_size": 1},
    "get_map_proof": {"epoch": 1},
    "get_comparison": {"period": "2026-01"},
}
# Placeholders of the examples, and the facts that stand for them here.
MEANT = {
    "declare_activity": {"document": "document"},
    "correct_readings": {"readings_digest": "readings not reported"},
    "withdraw_statement": {"statement_digest": "business record"},
    "give_grant": {"to": "bank"},
    "propose_asset_act": {"record": "record_id", "verification_report": "opinion", "to": "receiver"},
}
# What others rest on comes first; what takes something away comes last.
FIRST = ("file_document", "declare_activity", "downgrade_source")
LAST = ("withdraw_statement", "correct_readings")


@pytest.fixture(scope="module")
def prepared(
    open_site: Any, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prepared]:
    with open_prepared(open_site, database_url, "examples", tmp_path_factory.mktemp("examples")) as made:
        yield made


def who_calls(operation: Operation) -> str | None:
    if operation.rule.is_public:
        return None
    asked = CALLERS.get(operation.name)
    return asked or next(role for role in PREFERRED if role in operation.rule.roles)


def call(made: Prepared, operation: Operation, sent: Sent | None = None, body: Any = None) -> Any:
    """The answer to an operation, its path filled with facts, for a role that may call it."""
    role = who_calls(operation)
    facts = made.facts | {"digest": made.facts["report"]}
    facts |= {name: made.facts[fact] for name, fact in PATHS.get(operation.name, {}).items()}
    if role not in {None, "operator", "registrar"}:
        facts["party"] = made.party(role)
    headers, query, more = made.headers(role), dict(QUERIES.get(operation.name, {})), {}
    if sent is not None:
        facts |= sent.path
        query |= sent.query
        headers |= sent.headers | {"Content-Type": sent.media_type}
        more = {"content": sent.body}
    elif body is not None:
        more = {"json": body}
    path = operation.filled(facts)
    return made.site.client.request(operation.method, path, params=query, headers=headers, **more)


def meant(made: Prepared, operation: Operation, example: dict[str, Any]) -> dict[str, Any]:
    """The example with the facts of this site in the place of its digests and codes."""
    known = {name: made.facts[fact] for name, fact in MEANT.get(operation.name, {}).items()}
    shown_to_all = {"to"} if example.get("to") == "public" else set()
    return example | {name: fact for name, fact in known.items() if name in example.keys() - shown_to_all}


def test_every_json_body_has_examples_and_each_fits(prepared: Prepared) -> None:
    for operation in operations(prepared.site):
        for media_type, content in operation.bodies.items():
            if media_type in {JSON, FORM}:
                examples = operation.examples(media_type)
                assert examples, operation.name
                for example in examples:
                    operation.validator(content["schema"]).validate(example)
            else:
                assert operation.name in RAW, operation.name


def test_every_example_of_an_answer_or_a_parameter_fits(prepared: Prepared) -> None:
    seen = 0
    for operation in operations(prepared.site):
        shown = [(one["schema"], one) for one in operation.told.get("parameters", ())]
        shown += [
            (content["schema"], content)
            for answer in operation.told["responses"].values()
            for content in answer.get("content", {}).values()
            if content.get("schema")
        ]
        for schema, place in shown:
            named = [one["value"] for one in place.get("examples", {}).values()]
            items = operation.of_schema(schema.get("items", {})) if schema.get("type") == "array" else []
            for example in [*named, *operation.of_schema(schema), *([one] for one in items)]:
                operation.validator(schema).validate(example)
                seen += 1
    assert seen >= 25


@dataclass
class Used:
    """The prepared site after every write was asked for, and what was answered."""

    made: Prepared
    answers: dict[str, list[Any]]


@pytest.fixture(scope="module")
def used(prepared: Prepared) -> Used:
    writes = [operation for operation in operations(prepared.site) if operation.method != "GET"]
    order = {name: at for at, name in enumerate(FIRST, -len(FIRST))} | dict.fromkeys(LAST, 2)
    writes.sort(key=lambda one: order.get(one.name, one.method == "DELETE"))
    answers: dict[str, list[Any]] = {}
    for operation in writes:
        if operation.name in RAW:
            given = [call(prepared, operation, RAW[operation.name](prepared))]
        elif JSON in operation.bodies:
            examples = [meant(prepared, operation, example) for example in operation.examples()]
            given = [call(prepared, operation, body=body) for body in examples]
        else:
            given = [call(prepared, operation)]
        answers[operation.name] = given
    prepared.history.correct(prepared.history.readings[0, "m-electricity1"])
    travel(prepared.site.parts, prepared.site.clock())
    return Used(prepared, answers)


def test_every_write_is_done_with_its_example(used: Used) -> None:
    faults = {}
    for operation in operations(used.made.site):
        answers = used.answers.get(operation.name, [])
        for answer in answers:
            fault = fault_of(operation, answer)
            if fault:
                faults[operation.name] = fault
        if answers and not any(answer.status_code < 300 for answer in answers):
            faults.setdefault(operation.name, answers[0].text[:400])
    assert not faults, told(faults)


def test_every_read_is_answered_as_documented(used: Used) -> None:
    faults = {}
    for operation in operations(used.made.site):
        if operation.method != "GET":
            continue
        answer = call(used.made, operation)
        fault = fault_of(operation, answer)
        if fault or answer.status_code != 200:
            faults[operation.name] = fault or answer.text[:400]
        elif not answer.content or answer.content == b"[]":
            faults[operation.name] = "holds nothing, so that nothing of its shape was tried"
    assert not faults, told(faults)


def told(faults: dict[str, str]) -> str:
    return "\n".join(f"{name}: {fault}" for name, fault in faults.items())


def fault_of(operation: Operation, answer: Any) -> str | None:
    fault = operation.fault_of(answer)
    if fault is None and answer.status_code >= 400 and answer.json().get("code") == "request-invalid":
        return str(answer.json()["detail"])
    return fault


def test_every_json_example_as_it_stands_is_answered_as_documented(prepared: Prepared) -> None:
    faults = {}
    for operation in operations(prepared.site):
        for example in operation.examples():
            answer = call(prepared, operation, body=example)
            fault = fault_of(operation, answer)
            if fault:
                faults[operation.name] = fault
    assert not faults, told(faults)
