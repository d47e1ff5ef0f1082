"""Contents by digest: nothing changes under a digest, erased means gone."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import text

from carbonseal_ledger.contents_store import ContentsStore
from carbonseal_ledger.errors import ContentRefused, ContentUnknown, LogDamaged

DATA = b"a content"
DIGEST = hashlib.sha256(DATA).digest()


@pytest.fixture
def store(engine):
    return ContentsStore(engine, lambda: 1, max_size=64)


def test_stores_a_content_once(store):
    assert store.put(DIGEST, DATA)
    assert not store.put(DIGEST, DATA)
    assert store.get(DIGEST) == DATA
    assert store.has([DIGEST, bytes(32)]) == {DIGEST}


def test_refuses_bytes_that_do_not_give_the_digest(store):
    with pytest.raises(ContentRefused, match="differs"):
        store.put(DIGEST, DATA + b"!")


def test_refuses_content_above_the_limit(store):
    data = bytes(65)
    with pytest.raises(ContentRefused, match="65 bytes"):
        store.put(hashlib.sha256(data).digest(), data)


def test_refuses_unknown_digest(store):
    with pytest.raises(ContentUnknown):
        store.get(bytes(32))


def test_erased_content_is_gone_and_stays_out(store):
    store.put(DIGEST, DATA)
    store.erase(DIGEST, "order 7")
    store.erase(DIGEST, "order 7")
    with pytest.raises(ContentUnknown):
        store.get(DIGEST)
    with pytest.raises(ContentRefused, match="erased"):
        store.put(DIGEST, DATA)
    assert store.erased([DIGEST]) == {DIGEST}


def test_changed_stored_bytes_are_never_handed_out(store, engine):
    store.put(DIGEST, DATA)
    with engine.begin() as connection:
        connection.execute(text("UPDATE ledger_contents SET data = 'b content'"))
    with pytest.raises(LogDamaged, match="were changed"):
        store.get(DIGEST)


def test_registered_erasure_removes_the_content_and_keeps_the_statement(world):
    item = world.readings(world.main)
    (outcome,) = world.accept(item)
    digest = hashlib.sha256(item.content).digest()
    assert world.host.contents.origin_of(digest) == world.data
    body = {"erases": digest, "reason": "court order", "authority": "court"}
    world.accept(world.devices.sign("erasure", "e-enterprise", body))
    with pytest.raises(ContentUnknown):
        world.host.contents.get(digest)
    assert world.host.entry(world.data, outcome.index).digest == outcome.digest
    (again,) = world.send(item)
    assert again.status == "duplicate"


def test_party_cannot_erase_what_another_party_uploaded(world):
    item = world.readings(world.main)
    world.accept(item)
    digest = hashlib.sha256(item.content).digest()
    body = {"erases": digest, "reason": "spite", "authority": "none"}
    world.accept(world.parties.sign("erasure", "r-registrar", body))
    assert world.host.contents.get(digest) == item.content
