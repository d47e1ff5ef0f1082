"""The docs' checker itself: what it must find, and what it must let pass."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def checker(repository_root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "check_docs", repository_root / "infra" / "develop" / "check_docs.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```\nmake\n``` On a machine\n", "page.md:3: text after a closing fence"),
        ("one\n```text\nmake\n", "page.md:2: code fence is never closed"),
        ("```\none\n\n```text\ntwo\n```\n", "page.md:4: text after a closing fence"),
    ],
)
def test_a_fence_that_swallows_what_follows_is_found(
    checker: ModuleType, repository_root: Path, text: str, said: str
) -> None:
    assert checker.broken_fences(repository_root / "page.md", text)[0].startswith(said)


def test_whole_fences_pass(checker: ModuleType, repository_root: Path) -> None:
    text = "```text\nmake\n```\n\n````\n```\n````\n~~~\nfour\n~~~\n"
    assert checker.broken_fences(repository_root / "page.md", text) == []


def test_a_help_marker_without_its_block_is_found(checker: ModuleType, repository_root: Path) -> None:
    text = "<!-- help: carbonseal -->\n```carbonsealt\n"
    assert "1 help markers" in checker.stale_help(repository_root / "page.md", text)[0]


def test_a_link_to_a_heading_that_is_not_there_is_found(checker: ModuleType, repository_root: Path) -> None:
    page = repository_root / "docs" / "spec" / "page.md"
    good = (
        "[a](keys.md#public-keys) [b](keys.md) [c](README.md#specification) [d](https://example.org/x.md#y)"
    )
    assert checker.broken_links(page, good) == []
    found = checker.broken_links(page, "[a](statement.md#no-such) [b](nowhere.md#x)")
    assert [line.partition(": ")[2] for line in found] == [
        "link to 'statement.md#no-such' names no heading there; mend it",
        "link to 'nowhere.md#x' leads nowhere; mend or remove it",
    ]


def test_headings_are_linked_as_github_names_them(checker: ModuleType) -> None:
    text = "# Labels of `x`: [one](a.md), two\n```\n# no heading\n```\n## Twice\n## Twice\n"
    assert checker.anchors(text) == {"labels-of-x-one-two", "twice", "twice-1"}
