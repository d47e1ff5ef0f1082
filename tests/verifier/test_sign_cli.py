"""The commands of a verification body, against a log host over HTTP that also misbehaves."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from body_log_server import BodyLogServer
from body_world import BODY, FIRST_BLOCK, NONCE, BodyWorld, verified
from bundle_factory import (
    EPOCHS,
    HOST,
    HOUR,
    LOG_HOST,
    MAIN,
    OPERATOR,
    POLICY,
    REGISTRAR,
    data,
    register,
    signer,
)

from carbonseal_attest.contents import build_content
from carbonseal_attest.endorsement import endorse
from carbonseal_attest.identifiers import opaque_code
from carbonseal_attest.identity.parties import PartyBook
from carbonseal_attest.identity.party_rotation import read_rotation, rekeyed, write_rotation
from carbonseal_attest.instants import format_instant
from carbonseal_attest.key_file import decrypt_key_file, encrypt_key_file
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.cli import main
from carbonseal_verifier.errors import BodyKeyRefused, InvitationInvalid
from carbonseal_verifier.invitation import Invitation, write_invitation
from carbonseal_verifier.outbox import Outbox
from carbonseal_verifier.statement_file import StatementFile
from carbonseal_verifier.transcript import parse_transcript

PASSPHRASE = "correct horse battery"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARBONSEAL_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("CARBONSEAL_TOKEN", "csk_token")


class Bench:
    """One body's machine: its folder with bundle, trust file and key, and the world behind it."""

    def __init__(self, world: BodyWorld, folder: Path, *, key: str = BODY) -> None:
        self.world, self.folder = world, folder
        self.bundle, self.trust = world.write(folder)
        self.key = folder / "body.key"
        self.key.write_bytes(key_file(key))
        self.at = format_instant(world.now + HOUR)

    @property
    def common(self) -> list[str]:
        return ["--trust", str(self.trust), "--at", self.at]

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def sign(self, *more: str, out: str = "v.statement") -> int:
        words = ["sign", str(self.bundle), *self.common, "--key", str(self.key), "--level", "reasonable"]
        words += ["--materiality", "5", "--out", self.path(out)]
        words += [] if "--opinion" in more else ["--opinion", "unmodified"]
        return main([*words, *more])

    def statement(self, name: str = "v.statement") -> StatementFile:
        kinds = ("verification_report", "sampling_commitment", "withdrawal")
        return StatementFile.parse((self.folder / name).read_bytes(), kinds=kinds)

    def logged(self) -> list[SignedStatement]:
        return [SignedStatement.parse(raw) for raw in self.world.logs[data(BODY)].entries]


@cache
def key_file(name: str) -> bytes:
    return encrypt_key_file(signer(name), PASSPHRASE, work_factor=1 << 14)


@cache
def told() -> BodyWorld:
    """One world whose story was told to its end; each test goes on from there with a twin."""
    return verified()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(told().twin(), tmp_path)


# -- the key ---------------------------------------------------------------------------------------


