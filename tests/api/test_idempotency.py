"""Writes with an `Idempotency-Key`: done once under repetition, races, changed bodies and broken calls."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from carbonseal_api.guard import route_names, takes_key
from carbonseal_api.idempotency import KEPT_MS
from carbonseal_api.permissions import shipped_table

Send = Callable[..., Any]


@pytest.fixture
def give(site: Any) -> Send:
    """A write that leaves a trace and whose answer holds no secret: a grant to a bank."""
    bank = site.admit("bank").facts.code

    def send(key: str | None, role: str = "enterprise", **changes: Any) -> Any:
        wish = {
            "to": bank,
            "purpose": "loan",
            "level": "grade",
            "period": {"start": "2024-12-31T16:00:00Z", "end": "2025-12-31T16:00:00Z"},
            "valid": {"start": None, "end": "2027-01-01T00:00:00Z"},
        }
        headers = site.headers(role) | ({} if key is None else {"Idempotency-Key": key})
        return site.client.post(f"/organisations/{site.party}/grants", json=wish | changes, headers=headers)

    return send


def grants(site: Any) -> int:
    return len(
        site.client.get(f"/organisations/{site.party}/grants?limit=200", headers=site.headers()).json()
    )


def fresh() -> str:
    return str(uuid.uuid4())


def test_same_request_with_the_same_key_is_done_once_and_answered_alike(site: Any, give: Send) -> None:
    key, before = fresh(), grants(site)
    first, again, quoted = give(key), give(key), give(f'"{key}"')
    assert first.status_code == 201, first.text
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert quoted.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert grants(site) == before + 1


def test_answer_is_kept_before_any_of_its_body_is_sent(
    site: Any, give: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, kept_when_sent = fresh(), []
    asked = text("SELECT status FROM api_kept_answers WHERE key = :key")
    inner = site.client.app

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def see(message: Any) -> None:
            if message["type"] == "http.response.body":
                with site.parts.engine.connect() as connection:
                    kept_when_sent.append(connection.execute(asked, {"key": key}).scalar())
            await send(message)

        await inner(scope, receive, see)

    monkeypatch.setattr(site.client._transport, "app", watched)
    assert give(key).status_code == 201
    assert kept_when_sent
    assert set(kept_when_sent) == {201}


def test_without_a_key_nothing_is_kept(site: Any, give: Send) -> None:
    before = grants(site)
    assert give(None).status_code == give(None).status_code == 201
    assert grants(site) == before + 2


def test_rejects_key_that_came_with_another_request(site: Any, give: Send) -> None:
    key = fresh()
    assert give(key).status_code == 201
    changed = give(key, level="report")
    assert (changed.status_code, changed.json()["code"]) == (422, "idempotency-key-reused")
    elsewhere = site.client.post(
        f"/organisations/{site.party}/api-keys",
        json={"roles": ["reader"], "label": "x"},
        headers=site.headers(**{"Idempotency-Key": key}),
    )
    assert elsewhere.json()["code"] == "idempotency-key-reused"


def test_key_of_one_account_is_another_one_of_another_account(site: Any, give: Send) -> None:
    key, before = fresh(), grants(site)
    assert give(key).status_code == 201
    other = site.parts.keys.issue(site.party, ["enterprise"], "second")
    site.keys["second"] = other
    answer = give(key, role="second")
    assert (answer.status_code, "idempotency-replayed" in answer.headers) == (201, False)
    assert grants(site) == before + 2


def test_key_gives_no_answer_to_an_account_that_may_not_ask(site: Any, give: Send) -> None:
    key = fresh()
    account = site.parts.keys.issue(site.party, ["enterprise"], "leaves soon")
    site.keys["leaving"] = account
    assert give(key, role="leaving").status_code == 201
    site.parts.keys.withdraw(account.split("_")[1])
    assert give(key, role="leaving").status_code == 401
    assert give(key, role="reader").status_code == 403


def test_many_at_once_with_one_key_are_done_once(site: Any, give: Send) -> None:
    key, before = fresh(), grants(site)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: give(key), range(6)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    done = {answer.content for answer in answers if answer.status_code == 201}
    assert len(done) == 1
    codes = {answer.json()["code"] for answer in answers if answer.status_code == 409}
    assert codes <= {"idempotency-in-progress"}
    assert grants(site) == before + 1
    assert give(key).content in done


def test_call_that_was_broken_off_is_never_done_again_in_silence(site: Any, give: Send) -> None:
    key = fresh()
    assert give(key).status_code == 201
    account = site.keys["enterprise"].split("_")[1]
    broken = "UPDATE api_kept_answers SET status = NULL, body = NULL WHERE (account, key) = (:account, :key)"
    with site.parts.engine.begin() as connection:  # as a process leaves it that was killed in between
        changed = connection.execute(text(broken), {"account": account, "key": key})
        assert changed.rowcount == 1
    before = grants(site)
    answer = give(key)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency-in-progress")
    assert "look" in answer.json()["remedy"]
    assert grants(site) == before


def test_refused_call_keeps_no_key(site: Any, give: Send) -> None:
    key = fresh()
    assert give(key, level="everything").status_code in {400, 422}
    assert give(key, to="b-nobodynobody22").status_code in {404, 409, 422}
    assert give(key).status_code == 201


def test_answer_is_kept_for_a_day(site: Any, give: Send) -> None:
    key, before = fresh(), site.clock.now
    assert give(key).status_code == 201
    kept = text("SELECT count(*) FROM api_kept_answers WHERE key = :key")
    try:
        for now, is_there in ((before + KEPT_MS - 1, True), (before + KEPT_MS, False)):
            site.clock.now = now
            # Another write, to no log: the logs' clock must not go back afterwards.
            site.client.post("/jobs/none", headers=site.headers("operator", **{"Idempotency-Key": fresh()}))
            with site.parts.engine.connect() as connection:
                assert bool(connection.execute(kept, {"key": key}).scalar()) == is_there
            if is_there:
                assert "idempotency-replayed" in give(key).headers
    finally:
        site.clock.now = before


def test_answer_with_a_secret_is_not_kept_and_nothing_is_made_twice(site: Any) -> None:
    address = f"/organisations/{site.party}/api-keys"
    headers = site.headers(**{"Idempotency-Key": fresh()})
    wish = {"roles": ["reader"], "label": "once"}
    made = site.client.post(address, json=wish, headers=headers)
    again = site.client.post(address, json=wish, headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "idempotency-shown-once")
    listed = site.client.get(f"{address}?limit=200", headers=site.headers()).json()
    assert sum(row["label"] == "once" for row in listed) == 1
    with site.parts.engine.connect() as connection:
        rows = connection.execute(text("SELECT row_to_json(t)::text FROM api_kept_answers t")).scalars().all()
    secret = made.json()["key"]
    assert not any(secret in row or secret.encode().hex() in row for row in rows)


@pytest.mark.parametrize("key", ["", " ", '""', "a b", "x" * 129, "ключ", "a\tb", '"'])
def test_rejects_key_of_another_form(site: Any, key: str) -> None:
    headers = [("Authorization", site.headers()["Authorization"]), ("Idempotency-Key", key.encode())]
    answer = site.client.post(
        f"/organisations/{site.party}/api-keys", json={"roles": ["reader"], "label": "x"}, headers=headers
    )
    assert (answer.status_code, answer.json()["field"]) == (422, "idempotency-key")


def test_rejects_two_keys_at_once(site: Any) -> None:
    headers = [("Authorization", site.headers()["Authorization"])] + [("Idempotency-Key", "a")] * 2
    answer = site.client.post(f"/organisations/{site.party}/api-keys", json={}, headers=headers)
    assert answer.json()["field"] == "idempotency-key"


def test_json_body_beyond_the_limit_is_refused_before_it_is_parsed(site: Any) -> None:
    address, limit = f"/organisations/{site.party}/api-keys", site.parts.settings.max_body_bytes
    wish = b'{"roles": ["reader"], "label": "' + b"x" * limit + b'"}'
    headers = site.headers(**{"Content-Type": "application/json"})
    for sent in (headers, headers | {"Idempotency-Key": "big"}):
        answer = site.client.post(address, content=wish, headers=sent)
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    assert site.client.post("/jobs/x", content=wish, headers=site.headers("operator")).status_code == 413


def test_uploads_take_no_key_since_their_digest_is_one(site: Any) -> None:
    heard = {
        name
        for route in site.client.app.routes
        for name in route_names(route)
        if takes_key(route, shipped_table().rule(*name.split(" ", 1)))
    }
    assert {name for name in heard if name.startswith(("POST /logs", "PUT /contents"))} == set()
    assert {"POST /organisations/{party}/api-keys", "POST /organisations/{party}/grants"} <= heard
    document = site.client.get("/openapi.json").json()
    for name in heard:
        method, path = name.split(" ", 1)
        operation = document["paths"][path][method.lower()]
        assert "Idempotency-Key" in {parameter["name"] for parameter in operation["parameters"]}, name
        assert "409" in operation["responses"], name
    data = b"the same bytes"
    digest = hashlib.sha256(data).hexdigest()
    address = f"/contents/{digest}?origin={site.origin}"
    answers = [site.client.put(address, content=data, headers=site.headers("gateway")) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert [answer.json()["is_new"] for answer in answers] == [True, False]
