"""`carbonseal recover`: it says what disagrees, and does nothing without two operators' keys."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from itertools import count
from pathlib import Path

import pytest

from carbonseal_api.cli import main
from carbonseal_api.deployment import found_deployment, open_deployment
from carbonseal_api.problems import SettingsInvalid
from carbonseal_api.settings import load_settings
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_ledger.database import stop_embedded
from carbonseal_ledger.errors import RollbackDetected
from carbonseal_verifier.body_key import make_key

_numbers = count()


class House:
    """A deployment whose operators keep their keys elsewhere."""

    def __init__(self, root: Path, monkeypatch) -> None:
        monkeypatch.setenv("CARBONSEAL_PASSPHRASE", "a long enough pass phrase")
        self.data, self.root = root / "d", root
        self.copy = root / "other-disk"
        root.mkdir()
        keys = {name: make_key(root / f"{name}.key", -19).public.text() for name in ("ada", "bo", "eve")}
        monkeypatch.setenv("CARBONSEAL_PUBLISHED_FOLDER", str(self.copy))
        monkeypatch.setenv(
            "CARBONSEAL_OPERATORS", ",".join(f"{n}={k}" for n, k in keys.items() if n != "eve")
        )
        self.settings = load_settings(data_folder=self.data)
        parts = found_deployment(self.settings)
        self.register = f"{self.settings.log_host_name}/{parts.host_party}/register"
        self.registrar = f"{self.settings.log_host_name}/{parts.registrar}/register"
        parts.host.tick(self.registrar)
        parts.host.tick(self.register)
        parts.host.build_epoch()
        parts.close()

    def run(self, act: str, *rest: str) -> int:
        return main(["recover", act, *rest, *(["--data", str(self.data)] if act != "approve" else [])])


@pytest.fixture(scope="module")
def house():
    root = Path(tempfile.gettempdir(), f"cs-rc-{os.getpid()}-{next(_numbers)}")
    patch = pytest.MonkeyPatch()
    try:
        yield House(root, patch)
    finally:
        patch.undo()
        stop_embedded(root / "d" / "pg")
        shutil.rmtree(root, ignore_errors=True)


def test_status_says_what_disagrees_and_who_may_do_what(house, capsys):
    assert house.run("status") == 0
    assert "nothing keeps the ledger from running" in capsys.readouterr().out
    shutil.move(house.copy / house.registrar, house.root / "aside")
    try:
        assert house.run("status") == 1
        said = capsys.readouterr().out
        assert "rollback-detected: published copy: of" in said
        assert f"two operators may: rebuild --origin {house.registrar}" in said
        assert house.run("status", "--json") == 1
        told = json.loads(capsys.readouterr().out)
        assert not told["runs"]
        assert [f["act"] for f in told["findings"]] == ["rebuild"]
    finally:
        shutil.move(house.root / "aside", house.copy / house.registrar)


def test_two_operators_rebuild_a_lost_copy_by_command(house, capsys, tmp_path):
    shutil.rmtree(house.copy / house.registrar)
    with pytest.raises(RollbackDetected):
        open_deployment(house.settings)
    file = tmp_path / "decision.json"
    propose = ["rebuild", "--origin", house.registrar, "--reason", "the disk failed", "--out", str(file)]
    assert house.run("propose", *propose, "--by", "ada", "--by", "bo") == 0
    assert house.run("carry-out", str(file)) == 2  # nobody has signed it
    assert house.run("approve", str(file), "--key", str(house.root / "ada.key")) == 0
    assert house.run("approve", str(file), "--key", str(house.root / "ada.key")) == 0
    assert house.run("carry-out", str(file)) == 2  # one has, twice
    assert house.run("approve", str(file), "--key", str(house.root / "eve.key")) == 2
    assert "does not name this key" in capsys.readouterr().err
    assert house.run("approve", str(file), "--key", str(house.root / "bo.key")) == 0
    assert "signed    1 of 2" in capsys.readouterr().out
    assert house.run("carry-out", str(file), "--json") == 0
    done = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (done["origin"], done["register"], done["findings"]) == (house.registrar, house.register, 0)
    parts = open_deployment(house.settings)
    assert parts.host.entry(house.register, done["index"]).kind == "recovery"
    parts.close()


def test_a_damaged_decision_file_is_refused_in_one_line(house, capsys, tmp_path):
    file = tmp_path / "decision.json"
    for text in (
        "",
        "{}",
        "[]",
        '{"format": "carbonseal-recovery/1", "host": "h-x", "decision": 1}',
        "\ufeff",
    ):
        file.write_text(text)
        assert house.run("carry-out", str(file)) == 2
        assert house.run("approve", str(file), "--key", str(house.root / "ada.key")) == 2
        assert capsys.readouterr().err.count("\n") == 2
    assert house.run("carry-out", str(tmp_path / "nowhere")) == 2


def test_proposals_that_make_no_sense_are_refused(house, capsys, tmp_path):
    out = ["--reason", "x", "--out", str(tmp_path / "d.json")]
    by = ["--by", "ada", "--by", "bo"]
    for act, rest, said in (
        ("rebuild", by, "is the log that is rebuilt"),
        ("let-clock-stand", [*by, "--origin", house.registrar], "is the log that is rebuilt"),
        ("start-without", by, "whom to start without"),
        ("let-clock-stand", ["--by", "ada"], "two different operators"),
        ("let-clock-stand", ["--by", "ada", "--by", "ada"], "two different operators"),
        ("let-clock-stand", ["--by", "ada", "--by", "mallory"], "no operator; the settings name ada, bo"),
        ("let-clock-stand", by, "nothing that is wrong"),
    ):
        assert house.run("propose", act, *rest, *out) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "d.json").exists()


@pytest.mark.parametrize("operators", ["ada", "ada=", "=00", "ada=zz", "ada={a},ada={b}", "ada={a},bo={a}"])
def test_settings_refuse_operators_without_name_or_key_or_named_twice(operators):
    a, b = (Ed25519Signer.from_seed(bytes([n]) * 32).public.text() for n in (1, 2))
    with pytest.raises(SettingsInvalid):
        load_settings({"CARBONSEAL_OPERATORS": operators.format(a=a, b=b)})
