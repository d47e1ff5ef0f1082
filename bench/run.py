"""Measures Carbonseal and writes bench.json in the root of the repository.

    bench/run.py                 every figure, at most 20 minutes
    bench/run.py --full          larger sizes, an hour or more
    bench/run.py --only uploads  one part: machine, proofs, uploads, profile, growth, gas, grade, lineage,
                                 check or million
    bench/run.py --page          write docs/benchmarks.md from the bench.json that lies there

Real HTTP, a real PostgreSQL with durable commits, a real EVM node; the load generator shares the machine.
Each figure is printed with its ratio to a limit of the machine or to a named peer of the same run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import machine_limits
from anchor_gas import gas_figures
from anvil import ROOT
from append_peers import hash_only_measure, pymerkle_measures
from asset_gas import asset_figures
from carbonseal_ledger.database import open_database, stop_embedded
from check_time import check_figures, million_figures
from figures import Figure, Measure, write
from fleet import READINGS_PER_STATEMENT, make_gateways
from grade_time import grade_figures
from growth import growth_figures
from lineage_time import measure as lineage_figures
from page import machine_line, write_page
from proof_rates import inclusion_figures, size_figures, statement_figures
from site_under_load import running_site
from storage import database_bytes, folder_bytes, row_bytes_per_reading
from upload_profile import profile_figures
from uploads import upload_batches, upload_singly

PARTS = ("machine", "proofs", "uploads", "profile", "growth", "gas", "grade", "lineage", "check", "million")
MILLION = 1_000_000  # readings
BATCH_CONNECTIONS, BATCH_STATEMENTS = 8, 250
UPLOAD_ROUNDS = 4  # the median is the figure; the last beside the first shows whether length matters
SINGLE_CONNECTIONS = 64
LONG_STATEMENT = 60  # readings of the longer statements, an hour of them
METERS_PER_GATEWAY = 8
FIRST_READING_AT = 1_767_225_600_000  # 2026-01-01T00:00:00Z


def machine_part(folder: Path) -> list[Figure]:
    """The machine's own limits."""
    found = machine_limits.ed25519_figures() + machine_limits.sha256_figures()
    engine = open_database(None, folder / "pg")
    try:
        url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return found + machine_limits.postgres_figures(url, folder)
    finally:
        engine.dispose()
        stop_embedded(folder / "pg")


