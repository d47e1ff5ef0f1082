"""Checks that the docs say what is true: links lead somewhere, code fences close, help texts are real.

It also refuses, in every tracked text file, paths of one machine and addresses of package registries, which
belong to whoever installs. It doesn't judge prose. Exit 0: fine; 1: findings, one line each.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_MACHINE_PATHS = re.compile(r"(?<![\w./-])/(?:home|Users|root|work)/[\w.-]+")
# Joined from pieces, so that this file passes its own check.
_REGISTRY_HOSTS = re.compile(
    "|".join(
        re.escape(host)
        for host in (
            "pypi" + ".org",
            "files.python" + "hosted.org",
            "registry.npm" + "js.org",
            "registry.yarn" + "pkg.com",
            "crates" + ".io/api",
        )
    )
)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|<img[^>]*\ssrc=\"([^\"]+)\"|!\[[^\]]*\]\(([^)\s]+)\)")
_CODE_BLOCK = re.compile(r"^(```+|~~~+).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r" {0,3}(```+|~~~+)(.*)$")
# A help block in the docs: a marker, then a fenced block.
HELP_BLOCK = re.compile(r"<!-- help: ([a-z][\w -]*) -->\n```[a-z]*\n(.*?)\n```", re.DOTALL)
_BINARY_OR_DATA = {".csv", ".gz", ".ico", ".jpg", ".pdf", ".png", ".ttf", ".woff2", ".zip", ".bin", ".cbor"}


def tracked_files() -> list[Path]:
    """The files that git knows or would add, sorted."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = (ROOT / name.decode() for name in listed.stdout.split(b"\0") if name)
    return sorted(path for path in paths if path.is_file())


def texts(paths: list[Path]) -> dict[Path, str]:
    """The text of each file that is text."""
    found: dict[Path, str] = {}
    for path in paths:
        if path.suffix.lower() in _BINARY_OR_DATA:
            continue
        try:
            found[path] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


def machine_traces(path: Path, text: str) -> list[str]:
    """Paths of one machine and registry addresses, with their line numbers."""
    findings = []
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern, what in ((_MACHINE_PATHS, "path of one machine"), (_REGISTRY_HOSTS, "registry address")):
            if match := pattern.search(line):
                findings.append(f"{path.relative_to(ROOT)}:{number}: {what} {match[0]!r}; leave it out")
    return findings


def broken_links(path: Path, text: str) -> list[str]:
    """Relative links that lead to no file, or to no heading of a page."""
    findings = []
    for groups in _LINK.findall(_CODE_BLOCK.sub("", text)):
        target = next(filter(None, groups))
        file_part, _, anchor = target.partition("#")
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        led = path.parent / file_part if file_part else path
        if not led.exists():
            findings.append(f"{path.relative_to(ROOT)}: link to {target!r} leads nowhere; mend or remove it")
        elif anchor and led.suffix == ".md" and anchor not in anchors(led.read_text(encoding="utf-8")):
            findings.append(f"{path.relative_to(ROOT)}: link to {target!r} names no heading there; mend it")
    return findings


def anchors(text: str) -> set[str]:
    """The names that a page's headings can be linked by, as GitHub makes them."""
    found: set[str] = set()
    seen: dict[str, int] = {}
    for heading in re.findall(r"^#{1,6} (.*)$", _CODE_BLOCK.sub("", text), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        times = seen.get(name, 0)
        seen[name] = times + 1
        found.add(f"{name}-{times}" if times else name)
    return found


def broken_fences(path: Path, text: str) -> list[str]:
    """Code fences that swallow what follows: text after a closing fence, or no closing fence."""
    findings = []
    fence, opened = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        match = _FENCE.match(line)
        if not match:
            continue
        if not fence:
            fence, opened = match[1], number
        elif match[1].startswith(fence):
            if match[2].strip():
                findings.append(
                    f"{path.relative_to(ROOT)}:{number}: text after a closing fence; give it a line"
                )
            fence = ""
    if fence:
        findings.append(f"{path.relative_to(ROOT)}:{opened}: code fence is never closed; close it")
    return findings


def printed_help(command: str) -> str | None:
    """What `command --help` prints at 100 columns; None when the command fails."""
    program, *arguments = command.split()
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / program, *arguments, "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={"COLUMNS": "100", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "NO_COLOR": "1"},
        timeout=60,
    )
    return None if done.returncode else done.stdout.rstrip()


def stale_help(path: Path, text: str) -> list[str]:
    """Help blocks that differ from what the command prints, or markers without a block that can be read."""
    blocks = HELP_BLOCK.findall(text)
    unread = text.count("<!-- help:") - len(blocks)
    found = [f"{path.relative_to(ROOT)}: {unread} help markers without a fenced block"] if unread else []
    return found + [
        f"{path.relative_to(ROOT)}: help of '{command}' is not what the command prints; "
        "run .venv/bin/python infra/develop/paste_help.py"
        for command, shown in blocks
        if printed_help(command) != shown.rstrip()
    ]


def main() -> int:
    """Print every finding; return the exit code."""
    findings: list[str] = []
    for path, text in texts(tracked_files()).items():
        findings += machine_traces(path, text)
        if path.suffix == ".md":
            findings += broken_links(path, text) + broken_fences(path, text) + stale_help(path, text)
    for finding in findings:
        print(finding)
    print(f"docs: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
