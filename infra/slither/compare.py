"""Compares slither's findings with the answers in a page: `compare.py FINDINGS.json PAGE.md`.

A finding is known by its detector and the element that it is about, without lines, which move. The page's table
has one row for each, `| detector | element | answer |`. Exit 0: both sides agree; 1: a finding without an
answer, or an answer whose finding is gone.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path


def findings(path: Path) -> set[tuple[str, str]]:
    """Return detector and element of each finding."""
    report = json.loads(path.read_text(encoding="utf-8"))
    if not report.get("success"):
        raise SystemExit(f"slither: {report.get('error')}")
    found = set()
    for one in report.get("results", {}).get("detectors", []):
        first = one["elements"][0]
        owner = first.get("type_specific_fields", {}).get("parent", {})
        names = [owner.get("name", ""), first["name"]]
        while owner.get("type") not in (None, "contract"):
            owner = owner.get("type_specific_fields", {}).get("parent", {})
            names.insert(0, owner.get("name", ""))
        found.add((one["check"], ".".join(name for name in names if name)))
    return found


def answers(path: Path) -> set[tuple[str, str]]:
    """Return detector and element of each row of the page's table."""
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+?) \| .+ \|$", path.read_text(encoding="utf-8"), re.M)
    return {(check, element) for check, elements in rows for element in re.findall(r"`([^`]+)`", elements)}


def main() -> int:
    """Print what does not fit and return the exit code."""
    found, answered = findings(Path(sys.argv[1])), answers(Path(sys.argv[2]))
    for check, element in sorted(found - answered):
        print(f"slither: no answer: {check} in {element}")
    for check, element in sorted(answered - found):
        print(f"slither: answered, and not found any more: {check} in {element}")
    print(f"slither: {len(found)} findings, {len(found & answered)} answered in {sys.argv[2]}")
    return 0 if found == answered else 1


if __name__ == "__main__":
    sys.exit(main())