def uploads_part(folder: Path, limits: dict[str, Measure], *, is_full: bool) -> list[Figure]:
    """Registration over HTTP, and bytes on disk after it."""
    batched, single = (200_000, 60_000) if is_full else (30_000, 12_800)
    fleet = make_gateways(BATCH_CONNECTIONS, METERS_PER_GATEWAY, first_at=FIRST_READING_AT)
    posts = make_gateways(SINGLE_CONNECTIONS, 1, first_at=FIRST_READING_AT, numbered_from=BATCH_CONNECTIONS)
    with running_site(folder, [*fleet, *posts]) as running:
        upload_batches(
            running.site, fleet, statements=4_000, batch=BATCH_STATEMENTS
        )  # warms caches and pools
        before = database_bytes(running.database) + folder_bytes(running.published)
        spent = running.cpu_seconds()
        rounds = [
            upload_batches(running.site, fleet, statements=batched, batch=BATCH_STATEMENTS)
            for _ in range(UPLOAD_ROUNDS)
        ]
        spent = running.cpu_seconds() - spent
        after = database_bytes(running.database) + folder_bytes(running.published)
        longer = upload_batches(
            running.site, fleet, statements=batched // 3, batch=BATCH_STATEMENTS, readings=LONG_STATEMENT
        )
        last = database_bytes(running.database) + folder_bytes(running.published)
        one_by_one = upload_singly(running.site, posts, statements=single, with_receipts=False)
        receipted = upload_singly(running.site, posts, statements=single // 2, with_receipts=True)
        row_bytes = row_bytes_per_reading(running.database)
    statements = sum(each.statements for each in rounds)
    long_readings = longer.statements * LONG_STATEMENT
    covered = statistics.median(each.covered_p99_seconds or 0.0 for each in rounds)
    middle = statistics.median(each.per_second for each in rounds)
    newest, oldest = (
        Measure(name, each.per_second, "1/s")
        for name, each in (
            ("statements_per_second_last_round", rounds[-1]),
            ("statements_per_second_first_round", rounds[0]),
        )
    )
    return [
        Figure(
            Measure("statements_per_second", middle, "1/s"),
            limits["ed25519_verifications_per_second_all_cores"],
        ),
        # Neither peer verifies, deduplicates or publishes anything; what that costs is the ratio.
        *(
            Figure(Measure("statements_per_second", middle, "1/s"), peer)
            for peer in (pymerkle_measures(folder)[0], hash_only_measure())
        ),
        Figure(
            Measure("service_cpu_us_per_statement", spent / statements * 1e6, "us"),
            Measure("ed25519_verification_us", 1e6 / limits["ed25519_verifications_per_second"].value, "us"),
        ),
        Figure(newest, oldest),  # the log is as long again, several times over: flat is 1
        Figure(
            Measure("single_statements_per_second", one_by_one.per_second, "1/s"),
            limits["postgres_commits_per_second"],
        ),
        Figure(
            Measure("single_statements_with_receipt_per_second", receipted.per_second, "1/s"),
            Measure("single_statements_per_second", one_by_one.per_second, "1/s"),
        ),
        Figure(
            Measure("accept_to_checkpoint_p99_ms", covered * 1000, "ms"),
            limits["postgres_commit_p99_ms"],
        ),
        Figure(
            Measure("statements_of_60_readings_per_second", longer.per_second, "1/s"),
            Measure("statements_per_second", middle, "1/s"),
        ),
        Figure(
            Measure("bytes_stored_per_statement", (after - before) / statements, "B"),
            Measure("bytes_stored_per_statement_of_60_readings", (last - after) / longer.statements, "B"),
        ),
        Figure(
            Measure(
                "bytes_per_reading_15_a_statement",
                (after - before) / statements / READINGS_PER_STATEMENT,
                "B",
            ),
            Measure("table_row_bytes_per_reading", row_bytes, "B"),
        ),
        Figure(
            Measure("bytes_per_reading_60_a_statement", (last - after) / long_readings, "B"),
            Measure("table_row_bytes_per_reading", row_bytes, "B"),
        ),
    ]


def half_year() -> Path:
    """The folder of the steel works' half year, 104,256 readings, beside the repository."""
    shared = Path(os.environ.get("CARBONSEAL_SHARED_DATA", ROOT.parent / "shared" / "data"))
    folder = shared / "steel-daewoo"
    assert folder.is_dir(), f"no folder {folder}; set CARBONSEAL_SHARED_DATA"
    return folder


def run(parts: list[str], *, is_full: bool, show: Callable[[Figure], None]) -> list[Figure]:
    """Measure the parts in their order, the machine's limits first: the others stand beside them."""
    found: list[Figure] = []

    def take(part: str, figures: list[Figure]) -> None:
        for figure in figures if part in parts else []:
            show(figure)
            found.append(figure)

    with tempfile.TemporaryDirectory(prefix="csb-") as name:  # short, for socket paths
        folders = {part: Path(name) / part for part in PARTS}
        for folder in folders.values():
            folder.mkdir()
        machine = machine_part(folders["machine"])
        limits = {m.name: m for figure in machine for m in (figure.measure, figure.beside)}
        take("machine", machine)
        if "proofs" in parts:
            take("proofs", statement_figures() + size_figures() + inclusion_figures())
        if "uploads" in parts:
            take("uploads", uploads_part(folders["uploads"], limits, is_full=is_full))
        if "profile" in parts:
            take("profile", profile_figures(folders["profile"] / "d", READINGS_PER_STATEMENT))
        if "growth" in parts:
            take("growth", growth_figures(folders["growth"] / "d"))
        if "gas" in parts:
            take("gas", gas_figures())
            take("gas", asset_figures())
        if "grade" in parts:
            take("grade", grade_figures(folders["grade"]))
        if "lineage" in parts:
            take("lineage", lineage_figures(folders["lineage"]))
        if "check" in parts:
            rate = limits["ed25519_verifications_per_second"].value
            arguments = ["--data", str(half_year())] if is_full else []
            take("check", check_figures(folders["check"], rate, arguments))
        if "million" in parts:
            rate = limits["ed25519_verifications_per_second"].value
            take("million", million_figures(folders["million"], rate, MILLION))
    return found


def main() -> int:
    """Read the arguments, measure, write bench.json."""
    reader = argparse.ArgumentParser(description="Measure Carbonseal; writes bench.json.")
    reader.add_argument("--full", action="store_true", help="larger sizes, an hour or more")
    reader.add_argument("--only", action="append", choices=PARTS, help="this part alone; may be repeated")
    reader.add_argument("--page", action="store_true", help="write docs/benchmarks.md from bench.json")
    arguments = reader.parse_args()
    if arguments.page:
        return write_page(ROOT / "bench.json", ROOT / "docs" / "benchmarks.md")
    started = time.perf_counter()
    print(machine_line(), flush=True)
    figures = run(
        arguments.only or list(PARTS),
        is_full=arguments.full,
        show=lambda figure: print(figure.line(), flush=True),
    )
    write(figures, ROOT / "bench.json")
    print(f"bench.json: {len(figures)} figures in {time.perf_counter() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
