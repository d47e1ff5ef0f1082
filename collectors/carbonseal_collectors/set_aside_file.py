"""The rejects files: rows that could not be read, kept with file, line and reason for people to look at.

One JSON object a line, one file per source file, in `rejects/` of the spool folder. They are an aid: what
counts is the signed gap that names the same line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from carbonseal_collectors.adapter import SetAside


def write_rejects(folder: Path, rows: Iterable[SetAside]) -> list[Path]:
    """Writes (anew) the rejects file of every source file that occurs in `rows`, and returns their paths."""
    by_file: dict[str, list[SetAside]] = {}
    for row in rows:
        by_file.setdefault(row.file, []).append(row)
    written = []
    for name, members in sorted(by_file.items()):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.rejects.jsonl"
        draft = path.with_suffix(".draft")
        lines = (
            {"file": row.file, "line": row.line, "reason": row.reason, "meter": row.meter, "text": row.text}
            for row in members
        )
        draft.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
        draft.replace(path)
        written.append(path)
    return written
