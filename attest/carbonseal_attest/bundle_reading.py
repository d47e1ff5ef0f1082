"""Reads the members of an evidence bundle by their meaning, one at a time and in any order.

A member is taken apart when it comes and not kept beside its parts, so that a bundle is held once. What is
read may be relied upon only when all of it was: see `carbonseal_attest.bundle.read_members`. The members are
listed in `bundle_layout`. Left out: every question of truth, which is the check's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, BinaryIO, Final

from carbonseal_attest import cbor
from carbonseal_attest.bundle import read_members
from carbonseal_attest.bundle_layout import (
    CHUNK_BYTES,
    LOG,
    LOG_OF_LOGS,
    MAX_CHUNK,
    MAX_EPOCHS,
    MAX_LOGS,
    SUBJECT,
    BundledReport,
    EvidenceBundle,
    LogSection,
    fits,
)
from carbonseal_attest.contents import schema as s
from carbonseal_attest.epoch import MapProof
from carbonseal_attest.errors import BundleInvalid, CarbonsealError
from carbonseal_attest.identifiers import check_origin
from carbonseal_attest.merkle import Frontier
from carbonseal_attest.tiles import TILE_WIDTH
from carbonseal_attest.vkey import Vkey

_ITEMS: Final = s.array(s.octets(1, CHUNK_BYTES), TILE_WIDTH, least=1)
_SINGLE: Final = frozenset({"subject", "logs", "log-of-logs", "anchor"})


def read_bundle(stream: BinaryIO) -> EvidenceBundle:
    """Return the bundle that a stream holds.

    Raises:
        BundleInvalid: not a bundle, or a member is missing, malformed, doubled, or unknown.
    """
    return from_members(read_members(stream))


def from_members(members: Iterable[tuple[str, bytes]]) -> EvidenceBundle:
    """Return the bundle that `members` write, in whatever order they come.

    Raises:
        BundleInvalid: a member is missing, malformed, doubled, or unknown.
    """
    reader = MemberReader()
    for name, data in members:
        reader.take(name, data)
    return reader.finish()


class MemberReader:
    """Takes members as they come; `finish` gives the bundle, once all of them are there."""

    def __init__(self) -> None:
        self._single: dict[str, bytes] = {}
        self._entries: dict[str, _Items] = {}
        self._contents = _Items("contents/")
        self._maps: dict[str, dict[int, MapProof]] = {}
        self._packages: dict[str, dict[str, bytes]] = {}
        self._reports: dict[str, bytes] = {}
        self._count = 0

    @property
    def count(self) -> int:
        """How many entries and contents were read so far."""
        return self._count

    def take(self, name: str, data: bytes) -> None:
        """Read one member.

        Raises:
            BundleInvalid: it is malformed, stands twice, or is none that a bundle has.
        """
        kind, _, rest = name.partition("/")
        if name in _SINGLE:
            _once(self._single, name, data)
        elif kind == "contents":
            self._count += self._contents.take(name, data)
        elif kind == "entries":
            origin = rest.rpartition("/")[0]
            items = self._entries.setdefault(origin, _Items(f"entries/{origin}/"))
            self._count += items.take(name, data)
        elif kind == "maps" and rest:
            if rest in self._maps:
                raise _refusal(name, "stands twice")
            self._maps[rest] = _read_maps(name, data)
        elif kind == "packages" and rest:
            package, _, path = rest.partition("/")
            if not path:
                raise _refusal(name, "names no file")
            _once(self._packages.setdefault(package, {}), path, data)
        elif kind == "reports" and rest:
            _once(self._reports, rest, data)
        else:
            raise _unknown(name)

    def finish(self) -> EvidenceBundle:
        """Return the bundle.

        Raises:
            BundleInvalid: a member is missing, malformed, or belongs to nothing.
        """
        subject = _read("subject", self._one("subject"), SUBJECT)
        head = _read("log-of-logs", self._one("log-of-logs"), LOG_OF_LOGS)
        reports = tuple(self._report(value) for value in subject["reports"])
        places = [report.place for report in reports]
        if any(a >= b for a, b in pairwise(places)):
            raise _refusal("subject.reports", "stand twice, or not in order of start, end and digest")
        if self._reports:
            raise _unknown(f"reports/{min(self._reports)}")
        return EvidenceBundle(
            operator=subject["operator"],
            registrar=subject["registrar"],
            log_host=subject["log_host"],
            reports=reports,
            logs=self._logs(),
            log_of_logs_checkpoint=_text("log-of-logs", head["checkpoint"]),
            log_of_logs_entries=head["entries"],
            maps=dict(sorted(self._maps.items())),
            contents=self._disclosed(),
            packages={name: dict(sorted(files.items())) for name, files in sorted(self._packages.items())},
            anchor=self._single.pop("anchor", None),
            cosigners=_cosigners(head["cosigners"]),
        )

    def _one(self, name: str) -> bytes:
        if name not in self._single:
            raise _refusal(name, "is missing")
        return self._single.pop(name)

    def _report(self, value: dict[str, Any]) -> BundledReport:
        digest, period = value["report"], value["period"]
        if period["start"] >= period["end"]:
            raise _refusal("subject.reports", "a period ends before it starts, or is empty")
        name = digest.hex()
        if f"{name}.json" not in self._reports:
            raise _refusal(f"reports/{name}.json", "is missing, or its report is listed twice")
        return BundledReport(
            digest,
            (period["start"], period["end"]),
            period["time_zone"],
            self._reports.pop(f"{name}.json"),
            self._reports.pop(f"{name}.pdf", None),
        )

    def _logs(self) -> dict[str, LogSection]:
        logs: dict[str, LogSection] = {}
        for value in _read("logs", self._one("logs"), s.array(LOG, MAX_LOGS, least=1)):
            origin, size = value["origin"], value["end"] - value["first"]
            if size < 1 or (logs and origin <= next(reversed(logs))):
                raise _refusal("logs", f"{origin} is empty, stands twice, or not in order")
            if origin not in self._entries:
                raise _refusal(f"entries/{origin}/", "is missing")
            items = self._entries.pop(origin).items
            if len(items) != size:
                raise _refusal(f"entries/{origin}/", f"holds {len(items)} entries instead of {size}")
            logs[origin] = _section(value, tuple(items))
        if self._entries:
            raise _unknown(f"entries/{min(self._entries)}")
        return logs

    def _disclosed(self) -> dict[bytes, bytes]:
        contents: dict[bytes, bytes] = {}
        last = b""
        for data in self._contents.items:
            digest = hashlib.sha256(data).digest()
            if digest <= last:
                raise _refusal("contents", "not sorted by digest")
            contents[digest], last = data, digest
        return contents


class _Items:
    """The items of numbered members, which must be cut in the one way."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._numbers = 0
        self._last: list[bytes] = []  # the member before: it must have had no room for what comes now
        self.items: list[bytes] = []

    def take(self, name: str, data: bytes) -> int:
        if name != f"{self._prefix}{self._numbers:06d}":
            raise _unknown(name)
        chunk: list[bytes] = _read(name, data, _ITEMS)
        size = sum(map(len, chunk))
        is_cut = len(chunk) == 1 or size <= CHUNK_BYTES
        if not is_cut or (self._last and fits(self._last, sum(map(len, self._last)), chunk[0])):
            raise _refusal(self._prefix, "is not cut into members as it must be")
        self._numbers += 1
        self._last = chunk
        self.items += chunk
        return len(chunk)


