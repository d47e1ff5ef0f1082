"""The log host: the one facade through which the service, the tools and the demo use the ledger.

It ties registration, admission, sequencing, publishing, proofs and epochs together (`docs/spec/log.md`,
`docs/spec/epochs-and-anchor.md`) and holds the host's log key. It leaves out HTTP, jobs and access rights
(the service's), the chain (`anchoring`) and re-checking what is stored (`log_audit`). Safe to use from many
threads; several processes may run against one database and one published folder, because each log's row is
the sequencer's lock.

Lifecycle::

    engine = open_database(url, folder / "pg")
    host = LogHost(engine, PublishedCopy(folder / "published"), log_signer, clock,
                   name="log.carbonseal.example", party="h-…", registrar="r-…", registrar_keys=[key])
    host.open_log(genesis_statement, genesis_content)           # register and data log of each party, log of
    logs outcomes = host.register(origin, [Submission(statement, content), …])
    receipt = host.receipt(origin, outcomes[0].digest)
    epoch = host.build_epoch()

Instants are integer milliseconds since 1970 UTC; intervals and index ranges are half-open [start, end).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from sqlalchemy import Engine

from carbonseal_attest.algorithms import ADMITTED
from carbonseal_attest.epoch import EpochMap
from carbonseal_attest.errors import IdentityInvalid
from carbonseal_attest.extended_receipt import ExtendedReceipt
from carbonseal_attest.identity.devices import DeviceKeys
from carbonseal_attest.identity.parties import PartyRecord
from carbonseal_attest.identity.policies import PolicyHistory, RegistrationPolicy
from carbonseal_attest.instants import Clock
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import Frontier, consistency_path, inclusion_path
from carbonseal_attest.range_proof import RangeProof
from carbonseal_attest.signing import Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.admission import Endorsers
from carbonseal_ledger.admission_book import AdmissionBook
from carbonseal_ledger.contents_store import ContentsStore
from carbonseal_ledger.decisions_in_force import DecisionsInForce, Operators
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.epochs import EpochLedger
from carbonseal_ledger.errors import (
    BodyTooLarge,
    ContentRefused,
    EntryUnknown,
    GenesisRefused,
    LogKeyRetired,
    LogReserved,
    LogUnknown,
    PublishedMeanwhile,
    RangeInvalid,
)
from carbonseal_ledger.extended_receipts import ReceiptExtender
from carbonseal_ledger.heads import HeadWriter
from carbonseal_ledger.intake import Intake
from carbonseal_ledger.log_key_rotation import LogKeyRotation, Progress
from carbonseal_ledger.log_keys import LogKeySpan
from carbonseal_ledger.opening import Genesis, HostTerms, check_genesis
from carbonseal_ledger.outcomes import (
    AnchorPlan,
    EpochEvidence,
    EpochRecord,
    Head,
    LogDescription,
    LoggedEntry,
    OriginHead,
    Outcome,
    ReceiptState,
    Status,
    StreamHead,
    Submission,
)
from carbonseal_ledger.outside_heads import OutsideView
from carbonseal_ledger.policy import Lateness, lateness
from carbonseal_ledger.publication import Publisher
from carbonseal_ledger.publishing import PublishedCopy, read_head
from carbonseal_ledger.receipting import AnchoredHeads, ReceiptAnswer, ReceiptDesk, WitnessedHeads
from carbonseal_ledger.registration import LogTerms
from carbonseal_ledger.sequencing import Sequencer
from carbonseal_ledger.start_up import StartUp
from carbonseal_ledger.tree_reader import TreeReader

_REMEMBERED_HEADS: Final = 10_000  # parsed heads of the published copy


class LogHost:
    """The transparency service of one log host over one database and one published copy.

    Raises on construction:
        RollbackDetected: database, published copy and outsiders disagree in a way that a crash cannot
            explain; says how to recover. A database that is ahead because of a crash between commit and
            publication is completed instead.
        OutsideUnreachable: a witness or the contract cannot be asked.
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
        algorithms: Container[int] = ADMITTED,
        outside: Sequence[OutsideView] = (),
        retiring: Signer | None = None,
        witnesses: WitnessedHeads | None = None,
        operators: Sequence[PublicKey] = (),
    ) -> None:
        """Bind the parts and run the start-up comparison.

        `name` is the log host's name (first part of every origin), `party` its opaque party code (issuer of
        ticks, equivocations and the log of logs), `registrar` the registrar's party code, `registrar_keys`
        the keys that may endorse a genesis. `anchors` gives receipt states beyond *logged*. Keys and
        statements of other `algorithms` are refused; legacy numbers and SM2 are none unless named.
        `outside` are the witnesses and the contract, each of which must be asked before anything runs;
        `witnesses` gives the receipt state *witnessed* and the cosignatures of the log of logs.
        `outside` are the witnesses and the contract, each of which must be asked before anything runs; of
        `operators` two may have decided otherwise for a while (`recovery`).
        """
        self._terms = HostTerms(name, party, log_signer.public, registrar, tuple(registrar_keys), algorithms)
        self._heads: dict[str, Head] = {}
        self._witnesses = witnesses
        self._published = published
        self._signer = log_signer
        self._entries = EntryReader(engine)
        self._reader = TreeReader(published)
        decided = DecisionsInForce(
            self._entries,
            ContentsStore(engine, clock),
            self._reader,
            Operators(name, party, tuple(operators), algorithms),
            now=clock(),
        )
        self._clock = clock = decided.clock(clock)
        self._contents = ContentsStore(engine, clock)
        self._publisher = Publisher(published, self._reader, self._entries.raws)
        self._retiring = retiring
        self._keys = self._entries.keys(log_signer.public, None if retiring is None else retiring.public)
        self._writer = HeadWriter(engine, log_signer, clock, retiring)
        self._sequencer = Sequencer(engine, self._writer, log_signer, clock, party)
        self._book = AdmissionBook(
            engine,
            published,
            name,
            registrar,
            Endorsers(log_signer.public, tuple(registrar_keys)),
            algorithms,
        )
        self._epochs = EpochLedger(engine, self._writer, self._reader, clock, self.log_of_logs)
        self._desk = ReceiptDesk(
            log_signer,
            self._keys,
            party,
            self._entries,
            self._reader,
            self._epochs,
            self.head,
            anchors,
            witnesses,
        )
        self._extender = ReceiptExtender(
            log_signer,
            self._keys,
            party,
            self._entries,
            self._reader,
            self._epochs,
            lambda: published.tree_size(self.log_of_logs),
            self.log_of_logs,
        )
        self._executor = ThreadPoolExecutor(verify_threads, "verify") if verify_threads > 1 else None
        self._intakes: dict[str, Intake] = {}
        self._lock = threading.Lock()
        start_up = StartUp(
            self._entries,
            published,
            self._reader,
            log_key=log_signer.public,
            retiring=None if retiring is None else retiring.public,
            clock=clock,
            outside=outside,
            excused=decided.excused,
        )
        start_up.complete(self._publisher)
        self._writer.remember_kinds()

    # -- logs --

    @property
    def contents(self) -> ContentsStore:
        """The store of contents by digest: put, get, has, erase."""
        return self._contents

    def put_content(self, origin: str, digest: bytes, data: bytes) -> bool:
        """Store a content before its statement, out of the log's bytes of the day; true when it was new.

        Raises:
            LogUnknown: no such log.
            ContentRefused: too large, another digest, or erased on authority.
            RateLimited: the log has taken its bytes for today.
        """
        policy = self.policies(self._entries.terms(origin).party).newest
        if len(data) > policy.max_content_bytes:
            raise ContentRefused(
                "content",
                f"it has {len(data)} bytes",
                f"the log's policy takes at most {policy.max_content_bytes}",
            )
        return self._contents.put(digest, data, origin=origin, policy=policy)

    def open_log(self, statement: bytes, content: bytes) -> Outcome:
        """Open the log that a genesis statement names, with that statement as its entry 0.

        The origin is the header's. The genesis must be signed by the party key it names, endorsed by this
        log host's key and by a registrar key, and name this host's log key. Opening the same log with the
        same statement again answers duplicate. Sent for origin `<name>/epochs` it opens the log of logs.

        Raises:
            GenesisRefused: not endorsed, names other keys, the origin is not `<name>/<party>/<log>`, or the
                log is open with another genesis.
        """
        genesis = check_genesis(statement, content, self._terms)
        digest = genesis.statement.digest
        standing = self._entries.genesis_digest(genesis.origin)
        if standing is not None:
            if standing != digest:
                raise GenesisRefused(
                    "origin", f"{genesis.origin} is open with another genesis", "use that log"
                )
            return Outcome(Status.DUPLICATE, 0, digest)
        if genesis.log != "epochs" and not self._is_present_key(genesis):
            raise GenesisRefused(
                "content.body.party_key",
                "is not the key that the registrar admitted, or that the register was opened with",
                "use the party's present key",
            )
        self._check_policy(genesis)
        terms = LogTerms(0, genesis.origin, genesis.party, genesis.log)
        head = self._writer.open(terms, genesis.statement, content)
        self._publisher.publish(head)
        self._writer.remember_kinds()
        return Outcome(Status.ACCEPTED, 0, digest)

    def _is_present_key(self, genesis: Genesis) -> bool:
        """Whether a genesis is signed by the party's key: this is where a party shows that it holds it."""
        held = None
        if genesis.log == "data":
            register, _ = self._book.registers(genesis.party)  # which must be open
            held = register.genesis.get(genesis.party_key.kid)
        record = self._book.record_of(genesis.party)
        if record is not None:
            return record.key.kid == genesis.party_key.kid
        return genesis.log == "register" or (held is not None and held.holder == "party")

    def _check_policy(self, genesis: Genesis) -> None:
        """A party has one policy: its register states it, and its data log begins under the one in force."""
        body = genesis.content.body
        try:
            RegistrationPolicy.of(body["policy"])
        except IdentityInvalid as error:
            raise GenesisRefused(error.field, error.reason, error.remedy) from error
        if genesis.log == "data" and self.policies(genesis.party).newest.value != body["policy"]:
            raise GenesisRefused(
                "content.body.policy",
                "is not the one in force in the party's register log",
                "make the genesis again with that policy",
            )

    def policies(self, party: str) -> PolicyHistory:
        """The registration policies of a party's two logs, the one in force last.

        Raises:
            LogUnknown: the party's register log is not open here.
        """
        return self._book.registers(party)[0].policies.copy()

    def logs(self) -> list[LogDescription]:
        """All logs open here, ordered by origin."""
        return self._entries.descriptions()

    def head(self, origin: str) -> Head:
        """The newest head of a log that is also in the published copy.

        Raises:
            LogUnknown: no such log.
        """
        note = self._published.checkpoint(origin)
        if note is None:
            raise LogUnknown("origin", f"no log {origin} is published here", "open it with its genesis")
        return self._head_of(origin, note)

    def _head_of(self, origin: str, note: str) -> Head:
        held = self._heads.get(origin)
        if held is None or held.checkpoint != note:
            head = read_head(note, origin)
            held = Head(origin, head.tree_size, head.root_hash, note)
            if len(self._heads) > _REMEMBERED_HEADS:
                self._heads.clear()
            self._heads[origin] = held
        return held

    def checkpoint(self, origin: str) -> str:
        """The newest published checkpoint, as signed note text; of the log of logs with its cosignatures."""
        note = self.head(origin).checkpoint
        return note if self._witnesses is None else self._witnesses.cosigned(note)

    # -- registration --

    def register(
        self, origin: str, items: Sequence[Submission], *, is_gathered: bool = False
    ) -> list[Outcome]:
        """Register a batch; one outcome per item, in order.

        All accepted items are durable in database and published copy when this returns. Several statements
        of one stream may stand in one batch in sequence order. One refused item does not keep the others
        out, except those of the same stream that build on it. Calls from many threads are grouped into one
        transaction.

        Args:
            origin: of the log.
            items: in the order in which they are to be judged.
            is_gathered: they are single uploads of several callers; then the policy's limit of a batch, which
                is one caller's, does not count.

        Raises:
            LogUnknown: no such log.
            BodyTooLarge: more than the policy takes in one call; nothing was registered.
            ClockWentBack, PublicationFailed: nothing may be receipted; the ledger must be restarted.
        """
        intake = self._intake(origin)
        if len(items) > 1 and not is_gathered:
            most = self._book.registers(intake.party)[0].policies.newest.max_batch_statements
            if len(items) > most:
                raise BodyTooLarge("batch", f"{len(items)} statements", f"send at most {most} at a time")
        return list(intake.register(items))

    def device_keys(self, party: str) -> DeviceKeys:
        """The device keys that a party's register says now, for its desk to judge what it is about to sign.

        Raises:
            LogUnknown: the party's register log is not open here.
            LogDamaged: a content that says who is who is missing or changed.
        """
        return self._book.registers(party, is_exact=True)[0].devices.copy()

    def parties(self) -> list[PartyRecord]:
        """Every party that the registrar's register names, removed ones too, by code."""
        records = self._book.book().records
        return [records[party] for party in sorted(records)]

    def parties_of(self, org: str) -> list[PartyRecord]:
        """The parties, not removed, that the registrar's register says are the legal person `org`."""
        return self._book.book().by_org(org)

    def stream_heads(self, origin: str, *, kid: bytes | None = None) -> list[StreamHead]:
        """Where the streams of a log stand, of one key or all; a gateway compares its own state with it."""
        return self._entries.stream_heads(self._entries.terms(origin), kid)

    def tick(self, origin: str) -> None:
        """Append the log host's tick, unless the newest entry is one.

        Bounds from above the registration time of everything before it. Called before a cut-off and by
        `build_epoch`, and by a job for logs that went quiet; while entries arrive, registration appends
        ticks itself.
        """
        self._intake(origin).tick()

    # -- log keys --

    def log_keys(self) -> list[PublicKey]:
        """Every key that signs or signed heads of a log here, the present one first."""
        return self._keys.all()

    def log_key_spans(self, origin: str) -> list[LogKeySpan]:
        """The keys of a log with the tree sizes from which they sign, oldest first.

        Raises:
            LogUnknown: no such log.
        """
        return self._keys.spans(origin)

    def rotate_log_key(self, reason: str, progress: Progress = lambda *_: None) -> int:
        """Give every log its first head under this host's new key; returns how many were rotated now.

        For a host that was made with a new `log_signer` and the old key as `retiring`, while nothing else
        runs. Begun again after an interruption, it goes on where it was.

        Raises:
            LogKeyRetired: no key is retiring here, or a log has a third one.
            LogUnknown: the log of logs or the host's own register is not open.
        """
        if self._retiring is None:
            raise LogKeyRetired("log key", "none is retiring here", "name the old key and the new one")
        rotation = LogKeyRotation(
            self._keys,
            self._signer.public,
            self._retiring,
            party=self._terms.party,
            entries=self._entries,
            contents=self._contents,
            sequencer=self._sequencer,
            publisher=self._publisher,
            build_epoch=self.build_epoch,
        )
        register = f"{self._terms.name}/{self._terms.party}/register"
        return rotation.run(self.log_of_logs, register, reason, progress)

    # -- reading --

    def entries(self, origin: str, start: int, end: int) -> list[LoggedEntry]:
        """The entries [start, end) in index order.

        Raises:
            RangeInvalid: not 0 ≤ start ≤ end ≤ size.
        """
        self._check_range(origin, start, end)
        return self._entries.select(self._entries.terms(origin), start=start, end=end)

    def entry(self, origin: str, index: int) -> LoggedEntry:
        """The entry at an index.

        Raises:
            EntryUnknown: no such index.
        """
        found = self._entries.select(self._entries.terms(origin), start=index, end=index + 1)
        if not found:
            raise EntryUnknown("index", f"{origin} has no entry {index}", "ask below its size")
        return found[0]

    def find(self, origin: str, digest: bytes) -> LoggedEntry:
        """The entry of a statement digest.

        Raises:
            EntryUnknown: the log holds no such statement.
        """
        return self._entries.find(self._entries.terms(origin), digest)

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
        last = self.head(origin).tree_size if end is None else end
        self._check_range(origin, start, last)
        terms = self._entries.terms(origin)
        return self._entries.select(
            terms, start=start, end=last, kinds=kinds, subject=subject, overlapping=overlapping
        )

    # -- proofs --

    def inclusion_path(self, origin: str, index: int, tree_size: int) -> list[bytes]:
        """RFC 9162 inclusion path of a leaf in the tree of `tree_size` leaves, from the published tiles."""
        self._check_range(origin, index, tree_size)
        return inclusion_path(index, tree_size, self._reader.nodes(origin, tree_size))

    def consistency_path(self, origin: str, old_size: int, new_size: int) -> list[bytes]:
        """RFC 9162 consistency path between two sizes; empty for equal sizes."""
        self._check_range(origin, old_size, new_size)
        return consistency_path(old_size, new_size, self._reader.nodes(origin, new_size))

    def range_proof(self, origin: str, start: int, end: int, tree_size: int) -> RangeProof:
        """The proof that the entries [start, end) are those of the tree of `tree_size` leaves."""
        self._check_range(origin, start, end)
        self._check_range(origin, end, tree_size)
        return RangeProof.build(start, end, tree_size, self._reader.nodes(origin, tree_size))

    def frontier(self, origin: str, tree_size: int) -> Frontier:
        """The perfect subtrees of the tree of `tree_size` leaves: what a range that ends the log needs."""
        self._check_range(origin, 0, tree_size)
        return self._reader.frontier(origin, tree_size)

    def root_at(self, origin: str, tree_size: int) -> bytes:
        """The root hash that the log had at a size."""
        self._check_range(origin, 0, tree_size)
        return self._reader.root(origin, tree_size)

    def receipt(self, origin: str, digest: bytes) -> bytes:
        """A COSE receipt (RFC 9942) for a statement digest, made on demand at the newest published size.

        Raises:
            EntryUnknown: the log holds no such statement.
        """
        (answer,) = self._desk.answers(origin, [digest], with_receipts=True, with_states=False)
        if answer.receipt is None:
            reason = f"{origin} holds no {digest.hex()}" if answer.index is None else "the log has one entry"
            raise EntryUnknown("digest", reason, "register the statement first")
        return answer.receipt

    def extended_receipt(
        self, origin: str, digest: bytes, *, tree_size: int | None = None
    ) -> ExtendedReceipt:
        """The receipt of a statement, extended to a head of the log of logs; without the chain's evidence.

        That head is the newest final one that covers the statement, else the newest anchored one, else that
        of the newest epoch; or the one of `tree_size`, at which an epoch must have ended.

        Raises:
            EntryUnknown: the log holds no such statement.
            EpochPending: no published epoch covers it yet.
            RangeInvalid: no epoch that covers it ended at `tree_size`.
        """
        return self._extender.extend(origin, digest, anchors=self._desk.anchors, size=tree_size)

    def receipts(self, origin: str, digests: Sequence[bytes]) -> list[ReceiptAnswer]:
        """Receipt, state and index for many statement digests at once, in order, all at one published head.

        All three are None for what the log does not hold or has not published yet.

        Raises:
            LogUnknown: no such log.
        """
        return self._desk.answers(origin, digests, with_receipts=True, with_states=True)

    def consistency_receipt(self, origin: str, old_size: int) -> bytes:
        """A COSE receipt (RFC 9942) that the newest published head extends the log's head of `old_size`.

        Raises:
            LogUnknown: no such log.
            RangeInvalid: `old_size` is not from 1 to less than the published size.
        """
        return self._desk.consistency(origin, old_size)

    def receipt_state(self, origin: str, digest: bytes) -> ReceiptState:
        """How far a statement has come: logged, witnessed, anchored or final.

        Raises:
            EntryUnknown: the log holds no such statement.
        """
        (answer,) = self._desk.answers(origin, [digest], with_receipts=False, with_states=True)
        if answer.state is None:
            raise EntryUnknown("digest", f"{origin} holds no {digest.hex()}", "register the statement first")
        return answer.state

    def lateness(self, origin: str, digest: bytes) -> Lateness | None:
        """How a measured value came, by the policy in force now; None for statements that no device measures.

        Raises:
            EntryUnknown: the log holds no such statement.
        """
        terms = self._entries.terms(origin)
        entry = self._entries.find(terms, digest)
        header = SignedStatement.parse(entry.raw).header
        return lateness(header, entry.registered_at, self.policies(terms.party).newest)

    def receipt_states(self, origin: str, digests: Sequence[bytes]) -> list[ReceiptAnswer]:
        """As `receipts`, without making receipts."""
        return self._desk.answers(origin, digests, with_receipts=False, with_states=True)

    # -- epochs --

    @property
    def log_of_logs(self) -> str:
        """The origin of the log of logs: `<name>/epochs`."""
        return self._terms.log_of_logs

    def build_epoch(self) -> EpochRecord:
        """Close an epoch: map every origin's published head, append the entry to the log of logs, publish it.

        A head goes into the map only with a consistency proof from the same origin's head in the epoch
        before.

        Raises:
            EpochRefused: a log's head is not consistent with its earlier one; names the origin.
            LogUnknown: the log of logs has not been opened.
        """
        for origin in self._entries.unticked():
            self.tick(origin)
        size = self._published.tree_size(self.log_of_logs)
        record, committed = self._epochs.build(self._published_heads, size)
        self._publisher.publish(committed)
        return record

    def epochs(self, start: int = 1, end: int | None = None) -> list[EpochRecord]:
        """The epochs with numbers in [start, end), in order."""
        return self._epochs.records(start, end)

    def epoch_covering(self, origin: str, tree_size: int) -> EpochRecord | None:
        """The first epoch whose map holds a head of the origin with at least `tree_size` leaves."""
        return self._epochs.covering(self._entries.terms(origin).id, tree_size)

    def origin_head(self, origin: str, epoch: int) -> OriginHead:
        """The head that an origin has in an epoch's map, with its proof there.

        Raises:
            RangeInvalid: the epoch is not built or not published, or does not hold the origin.
        """
        found = self._epochs.evidence([origin], [epoch], self.head(self.log_of_logs), []).heads
        if not found:
            raise RangeInvalid("epoch", f"{epoch} does not hold {origin}", "ask for a later epoch")
        return found[0]

    def epoch_map(self, epoch: int) -> EpochMap:
        """The whole map of an epoch.

        Raises:
            RangeInvalid: the epoch is not built.
        """
        return self._epochs.map_of(epoch)

    def epoch_evidence(
        self, origins: Sequence[str], epochs: Sequence[int], *, tree_size: int | None = None
    ) -> EpochEvidence:
        """Everything a bundle carries about these origins in these epochs.

        At the newest head of the log of logs, or at an epoch's of `tree_size`; with the cosignatures held.

        Raises:
            RangeInvalid: an epoch is not built, or lies beyond that head.
        """
        head = self.head(self.log_of_logs)
        if tree_size is not None and tree_size != head.tree_size:
            self._check_range(self.log_of_logs, 2, tree_size)
            (record,) = self._epochs.records(tree_size - 1, tree_size)  # epoch n is entry n
            head = Head(self.log_of_logs, tree_size, record.root_hash, record.checkpoint)
        if self._witnesses is not None:
            head = replace(head, checkpoint=self._witnesses.cosigned(head.checkpoint))
        raws = self._entries.raws(self.log_of_logs, 0, head.tree_size)
        return self._epochs.evidence(origins, epochs, head, raws)

    def witnessed_size(self) -> int:
        """The largest size of the log of logs that the witnesses' quorum cosigned; 0 where there is none."""
        return 0 if self._witnesses is None else self._witnesses.witnessed_size()

    def publish_cosignatures(self) -> bool:
        """Put the cosignatures held of the published log of logs under its checkpoint; whether any was new.

        Raises:
            PublicationFailed: the copy could not be written.
        """
        if self._witnesses is None:
            return False
        origin = self.log_of_logs
        with self._published.lock(origin):
            note = self.head(origin).checkpoint
            cosigned = self._witnesses.cosigned(note)
            if cosigned == note:
                return False
            with contextlib.suppress(PublishedMeanwhile):  # a newer head; its cosignatures come in turn
                self._published.replace(origin, expected=note, checkpoint=cosigned, tiles={}, bundles={})
        return True

    def plan_anchors(self, anchored_size: int) -> list[AnchorPlan]:
        """The steps that bring an anchor contract from a size of the log of logs to each later epoch in turn.

        `anchored_size` is what the contract holds (1 after `open`). One plan per epoch, each with its
        consistency path from the one before.
        """
        return self._epochs.plans(anchored_size, self._published.tree_size(self.log_of_logs))

    def close(self) -> None:
        """Let the verifying threads go; whoever made the engine disposes of it."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)

    # -- within --

    def _intake(self, origin: str) -> Intake:
        with self._lock:
            intake = self._intakes.get(origin)
            if intake is None:
                terms = self._entries.terms(origin)
                if terms.log == "epochs":
                    raise LogReserved(
                        "origin", "only the log host writes the log of logs", "register in a party's log"
                    )
                intake = self._intakes[origin] = Intake(
                    terms,
                    clock=self._clock,
                    book=self._book,
                    contents=self._contents,
                    sequencer=self._sequencer,
                    publisher=self._publisher,
                    reader=self._reader,
                    published=self._published,
                    entries=self._entries,
                    executor=self._executor,
                    recent=self._desk.recent,
                )
            return intake

    def _published_heads(self) -> list[tuple[int, Head]]:
        logs = self._entries.mapped_logs()
        notes = self._published.checkpoints([origin for _, origin in logs])
        return [
            (log_id, self._head_of(origin, note))
            for (log_id, origin), note in zip(logs, notes, strict=True)
            if note is not None
        ]

    def _check_range(self, origin: str, start: int, end: int) -> None:
        size = self.head(origin).tree_size
        if not 0 <= start <= end <= size:
            raise RangeInvalid(
                "range", f"[{start}, {end}) does not lie within {size} entries", "ask within the log"
            )
