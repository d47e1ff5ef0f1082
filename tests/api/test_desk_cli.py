"""The desk's command line: options that cannot be right are refused with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from carbonseal_api.cli import main
from carbonseal_api.output_folder import make_output_folder
from carbonseal_api.problems import RequestInvalid


@pytest.mark.parametrize("day", ["2026-02-30", "01.02.2026", "20260201", "yesterday"])
def test_rejects_what_is_no_day_and_shows_how_to_write_one(
    day: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["report", "--party", "e-x", "--first", day, "--last", "2026-02-28", "--out", "out"])
    assert ended.value.code == 2
    assert f"argument --first: '{day}' is no day; write one such as 2026-01-31" in capsys.readouterr().err


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("carbonseal 0.")


def test_rejects_output_folder_that_holds_something_else(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")
    make_output_folder(tmp_path, {"report.json"})
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(RequestInvalid, match=r"--out: the folder holds mine\.txt"):
        make_output_folder(tmp_path, {"report.json"})


def test_rejects_output_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestInvalid, match="cannot be used as a folder"):
        make_output_folder(tmp_path / "file", ())
