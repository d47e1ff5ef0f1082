"""The log host: the one facade through which the service, the tools and the demo use the ledger.

It ties registration, admission, sequencing, publishing, proofs and epochs together (trust protocol, sections 1, 3, 4
and 8) and holds the host's log key. It leaves out HTTP, jobs and access rights (the service's), the chain
(`anchoring`) and re-checking what is stored (`log_audit`). Safe to use from many threads; several processes may run
against one database and one published folder, because each log's row is the sequencer's lock.

Lifecycle::

    engine = open_database(url, folder / "pg")
    host = LogHost(engine, PublishedCopy(folder / "published"), log_signer, clock,
                   name="log.carbonseal.example", party="h-…", registrar="r-…", registrar_keys=[key])
    host.open_log(genesis_statement, genesis_content)           # register and data log of each party, log of logs
    outcomes = host.register(origin, [Submission(statement, content), …])
    receipt = host.receipt(origin, outcomes[0].digest)
    epoch = host.build_epoch()

Instants are integer milliseconds since 1970 UTC; intervals and index ranges are half-open [start, end).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from carbonseal_attest.instants import Clock
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import Signer
from sqlalchemy import Engine

from carbonseal_ledger.contents_store import ContentsStore
from carbonseal_ledger.outcomes import (
    AnchorPlan,
    EpochEvidence,
    EpochRecord,
    Head,
    LogDescription,
    LoggedEntry,
    Outcome,
    RangeProof,
    ReceiptState,
    StreamHead,
    Submission,
)
from carbonseal_ledger.publishing import PublishedCopy


class AnchoredHeads(Protocol):
    """What the ledger needs to know of the chain: how far the log of logs has been anchored.

    `anchoring.Anchorer` satisfies it. Sizes are tree sizes of the log of logs, 0 when there is none.
    """

    def anchored_size(self) -> int:
        """The largest size whose anchor transaction is mined and confirmed in the contract's state."""

    def final_size(self) -> int:
        """The largest size whose anchor block is final."""


