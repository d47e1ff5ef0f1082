"""Recovery by two persons: what may be done about a ledger that refuses to run, and only on their word.

The ledger refuses when a source is behind, damaged or out of reach, because whoever can make it forget a head
could make it fork. Three acts get over it without losing or forking anything: the published copy of a log is
written anew from the database; one outsider is not asked for a while; the clock stands until time has caught
up with it. Each is decided by two operators (`recovery_decision`) on a head that they believe, and registered
in the host's own register log before it takes effect. Nothing helps a database that is behind: what others
hold of a log may not be sequenced again. `docs/spec/log.md`, Recovery by two persons, is the normative text.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine

from carbonseal_attest.contents import build_content
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Clock
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import EMPTY_ROOT, Frontier, leaf_hash
from carbonseal_attest.recovery_decision import KIND, LONGEST_MS, check_decision
from carbonseal_attest.signing import Signer
from carbonseal_ledger import rows
from carbonseal_ledger.contents_store import ContentsStore
from carbonseal_ledger.decisions_in_force import (
    CLOCK_STANDS,
    REBUILD_COPY,
    START_WITHOUT,
    DecisionsInForce,
    Operators,
    logged_decisions,
)
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.errors import LedgerError, LogDamaged, LogUnknown, RecoveryRefused, RollbackDetected
from carbonseal_ledger.heads import CommittedHead, HeadWriter
from carbonseal_ledger.outcomes import Head
from carbonseal_ledger.outside_heads import OutsideView
from carbonseal_ledger.publication import Publisher
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.sequencing import Sequencer
from carbonseal_ledger.start_up import Finding, StartUp
from carbonseal_ledger.steps import at_step
from carbonseal_ledger.tree_reader import TreeReader

_PAGE: Final = 10_000  # entries read at a time
_CLOCKS_MS: Final = 300_000  # the clock of the machine where it was decided may run this much ahead
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """What was done: the act, the log and its head, and where the host's register holds the decision."""

    act: str
    origin: str
    tree_size: int
    register: str
    index: int


