"""How long a stranger needs to check an evidence bundle: the demo's, with the installed command.

Beside it stands what nobody can spare: verifying the signature of each statement in the bundle, at this
machine's bare rate on one core.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from carbonseal_attest.bundle_reading import read_bundle
from carbonseal_attest.contents import parse_content
from carbonseal_attest.contents.readings import read_series
from figures import Figure, Measure
from long_bundle import make

RUNS = 3
TARGET_SECONDS = Measure("target_seconds_for_a_million_readings", 30, "s")
TARGET_BYTES = Measure("target_bytes_for_a_million_readings", 1 << 30, "B")
_BETWEEN = """
import resource, subprocess, sys, time
started = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One command's wall time, and the greatest resident memory of one of its processes."""

    seconds: float
    peak_bytes: int


def check_figures(folder: Path, verifications_per_second: float, demo_arguments: list[str]) -> list[Figure]:
    """Seconds of `carbonseal-verifier check` on a bundle that the demo makes, best of three.

    Args:
        folder: an empty folder for the demo's output.
        verifications_per_second: the machine's Ed25519 rate on one core.
        demo_arguments: further arguments of `carbonseal demo`, which decide the bundle's size.
    """
    binaries = Path(sys.executable).parent
    out = folder / "demo"
    demo = _run([binaries / "carbonseal", "demo", "--out", out, *demo_arguments])
    bundle = out / "evidence.bundle"
    command = [binaries / "carbonseal-verifier", "check", bundle, "--trust", out / "trust.toml"]
    runs = [_run(command) for _ in range(RUNS)]
    seconds = min(run.seconds for run in runs)
    statements, readings = counts(bundle)
    signatures = Measure("signatures_alone_seconds", statements / verifications_per_second, "s")
    size = Measure("bundle_bytes", bundle.stat().st_size, "B")
    print(
        f"  bundle: {size.value:,.0f} bytes, {statements:,} statements, {readings:,} readings"
        f" ({size.value / readings:.0f} bytes a reading)"
    )
    return [
        Figure(Measure("check_seconds", seconds, "s"), signatures),
        Figure(
            Measure("readings_checked_per_second", readings / seconds, "1/s"), _rate(verifications_per_second)
        ),
        Figure(Measure("demo_seconds", demo.seconds, "s"), Measure("check_seconds", seconds, "s")),
        Figure(Measure("check_peak_bytes", max(run.peak_bytes for run in runs), "B"), size),
    ]


def million_figures(folder: Path, verifications_per_second: float, readings: int) -> list[Figure]:
    """Seconds and memory of a check of a million readings, beside the targets, and what they are made of.

    Args:
        folder: an empty folder for the bundle.
        verifications_per_second: the machine's Ed25519 rate on one core.
        readings: how many the bundle has at least.
    """
    found = []
    for a_statement in (60, 15):
        place = folder / str(a_statement)
        place.mkdir()
        bundle, trust, at = make(place, readings, a_statement)
        binary = Path(sys.executable).parent / "carbonseal-verifier"
        run = _run([binary, "check", bundle, "--trust", trust, "--at", at])
        statements, carried = counts(bundle)
        print(
            f"  bundle: {bundle.stat().st_size:,} bytes, {statements:,} statements, {carried:,} readings"
            f" ({a_statement} a statement)"
        )
        name = f"million_by_{a_statement}"
        alone = Measure(f"{name}_signatures_alone_seconds", statements / verifications_per_second, "s")
        seconds = Measure(f"{name}_check_seconds", run.seconds, "s")
        size = Measure(f"{name}_bundle_bytes", bundle.stat().st_size, "B")
        peak = Measure(f"{name}_check_peak_bytes", run.peak_bytes, "B")
        found += [
            Figure(seconds, TARGET_SECONDS),
            Figure(seconds, alone),
            Figure(peak, TARGET_BYTES),
            Figure(peak, size),
        ]
    return found


def counts(path: Path) -> tuple[int, int]:
    """The statements and the readings in a bundle."""
    with path.open("rb") as stream:
        bundle = read_bundle(stream)
    readings = 0
    for data in bundle.contents.values():
        content = parse_content(data)
        if content.kind == "readings":
            readings += sum(len(series.times) for series in read_series(content.body))
    return sum(len(section.entries) for section in bundle.logs.values()), readings


def _rate(verifications_per_second: float) -> Measure:
    return Measure("ed25519_verifications_per_second", verifications_per_second, "1/s")


def _run(command: list[str | Path]) -> Run:
    """Run a command that must succeed; its wall time and the greatest memory of one of its processes.

    A small process stands between, since the kernel counts the memory of whoever starts a program as the
    program's own until it has grown beyond that.
    """
    between = [sys.executable, "-c", _BETWEEN, *command]
    done = subprocess.run(between, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]} {command[1]} failed:\n{done.stderr[-2000:]}"
    seconds, kibibytes = done.stdout.split()
    return Run(float(seconds), int(kibibytes) * 1024)
