"""What the next append and the next receipt cost, in a log of ten thousand to ten million entries.

History is filled by COPY with entries that nobody signed: what is measured afterwards is only how much longer
the next ones take when there are more before them. Appends are batches of signed statements through the whole
ledger (verified, deduplicated, committed, published); receipts are of entries drawn at random, whose tiles
are mostly not in memory. Each size stands beside the one before it, as the growth at each doubling.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import cbor2

from carbonseal_api.assembly import Parts
from carbonseal_api.deployment import key_folder, open_deployment
from carbonseal_api.settings import load_settings
from carbonseal_ledger import rows
from carbonseal_ledger.continuity import StreamCursor
from carbonseal_ledger.database import stop_embedded
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.heads import HeadWriter
from carbonseal_ledger.outcomes import Status, Submission
from carbonseal_ledger.publication import Publisher
from carbonseal_ledger.rows import NewEntry, StreamKey
from carbonseal_ledger.tree_reader import TreeReader
from figures import Figure, Measure
from fleet import Gateway, batches, make_gateways
from site_under_load import found_site
from uploads import Site

SIZES: Final = (10_000, 100_000, 1_000_000, 10_000_000)
BATCH: Final = 250
BATCHES: Final = 24
RECEIPTS: Final = 400
CHUNK: Final = 1 << 16  # entries a transaction while history is filled: whole tiles
FIRST_AT: Final = 1_767_225_600_000  # 2026-01-01T00:00:00Z


@dataclass(frozen=True, slots=True)
class _Cost:
    size: int
    append_us: float
    receipt_us: float


def growth_figures(folder: Path, sizes: Sequence[int] = SIZES) -> list[Figure]:
    """Cost of an append and of a receipt at each size, beside that at the size before."""
    (gateway,) = make_gateways(1, 4, first_at=FIRST_AT)
    costs = []
    with _filled_log(folder, gateway) as log:
        for size in sizes:
            log.fill(size)
            costs.append(_Cost(size, log.append_us(gateway), log.receipt_us()))
    figures = []
    for before, after in pairwise(costs):
        doublings = math.log2(after.size / before.size)
        for name, small, large in (
            ("append", before.append_us, after.append_us),
            ("receipt", before.receipt_us, after.receipt_us),
        ):
            figures.append(
                Figure(
                    Measure(f"{name}_at_{after.size}_us", large, "us"),
                    Measure(f"{name}_at_{before.size}_us", small, "us"),
                )
            )
            # What each doubling multiplies the cost by, beside 1: a cost that does not grow.
            growth = (large / small) ** (1 / doublings)
            figures.append(
                Figure(
                    Measure(f"{name}_growth_a_doubling_up_to_{after.size}", growth, ""),
                    Measure("no_growth", 1.0, ""),
                )
            )
    return figures


@contextmanager
def _filled_log(folder: Path, gateway: Gateway) -> Iterator[_Log]:
    site = found_site(folder, [gateway], port=1).site
    settings = load_settings({}, data_folder=folder)
    parts = open_deployment(settings)
    try:
        yield _Log(parts, site)
    finally:
        parts.close()
        stop_embedded(folder / "pg")


class _Log:
    def __init__(self, parts: Parts, site: Site) -> None:
        self._parts = parts
        self._site = site
        signer = key_folder(parts.settings).signer("log")
        self._writer = HeadWriter(parts.engine, signer, parts.clock)
        entries = EntryReader(parts.engine)
        self._publisher = Publisher(parts.published, TreeReader(parts.published), entries.raws)
        self._stream: StreamCursor | None = None
        self._template = os.urandom(369)
        self._random = random.Random(1)

    def fill(self, size: int) -> None:
        """Add entries that nobody signed until the log has `size`."""
        held = self._parts.host.head(self._site.origin).tree_size
        while held < size:
            held = self._fill_some(min(CHUNK - held % CHUNK, size - held))
            print(f"\r  history: {held:,} of {size:,} entries", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        with self._parts.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("CHECKPOINT")

    def _fill_some(self, count: int) -> int:
        with rows.transaction(self._parts.engine) as cursor:
            log = rows.lock_log(cursor, self._site.origin)
            assert log is not None
            if self._stream is None:
                made: dict[StreamKey, StreamCursor] = {
                    (bytes(32), "history"): StreamCursor(None, 10**8, bytes(32))
                }
                rows.create_streams(cursor, log.id, made)
                (self._stream,) = made.values()
            kind = self._writer.kind_ids(cursor, {"readings"})["readings"]
            subject = rows.name_ids(cursor, "ledger_subjects", {"m-history"}, log.id)["m-history"]
            now, stream_id = self._parts.clock(), self._stream.stream_id or 0
            raws = [at.to_bytes(16, "big") + self._template for at in range(log.size, log.size + count)]
            made_entries = (
                NewEntry(at, now, kind, stream_id, at, subject, None, hashlib.sha256(raw[:16]).digest(), raw)
                for at, raw in enumerate(raws, log.size)
            )
            rows.copy_entries(cursor, log.id, made_entries)
            head = self._writer.advance(cursor, self._site.origin, log, raws, now, 0, ticks=False)
        return self._publisher.publish(head)

    def append_us(self, gateway: Gateway) -> float:
        """Microseconds a statement of the next batches; the median batch."""
        origin, took = self._site.origin, []
        bodies = batches(
            gateway,
            BATCH * BATCHES,
            BATCH,
            party=self._site.party,
            origin=origin,
            issued_at=int(time.time()),
        )
        for body in bodies:
            stream, items = io.BytesIO(body), []
            while stream.tell() < len(body):
                items.append(Submission(*cbor2.load(stream)))
            started = time.perf_counter()
            outcomes = self._parts.host.register(origin, items)
            took.append((time.perf_counter() - started) / len(items) * 1e6)
            assert {outcome.status for outcome in outcomes} == {Status.ACCEPTED}
        return statistics.median(took[2:])  # the first ones warm the caches

    def receipt_us(self) -> float:
        """Microseconds of a receipt of an entry drawn at random; the median."""
        host, origin = self._parts.host, self._site.origin
        size, took = host.head(origin).tree_size, []
        for index in self._random.sample(range(1, size), RECEIPTS):
            digest = host.entry(origin, index).digest
            started = time.perf_counter()
            host.receipt(origin, digest)
            took.append((time.perf_counter() - started) * 1e6)
        return statistics.median(took)