def test_key_prints_the_public_half_and_writes_an_encrypted_file(tmp_path: Path, capsys) -> None:
    path = tmp_path / "body.key"
    assert main(["key", "--out", str(path)]) == 0
    public = capsys.readouterr().out.strip()
    opened = decrypt_key_file(path.read_bytes(), PASSPHRASE)
    assert opened.public.raw.hex() == public
    assert opened.seed not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_key_never_replaces_a_file(tmp_path: Path, capsys) -> None:
    path = tmp_path / "body.key"
    path.write_text("a key of somebody else's")
    assert main(["key", "--out", str(path)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert path.read_text() == "a key of somebody else's"
    assert list(tmp_path.iterdir()) == [path]


def test_key_refuses_a_short_pass_phrase(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("CARBONSEAL_PASSPHRASE", "short")
    assert main(["key", "--out", str(tmp_path / "body.key")]) == 2
    assert "shorter than 8" in capsys.readouterr().err
    assert not (tmp_path / "body.key").exists()


def test_without_a_terminal_or_a_variable_nobody_is_asked(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("CARBONSEAL_PASSPHRASE")
    command = [sys.executable, "-m", "carbonseal_verifier.cli", "key", "--out", str(tmp_path / "body.key")]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "set CARBONSEAL_PASSPHRASE" in done.stderr
    assert BodyKeyRefused.code


def test_a_wrong_pass_phrase_opens_nothing(bench: Bench, monkeypatch, capsys) -> None:
    monkeypatch.setenv("CARBONSEAL_PASSPHRASE", "another one")
    assert bench.sign() == 2
    assert "does not open the key file" in capsys.readouterr().err
    assert not (bench.folder / "v.statement").exists()


# -- joining -----------------------------------------------------------------------------------------


NEWCOMER = Ed25519Signer.from_seed(b"\x07" * 32)
CODE = opaque_code("v", NEWCOMER.public.raw)


def invitation_bytes(world: BodyWorld, *, by: str = REGISTRAR, host: str = "log", **changes: Any) -> bytes:
    contents = []
    policies = {"data": changes.pop("data_policy", None)}
    for log in ("register", "data"):
        body: dict[str, Any] = {
            "origin": f"{HOST}/{CODE}/{log}", "party": CODE, "party_key": NEWCOMER.public.cose_key(),
            "log_host": LOG_HOST, "log_key": world.keys["log"].public.cose_key(), "policy": POLICY,
            "log_of_logs": EPOCHS, "chain": None, "predecessor": None, "endorsements": [], **changes,
        }  # fmt: skip
        body["policy"] = policies.get(log) or body["policy"]
        body["endorsements"] = [
            endorse(world.keys[host], "genesis", CODE, "log_host", body),
            endorse(world.keys[by], "genesis", CODE, "registrar", body),
        ]
        contents.append(
            build_content("genesis", subject=CODE, stream="genesis", interval=None, body=body, salt=b"")
        )
    return write_invitation(
        party=CODE, public_key=NEWCOMER.public, roles=["verification_body"],
        name={"zh": "核查机构", "en": "Surveyors"}, org=None, registrar=REGISTRAR, log_host=LOG_HOST,
        genesis=contents,
    )  # fmt: skip


def join(bench: Bench, invitation: bytes, url: str, *more: str) -> int:
    (bench.folder / "invitation.json").write_bytes(invitation)
    key = bench.folder / "new.key"
    if not key.exists():
        key.write_bytes(encrypt_key_file(NEWCOMER, PASSPHRASE, work_factor=1 << 14))
    words = more or ("--trust", str(bench.trust))
    return main(["join", bench.path("invitation.json"), "--key", str(key), "--service", url, *words])


def test_join_opens_both_logs_and_again_changes_nothing(bench: Bench, capsys) -> None:
    with BodyLogServer(bench.world) as server:
        assert join(bench, invitation_bytes(bench.world), server.url) == 0
        first = [list(bench.world.logs[f"{HOST}/{CODE}/{log}"].entries) for log in ("register", "data")]
        assert join(bench, invitation_bytes(bench.world), server.url) == 0
        again = [list(bench.world.logs[f"{HOST}/{CODE}/{log}"].entries) for log in ("register", "data")]
    assert again == first
    assert "was open already" in capsys.readouterr().out
    with Outbox(bench.folder / "new.key.state") as outbox:
        assert outbox.membership.party == CODE
        assert len(list(outbox.statements())) == 2


def test_join_works_from_fingerprints_alone(bench: Bench) -> None:
    keys = ("--registrar-key", bench.world.keys[REGISTRAR].public.raw.hex(), "--log-key",
            bench.world.keys["log"].public.raw.hex())  # fmt: skip
    with BodyLogServer(bench.world) as server:
        assert join(bench, invitation_bytes(bench.world), server.url, *keys) == 0


def rule(signer: str) -> dict[str, Any]:
    return {"signer": signer, "content_first": True}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"by": OPERATOR}, "endorsement by registrar"),
        ({"host": OPERATOR}, "endorsement by log_host"),
        ({"log_key": signer(OPERATOR).public.cose_key()}, "not the key of the log host"),
        ({"policy": {**POLICY, "kinds": {"verification_report": rule("log_host")}}}, "a log_host would sign"),
        ({"policy": {**POLICY, "kinds": {"document": rule("party")}}}, "leaves out kinds"),
        ({"policy": {**POLICY, "max_content_bytes": 1024}}, "limits"),
        ({"data_policy": {**POLICY, "bytes_per_day": 1 << 30}}, "state different policies"),
        (
            {"predecessor": {"origin": f"{HOST}/x/data", "tree_size": 1, "root_hash": bytes(32)}},
            "continues a closed log",
        ),
        ({"chain": {"chain_id": 31_337, "contract": bytes(20), "head_key": bytes(20)}}, "another contract"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_join_signs_nothing_that_it_should_not(
    bench: Bench, changes: dict[str, Any], why: str, capsys
) -> None:
    with BodyLogServer(bench.world) as server:
        assert join(bench, invitation_bytes(bench.world, **changes), server.url) == 2
        assert server.asked == []
    assert why in capsys.readouterr().err
    assert not (bench.folder / "new.key.state").exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda value: value.update(party="v-other"), "not the code of that public key"),
        (lambda value: value["logs"].reverse(), "in this order"),
        (lambda value: value["logs"][0].update(origin=value["logs"][1]["origin"]), "in this order"),
        (lambda value: value.update(api_key="csk_secret"), "api_key"),
        (lambda value: value.update(log_host="h-other"), "names another party, key, log or host"),
        (lambda value: value.update(public_key=signer(OPERATOR).public.raw.hex()), "not the code"),
    ],
)
def test_an_invitation_that_does_not_fit_together_is_refused(bench: Bench, change: Any, why: str) -> None:
    value = json.loads(invitation_bytes(bench.world))
    change(value)
    with pytest.raises(InvitationInvalid, match=why):
        Invitation.parse(json.dumps(value).encode())


