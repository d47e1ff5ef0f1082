from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from bundle_factory import HOUR, PROFILE, START, World, signer

from carbonseal_attest.chain_profile import TrustedBlock
from carbonseal_attest.trust import (
    Algorithms,
    ClosedLog,
    LogKey,
    TrustedRegistrar,
    TrustFile,
    format_trust_file,
    sign_trust_file,
)
from carbonseal_verifier.cli import main
from carbonseal_verifier.trust_changes import changes, verdict

DAY = 24 * HOUR
PUBLISHER = signer("publisher")


@pytest.fixture(scope="module")
def trust() -> TrustFile:
    return World().found().trust()


@pytest.fixture
def path(trust: TrustFile, tmp_path: Path) -> Path:
    file = tmp_path / "trust.toml"
    file.write_bytes(sign_trust_file(trust, PUBLISHER))
    return file


def limited(trust: TrustFile, **limits: object) -> TrustFile:
    return replace(trust, limits=replace(trust.limits, **limits))


def test_show_says_in_words_what_the_file_lets_pass(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trust", "show", str(path)]) == 0
    shown = capsys.readouterr().out
    for words in (
        'the demo ("made by the demo")',
        f"Signed by key {PUBLISHER.public.raw.hex()}.",
        "Whose key that is, no file can say",
        "Nobody has a role that none of them gave.",
        "Nobody: no witness is asked",
        "Without proof from a chain nothing passes.",
        "at most 48 hours old at the check",
        "No other algorithm.",
        f"Data codes by {PROFILE}, and by no other rule profile.",
        "No low-carbon grade counts.",
    ):
        assert words in shown


def test_show_says_plainly_what_is_weak(trust: TrustFile, tmp_path: Path, capsys) -> None:
    (chain,) = trust.chains
    weak = limited(trust, is_anchor_required=False, grade_profiles=("CARBON-EFFICIENCY@1.0.0",))
    weak = replace(weak, chains=(replace(chain, header_profile="qbft", trusted_blocks=()),))
    weak = replace(weak, closed_logs=(ClosedLog("log.example.org/e-a/data", 7, bytes(32), None),))
    file = tmp_path / "weak.toml"
    file.write_text(format_trust_file(weak))
    assert main(["trust", "show", str(file)]) == 0
    shown = capsys.readouterr().out
    for words in (
        "NOT SIGNED: nothing shows that the publisher wrote it.",
        "NO proof from a chain is needed",
        "its anchor can be checked online only",
        "log.example.org/e-a/data counts up to size 7",
        "Low-carbon grades by CARBON-EFFICIENCY@1.0.0, and by no other rule.",
    ):
        assert words in shown


def test_show_as_json_holds_every_fact(path: Path, trust: TrustFile, capsys) -> None:
    assert main(["trust", "show", str(path), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["signed_by"] == PUBLISHER.public.raw.hex()
    assert value["commit_delay_hours"] == 26
    assert list(value["algorithms"]) == ["-19"]
    assert value["log_hosts"][0]["keys"][0]["from_size"] == 0
    assert value["chains"][0]["contract"] == trust.chains[0].contract.hex()


def test_fingerprint_is_the_digest_in_groups_and_the_publishers_key(path: Path, capsys) -> None:
    assert main(["trust", "fingerprint", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    digest = TrustFile.parse(path.read_bytes()).digest.hex()
    assert "".join(lines[1:5]).replace(" ", "") == digest
    assert lines[1].split() == [digest[at : at + 4] for at in range(0, 16, 4)]
    assert PUBLISHER.public.raw.hex() in lines[-1]


def test_fingerprint_says_when_nobody_signed(path: Path, trust: TrustFile, capsys) -> None:
    path.write_text(format_trust_file(trust))
    assert main(["trust", "fingerprint", str(path)]) == 0
    assert "NOT SIGNED" in capsys.readouterr().out


def test_diff_exits_0_for_the_same_facts_1_for_others_and_2_for_no_trust_file(
    path: Path, trust: TrustFile, tmp_path: Path, capsys
) -> None:
    other, broken = tmp_path / "other.toml", tmp_path / "broken.toml"
    other.write_bytes(sign_trust_file(limited(trust, max_age_ms=72 * HOUR), PUBLISHER))
    broken.write_text("format = 1")
    assert main(["trust", "diff", str(path), str(path)]) == 0
    assert capsys.readouterr().out == "same: both say the same\n"
    assert main(["trust", "diff", str(path), str(other)]) == 1
    shown = capsys.readouterr().out
    assert "wider     greatest age of the newest anchored head: 48 hours -> 72 hours" in shown
    assert main(["trust", "diff", str(path), str(other), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "wider"
    assert main(["trust", "diff", str(path), str(broken)]) == 2
    assert main(["trust", "diff", str(path), str(tmp_path / "none.toml")]) == 2


def test_a_comment_is_no_change(trust: TrustFile) -> None:
    text = format_trust_file(trust)
    assert not changes(trust, TrustFile.parse(f"# a comment\n{text}".encode()))


def _wider(trust: TrustFile) -> dict[str, TrustFile]:
    (host,), (chain,) = trust.log_hosts, trust.chains
    block = TrustedBlock(99, b"\x01" * 32, "another node")
    second = TrustedRegistrar("r-second", "log.second.example/r-second/register", signer("second").public)
    dates = trust.algorithms.last_dates
    return {
        "older heads": limited(trust, max_age_ms=49 * HOUR),
        "heads of any age": limited(trust, max_age_ms=None),
        "an earlier instant": limited(trust, not_before=START - DAY),
        "no anchor": limited(trust, is_anchor_required=False),
        "later values": limited(trust, commit_delay_ms=50 * HOUR),
        "another rule profile": limited(trust, rule_profiles=(PROFILE, "lenient@1")),
        "another grade rule": limited(trust, grade_profiles=("CARBON-EFFICIENCY@1.0.0",)),
        "another algorithm": replace(trust, algorithms=Algorithms({**dates, -7: START})),
        "a later last date": replace(trust, algorithms=Algorithms({n: d + DAY for n, d in dates.items()})),
        "another registrar": replace(trust, registrars=(*trust.registrars, second)),
        "more origins": replace(trust, log_hosts=(replace(host, origin_prefix=host.origin_prefix[:-9]),)),
        "a key revived": replace(
            trust, log_hosts=(replace(host, keys=(*host.keys, LogKey(signer("x").public, 0, None))),)
        ),
        "another block": replace(
            trust, chains=(replace(chain, trusted_blocks=(*chain.trusted_blocks, block)),)
        ),
        "another chain": replace(trust, chains=(chain, replace(chain, chain_id=5))),
    }


@pytest.mark.parametrize("what", list(_wider(World().found().trust())))
def test_what_lets_more_pass_is_wider_and_the_other_way_round_narrower(trust: TrustFile, what: str) -> None:
    base = limited(trust, not_before=START)
    wide = _wider(base)[what]
    assert {change.effect for change in changes(base, wide)} == {"wider"}
    assert {change.effect for change in changes(wide, base)} == {"narrower"}
    assert verdict(changes(base, wide)).startswith("wider")


def test_a_closed_log_makes_the_trust_narrower(trust: TrustFile) -> None:
    closed = replace(trust, closed_logs=(ClosedLog("log.example.org/e-a/data", 7, bytes(32), None),))
    assert [change.effect for change in changes(trust, closed)] == ["narrower"]
    assert [change.effect for change in changes(closed, trust)] == ["wider"]


def test_another_key_publisher_or_contract_is_neither_wider_nor_narrower(trust: TrustFile) -> None:
    (registrar,), (chain,) = trust.registrars, trust.chains
    for other in (
        replace(trust, publisher="somebody else"),
        replace(trust, registrars=(replace(registrar, key=signer("thief").public),)),
        replace(trust, chains=(replace(chain, contract=bytes(20)),)),
        replace(trust, signed_by=PUBLISHER.public),
        limited(replace(trust, published_at=trust.published_at + DAY), max_age_ms=HOUR),
    ):
        assert verdict(changes(trust, other)).startswith("different")


def test_a_file_that_lost_its_signature_is_refused_not_read_as_unsigned(path: Path, capsys) -> None:
    path.write_text(path.read_text().partition("# signature")[0])
    assert main(["trust", "show", str(path)]) == 2
    assert "signature: is not that of publisher_key" in capsys.readouterr().err


def test_a_missing_part_is_refused_by_the_command_with_what_to_write(
    path: Path, trust: TrustFile, capsys
) -> None:
    text = format_trust_file(trust)
    start, end = text.index("[commit_delay]"), text.index("[profiles]")
    path.write_text(text[:start] + text[end:])
    assert main(["trust", "show", str(path)]) == 2
    assert "commit_delay: is missing; write [commit_delay] with limit_hours" in capsys.readouterr().err


def test_sign_writes_key_and_signature_and_keeps_comments(
    trust: TrustFile, tmp_path: Path, monkeypatch, capsys
):
    monkeypatch.setenv("CARBONSEAL_PASSPHRASE", "a long pass phrase")
    key, draft, out = tmp_path / "publisher.key", tmp_path / "draft.toml", tmp_path / "trust.toml"
    assert main(["key", "--out", str(key)]) == 0
    draft.write_text("# ours\n" + format_trust_file(trust))
    for source in (draft, out):  # the second time an earlier signature is replaced
        assert main(["trust", "sign", str(source), "--key", str(key), "--out", str(out)]) == 0
        signed = TrustFile.parse(out.read_bytes())
        assert out.read_text().startswith("# ours\n")
        assert signed.signed_by is not None
        assert signed.signed_by.text() in capsys.readouterr().out
    assert [change.what for change in changes(trust, signed)] == ["signed by"]


@pytest.mark.parametrize("text", ["", "format = 1\n", 'publisher_key = "none"\n', "\x00"])
def test_sign_refuses_what_is_no_trust_file(text: str, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("CARBONSEAL_PASSPHRASE", "a long pass phrase")
    key, draft, out = tmp_path / "publisher.key", tmp_path / "draft.toml", tmp_path / "trust.toml"
    assert main(["key", "--out", str(key)]) == 0
    draft.write_text(text)
    assert main(["trust", "sign", str(draft), "--key", str(key), "--out", str(out)]) == 2
    assert not out.exists()
