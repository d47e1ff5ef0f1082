"""The permission table against the running service: every route with every role and with none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.routing import Route

from carbonseal_api.authentication import ROLES
from carbonseal_api.guard import disagreements, guarded, route_names
from carbonseal_api.permissions import PermissionsInvalid, PermissionTable, Rule, parse_table, shipped_table
from carbonseal_api.permissions_page import page
from carbonseal_api.web.sessions import COOKIE, open_session
from carbonseal_attest.statement import SignedStatement

MISSING = {
    "party": "e-nobodynobody22",
    "origin": "log.carbonseal.example/e-nobodynobody22/data",
    "credit_code": "91330000MA00000007",
    "digest": "00" * 32,
    "id": "party:e-nobodynobody33",
    "record_id": "11" * 32,
}
# What the other parts of a path are filled with. None of them exists.
OTHER = {
    "tile_path": "0/000",
    "bundle_path": "000.p/1",
    "log_host": "log.carbonseal.example",
    "kid": "A" * 43,
    "month": "2026-01",
    "period": "2026-01",
    "figure": "total",
}
# Query parameters that some route cannot do without.
QUERY = {
    "start": "0",
    "end": "1",
    "name": "x.pdf",
    "title": "x",
    "period": "2026-01",
    "as_of": "2025-12-01",
    "rule": "low-carbon-intensity@1",
}
# Bodies of routes that read JSON, where the described type alone gives none that passes.
BODIES: dict[str, Any] = {}
CONTENT = "/contents/{digest}"
TWICE = """
[resources.logs]
read = { roles = ['bank'], routes = ['GET /x/{y:path}'] }
[resources.tiles]
read = { roles = ['reader'], routes = ['GET /x/{y}'] }
"""
GUARD_CODES = {
    "api-key-missing",
    "api-key-unknown",
    "role-missing",
    "permission-missing",
    "party-not-admitted",
}


def routes(site: Any) -> Iterator[tuple[str, str, Rule]]:
    for route in site.client.app.routes:
        for name in route_names(route):
            method, path = name.split(" ", 1)
            rule = shipped_table().rule(method, path)
            assert rule is not None, f"{name} has no row in permissions.toml"
            yield method, path, rule


def filled(path: str, values: dict[str, str]) -> str:
    return re.sub(
        r"\{(\w+)\}", lambda match: values.get(match[1]) or OTHER.get(match[1], "x-0000000000000000"), path
    )


def sample(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """A value of a JSON schema: its example, or the least that its type asks for."""
    if "$ref" in schema:
        return sample(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    if schema.get("examples"):
        return schema["examples"][0]
    for key in ("default", "const"):
        if key in schema:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return sample(schema["anyOf"][0], document)
    match schema.get("type"):
        case "object":
            wanted = schema.get("required", [])
            return {name: sample(schema["properties"][name], document) for name in wanted}
        case "array":
            return [sample(schema["items"], document)] * schema.get("minItems", 0)
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
    return "x" * max(1, schema.get("minLength", 1))


def body_of(site: Any, method: str, path: str) -> Any:
    document = site.client.app.openapi()
    operation = document["paths"].get(path, {}).get(method.lower(), {})
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return None if schema is None else BODIES.get(f"{method} {path}") or sample(schema, document)


def ask(site: Any, method: str, path: str, role: str | None, values: dict[str, str], **more: Any) -> Any:
    """The answer of a route to a role's account, by header or by session as the route takes it."""
    rule = shipped_table().rule(method, path)
    assert rule is not None
    headers: dict[str, str] = {"Origin": "http://testserver"}
    if role is not None:
        credential = site.headers(role)["Authorization"]
        if rule.credential == "session":
            principal = site.parts.keys.authenticate(credential)
            may_open = not principal.roles.isdisjoint(shipped_table().page_roles)
            token = open_session(site.parts, principal) if may_open else "none"
            headers["Cookie"] = f"{COOKIE}={token}"
        else:
            headers["Authorization"] = credential
    query = {name: value for name, value in QUERY.items() if "{tile_path}" not in path}
    query |= {"origin": values["origin"]} if path == CONTENT else {}
    return site.client.request(method, filled(path, values), headers=headers, params=query, **more)


