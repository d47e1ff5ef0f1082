"""OAuth2 client credentials: what is refused and how, what a token may do, and when it ends."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from sqlalchemy import text

from carbonseal_api.accounts.clients import TOKEN_SECONDS, NewClient, add_client, withdraw_client
from carbonseal_api.problems import PartyNotAdmitted, RequestInvalid, RoleMissing

FORM = {"grant_type": "client_credentials"}


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


def ask(site: Any, client: NewClient | None = None, **form: str) -> Any:
    headers = {} if client is None else basic(client.client_id, client.client_secret)
    return site.client.post("/oauth2/token", data=FORM | form, headers=headers)


def bearer(answer: Any) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.fixture(scope="module")
def client(site: Any) -> NewClient:
    return add_client(site.parts, site.party, ["enterprise", "reader"], "tests")


def test_rejects_wrong_secret_unknown_client_and_withdrawn_client_alike(site: Any, client: NewClient) -> None:
    gone = add_client(site.parts, site.party, ["reader"], "gone")
    withdraw_client(site.parts, gone.client_id)
    bodies = set()
    for client_id, secret in (
        (client.client_id, "x" * 43),
        (client.client_id, ""),
        ("c-0000000000000000", client.client_secret),
        ("c-\x00", client.client_secret),
        ("' OR 1=1 --", "x"),
        (gone.client_id, gone.client_secret),
    ):
        answer = site.client.post("/oauth2/token", data=FORM, headers=basic(client_id, secret))
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic ")
        posted = {"client_id": client_id, "client_secret": secret or "x"}
        assert site.client.post("/oauth2/token", data=FORM | posted).json() == answer.json()
        bodies.add(answer.text)
    assert len(bodies) == 1


def test_rejects_two_ways_to_authenticate_at_once(site: Any, client: NewClient) -> None:
    secret = {"client_id": client.client_id, "client_secret": client.client_secret}
    assert ask(site, client, **secret).json()["error"] == "invalid_request"
    other = add_client(site.parts, site.party, ["reader"], "other")
    assert ask(site, client, client_id=other.client_id).json()["error"] == "invalid_request"
    twice = [("Authorization", basic(client.client_id, client.client_secret)["Authorization"])] * 2
    answer = site.client.post("/oauth2/token", data=FORM, headers=twice)
    assert answer.json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "invalid_request"),
        (b"grant_type=", "invalid_request"),
        (b"grant_type=password&username=a&password=b", "unsupported_grant_type"),
        (b"grant_type=authorization_code&code=x", "unsupported_grant_type"),
        (b"grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        (b"grant_type=client_credentials&scope=reader&scope=enterprise", "invalid_request"),
        (b"grant_type=client_credentials&scope=operator", "invalid_scope"),
        (b"grant_type=client_credentials&scope=reader%20%20enterprise", "invalid_scope"),
        (b"grant_type=client_credentials&scope=READER", "invalid_scope"),
        (b"grant_type=client_credentials&scope=reader%00", "invalid_scope"),
        (b"grant_type=client_credentials&resource=https%3A%2F%2Felsewhere.example", "invalid_target"),
        (b"grant_type=client_credentials&x=%ff%fe", "invalid_request"),
        (b"grant_type=client_credentials&x=\xff", "invalid_request"),
        (b"&".join(b"a%d=1" % number for number in range(40)), "invalid_request"),
    ],
)
def test_rejects_form_in_the_words_of_the_standard(
    site: Any, client: NewClient, body: bytes, error: str
) -> None:
    headers = basic(client.client_id, client.client_secret)
    headers |= {"Content-Type": "application/x-www-form-urlencoded"}
    answer = site.client.post("/oauth2/token", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert set(answer.json()) == {"error", "error_description"}
    assert answer.headers["cache-control"] == "no-store"


def test_rejects_json_secrets_in_the_address_and_a_huge_form(site: Any, client: NewClient) -> None:
    headers = basic(client.client_id, client.client_secret)
    assert site.client.post("/oauth2/token", json=FORM, headers=headers).status_code == 400
    query = {"client_id": client.client_id, "client_secret": client.client_secret}
    assert site.client.post("/oauth2/token", data=FORM, params=query).json()["error"] == "invalid_request"
    assert (
        site.client.post("/oauth2/token", data=FORM | {"x": "y" * 5000}, headers=headers).status_code == 413
    )
    assert site.client.get("/oauth2/token", headers=headers).status_code == 405


@pytest.mark.parametrize(
    ("accounts", "wish"),
    [
        ("api-keys", {"roles": ["enterprise"], "label": "x"}),
        ("clients", {"roles": ["enterprise"], "label": "x"}),
        ("persons", {"login": "thief@example.org", "roles": ["enterprise"]}),
    ],
)
def test_a_client_makes_no_account_that_would_outlive_it(
    site: Any, client: NewClient, accounts: str, wish: dict[str, Any]
) -> None:
    path, token = f"/organisations/{site.party}/{accounts}", bearer(ask(site, client))
    before = site.client.get(path, headers=site.headers()).json()
    answer = site.client.post(path, json=wish, headers=token)
    assert (answer.status_code, answer.json()["code"]) == (403, "role-missing")
    assert "a client makes no accounts" in answer.json()["detail"]
    assert site.client.get(path, headers=site.headers()).json() == before


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !!!", "Basic Og==", "Basic eA==", "Bearer x", "Basic /w=="]
)
def test_rejects_client_authentication_that_is_none(site: Any, header: str) -> None:
    answer = site.client.post("/oauth2/token", data=FORM, headers={"Authorization": header})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_rejects_request_without_any_client(site: Any) -> None:
    assert ask(site).status_code == 401
    assert ask(site, client_id="c-0000000000000000").json()["error"] == "invalid_client"


def test_client_secret_and_client_id_are_no_bearer_tokens(site: Any, client: NewClient) -> None:
    for credential in (
        client.client_secret,
        client.client_id,
        f"cst_{client.client_secret}",
        "cst_" + "A" * 43,
    ):
        answer = site.client.get("/organisations", headers={"Authorization": f"Bearer {credential}"})
        assert (answer.status_code, answer.json()["code"]) == (401, "api-key-unknown")
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


def test_token_of_a_withdrawn_client_ends_with_it(site: Any) -> None:
    made = add_client(site.parts, site.party, ["reader"], "short")
    headers = bearer(ask(site, made))
    assert site.client.get("/organisations", headers=headers).status_code == 200
    withdraw_client(site.parts, made.client_id, site.party)
    assert site.client.get("/organisations", headers=headers).status_code == 401
    assert ask(site, made).status_code == 401


def test_token_ends_after_a_quarter_of_an_hour(site: Any, client: NewClient) -> None:
    headers = bearer(ask(site, client))
    before = site.clock.now
    try:
        site.clock.now = before + TOKEN_SECONDS * 1000 - 1
        assert site.client.get("/organisations", headers=headers).status_code == 200
        site.clock.now = before + TOKEN_SECONDS * 1000
        site.parts.keys.forget()  # two seconds on, the process has forgotten whom it saw
        assert site.client.get("/organisations", headers=headers).status_code == 401
    finally:
        site.clock.now = before


def test_token_carries_the_scope_and_no_more(site: Any, client: NewClient) -> None:
    answer = ask(site, client, scope="reader")
    assert answer.json()["scope"] == "reader"
    headers = bearer(answer)
    assert site.client.get(f"/organisations/{site.party}/devices", headers=headers).status_code == 200
    assert site.client.get(f"/organisations/{site.party}/api-keys", headers=headers).status_code == 403
    whole = bearer(ask(site, client))
    assert site.client.get(f"/organisations/{site.party}/api-keys", headers=whole).status_code == 200


def test_token_reaches_its_own_organisation_alone(site: Any, client: NewClient) -> None:
    other = site.admit("stranger").facts.code
    headers = bearer(ask(site, client))
    assert site.client.get(f"/organisations/{other}", headers=headers).status_code == 404


def test_token_of_one_deployment_is_none_in_another(site: Any, filed: Any, client: NewClient) -> None:
    headers = bearer(ask(site, client))
    assert filed.site.client.get("/organisations", headers=headers).status_code == 401


def test_answer_is_as_the_standard_has_it_and_kept_nowhere(site: Any, client: NewClient) -> None:
    answer = ask(site, client, resource=site.parts.settings.address)
    body = answer.json()
    assert body | {"access_token": ""} == {
        "access_token": "",
        "token_type": "Bearer",
        "expires_in": TOKEN_SECONDS,
        "scope": "enterprise reader",
    }
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    secrets = (body["access_token"], client.client_secret)
    with site.parts.engine.connect() as connection:
        rows = [
            row
            for table in ("api_clients", "api_tokens")
            for row in connection.execute(text(f"SELECT row_to_json(t)::text FROM {table} t")).scalars()
        ]
    assert any(hashlib.sha256(body["access_token"].encode()).hexdigest() in row for row in rows)
    assert not any(secret in row or secret.encode().hex() in row for secret in secrets for row in rows)


def test_posted_secret_works_like_basic(site: Any, client: NewClient) -> None:
    form = {"client_id": client.client_id, "client_secret": client.client_secret}
    assert ask(site, **form).status_code == 200


def test_rejects_client_with_roles_that_its_party_was_not_admitted_for(site: Any) -> None:
    with pytest.raises(RoleMissing, match="not admitted for bank"):
        add_client(site.parts, site.party, ["reader", "bank"], "x")
    with pytest.raises(RequestInvalid, match="king"):
        add_client(site.parts, site.party, ["king"], "x")
    with pytest.raises(PartyNotAdmitted, match="not admitted"):
        add_client(site.parts, "e-nobodynobody22", ["reader"], "x")


def test_client_is_made_listed_and_withdrawn_over_http(site: Any) -> None:
    address = f"/organisations/{site.party}/clients"
    made = site.client.post(address, json={"roles": ["reader"], "label": "bank"}, headers=site.headers())
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    body = made.json()
    listed = site.client.get(address, headers=site.headers())
    assert body["client_id"] in {row["client_id"] for row in listed.json()}
    assert body["client_secret"] not in listed.text
    headers = bearer(site.client.post("/oauth2/token", data=FORM | body))
    assert site.client.get(address, headers=headers).status_code == 403
    gone = site.client.delete(f"{address}/{body['client_id']}", headers=site.headers())
    assert gone.status_code == 204
    assert site.client.delete(f"{address}/{body['client_id']}", headers=site.headers()).status_code == 404
    assert site.client.get(f"/organisations/{site.party}", headers=headers).status_code == 401


def test_caller_gives_no_role_that_it_has_not_got(site: Any) -> None:
    member = site.admit("bank")
    roles = site.parts.keys.check_roles(member.facts.code, ["bank"])
    assert roles == ["bank"]
    address = f"/organisations/{site.party}/api-keys"
    for role in ("operator", "regulator", "bank"):
        for path in ("clients", "api-keys"):
            answer = site.client.post(
                address.replace("api-keys", path),
                json={"roles": [role], "label": "x"},
                headers=site.headers(),
            )
            assert (answer.status_code, answer.json()["code"]) == (403, "role-missing"), role


def test_openapi_names_both_ways_to_sign_in(site: Any) -> None:
    document = site.client.get("/openapi.json").json()
    schemes = document["components"]["securitySchemes"]
    assert schemes["clientCredentials"]["flows"]["clientCredentials"]["tokenUrl"].endswith("/oauth2/token")
    assert "bank" in schemes["clientCredentials"]["flows"]["clientCredentials"]["scopes"]
    operation = document["paths"]["/oauth2/token"]["post"]
    assert operation["security"] == []
    assert set(operation["requestBody"]["content"]) == {"application/x-www-form-urlencoded"}
