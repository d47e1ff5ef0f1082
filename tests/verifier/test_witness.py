"""The witness: what it must refuse, what it must never forget, also killed or asked twice at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from witness_world import SigningLog

from carbonseal_attest.algorithms import ED25519, ML_DSA_44
from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.cosignature import verify_signatures
from carbonseal_attest.errors import NoteInvalid
from carbonseal_attest.key_file import encrypt_key_file
from carbonseal_attest.note import SignedNote
from carbonseal_attest.signing import Ed25519Signer, generate_signer
from carbonseal_attest.tlog_witness import MAX_PROOF, MAX_REQUEST, SIZE_TYPE, AddCheckpoint, origin_hash
from carbonseal_attest.vkey import Vkey
from carbonseal_verifier.cli import main
from carbonseal_verifier.errors import UsageInvalid, WitnessStateRefused
from carbonseal_verifier.witness import serving as serving_module
from carbonseal_verifier.witness.cosigner import Witness, cosigner_key
from carbonseal_verifier.witness.heads import MAX_KEPT, CosignedHeads
from carbonseal_verifier.witness.serving import WitnessServer

NOW = 1_767_225_600  # seconds
NAME = "witness.example/w1"


@dataclass
class Case:
    witness: Witness
    heads: CosignedHeads
    log: SigningLog
    vkey: Vkey
    path: Path
    signer: Ed25519Signer
    now: int = NOW

    def send(self, old: int, new: int, *, status: int = 200) -> bytes:
        answer = self.witness.add_checkpoint(self.log.request(old, new))
        assert (answer.status, answer.body) == (status, answer.body)
        return answer.body

    @property
    def held(self) -> int | None:
        (head,) = self.heads.all() or [None]
        return None if head is None else head.tree_size


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return make_case(tmp_path)


def make_case(folder: Path) -> Case:
    signer, log, path = Ed25519Signer.generate(), SigningLog(), folder / "witness.state"
    vkey = cosigner_key(NAME, signer.public)
    heads = CosignedHeads.create(path, [vkey])
    made: list[Case] = []
    witness = Witness([signer], [log.vkey], heads, lambda: made[0].now * 1000)
    made.append(Case(witness, heads, log, vkey, path, signer))
    return made[0]


def cosigned(case: Case, size: int, lines: bytes) -> int | None:
    note = SignedNote.parse(case.log.note(size) + lines)
    return verify_signatures(note, [case.vkey]).get(case.vkey)


# -- what the protocol says of each answer


def test_first_head_from_size_zero_is_cosigned_at_the_time_of_the_clock(case: Case) -> None:
    assert cosigned(case, 5, case.send(0, 5)) == NOW
    assert case.held == 5


def test_growth_with_its_proof_is_cosigned_and_replaces_the_head(case: Case) -> None:
    case.send(0, 5)
    case.now += 60
    assert cosigned(case, 13, case.send(5, 13)) == NOW + 60
    assert case.held == 13


def test_the_same_head_again_is_cosigned_again(case: Case) -> None:
    case.send(0, 5)
    case.now += 1
    assert cosigned(case, 5, case.send(5, 5)) == NOW + 1


def test_unknown_origin_is_404_even_when_its_signature_holds(case: Case) -> None:
    other = SigningLog("log.example.org/other", signer=case.log.signer)
    assert case.witness.add_checkpoint(other.request(0, 5)).status == 404
    assert case.held is None


def test_origin_of_another_log_under_a_known_key_name_is_404(case: Case) -> None:
    """The name in the signature line is not what counts; the origin line is."""
    text = Checkpoint("log.example.org/other", 5, case.log.root(5)).text()
    signed = SignedNote(text, SignedNote.parse(case.log.note(5)).signatures)
    assert case.witness.add_checkpoint(AddCheckpoint(0, (), signed).encode()).status == 404


@pytest.mark.parametrize("change", ["absent", "foreign", "wrong"])
def test_head_without_a_good_signature_of_the_log_is_403(case: Case, change: str) -> None:
    note = SignedNote.parse(case.log.note(5))
    (line,) = note.signatures
    lines = {
        "absent": (line._replace(key_id=bytes(4)),),
        "foreign": SignedNote.parse(SigningLog(case.log.origin).note(5)).signatures,
        "wrong": (line._replace(signature=bytes(64)),),
    }[change]
    assert (
        case.witness.add_checkpoint(AddCheckpoint(0, (), SignedNote(note.text, lines)).encode()).status == 403
    )
    assert case.held is None


def test_unknown_signatures_beside_the_log_s_are_ignored_and_not_kept(case: Case) -> None:
    note = SignedNote.parse(case.log.note(5))
    foreign = SignedNote.parse(SigningLog(case.log.origin).note(5)).signatures
    mixed = SignedNote(note.text, (*foreign, *note.signatures, *note.signatures))
    answer = case.witness.add_checkpoint(AddCheckpoint(0, (), mixed).encode())
    assert answer.status == 200
    kept = SignedNote.parse(case.heads.all()[0].note)
    assert len(kept.signatures) == 2, "the log's once, and ours"


def test_old_size_above_the_head_is_400(case: Case) -> None:
    case.send(0, 5)
    body = AddCheckpoint(6, (), SignedNote.parse(case.log.note(5))).encode()
    assert case.witness.add_checkpoint(body).status == 400


@pytest.mark.parametrize("old", [0, 4, 6])
def test_old_size_that_is_not_the_stored_one_is_409_with_the_stored_size(case: Case, old: int) -> None:
    case.send(0, 5)
    answer = case.witness.add_checkpoint(case.log.request(old, 13))
    assert (answer.status, answer.body, answer.media_type) == (409, b"5\n", SIZE_TYPE)
    assert case.held == 5


def test_old_size_of_a_log_never_cosigned_is_409_with_zero(case: Case) -> None:
    assert case.send(3, 5, status=409) == b"0\n"


def test_proof_that_does_not_verify_is_422_and_nothing_is_cosigned(case: Case) -> None:
    case.send(0, 5)
    request = AddCheckpoint.parse(case.log.request(5, 13))
    for proof in ((), request.proof[:-1], (bytes(32), *request.proof[1:]), (*request.proof, bytes(32))):
        body = AddCheckpoint(5, proof, request.note).encode()
        assert case.witness.add_checkpoint(body).status == 422
    assert case.held == 5


def test_second_history_with_a_proof_of_its_own_is_422(case: Case) -> None:
    case.send(0, 5)
    assert case.witness.add_checkpoint(case.log.forked(3).request(5, 13)).status == 422
    assert case.held == 5
    assert [one.is_conflict for one in case.heads.refused()] == [False], "a missing proof proves nothing"


def test_stored_size_with_another_root_is_422_and_both_notes_are_kept(case: Case) -> None:
    case.send(0, 5)
    assert case.witness.add_checkpoint(case.log.forked(3).request(5, 5)).status == 422
    (kept,) = case.heads.refused()
    assert kept.is_conflict
    for note, root in ((kept.held, case.log.root(5)), (kept.note, case.log.forked(3).root(5))):
        read = SignedNote.parse(note)
        assert case.log.vkey in verify_signatures(read, [case.log.vkey])
        assert Checkpoint.parse(read.text).root_hash == root


def test_empty_tree_needs_the_empty_root(case: Case) -> None:
    note = SignedNote.parse(case.log.note(0, root=bytes(32)))
    assert case.witness.add_checkpoint(AddCheckpoint(0, (), note).encode()).status == 400
    case.send(0, 0)
    assert case.held == 0
    case.send(0, 7)
    assert case.held == 7


def test_proof_from_size_zero_is_422(case: Case) -> None:
    note = SignedNote.parse(case.log.note(5))
    assert case.witness.add_checkpoint(AddCheckpoint(0, (bytes(32),), note).encode()).status == 422


def test_clock_that_went_back_cosigns_nothing(case: Case) -> None:
    case.send(0, 5)
    case.now -= 1
    case.send(5, 13, status=503)
    assert case.held == 5


def test_several_logs_are_followed_apart_and_a_rotated_key_counts(tmp_path: Path) -> None:
    signer, log, other = Ed25519Signer.generate(), SigningLog(), SigningLog("other.example/log")
    next_key = SigningLog(log.origin)
    heads = CosignedHeads.create(tmp_path / "state", [cosigner_key(NAME, signer.public)])
    witness = Witness([signer], [log.vkey, other.vkey, next_key.vkey, log.vkey], heads, lambda: NOW * 1000)
    assert witness.add_checkpoint(log.request(0, 9)).status == 200
    assert witness.add_checkpoint(other.request(0, 4)).status == 200
    assert witness.add_checkpoint(next_key.request(9, 12)).status == 200
    assert {head.origin: head.tree_size for head in heads.all()} == {log.origin: 12, other.origin: 4}


def test_ml_dsa_witness_cosigns_too(tmp_path: Path) -> None:
    signers, log = [generate_signer(ED25519), generate_signer(ML_DSA_44)], SigningLog()
    keys = [cosigner_key(NAME, signer.public) for signer in signers]
    witness = Witness(signers, [log.vkey], CosignedHeads.create(tmp_path / "s", keys), lambda: NOW * 1000)
    answer = witness.add_checkpoint(log.request(0, 9))
    assert verify_signatures(SignedNote.parse(log.note(9) + answer.body), keys) == dict.fromkeys(keys, NOW)


# -- parsing


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.replace(b"old 5", b"old 05"),
        lambda body: body.replace(b"old 5", b"old -5"),
        lambda body: body.replace(b"old 5", b"old  5"),
        lambda body: body.replace(b"old 5", b"old 18446744073709551616"),
        lambda body: body.replace(b"old 5\n", b""),
        lambda body: body.replace(b"old 5\n", b"old 5\nAAAA\n"),
        lambda body: body.replace(b"old 5\n", b"old 5\n" + b"A" * 42 + b"B=\n"),
        lambda body: body.replace(b"old 5\n", b"old 5\r\n"),
        lambda body: body.replace(b"old 5\n", b"old 5\n" + (b"A" * 43 + b"=\n") * MAX_PROOF),
        lambda body: body.replace(b"\n\n", b"\n"),
        lambda body: body[: body.index(b"\n\n")],
        lambda body: body + b"x" * MAX_REQUEST,
        lambda body: body[:0],
    ],
)
def test_malformed_body_is_400(case: Case, change: Callable[[bytes], bytes]) -> None:
    case.send(0, 5)
    assert case.witness.add_checkpoint(change(case.log.request(5, 13))).status == 400
    assert case.held == 5


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=60))
def test_any_bytes_parse_to_the_same_bytes_or_are_refused(head: bytes, tail: bytes) -> None:
    for body in (head, b"old 7\n" + head, b"old 7\n\n" + head + b"\n\n\xe2\x80\x94 " + tail):
        with suppress(NoteInvalid):
            assert AddCheckpoint.parse(body).encode() == body


# -- state


def test_refused_heads_are_bounded_and_a_conflict_always_finds_room(case: Case) -> None:
    case.send(0, 2)
    longer = SigningLog(case.log.origin, [b"x%d" % at for at in range(MAX_KEPT + 30)], case.log.signer)
    for size in range(3, MAX_KEPT + 30):
        body = AddCheckpoint(2, (), SignedNote.parse(longer.note(size))).encode()
        assert case.witness.add_checkpoint(body).status == 422
    assert len(case.heads.refused()) == MAX_KEPT
    assert case.witness.add_checkpoint(longer.request(2, 2)).status == 422
    assert [one.tree_size for one in case.heads.refused() if one.is_conflict] == [2]


def test_lost_state_is_refused_and_never_made_anew_by_opening(case: Case) -> None:
    case.path.unlink()
    with pytest.raises(WitnessStateRefused, match="is not there"):
        CosignedHeads(case.path)
    assert case.witness.add_checkpoint(case.log.request(0, 5)).status == 503
    assert not case.path.exists()


def test_state_of_another_key_is_refused(case: Case) -> None:
    with pytest.raises(UsageInvalid, match="not the key"):
        Witness([Ed25519Signer.generate()], [case.log.vkey], CosignedHeads(case.path), lambda: 0)


def test_damaged_state_is_refused(case: Case) -> None:
    case.path.write_bytes(b"SQLite format 3\x00" + bytes(200))
    with pytest.raises(WitnessStateRefused):
        CosignedHeads(case.path)


def test_state_that_cannot_be_written_cosigns_nothing(case: Case) -> None:
    case.send(0, 5)
    with sqlite3.connect(case.path) as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON heads BEGIN SELECT raise(ABORT, 'full'); END"
        )
    answer = case.witness.add_checkpoint(case.log.request(5, 13))
    assert (answer.status, b"\xe2\x80\x94" in answer.body) == (503, False)
    assert case.held == 5


def test_head_is_on_the_disk_before_the_cosignature_leaves(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state is read by another connection at the very moment when the answer's lines are made."""
    seen = []
    line_of = type(SignedNote.parse(case.log.note(1)).signatures[0]).line

    def line(self: object) -> str:
        text = line_of(self)  # type: ignore[arg-type]
        if NAME in text:
            with sqlite3.connect(case.path) as other:
                seen.append(other.execute("SELECT size FROM heads").fetchone())
        return text

    case.send(0, 5)
    monkeypatch.setattr("carbonseal_attest.note.NoteSignature.line", line)
    case.send(5, 13)
    assert seen[-1] == (13,)