def code_of(answer: Any) -> str | None:
    if answer.headers.get("content-type") != "application/problem+json":
        return None
    return str(answer.json()["code"])


def own(site: Any, role: str) -> dict[str, str]:
    party = site.party_of(role)
    return MISSING | {"party": party, "origin": f"log.carbonseal.example/{party}/data"}


@pytest.fixture(scope="module")
def foreign(site: Any) -> dict[str, str]:
    """What belongs to an enterprise that none of the site's accounts belongs to."""
    member = site.admit("stranger")
    genesis = SignedStatement.parse(site.host.entries(member.data_origin, 0, 1)[0].raw)
    return {
        "party": member.facts.code,
        "origin": member.data_origin,
        "credit_code": member.facts.org,
        "digest": genesis.payload.hex(),
        "id": f"party:{member.facts.code}",
        "record_id": recorded_for(site, member.facts.code).hex(),
    }


def recorded_for(site: Any, holder: str) -> bytes:
    """A carbon-asset record of a holder, as far as the registrar's log tells; returns its id."""
    registrar, record = site.cast.registrar, b"\x5a" * 32
    units = {"registry": "CCER", "batch": "B", "first": 1, "last": 9, "holder": holder}
    chain = {"chain_id": 31337, "contract": b"\x01" * 20, "transaction": b"\x02" * 32, "block": 1}
    body = {"act": "record", "record": record, "verification_report": b"\x03" * 32, "reference": None}
    body |= {"to": None, "last_of_left": None, "parts": [], "proposed_by": b"\x04" * 20}
    body |= {"confirmed_by": b"\x05" * 20, "chain": chain | {"block_hash": b"\x06" * 32, "log_index": 0}}
    registrar.issue(registrar.data_origin, "asset_act", body | units, subject="a-recorded")
    site.parts.projections.refresh()
    return record


def test_every_route_has_a_row_and_every_row_a_route(site: Any) -> None:
    assert disagreements(site.client.app.routes, shipped_table()) == ([], [])


def test_route_without_a_row_is_refused_even_to_the_operator(site: Any) -> None:
    (route,) = [route for route in site.client.app.routes if route.path == "/organisations"]
    kept = site.client.app.router.routes
    try:
        site.client.app.router.routes = tuple(guarded([route], PermissionTable([])))
        answer = site.client.get("/organisations", headers=site.headers("operator"))
    finally:
        site.client.app.router.routes = kept
    assert (answer.status_code, answer.json()["code"]) == (403, "permission-missing")
    assert "organisations" in answer.json()["reason"]


def test_nothing_can_be_added_beside_the_guard(site: Any) -> None:
    with pytest.raises(AttributeError, match="append"):
        site.client.app.add_api_route("/late", lambda: "open", methods=["GET"])
    assert not [route for route in site.client.app.routes if route.path == "/late"]


def test_every_route_refuses_whoever_does_not_say_who_it_is(site: Any) -> None:
    for method, path, rule in routes(site):
        if rule.is_public:
            continue
        answer = ask(site, method, path, None, own(site, "enterprise"), content=b"\x00")
        if rule.credential == "session":
            if method == "GET":
                assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in"), path
            else:
                assert answer.status_code == 401, (method, path)
            continue
        assert (answer.status_code, code_of(answer)) == (401, "api-key-missing"), (method, path, answer.text)
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("role", ROLES)
def test_every_route_takes_the_roles_of_its_row_and_no_other(site: Any, role: str) -> None:
    for method, path, rule in routes(site):
        if rule.is_public:
            continue
        answer = ask(site, method, path, role, own(site, role))
        if role in rule.roles:
            assert code_of(answer) not in GUARD_CODES, (method, path, answer.text)
            assert answer.status_code not in {401, 303}, (method, path, answer.status_code)
        elif rule.credential == "session" and role not in shipped_table().page_roles:
            assert answer.status_code in {303, 401}, (method, path)  # such an account opens no session
        else:
            assert answer.status_code == 403, (method, path, answer.text)
            assert code_of(answer) == (None if rule.credential == "session" else "role-missing")


