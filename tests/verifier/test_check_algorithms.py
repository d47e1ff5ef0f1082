"""Algorithms: only those that the trust file lists, each by when what it signed was anchored."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from bundle_factory import (
    DAY,
    EPOCHS,
    GATEWAY,
    HOUR,
    MAIN,
    OPERATOR,
    START,
    World,
    caught,
    data,
    honest,
    reason,
    signer,
)

from carbonseal_attest.algorithms import ED25519, EDDSA, ESP256, ML_DSA_44
from carbonseal_attest.cosignature import cosign
from carbonseal_attest.errors import TrustInvalid
from carbonseal_attest.note import SignedNote
from carbonseal_attest.signing import Ed25519Signer, Esp256Signer, MlDsa44Signer
from carbonseal_attest.tlog_policy import TlogPolicy
from carbonseal_attest.trust import Algorithms, TrustFile, Witnesses
from carbonseal_attest.vkey import ML_DSA_44_COSIGNATURE, Vkey

FAR = START + 3650 * DAY
SEED = hashlib.sha256(b"a gateway").digest()


def with_gateway(gateway: Any) -> World:
    world = World()
    world.keys[GATEWAY] = gateway
    return world.found().measure().file()


def admitting(world: World, **more: Any) -> TrustFile:
    dates = {ED25519: FAR} | more.pop("dates", {})
    return world.trust(algorithms=Algorithms(dates), **more)


@pytest.fixture(scope="module")
def mixed() -> World:
    """A world whose gateway signs with ECDSA on P-256; everybody else with Ed25519."""
    return with_gateway(Esp256Signer.from_seed(SEED))


def test_every_listed_algorithm_passes_and_is_shown_with_its_last_use(mixed):
    result = mixed.check(trust=admitting(mixed, dates={ESP256: FAR}))
    assert result.has_passed
    assert "2 algorithms used, each admitted when it was anchored" in reason(result, "algorithms")


def test_readings_signed_with_ml_dsa_pass_where_it_is_listed():
    world = with_gateway(MlDsa44Signer.from_seed(SEED))
    assert world.check(trust=admitting(world, dates={ML_DSA_44: FAR})).has_passed


def test_catches_an_algorithm_that_is_not_listed(mixed):
    result = mixed.check(trust=admitting(mixed))
    assert caught(result) == "parties", "the device's proof of possession comes first"
    assert "is not admitted here" in reason(result, "parties")


def test_last_date_is_that_of_the_algorithm_used_and_compared_with_the_anchor(mixed):
    last = mixed.chain.heads[-1].anchored_at
    assert mixed.check(trust=admitting(mixed, dates={ESP256: last})).has_passed
    result = mixed.check(trust=admitting(mixed, dates={ESP256: last - 1000}))
    assert caught(result) == "algorithms"
    assert "algorithm -9 counts until" in reason(result, "algorithms")


def test_catches_an_old_date_on_a_statement_that_was_anchored_after_the_last_date():
    """Whoever breaks an algorithm chooses the date; the anchor is not theirs to choose."""
    world = World()
    world.keys["broken"] = Esp256Signer.from_seed(SEED)
    world.found()
    world.enrol("g-second", "broken", [MAIN])
    world.measure()
    world.add(data(OPERATOR), "broken", "gap", {"points": ["energy"], "reason": "stopped", "detail": ""},
              subject=MAIN, stream="gaps", interval=(START, START + HOUR), issuer="g-second",
              issued_at=START)  # fmt: skip
    world.tick(data(OPERATOR))
    world.file()
    day_one = world.chain.heads[2].anchored_at
    result = world.check(trust=admitting(world, dates={ESP256: day_one}))
    assert caught(result) == "algorithms"
    assert "a statement of" in reason(result, "algorithms")


def test_an_algorithm_that_nothing_uses_does_not_matter_whatever_its_date():
    world = honest()
    assert world.check(trust=admitting(world, dates={ML_DSA_44: 1, ESP256: 1})).has_passed


def test_catches_a_proof_of_possession_by_an_algorithm_that_is_not_listed_or_past_its_date():
    world = World()
    world.keys["spare"] = Esp256Signer.from_seed(SEED)
    world.found()
    world.enrol("g-spare", "spare", [MAIN])
    world.measure().file()
    assert caught(world.check(trust=admitting(world))) == "parties"
    result = world.check(trust=admitting(world, dates={ESP256: START}))
    assert caught(result) == "algorithms"
    assert "an endorsement of" in reason(result, "algorithms")


def test_what_no_anchor_covers_is_judged_at_the_instant_of_the_check():
    world = honest()
    trust = admitting(world, dates={ED25519: world.now + HOUR}, max_age_ms=None, not_before=START)
    late = world.now + 400 * DAY
    assert world.check(trust=trust, at=late).has_passed, "all of it was anchored in time"
    world.tick(data(OPERATOR))
    assert caught(world.check(trust=trust, at=late)) == "algorithms"
    assert world.check(trust=trust, at=world.now + HOUR).has_passed


def test_without_an_anchor_all_is_judged_at_the_instant_of_the_check():
    world = honest(with_anchor=False)
    trust = admitting(world, dates={ED25519: world.now + HOUR}, max_age_ms=None, not_before=START)
    assert world.check(trust=trust, at=world.now).has_passed
    assert caught(world.check(trust=trust, at=world.now + 2 * HOUR)) == "algorithms"


class Legacy:
    """A signer that writes the legacy number of its algorithm into the header."""

    def __init__(self, inner: Ed25519Signer, number: int) -> None:
        self._inner = inner
        key = inner.public
        self.public = SimpleNamespace(algorithm=number, kid=key.kid, raw=key.raw, cose_key=key.cose_key)

    def sign(self, message: bytes) -> bytes:
        return self._inner.sign(message)


class LegacyReadings(World):
    """A world whose gateway signs readings, and nothing else, under the legacy number of EdDSA."""

    def add(self, origin: str, by: str, kind: str, body: dict[str, Any], **more: Any) -> Any:
        if kind != "readings":
            return super().add(origin, by, kind, body, **more)
        own = self.keys[by]
        self.keys[by] = Legacy(own, EDDSA)  # type: ignore[assignment]
        statement = super().add(origin, by, kind, body, **more)
        self.keys[by] = own
        return statement


def test_a_legacy_number_counts_only_where_the_trust_file_lists_it():
    world = LegacyReadings().found().measure().file()
    assert caught(world.check()) == "signatures"
    assert world.check(trust=admitting(world, dates={EDDSA: FAR})).has_passed
    assert caught(world.check(trust=admitting(world, dates={EDDSA: START}))) == "algorithms"


def test_a_witness_with_ml_dsa_counts_where_it_is_listed_and_a_file_that_does_not_list_it_is_refused():
    world = honest()
    key = MlDsa44Signer.from_seed(SEED)
    vkey = Vkey("w.example.org", ML_DSA_44_COSIGNATURE, key.public)
    witnesses = Witnesses(TlogPolicy.parse(f"witness w {vkey}\nquorum w\n"), {})
    bundle = world.bundle()
    note = cosign(SignedNote.parse(bundle.log_of_logs_checkpoint.encode()), vkey, key, time=world.now // 1000)
    bundle.log_of_logs_checkpoint, bundle.cosigners = note.encode().decode(), (vkey,)
    assert world.check(bundle, trust=admitting(world, dates={ML_DSA_44: FAR}, witnesses=witnesses)).has_passed
    with pytest.raises(TrustInvalid, match="witness w: key"):
        admitting(world, witnesses=witnesses)
    outdated = admitting(world, dates={ML_DSA_44: START}, witnesses=witnesses)
    assert caught(world.check(bundle, trust=outdated)) == "witnesses"
    assert replace(outdated, witnesses=Witnesses.none()).witnesses.asks_nobody
    assert EPOCHS in note.text
    assert signer("w").public != key.public