def test_join_with_another_key_than_invited_signs_nothing(bench: Bench, capsys) -> None:
    (bench.folder / "invitation.json").write_bytes(invitation_bytes(bench.world))
    with BodyLogServer(bench.world) as server:
        words = ["--key", str(bench.key), "--service", server.url, "--trust", str(bench.trust)]
        assert main(["join", bench.path("invitation.json"), *words]) == 2
    assert "made for another key" in capsys.readouterr().err


# -- a whole engagement ------------------------------------------------------------------------------


def test_an_engagement_from_commitment_to_opinion(bench: Bench, capsys) -> None:
    world = bench.world
    with BodyLogServer(world) as server:
        service = ["--service", server.url]
        commit = ["sample", "commit", str(bench.bundle), *bench.common, "--key", str(bench.key), *service]
        commit += [
            "--size",
            "main=12",
            "--size",
            "line=5",
            "--nonce",
            bench.path("n"),
            "--out",
            bench.path("c"),
        ]
        assert main(commit) == 0
        assert stat.S_IMODE((bench.folder / "n").stat().st_mode) == 0o600
        world.anchor()
        world.anchor()
        bench.bundle, bench.trust = world.write(bench.folder)
        bench.at = format_instant(world.now + HOUR)
        draw = [str(bench.bundle), *bench.common, "--commitment", bench.path("c"), "--nonce", bench.path("n")]
        assert main(["sample", "draw", *draw]) == 0
        shown = capsys.readouterr().out
        assert "main: 12 of 192" in shown
        out = bench.path("t.json")
        assert main(["sample", "transcript", *draw, *service, "--out", out]) == 0
        transcript = parse_transcript((bench.folder / "t.json").read_bytes())
        assert (transcript.drawn, transcript.answered, transcript.is_proved_in_time) == (17, 17, True)
        check = ["sample", "check", out, "--bundle", str(bench.bundle), *bench.common]
        assert main(check) == 0
        assert "SAME BYTES: 17 slots drawn" in capsys.readouterr().out
        assert bench.sign("--transcript", out, *service) == 0
    assert [s.header.kind for s in bench.logged()][-2:] == ["tick", "verification_report"]
    file = bench.statement()
    assert file.receipt is not None
    assert file.content.body["sampling"]["transcript_digest"] == transcript.digest
    words = ["opinion", "check", bench.path("v.statement"), "--bundle", str(bench.bundle), *bench.common]
    assert main([*words, "--transcript", out, "--json", bench.path("o.json")]) == 0
    result = json.loads((bench.folder / "o.json").read_text())
    assert {step["name"]: step["outcome"] for step in result["steps"]} == dict.fromkeys(
        ("signature", "independence", "subject", "figures", "opinion", "sampling", "receipt"), "passed"
    )
    assert {call.token for call in server.asked} == {"csk_token"}