def test_of_two_requests_at_once_one_wins_and_no_head_is_rolled_back(case: Case) -> None:
    """The race of the specification: A to 9 and B to 13, both proved from 5."""
    case.send(0, 5)
    for round_ in range(10):
        start, at = threading.Barrier(2), 5 + 3 * round_
        requests = [case.log.request(at, at + 1), case.log.request(at, at + 3)]

        def ask(body: bytes, start: threading.Barrier = start) -> tuple[int, bytes]:
            start.wait()
            answer = case.witness.add_checkpoint(body)
            return answer.status, answer.body

        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(ask, requests))
        assert sorted(status for status, _ in answers) == [200, 409]
        won = next(size for size, (status, _) in zip((at + 1, at + 3), answers, strict=True) if status == 200)
        assert next(body for status, body in answers if status == 409) == b"%d\n" % won
        assert case.held == won
        if won != at + 3:
            case.send(won, at + 3)


# -- a foreign log


def test_log_of_another_implementation_is_followed_from_size_to_size(
    tmp_path: Path, shared_data: Path
) -> None:
    folder = shared_data / "tlog-tiles-small"
    if not folder.is_dir():
        pytest.skip("tlog-tiles-small is not in the shared data")
    vkey = Vkey.parse("example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx")
    words = "one two three four five six seven eit nain ten ileven twelf threeten fourten fivten"
    local = SigningLog(vkey.name, [word.encode() for word in words.split()])
    signer = Ed25519Signer.generate()
    heads = CosignedHeads.create(tmp_path / "state", [cosigner_key(NAME, signer.public)])
    witness = Witness([signer], [vkey], heads, lambda: NOW * 1000)
    for old, size in zip([0, 0, 1, 2, 3, 5, 8, 9, 13], [0, 1, 2, 3, 5, 8, 9, 13, 15], strict=True):
        note = SignedNote.parse((folder / f"checkpoint.{size}").read_bytes())
        body = AddCheckpoint(old, local.path(old, size), note).encode()
        assert witness.add_checkpoint(body).status == 200, size
    assert heads.all()[0].tree_size == 15