@pytest.mark.parametrize("role", ROLES)
def test_no_route_tells_a_foreign_identifier_from_one_that_nobody_has(
    site: Any, role: str, foreign: dict[str, str]
) -> None:
    for method, path, rule in routes(site):
        named = [name for name in MISSING if f"{{{name}}}" in path or (name, path) == ("origin", CONTENT)]
        if method == "PUT":  # what is put under its own digest is nobody else's
            named = [name for name in named if name != "digest"]
        if rule.is_public or role not in rule.roles or role in rule.everywhere or not named:
            continue
        body = body_of(site, method, path)
        more: dict[str, Any] = {} if body is None else {"json": body}
        if method == "PUT" and body is None:
            more = {"content": b"x"}
        for name in named:
            # One foreign thing at a time: another's digest under one's own organisation is foreign too.
            theirs, nobodys = own(site, role) | {name: foreign[name]}, own(site, role) | {name: MISSING[name]}
            answer, missing = (ask(site, method, path, role, values, **more) for values in (theirs, nobodys))
            place = (method, path, name, answer.status_code, answer.text)
            assert answer.status_code == missing.status_code, place
            is_hidden = answer.status_code == 404 or "grant-missing" in answer.text
            assert is_hidden or "assets-not-offered" in answer.text, place  # no chain here, so no record
            assert shape(answer, foreign) == shape(missing, foreign), place


def shape(answer: Any, foreign: dict[str, str]) -> str:
    """The answer without the identifiers that were asked for, the longest first: one may hold another."""
    named = [(value, name) for values in (foreign, MISSING) for name, value in values.items()]
    found = str(answer.text)
    for value, name in sorted(named, key=lambda pair: -len(pair[0])):
        found = found.replace(value, name)
    return found


def test_second_role_does_not_widen_what_the_first_one_reaches(site: Any, foreign: dict[str, str]) -> None:
    # A regulator reads everywhere. One that also holds a role of enterprises must not write everywhere.
    rule = shipped_table().rule("POST", "/logs/{origin}/entries")
    assert rule is not None
    assert "regulator" in rule.roles - rule.everywhere
    answer = ask(site, "POST", "/logs/{origin}/entries", "regulator", foreign, content=b"x")
    assert answer.status_code == 404


def test_no_route_breaks_over_a_character_of_code_zero(site: Any) -> None:
    for method, path, rule in routes(site):
        if rule.is_public or "operator" not in rule.roles:
            continue
        body = body_of(site, method, path)
        more: dict[str, Any] = {} if body is None else {"json": body}
        if "{" in path:
            zeros = dict.fromkeys(re.findall(r"\{(\w+)\}", path), "%00")
            answer = ask(site, method, path, "operator", MISSING | zeros, **more)
            assert answer.status_code == 404, (method, path, answer.text)
        address = f"{filled(path, MISSING)}?limit=%00"
        answer = site.client.request(method, address, headers=site.headers("operator"), **more)
        assert answer.status_code in {401, 403, 422}, (method, path, answer.text)


@pytest.mark.parametrize("text", ['"\\u0000"', '"\\ud800"', '"a\\uDFFFb"', '{"\\u0000": 1}'])
def test_body_with_a_text_that_is_none_is_refused_before_the_endpoint(site: Any, text: str) -> None:
    headers = site.headers(**{"Content-Type": "application/json"})
    body = f'{{"roles": ["reader"], "label": {text}}}'
    answer = site.client.post(f"/organisations/{site.party}/api-keys", content=body, headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (422, "body")


@pytest.mark.parametrize("label", ['"\\ud83d\\udd12"', '"\\\\u0000"'])
def test_body_with_an_escaped_character_is_taken(site: Any, label: str) -> None:
    headers = site.headers(**{"Content-Type": "application/json"})
    body = f'{{"roles": ["reader"], "label": {label}}}'
    answer = site.client.post(f"/organisations/{site.party}/api-keys", content=body, headers=headers)
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Basic {key}"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer  "},
        {"authorization": "Bearer {key}, Bearer {key}"},
        {"authorization": "Bearer {key}x"},
        {"authorization": "{key}"},
        {"x-forwarded-user": "operator", "x-original-url": "/health"},
        {"cookie": "carbonseal_session={key}"},
        {"x-http-method-override": "GET"},
    ],
)
def test_rejects_credentials_that_are_smuggled_or_misspelt(site: Any, headers: dict[str, str]) -> None:
    key = site.keys["enterprise"]
    sent = {name: value.format(key=key) for name, value in headers.items()}
    assert site.client.get("/organisations", headers=sent).status_code == 401