def test_no_call_carries_the_key_or_the_nonce(bench: Bench) -> None:
    seed, nonce = signer(BODY).seed, bench.folder / "n"
    with BodyLogServer(bench.world) as server:
        words = [
            "--key",
            str(bench.key),
            "--service",
            server.url,
            "--nonce",
            str(nonce),
            "--out",
            bench.path("c"),
        ]
        assert main(["sample", "commit", str(bench.bundle), *bench.common, *words]) == 0
        assert bench.sign("--service", server.url, "--opinion", "disclaimer") == 0
    secret = bytes.fromhex(nonce.read_text())
    sent = b"".join(call.body + call.path.encode() for call in server.asked)
    kept = b"".join(path.read_bytes() for path in (bench.folder / "body.key.state").iterdir())
    for data_sent in (sent, kept):
        for hidden in (seed, seed.hex().encode(), bench.key.read_bytes(), secret, secret.hex().encode()):
            assert hidden not in data_sent


def test_the_sample_check_says_what_differs(bench: Bench, capsys) -> None:
    world = bench.world
    file = world.commit(sizes={"main": 3, "line": 3})
    world.anchor()
    bench.bundle, bench.trust = world.write(bench.folder)
    bench.at = format_instant(world.now + HOUR)
    good = world.drawn(file, examined=world.examined(bench.bundle.read_bytes()))
    (bench.folder / "t.json").write_bytes(good.data.replace(b'"state": "measured"', b'"state": "missing"', 1))
    words = ["sample", "check", bench.path("t.json"), "--bundle", str(bench.bundle), *bench.common]
    assert main(words) == 1
    assert "NOT THE SAME" in capsys.readouterr().err
    (bench.folder / "t.json").write_bytes(good.data)
    assert main(words) == 0
    assert f"block {FIRST_BLOCK + 3}, 3 after the anchor" in capsys.readouterr().out


def test_a_commitment_to_an_epoch_that_is_closed_is_refused(bench: Bench, capsys) -> None:
    words = ["--key", str(bench.key), "--epoch", "2", "--nonce", bench.path("n"), "--out", bench.path("c")]
    assert main(["sample", "commit", str(bench.bundle), *bench.common, *words]) == 2
    assert "is closed already" in capsys.readouterr().err
    assert not (bench.folder / "n").exists()


# -- signing ------------------------------------------------------------------------------------------


def test_sign_writes_the_statement_and_the_reports_for_people(bench: Bench) -> None:
    assert bench.sign() == 0
    file = bench.statement()
    report = json.loads((bench.folder / "v.json").read_text(encoding="utf-8"))
    text = (bench.folder / "v.md").read_text(encoding="utf-8")
    assert report["statement_digest"] == file.statement.digest.hex()
    assert (report["opinion"], report["misstatements"], report["materiality"]) == (
        "unmodified",
        "0",
        "1.261079673",
    )
    assert report["receipt_state"] is None
    assert "**无保留意见 / unmodified**, 合理保证 / reasonable assurance" in text
    assert "| 合计 / total | 25.22159346 | 25.22159346 | 0 | tCO2e |" in text
    assert f"`{file.content.body['report_digest'].hex()}`" in text


