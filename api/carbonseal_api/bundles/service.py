"""Gathers an evidence bundle from the ledger.

The bundle carries the register log of every party relied upon, whole; the operator's data log from the
earliest period's first possible index; the heads of all these logs in every epoch from there on; the whole
log of logs; the chain's evidence; the packages that the reports name; and every content of the periods that
still exists. What it leaves out is trust: that comes from the reader's own trust file.

Entries and contents are fetched while the bundle is written, so that its size on disk is what it takes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO, Final, overload

from carbonseal_attest.anchor import AnchorEvidence
from carbonseal_attest.bundle import write_bundle
from carbonseal_attest.bundle_layout import BundledReport, EvidenceBundle, LogSection, to_members
from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.cosignature import verify_signatures
from carbonseal_attest.epoch import MapProof
from carbonseal_attest.instants import Interval
from carbonseal_attest.note import SignedNote
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.vkey import Vkey
from carbonseal_ledger.contents_store import ContentsStore
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.outcomes import LoggedEntry

ENTRIES_AT_ONCE: Final = 10_000
CONTENTS_AT_ONCE: Final = 500
_IN_MEMORY: Final = 8 << 20  # bytes of a bundle that are kept off the disk while it is written


@dataclass(frozen=True, slots=True)
class BundleRequest:
    """What a bundle is to show: the reports, and the register logs relied upon besides the operator's."""

    operator: str
    registrar: str
    log_host: str
    register_origin: str
    data_origin: str
    registers: tuple[str, ...]
    reports: tuple[BundledReport, ...]
    packages: Mapping[str, Mapping[str, bytes]]
    anchor: bytes | None
    cosigners: tuple[Vkey, ...] = ()


def build_bundle(host: LogHost, request: BundleRequest) -> EvidenceBundle:
    """Return the bundle of `request` as the ledger stands now; entries and contents are fetched when read."""
    first_epoch, first = _first_index(host, request)
    sections = {}
    wanted: set[bytes] = set()
    origins = sorted({request.register_origin, *request.registers})
    for origin in [*origins, request.data_origin]:
        section = _section(host, origin, first if origin == request.data_origin else 0)
        sections[origin] = section
        wanted |= _disclosed(host, section, request.reports)
    last_epoch = _last_epoch(host, request)
    numbers = [r.epoch for r in host.epochs(first_epoch, None if last_epoch is None else last_epoch + 1)]
    evidence = host.epoch_evidence(
        [*origins, request.data_origin], numbers, tree_size=None if last_epoch is None else last_epoch + 1
    )
    maps: dict[str, dict[int, MapProof]] = {}
    for head in evidence.heads:
        maps.setdefault(head.origin, {})[head.epoch] = head.map_proof
    wanted.add(SignedStatement.parse(evidence.entries[0]).payload)
    return EvidenceBundle(
        operator=request.operator,
        registrar=request.registrar,
        log_host=request.log_host,
        reports=request.reports,
        logs=sections,
        log_of_logs_checkpoint=evidence.checkpoint,
        cosigners=request.cosigners and _signed_by(evidence.checkpoint, request.cosigners),
        log_of_logs_entries=list(evidence.entries),
        maps=maps,
        # A content that was erased, or never stored here, is simply not disclosed; `check` tells the reader.
        contents=StoredContents(host.contents, host.contents.has(wanted)),
        packages={name: dict(files) for name, files in request.packages.items()},
        anchor=request.anchor,
    )


def write(bundle: EvidenceBundle, out: IO[bytes]) -> bytes:
    """Write `bundle` to `out`; return the digest that stands in its trailer."""
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        return write_bundle(to_members(bundle), out, spool=spool)


class LoggedEntries(Sequence[bytes]):
    """Entries [first, end) of a log, fetched as they are asked for; a log never changes what it holds."""

    def __init__(self, host: LogHost, origin: str, first: int, end: int) -> None:
        self._host, self._origin, self._first, self._end = host, origin, first, end

    def __len__(self) -> int:
        return self._end - self._first

    def __iter__(self) -> Iterator[bytes]:
        return (entry.raw for entry in self.whole())

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        index = range(self._first, self._end)[place]
        return self._host.entry(self._origin, index).raw

    def whole(self) -> Iterator[LoggedEntry]:
        """Yield the entries with what the ledger keeps beside them."""
        for start in range(self._first, self._end, ENTRIES_AT_ONCE):
            yield from self._host.entries(self._origin, start, min(self._end, start + ENTRIES_AT_ONCE))


class StoredContents(Mapping[bytes, bytes]):
    """Stored contents by digest, fetched some at a time: those that follow the one asked for, in order."""

    def __init__(self, store: ContentsStore, digests: set[bytes]) -> None:
        self._store = store
        self._digests = sorted(digests)
        self._place = {digest: at for at, digest in enumerate(self._digests)}
        self._held: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._digests)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._digests)

    def __getitem__(self, digest: bytes) -> bytes:
        if digest not in self._held:
            at = self._place[digest]
            self._held = self._store.get_many(list(islice(self._digests, at, at + CONTENTS_AT_ONCE)))
        return self._held[digest]


def _first_index(host: LogHost, request: BundleRequest) -> tuple[int, int]:
    """Return the last epoch closed before any period began and the data log's size in it: (1, 0) if none."""
    start = min(report.period[0] for report in request.reports)
    earlier = [r for r in host.epochs() if r.built_at <= start]
    while earlier:
        record = earlier.pop()
        heads = host.epoch_evidence([request.data_origin], [record.epoch]).heads
        if heads:
            return record.epoch, heads[0].tree_size
    return 1, 0


def _last_epoch(host: LogHost, request: BundleRequest) -> int | None:
    """Return the newest epoch with the witnesses' quorum, None for the newest of all.

    Between an epoch and its cosignatures lie some seconds; a bundle made then ends at the epoch before, as
    long as that holds the reports and whatever the anchor's evidence covers.
    """
    witnessed = host.witnessed_size() - 1  # epoch n is entry n
    if witnessed < 1:
        return None
    needed = 0 if request.anchor is None else AnchorEvidence.from_cbor(request.anchor).heads[-1].tree_size - 1
    for report in request.reports:
        covering = host.epoch_covering(
            request.data_origin, host.find(request.data_origin, report.digest).index + 1
        )
        if covering is None:
            return None
        needed = max(needed, covering.epoch)
    return witnessed if needed <= witnessed else None


def _signed_by(note: str, cosigners: Sequence[Vkey]) -> tuple[Vkey, ...]:
    return tuple(verify_signatures(SignedNote.parse(note.encode()), cosigners))


def _section(host: LogHost, origin: str, first: int) -> LogSection:
    note = host.checkpoint(origin)
    size = Checkpoint.of_note(note).tree_size
    entries = LoggedEntries(host, origin, first, size)
    return LogSection(origin, first, size, host.frontier(origin, first), note, entries)


def _disclosed(host: LogHost, section: LogSection, reports: Sequence[BundledReport]) -> set[bytes]:
    """Return the digests of the contents that the reports may rest on: those without an interval as well."""
    entries = LoggedEntries(host, section.origin, section.first, section.end)
    return {
        SignedStatement.parse(entry.raw).payload
        for entry in entries.whole()
        if entry.interval is None or any(_touches(entry.interval, report.period) for report in reports)
    }


def _touches(interval: Interval, period: Interval) -> bool:
    # A register's reading at a period's very end begins a window of its own, and counts.
    return interval[0] <= period[1] and period[0] <= interval[1]
