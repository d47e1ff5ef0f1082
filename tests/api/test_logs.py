"""Registration, receipts and proofs over HTTP: what bad input gets, then what good input gives."""

from __future__ import annotations

import hashlib
from typing import Any

import cbor2
import pytest

from carbonseal_attest import cbor
from carbonseal_attest.checkpoint import open_checkpoint
from carbonseal_attest.extended_receipt import ExtendedReceipt
from carbonseal_attest.identity.device_statements import enrolment, withdrawal
from carbonseal_attest.merkle import leaf_hash, verify_consistency, verify_inclusion
from carbonseal_attest.receipt import Receipt
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.statement import SignedStatement

METERS = ("m-electricity1", "m-electricity2")


def batch(*items: tuple[bytes, bytes | None]) -> bytes:
    return b"".join(cbor2.dumps(list(item)) for item in items)


def post_batch(site: Any, body: bytes, **changes: str) -> Any:
    headers = site.headers("gateway", **{"Content-Type": "application/cbor-seq"}) | changes
    return site.client.post(f"/logs/{site.origin}/entries:batch", content=body, headers=headers)


def post_one(
    site: Any, body: bytes, media_type: str = "application/cbor", role: str = "gateway", **more: str
) -> Any:
    headers = site.headers(role, **{"Content-Type": media_type}, **more)
    return site.client.post(f"/logs/{site.origin}/entries", content=body, headers=headers)


