"""`make test` runs the folders of tests in two groups; none may be forgotten, none run twice."""

from __future__ import annotations

import re
from pathlib import Path


def test_every_folder_of_tests_is_in_exactly_one_group_of_make_test(repository_root: Path) -> None:
    makefile = (repository_root / "Makefile").read_text(encoding="utf-8")
    groups = re.findall(r"^(?:ROOM|SERVER)_TESTS := (.*)$", makefile, re.MULTILINE)
    named = [name for group in groups for name in group.split()]
    folders = {f"tests/{path.parent.name}" for path in (repository_root / "tests").glob("*/test_*.py")}
    assert len(groups) == 2
    assert sorted(named) == sorted(folders)