class LogHost:
    """The transparency service of one log host over one database and one published copy.

    Raises on construction:
        RollbackDetected: database and published copy disagree in a way that a crash cannot explain; says how to
            recover. A database that is ahead because of a crash between commit and publication is completed instead.
        ClockWentBack: the clock stands before the last registration.
    """

    def __init__(
        self,
        engine: Engine,
        published: PublishedCopy,
        log_signer: Signer,
        clock: Clock,
        *,
        name: str,
        party: str,
        registrar: str,
        registrar_keys: Sequence[PublicKey],
        anchors: AnchoredHeads | None = None,
        verify_threads: int = 2,
    ) -> None:
        """Bind the parts and run the start-up comparison.

        `name` is the log host's name (first part of every origin), `party` its opaque party code (issuer of ticks,
        equivocations and the log of logs), `registrar` the registrar's party code, `registrar_keys` the keys that
        may endorse a genesis. `anchors` gives receipt states beyond *logged*.
        """
        raise NotImplementedError

    # -- logs ----------------------------------------------------------------------------------------------------

    @property
    def contents(self) -> ContentsStore:
        """The store of contents by digest: `put(digest, data, origin)`, `get(digest)`, `has(digests)`, `erase(…)`."""
        raise NotImplementedError

    def open_log(self, statement: bytes, content: bytes) -> Outcome:
        """Open the log that a genesis statement names, with that statement as its entry 0.

        The origin is the header's. The genesis must be signed by the party key it names, endorsed by this log host's
        key and by a registrar key, and name this host's log key. Opening the same log with the same statement again
        answers duplicate. Sent for origin `<name>/epochs` it opens the log of logs.

        Raises:
            GenesisRefused: not endorsed, names other keys, the origin is not `<name>/<party>/<log>`, or the log is
                open with another genesis.
        """
        raise NotImplementedError

    def logs(self) -> list[LogDescription]:
        """All logs open here, ordered by origin."""
        raise NotImplementedError

    def head(self, origin: str) -> Head:
        """The newest head of a log that is also in the published copy.

        Raises:
            LogUnknown: no such log.
        """
        raise NotImplementedError

    def checkpoint(self, origin: str) -> str:
        """The newest published checkpoint, as signed note text."""
        raise NotImplementedError

    # -- registration --------------------------------------------------------------------------------------------

    def register(self, origin: str, items: Sequence[Submission]) -> list[Outcome]:
        """Register a batch; one outcome per item, in order.

        All accepted items are durable in database and published copy when this returns. Several statements of one
        stream may stand in one batch in sequence order. One refused item does not keep the others out, except those of
        the same stream that build on it. Calls from many threads are grouped into one transaction.

        Raises:
            LogUnknown: no such log.
            ClockWentBack, PublicationFailed: nothing may be receipted; the ledger must be restarted.
        """
        raise NotImplementedError

    def stream_heads(self, origin: str, *, kid: bytes | None = None) -> list[StreamHead]:
        """Where the streams of a log stand, of one key or of all; a gateway compares its own state with it."""
        raise NotImplementedError

    # -- reading -------------------------------------------------------------------------------------------------

    def entries(self, origin: str, start: int, end: int) -> list[LoggedEntry]:
        """The entries [start, end) in index order.

        Raises:
            RangeInvalid: not 0 ≤ start ≤ end ≤ size.
        """
        raise NotImplementedError

    def entry(self, origin: str, index: int) -> LoggedEntry:
        """The entry at an index.

        Raises:
            EntryUnknown: no such index.
        """
        raise NotImplementedError

    def find(self, origin: str, digest: bytes) -> LoggedEntry:
        """The entry of a statement digest.

        Raises:
            EntryUnknown: the log holds no such statement.
        """
        raise NotImplementedError

    def select(
        self,
        origin: str,
        *,
        kinds: Collection[str] | None = None,
        subject: str | None = None,
        overlapping: tuple[int, int] | None = None,
        start: int = 0,
        end: int | None = None,
    ) -> list[LoggedEntry]:
        """Entries of an index range, narrowed by kind, subject, or an interval that theirs must overlap."""
        raise NotImplementedError

    # -- proofs --------------------------------------------------------------------------------------------------

    def inclusion_path(self, origin: str, index: int, tree_size: int) -> list[bytes]:
        """RFC 9162 inclusion path of a leaf in the tree of `tree_size` leaves, from the published tiles."""
        raise NotImplementedError

    def consistency_path(self, origin: str, old_size: int, new_size: int) -> list[bytes]:
        """RFC 9162 consistency path between two sizes; empty for equal sizes."""
        raise NotImplementedError

    def range_proof(self, origin: str, start: int, end: int, tree_size: int) -> RangeProof:
        """The proof that the entries [start, end) are those of the tree of `tree_size` leaves."""
        raise NotImplementedError

    def root_at(self, origin: str, tree_size: int) -> bytes:
        """The root hash that the log had at a size."""
        raise NotImplementedError

    def receipt(self, origin: str, digest: bytes) -> bytes:
        """A COSE receipt (RFC 9942) for a statement digest, made on demand at the newest published size.

        Raises:
            EntryUnknown: the log holds no such statement.
        """
        raise NotImplementedError

    def receipt_state(self, origin: str, digest: bytes) -> ReceiptState:
        """How far a statement has come: logged, witnessed, anchored or final.

        Raises:
            EntryUnknown: the log holds no such statement.
        """
        raise NotImplementedError

    # -- epochs --------------------------------------------------------------------------------------------------

    @property
    def log_of_logs(self) -> str:
        """The origin of the log of logs: `<name>/epochs`."""
        raise NotImplementedError

    def build_epoch(self) -> EpochRecord:
        """Close an epoch: map every origin's published head, append the entry to the log of logs, publish it.

        A head goes into the map only with a consistency proof from the same origin's head in the epoch before.

        Raises:
            EpochRefused: a log's head is not consistent with its earlier one; names the origin.
            LogUnknown: the log of logs has not been opened.
        """
        raise NotImplementedError

    def epochs(self, start: int = 1, end: int | None = None) -> list[EpochRecord]:
        """The epochs with numbers in [start, end), in order."""
        raise NotImplementedError

    def epoch_covering(self, origin: str, tree_size: int) -> EpochRecord | None:
        """The first epoch whose map holds a head of the origin with at least `tree_size` leaves."""
        raise NotImplementedError

    def epoch_evidence(self, origins: Sequence[str], epochs: Sequence[int]) -> EpochEvidence:
        """Everything a bundle carries about these origins in these epochs."""
        raise NotImplementedError

    def plan_anchors(self, anchored_size: int) -> list[AnchorPlan]:
        """The steps that bring an anchor contract from a size of the log of logs to each later epoch in turn.

        `anchored_size` is what the contract holds (1 after `open`). One plan per epoch, each with its consistency path
        from the one before.
        """
        raise NotImplementedError