class Recovery:
    """Looks at a ledger that does not run, and carries out what two operators decided.

    It needs the log key, because the decision is registered before it takes effect; no log host is made.
    """

    def __init__(
        self,
        engine: Engine,
        published: PublishedCopy,
        log_signer: Signer,
        clock: Clock,
        *,
        operators: Operators,
        outside: Sequence[OutsideView] = (),
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Bind the parts. `tell` is given a line now and then while a log is read or written whole."""
        self._engine = engine
        self._published = published
        self._signer = log_signer
        self._clock = clock
        self._operators = operators
        self._outside = outside
        self._tell = tell
        self._entries = EntryReader(engine)
        self._contents = ContentsStore(engine, clock)

    def findings(self) -> list[Finding]:
        """Everything that keeps the ledger from running now, with the act that gets over it, if any."""
        return self._start_up().findings()

    def propose(
        self,
        act: str,
        *,
        reason: str,
        deciders: Sequence[PublicKey],
        valid_ms: int,
        origin: str | None = None,
        view: str | None = None,
    ) -> dict[str, Any]:
        """Write down a decision for two operators to sign: the body of a `recovery`, without endorsements.

        Args:
            act: rebuild_copy, start_without or clock_stands.
            reason: why the database is to be believed.
            deciders: the keys of the two who will sign.
            valid_ms: how long it holds from now, at most seven days; clock_stands ends by itself.
            origin: of the log, for rebuild_copy.
            view: name of the outsider, for start_without.

        Raises:
            RecoveryRefused: nothing that is wrong now calls for this act, or the clock is too far off.
        """
        found = [f for f in self.findings() if f.act == act and f.view == view]
        found = [f for f in found if act != REBUILD_COPY or f.origin == origin]
        if not found:
            raise RecoveryRefused(
                "act", f"nothing that is wrong now calls for {act}", "see `carbonseal recover status`"
            )
        now = self._clock()
        until = now + valid_ms
        if act == CLOCK_STANDS:
            until = max(head.last_registered_at for head in self._entries.stored_heads())
        if not now < until <= now + LONGEST_MS:
            raise RecoveryRefused(
                "until",
                f"the end lies {until - now} ms from now, and seven days are the most",
                "set the clock right; a log that is further ahead has to be closed and succeeded",
            )
        head = self._head(origin if act == REBUILD_COPY and origin else self._operators.log_of_logs)
        return {
            "act": act, "origin": head.origin, "tree_size": head.tree_size, "root_hash": head.root_hash,
            "view": view, "finding": str(found[0].error)[:400], "reason": reason, "decided_at": now,
            "until": until, "operators": [key.cose_key() for key in deciders], "endorsements": [],
        }  # fmt: skip

    def carry_out(self, body: dict[str, Any], *, known_checkpoints: Sequence[str] = ()) -> CarriedOut:
        """Check a decision, register it and do what it says; doing it again after a crash finishes it.

        Args:
            body: signed by both operators.
            known_checkpoints: signed checkpoints of the log that outsiders hold (members, bundles); the
                stored entries must extend each of them.

        Raises:
            DecisionInvalid, SignatureInvalid: it is not the word of two operators.
            RecoveryRefused: it is over, or about a head that the database does not have.
            RollbackDetected: the database is behind or beside a head that somebody holds.
            LogDamaged: the stored entries do not give the stored checkpoint's root.
        """
        operators = self._operators
        check_decision(body, operators.party, operators.keys, admitted=operators.algorithms)
        now, origin = self._clock(), body["origin"]
        if not body["decided_at"] - _CLOCKS_MS <= now < body["until"]:
            raise RecoveryRefused(
                "until", "the decision does not hold now", "decide it again, or set the clock"
            )
        if body["act"] != REBUILD_COPY and origin != operators.log_of_logs:
            raise RecoveryRefused(
                "origin", f"{origin} is not this host's log of logs", "decide it for this log host"
            )
        self._check_entries(body, known_checkpoints)
        self._check_register()
        index = self._register(body)
        at_step("decision registered")
        if body["act"] == REBUILD_COPY:
            self._rebuild(origin)
        self._publish_register()
        return CarriedOut(body["act"], origin, self._head(origin).tree_size, operators.register, index)

    # -- within --

    def _start_up(self) -> StartUp:
        now = self._clock()
        reader = TreeReader(self._published)
        held = DecisionsInForce(self._entries, self._contents, reader, self._operators, now=now)
        return StartUp(
            self._entries, self._published, reader, log_key=self._signer.public,
            clock=held.clock(self._clock), outside=self._outside, excused=held.excused,
        )  # fmt: skip

    def _head(self, origin: str) -> Head:
        """The stored head; that of a log of logs that was never opened is empty."""
        try:
            return self._entries.head(origin)
        except LogUnknown:
            if origin != self._operators.log_of_logs:
                raise
            return Head(origin, 0, EMPTY_ROOT, "")

    def _check_entries(self, body: dict[str, Any], known_checkpoints: Sequence[str]) -> None:
        """Hold the stored entries against every head of the log that anybody is known to hold."""
        origin, stored = body["origin"], self._head(body["origin"])
        if stored.tree_size < body["tree_size"]:
            raise RecoveryRefused(
                "tree_size",
                f"the decision believes {body['tree_size']} entries of {origin}, the database has"
                f" {stored.tree_size}",
                "decide it again on what the database has now",
            )
        wanted = [
            (stored.tree_size, stored.root_hash, "the stored head"),
            (body["tree_size"], body["root_hash"], "the decision's head"),
        ]
        notes = [(note, "a known checkpoint") for note in known_checkpoints]
        if stored.checkpoint:
            notes.append((stored.checkpoint, "the stored checkpoint"))
        keys = self._entries.keys(self._signer.public)
        for note, name in notes:
            try:
                known = keys.open(note, origin)
            except CarbonsealError as error:
                raise LogDamaged(
                    "checkpoint", f"of {origin} {error.reason}", "give checkpoints of this log"
                ) from error
            wanted.append((known.tree_size, known.root_hash, name))
        wanted += self._copys_head(origin)
        self._check_extends(stored, {*wanted, *self._outside_heads(body)})

    def _check_register(self) -> None:
        """Refuse to sequence the decision where that could be a second entry of its place.

        A database that is behind in any log came from an old backup, and its register with it, whatever is
        left of the register's copy to show that.
        """
        for finding in self.findings():
            if finding.act is None:
                raise finding.error
        register = self._operators.register
        if known := self._copys_head(register):
            self._check_extends(self._head(register), set(known))

    def _check_extends(self, stored: Head, wanted: Collection[tuple[int, bytes, str]]) -> None:
        """Hold the stored entries of a log against heads of it: size, root, and whose each is."""
        origin, frontier = stored.origin, Frontier()
        for size, root, name in sorted(wanted):
            if size > stored.tree_size:
                raise RollbackDetected(
                    "database", f"{origin} is behind {name} of {size}", "restore a newer backup"
                )
            while frontier.size < size:
                end = min(size, frontier.size + _PAGE)
                frontier = frontier.extend(
                    leaf_hash(raw) for raw in self._entries.raws(origin, frontier.size, end)
                )
                self._tell(f"{origin}: {frontier.size} of {stored.tree_size} entries read")
            if frontier.root() != root:
                what = f"the entries of {origin} do not give {name} at {size}"
                raise LogDamaged("database", what, "restore the database from a backup")

    def _copys_head(self, origin: str) -> list[tuple[int, bytes, str]]:
        """What the copy still says under the log key: it may be damaged, but the log did sign that."""
        try:
            note = self._published.checkpoint(origin)
            if note is None:
                return []
            head = self._entries.keys(self._signer.public).open(note, origin)
        except LedgerError as error:
            if not isinstance(error, LogDamaged):
                raise
            return []
        except CarbonsealError:
            return []
        return [(head.tree_size, head.root_hash, "the published checkpoint")]

    def _outside_heads(self, body: dict[str, Any]) -> list[tuple[int, bytes, str]]:
        excused = DecisionsInForce(
            self._entries, self._contents, TreeReader(self._published), self._operators, now=self._clock()
        ).excused
        heads = []
        for view in self._outside:
            if view.name in excused or (body["act"] == START_WITHOUT and view.name == body["view"]):
                continue
            try:
                head = view.head(body["origin"])
            except LedgerError:
                if body["act"] == REBUILD_COPY:
                    raise
                continue  # several may be out of reach, each with a decision of its own
            if head is not None:
                heads.append((head.size, head.root_hash, f"the head of the {view.name}"))
        return heads

    def _register(self, body: dict[str, Any]) -> int:
        """Put the decision into the host's register log, in the database; once."""
        operators = self._operators
        content = build_content(
            KIND, subject=operators.party, stream=KIND, interval=None, body=body, salt=b""
        )
        standing = logged_decisions(self._entries, operators.register)
        digest = hashlib.sha256(content).digest()
        if digest in standing:
            return standing[digest]
        stands_at = body["until"] if body["act"] == CLOCK_STANDS else 0

        def clock() -> int:
            return max(self._clock(), stands_at)

        heads = HeadWriter(self._engine, self._signer, clock)
        sequencer = Sequencer(self._engine, heads, self._signer, clock, operators.party)
        head = sequencer.append_own(
            self._entries.terms(operators.register), KIND, operators.party, lambda _: body
        )
        return head.size - 1

    def _rebuild(self, origin: str) -> None:
        """Discard a log's copy and write it from the entries; the row's lock keeps sequencers waiting."""
        with rows.transaction(self._engine) as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            rows.lock_log(cursor, origin)
            _logger.warning("the published copy of %s is rebuilt, as two operators decided", origin)
            self._published.discard(origin)
            at_step("copy discarded")
            self._publish(origin)

    def _publish_register(self) -> None:
        """Publish the decision, unless the register's own copy is one that takes a decision."""
        register = self._operators.register
        if any(finding.origin == register for finding in self.findings()):
            _logger.warning("the decision is registered; %s cannot be published yet", register)
        else:
            self._publish(register)

    def _publish(self, origin: str) -> None:
        publisher = Publisher(self._published, TreeReader(self._published), self._entries.raws)
        publisher.publish(CommittedHead.of_stored(self._entries.stored_head(origin), floor=0))
