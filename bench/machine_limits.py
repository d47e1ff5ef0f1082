"""What this machine can do at most: signatures, hashes, durable writes, commits.

Nothing of Carbonseal runs here except where a figure says so; each rate is the best of three short runs,
since a limit is what the machine can do and not what it did while something else ran.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import psycopg2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from carbonseal_attest.merkle import node_hash
from carbonseal_attest.signing import Ed25519Signer
from figures import Figure, Measure, percentile

RUN_SECONDS = 1.0
RUNS = 3
MESSAGE = bytes(300)  # about the Sig_structure of a readings statement
NODE = bytes(65)  # an inner node's input: prefix and two digests
FILE_BLOCK = bytes(8192)  # a page of PostgreSQL's write-ahead log


def best_rate(once: Callable[[], object], *, batch: int) -> float:
    """Calls a second of `once`, best of a few runs; the clock is read every `batch` calls."""
    best = 0.0
    for _ in range(RUNS):
        calls = 0
        started = time.perf_counter()
        while (passed := time.perf_counter() - started) < RUN_SECONDS:
            for _ in range(batch):
                once()
            calls += batch
        best = max(best, calls / passed)
    return best


def _verify_bare(_: int = 0) -> float:
    key = Ed25519PrivateKey.generate()
    signature, public = key.sign(MESSAGE), key.public_key()
    return best_rate(lambda: public.verify(signature, MESSAGE), batch=64)


def ed25519_figures() -> list[Figure]:
    """Verifications a second: bare on one core and on all, and through attest."""
    cores = os.cpu_count() or 1
    one = _verify_bare()
    with ProcessPoolExecutor(cores) as pool:
        every = sum(pool.map(_verify_bare, range(cores)))
    signer = Ed25519Signer.generate()
    signature, public = signer.sign(MESSAGE), signer.public
    ours = best_rate(lambda: public.verify(signature, MESSAGE), batch=64)
    bare = Measure("ed25519_verifications_per_second", one, "1/s")
    return [
        Figure(bare, Measure("ed25519_verifications_per_second_all_cores", every, "1/s")),
        Figure(Measure("attest_verifications_per_second", ours, "1/s"), bare),
    ]


def sha256_figures() -> list[Figure]:
    """Digests of 65 bytes a second on one core, and inner nodes of a tree through attest."""
    sha256 = hashlib.sha256
    bare = Measure("sha256_per_second", best_rate(lambda: sha256(NODE).digest(), batch=1024), "1/s")
    left = right = bytes(32)
    ours = Measure(
        "attest_node_hashes_per_second", best_rate(lambda: node_hash(left, right), batch=1024), "1/s"
    )
    return [Figure(bare, ours)]


def durable_writes_per_second(folder: Path) -> float:
    """Appends of 8 KiB with fdatasync a second in `folder`."""
    with tempfile.TemporaryFile(dir=folder) as file:

        def append() -> None:
            file.write(FILE_BLOCK)
            file.flush()
            os.fdatasync(file.fileno())

        return best_rate(append, batch=1)


def postgres_figures(url: str, folder: Path) -> list[Figure]:
    """Durable commits of one small row a second on one connection and on 16, and the p99 of one.

    Args:
        url: a libpq address of the server that the service uses too.
        folder: a folder on the server's disk.
    """
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS bench_commit (id bigserial PRIMARY KEY, body bytea)")
    rate, delays = _commits(url, connections=1)
    rate_16, _ = _commits(url, connections=16)
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE bench_commit")
    one = Measure("postgres_commits_per_second", rate, "1/s")
    return [
        Figure(one, Measure("durable_writes_per_second", durable_writes_per_second(folder), "1/s")),
        Figure(Measure("postgres_commits_per_second_16_connections", rate_16, "1/s"), one),
        Figure(
            Measure("postgres_commit_p99_ms", percentile(delays, 0.99) * 1000, "ms"),
            Measure("postgres_commit_p50_ms", percentile(delays, 0.5) * 1000, "ms"),
        ),
    ]


def _commits(url: str, *, connections: int) -> tuple[float, list[float]]:
    """Commits a second over some connections for three runs' time, and each commit's seconds."""
    delays: list[float] = []
    deadline = time.perf_counter() + RUNS * RUN_SECONDS

    def insert_until_deadline() -> None:
        connection = psycopg2.connect(url)
        try:
            with connection.cursor() as cursor:
                while (started := time.perf_counter()) < deadline:
                    cursor.execute("INSERT INTO bench_commit (body) VALUES (%s)", (MESSAGE,))
                    connection.commit()
                    delays.append(time.perf_counter() - started)
        finally:
            connection.close()

    started = time.perf_counter()
    threads = [threading.Thread(target=insert_until_deadline) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(delays) / (time.perf_counter() - started), delays
