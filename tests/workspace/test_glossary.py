"""The glossary holds: each term once, each with a meaning and a source, and no name that it forbids."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOMS = ("attest", "accounting", "verifier", "collectors", "ledger", "api")
# A module with such a name says nothing about what is inside.
EMPTY_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "core",
    "base",
    "misc",
    "manager",
    "tools",
    "stuff",
}
# One-word synonyms from the column "not" that would be module names if somebody forgot the glossary.
FORBIDDEN_SYNONYMS = {
    "auditor",
    "blockchain",
    "certificate",
    "dossier",
    "fork",
    "heartbeat",
    "ingest",
    "invoice",
    "mint",
    "notary",
    "replica",
    "snapshot",
    "sth",
    "telemetry",
    "tombstone",
}


@pytest.fixture(scope="module")
def rows(repository_root: Path) -> list[list[str]]:
    """The table rows of the glossary, without heads."""
    text = (repository_root / "docs" / "glossary.md").read_text(encoding="utf-8")
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    return [row for row in cells if row[0] != "term" and not set(row[0]) <= {"-"}]


def module_names(repository_root: Path) -> list[str]:
    return [
        part
        for room in ROOMS
        for path in (repository_root / room / f"carbonseal_{room}").rglob("*.py")
        for part in path.relative_to(repository_root / room).with_suffix("").parts
    ]


def test_each_row_has_five_columns_with_meaning_and_source(rows: list[list[str]]) -> None:
    assert len(rows) > 60
    assert [row for row in rows if len(row) != 5 or not all(row[:4])] == []


@pytest.mark.parametrize("column", [0, 1], ids=["english", "chinese"])
def test_each_term_appears_once(rows: list[list[str]], column: int) -> None:
    terms = [row[column].casefold() for row in rows]
    assert sorted({term for term in terms if terms.count(term) > 1}) == []


def test_no_term_is_also_forbidden(rows: list[list[str]]) -> None:
    forbidden = {word.strip() for row in rows for word in row[4].split(",") if word.strip()}
    # A word may be right for one concept and wrong for another; it must then be listed as a homonym.
    allowed = {"check", "certificate"}
    assert sorted(({row[0] for row in rows} & forbidden) - allowed) == []


@pytest.mark.parametrize(
    ("term", "chinese"),
    [
        ("operator", "重点排放单位"),
        ("verification body", "技术服务机构"),
        ("verification body", "审定与核查机构"),
        ("monitoring plan", "数据质量控制方案"),
        ("finding", "不符合项"),
        ("receipt", "登记回执"),
        ("anchor", "上链锚定"),
        ("check", "校验"),
        ("verification", "核查"),
        ("data code", "数据红绿码"),
        ("low-carbon grade", "低碳等级"),
        ("green loan", "绿色贷款"),
    ],
)
def test_has_the_ministry_s_term(rows: list[list[str]], term: str, chinese: str) -> None:
    assert chinese in next(row[1] for row in rows if row[0] == term)


def test_no_module_name_is_empty_of_meaning(repository_root: Path) -> None:
    assert sorted(set(module_names(repository_root)) & EMPTY_NAMES) == []


def test_no_module_is_named_by_a_forbidden_synonym(repository_root: Path) -> None:
    assert sorted(set(module_names(repository_root)) & FORBIDDEN_SYNONYMS) == []


def test_every_kind_of_content_has_a_module_named_like_it(repository_root: Path) -> None:
    """A kind's name is a word of the house: snake_case, no version in it."""
    folder = repository_root / "attest" / "carbonseal_attest" / "contents"
    names = [path.stem for path in folder.glob("*.py") if path.stem != "__init__"]
    assert [name for name in names if not re.fullmatch(r"_?[a-z]+(_[a-z]+)*", name)] == []
