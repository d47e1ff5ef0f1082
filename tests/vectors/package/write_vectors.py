"""Writes `package.json`: the digests of packages of files, and what has none."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from vector_files import Vector, document, write

from carbonseal_attest.packages import package_digest

_METHOD = {"method.toml": b'id = "EXAMPLE"\n', "examples/one.json": b"{}\n", "examples/two.json": b"{}\n"}


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    good = [
        _good("one file", {"profile.toml": b"[limits]\n"}),
        _good("an empty file", {"empty": b""}),
        _good("files of a method, two of them the same", _METHOD),
        _good("the same in another order", dict(reversed(_METHOD.items()))),
        _good("lines are sorted, not paths: the hash of b comes first", {"a": b"1", "b": b"3"}),
    ]
    bad = [
        _bad("no file", {}),
        _bad("a path from the root", {"/etc/passwd": b""}),
        _bad("a path that climbs", {"../method.toml": b""}),
        _bad("a path that begins with a dot", {".hidden": b""}),
        _bad("a line feed in a path", {"a\n" + "0" * 64 + "  b": b""}),
        _bad("a path in another script", {"方法.toml": b""}),
        _bad("a path of five parts", {"a/b/c/d/e": b""}),
    ]
    return {"package.json": document(__file__, "contents.md", [*good, *bad])}


def _good(desc: str, files: dict[str, bytes]) -> Vector:
    shown = {path: data.hex() for path, data in files.items()}
    return {"desc": desc, "want_error": None, "files": shown, "digest": package_digest(files).hex()}


def _bad(desc: str, files: dict[str, bytes]) -> Vector:
    shown = {path: data.hex() for path, data in files.items()}
    return {"desc": desc, "want_error": "package-invalid", "files": shown}


if __name__ == "__main__":
    write(__file__, files())
