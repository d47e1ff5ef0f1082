"""Rules of the house that no linter knows: sizes, arrows as declared, licence, commands, languages."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOMS = ("attest", "accounting", "verifier", "collectors", "ledger", "api")
# design: aim at 150 to 250 lines a module, ask why at 500, never over 800.
MOST_LINES = 800
MEDIAN_LINES = 300
SERVER_PARTS = {"fastapi", "sqlalchemy", "web3", "celery"}


def modules(repository_root: Path) -> list[Path]:
    return [
        path
        for room in ROOMS
        for path in (repository_root / room / f"carbonseal_{room}").rglob("*.py")
        if "versions" not in path.parts
    ]


def test_no_module_exceeds_the_greatest_size(repository_root: Path) -> None:
    sizes = {
        path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in modules(repository_root)
    }
    assert {name: lines for name, lines in sizes.items() if lines > MOST_LINES} == {}


def test_modules_stay_small_in_the_median(repository_root: Path) -> None:
    sizes = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in modules(repository_root))
    large_enough = [lines for lines in sizes if lines > 25]
    assert large_enough[len(large_enough) // 2] <= MEDIAN_LINES


def test_every_module_opens_with_a_docstring(repository_root: Path) -> None:
    silent = [
        str(path.relative_to(repository_root))
        for path in modules(repository_root)
        if (text := path.read_text(encoding="utf-8").lstrip()) and not text.startswith(('"""', 'r"""'))
    ]
    assert silent == []


def test_nothing_is_left_to_do_in_the_code(repository_root: Path) -> None:
    pattern = re.compile(r"#\s*(?:TO" + "DO|FIX" + r"ME|X{3})\b")
    marked = [
        str(path) for path in modules(repository_root) if pattern.search(path.read_text(encoding="utf-8"))
    ]
    assert marked == []


@pytest.mark.parametrize(
    ("room", "others"),
    [
        ("attest", set()),
        ("accounting", {"attest"}),
        ("verifier", {"attest", "accounting"}),
        ("collectors", {"attest"}),
        ("ledger", {"attest"}),
        ("api", {"attest", "accounting", "verifier", "collectors", "ledger"}),
    ],
)
def test_room_declares_only_rooms_below_it(repository_root: Path, room: str, others: set[str]) -> None:
    project = tomllib.loads((repository_root / room / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    declared = {
        name.removeprefix("carbonseal-")
        for line in project["dependencies"]
        if (name := re.match(r"[\w-]+", line)[0]).startswith("carbonseal-")
    }
    assert declared <= others


@pytest.mark.parametrize("lock", ["requirements-verifier.lock", "requirements-collectors.lock"])
def test_light_install_pins_hold_no_server_part(repository_root: Path, lock: str) -> None:
    pinned = set(
        re.findall(r"^([\w.-]+)==", (repository_root / lock).read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert pinned
    assert pinned & SERVER_PARTS == set()


@pytest.mark.parametrize("lock", ["requirements-verifier.lock", "requirements-collectors.lock"])
def test_light_install_pins_agree_with_the_whole(repository_root: Path, lock: str) -> None:
    def pins(name: str) -> dict[str, str]:
        text = (repository_root / name).read_text(encoding="utf-8")
        return dict(re.findall(r"^([\w.-]+)==([\w.+!-]+)", text, re.MULTILINE))

    whole = pins("requirements.lock")
    assert {name: version for name, version in pins(lock).items() if whole.get(name) != version} == {}


def test_every_pin_carries_a_hash(repository_root: Path) -> None:
    for lock in [
        *repository_root.glob("requirements*.lock"),
        *(repository_root / "infra/develop").glob("*.lock"),
    ]:
        entries = re.split(r"^(?=[\w.-]+==)", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
        assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == [], lock.name


def test_locks_name_no_registry_address(repository_root: Path) -> None:
    for lock in repository_root.glob("requirements*.lock"):
        assert "://" not in lock.read_text(encoding="utf-8"), lock.name
    assert '"resolved"' not in (repository_root / "package-lock.json").read_text(encoding="utf-8")


def test_help_lists_every_target(repository_root: Path) -> None:
    printed = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=repository_root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for target in [
        "help",
        "setup",
        "check",
        "check-rooms",
        "test",
        "test-long",
        "bench",
        "bench-full",
        "demo",
        "serve",
        "clean",
        "lock",
    ]:
        assert f"make {target} " in printed


def test_licence_is_the_whole_text(repository_root: Path) -> None:
    text = (repository_root / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_decisions_are_numbered_once_and_listed(repository_root: Path) -> None:
    folder = repository_root / "docs" / "decisions"
    names = sorted(path.name for path in folder.glob("0*.md"))
    numbers = [name[:4] for name in names]
    assert len(numbers) == len(set(numbers))
    index = (folder / "README.md").read_text(encoding="utf-8")
    assert [name for name in names if name not in index] == []


def test_both_readmes_have_the_same_sections_and_commands(repository_root: Path) -> None:
    english, chinese = (
        (repository_root / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md")
    )
    assert len(re.findall(r"^## ", english, re.MULTILINE)) == len(re.findall(r"^## ", chinese, re.MULTILINE))
    commands = [set(re.findall(r"`((?:make|carbonseal)[^`]*)`", text)) for text in (english, chinese)]
    assert commands[0] == commands[1]


def test_docs_check_refuses_a_broken_link_and_a_machine_path(repository_root: Path) -> None:
    script = repository_root / "infra" / "develop" / "check_docs.py"
    namespace: dict[str, object] = {"__name__": "check_docs", "__file__": str(script)}
    exec(compile(script.read_text(encoding="utf-8"), str(script), "exec"), namespace)  # noqa: S102 - our own script
    readme = repository_root / "README.md"
    assert namespace["broken_links"](readme, "see [this](docs/no-such-page.md)")
    assert not namespace["broken_links"](readme, "see [this](docs/glossary.md#homonyms-decided)")
    assert namespace["machine_traces"](readme, "run /" + "home/someone/tool")
    assert namespace["machine_traces"](readme, "index at https://pypi" + ".org/simple")
    assert namespace["stale_help"](readme, "<!-- help: carbonseal-verifier -->\n```\nnot the help\n```")