def test_an_unmodified_opinion_that_passes_over_a_committed_sample_is_not_signed(
    bench: Bench, capsys
) -> None:
    words = ["--key", str(bench.key), "--epoch", "9", "--nonce", bench.path("n"), "--out", bench.path("c")]
    assert main(["sample", "commit", str(bench.bundle), *bench.common, *words]) == 0
    assert bench.sign() == 1
    said = capsys.readouterr().err
    digest = bench.statement("c").statement.digest.hex()
    assert f"NOT SIGNED: sampling: an unmodified one is not open: commitment {digest}" in said
    assert "--transcript, or give a disclaimer or an adverse opinion" in said
    assert not (bench.folder / "v.statement").exists()
    for opinion in ("disclaimer", "adverse"):
        assert bench.sign("--opinion", opinion, out=f"{opinion}.statement") == 0
    # Leaving the sample out once more does not reveal it.
    assert bench.sign() == 1


def test_a_commitment_is_left_out_until_an_opinion_signed_here_cites_it(bench: Bench) -> None:
    world, key = bench.world, bench.key.with_name("body.key.state")
    first, second = (world.commit(engagement=f"en-{name}") for name in ("first", "second"))
    report = first.content.body["report_digest"]
    with Outbox(key) as outbox:
        for file in (first, second):
            outbox.add(file.statement, file.content_bytes)
        assert outbox.unrevealed(report) == [first.statement.digest, second.statement.digest]
        assert outbox.unrevealed(bytes(32)) == []
    world.anchor()
    bench.bundle, bench.trust = world.write(bench.folder)
    bench.at = format_instant(world.now + HOUR)
    examined = world.examined(bench.bundle.read_bytes())
    for name, file in (("first", first), ("second", second)):
        (bench.folder / f"{name}.json").write_bytes(world.drawn(file, examined=examined).data)
    # The second draw hides the first no better than no draw at all.
    assert bench.sign("--transcript", bench.path("second.json"), out="2.statement") == 1
    assert bench.sign("--transcript", bench.path("first.json"), out="1.statement") == 0
    assert bench.sign("--transcript", bench.path("second.json"), out="2.statement") == 0
    assert bench.sign(out="3.statement") == 0
    with Outbox(key) as outbox:
        assert outbox.unrevealed(report) == []


def test_an_opinion_without_a_sample_says_so(bench: Bench, capsys) -> None:
    assert bench.sign() == 0
    assert "unmodified at reasonable assurance, no sample was drawn: " in capsys.readouterr().out
    report = json.loads((bench.folder / "v.json").read_text(encoding="utf-8"))
    assert report["sampling_text"] == {"zh": "没有抽样", "en": "no sample was drawn"}
    assert "没有抽样 / no sample was drawn" in (bench.folder / "v.md").read_text(encoding="utf-8")


def test_a_long_list_of_unanswered_slots_says_how_many_it_leaves_out(tmp_path: Path, capsys) -> None:
    made = BodyWorld().found()
    made.measure(change=lambda meter, slot, value: None if (meter, slot % 4) == (MAIN, 1) else value)
    made.file()
    file = made.commit(sizes={"main": 192, "line": 1})
    made.anchor()
    bench = Bench(made, tmp_path)
    (tmp_path / "c").write_bytes(file.to_bytes())
    (tmp_path / "n").write_text(NONCE.hex())
    words = ["--commitment", bench.path("c"), "--nonce", bench.path("n"), "--out", bench.path("t.json")]
    assert main(["sample", "transcript", str(bench.bundle), *bench.common, *words]) == 0
    said = capsys.readouterr().out
    assert said.count("  no answer: main/") == 20
    assert f"  … and 28 more; {bench.path('t.json')} lists every slot" in said


def test_a_finding_cannot_smuggle_markup_into_the_report(bench: Bench) -> None:
    findings = bench.folder / "findings.toml"
    findings.write_text(
        '[[finding]]\nfinding = "nc-1"\ntype = "observation"\nseverity = "minor"\nstate = "closed"\n'
        'zh = "[好](http://a.example) # <b>"\nen = "| a | **b**"\n',
        encoding="utf-8",
    )
    assert bench.sign("--findings", str(findings)) == 0
    text = (bench.folder / "v.md").read_text(encoding="utf-8")
    assert "\\[好\\](http://a.example) \\# \\<b\\>" in text
    assert "\\| a \\| \\*\\*b\\*\\*" in text