def _once(members: dict[str, bytes], name: str, data: bytes) -> None:
    if name in members:
        raise _refusal(name, "stands twice")
    members[name] = data


def _section(value: dict[str, Any], entries: tuple[bytes, ...]) -> LogSection:
    try:
        prefix = Frontier(value["first"], tuple(value["prefix"]))
    except CarbonsealError as error:
        raise _refusal("logs.prefix", error.reason) from error
    note = _text("logs.checkpoint", value["checkpoint"])
    return LogSection(value["origin"], value["first"], value["end"], prefix, note, entries)


def _read_maps(name: str, data: bytes) -> dict[int, MapProof]:
    proofs: dict[int, MapProof] = {}
    last = 0
    origin = name.removeprefix("maps/")
    try:
        check_origin(origin)
    except CarbonsealError as error:
        raise _refusal(name, error.reason) from error
    for row in _read(name, data, s.array(s.anything, MAX_EPOCHS)):
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
        value = cbor.decode(data, max_size=MAX_CHUNK)
        check(value, name)
    except CarbonsealError as error:
        raise _refusal(error.field if error.field != "cbor" else name, error.reason) from error
    return value


def _cosigners(texts: list[str]) -> tuple[Vkey, ...]:
    if any(a >= b for a, b in pairwise(texts)):
        raise _refusal("log-of-logs.cosigners", "stand twice, or not in order")
    try:
        return tuple(Vkey.parse(text) for text in texts)
    except CarbonsealError as error:
        raise _refusal("log-of-logs.cosigners", error.reason) from error


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _refusal(name, "not UTF-8") from error


def _unknown(name: str) -> BundleInvalid:
    return _refusal(name, "is not a member that a bundle has")


def _refusal(member: str, reason: str) -> BundleInvalid:
    return BundleInvalid(member, reason, "ask for the bundle again from whoever made it")
