"""The monitor: an honest host passes round after round; each way to contradict oneself is found and kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from log_host_world import NAME, TOKEN, LogHostWorld
from witness_world import SigningLog

from carbonseal_attest import cbor
from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.cosignature import cosign, verify_signatures
from carbonseal_attest.epoch import EpochMap, MapEntry
from carbonseal_attest.merkle import leaf_hash
from carbonseal_attest.note import SignedNote
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.tiles import encode_entries, entries_path, grown_tiles
from carbonseal_attest.tlog_policy import TlogPolicy
from carbonseal_attest.tlog_witness import checkpoint_path
from carbonseal_attest.vkey import Vkey
from carbonseal_verifier.cli import main
from carbonseal_verifier.errors import MonitorStateRefused, ServiceRefused
from carbonseal_verifier.monitor import log_reader
from carbonseal_verifier.monitor.growth import FollowedTree
from carbonseal_verifier.monitor.kept import FILE, Kept
from carbonseal_verifier.monitor.log_keys import GivenKeys
from carbonseal_verifier.monitor.log_reader import LogReader
from carbonseal_verifier.monitor.rounds import Monitor, Round
from carbonseal_verifier.service_client import ServiceUnreachable
from carbonseal_verifier.witness.cosigner import cosigner_key
from witness_house import Dripper

EPOCHS = f"{NAME}/epochs"


def client() -> httpx.Client:
    """Without the certificates, whose reading takes longer than a round over plain HTTP."""
    return httpx.Client(transport=httpx.HTTPTransport(verify=False))


@pytest.fixture
def world() -> Iterator[LogHostWorld]:
    made = LogHostWorld()
    made.grow(e_one=3, e_two=1)
    made.close_epoch()
    yield made
    made.stop()


@pytest.fixture
def look(world: LogHostWorld, tmp_path: Path) -> Callable[..., Round]:
    """One round of a monitor that starts anew each time, as a command does."""

    def once(*, token: str = TOKEN, **options: Any) -> Round:
        with (
            LogReader(world.url, token=token, client=client()) as reader,
            closing(Kept(tmp_path, EPOCHS)) as kept,
        ):
            monitor = Monitor(
                reader, GivenKeys([world.epochs.vkey]), kept, lambda: 5_000, log_of_logs=EPOCHS, **options
            )
            return monitor.look()

    return once


def only(done: Round) -> tuple[str, str, bool]:
    (finding,) = done.findings
    return finding.kind, finding.origin, finding.is_proof


# -- an honest host


def test_honest_host_passes_round_after_round_across_tiles_and_levels(world, look):
    sizes = [(250, 3, 0), (256, 256, 1), (257, 600, 30), (900, 601, 30)]
    for number, (one, two, three) in enumerate(sizes, 2):
        world.grow(e_one=one, e_two=two, e_three=three)
        world.close_epoch()
        origins = [log.origin for log in world.logs.values() if log.origin + "/checkpoint"]
        done = look(origins=[o for o in origins if f"/logs/{o}/checkpoint" in world.files])
        assert done.findings == []
        assert done.unreachable == {}
        assert done.heads[EPOCHS] == number + 1
        assert done.heads[f"{NAME}/e-one/data"] == one
        assert done.maps_read == (2 if number == 2 else 1)
    assert look().maps_read == 0


def test_quiet_host_is_asked_for_little(world, look):
    look()
    world.requests.clear()
    assert look().findings == []
    assert len(world.requests) <= 4


def test_many_epochs_are_followed_over_a_whole_tile(world, look):
    look()
    for _ in range(300):
        entry = EpochMap(world.heads()).close(len(world.epochs.leaves), 1000 * len(world.epochs.leaves))
        world.epochs.leaves.append(entry.encode())
    world.publish_epochs()
    assert look(token="").heads[EPOCHS] == 302


@pytest.mark.parametrize("old", [0, 1, 255, 256, 257, 511, 700])
def test_kept_edge_gives_the_same_tree_from_any_size(old: int) -> None:
    leaves = [leaf_hash(b"%d" % at) for at in range(66_000)]
    tiles = grown_tiles(0, leaves, lambda *_: b"")

    def read(level: int, index: int, width: int) -> bytes:
        held = next(data for (at, place, _), data in tiles.items() if (at, place) == (level, index))
        return held[: width * 32]

    tree = FollowedTree().grow(old, read).grow(66_000, read)
    assert tree == FollowedTree().grow(66_000, read)


def test_without_a_token_maps_are_said_not_to_be_read_and_read_later(world, look):
    done = look(token="")
    assert (done.findings, done.maps_read, done.are_maps_readable) == ([], 0, False)
    world.close_epoch()
    assert look().maps_read == 2


def test_static_host_that_dropped_partial_tiles_is_still_read(world, look):
    world.grow(e_one=300)
    world.close_epoch()
    look()
    origin = f"{NAME}/e-one/data"
    for width in range(1, 256):
        world.files.pop(f"/logs/{origin}/tile/0/000.p/{width}", None)
    world.grow(e_one=400)
    heads = [MapEntry(origin, 350, world.logs["e-one"].root(350)), *world.heads()[1:]]
    world.close_epoch(heads)  # between two publications: only wider partial tiles hold it
    done = look()
    assert (done.findings, done.unreachable) == ([], {})


# -- a host that contradicts itself


def test_other_root_at_a_size_that_was_seen_is_proved_by_two_notes(world, look):
    look()
    world.publish(world.epochs.forked(1), 2)
    done = look()
    assert only(done) == ("split-view", EPOCHS, True)
    first, second = (SignedNote.parse(one.note.encode()) for one in done.findings[0].notes)
    assert world.epochs.vkey in verify_signatures(first, [world.epochs.vkey])
    assert world.epochs.vkey in verify_signatures(second, [world.epochs.vkey])
    heads = [Checkpoint.parse(one.text) for one in (first, second)]
    assert heads[0].tree_size == heads[1].tree_size
    assert heads[0].root_hash != heads[1].root_hash


def test_split_view_is_still_found_after_the_host_went_back_to_the_first_history(world, look):
    look()
    world.publish(world.epochs.forked(1), 2)
    look()
    world.publish_epochs()
    assert only(look()) == ("split-view", EPOCHS, True), "what was signed once stays evidence"


def test_longer_second_history_does_not_extend_the_head_seen(world, look):
    look()
    world.close_epoch()
    other = world.epochs.forked(1)
    world.publish(other, 3)
    done = look()
    assert only(done)[:2] == ("tile", EPOCHS), "its leaves are no longer those that were seen"
    # and with the old leaves shown, its root does not follow from them
    world.publish(world.epochs, 3, root=other.root(3))
    assert only(look())[:2] == ("not-grown", EPOCHS)


def test_fewer_entries_than_were_shown_is_a_finding_until_they_are_back(world, look):
    world.close_epoch()
    look()
    world.publish(world.epochs, 2)
    assert only(look()) == ("went-back", EPOCHS, False)
    assert only(look()) == ("went-back", EPOCHS, False)
    world.publish_epochs()
    assert look().findings == []


@pytest.mark.parametrize(
    ("path", "at", "origin"),
    [
        ("tile/0/000", 3, "e-one/data"),
        ("tile/0/002.p/88", -1, "e-one/data"),
        ("tile/1/000.p/2", 40, "e-one/data"),
    ],
)
def test_flipped_bit_in_any_tile_is_found(world, look, path, at, origin):
    world.grow(e_one=600)
    world.close_epoch()
    world.change(f"/logs/{NAME}/{origin}/{path}", at)
    done = look(origins=[f"{NAME}/{origin}"])
    assert done.findings[0].kind in {"tile", "not-grown"}


def test_tile_that_changed_what_it_began_with_is_found(world, look):
    origin = f"{NAME}/e-one/data"
    world.grow(e_one=100)
    look(origins=[origin])
    world.grow(e_one=200)
    world.change(f"/logs/{origin}/tile/0/000.p/200", 5)
    done = look(origins=[origin])
    assert only(done)[:2] == ("tile", origin)
    assert list(done.findings[0].served) == ["tile/0/000.p/200"]


def test_cut_off_tile_is_found_and_not_mistaken_for_growth(world, look):
    path = f"/logs/{EPOCHS}/tile/0/000.p/2"
    world.files[path] = world.files[path][:-1]
    assert only(look())[0] == "tile"


@pytest.mark.parametrize("what", ["another key", "another origin", "garbage"])
def test_checkpoint_that_the_log_did_not_sign_is_found(world, look, what):
    look()
    note = {
        "another key": SigningLog(EPOCHS, world.epochs.leaves).note(2),
        "another origin": world.files[f"/logs/{NAME}/e-one/data/checkpoint"],
        "garbage": b"nothing\n",
    }[what]
    world.files[f"/logs/{EPOCHS}/checkpoint"] = note
    assert only(look())[0] == "not-signed"


# -- epochs and maps


def test_epoch_out_of_order_is_found(world, look):
    world.close_epoch(number=7)
    assert only(look()) == ("epoch", EPOCHS, False)


def test_entry_that_is_no_epoch_is_found(world, look):
    world.epochs.leaves.append(b"not an epoch")
    world.publish_epochs()
    assert only(look())[0] == "epoch"


def test_epoch_that_closed_before_the_one_before_is_found(world, look):
    world.epochs.leaves.append(EpochMap(world.heads()).close(2, 999).encode())
    world.publish_epochs()
    assert only(look())[0] == "epoch"


def test_entries_other_than_the_tiles_hold_are_found(world, look):
    entries = [world.epochs.leaves[0], EpochMap(world.heads()).close(1, 5).encode()]
    world.files[f"/logs/{EPOCHS}/{entries_path(0, 2)}"] = encode_entries(entries)
    assert only(look())[0] == "epoch"
    world.files[f"/logs/{EPOCHS}/{entries_path(0, 2)}"] = encode_entries(entries[:1])
    assert only(look())[0] == "epoch"


def test_map_that_drops_an_origin_is_found(world, look):
    look()
    world.close_epoch(world.heads()[:1])
    assert only(look())[:2] == ("epoch-map", EPOCHS)


def test_map_other_than_its_epoch_s_is_found(world, look):
    heads = world.heads()
    for leaves in (
        [heads[0].encode()],
        [heads[1].encode(), heads[0].encode()],
        [b"x"],
        [heads[0].encode()] * 2,
    ):
        world.files["/epochs/1/map"] = cbor.encode(leaves)
        assert only(look())[:2] == ("epoch-map", EPOCHS)
    world.files["/epochs/1/map"] = b"\xff"
    assert only(look())[:2] == ("epoch-map", EPOCHS)


def test_second_history_of_an_organisation_s_log_is_found_between_two_maps(world, look):
    """The host forks one organisation's log and anchors both heads in its own maps."""
    world.grow(e_one=300)
    world.close_epoch()
    assert look().findings == []
    fork = world.logs["e-one"].forked(100)
    world.publish(fork, 400)
    world.close_epoch([MapEntry(fork.origin, 400, fork.root(400)), *world.heads()[1:]])
    done = look()
    assert only(done)[:2] == ("epoch-map", fork.origin)
    assert "does not extend" in done.findings[0].reason
    assert set(done.findings[0].served) == {"before", "now"}


