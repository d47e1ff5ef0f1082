"""Sequencing: a batch of checked statements becomes entries of a log in one PostgreSQL transaction.

Under the log's row lock each statement gets its place: strictly one entry for each (log, key, stream,
sequence), a repeated statement answers with its first index, a different statement at a taken place is
refused and the log registers the conflict itself as an `equivocation`. Entries, stream heads, contents,
head and checkpoint are written together and committed synchronously. While entries arrive the log appends
its own signed `tick` at least once a minute. Publishing comes after, in `publication`; no receipt may leave
before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg2
from sqlalchemy import Engine

from carbonseal_attest.contents import Content, build_content, parse_content
from carbonseal_attest.errors import IdentityInvalid
from carbonseal_attest.instants import Clock
from carbonseal_attest.signing import Signer
from carbonseal_attest.statement import Header, SignedStatement, sign_statement
from carbonseal_ledger import rows
from carbonseal_ledger.admission import Register
from carbonseal_ledger.continuity import StreamCursor, check_backfill
from carbonseal_ledger.database import unusable
from carbonseal_ledger.errors import (
    ClockWentBack,
    ContentErased,
    KeyStale,
    LogUnknown,
    Refused,
    RegisterMoved,
    RollbackDetected,
    SequenceReused,
)
from carbonseal_ledger.heads import CommittedHead, HeadWriter
from carbonseal_ledger.outcomes import Outcome, Problem, Status
from carbonseal_ledger.policy import RESERVED, check_policy, lateness
from carbonseal_ledger.registration import Candidate, LogTerms, check_erasable
from carbonseal_ledger.rows import LockedLog, NewEntry, Registered, StreamKey
from carbonseal_ledger.steps import at_step

TICK_MS: Final = 60_000  # docs/spec/log.md, Ticks: at least once a minute while entries arrive
CLOCK_SLACK_MS: Final = 1_000  # a clock being disciplined may step back this much; time then stands still
EPOCHS_BEFORE_EXPIRY: Final = 2  # an epoch's closing ticks every log, so one epoch would do
_REMEMBERED_STREAMS: Final = 50_000  # heads kept a log; beyond it they are read again


@dataclass(slots=True)
class LogMemory:
    """What a process remembers of a log between batches; stream heads hold at `size` and `root_hash`."""

    size: int = -1
    root_hash: bytes = b""
    cursors: dict[StreamKey, StreamCursor] = field(default_factory=dict)
    subjects: dict[str, int] = field(default_factory=dict)
    published_size: int = 0


@dataclass(slots=True)
class _Batch:
    """The state of one batch while its transaction runs."""

    log: LockedLog
    now: int
    cursors: dict[StreamKey, StreamCursor]
    registered: dict[tuple[int, int], Registered]
    placed: dict[tuple[StreamKey, int], Registered] = field(default_factory=dict)
    statements: list[SignedStatement] = field(default_factory=list)
    contents: dict[bytes, bytes] = field(default_factory=dict)
    own_contents: dict[bytes, bytes] = field(default_factory=dict)
    touched: dict[StreamKey, StreamCursor] = field(default_factory=dict)
    conflicts: list[tuple[StreamKey, int, int]] = field(default_factory=list)
    accusations: dict[bytes, int] = field(default_factory=dict)
    erasures: dict[bytes, str] = field(default_factory=dict)


class Sequencer:
    """Gives entries their places. One for each process; any number may run against one database."""

    def __init__(
        self, engine: Engine, heads: HeadWriter, log_signer: Signer, clock: Clock, party: str
    ) -> None:
        self._engine = engine
        self._heads = heads
        self._signer = log_signer
        self._clock = clock
        self._party = party

    def commit(
        self,
        terms: LogTerms,
        candidates: Sequence[Candidate],
        register: Register,
        memory: LogMemory,
        *,
        tick_now: bool = False,
    ) -> tuple[list[Outcome], CommittedHead | None]:
        """Sequence a batch; returns one outcome per candidate and the new head, None when nothing was added.

        Args:
            terms: of the log.
            candidates: checked by `registration` and `admission`.
            register: of the log's party, for resumed streams.
            memory: what this process remembers of the log; only one thread may use it at a time.
            tick_now: append a tick even if the last one is recent, unless nothing came after it.

        Raises:
            LogUnknown, ClockWentBack, RollbackDetected: nothing was written.
            DatabaseUnusable: it is not known whether the batch was written; send it again after a restart.
        """
        try:
            try:
                return self._commit(terms, candidates, register, memory, tick_now=tick_now, is_retry=False)
            except psycopg2.errors.UniqueViolation:
                # A content of the batch was uploaded by somebody else just now: once more, minding known
                # contents.
                memory.size = -1
                return self._commit(terms, candidates, register, memory, tick_now=tick_now, is_retry=True)
        except psycopg2.Error as error:
            memory.size = -1
            raise unusable(error) from error
        except BaseException:
            memory.size = -1
            raise

    def _commit(
        self,
        terms: LogTerms,
        candidates: Sequence[Candidate],
        register: Register,
        memory: LogMemory,
        *,
        tick_now: bool,
        is_retry: bool,
    ) -> tuple[list[Outcome], CommittedHead | None]:
        head = None
        with rows.transaction(self._engine) as cursor:
            batch = self._begin(cursor, terms, candidates, memory)
            at_step("batch locked")
            if terms.log == "register" and register.size != batch.log.size:
                raise RegisterMoved("register", f"{terms.origin} has grown", "read it again")
            self._refuse_broken_backfill(batch, candidates)
            # Statements about keys are judged one after the other, each by what those before it left.
            working = register.copy() if terms.log == "register" else register
            outcomes = [self._place(cursor, terms, batch, c, working) for c in candidates]
            is_covered = batch.log.ticked_size == batch.log.size + len(batch.statements)
            is_due = batch.now - batch.log.last_tick_at >= TICK_MS or any(
                _expires_soon(candidate, register.policies.newest.epoch_ms, batch.now)
                for candidate in candidates
            )
            ticks = ((is_due and bool(batch.statements)) or tick_now) and not is_covered
            if ticks:
                self._append_own(terms, batch, "tick", self._party, {"at": batch.now})
            at_step("batch placed")
            if batch.statements:
                head = self._write(cursor, terms, batch, memory, ticks=ticks, is_retry=is_retry)
        at_step("batch committed")
        if head is not None:
            memory.size, memory.root_hash = head.size, head.root_hash
            if len(memory.cursors) > _REMEMBERED_STREAMS:
                memory.cursors.clear()
        return outcomes, head

    def append_own(
        self, terms: LogTerms, kind: str, subject: str, body_at: Callable[[int], dict[str, Any]]
    ) -> CommittedHead:
        """Append one statement of the log host's own, as an entry and a head by itself.

        Args:
            terms: of the log.
            kind: a kind that the log host signs; its stream has the kind's name.
            subject: of the statement.
            body_at: the content's body, given the size of the log before it.

        Raises:
            LogUnknown, ClockWentBack, RollbackDetected, LogKeyRetired: nothing was written.
            DatabaseUnusable: it is not known whether it was written.
        """
        memory = LogMemory()
        try:
            with rows.transaction(self._engine) as cursor:
                batch = self._begin(cursor, terms, [], memory)
                key: StreamKey = (self._signer.public.kid, kind)
                batch.cursors.update(rows.read_cursors(cursor, batch.log.id, [key]))
                self._append_own(terms, batch, kind, subject, body_at(batch.log.size))
                return self._write(cursor, terms, batch, memory, ticks=False, is_retry=False)
        except psycopg2.Error as error:
            raise unusable(error) from error

    def _begin(
        self, cursor: Any, terms: LogTerms, candidates: Sequence[Candidate], memory: LogMemory
    ) -> _Batch:
        log = rows.lock_log(cursor, terms.origin)
        if log is None:
            raise LogUnknown("origin", f"no log {terms.origin} is open here", "open it with its genesis")
        now = self._clock()
        if now < log.last_registered_at - CLOCK_SLACK_MS:
            raise ClockWentBack(
                "clock",
                f"it stands {log.last_registered_at - now} ms before the last registration in {terms.origin}",
                "set the clock right; nothing is registered until then",
            )
        committed = max(memory.size, memory.published_size)
        if log.size < committed or (log.size == memory.size and log.root_hash != memory.root_hash):
            raise RollbackDetected(
                "database",
                f"{terms.origin} has {log.size} entries where this process committed {committed}",
                "stop every process, and restore a backup that is at least as new",
            )
        if (memory.size, memory.root_hash) != (log.size, log.root_hash):
            memory.cursors.clear()
            # Ids that a transaction added which was then rolled back belong to nobody.
            memory.subjects = {}
            memory.size, memory.root_hash = log.size, log.root_hash
        keys = {
            (c.statement.header.kid, c.statement.header.stream) for c in candidates if c.statement is not None
        }
        own = self._signer.public.kid
        keys |= {(own, "tick"), (own, "equivocation")}
        memory.cursors |= rows.read_cursors(
            cursor, log.id, [key for key in keys if key not in memory.cursors]
        )
        places = set()
        for candidate in candidates:
            if candidate.statement is not None:
                header = candidate.statement.header
                head = memory.cursors.get((header.kid, header.stream))
                if head is not None and head.stream_id is not None and header.sequence <= head.sequence:
                    places.add((head.stream_id, header.sequence))
        registered = rows.read_registered(cursor, sorted(places))
        if log.has_erasures:
            sent = {
                c.statement.payload: c for c in candidates if c.statement and c.submission.content is not None
            }
            for digest in rows.read_erased(cursor, list(sent)):
                sent[digest].refusal = ContentErased(
                    "content", "was erased on authority", "do not upload it again"
                )
        return _Batch(log, max(now, log.last_registered_at), memory.cursors, registered)

    def _refuse_broken_backfill(self, batch: _Batch, candidates: Sequence[Candidate]) -> None:
        chains: dict[StreamKey, list[Candidate]] = {}
        for candidate in candidates:
            if candidate.is_open and candidate.admitted is not None and candidate.admitted.status != "active":
                if candidate.statement is None:
                    continue
                header = candidate.statement.header
                head = batch.cursors.get((header.kid, header.stream))
                if head is None or header.sequence > head.sequence:
                    chains.setdefault((header.kid, header.stream), []).append(candidate)
        for chain in chains.values():
            chain.sort(key=lambda c: c.statement.header.sequence if c.statement else -1)
            try:
                admitted = chain[0].admitted
                if admitted is not None:
                    check_backfill([c.statement for c in chain if c.statement is not None], admitted)
            except Refused as refusal:
                for candidate in chain:
                    candidate.refusal = refusal

    def _place(
        self, cursor: Any, terms: LogTerms, batch: _Batch, candidate: Candidate, register: Register
    ) -> Outcome:
        statement = candidate.statement
        if statement is None:
            return _refused(candidate.refusal, None)
        header = statement.header
        key: StreamKey = (header.kid, header.stream)
        head = batch.cursors.get(key) or StreamCursor(None, -1, None)
        if header.sequence <= head.sequence:
            standing = self._standing(batch, key, head, header.sequence)
            if standing is not None and standing.digest == statement.digest:
                how = lateness(header, standing.registered_at, register.policies.newest)
                return Outcome(Status.DUPLICATE, standing.index, statement.digest, lateness=how)
            if candidate.is_verified:
                limit = register.policies.newest.conflicts_per_key
                refusal = self._refuse_reused(cursor, terms, batch, statement, standing, limit)
                return _refused(candidate.refusal or refusal, statement.digest)
        if candidate.refusal is not None or not candidate.is_verified:
            return _refused(candidate.refusal, statement.digest)
        content = candidate.content
        try:
            head.check_next(header, register.resumes.get(key, ()))
            _check_times(candidate, header, batch.now)
            check_policy(register.policies.newest, statement, candidate.content_bytes, batch.now)
            if content is not None and terms.log == "register":
                register.check(header.kind, header.subject, content.body)
                if content.kind == "erasure":
                    digest = content.body["erases"]
                    stored = batch.contents.get(digest) or rows.read_contents(cursor, [digest]).get(digest)
                    check_erasable(stored)
            sent = candidate.submission.content
            size = len(statement.raw) + (0 if sent is None else len(sent))
            batch.log.allowance.take(
                register.policies.newest, batch.now, size, is_reserved=header.kind in RESERVED
            )
        except Refused as refusal:
            return _refused(refusal, statement.digest)
        how = lateness(header, batch.now, register.policies.newest)
        index = self._append(batch, key, head, statement, content)
        if content is not None and terms.log == "register":
            register.apply(index, statement.digest, content)
            if content.kind == "erasure":
                batch.erasures[content.body["erases"]] = content.body["reason"]
        if candidate.submission.content is not None:
            batch.contents[statement.payload] = candidate.submission.content
        return Outcome(Status.ACCEPTED, index, statement.digest, lateness=how)

    def _standing(
        self, batch: _Batch, key: StreamKey, head: StreamCursor, sequence: int
    ) -> Registered | None:
        if (key, sequence) in batch.placed:
            return batch.placed[key, sequence]
        return batch.registered.get((head.stream_id, sequence)) if head.stream_id is not None else None

    def _refuse_reused(
        self,
        cursor: Any,
        terms: LogTerms,
        batch: _Batch,
        statement: SignedStatement,
        standing: Registered | None,
        limit: int,
    ) -> Refused:
        header = statement.header
        refusal = SequenceReused(
            "header.sequence",
            f"another statement holds place {header.sequence} of stream {header.stream}",
            "never sign a sequence twice; have the party resume the stream if its state was lost",
        )
        if standing is None or self._is_void_of(cursor, batch, standing, statement.digest):
            return refusal
        key: StreamKey = (header.kid, header.stream)
        head = batch.cursors.get(key)
        if self._accusations(cursor, batch, header.kid) >= limit:
            return refusal
        if any(place[:2] == (key, header.sequence) for place in batch.conflicts):
            return refusal
        if head is not None and head.stream_id is not None:
            cursor.execute(
                "SELECT 1 FROM ledger_equivocations WHERE stream_id = %s AND sequence = %s",
                (head.stream_id, header.sequence),
            )
            if cursor.fetchone() is not None:
                return refusal
        body = {
            "kid": header.kid,
            "stream": header.stream,
            "sequence": header.sequence,
            "registered": standing.digest,
            "refused": statement.raw,
        }
        index = self._append_own(terms, batch, "equivocation", header.subject, body)
        batch.conflicts.append((key, header.sequence, index))
        return refusal

    def _accusations(self, cursor: Any, batch: _Batch, kid: bytes) -> int:
        """How many conflicts of a key the log has registered; counted once a batch, over all its streams."""
        if kid not in batch.accusations:
            cursor.execute(
                "SELECT count(*) FROM ledger_equivocations e JOIN ledger_streams s ON s.id = e.stream_id"
                " WHERE s.log_id = %s AND s.kid = %s",
                (batch.log.id, kid),
            )
            batch.accusations[kid] = cursor.fetchone()[0]
        return batch.accusations[kid] + sum(key[0] == kid for key, _, _ in batch.conflicts)

    def _is_void_of(self, cursor: Any, batch: _Batch, standing: Registered, digest: bytes) -> bool:
        """True when a void, registered in that place, names the statement that arrives again."""
        if standing.kind != "void":
            return False
        payload = SignedStatement.parse(standing.raw).payload
        data = batch.contents.get(payload) or rows.read_contents(cursor, [payload]).get(payload)
        return data is not None and bool(parse_content(data).body["digest"] == digest)

    def _append(
        self,
        batch: _Batch,
        key: StreamKey,
        head: StreamCursor,
        statement: SignedStatement,
        content: Content | None,
    ) -> int:
        index = batch.log.size + len(batch.statements)
        kind = statement.header.kind
        void_digest = content.body["digest"] if kind == "void" and content is not None else None
        head.advance(statement, void_digest)
        batch.cursors[key] = batch.touched[key] = head
        batch.statements.append(statement)
        batch.placed[key, statement.header.sequence] = Registered(
            index, statement.digest, kind, statement.raw, batch.now
        )
        return index

    def _append_own(
        self, terms: LogTerms, batch: _Batch, kind: str, subject: str, body: dict[str, Any]
    ) -> int:
        key: StreamKey = (self._signer.public.kid, kind)
        head = batch.cursors.get(key) or StreamCursor(None, -1, None)
        content = build_content(kind, subject=subject, stream=kind, interval=None, body=body, salt=b"")
        statement = sign_statement(
            self._signer,
            kind=kind,
            issuer=self._party,
            subject=subject,
            issued_at=batch.now // 1000,
            origin=terms.origin,
            stream=kind,
            sequence=head.sequence + 1,
            previous=head.digest,
            interval=None,
            checkpoint=(batch.log.size, batch.log.root_hash),
            content=content,
        )
        batch.own_contents[statement.payload] = content
        return self._append(batch, key, head, statement, None)

    def _write(
        self, cursor: Any, terms: LogTerms, batch: _Batch, memory: LogMemory, *, ticks: bool, is_retry: bool
    ) -> CommittedHead:
        log = batch.log
        fresh = {key: head for key, head in batch.touched.items() if head.stream_id is None}
        if fresh:
            rows.create_streams(cursor, log.id, fresh)
        if known := [head for key, head in batch.touched.items() if key not in fresh]:
            rows.update_streams(cursor, known)
        at_step("streams written")
        kinds = self._heads.kind_ids(cursor, {s.header.kind for s in batch.statements})
        missing = {s.header.subject for s in batch.statements} - memory.subjects.keys()
        subjects = memory.subjects
        if missing:
            subjects = memory.subjects | rows.name_ids(cursor, "ledger_subjects", missing, log.id)
        entries = []
        for offset, statement in enumerate(batch.statements):
            header = statement.header
            stream_id = batch.touched[header.kid, header.stream].stream_id
            entries.append(
                NewEntry(
                    log.size + offset,
                    batch.now,
                    kinds[header.kind],
                    stream_id if stream_id is not None else 0,
                    header.sequence,
                    subjects[header.subject],
                    header.interval,
                    statement.digest,
                    statement.raw,
                )
            )
        rows.copy_entries(cursor, log.id, entries)
        at_step("entries written")
        # Public contents of the log host are the same wherever it says the same: two ticks of one instant.
        if batch.own_contents:
            rows.insert_contents(cursor, log.id, batch.own_contents)
        if batch.contents:
            (rows.insert_contents if is_retry else rows.copy_contents)(cursor, log.id, batch.contents)
        if batch.erasures:
            # In the same transaction: an erasure that is logged may not be lost by a crash after it.
            rows.erase_contents(cursor, terms.party, batch.erasures, batch.now)
        for key, sequence, index in batch.conflicts:
            cursor.execute(
                "INSERT INTO ledger_equivocations (stream_id, sequence, entry_index) VALUES (%s, %s, %s)",
                (batch.cursors[key].stream_id, sequence, index),
            )
        at_step("contents written")
        raws = [s.raw for s in batch.statements]
        head = self._heads.advance(
            cursor, terms.origin, log, raws, batch.now, memory.published_size, ticks=ticks
        )
        memory.subjects = subjects
        return head


def _check_times(candidate: Candidate, header: Header, now: int) -> None:
    """Hold a device key's effective times against the interval and against this registration."""
    if candidate.admitted is None or candidate.admitted.device is None:
        return
    try:
        candidate.admitted.device.check_times(header.interval, now)
    except IdentityInvalid as error:
        raise KeyStale(error.field, error.reason, error.remedy) from error


def _expires_soon(candidate: Candidate, epoch_ms: int, now: int) -> bool:
    """Whether a tick must bound this registration at once, lest the next one lie beyond the key's expiry."""
    device = None if candidate.admitted is None else candidate.admitted.device
    if device is None or device.expires is None:
        return False
    return device.expires - now <= EPOCHS_BEFORE_EXPIRY * epoch_ms


def _refused(refusal: Refused | None, digest: bytes | None) -> Outcome:
    if refusal is None:
        refusal = Refused("statement", "it was not checked", "send it again")
    return Outcome(Status.REFUSED, None, digest, Problem.of(refusal))
