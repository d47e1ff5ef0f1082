"""The members of an evidence bundle: what a stranger gets, and how each is written.

    subject                       {report, operator, registrar, log_host, period}: what the bundle is about
    logs                          [{origin, first, end, prefix, checkpoint}, ...] sorted by origin
    entries/<origin>/<number>     statements of one log in order, up to 256 a member, as a CBOR array
    contents/<number>             disclosed contents sorted by digest, as CBOR arrays
    log-of-logs                   {checkpoint, entries}: all its entries from its genesis to the head
    maps/<origin>                 [[epoch, size, root, index, path], ...]: the origin's head in each epoch
    anchor                        evidence of the chain (`carbonseal_attest.anchor`)
    packages/<id@version>/<path>  files of method packages, factor sets and quality profiles
    report.json, report.pdf       the report and its rendering

A log's entries run from `first` to `end` without a hole; `prefix` is the frontier of the tree of `first`
leaves, so that entries and prefix together give the root of every head from there on. Register logs are
whole: their `first` is 0. Contents may be withheld; entries may not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from carbonseal_attest import cbor
from carbonseal_attest.contents import schema as s
from carbonseal_attest.epoch import MapProof
from carbonseal_attest.errors import BundleInvalid, CarbonsealError
from carbonseal_attest.identifiers import check_origin
from carbonseal_attest.instants import Interval
from carbonseal_attest.merkle import MAX_PATH, Frontier
from carbonseal_attest.tiles import TILE_WIDTH

_CHUNK_BYTES: Final = 4 << 20
_MAX_CHUNK: Final = 16 << 20
_MAX_EPOCHS: Final = 1 << 20

_subject = s.record(
    {
        "report": s.digest,
        "operator": s.code,
        "registrar": s.code,
        "log_host": s.code,
        "period": s.record({"start": s.instant, "end": s.instant, "time_zone": s.text(60)}),
    }
)
_log = s.record(
    {
        "origin": s.origin,
        "first": s.integer(0, 1 << 48),
        "end": s.integer(1, 1 << 48),
        "prefix": s.array(s.digest, MAX_PATH),
        "checkpoint": s.octets(1, 16_384),
    }
)
_log_of_logs = s.record(
    {"checkpoint": s.octets(1, 16_384), "entries": s.array(s.octets(1, 4096), _MAX_EPOCHS, least=1)}
)


@dataclass(frozen=True, slots=True)
class LogSection:
    """Entries [first, end) of one log, with the frontier before them and the checkpoint that covers them."""

    origin: str
    first: int
    end: int
    prefix: Frontier
    checkpoint: str
    entries: tuple[bytes, ...]


@dataclass(slots=True)
class EvidenceBundle:
    """Everything in a bundle, by its meaning; nothing in it is trusted before it is checked."""

    report_digest: bytes
    operator: str
    registrar: str
    log_host: str
    period: Interval
    time_zone: str
    logs: dict[str, LogSection]
    log_of_logs_checkpoint: str
    log_of_logs_entries: list[bytes]
    maps: dict[str, dict[int, MapProof]]
    contents: dict[bytes, bytes]
    packages: dict[str, dict[str, bytes]]
    report_json: bytes
    report_pdf: bytes | None = None
    anchor: bytes | None = None
    others: dict[str, bytes] = field(default_factory=dict)


def to_members(bundle: EvidenceBundle) -> dict[str, bytes]:
    """Return the members of `bundle`, ready for `carbonseal_attest.bundle.write_bundle`."""
    start, end = bundle.period
    members = {
        "subject": cbor.encode(
            {
                "report": bundle.report_digest,
                "operator": bundle.operator,
                "registrar": bundle.registrar,
                "log_host": bundle.log_host,
                "period": {"start": start, "end": end, "time_zone": bundle.time_zone},
            }
        ),
        "logs": cbor.encode([_log_value(bundle.logs[origin]) for origin in sorted(bundle.logs)]),
        "log-of-logs": cbor.encode(
            {"checkpoint": bundle.log_of_logs_checkpoint.encode(), "entries": bundle.log_of_logs_entries}
        ),
        "report.json": bundle.report_json,
    }
    if bundle.report_pdf is not None:
        members["report.pdf"] = bundle.report_pdf
    if bundle.anchor is not None:
        members["anchor"] = bundle.anchor
    for origin, section in bundle.logs.items():
        members |= {f"entries/{origin}/{n:06d}": c for n, c in enumerate(_chunks(section.entries))}
    disclosed = [bundle.contents[digest] for digest in sorted(bundle.contents)]
    members |= {f"contents/{n:06d}": chunk for n, chunk in enumerate(_chunks(disclosed))}
    for origin, proofs in bundle.maps.items():
        members[f"maps/{origin}"] = cbor.encode([[n, *proofs[n].to_value()] for n in sorted(proofs)])
    for package, files in bundle.packages.items():
        members |= {f"packages/{package}/{path}": data for path, data in files.items()}
    return members


def from_members(members: Mapping[str, bytes]) -> EvidenceBundle:
    """Return the bundle that `members` write.

    Raises:
        BundleInvalid: a member is missing, malformed, doubled, or unknown.
    """
    rest = dict(members)

    def take(name: str) -> bytes:
        if name not in rest:
            raise _refusal(name, "is missing")
        return rest.pop(name)

    subject = _read("subject", take("subject"), _subject)
    logs: dict[str, LogSection] = {}
    for value in _read("logs", take("logs"), s.array(_log, 1000, least=1)):
        origin, size = value["origin"], value["end"] - value["first"]
        if size < 1 or (logs and origin <= next(reversed(logs))):
            raise _refusal("logs", f"{origin} is empty, stands twice, or not in order")
        entries = tuple(_take_chunks(rest, f"entries/{origin}/", size))
        logs[origin] = _section(value, entries)
    head = _read("log-of-logs", take("log-of-logs"), _log_of_logs)
    maps = {
        name.removeprefix("maps/"): _read_maps(name, rest.pop(name))
        for name in sorted(rest)
        if name.startswith("maps/")
    }
    contents: dict[bytes, bytes] = {}
    for data in _take_chunks(rest, "contents/", None):
        digest = hashlib.sha256(data).digest()
        if contents and digest <= next(reversed(contents)):
            raise _refusal("contents", "not sorted by digest")
        contents[digest] = data
    packages: dict[str, dict[str, bytes]] = {}
    for name in sorted(n for n in rest if n.startswith("packages/")):
        _, package, path = (*name.split("/", 2), "")[:3]
        if not path:
            raise _refusal(name, "names no file")
        packages.setdefault(package, {})[path] = rest.pop(name)
    start, end = subject["period"]["start"], subject["period"]["end"]
    if start >= end:
        raise _refusal("subject.period", "ends before it starts, or is empty")
    bundle = EvidenceBundle(
        report_digest=subject["report"],
        operator=subject["operator"],
        registrar=subject["registrar"],
        log_host=subject["log_host"],
        period=(start, end),
        time_zone=subject["period"]["time_zone"],
        logs=logs,
        log_of_logs_checkpoint=_text("log-of-logs", head["checkpoint"]),
        log_of_logs_entries=head["entries"],
        maps=maps,
        contents=contents,
        packages=packages,
        report_json=take("report.json"),
        report_pdf=rest.pop("report.pdf", None),
        anchor=rest.pop("anchor", None),
    )
    if rest:
        raise _refusal(min(rest), "is not a member that a bundle has")
    return bundle


def _log_value(section: LogSection) -> dict[str, Any]:
    return {
        "origin": section.origin,
        "first": section.first,
        "end": section.end,
        "prefix": list(section.prefix.hashes),
        "checkpoint": section.checkpoint.encode(),
    }


def _section(value: dict[str, Any], entries: tuple[bytes, ...]) -> LogSection:
    try:
        prefix = Frontier(value["first"], tuple(value["prefix"]))
    except CarbonsealError as error:
        raise _refusal("logs.prefix", error.reason) from error
    note = _text("logs.checkpoint", value["checkpoint"])
    return LogSection(value["origin"], value["first"], value["end"], prefix, note, entries)


def _chunks(items: Iterable[bytes]) -> Iterator[bytes]:
    return (cbor.encode(chunk) for chunk in _split(items))


def _split(items: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield the items in runs as long as they may be: the one way to cut them into members."""
    chunk: list[bytes] = []
    size = 0
    for item in items:
        if chunk and (len(chunk) == TILE_WIDTH or size + len(item) > _CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += len(item)
    if chunk:
        yield chunk


def _take_chunks(rest: dict[str, bytes], prefix: str, count: int | None) -> list[bytes]:
    items: list[bytes] = []
    lengths: list[int] = []
    check = s.array(s.octets(1, _CHUNK_BYTES), TILE_WIDTH, least=1)
    # Names are asked for one by one: a later number without the one before it stays behind, as unknown.
    while (name := f"{prefix}{len(lengths):06d}") in rest:
        chunk = _read(name, rest.pop(name), check)
        lengths.append(len(chunk))
        items.extend(chunk)
    if items and count is not None and len(items) != count:
        raise _refusal(prefix, f"holds {len(items)} entries instead of {count}")
    if count is not None and not items:
        raise _refusal(prefix, "is missing")
    if [len(chunk) for chunk in _split(items)] != lengths:
        raise _refusal(prefix, "is not cut into members as it must be")
    return items


def _read_maps(name: str, data: bytes) -> dict[int, MapProof]:
    proofs: dict[int, MapProof] = {}
    last = 0
    origin = name.removeprefix("maps/")
    try:
        check_origin(origin)
    except CarbonsealError as error:
        raise _refusal(name, error.reason) from error
    for row in _read(name, data, s.array(s.anything, _MAX_EPOCHS)):
        match row:
            case [int(epoch), *proof] if type(epoch) is int and epoch > last:
                last = epoch
                try:
                    proofs[epoch] = MapProof.from_value(origin, proof)
                except CarbonsealError as error:
                    raise _refusal(name, error.reason) from error
            case _:
                raise _refusal(name, "a row is malformed, or an epoch stands twice or not in order")
    return proofs


def _read(name: str, data: bytes, check: s.Check) -> Any:
    try:
        value = cbor.decode(data, max_size=_MAX_CHUNK)
        check(value, name)
    except CarbonsealError as error:
        raise _refusal(error.field if error.field != "cbor" else name, error.reason) from error
    return value


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _refusal(name, "not UTF-8") from error


def _refusal(member: str, reason: str) -> BundleInvalid:
    return BundleInvalid(member, reason, "ask for the bundle again from whoever made it")
