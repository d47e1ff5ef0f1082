"""docs/benchmarks.md: the figures of the last `make bench` as a page, and what each of them means.

The page is written from bench.json and never by hand, so that it shows a run and not a hope. Figures that
have no sentence here are printed all the same.
"""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any, Final

from figures import shown

_GROUPS: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    (
        "The machine",
        "What it can do at most; the other figures stand beside these.",
        ("ed25519_ver", "attest_", "sha256_", "postgres_", "durable_", "node_hash"),
    ),
    (
        "Registration",
        """Over HTTP, each statement verified, strictly deduplicated, durable in database and published copy
before it is answered; the load generator shares the cores. pymerkle on SQLite and hashing alone neither
verify nor refuse nor publish: the ratio is what all that costs.""",
        (
            "statements_per_second",
            "statements_of_",
            "single_statements",
            "accept_to_checkpoint",
            "bytes_",
            "service_",
        ),
    ),
    (
        "Where the time goes",
        "Processor time a statement of each step of a registration, one thread, no HTTP, beside the whole.",
        ("step_", "registration_"),
    ),
    (
        "As a log grows",
        """The next append and the next receipt in a log of each size, beside the size before. History is
filled by COPY. A growth of 1.1 a doubling is the most that is allowed.""",
        ("append_", "receipt_"),
    ),
    ("The chain", "Whole transactions on Anvil.", ("gas_", "asset_")),
    ("Proofs and checks", "What a relying party's machine does.", ()),
)


def machine_line() -> str:
    """What this runs on, in one line."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def write_page(source: Path, target: Path) -> int:
    """Write the page from bench.json; returns 0, or 2 where there is no bench.json."""
    if not source.is_file():
        print(f"{source.name}: is missing; run `make bench` first")
        return 2
    figures = json.loads(source.read_text(encoding="utf-8"))
    lines = [
        "# Benchmarks",
        "",
        "Written by `bench/run.py --page` from one run of `make bench`. What counts is the ratio:",
        "each figure stands beside a limit of the same machine, or a named peer, measured in the same run.",
        "",
        f"Machine: {machine_line()}.",
    ]
    for title, says, _ in _GROUPS:
        chosen = [figure for figure in figures if _group_of(figure["name"]) == title]
        if chosen:
            lines += ["", f"## {title}", "", says, ""]
            lines += ["| figure | value | ratio | beside | value |", "|---|---|---|---|---|"]
            lines += map(_row, chosen)
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{target.name}: {len(figures)} figures")
    return 0


def _group_of(name: str) -> str:
    for title, _, prefixes in _GROUPS:
        if not prefixes or name.startswith(prefixes):
            return title
    return _GROUPS[-1][0]


def _row(figure: dict[str, Any]) -> str:
    beside = figure["beside"]
    ratio = figure["value"] / beside["value"]
    return (
        f"| {figure['name']} | {shown(figure['value'])} {figure['unit']} | {ratio:.3g} "
        f"| {beside['name']} | {shown(beside['value'])} {beside['unit']} |"
    )