def test_an_opinion_against_the_facts_is_not_signed(tmp_path: Path, capsys) -> None:
    made = BodyWorld().found()
    made.measure()
    made.file(report_body=lambda signed: {**signed, "totals": {"total": {"value": "1", "unit": "tCO2e"}}})
    bench = Bench(made, tmp_path)
    assert bench.sign() == 1
    assert (
        "NOT SIGNED: opinion: an unmodified one is not open: step recompute did not pass"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "v.statement").exists()
    assert not (tmp_path / "body.key.state").exists()
    assert bench.sign("--opinion", "adverse") == 0
    assert bench.statement().content.body["figures"]["total"]["difference"]["value"] == "-24.22159346"


def test_an_open_finding_with_an_amount_beyond_materiality_bars_an_unmodified_opinion(
    bench: Bench, capsys
) -> None:
    findings = bench.folder / "findings.json"
    figure = {"operator": "25.22159346", "verification_body": "28", "unit": "tCO2e"}
    row = {"finding": "nc-1", "type": "misstatement", "severity": "major", "state": "open", "zh": "漏报",
           "en": "left out", "figure": figure}  # fmt: skip
    findings.write_text(json.dumps({"finding": [row]}), encoding="utf-8")
    assert bench.sign("--findings", str(findings)) == 1
    assert "2.77840654 tCO2e misstated, and 1.261079673 tCO2e is material" in capsys.readouterr().err
    findings.write_text(json.dumps({"finding": [{**row, "state": "closed"}]}), encoding="utf-8")
    assert bench.sign("--findings", str(findings)) == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[finding]]\nfinding = 'a'", "is missing"),
        ("nonsense", "not TOML"),
        ("surprise = 1", "finding"),
        ("[[finding]]\nfinding='a'\ntype='guess'\nseverity='minor'\nstate='open'\nzh=''\nen=''", "type"),
        (
            "[[finding]]\nfinding='a'\ntype='observation'\nseverity='minor'\nstate='open'\nzh=''\nen=''\ndigests=['zz']",
            "hex",
        ),
        (
            2
            * "[[finding]]\nfinding='a'\ntype='observation'\nseverity='minor'\nstate='open'\nzh=''\nen=''\n",
            "twice",
        ),
    ],
)
def test_malformed_findings_are_refused_before_any_work(bench: Bench, text: str, why: str, capsys) -> None:
    (bench.folder / "f.toml").write_text(text, encoding="utf-8")
    assert bench.sign("--findings", bench.path("f.toml")) == 2
    assert why in capsys.readouterr().err


def test_a_second_opinion_is_not_signed_by_accident(bench: Bench, capsys) -> None:
    assert bench.sign() == 0
    before = (bench.folder / "v.statement").read_bytes()
    assert bench.sign() == 2
    assert "a second opinion would stand beside the first" in capsys.readouterr().err
    assert (bench.folder / "v.statement").read_bytes() == before


def test_the_enterprises_own_key_signs_no_opinion(tmp_path: Path, capsys) -> None:
    bench = Bench(verified(), tmp_path, key=OPERATOR)
    assert bench.sign() == 1
    assert "not admitted as verification_body" in capsys.readouterr().err
    assert not (tmp_path / "v.statement").exists()


# -- sending ------------------------------------------------------------------------------------------


def test_a_lost_answer_is_sent_again_as_the_very_same_bytes(bench: Bench, capsys) -> None:
    with BodyLogServer(bench.world, loses_answers=1) as server:
        assert bench.sign("--service", server.url) == 1
        assert "NOT LOGGED" in capsys.readouterr().err
        words = ["submit", bench.path("v.statement"), "--trust", str(bench.trust), "--service", server.url]
        assert main(words) == 0
        assert main(words) == 0
    bodies = {call.body for call in server.asked if call.path.endswith("/entries")}
    assert len(bodies) == 1
    assert sum(s.header.kind == "verification_report" for s in bench.logged()) == 1
    assert bench.statement().receipt is not None


