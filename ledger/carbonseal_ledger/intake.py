"""The way of a batch through one log: read, admit, verify, sequence, publish. One `Intake` for each log and process.

Reading and content checks run in the calling threads; what follows runs once for a whole group of callers
(`group_commit`), so that many single uploads share a transaction and a publication. Nothing is answered before the
published copy shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Final

from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Clock
from carbonseal_ledger.admission_book import AdmissionBook
from carbonseal_ledger.contents_store import ContentsStore
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.errors import BodyTooLarge, CheckpointContradicts
from carbonseal_ledger.group_commit import GroupCommit
from carbonseal_ledger.outcomes import Outcome, Status, Submission
from carbonseal_ledger.policy import MAX_BATCH
from carbonseal_ledger.publication import Publisher
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.registration import (
    Candidate,
    LogTerms,
    check_content,
    read_statement,
    verify_signatures,
)
from carbonseal_ledger.sequencing import CommittedHead, LogMemory, Sequencer
from carbonseal_ledger.tree_reader import TreeReader

_GROUP: Final = 4_096  # statements a transaction; larger ones lock the log longer than they save
_KNOWN_ROOTS: Final = 4_096  # cited checkpoints remembered a log


class Intake:
    """Registration of one log in this process."""

    def __init__(
        self,
        terms: LogTerms,
        *,
        clock: Clock,
        book: AdmissionBook,
        contents: ContentsStore,
        sequencer: Sequencer,
        publisher: Publisher,
        reader: TreeReader,
        published: PublishedCopy,
        entries: EntryReader,
        executor: Executor | None,
    ) -> None:
        self._terms = terms
        self._clock = clock
        self._book = book
        self._contents = contents
        self._sequencer = sequencer
        self._publisher = publisher
        self._reader = reader
        self._published = published
        self._entries = entries
        self._executor = executor
        self._memory = LogMemory()
        self._roots: dict[int, bytes] = {}
        self._group: GroupCommit[Candidate | None, Outcome | None] = GroupCommit(self._run, _GROUP)

    def register(self, items: Sequence[Submission]) -> list[Outcome]:
        """Register items; see `LogHost.register`."""
        if len(items) > MAX_BATCH:
            raise BodyTooLarge("batch", f"{len(items)} statements", f"send at most {MAX_BATCH} at a time")
        if not items:
            return []
        now = self._clock()
        candidates = [read_statement(item, self._terms, now) for item in items]
        for candidate in candidates:
            if candidate.submission.content is not None:
                check_content(candidate, None)
        outcomes = self._group.submit(candidates)
        return [outcome for outcome in outcomes if outcome is not None]

    def tick(self) -> None:
        """Append a tick unless the newest entry is one; see `LogHost.tick`."""
        self._group.submit([None])

    def _run(self, items: list[Candidate | None]) -> list[Outcome | None]:
        candidates = [item for item in items if item is not None]
        self._fetch_contents(candidates)
        register = self._book.admit(self._terms, candidates)
        self._check_cited(candidates)
        verify_signatures(candidates, self._executor)
        outcomes, head = self._sequencer.commit(
            self._terms, candidates, register, self._memory, tick_now=len(candidates) < len(items)
        )
        if head is None and any(
            o.index is not None and o.index >= self._memory.published_size for o in outcomes
        ):
            # A duplicate of what a crash kept from being published: it may not be answered before it is.
            stored = self._entries.head(self._terms.origin)
            head = CommittedHead(
                stored.origin, -1, b"", stored.tree_size, stored.root_hash, stored.checkpoint, [], []
            )
        if head is not None:
            self._memory.published_size = self._publisher.publish(head)
        self._erase(candidates, outcomes)
        remaining = iter(outcomes)
        return [None if item is None else next(remaining) for item in items]

    def _fetch_contents(self, candidates: Sequence[Candidate]) -> None:
        """Check contents that were uploaded before their statements."""
        waiting = [
            c for c in candidates if c.is_open and c.submission.content is None and c.statement is not None
        ]
        if not waiting:
            return
        stored = self._contents.get_many({c.statement.payload for c in waiting if c.statement is not None})
        for candidate in waiting:
            if candidate.statement is not None:
                check_content(candidate, stored.get(candidate.statement.payload))

    def _check_cited(self, candidates: Sequence[Candidate]) -> None:
        """A cited checkpoint is the signer's view of this log: one that we never had means that it was shown another."""
        for candidate in candidates:
            if not candidate.is_open or candidate.statement is None:
                continue
            cited = candidate.statement.header.checkpoint
            if cited is None or self._roots.get(cited[0]) == cited[1]:
                continue
            if self._root_at(cited[0]) != cited[1]:
                candidate.refusal = CheckpointContradicts(
                    "header.checkpoint",
                    f"this log had no such head at size {cited[0]}",
                    "keep the checkpoint as evidence and tell the registrar; cite one of this log",
                )

    def _root_at(self, size: int) -> bytes | None:
        if size in self._roots:
            return self._roots[size]
        try:
            if size > self._published.tree_size(self._terms.origin):
                return None
            root = self._reader.root(self._terms.origin, size)
        except CarbonsealError:
            return None
        if len(self._roots) >= _KNOWN_ROOTS:
            self._roots.clear()
        self._roots[size] = root
        return root

    def _erase(self, candidates: Sequence[Candidate], outcomes: Sequence[Outcome]) -> None:
        """Carry out accepted erasures: the statement stays in the register log, the content goes."""
        for candidate, outcome in zip(candidates, outcomes, strict=True):
            content = candidate.content
            if content is not None and content.kind == "erasure" and outcome.status is not Status.REFUSED:
                digest = content.body["erases"]
                owner = self._contents.origin_of(digest)
                if owner is not None and owner.split("/")[1] == self._terms.party:
                    self._contents.erase(digest, content.body["reason"])
