"""/openapi.json as a product: valid OpenAPI 3.1, explained, and agreeing with table, guard and lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import httpx
import jsonschema_rs
import pytest
from described import operations as operations_of
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from carbonseal_api.authentication import ROLES
from carbonseal_api.description import TAGS
from carbonseal_api.permissions import shipped_table
from carbonseal_api.problems import PROBLEM_JSON
from carbonseal_api.settings import load_settings

# Writes that take no `Idempotency-Key`, and why sending them again does nothing twice.
WITHOUT_KEY = {
    "POST /oauth2/token": "a second token is as good as the first, and the form is RFC 6749's",
    "POST /logs": "a log is opened once; the same genesis again is answered with the log",
    "POST /logs/{origin}/entries": "a statement is known by its digest; again: 303",
    "POST /logs/{origin}/entries:batch": "a statement is known by its digest; again: duplicate",
    "POST /logs/{origin}/receipts:batch": "reads: the digests are too many for an address",
    "POST /organisations/{party}/documents": "a file is known by its digest; again: 200",
    "PUT /contents/{digest}": "a content is known by its digest",
    "PUT /organisations/{party}/documents/{digest}": "a file is known by its digest",
    "DELETE /organisations/{party}/api-keys/{key_id}": "withdrawn is withdrawn: 404",
    "DELETE /organisations/{party}/clients/{client_id}": "withdrawn is withdrawn: 404",
    "DELETE /organisations/{party}/persons/{person_id}": "withdrawn is withdrawn: 404",
    "DELETE /organisations/{party}/grants/{digest}": "twice changes nothing",
}
# Lists that are not paged by `limit` and `cursor`.
WITHOUT_PAGES = {
    "GET /epochs": "start and end, by number; at most 200",
    "GET /logs/{origin}/streams": "one row a stream of a key; gateways ask for theirs",
    "GET /organisations/{party}/inventories": "one row a month",
}
# Query parameters whose name says it.
EVIDENT = {"start", "end", "index", "tree_size", "old_size", "new_size", "epoch", "kid", "name"}
VERBS = (
    *("get", "list", "find", "make", "add", "give", "issue", "open", "register", "put", "file", "queue"),
    *("withdraw", "declare", "downgrade", "record", "correct", "grade", "propose", "confirm"),
)


@pytest.fixture(scope="module")
def described(site: Any) -> dict[str, Any]:
    found: dict[str, Any] = site.client.get("/openapi.json").json()
    return found


@pytest.fixture(scope="module")
def operations(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


def test_description_is_valid_openapi(described: dict[str, Any]) -> None:
    assert described["openapi"] == "3.1.0"
    OPENAPI_31_VALIDATOR.validate(described)
    with pytest.raises(jsonschema_rs.ValidationError, match="version"):
        OPENAPI_31_VALIDATOR.validate(described | {"info": {"title": "Carbonseal"}})


def test_every_schema_is_one_and_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    for name, schema in schemas.items():
        jsonschema_rs.meta.validate(schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"})
        assert schema.get("description"), name
    named = {ref for ref in references(described) if ref.startswith("#/components/schemas/")}
    assert {ref.rpartition("/")[2] for ref in named} == schemas.keys()


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def test_description_says_where_and_what_and_under_which_licence(described: dict[str, Any]) -> None:
    assert described["servers"] == [{"url": load_settings({}).address}]
    info = described["info"]
    assert info["license"] == {"name": "Apache License 2.0", "identifier": "Apache-2.0"}
    assert info["version"] == version("carbonseal-api")
    for page in re.findall(r"docs/[\w/.-]+\.md", info["description"]):
        assert page in {"docs/spec/problems.md", "docs/how-to/use-the-api.md"}


def test_programs_sign_in_by_key_or_by_token_whose_scopes_are_roles(
    described: dict[str, Any], site: Any
) -> None:
    schemes = described["components"]["securitySchemes"]
    assert (schemes["apiKey"]["type"], schemes["apiKey"]["scheme"]) == ("http", "bearer")
    flow = schemes["clientCredentials"]["flows"]["clientCredentials"]
    assert flow["scopes"] == ROLES
    path = flow["tokenUrl"].removeprefix(described["servers"][0]["url"])
    answer = site.client.post(path, data={"grant_type": "client_credentials"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_every_operation_says_who_may_call_it_as_the_table_does(operations: dict[str, Any]) -> None:
    for name, operation in operations.items():
        rule = shipped_table().rule(*name.split(" ", 1))
        assert rule is not None, name
        asked = operation["security"]
        if rule.is_public:
            assert asked == [], name
            continue
        scopes = {scope for one in asked for scope in one.get("clientCredentials", ())}
        assert scopes == rule.roles, name
        assert {"apiKey": []} in asked, name


def test_every_operation_has_a_name_of_its_own_that_says_what_it_does(operations: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in operations.values()]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", name), name
        assert name.startswith(tuple(f"{verb}_" for verb in VERBS)), name


def test_every_operation_is_explained(operations: dict[str, Any]) -> None:
    for name, operation in operations.items():
        assert 3 < len(operation["summary"]) < 60, name
        assert not operation["summary"].endswith("."), name
        assert operation["description"].rstrip().endswith((".", ":")), name
        assert operation["description"] != operation["summary"], name
        (tag,) = operation["tags"]
        assert tag in TAGS, name
        for parameter in operation.get("parameters", ()):
            is_evident = parameter["in"] == "path" or parameter["name"] in EVIDENT
            assert is_evident or "description" in parameter, (name, parameter["name"])


def test_every_tag_is_used(operations: dict[str, Any], described: dict[str, Any]) -> None:
    assert {tag for operation in operations.values() for tag in operation["tags"]} == set(TAGS)
    assert [tag["name"] for tag in described["tags"]] == list(TAGS)


def test_every_refusal_is_documented_as_a_problem(operations: dict[str, Any]) -> None:
    for name, operation in operations.items():
        if name == "POST /oauth2/token":
            continue
        answers = operation["responses"]
        rule = shipped_table().rule(*name.split(" ", 1))
        assert rule is not None
        wanted = {"503"} | (set() if rule.is_public else {"401", "403"})
        wanted |= {"422"} if operation.get("parameters") or "requestBody" in operation else set()
        assert wanted <= answers.keys(), name
        for status, answer in answers.items():
            if int(status) >= 400:
                shape = {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
                assert answer["content"] == {PROBLEM_JSON: shape}, (name, status)
            else:
                assert answer["description"] not in {"", "Successful Response"}, (name, status)


def test_every_write_takes_a_key_or_is_known_to_need_none(operations: dict[str, Any]) -> None:
    for name, operation in operations.items():
        if name.startswith("GET"):
            continue
        heard = {parameter["name"] for parameter in operation.get("parameters", ())}
        assert ("Idempotency-Key" in heard) != (name in WITHOUT_KEY), name
    assert WITHOUT_KEY.keys() <= operations.keys()


def test_every_list_is_paged_or_is_known_to_need_no_pages(
    operations: dict[str, Any], described: dict[str, Any]
) -> None:
    for name, operation in operations.items():
        answer = operation["responses"].get("200", {})
        schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
        heard = {parameter["name"] for parameter in operation.get("parameters", ())}
        is_paged = {"limit", "cursor"} <= heard
        assert is_paged == ("Link" in answer.get("headers", {})), name
        if name.startswith("GET") and schema.get("type") == "array":
            assert is_paged != (name in WITHOUT_PAGES), name
    assert WITHOUT_PAGES.keys() <= operations.keys()


@pytest.mark.parametrize(
    ("status", "media_type", "body", "words"),
    [
        (500, PROBLEM_JSON, b"{}", "status 500 is not documented"),
        (418, PROBLEM_JSON, b"{}", "status 418 is not documented"),
        (200, "text/html", b"<p>", "'text/html' is not documented"),
        (200, "application/json", b"{}", "not the documented shape"),
        (200, "application/json", b'[{"party": 1}]', "not the documented shape"),
        (403, "application/json", b'{"detail": "Forbidden"}', "'application/json' is not documented"),
        (403, PROBLEM_JSON, b'{"code": "role-missing"}', "not the documented shape"),
    ],
)
def test_answer_that_is_not_as_documented_is_noticed(
    site: Any, status: int, media_type: str, body: bytes, words: str
) -> None:
    (asked,) = (one for one in operations_of(site) if one.name == "list_organisations")
    answer = httpx.Response(status, headers={"content-type": media_type}, content=body)
    assert words in str(asked.fault_of(answer))
    assert asked.fault_of(site.client.get("/organisations", headers=site.headers())) is None
    assert asked.fault_of(site.client.get("/organisations")) is None