def test_what_waits_is_sent_before_anything_new_is_signed(bench: Bench) -> None:
    with BodyLogServer(bench.world, failures=[]) as server:
        assert bench.sign() == 0  # signed without a service: it waits
        assert bench.sign("--opinion", "modified", "--service", server.url, out="w.statement") == 0
    reports = [s for s in bench.logged() if s.header.kind == "verification_report"]
    assert [s.header.sequence for s in reports] == [0, 1]
    assert reports[0].digest == bench.statement().statement.digest == reports[1].header.previous


def test_an_unreachable_service_leaves_the_signed_bytes(bench: Bench, capsys) -> None:
    with BodyLogServer(bench.world, failures=[]) as server:
        url = server.url
    assert bench.sign("--service", url) == 1
    assert "does not answer" in capsys.readouterr().err
    # Nothing was signed: where the stream stands has to be known first.
    assert not (bench.folder / "v.statement").exists()


def test_a_forged_receipt_does_not_count(bench: Bench, capsys) -> None:
    with BodyLogServer(bench.world, receipt_key=OPERATOR) as server:
        assert bench.sign("--service", server.url) == 1
    assert "receipt: does not hold" in capsys.readouterr().err
    assert bench.statement().receipt is None


def test_a_log_that_shows_another_history_gets_no_signature(bench: Bench, capsys) -> None:
    with BodyLogServer(bench.world) as server:
        assert bench.sign("--service", server.url) == 0
        log = bench.world.logs[data(BODY)]
        log.entries[1] = log.entries[2]
        log.entries.append(log.entries[0])
        assert bench.sign("--service", server.url, "--opinion", "modified", out="w.statement") == 1
    assert "another history than the one seen before" in capsys.readouterr().err
    assert not (bench.folder / "w.statement").exists()


def test_a_log_with_another_statement_at_our_place_gets_no_signature(bench: Bench, capsys) -> None:
    with BodyLogServer(bench.world) as server:
        assert bench.sign("--service", server.url) == 0
        log = bench.world.logs[data(BODY)]
        kid = bench.world.keys[BODY].public.kid
        log.streams[kid, "verification_report"] = (0, b"\x05" * 32)
        assert bench.sign("--service", server.url, "--opinion", "modified", out="w.statement") == 2
    assert "another statement number 0 than was signed here" in capsys.readouterr().err


def test_a_new_folder_goes_on_where_the_log_stands(bench: Bench) -> None:
    with BodyLogServer(bench.world) as server:
        assert bench.sign("--service", server.url) == 0
        other = bench.path("elsewhere")
        assert (
            bench.sign("--service", server.url, "--opinion", "modified", "--state", other, out="w.statement")
            == 0
        )
    reports = [s for s in bench.logged() if s.header.kind == "verification_report"]
    assert reports[1].header.previous == reports[0].digest


def test_a_token_does_not_travel_in_the_clear(bench: Bench, capsys) -> None:
    assert bench.sign("--service", "http://log.carbonseal.example") == 1
    assert "in the clear" in capsys.readouterr().err


def test_withdrawing_goes_into_the_register_log(bench: Bench, capsys) -> None:
    world = bench.world
    with BodyLogServer(world) as server:
        invitation = invitation_bytes(world)
        assert join(bench, invitation, server.url) == 0
        words = ["--key", bench.path("new.key"), "--trust", str(bench.trust), "--service", server.url]
        digest = "ab" * 32
        out = ["--out", bench.path("w.statement")]
        assert main(["withdraw", digest, "--reason", "a site visit showed otherwise", *words, *out]) == 0
    last = SignedStatement.parse(world.logs[f"{HOST}/{CODE}/register"].entries[-1])
    body = bench.statement("w.statement").content.body
    assert (last.header.kind, last.header.issuer) == ("withdrawal", CODE)
    assert body == {
        "withdraws": bytes.fromhex(digest),
        "role": "verification_body",
        "reason": "a site visit showed otherwise",
    }
    assert main(["withdraw", "ab", "--reason", "x", *words]) == 2
    assert "64 hexadecimal" in capsys.readouterr().err


