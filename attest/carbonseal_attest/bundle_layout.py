"""The members of an evidence bundle: what a stranger gets, and how each is written.

    subject                       {operator, registrar, log_host, reports: [{report, period}, ...]}
    logs                          [{origin, first, end, prefix, checkpoint}, ...] sorted by origin
    entries/<origin>/<number>     statements of one log in order, up to 256 a member, as a CBOR array
    contents/<number>             disclosed contents sorted by digest, as CBOR arrays
    log-of-logs                   {checkpoint, cosigners, entries}: all entries from its genesis to the head
    maps/<origin>                 [[epoch, size, root, index, path], ...]: the origin's head in each epoch
    anchor                        evidence of the chain (`carbonseal_attest.anchor`)
    packages/<id@version>/<path>  files of method packages, factor sets and quality profiles
    reports/<digest>.json, .pdf   each report and its rendering, by the digest of the report's statement

A log's entries run from `first` to `end` without a hole; `prefix` is the frontier of the tree of `first`
leaves, so that entries and prefix together give the root of every head from there on: the one range proof of
the section. Register logs are whole: their `first` is 0. Contents may be withheld; entries may not.
Reading is in `bundle_reading`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest import cbor
from carbonseal_attest.bundle_notes import bundled_note
from carbonseal_attest.contents import schema as s
from carbonseal_attest.epoch import MapProof
from carbonseal_attest.instants import Interval
from carbonseal_attest.merkle import MAX_PATH, Frontier
from carbonseal_attest.note import MAX_NOTE, MAX_SIGNATURES
from carbonseal_attest.tiles import TILE_WIDTH
from carbonseal_attest.vkey import MAX_VKEY, Vkey

CHUNK_BYTES: Final = 4 << 20  # of the items of one member, save where one item alone is larger
MAX_CHUNK: Final = 16 << 20
MAX_EPOCHS: Final = 1 << 20
MAX_REPORTS: Final = 100
MAX_LOGS: Final = 1000

SUBJECT: Final = s.record(
    {
        "operator": s.code,
        "registrar": s.code,
        "log_host": s.code,
        "reports": s.array(
            s.record(
                {
                    "report": s.digest,
                    "period": s.record({"start": s.instant, "end": s.instant, "time_zone": s.text(60)}),
                }
            ),
            MAX_REPORTS,
            least=1,
        ),
    }
)
LOG: Final = s.record(
    {
        "origin": s.origin,
        "first": s.integer(0, 1 << 48),
        "end": s.integer(1, 1 << 48),
        "prefix": s.array(s.digest, MAX_PATH),
        "checkpoint": s.octets(1, MAX_NOTE),
    }
)
LOG_OF_LOGS: Final = s.record(
    {
        "checkpoint": s.octets(1, MAX_NOTE),
        "cosigners": s.array(s.text(MAX_VKEY), MAX_SIGNATURES),
        "entries": s.array(s.octets(1, 4096), MAX_EPOCHS, least=1),
    }
)


@dataclass(frozen=True, slots=True)
class BundledReport:
    """A report in the bundle: the digest of its statement, its period, its bytes and its rendering."""

    digest: bytes
    period: Interval
    time_zone: str
    report_json: bytes
    report_pdf: bytes | None = None

    @property
    def place(self) -> tuple[int, int, bytes]:
        """What reports are sorted by: start, end, digest."""
        return (*self.period, self.digest)


@dataclass(frozen=True, slots=True)
class LogSection:
    """Entries [first, end) of one log, with the frontier before them and the checkpoint that covers them.

    A reader gives the entries as a tuple; a writer may give a sequence that fetches them as it goes.
    """

    origin: str
    first: int
    end: int
    prefix: Frontier
    checkpoint: str
    entries: Sequence[bytes]


@dataclass(slots=True)
class EvidenceBundle:
    """Everything in a bundle, by its meaning; nothing in it is trusted before it is checked.

    `cosigners` are the keys, besides its log host's, whose signatures the checkpoint of the log of logs
    carries. A reader gives the contents as a dictionary; a writer may give a mapping that fetches as it goes.
    """

    operator: str
    registrar: str
    log_host: str
    reports: tuple[BundledReport, ...]
    logs: dict[str, LogSection]
    log_of_logs_checkpoint: str
    log_of_logs_entries: list[bytes]
    maps: dict[str, dict[int, MapProof]]
    contents: Mapping[bytes, bytes]
    packages: dict[str, dict[str, bytes]]
    cosigners: tuple[Vkey, ...] = ()
    anchor: bytes | None = None

    @property
    def starts_at(self) -> int:
        """When the earliest of the reports' periods begins."""
        return min(report.period[0] for report in self.reports)

    def concerns(self, interval: Interval) -> bool:
        """Whether an interval touches the period of a report.

        A register's reading at a period's very end begins a window of its own, and counts.
        """
        return any(interval[0] <= r.period[1] and r.period[0] < interval[1] for r in self.reports)