# -- over HTTP


@contextmanager
def serving(witness: Witness) -> Iterator[str]:
    server = WitnessServer("127.0.0.1", 0, witness)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server.url
    server.shutdown()
    server.server_close()


def test_http_answers_carry_status_type_and_the_newest_cosigned_note(case: Case) -> None:
    with serving(case.witness) as url, httpx.Client() as client:
        name = origin_hash(case.log.origin)
        assert client.get(f"{url}/{name}/checkpoint").status_code == 404
        answer = client.post(f"{url}/add-checkpoint", content=case.log.request(0, 5))
        assert answer.status_code == 200
        assert cosigned(case, 5, answer.content) == NOW
        answer = client.post(f"{url}/add-checkpoint", content=case.log.request(0, 5))
        assert (answer.status_code, answer.headers["content-type"], answer.text) == (409, SIZE_TYPE, "5\n")
        held = client.get(f"{url}/{name}/checkpoint")
        assert set(verify_signatures(SignedNote.parse(held.content), [case.vkey, case.log.vkey])) == {
            case.vkey,
            case.log.vkey,
        }
        assert client.get(f"{url}/{'0' * 64}/checkpoint").status_code == 404
        assert client.get(f"{url}/../witness.state").status_code == 404
        assert client.post(f"{url}/elsewhere", content=b"x").status_code == 404