def test_without_joining_nothing_is_withdrawn(bench: Bench, capsys) -> None:
    words = ["--key", str(bench.key), "--trust", str(bench.trust), "--out", bench.path("w")]
    assert main(["withdraw", "ab" * 32, "--reason", "x", *words]) == 2
    assert "has not joined" in capsys.readouterr().err


@pytest.mark.parametrize("damage", [b"", b"\x00", b"not a statement"])
def test_a_damaged_outbox_stops_signing(bench: Bench, damage: bytes, capsys) -> None:
    assert bench.sign() == 0
    next((bench.folder / "body.key.state").glob("*.statement")).write_bytes(damage)
    assert bench.sign("--opinion", "modified", out="w.statement") == 2
    assert "never sign without it" in capsys.readouterr().err


def test_two_processes_never_sign_with_one_outbox(bench: Bench, capsys) -> None:
    with Outbox(bench.folder / "body.key.state"):
        assert bench.sign() == 2
    assert "in use by another process" in capsys.readouterr().err


# -- opinion check on what others hand over ---------------------------------------------------------


def test_opinion_check_finds_a_changed_file(bench: Bench, capsys) -> None:
    assert bench.sign() == 0
    path = bench.folder / "v.statement"
    raw = bytearray(path.read_bytes())
    words = ["opinion", "check", str(path), "--bundle", str(bench.bundle), *bench.common]
    assert main(words) == 0
    for at in (5, len(raw) // 2, len(raw) - 2):
        changed = bytearray(raw)
        changed[at] ^= 1
        path.write_bytes(changed)
        assert main(words) in {1, 2}
    path.write_bytes(raw)
    other = Bench(verified(body_key="somebody else"), bench.folder / "other")
    words = ["opinion", "check", str(path), "--bundle", str(other.bundle), *other.common]
    assert main(words) == 1
    assert re.search(r"signature\s+FAILED", capsys.readouterr().out)


def test_help_shows_every_command_of_a_body(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("key", "join", "sample", "sign", "opinion", "submit", "withdraw"))


def test_names_used_above_are_the_worlds(bench: Bench) -> None:
    assert (register(BODY), MAIN) == (f"{HOST}/{BODY}/register", "m-main")


def test_a_body_endorses_its_new_key_with_both(bench: Bench, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("CARBONSEAL_PASSPHRASE", "correct horse battery")
    old, new, other = (tmp_path / name for name in ("old.key", "new.key", "other.key"))
    keys = {}
    for path in (old, new, other):
        assert main(["key", "--out", str(path)]) == 0
        keys[path] = decrypt_key_file(path.read_bytes(), "correct horse battery")
    standing = {
        "party": BODY, "status": "admitted", "roles": ["verification_body"],
        "key": keys[old].public.cose_key(), "register_origin": register(BODY), "data_origin": data(BODY),
        "name": {"zh": "核查机构", "en": "Body"}, "org": None, "endorsements": [],
    }  # fmt: skip
    wish, out = tmp_path / "rotation.json", tmp_path / "endorsed.json"
    wish.write_bytes(write_rotation(rekeyed(standing, keys[new].public)))
    words = ["rotate", str(wish), "--key", str(old), "--out", str(out)]
    assert main([*words, "--new", str(other)]) == 2
    assert "written for another key" in capsys.readouterr().err
    assert main([*words, "--new", str(new)]) == 0
    assert f"{BODY} (Body), admitted as verification_body" in capsys.readouterr().out
    book = PartyBook(REGISTRAR)
    for body in (standing, read_rotation(out.read_bytes())):
        book.check(BODY, body)
        book.apply(0, body)
    assert book.records[BODY].key.kid == keys[new].public.kid