def test_head_of_a_map_that_shrank_or_changed_at_its_size_is_found(world, look, tmp_path):
    world.grow(e_one=300)
    world.close_epoch()
    look()
    log = world.logs["e-one"]
    world.close_epoch([MapEntry(log.origin, 299, log.root(299)), *world.heads()[1:]])
    assert only(look())[:2] == ("epoch-map", log.origin)


# -- what others hold


def policy_of(world: LogHostWorld, *signers: Ed25519Signer) -> TlogPolicy:
    keys = [cosigner_key(f"w.example/{at}", signer.public) for at, signer in enumerate(signers)]
    lines = [f"witness w{at} {key} {world.url}/w{at}" for at, key in enumerate(keys)]
    return TlogPolicy.parse("\n".join([*lines, "quorum w0", ""]))


def show(world: LogHostWorld, at: int, note: bytes) -> None:
    world.files[f"/w{at}{checkpoint_path(EPOCHS)}"] = note


def test_witness_that_is_behind_and_one_that_is_even_agree(world, look):
    policy = policy_of(world, Ed25519Signer.generate(), Ed25519Signer.generate(), Ed25519Signer.generate())
    show(world, 0, world.epochs.note(2))
    world.close_epoch()
    show(world, 1, world.epochs.note(3))
    done = look(policy=policy)
    assert (done.findings, done.witnesses) == ([], {"w0": 2, "w1": 3, "w2": None})