def assert_problem(answer: Any, status: int, code: str, field: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["code"] == code
    assert body["type"] == f"urn:carbonseal:problem:{code}"
    assert body["status"] == status
    for member in ("field", "reason", "remedy", "detail", "instance"):
        assert body[member]
    if field is not None:
        assert body["field"] == field


def at(site: Any, hours: int) -> int:
    """The start of an hour no other test seals; the clock moves to its end."""
    start = 1_767_196_800_000 + hours * 3_600_000
    site.clock.now = max(site.clock.now, start + 3_600_000)
    return start


def test_rejects_upload_without_key(site: Any) -> None:
    answer = site.client.post(f"/logs/{site.origin}/entries:batch", content=b"")
    assert_problem(answer, 401, "api-key-missing", "authorization")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "key", ["csk_000000000000_" + "A" * 43, "csk_x_y", "Bearer", "", "\x80" * 20, "csk_" + "0" * 5000]
)
def test_rejects_key_that_is_not_known(site: Any, key: str) -> None:
    headers = {b"Authorization": b"Bearer " + key.encode("latin-1")}
    answer = site.client.get(f"/organisations/{site.party}", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["code"] in {"api-key-unknown", "api-key-missing"}


def test_rejects_known_key_id_with_another_secret(site: Any) -> None:
    _, key_id, secret = site.keys["enterprise"].split("_", 2)
    other = ("B" if secret[0] == "A" else "A") + secret[1:]
    answer = site.client.get(
        f"/organisations/{site.party}", headers={"Authorization": f"Bearer csk_{key_id}_{other}"}
    )
    assert_problem(answer, 401, "api-key-unknown")


def test_rejects_role_that_may_not_upload(site: Any) -> None:
    answer = post_one(site, b"", role="reader")
    assert_problem(answer, 403, "role-missing", "authorization")


def test_does_not_confirm_that_a_foreign_log_exists(site: Any) -> None:
    missing = site.client.post(
        "/logs/log.carbonseal.example/e-nobody/data/entries", headers=site.headers("stranger"), content=b"x"
    )
    foreign = post_one(site, b"x", role="stranger")
    assert_problem(foreign, 404, "not-found", "origin")
    assert {k: v for k, v in missing.json().items() if k != "instance"} == {
        k: v for k, v in foreign.json().items() if k != "instance"
    }


@pytest.mark.parametrize("body", [b"", b"\x00", b"\xff" * 40, b"\xd2\x84", b"\xa0", bytes(300)])
def test_rejects_malformed_statement(site: Any, body: bytes) -> None:
    answer = post_one(site, body, "application/cose")
    assert_problem(answer, 400, "malformed-statement")


@pytest.mark.parametrize("body", [b"\x80", b"\x82\x01\x02", b"\x81\x41\x00", b"\xff", b"\x9f" * 40])
def test_rejects_single_upload_that_is_no_pair(site: Any, body: bytes) -> None:
    assert_problem(post_one(site, body), 422, "request-invalid", "body")


def test_rejects_statement_with_wrong_signature(site: Any) -> None:
    statement, content = site.seal_readings(["1"], start_ms=at(site, 1))
    broken = statement.raw[:-1] + bytes([statement.raw[-1] ^ 1])
    assert_problem(post_one(site, cbor2.dumps([broken, content])), 400, "signature-invalid")


def test_rejects_statement_of_device_that_is_not_enrolled(site: Any) -> None:
    statement, content = site.seal_readings(
        ["1"], start_ms=at(site, 1), signer=Ed25519Signer.generate(), sequence=0, previous=None
    )
    assert_problem(post_one(site, cbor2.dumps([statement.raw, content])), 403, "unknown-device")


def test_rejects_statement_signed_by_revoked_key(site: Any) -> None:
    stale = Ed25519Signer.generate()
    enterprise = site.cast.enterprise
    body = enrolment(site.party, "g-stale", stale, name={"zh": "旧", "en": "old"}, subjects=list(METERS))
    enterprise.issue(enterprise.register_origin, "device", body, subject="g-stale")
    gone = withdrawal(site.party, "g-stale", stale.public, "revoke", reason="key box lost")
    enterprise.issue(enterprise.register_origin, "device", gone, subject="g-stale")
    statement, content = site.seal_readings(
        ["1"], start_ms=at(site, 1), signer=stale, sequence=0, previous=None
    )
    assert_problem(post_one(site, cbor2.dumps([statement.raw, content])), 403, "key-stale")


def test_rejects_reused_sequence_with_another_content(site: Any) -> None:
    start = at(site, 2)
    first, content = site.seal_readings(["1"], start_ms=start)
    second, other = site.seal_readings(["2"], start_ms=start)
    assert post_one(site, cbor2.dumps([first.raw, content])).status_code == 201
    assert_problem(post_one(site, cbor2.dumps([second.raw, other])), 409, "sequence-reused")


def test_rejects_statement_out_of_order(site: Any) -> None:
    statement, content = site.seal_readings(["1"], start_ms=at(site, 3), sequence=900, previous=bytes(32))
    assert_problem(post_one(site, cbor2.dumps([statement.raw, content])), 409, "sequence-gap")


def test_rejects_content_that_contradicts_its_header(site: Any) -> None:
    start = at(site, 3)
    statement, _ = site.seal_readings(["1"], start_ms=start)
    _, other = site.seal_readings(["2"], start_ms=start)
    answer = post_one(site, cbor2.dumps([statement.raw, other]))
    assert_problem(answer, 422, "content-contradicts-header")


def test_rejects_statement_whose_content_is_missing(site: Any) -> None:
    statement, _ = site.seal_readings(["1"], start_ms=at(site, 3))
    assert_problem(post_one(site, statement.raw, "application/cose"), 422, "content-missing")


def test_rejects_oversized_body_before_reading_it(site: Any) -> None:
    limit = site.parts.settings.max_batch_bytes
    assert_problem(
        post_batch(site, b"", **{"Content-Length": str(limit + 1)}), 413, "body-too-large", "batch"
    )


def test_rejects_oversized_body_without_declared_length(site: Any) -> None:
    def chunks() -> Any:
        for _ in range(site.parts.settings.max_statement_bytes // 1024 + 2):
            yield bytes(1024)

    headers = site.headers("gateway", **{"Content-Type": "application/cose"})
    answer = site.client.post(f"/logs/{site.origin}/entries", content=chunks(), headers=headers)
    assert_problem(answer, 413, "body-too-large", "statement")


def test_rejects_batch_with_too_many_items(site: Any) -> None:
    body = batch((b"", None)) * (site.parts.settings.max_batch_items + 1)
    assert_problem(post_batch(site, body), 413, "body-too-large", "batch")


def test_rejects_batch_with_broken_frame_and_names_the_item(site: Any) -> None:
    assert_problem(post_batch(site, batch((b"x", None)) + b"\xff"), 422, "request-invalid", "batch[1]")


def test_rejects_media_type_that_is_not_taken(site: Any) -> None:
    assert_problem(post_batch(site, b"x", **{"Content-Type": "text/plain"}), 415, "media-type-refused")


def test_unknown_route_and_method_answer_with_problems(site: Any) -> None:
    assert_problem(site.client.get("/nowhere"), 404, "not-found")
    assert_problem(site.client.delete("/epochs"), 405, "method-not-allowed")


def test_problem_is_answered_as_cbor_when_asked_for(site: Any) -> None:
    answer = post_one(site, b"x", "application/cose", Accept="application/concise-problem-details+cbor")
    assert answer.headers["content-type"] == "application/concise-problem-details+cbor"
    said = cbor.decode(answer.content)
    assert (said[-1], said[-4]) == ("malformed statement", 400)
    assert said["urn:carbonseal:problem:malformed-statement"]["code"] == "malformed-statement"


@pytest.mark.parametrize("accept", ["application/cose", "application/cbor, application/cose;q=0.9"])
def test_scrapi_client_gets_its_problems_as_cbor(site: Any, accept: str) -> None:
    answer = post_one(site, b"x", "application/cose", Accept=accept)
    assert answer.headers["content-type"] == "application/concise-problem-details+cbor"
    both = post_one(site, b"x", "application/cose", Accept=f"{accept}, application/json")
    assert both.headers["content-type"] == "application/problem+json"


def test_refused_item_does_not_keep_the_others_out(site: Any) -> None:
    good, content = site.seal_readings(["1", "2"], start_ms=at(site, 4))
    answer = post_batch(site, batch((b"junk", None), (good.raw, content)))
    assert answer.status_code == 200
    refused, accepted = cbor.decode(answer.content)
    assert refused["status"] == "refused"
    assert refused["problem"]["code"] == "malformed-statement"
    assert accepted["status"] == "accepted"
    assert accepted["digest"] == good.digest
    again = cbor.decode(post_batch(site, batch((good.raw, content))).content)[0]
    assert (again["status"], again["index"]) == ("duplicate", accepted["index"])


def test_single_upload_answers_with_a_receipt_that_verifies(site: Any) -> None:
    statement, content = site.seal_readings(["3"], start_ms=at(site, 5))
    answer = post_one(site, cbor2.dumps([statement.raw, content]))
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/logs/{site.origin}/entries/{statement.digest.hex()}"
    receipt = Receipt.parse(answer.content)
    receipt.verify(statement.raw, origin=site.origin, key=site.cast.log_key.public)
    assert str(receipt.index) == answer.headers["carbonseal-entry-index"]
    repeated = post_one(site, cbor2.dumps([statement.raw, content]))
    assert repeated.status_code == 303
    fetched = site.client.get(repeated.headers["location"], headers=site.headers())
    assert fetched.headers["carbonseal-receipt-state"] == "logged"
    Receipt.parse(fetched.content).verify(statement.raw, origin=site.origin, key=site.cast.log_key.public)


def test_minimal_answer_spares_the_receipt(site: Any) -> None:
    statement, content = site.seal_readings(["3"], start_ms=at(site, 6))
    answer = post_one(site, cbor2.dumps([statement.raw, content]), Prefer="return=minimal")
    assert (answer.status_code, answer.content) == (201, b"")


def test_content_is_stored_first_and_read_by_its_owner_alone(site: Any) -> None:
    statement, content = site.seal_readings(["4"], start_ms=at(site, 7))
    digest = hashlib.sha256(content).hexdigest()
    put = site.client.put(
        f"/contents/{digest}?origin={site.origin}", content=content, headers=site.headers("gateway")
    )
    assert put.status_code == 201
    assert post_one(site, statement.raw, "application/cose").status_code == 201
    assert site.client.get(f"/contents/{digest}", headers=site.headers()).content == content
    assert_problem(site.client.get(f"/contents/{digest}", headers=site.headers("stranger")), 404, "not-found")
    assert_problem(site.client.get(f"/contents/{digest}"), 401, "api-key-missing")


def test_rejects_content_that_does_not_give_its_digest(site: Any) -> None:
    answer = site.client.put(
        f"/contents/{'00' * 32}?origin={site.origin}", content=b"other", headers=site.headers("gateway")
    )
    assert_problem(answer, 400, "content-refused")


def test_receipts_of_many_statements_come_in_order_with_nulls(site: Any) -> None:
    statement, content = site.seal_readings(["4"], start_ms=at(site, 8))
    post_batch(site, batch((statement.raw, content)))
    body = cbor.encode([bytes(32), statement.digest])
    headers = site.headers("gateway", **{"Content-Type": "application/cbor"})
    answer = site.client.post(f"/logs/{site.origin}/receipts:batch", content=body, headers=headers)
    unknown, known = cbor.decode(answer.content)
    assert unknown == {"receipt": None, "state": None, "index": None}
    assert known["state"] == "logged"
    Receipt.parse(known["receipt"]).verify(statement.raw, origin=site.origin, key=site.cast.log_key.public)


def test_extended_receipt_leads_from_the_statement_to_the_log_of_logs(site: Any) -> None:
    statement, content = site.seal_readings(["4"], start_ms=at(site, 10))
    post_batch(site, batch((statement.raw, content)))
    url = f"/logs/{site.origin}/receipts/{statement.digest.hex()}/extended"
    assert_problem(site.client.get(url, headers=site.headers()), 409, "epoch-pending")
    site.host.build_epoch()
    assert_problem(site.client.get(url), 401, "api-key-missing")
    assert_problem(site.client.get(url, headers=site.headers("stranger")), 404, "not-found")
    answer = site.client.get(url, headers=site.headers())
    assert answer.headers["carbonseal-receipt-state"] == "logged"
    made, key = ExtendedReceipt.parse(answer.content), site.cast.log_key.public
    head = open_checkpoint(made.checkpoint, origin=site.host.log_of_logs, key=key)
    made.verify(statement.raw, origin=site.origin, key=key, head=head)
    refused = site.client.get(f"{url}?with_evidence=true", headers=site.headers())
    assert_problem(refused, 422, "request-invalid")


def test_published_checkpoint_and_proofs_verify_without_a_key(site: Any) -> None:
    statement, content = site.seal_readings(["5"], start_ms=at(site, 9))
    old = site.host.head(site.origin)
    post_batch(site, batch((statement.raw, content)))
    note = site.client.get(f"/logs/{site.origin}/checkpoint").text
    head = open_checkpoint(note, origin=site.origin, key=site.cast.log_key.public)
    proof = site.client.get(f"/logs/{site.origin}/proofs/consistency?old_size={old.tree_size}").json()
    path = [bytes.fromhex(node) for node in proof["path"]]
    verify_consistency(old.tree_size, head.tree_size, old.root_hash, head.root_hash, path)
    index = site.host.find(site.origin, statement.digest).index
    proof = site.client.get(f"/logs/{site.origin}/proofs/inclusion?index={index}").json()
    path = [bytes.fromhex(node) for node in proof["path"]]
    verify_inclusion(index, head.tree_size, leaf_hash(statement.raw), path, head.root_hash)


def test_hash_tiles_are_public_and_entries_are_not(site: Any) -> None:
    size = site.host.head(site.origin).tree_size
    tile = site.client.get(f"/logs/{site.origin}/tile/0/000.p/{size}")
    assert len(tile.content) == 32 * size
    assert_problem(site.client.get(f"/logs/{site.origin}/entries?start=0&end=1"), 401, "api-key-missing")
    answer = site.client.get(f"/logs/{site.origin}/entries?start=0&end=1", headers=site.headers())
    assert SignedStatement.parse(cbor.decode(answer.content)[0][1]).header.kind == "genesis"
    assert leaf_hash(cbor.decode(answer.content)[0][1]) == tile.content[:32]


@pytest.mark.parametrize(
    "path", ["0/000", "0/x001/000", "9/000", "0/abc", "0/000.p/0", "0/000.p/257", "../../log"]
)
def test_rejects_tile_that_is_not_there(site: Any, path: str) -> None:
    answer = site.client.get(f"/logs/{site.origin}/tile/{path}")
    assert answer.status_code in {404, 422}
    assert answer.json()["code"] in {"not-found", "request-invalid"}


def test_rejects_proof_beyond_the_log(site: Any) -> None:
    answer = site.client.get(f"/logs/{site.origin}/proofs/inclusion?index=0&tree_size=99999999")
    assert_problem(answer, 400, "range-invalid")


def test_streams_say_where_the_gateway_goes_on(site: Any) -> None:
    kid = site.cast.gateway.public.kid.hex()
    answer = site.client.get(f"/logs/{site.origin}/streams?kid={kid}", headers=site.headers("gateway"))
    heads = {row["stream"]: row["sequence"] for row in answer.json()}
    assert heads == {
        head.stream: head.sequence
        for head in site.host.stream_heads(site.origin, kid=site.cast.gateway.public.kid)
    }


def test_scitt_keys_name_the_log_key(site: Any) -> None:
    keys = cbor.decode(site.client.get("/.well-known/scitt-keys").content)
    public = site.cast.log_key.public
    assert keys == [{**public.cose_key(), 2: public.kid}]


def test_each_refusal_is_counted_by_its_code(site: Any) -> None:
    post_one(site, b"junk", "application/cose")
    text = site.client.get("/metrics").text
    assert 'carbonseal_refusals_total{code="malformed-statement"}' in text
