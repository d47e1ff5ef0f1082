"""Attacks on keys, witnesses and closed logs, judged by the trust file alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import bundle_factory
import pytest
from bundle_factory import (
    EPOCHS,
    GATEWAY,
    LOG_HOST,
    OPERATOR,
    World,
    caught,
    data,
    honest,
    reason,
    register,
    signer,
)
from chain_evidence import CHAIN_ID, CONTRACT, HEAD_KEY

from carbonseal_attest.bundle_layout import EvidenceBundle
from carbonseal_attest.bundle_notes import bundled_note
from carbonseal_attest.cosignature import cosign
from carbonseal_attest.endorsement import endorse
from carbonseal_attest.errors import NoteInvalid
from carbonseal_attest.merkle import leaf_hash, root_of
from carbonseal_attest.note import SignedNote
from carbonseal_attest.tlog_policy import TlogPolicy
from carbonseal_attest.trust import ClosedLog, LogKey, TrustFile, Witnesses
from carbonseal_attest.vkey import ED25519_COSIGNATURE, Vkey

WITNESSES = {
    name: Vkey(f"{name}.example.org", ED25519_COSIGNATURE, signer(name).public) for name in ("w1", "w2", "w3")
}
TWO_OF_THREE = "".join(f"witness {name} {vkey}\n" for name, vkey in WITNESSES.items())
TWO_OF_THREE += "group g 2 w1 w2 w3\nquorum g\n"


@pytest.fixture(scope="module")
def world() -> World:
    return honest()


def witnessed(world: World, policy: str = TWO_OF_THREE, **retired: int) -> TrustFile:
    return world.trust(witnesses=Witnesses(TlogPolicy.parse(policy), retired))


def cosigned(world: World, *names: str, by: dict[str, str] | None = None) -> EvidenceBundle:
    """A bundle whose log of logs these witnesses cosigned; `by` lets another key sign in a witness's name."""
    bundle = world.bundle()
    note = SignedNote.parse(bundle.log_of_logs_checkpoint.encode())
    for name in names:
        key = signer((by or {}).get(name, name))
        vkey = Vkey(WITNESSES[name].name, ED25519_COSIGNATURE, key.public)
        note = cosign(note, vkey, key, time=world.now // 1000)
        bundle.cosigners = tuple({*bundle.cosigners, vkey})
    bundle.log_of_logs_checkpoint = note.encode().decode()
    return bundle


# -- witnesses -------------------------------------------------------------------------------------


def test_a_quorum_of_cosigners_passes_and_every_receipt_state_is_named(world):
    result = world.check(cosigned(world, "w1", "w3"), trust=witnessed(world))
    assert result.has_passed
    assert "2 witnesses (w1, w3) cosigned the log of logs" in reason(result, "witnesses")
    assert "report and code: logged, witnessed, anchored, final" in reason(result, "cut-off")


def test_without_a_quorum_it_is_said_plainly_that_nobody_confirms_the_heads(world):
    result = world.check(cosigned(world, "w1", "w2", "w3"))
    assert result.has_passed
    assert "none asked for by the trust file: nobody but the log host" in reason(result, "witnesses")
    assert "logged, anchored, final; not witnessed" in reason(result, "cut-off")


@pytest.mark.parametrize("names", [(), ("w1",), ("w2",)])
def test_catches_too_few_cosigners(world, names):
    result = world.check(cosigned(world, *names), trust=witnessed(world))
    assert caught(result) == "witnesses"
    assert "quorum g is not met" in reason(result, "witnesses")


def test_catches_a_cosignature_by_another_key_in_a_witnesss_name(world):
    bundle = cosigned(world, "w1", "w2", by={"w2": "thief"})
    assert caught(world.check(bundle, trust=witnessed(world))) == "witnesses"


def test_catches_one_witness_that_signs_twice(world):
    bundle = cosigned(world, "w1", "w1")
    assert caught(world.check(bundle, trust=witnessed(world))) == "witnesses"


def test_catches_a_cosignature_of_another_head(world):
    other = honest(quality_profile=bundle_factory.PROFILE)
    other.now += 1
    other.close_epoch()
    bundle, lent = world.bundle(), cosigned(other, "w1", "w2").log_of_logs_checkpoint
    bundle.log_of_logs_checkpoint += lent.partition("\n\n")[2].partition("\n")[2]
    assert caught(world.check(bundle, trust=witnessed(world))) == "witnesses"


def test_catches_a_retired_witness_above_the_size_at_which_it_was_retired(world):
    bundle, size = cosigned(world, "w1", "w2"), len(world.log_of_logs)
    assert world.check(bundle, trust=witnessed(world, w2=size + 1)).has_passed
    result = world.check(bundle, trust=witnessed(world, w2=size))
    assert caught(result) == "witnesses"
    assert f"w2 no longer counts at size {size}" in reason(result, "witnesses")


def test_a_cosignatures_date_does_not_bring_a_retired_witness_back(world):
    world_of_before = world.now
    bundle = world.bundle()
    note = SignedNote.parse(bundle.log_of_logs_checkpoint.encode())
    for name in ("w1", "w2"):
        note = cosign(note, WITNESSES[name], signer(name), time=(world_of_before - 10**9) // 1000)
    bundle.cosigners = (WITNESSES["w1"], WITNESSES["w2"])
    bundle.log_of_logs_checkpoint = note.encode().decode()
    assert caught(world.check(bundle, trust=witnessed(world, w2=2))) == "witnesses"


@pytest.mark.parametrize("who", [OPERATOR, GATEWAY])
def test_catches_a_witness_that_is_the_enterprise_itself(world, who):
    witness = Vkey("w1.example.org", ED25519_COSIGNATURE, world.keys[who].public)
    note = SignedNote.parse(world.bundle().log_of_logs_checkpoint.encode())
    bundle = world.bundle()
    bundle.log_of_logs_checkpoint = (
        cosign(note, witness, world.keys[who], time=world.now // 1000).encode().decode()
    )
    bundle.cosigners = (witness,)
    result = world.check(bundle, trust=witnessed(world, f"witness w1 {witness}\nquorum w1\n"))
    assert caught(result) == "parties"
    assert "witness w1's key is a key of the party that is checked" in reason(result, "parties")


def test_catches_a_witness_that_is_the_log_itself(world):
    witness = Vkey("w1.example.org", ED25519_COSIGNATURE, world.keys["log"].public)
    result = world.check(trust=witnessed(world, f"witness w1 {witness}\nquorum w1\n"))
    assert caught(result) == "parties"
    assert "witness w1's key is the log's own" in reason(result, "parties")


def test_bundling_keeps_one_signature_of_each_stated_key_and_nothing_else(world):
    note = cosigned(world, "w1", "w2", "w3", "w1").log_of_logs_checkpoint
    stated = [WITNESSES["w2"], WITNESSES["w1"]]
    kept = bundled_note(note, origin=EPOCHS, cosigners=stated)
    names = [line.name for line in SignedNote.parse(kept.encode()).signatures]
    assert names == [EPOCHS, "w1.example.org", "w2.example.org"]
    assert bundled_note(kept, origin=EPOCHS, cosigners=stated) == kept


def test_bundling_refuses_a_stated_signature_that_fails(world):
    note = cosigned(world, "w1").log_of_logs_checkpoint
    changed = note.replace(f"\n{len(world.log_of_logs)}\n", f"\n{len(world.log_of_logs) + 1}\n")
    with pytest.raises(NoteInvalid, match="does not verify"):
        bundled_note(changed, origin=EPOCHS, cosigners=[WITNESSES["w1"]])


# -- log keys --------------------------------------------------------------------------------------


def rotated(
    skip: tuple[str, ...] = (), changes: dict[str, Any] | None = None, *, ticks: bool = True, **story: Any
) -> tuple[World, tuple[LogKey, ...]]:
    """A world whose log key was rotated before the report, and the rows that a trust file has for it.

    `skip` are origins of whose change no statement tells, `changes` what the data log says wrongly;
    without ticks the first head under the new key is the last one of the registers.
    """
    world = World(**story).found().measure()
    old, new = world.keys["log"], signer("new log key")
    sizes = {origin: len(log.entries) + 1 for origin, log in world.logs.items()}
    sizes[EPOCHS] = len(world.log_of_logs) + 1
    rows = [LogKey(old.public, 0, size, origin) for origin, size in sizes.items()]
    rows += [LogKey(new.public, size, None, origin) for origin, size in sizes.items()]
    world.keys["log"] = new
    for origin, size in sizes.items():
        if origin not in skip:
            wrong = changes if origin == data(OPERATOR) and changes else {}
            by = wrong.pop("by", old)
            body = {
                "origin": origin, "from_size": size, "key": new.public.cose_key(), "retired": old.public.kid,
                "reason": "yearly",
            } | wrong  # fmt: skip
            body["endorsements"] = [endorse(by, "log_key", LOG_HOST, "predecessor", body)]
            at = register(LOG_HOST) if origin == EPOCHS else origin
            world.add(at, "log", "log_key", body, subject=LOG_HOST, issuer=LOG_HOST)
    if not ticks:
        world.tick = lambda *_: None  # type: ignore[method-assign]
    return world.file(), tuple(rows)


def by_both_keys(bundle: EvidenceBundle) -> EvidenceBundle:
    """The bundle with checkpoints by both keys; where only one is asked for, the other is ignored."""
    for origin, section in bundle.logs.items():
        bundle.logs[origin] = replace(section, checkpoint=by_both(section.checkpoint))
    bundle.log_of_logs_checkpoint = by_both(bundle.log_of_logs_checkpoint)
    return bundle


def by_both(text: str) -> str:
    note = SignedNote.parse(text.encode())
    head = bundle_factory.Checkpoint.parse(note.text)
    old = SignedNote.parse(bundle_factory.sign_checkpoint(head, signer("log")).encode())
    return SignedNote(note.text, (*old.signatures, *note.signatures)).encode().decode()


def host_with(world: World, rows: tuple[LogKey, ...]) -> TrustFile:
    (host,) = world.trust().log_hosts
    return world.trust(log_hosts=(replace(host, keys=rows),))


def test_a_rotated_log_key_passes_where_the_first_new_head_carries_both_signatures():
    world, rows = rotated()
    assert world.check(by_both_keys(world.bundle()), trust=host_with(world, rows)).has_passed


@pytest.mark.parametrize("origin", [data(OPERATOR), register(OPERATOR), EPOCHS])
def test_catches_a_change_of_the_log_key_of_which_no_statement_tells(origin):
    world, rows = rotated(skip=(origin,))
    result = world.check(by_both_keys(world.bundle()), trust=host_with(world, rows))
    assert "of which no statement tells" in reason(result, caught(result) or "")


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({"from_size": 3}, "about another log or head"),
        ({"origin": register(OPERATOR)}, "about another log or head"),
        ({"key": signer("third").public.cose_key()}, "knows nothing of this change"),
        ({"retired": bytes(32)}, "knows nothing of this change"),
        ({"by": signer("third")}, "made by another key"),
    ],
)
def test_catches_a_statement_about_log_keys_that_is_not_so(changes, want):
    world, rows = rotated(changes=dict(changes))
    result = world.check(by_both_keys(world.bundle()), trust=host_with(world, rows))
    assert caught(result) == "signatures"
    assert want in reason(result, "signatures")


def test_catches_a_statement_about_a_change_that_the_trust_file_does_not_know():
    world, rows = rotated()
    rows = [row for row in rows if row.origin != data(OPERATOR) or row.from_size == 0]
    fewer = tuple(replace(row, until_size=None) if row.origin == data(OPERATOR) else row for row in rows)
    result = world.check(by_both_keys(world.bundle()), trust=host_with(world, fewer))
    assert caught(result) == "signatures"


def test_catches_a_first_new_head_without_the_old_keys_signature():
    world, rows = rotated(ticks=False)
    result = world.check(world.bundle(), trust=host_with(world, rows))
    assert caught(result) == "log-proofs"
    assert "no signature of the expected key" in reason(result, "log-proofs")


def test_catches_a_first_head_of_the_log_of_logs_without_the_old_keys_signature():
    world, rows = rotated()
    bundle = by_both_keys(world.bundle())
    bundle.log_of_logs_checkpoint = world.bundle().log_of_logs_checkpoint
    result = world.check(bundle, trust=host_with(world, rows))
    assert caught(result) == "epochs"
    assert "no signature of the expected key" in reason(result, "epochs")


def test_catches_a_checkpoint_by_the_old_key_after_its_last_size():
    world, rows = rotated()
    world.keys["log"] = signer("log")
    assert caught(world.check(by_both_keys(world.bundle()), trust=host_with(world, rows))) == "log-proofs"


def test_catches_a_tick_by_the_old_key_after_its_last_size():
    world, rows = rotated()
    world.keys["log"] = signer("log")
    world.tick(data(OPERATOR))
    world.keys["log"] = signer("new log key")
    assert caught(world.check(by_both_keys(world.bundle()), trust=host_with(world, rows))) == "signatures"


def test_catches_a_new_key_used_before_the_size_from_which_it_counts():
    world, rows = rotated()
    later = tuple(
        replace(row, from_size=row.from_size + 50)
        if row.from_size
        else replace(row, until_size=row.until_size + 50)
        for row in rows
    )
    assert not world.check(by_both_keys(world.bundle()), trust=host_with(world, later)).has_passed


# -- closed logs -----------------------------------------------------------------------------------


def closing(world: World, origin: str, **changes: Any) -> TrustFile:
    """A trust file that closes a log at its present head, which is anchored."""
    log = world.logs.get(origin)
    leaves = world.log_of_logs if log is None else log.entries
    head = ClosedLog(origin, len(leaves), root_of([leaf_hash(raw) for raw in leaves]), None)
    return world.trust(closed_logs=(replace(head, **changes),))


@pytest.mark.parametrize("origin", [data(OPERATOR), register(OPERATOR), EPOCHS])
def test_a_closed_log_counts_up_to_the_head_at_which_it_was_closed(world, origin):
    result = world.check(trust=closing(world, origin))
    assert result.has_passed
    assert f"{origin} counts up to" in reason(result, "closed-logs")


@pytest.mark.parametrize("origin", [data(OPERATOR), register(OPERATOR), EPOCHS])
def test_catches_entries_of_a_closed_log_beyond_its_last_head(world, origin):
    size = closing(world, origin).closed_logs[0].tree_size
    result = world.check(trust=closing(world, origin, tree_size=size - 1))
    assert caught(result) == "closed-logs"
    assert f"was closed at size {size - 1}" in reason(result, "closed-logs")


@pytest.mark.parametrize("origin", [data(OPERATOR), EPOCHS])
def test_catches_another_history_of_a_closed_log_at_the_size_of_its_last_head(world, origin):
    result = world.check(trust=closing(world, origin, root_hash=bytes(32)))
    assert caught(result) == "closed-logs"
    assert "another root" in reason(result, "closed-logs")


def test_catches_entries_of_a_closed_log_that_no_anchor_covers():
    """Whoever stole the log key goes on writing below the size of the last head that counts."""
    world = honest()
    world.tick(data(OPERATOR))
    trust = closing(world, data(OPERATOR), tree_size=1000)
    result = world.check(trust=trust)
    assert caught(result) == "closed-logs"
    assert "not covered by an anchor" in reason(result, "closed-logs")


def test_without_an_anchor_nothing_of_a_closed_log_counts():
    world = honest(with_anchor=False)
    result = world.check(trust=closing(world, data(OPERATOR)))
    assert caught(result) == "closed-logs"
    assert "without an anchor nothing of it counts" in reason(result, "closed-logs")


class Successor(World):
    """A world whose data log of the operator goes on for a log that was closed."""

    head: dict[str, Any] | None = None

    def add(self, origin: str, by: str, kind: str, body: dict[str, Any], **more: Any) -> Any:
        if kind == "genesis" and origin == data(OPERATOR) and self.head is not None:
            body = {**body, "predecessor": self.head, "endorsements": []}
            body["endorsements"] = [
                endorse(self.keys["log"], "genesis", OPERATOR, "log_host", body),
                endorse(self.keys[bundle_factory.REGISTRAR], "genesis", OPERATOR, "registrar", body),
            ]
        return super().add(origin, by, kind, body, **more)


def succeeding(head: dict[str, Any] | None) -> World:
    world = Successor()
    world.head = head
    return world.found().measure().file()


OLD = ClosedLog("log.old.example/e-enterprise/data", 812, b"\x05" * 32, data(OPERATOR))
OLD_HEAD = {"origin": OLD.origin, "tree_size": OLD.tree_size, "root_hash": OLD.root_hash}


def test_a_successor_passes_whose_genesis_names_the_last_head_of_the_closed_log():
    world = succeeding(OLD_HEAD)
    result = world.check(trust=world.trust(closed_logs=(OLD,)))
    assert result.has_passed
    assert "goes on for a closed log" in reason(result, "closed-logs")


@pytest.mark.parametrize(
    "head", [None, OLD_HEAD | {"tree_size": 813}, OLD_HEAD | {"root_hash": b"\x06" * 32},
             OLD_HEAD | {"origin": "log.old.example/e-other/data"}],
)  # fmt: skip
def test_catches_a_successor_whose_genesis_names_another_head(head):
    world = succeeding(head)
    result = world.check(trust=world.trust(closed_logs=(OLD,)))
    assert caught(result) == "closed-logs"
    assert "does not name the head" in reason(result, "closed-logs")


def test_catches_a_log_that_calls_itself_a_successor_without_the_trust_files_word():
    result = succeeding(OLD_HEAD).check()
    assert caught(result) == "closed-logs"
    assert "which the trust file does not close" in reason(result, "closed-logs")


# -- policies in the bundle ------------------------------------------------------------------------


def test_a_policy_inside_the_bundle_is_ignored():
    """The genesis of each log says that a party may sign readings itself, and sets no limits."""
    kinds = {"readings": {"signer": "party", "content_first": False}}
    lenient = {**bundle_factory.POLICY, "kinds": kinds, "max_statement_bytes": 4096}
    original, bundle_factory.POLICY = bundle_factory.POLICY, lenient
    try:
        world = World().found()
        world.measure(by=OPERATOR)
    finally:
        bundle_factory.POLICY = original
    result = world.file().check()
    assert caught(result) == "signatures"
    assert "a party would sign readings" in reason(result, "policies")


def test_a_trust_file_inside_the_bundle_is_no_member_that_the_check_reads(world):
    bundle = world.bundle()
    bundle.packages["trust@1"] = {"trust.toml": b"anything"}
    assert caught(world.check(bundle)) == "packages"
    assert register(OPERATOR) in bundle.logs


# -- contract and head key in a genesis ------------------------------------------------------------


class OnChain(World):
    """A world whose geneses name a contract and a head key."""

    chain_of: dict[str, Any]

    def add(self, origin: str, by: str, kind: str, body: dict[str, Any], **more: Any) -> Any:
        if kind == "genesis":
            subject = more.get("subject")
            body = {**body, "chain": self.chain_of, "endorsements": []}
            body["endorsements"] = [
                endorse(self.keys["log"], "genesis", subject, "log_host", body),
                endorse(self.keys[bundle_factory.REGISTRAR], "genesis", subject, "registrar", body),
            ]
        return super().add(origin, by, kind, body, **more)


def on_chain(**changes: Any) -> World:
    world = OnChain()
    world.chain_of = {"chain_id": CHAIN_ID, "contract": CONTRACT, "head_key": HEAD_KEY} | changes
    return world.found().measure().file()


def test_a_genesis_that_names_contract_and_head_key_of_the_trust_file_passes():
    assert on_chain().check().has_passed
    assert on_chain(chain_id=5, contract=bytes(20)).check().has_passed, "the trust file knows no such chain"


@pytest.mark.parametrize("changes", [{"contract": bytes(20)}, {"head_key": bytes(20)}])
def test_catches_a_genesis_that_names_another_contract_or_head_key(changes):
    result = on_chain(**changes).check()
    assert caught(result) == "parties"
    assert "names another" in reason(result, "parties")