def test_witness_that_holds_another_history_convicts_the_log(world, look):
    world.close_epoch()
    policy, fork = policy_of(world, Ed25519Signer.generate()), world.epochs.forked(1)
    show(world, 0, fork.note(3))
    assert only(look(policy=policy)) == ("split-view", EPOCHS, True)
    world.close_epoch()
    world.close_epoch()
    show(world, 0, fork.note(2))
    (tmp,) = [finding for finding in look(policy=policy).findings if finding.notes[0].source == "witness w0"]
    assert (tmp.kind, tmp.is_proof) == ("split-view", False), "another size: the tree shows it, not the notes"


def test_witness_that_holds_more_than_the_log_shows_is_found(world, look):
    policy = policy_of(world, Ed25519Signer.generate())
    show(world, 0, SigningLog(EPOCHS, [*world.epochs.leaves, b"hidden"], world.signer).note(3))
    assert only(look(policy=policy)) == ("went-back", EPOCHS, False)


def test_log_that_grew_between_two_requests_is_no_contradiction(world, look, monkeypatch):
    """The checkpoint was fetched just before an epoch, the witness asked just after it."""
    policy = policy_of(world, Ed25519Signer.generate())
    asked = LogReader.note_at

    def later(self: LogReader, url: str) -> str | None:
        world.close_epoch()
        show(world, 0, world.epochs.note(3))
        return asked(self, url)

    monkeypatch.setattr(LogReader, "note_at", later)
    done = look(policy=policy)
    assert (done.findings, done.witnesses, done.heads[EPOCHS]) == ([], {"w0": 3}, 2)


