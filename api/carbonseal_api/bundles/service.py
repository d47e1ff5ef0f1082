"""Gathers an evidence bundle from the ledger.

The bundle carries the register log of every party relied upon, whole; the operator's data log from the
period's first possible index; the heads of all these logs in every epoch from there on; the whole log
of logs; the chain's evidence; the packages that the report names; and every content of the period that
still exists. What it leaves out is trust: that comes from the reader's own trust file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from carbonseal_attest.bundle import write_bundle
from carbonseal_attest.bundle_layout import EvidenceBundle, LogSection, to_members
from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.epoch import MapProof
from carbonseal_attest.instants import Interval
from carbonseal_attest.merkle import Frontier
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.outcomes import LoggedEntry

ENTRIES_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class BundleRequest:
    """What a bundle is to show.

    `registers` are the register logs relied upon besides the operator's; `period` is half-open in ms.
    """

    report_digest: bytes
    operator: str
    registrar: str
    log_host: str
    register_origin: str
    data_origin: str
    registers: tuple[str, ...]
    period: Interval
    time_zone: str
    packages: Mapping[str, Mapping[str, bytes]]
    report_json: bytes
    report_pdf: bytes | None
    anchor: bytes | None


def build_bundle(host: LogHost, request: BundleRequest) -> EvidenceBundle:
    """Return the bundle of `request` as the ledger stands now."""
    first_epoch, first = _first_index(host, request)
    sections = {}
    contents: dict[bytes, bytes] = {}
    origins = sorted({request.register_origin, *request.registers})
    for origin in [*origins, request.data_origin]:
        entries, section = _section(host, origin, first if origin == request.data_origin else 0)
        sections[origin] = section
        contents |= _contents(host, entries, request.period)
    numbers = [record.epoch for record in host.epochs(first_epoch)]
    evidence = host.epoch_evidence([*origins, request.data_origin], numbers)
    maps: dict[str, dict[int, MapProof]] = {}
    for head in evidence.heads:
        maps.setdefault(head.origin, {})[head.epoch] = head.map_proof
    genesis = SignedStatement.parse(evidence.entries[0])
    contents |= _contents_of(host, [genesis.payload])
    return EvidenceBundle(
        report_digest=request.report_digest,
        operator=request.operator,
        registrar=request.registrar,
        log_host=request.log_host,
        period=request.period,
        time_zone=request.time_zone,
        logs=sections,
        log_of_logs_checkpoint=evidence.checkpoint,
        log_of_logs_entries=list(evidence.entries),
        maps=maps,
        contents=contents,
        packages={name: dict(files) for name, files in request.packages.items()},
        report_json=request.report_json,
        report_pdf=request.report_pdf,
        anchor=request.anchor,
    )


def write(bundle: EvidenceBundle, out: BinaryIO) -> bytes:
    """Write `bundle` to `out`; return the digest that stands in its trailer."""
    return write_bundle(to_members(bundle), out)


def _first_index(host: LogHost, request: BundleRequest) -> tuple[int, int]:
    """Return the last epoch closed before the period began and the data log's size in it: (1, 0) if none."""
    earlier = [r for r in host.epochs() if r.built_at <= request.period[0]]
    while earlier:
        record = earlier.pop()
        heads = host.epoch_evidence([request.data_origin], [record.epoch]).heads
        if heads:
            return record.epoch, heads[0].tree_size
    return 1, 0


def _section(host: LogHost, origin: str, first: int) -> tuple[list[LoggedEntry], LogSection]:
    note = host.checkpoint(origin)
    size = Checkpoint.of_note(note).tree_size
    entries: list[LoggedEntry] = []
    for start in range(first, size, ENTRIES_AT_ONCE):
        entries += host.entries(origin, start, min(size, start + ENTRIES_AT_ONCE))
    left = host.range_proof(origin, first, size, size).left if first else ()
    raw = tuple(entry.raw for entry in entries)
    return entries, LogSection(origin, first, size, Frontier(first, tuple(left)), note, raw)


def _contents(host: LogHost, entries: Iterable[LoggedEntry], period: Interval) -> dict[bytes, bytes]:
    start, end = period
    wanted = [
        SignedStatement.parse(entry.raw).payload
        for entry in entries
        # A register's reading at the period's very end begins a window of its own, and counts.
        if entry.interval is None or (entry.interval[0] <= end and start <= entry.interval[1])
    ]
    return _contents_of(host, wanted)


def _contents_of(host: LogHost, digests: Iterable[bytes]) -> dict[bytes, bytes]:
    # A content that was erased, or never stored here, is simply not disclosed; the reader is told by `check`.
    return host.contents.get_many(list(digests))
