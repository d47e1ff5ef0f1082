"""Finds or fetches promtool, which checks alert rules and runs their tests.

The Debian package is fetched by `apt-get download` and unpacked under `.build`, without root; where that
does not work the tests that want it are skipped, and the reason says so. CARBONSEAL_PROMTOOL names another
one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path


class PromtoolMissing(Exception):
    """No promtool here, and none could be fetched."""


def find_promtool(build: Path) -> Path:
    """Return promtool's path."""
    named = os.environ.get("CARBONSEAL_PROMTOOL") or shutil.which("promtool")
    if named and Path(named).is_file():
        return Path(named)
    folder = build / "prometheus"
    tool = folder / "usr" / "bin" / "promtool"
    if not tool.is_file():
        _fetch(folder)
    if not tool.is_file():
        raise PromtoolMissing("the package holds no promtool")
    return tool


def _fetch(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "packages").mkdir(parents=True)
    try:
        subprocess.run(
            ["apt-get", "download", "prometheus"],
            cwd=folder / "packages", check=True, capture_output=True, timeout=90,
        )  # fmt: skip
        for package in sorted((folder / "packages").glob("*.deb")):
            subprocess.run(
                ["dpkg", "-x", str(package), str(folder)],
                check=True, capture_output=True, timeout=60,
            )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise PromtoolMissing(f"apt-get download prometheus failed ({type(error).__name__})") from error
    finally:
        shutil.rmtree(folder / "packages", ignore_errors=True)