def test_witness_that_shows_what_the_log_never_signed_is_blamed_itself(world, look):
    policy = policy_of(world, Ed25519Signer.generate())
    show(world, 0, SigningLog(EPOCHS, world.epochs.leaves).note(2))
    done = look(policy=policy)
    assert done.findings == []
    assert "not signed" in done.unreachable["witness w0"]


def test_cosigners_of_the_newest_head_are_named(world, look):
    signer, stranger = Ed25519Signer.generate(), Ed25519Signer.generate()
    policy = policy_of(world, signer, stranger)
    note = SignedNote.parse(world.files[f"/logs/{EPOCHS}/checkpoint"])
    cosigned = cosign(note, policy.witnesses["w0"], signer, time=5)
    world.files[f"/logs/{EPOCHS}/checkpoint"] = cosigned.encode()
    assert look(policy=policy).cosigned_by == ["w0"]


def test_checkpoint_of_a_bundle_or_a_neighbour_is_held_against_the_log(world, look):
    log = world.logs["e-one"]
    world.grow(e_one=300)
    world.close_epoch()
    assert look(notes={"bundle": log.note(200).decode()}).findings == []
    done = look(notes={"neighbour": log.forked(10).note(200).decode()})
    assert only(done) == ("split-view", log.origin, True), "the bundle's note of that size was kept"
    done = look(notes={"neighbour": log.forked(10).note(150).decode()})
    assert only(done) == ("split-view", log.origin, False)


# -- state and command


def test_state_of_another_log_host_or_damaged_is_refused(world, look, tmp_path):
    look()
    with pytest.raises(MonitorStateRefused, match="is about"):
        Kept(tmp_path, "other.example/epochs")
    (tmp_path / FILE).write_bytes(b"x" * 5000)
    with pytest.raises(MonitorStateRefused):
        Kept(tmp_path, EPOCHS)


def test_token_never_travels_in_the_clear() -> None:
    with pytest.raises(ServiceRefused, match="in the clear"):
        LogReader("http://log.example", token="secret")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["monitor", *arguments])
    out, err = capsys.readouterr()
    return code, out + err


def test_command_ends_with_0_then_1_and_an_evidence_file_then_2(world, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CARBONSEAL_TOKEN", TOKEN)
    state, vkey = tmp_path / "state", str(world.epochs.vkey)
    arguments = (world.url, "--log", vkey, "--state", str(state))
    code, text = run(capsys, *arguments)
    assert (code, "1 epoch maps with 2 heads" in text) == (0, True)
    world.publish(world.epochs.forked(1), 2)
    code, text = run(capsys, *arguments, "--json")
    told = json.loads(text)
    assert (code, told["is_consistent"], told["findings"][0]["kind"]) == (1, False, "split-view")
    evidence = json.loads(Path(told["findings"][0]["evidence"]).read_text())
    assert [Vkey.parse(key) for key in evidence["log_keys"]] == [world.epochs.vkey]
    assert evidence["is_proof"] is True
    assert len(evidence["notes"]) == 2
    code, text = run(capsys, *arguments)
    assert (code, "INCONSISTENT" in text) == (1, True)
    assert len(list(state.glob("evidence-*.json"))) == 1, "the same evidence is written once"
    world.stop()
    assert run(capsys, *arguments)[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--log", "nonsense"),
        ("--log", "{v}", "--every", "1"),
        ("--log", "{v}", "--log", "{other}"),
        ("--log", "{witness}"),
        ("--log", "{v}", "--note", "nowhere"),
    ],
)
def test_bad_usage_ends_with_2(world, tmp_path, capsys, arguments):
    keys = {
        "v": world.epochs.vkey,
        "other": world.logs["e-one"].vkey,
        "witness": cosigner_key("w", world.signer.public),
    }
    given = [one.format(**keys) for one in arguments]
    assert run(capsys, world.url, "--state", str(tmp_path), *given)[0] == 2


@pytest.mark.parametrize(
    "drip", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"]
)
def test_log_host_that_answers_byte_by_byte_does_not_keep_a_round_from_its_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, drip: bytes
) -> None:
    monkeypatch.setattr(log_reader, "ANSWER_S", 0.3)
    host, log = Dripper(drip), SigningLog(EPOCHS, [b"genesis"])
    with closing(Kept(tmp_path, EPOCHS)) as kept, LogReader(host.url, client=client()) as reader:
        monitor = Monitor(reader, GivenKeys([log.vkey]), kept, lambda: 5_000, log_of_logs=EPOCHS)
        with pytest.raises(ServiceUnreachable, match="does not answer"):
            monitor.look()
    host.stop()
