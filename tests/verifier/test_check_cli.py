"""`carbonseal-verifier check`: what it prints, what it writes, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bundle_factory import HOUR, honest, signer, to_bytes

from carbonseal_attest.instants import format_instant
from carbonseal_attest.trust import format_trust_file, sign_trust_file
from carbonseal_verifier.check import STEPS
from carbonseal_verifier.cli import main


@pytest.fixture(scope="module")
def world():
    return honest()


@pytest.fixture
def files(world, tmp_path):
    bundle, trust = tmp_path / "evidence.bundle", tmp_path / "trust.toml"
    bundle.write_bytes(to_bytes(world.bundle()))
    trust.write_bytes(sign_trust_file(world.trust(), signer("publisher")))
    return str(bundle), str(trust)


def test_prints_the_publisher_first_then_a_line_a_step_and_exits_0(world, files, capsys):
    bundle, trust = files
    at = format_instant(world.now + HOUR)
    assert main(["check", bundle, "--trust", trust, "--at", at]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'trust file: the demo ("made by the demo")'
    assert lines[1].startswith("  SHA-256 ")
    key = signer("publisher").public
    words = f"signed by key {key.kid.hex()[:16]}… (raw public key {key.raw.hex()})"
    assert lines[2] == f"  {words}"
    assert lines[3].startswith("trust-file")
    assert words in lines[3]
    assert len(lines) == 3 + len(STEPS) + 1
    assert lines[-1].startswith("PASSED")


def test_writes_the_result_as_json(world, files, tmp_path, capsys):
    bundle, trust = files
    out = tmp_path / "result.json"
    main(["check", bundle, "--trust", trust, "--at", format_instant(world.now), "--json", str(out)])
    result = json.loads(out.read_text())
    assert result["passed"] is True
    assert result["publisher"] == "the demo"
    assert result["trust_signer"] == signer("publisher").public.raw.hex()
    assert {"name", "required", "outcome", "reason"} == set(result["steps"][0])


def test_json_on_standard_output_is_alone_there(world, files, capsys):
    bundle, trust = files
    main(["check", bundle, "--trust", trust, "--at", format_instant(world.now), "--json", "-"])
    assert json.loads(capsys.readouterr().out)["passed"] is True


def test_exits_1_when_a_step_fails_and_names_it(world, files, capsys):
    bundle, trust = files
    late = format_instant(world.now + 100 * HOUR)
    assert main(["check", bundle, "--trust", trust, "--at", late]) == 1
    assert "NOT PASSED: caught at step freshness" in capsys.readouterr().out


def test_exits_1_for_a_file_that_is_no_bundle(files, tmp_path, capsys):
    noise = tmp_path / "noise"
    noise.write_bytes(b"PK\x03\x04 not a bundle")
    assert main(["check", str(noise), "--trust", files[1]]) == 1
    assert "NOT PASSED: caught at step container" in capsys.readouterr().out


@pytest.mark.parametrize("text", [b"", b"not toml [", b'format = "carbonseal-trust/v1"\n', b"\xff\xfe"])
def test_exits_2_for_a_broken_trust_file_with_one_line(files, tmp_path, capsys, text):
    trust = tmp_path / "broken.toml"
    trust.write_bytes(text)
    assert main(["check", files[0], "--trust", str(trust)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_exits_2_for_a_trust_file_whose_signature_fails(files, tmp_path, capsys):
    trust = tmp_path / "forged.toml"
    trust.write_bytes(Path(files[1]).read_bytes().replace(b"the demo", b"the moon", 1))
    assert main(["check", files[0], "--trust", str(trust)]) == 2


def test_exits_2_for_bad_usage(files, tmp_path, capsys):
    bundle, trust = files
    assert main(["check", str(tmp_path / "none"), "--trust", trust]) == 2
    assert main(["check", str(tmp_path), "--trust", trust]) == 2
    assert main(["check", bundle, "--trust", str(tmp_path / "none")]) == 2
    assert main(["check", bundle, "--trust", trust, "--at", "yesterday"]) == 2
    with pytest.raises(SystemExit) as error:
        main(["check", bundle])
    assert error.value.code == 2


@pytest.mark.parametrize("asked", ["publisher", "another"])
def test_passes_only_under_a_trust_file_signed_by_the_key_that_the_user_names(world, files, capsys, asked):
    bundle, trust = files
    arguments = ["check", bundle, "--trust", trust, "--at", format_instant(world.now)]
    code = main([*arguments, "--trust-signer", signer(asked).public.raw.hex()])
    assert code == (0 if asked == "publisher" else 2)
    assert capsys.readouterr().err.count("\n") == (0 if asked == "publisher" else 1)


def test_shows_that_a_trust_file_is_not_signed_and_refuses_it_where_a_signer_is_named(
    world, files, tmp_path, capsys
):
    unsigned, out = tmp_path / "unsigned.toml", tmp_path / "result.json"
    unsigned.write_text(format_trust_file(world.trust()))
    arguments = ["check", files[0], "--trust", str(unsigned), "--at", format_instant(world.now)]
    assert main([*arguments, "--json", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "  NOT SIGNED"
    assert lines[3].endswith("NOT SIGNED")
    assert json.loads(out.read_text())["trust_signer"] is None
    assert main([*arguments, "--trust-signer", signer("publisher").public.raw.hex()]) == 2
    assert main([*arguments, "--trust-signer", "publisher"]) == 2


def test_refuses_a_result_path_before_the_work_begins(world, files, tmp_path, capsys):
    bundle, trust = files
    for out in (tmp_path, tmp_path / "none" / "result.json"):
        assert main(["check", bundle, "--trust", trust, "--json", str(out)]) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.count("\n") == 1


def test_says_in_words_that_a_file_is_not_there(files, tmp_path, capsys):
    assert main(["check", str(tmp_path / "nowhere.bundle"), "--trust", files[1]]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "nowhere.bundle' can't be opened: there is no such file; give the path" in shown.err
    assert "Errno" not in shown.err


@pytest.mark.parametrize("command", ["check", "check --trust", "show", "trust show", "conformance note"])
def test_refuses_what_never_answers_or_never_ends_at_once(command, files, tmp_path, capsys):
    bundle, trust = files
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for path in (str(tmp_path / "pipe"), str(tmp_path / "link")):
        given = {"check": [path, "--trust", trust], "check --trust": [path, bundle]}.get(command, [path])
        assert main([*command.split(), *given]) == 2
        assert "is no regular file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("redirected", "code"), [(">&-", 0), (">&- 2>&-", 0), ("--json - >&- 2>&-", 0), (">/dev/full", 2)]
)
def test_an_output_that_is_closed_or_full_ends_without_a_traceback(redirected, code, world, files):
    bundle, trust = files
    words = f'"{sys.executable}" -m carbonseal_verifier.cli check "{bundle}" --trust "{trust}"'
    words += f" --at {format_instant(world.now)} {redirected}"
    done = subprocess.run(["bash", "-c", words], capture_output=True, timeout=120, check=False)
    assert done.returncode == code, done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_a_node_that_does_not_answer_fails_the_anchor_step(world, files, capsys):
    bundle, trust = files
    arguments = ["check", bundle, "--trust", trust, "--at", format_instant(world.now)]
    assert main([*arguments, "--rpc", "http://127.0.0.1:9"]) == 1
    assert "the node does not answer eth_chainId" in capsys.readouterr().out


def test_an_address_that_is_none_fails_the_anchor_step(world, files, capsys):
    bundle, trust = files
    arguments = ["check", bundle, "--trust", trust, "--at", format_instant(world.now)]
    assert main([*arguments, "--rpc", "nowhere"]) == 1
    assert "caught at step anchor" in capsys.readouterr().out


def test_says_when_an_anchor_is_not_required(tmp_path, capsys):
    world = honest(with_anchor=False)
    bundle, trust = tmp_path / "evidence.bundle", tmp_path / "trust.toml"
    bundle.write_bytes(to_bytes(world.bundle()))
    relaxed = world.trust(is_anchor_required=False)
    trust.write_text(format_trust_file(relaxed))
    assert main(["check", str(bundle), "--trust", str(trust), "--at", format_instant(world.now)]) == 0
    assert "(not required)" in capsys.readouterr().out
