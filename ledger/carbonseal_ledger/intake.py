"""The way of a batch through one log: read, admit, verify, sequence, publish.

Reading and content checks run in the calling threads; what follows runs once for a whole group of callers
(`group_commit`), so that many single uploads share a transaction and a publication. Nothing is answered
before the published copy shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Clock
from carbonseal_ledger.admission import Register
from carbonseal_ledger.admission_book import AdmissionBook
from carbonseal_ledger.contents_store import ContentsStore
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.errors import BodyTooLarge, CheckpointContradicts, RegisterMoved
from carbonseal_ledger.group_commit import GroupCommit
from carbonseal_ledger.heads import CommittedHead
from carbonseal_ledger.outcomes import Outcome, Status, Submission
from carbonseal_ledger.policy import MAX_BATCH
from carbonseal_ledger.publication import Backlog, Publisher
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.receipting import RecentLeaves
from carbonseal_ledger.registration import (
    Candidate,
    LogTerms,
    check_content,
    read_statement,
    verify_signatures,
)
from carbonseal_ledger.sequencing import LogMemory, Sequencer
from carbonseal_ledger.steps import at_step
from carbonseal_ledger.tree_reader import TreeReader

_GROUP: Final = 4_096  # statements a transaction; larger ones lock the log longer than they save
_PREPARE_ALONE: Final = (
    32  # a batch this large is verified by its own thread, beside the group that is being written
)
_KNOWN_ROOTS: Final = 4_096  # cited checkpoints remembered a log


@dataclass(frozen=True, slots=True)
class _Item:
    """A candidate on its way into a group; no candidate asks for a tick."""

    candidate: Candidate | None
    is_prepared: bool


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
        recent: RecentLeaves,
    ) -> None:
        self._terms = terms
        self._clock = clock
        self._book = book
        self._contents = contents
        self._sequencer = sequencer
        self._backlog = Backlog(publisher)
        self._reader = reader
        self._published = published
        self._entries = entries
        self._executor = executor
        self._recent = recent
        self._memory = LogMemory()
        self._roots: dict[int, bytes] = {}
        self._group: GroupCommit[_Item, Outcome | None] = GroupCommit(self._run, _GROUP)

    @property
    def party(self) -> str:
        """Whose log it is."""
        return self._terms.party

    def register(self, items: Sequence[Submission]) -> list[Outcome]:
        """Register items; see `LogHost.register`."""
        if len(items) > MAX_BATCH:
            raise BodyTooLarge("batch", f"{len(items)} statements", f"send at most {MAX_BATCH} at a time")
        if not items:
            return []
        candidates = [read_statement(item, self._terms) for item in items]
        for candidate in candidates:
            if candidate.submission.content is not None:
                check_content(candidate, None)
        is_prepared = self._terms.log == "data" and len(items) >= _PREPARE_ALONE
        if is_prepared:
            self._prepare(candidates)
        outcomes = self._group.submit([_Item(c, is_prepared=is_prepared) for c in candidates])
        return [outcome for outcome in outcomes if outcome is not None]

    def tick(self) -> None:
        """Append a tick unless the newest entry is one; see `LogHost.tick`."""
        self._group.submit([_Item(None, is_prepared=True)])

    def _run(self, items: list[_Item]) -> tuple[list[Outcome | None], Callable[[], None]]:
        """Sequence a group under leadership; the second part publishes, beside the next group's run."""
        candidates = [item.candidate for item in items if item.candidate is not None]
        unprepared = [item.candidate for item in items if item.candidate is not None and not item.is_prepared]
        while True:
            register = self._prepare(unprepared)
            try:
                outcomes, head = self._sequencer.commit(
                    self._terms, candidates, register, self._memory, tick_now=len(candidates) < len(items)
                )
                break
            except RegisterMoved:
                # Another process wrote this register meanwhile: what may be enrolled is asked again.
                unprepared = [_fresh(candidate) for candidate in unprepared]
                candidates = unprepared
        published = self._backlog.size
        if head is None and any(o.index is not None and o.index >= published for o in outcomes):
            # A duplicate of what a crash kept from being published: it may not be answered before it is.
            head = CommittedHead.of_stored(self._entries.stored_head(self._terms.origin))
        if head is not None:
            self._backlog.add(head)
        remaining = iter(outcomes)
        answers = [None if item.candidate is None else next(remaining) for item in items]
        return answers, lambda: self._finish(head, outcomes)

    def _finish(self, head: CommittedHead | None, outcomes: Sequence[Outcome]) -> None:
        if head is not None:
            self._memory.published_size = self._backlog.publish_through(head.size)
            at_step("batch published")
            leaves = head.leaf_hashes
            self._recent.add(
                self._terms.origin,
                [
                    (o.digest, o.index, leaves[o.index - head.old_size])
                    for o in outcomes
                    if o.status is Status.ACCEPTED and o.digest is not None and o.index is not None
                ],
            )

    def _prepare(self, candidates: Sequence[Candidate]) -> Register:
        """What needs the registers but not the log's row: content, key, cited checkpoint, signature."""
        self._fetch_contents(candidates)
        register = self._book.admit(self._terms, candidates)
        self._check_cited(candidates)
        verify_signatures(candidates, self._executor, self._book.algorithms)
        return register

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
        """A cited checkpoint that this log never had means that the signer was shown another history."""
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


def _fresh(candidate: Candidate) -> Candidate:
    return Candidate(candidate.submission, candidate.statement, candidate.content, candidate.content_bytes)
