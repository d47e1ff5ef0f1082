"""A dishonest log host against an extended receipt: the step that catches it is named."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from bundle_factory import EPOCHS, HOUR, LOG_HOST, OPERATOR, World, data, honest, signer

from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.cosignature import cosign
from carbonseal_attest.epoch import EpochMap, MapEntry
from carbonseal_attest.extended_receipt import ExtendedReceipt
from carbonseal_attest.merkle import inclusion_path, leaf_hash, root_of
from carbonseal_attest.note import SignedNote
from carbonseal_attest.receipt import make_receipt
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.tlog_policy import TlogPolicy
from carbonseal_attest.transparent_statement import TransparentStatement
from carbonseal_attest.trust import Witnesses, format_trust_file
from carbonseal_attest.vkey import ED25519_COSIGNATURE, Vkey
from carbonseal_verifier.cli import main
from carbonseal_verifier.extended_check import STEPS, check_extended_receipt

DATA = data(OPERATOR)


@pytest.fixture(scope="module")
def world() -> World:
    return honest()


def node(leaves):
    return lambda level, at: root_of(leaves[at << level : (at + 1) << level])


def extended(world, entries, index, *, number=2, epochs=None, map_of=None, with_evidence=True):
    """What a log host makes for an entry of `entries`, whose first heads are those of its log."""
    epochs = world.log_of_logs if epochs is None else epochs
    epoch, epoch_map = world.epochs[number - 1]
    if map_of is not None:
        epoch_map = map_of
        epoch = epoch_map.close(number, epoch.closed_at)
    size = next(e.tree_size for e in world.epochs[number - 1][1].entries if e.origin == DATA)
    leaves = [leaf_hash(raw) for raw in entries[:size]]
    receipt = make_receipt(
        world.keys["log"], log_host=LOG_HOST, origin=DATA, tree_size=size, index=index,
        path=inclusion_path(index, size, node(leaves)), root=root_of(leaves),
    )  # fmt: skip
    tops = [leaf_hash(raw) for raw in epochs]
    head = Checkpoint(EPOCHS, len(tops), root_of(tops))
    proof = epoch_map.prove(DATA)
    return ExtendedReceipt(
        receipt, proof.index, proof.path, epoch, tuple(inclusion_path(number, len(tops), node(tops))),
        sign_checkpoint(head, world.keys["log"]), world.chain.evidence().to_cbor() if with_evidence else None,
    )  # fmt: skip


def check(world, made, statement, trust=None):
    trust = trust or world.trust()
    return check_extended_receipt(made.encode(), statement, trust=trust, at=world.now + HOUR)


def caught(result):
    assert not result.has_passed
    return next(step.name for step in result.steps if step.outcome == "failed")


def forked(world, index):
    """The log with one entry exchanged for another that the same key could have signed."""
    entries = list(world.logs[DATA].entries)
    entries[index] = entries[index + 1]
    return entries


def test_shows_an_entry_logged_in_an_epoch_and_final(world):
    entries = world.logs[DATA].entries
    result = check(world, extended(world, entries, 3), entries[3])
    assert result.has_passed
    assert [step.name for step in result.steps] == list(STEPS)
    assert "final: anchored on chain 31337 at size 5" in result.steps[-1].reason


def test_catches_at_receipt_a_statement_that_is_not_the_entry(world):
    entries = world.logs[DATA].entries
    assert caught(check(world, extended(world, entries, 3), entries[4])) == "receipt"


def test_catches_at_epoch_map_a_second_history_that_the_log_key_signed(world):
    entries = forked(world, 3)
    assert caught(check(world, extended(world, entries, 3), entries[3])) == "epoch-map"


def second_log_of_logs(world, entries):
    """The host forks a log, its head in the map of epoch 2, and so the log of logs, all with right keys."""
    entry, honest_map = world.epochs[1]
    size = next(e.tree_size for e in honest_map.entries if e.origin == DATA)
    root = root_of([leaf_hash(raw) for raw in entries[:size]])
    heads = [MapEntry(DATA, size, root) if e.origin == DATA else e for e in honest_map.entries]
    fork = EpochMap(heads)
    epochs = list(world.log_of_logs)
    epochs[2] = fork.close(2, entry.closed_at).encode()
    return fork, epochs


def test_catches_at_anchor_a_second_log_of_logs_that_the_log_key_signed(world):
    entries = forked(world, 3)
    fork, epochs = second_log_of_logs(world, entries)
    made = extended(world, entries, 3, epochs=epochs, map_of=fork)
    result = check(world, made, entries[3])
    assert caught(result) == "anchor"
    assert "two histories" in result.steps[-1].reason


def test_catches_at_witnesses_a_second_log_of_logs_that_no_witness_saw(world):
    entries, witness = forked(world, 3), signer("witness")
    vkey = Vkey("w.example", ED25519_COSIGNATURE, witness.public)
    trust = world.trust(witnesses=Witnesses(TlogPolicy.parse(f"witness w {vkey}\nquorum w\n"), {}))
    fork, epochs = second_log_of_logs(world, entries)
    dishonest = extended(world, entries, 3, epochs=epochs, map_of=fork)
    assert caught(check(world, dishonest, entries[3], trust)) == "witnesses"
    made = extended(world, world.logs[DATA].entries, 3)
    note = cosign(SignedNote.parse(made.checkpoint.encode()), vkey, witness, time=world.now // 1000)
    note = note.encode().decode()
    assert check(world, replace(made, checkpoint=note), world.logs[DATA].entries[3], trust).has_passed


def test_says_without_anchor_and_witnesses_that_only_the_host_vouches(world):
    """The fork that nobody else could have seen passes, and the words claim no more."""
    entries = forked(world, 3)
    fork, epochs = second_log_of_logs(world, entries)
    made = extended(world, entries, 3, epochs=epochs, map_of=fork, with_evidence=False)
    assert caught(check(world, made, entries[3])) == "anchor"
    result = check(world, made, entries[3], world.trust(is_anchor_required=False))
    assert result.has_passed
    assert result.steps[-1].reason == "none carried; logged, not anchored"


def test_catches_at_log_of_logs_a_checkpoint_of_another_key(world):
    entries = world.logs[DATA].entries
    made = extended(world, entries, 3)
    head = Checkpoint.of_note(made.checkpoint)
    made = replace(made, checkpoint=sign_checkpoint(head, signer("thief")))
    assert caught(check(world, made, entries[3])) == "log-of-logs"


def test_command_says_the_step_and_ends_with_1(world, tmp_path, capsys):
    entries = world.logs[DATA].entries
    files = {name: tmp_path / name for name in ("made", "forked", "statement", "wrapped", "trust.toml")}
    made = extended(world, entries, 3)
    files["made"].write_bytes(made.encode())
    files["statement"].write_bytes(entries[3])
    wrapped = TransparentStatement.of(SignedStatement.parse(entries[3]), [made.receipt])
    files["wrapped"].write_bytes(wrapped.encode())
    files["forked"].write_bytes(extended(world, forked(world, 4), 3).encode())
    files["trust.toml"].write_text(format_trust_file(world.trust()))

    def run(name, statement="statement"):
        given = ["receipt", str(files[name]), "--statement", str(files[statement])]
        return main([*given, "--trust", str(files["trust.toml"]), "--json", str(tmp_path / "out.json")])

    assert run("made") == 0
    assert run("made", "wrapped") == 0
    assert run("forked") == 1
    assert "caught at step epoch-map" in capsys.readouterr().out
    steps = json.loads((tmp_path / "out.json").read_text())["steps"]
    assert [step["outcome"] for step in steps] == ["passed"] * 2 + ["failed"] + ["not run"] * 3
    assert run("statement") == 2