def test_rejects_second_authorization_header_beside_a_good_one(site: Any) -> None:
    good = site.headers()["Authorization"]
    for pair in (["Bearer x", good], [good, "Bearer x"]):
        answer = site.client.get("/organisations", headers=[("Authorization", value) for value in pair])
        assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/organisations/%2e%2e", "/ORGANISATIONS", "/x/../epochs/"])
def test_rewritten_path_reaches_no_route_past_the_guard(site: Any, path: str) -> None:
    answer = site.client.get(path)
    assert answer.status_code in {401, 404, 307}, answer.text
    assert site.party not in answer.text


def test_body_is_not_read_for_whoever_may_not_call(site: Any) -> None:
    # The endpoint would answer 413; a stranger is told that it is one.
    address = f"/logs/{site.origin}/entries"
    answer = site.client.post(address, content=b"x" * 100, headers={"Content-Length": "999999999"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[resources.logs]\nread = { roles = ['king'], routes = ['GET /x'] }", "king"),
        ("[resources.logs]\nread = { roles = [], routes = ['GET /x'] }", "none"),
        ("[resources.logs]\nread = { roles = ['public', 'bank'], routes = ['GET /x'] }", "public beside"),
        ("[resources.logs]\nread = { roles = ['bank'], routes = [] }", "names no route"),
        ("[resources.logs]\nread = { roles = ['bank'], routes = ['FETCH /x'] }", "is no route"),
        ("[resources.logs]\nread = { roles = ['bank'], routes = ['GET x'] }", "is no route"),
        ("[resources.logs]\nread = { roles = ['bank'], routes = ['GET /x'], note = '' }", "is not a row"),
        (
            "[resources.logs]\nread = { roles = ['bank'], everywhere = ['operator'], routes = ['GET /x'] }",
            "everywhere",
        ),
        ("[resources.logs]\nread = { roles = 'bank', routes = ['GET /x'] }", "list of texts"),
        ("[resources.logs]\nread = { roles = ['bank', 'bank'], routes = ['GET /x'] }", "twice"),
        ("[resources.logs]\ncredential = 'none'", "credential"),
        ("[other]\nx = 1", "something else"),
        ("[resources", "not TOML"),
        ("[resources.Logs]\nread = { roles = ['bank'], routes = ['GET /x'] }", "name or credential"),
        (TWICE, "two rows"),
    ],
)
def test_rejects_table_that_contradicts_itself(text: str, place: str) -> None:
    with pytest.raises(PermissionsInvalid, match=place):
        parse_table(text)


def test_guard_takes_plain_routes_only() -> None:
    class Mount(Route.__base__):  # type: ignore[misc, name-defined]
        """Some other kind of route."""

    with pytest.raises(TypeError, match="cannot be guarded"):
        list(guarded([Mount()], shipped_table()))


def test_printed_table_is_the_one_that_is_held(pytestconfig: pytest.Config) -> None:
    printed = (pytestconfig.rootpath / "docs/spec/permissions.md").read_text(encoding="utf-8")
    remedy = "run `python -m carbonseal_api.permissions_page > docs/spec/permissions.md`"
    assert printed == page(shipped_table()), remedy
    for rule in shipped_table().rules:
        assert all(f"`{route}`" in printed for route in rule.routes)