def test_http_refuses_what_has_no_length_or_too_much(case: Case) -> None:
    with serving(case.witness) as url, httpx.Client() as client:
        assert client.post(f"{url}/add-checkpoint", content=iter([b"old 0\n"])).status_code == 411
        assert client.post(f"{url}/add-checkpoint", content=bytes(MAX_REQUEST + 1)).status_code == 413
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nold 0\n")
            raw.shutdown(socket.SHUT_WR)
            assert raw.recv(100) == b"", "half a body gets no answer"
        assert client.post(f"{url}/add-checkpoint", content=case.log.request(0, 5)).status_code == 200


@pytest.mark.parametrize(
    "head", [b"GET /", b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 99999\r\n\r\n"]
)
def test_http_shuts_connections_that_send_byte_by_byte_and_answers_others(
    case: Case, monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    monkeypatch.setattr(serving_module, "REQUEST_S", 0.3)
    with serving(case.witness) as url, ExitStack() as stack, httpx.Client() as client:
        host, port = url.removeprefix("http://").split(":")
        slow = [
            stack.enter_context(socket.create_connection((host, int(port))))
            for _ in range(serving_module.MAX_CONNECTIONS)
        ]
        ended = threading.Event()

        def drip() -> None:
            for connection in slow:
                connection.sendall(head)
            while not ended.wait(0.05):
                for connection in slow:
                    with suppress(OSError):
                        connection.send(b"x")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        try:
            answer = client.post(f"{url}/add-checkpoint", content=case.log.request(0, 5), timeout=5)
        finally:
            ended.set()
            thread.join()
        assert answer.status_code == 200


# -- the command


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out + err


def test_status_shows_heads_and_ends_with_1_on_a_contradiction(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    case.send(0, 5)
    assert run(["witness", "status", "--state", str(case.path)], capsys)[0] == 0
    case.witness.add_checkpoint(case.log.forked(3).request(5, 5))
    code, text = run(["witness", "status", "--state", str(case.path), "--json"], capsys)
    found = json.loads(text)
    assert (code, found["refused"][0]["is_conflict"], found["heads"][0]["tree_size"]) == (1, True, 5)
    assert "CONTRADICTS" in run(["witness", "status", "--state", str(case.path)], capsys)[1]


def test_key_writes_key_and_state_and_prints_the_verifier_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARBONSEAL_PASSPHRASE", "long enough")
    out = tmp_path / "w.key"
    code, text = run(["witness", "key", "--name", NAME, "--out", str(out)], capsys)
    assert code == 0
    assert Vkey.parse(text.strip()).name == NAME
    assert CosignedHeads(tmp_path / "w.key.state").all() == []
    assert run(["witness", "key", "--name", NAME, "--out", str(out)], capsys)[0] == 2
    assert run(["witness", "key", "--name", "a b", "--out", str(tmp_path / "x")], capsys)[0] == 2
    assert not (tmp_path / "x").exists()
    logs = tmp_path / "logs"
    logs.write_text("# nobody\n")
    assert run(["witness", "run", "--key", str(out), "--logs", str(logs)], capsys)[0] == 2
    logs.write_text("# one\nnot a key\n")
    code, text = run(["witness", "run", "--key", str(out), "--logs", str(logs)], capsys)
    assert (code, "line 2" in text) == (2, True)


@contextmanager
def process(case: Case, folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`witness run` in a process of its own, with the case's key and state."""
    key = folder / "witness.key"
    key.write_bytes(encrypt_key_file(case.signer, "pass phrase", work_factor=1 << 14))
    started = subprocess.Popen(
        [
            sys.executable, "-m", "carbonseal_verifier.cli", "witness", "run", "--key", str(key),
            "--state", str(case.path), "--log", str(case.log.vkey), "--port", "0", "--json",
        ],
        env=os.environ | {"CARBONSEAL_PASSPHRASE": "pass phrase"}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert started.stdout is not None
        yield json.loads(started.stdout.readline())["url"], started
    finally:
        started.kill()
        started.wait()
        started.stdout.close()


def kills(count: int, case: Case, folder: Path) -> None:
    """Growth by one leaf at a time; the process is killed while it answers; no answered head is forgotten."""
    size = answered = 0
    for _ in range(count):
        with process(case, folder) as (url, started), httpx.Client(timeout=10) as client:
            held = case.heads.all()
            size = held[0].tree_size if held else 0
            assert size >= answered, "a head that was cosigned is gone"
            asking = threading.Event()

            def grow(url: str = url, client: httpx.Client = client, asking: threading.Event = asking) -> None:
                nonlocal answered, size
                try:
                    while size < 39:
                        answer = client.post(
                            f"{url}/add-checkpoint", content=case.log.request(size, size + 1)
                        )
                        if answer.status_code != 200:
                            return
                        size = answered = size + 1
                        asking.set()
                except httpx.HTTPError:
                    return
                finally:
                    asking.set()

            thread = threading.Thread(target=grow)
            thread.start()
            asking.wait()
            started.send_signal(signal.SIGKILL)
            thread.join()
        (head,) = case.heads.all()
        assert head.tree_size in {answered, answered + 1}, "stored without an answer at most once"
        assert cosigned(case, head.tree_size, b"".join(
            line.line().encode() for line in SignedNote.parse(head.note).signatures[1:]
        ))  # fmt: skip


def test_killed_while_it_answers_it_forgets_no_head_that_it_cosigned(case: Case, tmp_path: Path) -> None:
    kills(2, case, tmp_path)


@pytest.mark.long
def test_killed_many_times_it_forgets_no_head_that_it_cosigned(case: Case, tmp_path: Path) -> None:
    kills(25, case, tmp_path)


def test_two_processes_on_one_state_never_cosign_two_histories(case: Case, tmp_path: Path) -> None:
    """Somebody starts the witness twice, and a log that forked asks both at once."""
    (tmp_path / "second").mkdir()
    fork = case.log.forked(0)
    with process(case, tmp_path) as (one, _), process(case, tmp_path / "second") as (two, _):
        wins = []
        for url_log in ((one, case.log), (two, fork)), ((two, case.log), (one, fork)):
            start = threading.Barrier(2)

            def ask(pair: tuple[str, SigningLog], start: threading.Barrier = start) -> int:
                start.wait()
                return httpx.post(f"{pair[0]}/add-checkpoint", content=pair[1].request(0, 5)).status_code

            with ThreadPoolExecutor(2) as pool:
                wins.append(sorted(pool.map(ask, url_log)))
    assert wins == [[200, 409], [409, 409]]
    assert case.held == 5


def test_state_copied_away_is_why_it_is_never_restored(case: Case, tmp_path: Path) -> None:
    """What the documentation warns of: a witness whose state went back cosigns a second history."""
    case.send(0, 5)
    shutil.copy(case.path, tmp_path / "old")
    case.send(5, 13)
    shutil.copy(tmp_path / "old", case.path)
    assert case.witness.add_checkpoint(case.log.forked(6).request(5, 13)).status == 200
