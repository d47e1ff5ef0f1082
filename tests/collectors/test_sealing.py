from __future__ import annotations

import stat
from dataclasses import replace
from decimal import Decimal

import pytest
from gateways import SIGNER, START, csv_gateway, sample
from spool_parts import assert_chained, batch, chain, open_spool, sealer

from carbonseal_attest.contents import check_content
from carbonseal_attest.errors import ContentInvalid
from carbonseal_attest.statement import SignedStatement
from carbonseal_collectors.batching import Batch
from carbonseal_collectors.errors import KeyUnusable
from carbonseal_collectors.gateway_config import TokenConfig
from carbonseal_collectors.sealing import is_signed, load_signer, mark, read_marks, write_new_key
from soft_token import LABEL, PIN

HOUR = 3_600_000


def test_refuses_a_batch_that_makes_no_content_and_stores_nothing(tmp_path):
    spool = open_spool(tmp_path)
    made = sealer(spool)
    with pytest.raises(ContentInvalid):
        made.seal(
            Batch("gap", "m-one", (START, START + 1), {"points": [], "reason": "source_silent", "detail": ""})
        )
    assert spool.head(SIGNER.public.kid, "readings/m-one").next_sequence == 0
    spool.close()


def test_statements_of_a_meter_form_one_chain_with_gaps_and_readings(tmp_path):
    spool = open_spool(tmp_path)
    made = sealer(spool)
    made.seal(batch(0))
    body = {"points": ["energy"], "reason": "source_silent", "detail": ""}
    made.seal(Batch("gap", "m-one", (START + HOUR, START + 2 * HOUR), body))
    made.learn_checkpoint(7, b"r" * 32)
    made.seal(batch(2))
    entries = spool.waiting(limit=9, max_bytes=1 << 20)
    statements = chain(spool)
    assert_chained(statements)
    assert [s.header.kind for s in statements] == ["readings", "gap", "readings"]
    assert [s.header.checkpoint for s in statements] == [None, None, (7, b"r" * 32)]
    for entry, statement in zip(entries, statements, strict=True):
        statement.verify_signature(SIGNER.public)
        content = check_content(statement, entry.content)
        assert len(content.salt) == 16
        assert statement.header.issuer == "e-party"
    assert len({check_content(s, e.content).salt for s, e in zip(statements, entries, strict=True)}) == 3
    spool.close()


def test_a_void_names_what_it_stands_for(tmp_path):
    spool = open_spool(tmp_path)
    made = sealer(spool)
    made.seal(batch(0))
    (entry,) = spool.waiting(limit=1, max_bytes=1)
    made.void(entry, "content-invalid: \x07 bell")
    (after,) = spool.waiting(limit=1, max_bytes=1)
    content = check_content(SignedStatement.parse(after.statement), after.content)
    assert content.body["digest"] == entry.digest
    assert content.body["problem"] == "content-invalid: ? bell"
    spool.close()


def test_marks_tell_the_same_reading_from_another_one():
    known = read_marks(mark(sample(START, "1.50")))
    assert is_signed(mark(sample(START, "1.5")), known) is True
    assert is_signed(mark(sample(START, "1.6")), known) is False
    assert is_signed(mark(sample(START + 1, "1.5")), known) is None
    assert is_signed(mark(sample(START, "1.5", unit="MW.h")), known) is False
    assert is_signed(mark(sample(START, None)), known) is False
    assert mark(sample(START, "0")) == mark(sample(START, None)._replace(value=Decimal("-0.0")))


def test_a_key_file_is_made_once_for_its_owner_only_and_opens_with_its_passphrase(tmp_path):
    config = csv_gateway(tmp_path)
    signer = write_new_key(config.key, "correct horse")
    assert stat.S_IMODE(config.key.stat().st_mode) == 0o600
    assert load_signer(config, {"TEST_PASSPHRASE": "correct horse"}).public == signer.public
    assert signer.seed not in config.key.read_bytes()
    with pytest.raises(KeyUnusable, match="name a file that does not exist yet"):
        write_new_key(config.key, "again")
    with pytest.raises(KeyUnusable, match="pass phrase does not open the key file"):
        load_signer(config, {"TEST_PASSPHRASE": "wrong"})
    with pytest.raises(KeyUnusable, match="the environment has no TEST_PASSPHRASE"):
        load_signer(config, {})
    config.key.write_bytes(b"no key")
    with pytest.raises(KeyUnusable, match="not a Carbonseal key file"):
        load_signer(config, {"TEST_PASSPHRASE": "x"})
    config.key.unlink()
    with pytest.raises(KeyUnusable, match="make it with carbonseal-collector key new"):
        load_signer(config, {"TEST_PASSPHRASE": "x"})
    with pytest.raises(KeyUnusable, match="passphrase: is empty"):
        write_new_key(tmp_path / "other.key", "")


def test_a_gateway_signs_with_the_key_in_its_token(tmp_path, soft_token):
    soft_token.make("p256", "gateway of the test", b"\x21")
    config = csv_gateway(tmp_path)
    key = TokenConfig(soft_token.module, LABEL, "gateway of the test", None)
    signer = load_signer(replace(config, key=key), {"TEST_PASSPHRASE": PIN})
    signer.public.verify(signer.sign(b"data"), b"data")
    with pytest.raises(KeyUnusable, match="holds 0 keys"):
        load_signer(replace(config, key=replace(key, label="nobody")), {"TEST_PASSPHRASE": PIN})
