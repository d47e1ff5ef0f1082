"""The agent: polls sources, seals windows that have ended, drains the spool: `carbonseal-collector run`.

Each step is a method that does its work and returns, driven by the clock that is passed in, so that a demo
or a test can walk a month in seconds; `run` does the same in real time. Polled samples are on disk before
`poll_once` returns; files are read again after a crash, and what was signed before is recognised and left
out.

    agent.poll_once(now); agent.seal_due(now); agent.drain()
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from carbonseal_attest.errors import AttestError
from carbonseal_attest.instants import Clock
from carbonseal_attest.signing import Signer
from carbonseal_collectors.adapter import BAD, Adapter, Poll, Sample, SetAside, SourceFile, open_adapters
from carbonseal_collectors.batching import BAD_VALUE, SOURCE_SILENT, STOPPED, Batch, Cut, cut_meter, gap_batch
from carbonseal_collectors.clock import system_clock
from carbonseal_collectors.errors import CollectorError, SourceRefused, SpoolFull, SpoolRefused
from carbonseal_collectors.gateway_config import GatewayConfig, MeterConfig, SourceConfig
from carbonseal_collectors.plain_text import counted
from carbonseal_collectors.sealing import Sealer, is_signed, mark, read_marks
from carbonseal_collectors.set_aside_file import write_rejects
from carbonseal_collectors.spool import Spool
from carbonseal_collectors.spool_lock import SpoolLock
from carbonseal_collectors.uplink import DrainReport, Uplink
from carbonseal_collectors.windows import slot_of

_logger = logging.getLogger(__name__)
_LONGEST_SLEEP_MS: Final = 60_000  # so that a corrected clock is noticed
_IDLE_MS: Final = 1_000  # between two looks at an empty spool in real time


@dataclass(slots=True)
class PollReport:
    """What one round of polling brought.

    Attributes:
        samples: new ones, good and bad, by source id.
        bad: those of them with quality bad, by source id.
        troubles: why they are bad, in words, by source id; only sources with bad samples.
        fruitless: ids of sources that were read and gave nothing good, new or known.
        known: readings passed over because the same was signed before.
        set_aside: rows that became no sample.
        refused: files or devices that could not be read at all.
        files: read whole.
        notes: what else is worth saying (spool full, clock behind).
    """

    samples: dict[str, int] = field(default_factory=dict)
    bad: dict[str, int] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)
    fruitless: list[str] = field(default_factory=list)
    known: int = 0
    set_aside: list[SetAside] = field(default_factory=list)
    refused: list[SourceRefused] = field(default_factory=list)
    files: list[SourceFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def count(self, source: str, poll: Poll, samples: Sequence[Sample], *, known: int = 0) -> None:
        """Counts the new samples of one source, and says why the bad ones are bad."""
        bad = [sample for sample in samples if sample.quality == BAD]
        self.samples[source], self.bad[source] = len(samples), len(bad)
        if bad:
            statuses = Counter(sample.source_status or "no reason given" for sample in bad).most_common(3)
            self.troubles[source] = (
                f"{poll.unreachable} does not answer"
                if poll.unreachable
                else ", ".join(f"{status} {count}" for status, count in statuses)
            )
        if len(bad) == len(samples) and (bad or poll.set_aside) and not known:
            self.fruitless.append(source)

    def lines(self) -> list[str]:
        """One line a source: how many samples are good and bad, and why."""
        return [
            (f"samples {count - self.bad[source]} good, {self.bad[source]} bad" if count else "nothing new")
            + (f" ({source}: {self.troubles[source]})" if source in self.troubles else f" ({source})")
            for source, count in self.samples.items()
        ]


@dataclass(slots=True)
class SealReport:
    """What one round of sealing signed: statement digests by kind, and readings left out as repetitions."""

    readings: list[bytes] = field(default_factory=list)
    gaps: list[bytes] = field(default_factory=list)
    repeated: int = 0

    def line(self) -> str:
        """What was signed, in words."""
        return f"sealed {counted(len(self.readings), 'reading')} and {counted(len(self.gaps), 'gap')}"


@dataclass(slots=True)
class _Unsealed:
    """What a file source has read and not yet signed; lost with the process and read again."""

    samples: list[Sample] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    files: list[SourceFile] = field(default_factory=list)


class Agent:
    """One gateway at work.

    Args:
        config: the gateway file.
        signer: the gateway's key.
        clock: milliseconds; one clock for everything.
        api_key: bearer token for the ledger.
        client: an httpx client for the ledger, instead of one of our own.

    Raises:
        CollectorError: an adapter or the spool refuses the configuration.
    """

    def __init__(
        self,
        config: GatewayConfig,
        *,
        signer: Signer,
        clock: Clock = system_clock,
        api_key: str = "",
        client: httpx.Client | None = None,
    ) -> None:
        self.config = config
        self.clock = clock
        self._adapters: dict[str, Adapter] = open_adapters(config)
        self.spool = Spool(
            config.spool_folder, gateway=config.id, origin=config.log_origin, max_bytes=config.spool_max_bytes
        )
        try:
            self._lock = SpoolLock(config.spool_folder)
        except SpoolRefused:
            self.spool.close()
            raise
        self.sealer = Sealer(
            signer, issuer=config.party, origin=config.log_origin, spool=self.spool, clock=clock
        )
        self._api_key = api_key
        self._client = client
        self._uplink: Uplink | None = None
        self._unsealed = {source.id: _Unsealed() for source in config.sources}

    def close(self) -> None:
        """Closes adapters, connection and spool."""
        for adapter in self._adapters.values():
            adapter.close()
        if self._uplink is not None:
            self._uplink.close()
        self.spool.close()
        self._lock.close()

    # One step each

    def poll_once(self, now: int | None = None, *, sources: Sequence[str] | None = None) -> PollReport:
        """Asks every source (or the named ones) once; polled samples are on disk afterwards.

        Args:
            now: milliseconds since 1970 UTC; the clock's time when absent.
            sources: ids, None for all.
        """
        at = self.clock() if now is None else now
        report = PollReport()
        try:
            self.spool.check_room()
        except SpoolFull as full:
            report.notes.append(str(full))
            return report
        for source in self.config.sources:
            if sources is not None and source.id not in sources:
                continue
            if self._adapters[source.id].is_replayable:
                self._read_files(source, at, report)
            else:
                self._poll_meters(source, at, report)
        if report.set_aside:
            write_rejects(self.config.spool_folder / "rejects", report.set_aside)
        return report

    def seal_due(self, now: int | None = None, *, flush: bool = False) -> SealReport:
        """Signs every window that has ended (and settled) by `now`; with `flush` also the open ones.

        A register read exactly at a window's end belongs to the next window: at the end of a period poll
        once more and flush.

        Args:
            now: milliseconds since 1970 UTC; the clock's time when absent.
            flush: sign everything up to and including `now`.
        """
        at = self.clock() if now is None else now
        report = SealReport()
        for source in self.config.sources:
            until = at + 1 if flush else source.window.around(max(at - source.settle_ms, 0))[0]
            try:
                with self.spool.transaction():
                    for meter in source.meters:
                        self._seal_meter(source, meter, until, at, report)
            except BaseException:
                self._unsealed[source.id] = _Unsealed()  # nothing was signed: the files are read again
                raise
            unsealed = self._unsealed[source.id]
            if not unsealed.samples:
                self.spool.add_files(source.id, unsealed.files)
                unsealed.files.clear()
                unsealed.set_aside.clear()
        return report

    def drain(self, *, with_receipts: bool = True) -> DrainReport:
        """Sends what waits to the ledger and fetches receipts; see `Uplink.drain`.

        Raises:
            UplinkUnusable: [uplink] lacks address or log key.
        """
        return self.uplink().drain(with_receipts=with_receipts)

    def uplink(self) -> Uplink:
        """The connection to the ledger, made at first use. Raises UplinkUnusable."""
        if self._uplink is None:
            self._uplink = Uplink(
                self.config.uplink,
                origin=self.config.log_origin,
                spool=self.spool,
                sealer=self.sealer,
                api_key=self._api_key,
                client=self._client,
            )
        return self._uplink

    def status(self) -> dict[str, Any]:
        """Where everything stands, as JSON values."""
        checkpoint = self.sealer.known_checkpoint()
        return {
            "gateway": self.config.id,
            "origin": self.config.log_origin,
            "statements": self.spool.counts(),
            "problems": self.spool.problems(),
            "checkpoint_size": None if checkpoint is None else checkpoint[0],
            "meters": {
                code: {"name": meter.name, "sealed_until": self.spool.resume_from(code)}
                for code, meter in self.config.meters().items()
            },
        }

    # Real time

    def run(self, stop: threading.Event, *, tell: Callable[[str], None] = _logger.info) -> None:
        """Polls, seals and drains in real time until `stop` is set; a dead line never holds up polling.

        Args:
            stop: ends the run when set.
            tell: takes a line for people after every round that brought something or went otherwise than
                the one before; called from two threads.
        """
        drainer = threading.Thread(target=self._drain_until, args=(stop, tell), name="uplink", daemon=True)
        drainer.start()
        due = {source.id: 0 for source in self.config.sources}
        told = ""
        while not stop.is_set():
            now = self.clock()
            asked = [source.id for source in self.config.sources if now >= due[source.id]]
            try:
                if asked:
                    polled = self.poll_once(now, sources=asked)
                    said = _round(polled, self.seal_due(now))
                    if any(polled.samples.values()) or said != told:
                        tell(said)
                        told = said
            except CollectorError as exc:  # a full disk may be cured while we wait
                tell(str(exc))
            for source in self.config.sources:
                if source.id in asked:
                    due[source.id] = now - now % source.poll_every_ms + source.poll_every_ms
            stop.wait(min(max(min(due.values()) - self.clock(), 1), _LONGEST_SLEEP_MS) / 1000)
        drainer.join()

    def _drain_until(self, stop: threading.Event, tell: Callable[[str], None]) -> None:
        told = ""
        while not stop.is_set():
            try:
                uplink = self.uplink()
                drained = uplink.drain()
                failure = drained.failure or "; ".join(drained.held.values())
                wait_ms = max(uplink.wait_ms, _IDLE_MS)
                if drained.logged:
                    tell(f"uplink: {counted(drained.logged, 'statement')} logged")
            except CollectorError as exc:
                failure = str(exc)
                wait_ms = self.config.uplink.backoff_max_ms
            if failure != told:
                tell(f"uplink: {failure or 'works again'}")
                told = failure
            stop.wait(wait_ms / 1000)

    # Parts

    def _read_files(self, source: SourceConfig, now: int, report: PollReport) -> None:
        unsealed = self._unsealed[source.id]
        known = self.spool.known_files(source.id) + [item.digest for item in unsealed.files]
        poll = self._adapters[source.id].poll(now, known=known)
        fresh: list[Sample] = []
        known_before = report.known
        marks: dict[tuple[str, int], dict[bytes, set[bytes]]] = {}
        bounds = (0, 0)
        for sample in poll.samples:
            if not bounds[0] <= sample.at < bounds[1]:
                bounds = source.window.around(sample.at)
            key = (sample.meter, bounds[0])
            if key not in marks:
                marks[key] = read_marks(self.spool.signed_marks(*key))
            signed = is_signed(mark(sample), marks[key]) if marks[key] else None
            if signed is None:
                fresh.append(sample)
            elif signed:
                report.known += 1
            else:
                report.set_aside.append(_contradicting(sample, poll.files))
        unsealed.samples.extend(fresh)
        unsealed.set_aside.extend(poll.set_aside)
        unsealed.files.extend(poll.files)
        report.count(source.id, poll, fresh, known=report.known - known_before)
        report.set_aside.extend(poll.set_aside)
        report.refused.extend(poll.refused)
        report.files.extend(poll.files)

    def _poll_meters(self, source: SourceConfig, now: int, report: PollReport) -> None:
        fact = f"polled/{source.id}"
        last = int(self.spool.fact(fact) or -1)
        if now <= last:
            report.notes.append(
                f"{source.id}: the clock stands at or before the last poll; nothing is read twice"
            )
            return
        poll = self._adapters[source.id].poll(now)
        with self.spool.transaction():
            self.spool.journal(source.id, poll.samples)
            self.spool.set_fact(fact, str(now))
            for meter in source.meters:
                if self.spool.resume_from(meter.code) is None:
                    step = max(point.step_ms for point in meter.points)
                    self.spool.set_resume_from(meter.code, slot_of(now, step, source.window.time_zone))
        report.count(source.id, poll, poll.samples)
        report.refused.extend(poll.refused)

    def _seal_meter(
        self, source: SourceConfig, meter: MeterConfig, until: int, now: int, report: SealReport
    ) -> None:
        is_replayable = self._adapters[source.id].is_replayable
        unsealed = self._unsealed[source.id]
        if is_replayable:
            samples = [sample for sample in unsealed.samples if sample.meter == meter.code]
        else:
            samples = self.spool.journalled(meter.code)
        cut = self._cut(source, meter, samples, until, is_replayable=is_replayable)
        self._seal(source, meter, cut, until, report, is_replayable=is_replayable)
        if is_replayable:
            others = [sample for sample in unsealed.samples if sample.meter != meter.code]
            unsealed.samples = others + cut.left
        if (
            is_replayable
            and source.silent_after_ms is not None
            and cut.resume_from is not None
            and not cut.left
        ):
            silent_until = source.window.around(max(now - source.silent_after_ms, 0))[0]
            if silent_until > cut.resume_from:
                silent = self._cut(
                    source, meter, [], silent_until, is_replayable=False, silence=SOURCE_SILENT
                )
                self._seal(source, meter, silent, silent_until, report, is_replayable=True)

    def _sign(self, meter: MeterConfig, batch: Batch) -> tuple[Batch, bytes]:
        try:
            return batch, self.sealer.seal(batch).digest
        except (
            AttestError
        ) as exc:  # what makes no content is said to be missing, and never blocks what follows
            gap = _unsealable(meter, batch, str(exc))
            return gap, self.sealer.seal(gap).digest

    def _cut(
        self,
        source: SourceConfig,
        meter: MeterConfig,
        samples: Sequence[Sample],
        until: int,
        *,
        is_replayable: bool,
        silence: str = "",
    ) -> Cut:
        return cut_meter(
            meter,
            samples,
            window=source.window,
            resume_from=self.spool.resume_from(meter.code),
            until=until,
            is_silence_open=is_replayable,
            set_aside=self._unsealed[source.id].set_aside,
            # Every poll leaves samples, if only to say that nothing answered: no sample means no poll.
            silence=silence or (SOURCE_SILENT if is_replayable else STOPPED),
        )

    def _seal(
        self,
        source: SourceConfig,
        meter: MeterConfig,
        cut: Cut,
        until: int,
        report: SealReport,
        *,
        is_replayable: bool,
    ) -> None:
        if not cut.batches and cut.resume_from == self.spool.resume_from(meter.code):
            return
        with self.spool.transaction():
            marks: dict[int, list[bytes]] = {}
            for wanted in cut.batches:
                batch, digest = self._sign(meter, wanted)
                (report.readings if batch.kind == "readings" else report.gaps).append(digest)
                if is_replayable:
                    for sample in batch.samples:
                        marks.setdefault(source.window.around(sample.at)[0], []).append(mark(sample))
            for window_start, found in marks.items():
                self.spool.add_marks(meter.code, window_start, b"".join(found))
            if cut.resume_from is not None:
                self.spool.set_resume_from(meter.code, cut.resume_from)
            if not is_replayable:
                self.spool.forget_samples(meter.code, before=until)
        report.repeated += len(cut.repeated)


def _round(polled: PollReport, sealed: SealReport) -> str:
    """What one round of `run` did, in one line."""
    said = [
        *polled.lines(),
        sealed.line(),
        *([f"set aside {counted(len(polled.set_aside), 'row')}"] if polled.set_aside else []),
        *map(str, polled.refused),
        *polled.notes,
    ]
    return "; ".join(said)


def _unsealable(meter: MeterConfig, batch: Batch, reason: str) -> Batch:
    names = sorted(point.point for point in meter.points)
    return gap_batch(meter.code, batch.interval, names, BAD_VALUE, f"cannot be sealed: {reason}")


def _contradicting(sample: Sample, files: Sequence[SourceFile]) -> SetAside:
    """A row that says something else than what was signed for its instant: kept out, and shown."""
    name = files[-1].name if files else sample.meter
    said = f"{sample.point} at {sample.at}: {sample.value} {sample.unit}"
    return SetAside(name, 0, "contradicts the reading already signed for that instant", said, sample.meter)