def to_members(bundle: EvidenceBundle) -> Iterator[tuple[str, bytes]]:
    """Yield the members of `bundle` one at a time, for `carbonseal_attest.bundle.write_bundle`."""
    reports = sorted(bundle.reports, key=lambda report: report.place)
    yield (
        "subject",
        cbor.encode(
            {
                "operator": bundle.operator,
                "registrar": bundle.registrar,
                "log_host": bundle.log_host,
                "reports": [_report_value(report) for report in reports],
            }
        ),
    )
    yield "logs", cbor.encode([_log_value(bundle.logs[origin]) for origin in sorted(bundle.logs)])
    note = bundle.log_of_logs_checkpoint
    origin = note.partition("\n")[0]
    head = {
        "checkpoint": bundled_note(note, origin=origin, cosigners=bundle.cosigners).encode(),
        "cosigners": sorted(str(vkey) for vkey in bundle.cosigners),
        "entries": bundle.log_of_logs_entries,
    }
    yield "log-of-logs", cbor.encode(head)
    if bundle.anchor is not None:
        yield "anchor", bundle.anchor
    for report in reports:
        yield f"reports/{report.digest.hex()}.json", report.report_json
        if report.report_pdf is not None:
            yield f"reports/{report.digest.hex()}.pdf", report.report_pdf
    for package, files in bundle.packages.items():
        for path, data in files.items():
            yield f"packages/{package}/{path}", data
    for origin, proofs in bundle.maps.items():
        yield f"maps/{origin}", cbor.encode([[n, *proofs[n].to_value()] for n in sorted(proofs)])
    for origin, section in bundle.logs.items():
        for number, chunk in enumerate(cut(section.entries)):
            yield f"entries/{origin}/{number:06d}", cbor.encode(chunk)
    disclosed = (bundle.contents[digest] for digest in sorted(bundle.contents))
    for number, chunk in enumerate(cut(disclosed)):
        yield f"contents/{number:06d}", cbor.encode(chunk)


def cut(items: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield the items in runs as long as they may be: the one way to cut them into members."""
    chunk: list[bytes] = []
    size = 0
    for item in items:
        if chunk and not fits(chunk, size, item):
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += len(item)
    if chunk:
        yield chunk


def fits(chunk: Sequence[bytes], size: int, item: bytes) -> bool:
    """Whether a member with the items `chunk`, of `size` bytes together, takes `item` too."""
    return len(chunk) < TILE_WIDTH and size + len(item) <= CHUNK_BYTES


def _report_value(report: BundledReport) -> dict[str, Any]:
    start, end = report.period
    return {
        "report": report.digest,
        "period": {"start": start, "end": end, "time_zone": report.time_zone},
    }


def _log_value(section: LogSection) -> dict[str, Any]:
    return {
        "origin": section.origin,
        "first": section.first,
        "end": section.end,
        "prefix": list(section.prefix.hashes),
        "checkpoint": bundled_note(section.checkpoint, origin=section.origin).encode(),
    }
