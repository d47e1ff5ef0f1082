"""Cosignatures of the log of logs: asks every witness of a policy for the newest head, and keeps what comes.

Once an epoch, never once a batch: the log of logs holds every other log's head. All witnesses are asked at
once; when the quorum is met those that are slower have a short grace, and what comes later still is stored.
Nothing waits for a witness: a log whose witnesses are down goes on and says so. One that holds a head beyond
or beside ours is no outage but a contradiction, and is kept as such. It leaves out HTTP (`witness_client`),
when it runs (a job of the service) and what start-up makes of witnesses (`witness_views`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Final, Protocol

import httpx
from sqlalchemy import Engine, func, select
from sqlalchemy.dialects.postgresql import insert

from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.cosignature import verify_signatures
from carbonseal_attest.errors import CarbonsealError, NoteInvalid
from carbonseal_attest.instants import Clock
from carbonseal_attest.note import NoteSignature, SignedNote
from carbonseal_attest.tlog_policy import NONE, TlogPolicy
from carbonseal_attest.vkey import Vkey
from carbonseal_ledger.errors import LedgerError, WitnessContradicts, WitnessPolicyInvalid
from carbonseal_ledger.outcomes import Head
from carbonseal_ledger.witness_client import Cosignature, WitnessClient
from carbonseal_ledger.witness_models import StoredCosignature, WitnessAnswer

GRACE_S: Final = 2.0  # for witnesses that are slower than the quorum
_ATTEMPTS: Final = 3  # at one witness: it names the size that it holds, and may have moved on meanwhile
_logger = logging.getLogger(__name__)


class WitnessedLog(Protocol):
    """What gathering needs of the log host."""

    def head(self, origin: str) -> Head:
        """The newest published head."""
        ...

    def consistency_path(self, origin: str, old_size: int, new_size: int) -> list[bytes]:
        """The RFC 9162 path between two sizes."""
        ...


@dataclass(frozen=True, slots=True)
class WitnessStanding:
    """How one witness stands: the newest size that it cosigned here, and its last answer.

    `name` is its name in the policy; `problem` is empty where it answered with a cosignature. `asked_at` is
    in milliseconds, 0 before the first time; `failures` counts since it last cosigned.
    """

    name: str
    vkey: str
    url: str
    cosigned_size: int
    asked_at: int
    failures: int
    problem_code: str
    problem: str

    @property
    def is_contradicting(self) -> bool:
        """Whether it holds a head that ours does not extend."""
        return self.problem_code == WitnessContradicts.code


@dataclass(frozen=True, slots=True)
class Witnessed:
    """How far a log is witnessed. `is_met` says whether its newest head, of `tree_size`, has the quorum."""

    origin: str
    tree_size: int
    witnessed_size: int
    is_met: bool
    quorum: str
    standings: tuple[WitnessStanding, ...]

    @property
    def contradicting(self) -> list[str]:
        """The names of witnesses that hold a head which ours does not extend."""
        return [one.name for one in self.standings if one.is_contradicting]


class Witnessing:
    """The witnesses of one log of logs. Safe to use from many threads and several processes."""

    def __init__(
        self,
        engine: Engine,
        policy: TlogPolicy,
        origin: str,
        clock: Clock,
        *,
        grace_s: float = GRACE_S,
        http: httpx.Client | None = None,
    ) -> None:
        """Bind policy and log.

        Args:
            engine: of the ledger's database.
            policy: witnesses with their addresses, and the quorum; it has no log lines.
            origin: of the log of logs.
            clock: in milliseconds.
            grace_s: seconds for which slower witnesses are waited for once the quorum is met.
            http: a client instead of one of our own.

        Raises:
            WitnessPolicyInvalid: a witness has no http(s) address, or nobody makes the quorum.
        """
        check_policy(policy)
        self._engine = engine
        self.policy = policy
        self.origin = origin
        self._clock = clock
        self._grace_s = grace_s
        self._http = http or httpx.Client(follow_redirects=False)
        self.clients = {
            name: WitnessClient(vkey, policy.urls[str(vkey)], self._http)
            for name, vkey in policy.witnesses.items()
        }
        self._names = {str(vkey): name for name, vkey in policy.witnesses.items()}
        self._executor = ThreadPoolExecutor(len(self.clients), "witness")
        self._asking: set[Vkey] = set()
        self._lock = threading.Lock()
        self._met = 0

    def close(self) -> None:
        """Wait for what was asked, and let threads and connections go."""
        self._executor.shutdown(wait=True)
        self._http.close()

    # -- asking

    def gather(self, log: WitnessedLog) -> Witnessed:
        """Ask for what the newest published head lacks; return how things stand.

        Never raises for a witness: its problem is stored and shown.

        Raises:
            LogUnknown: the log of logs is not open.
        """
        head = log.head(self.origin)
        have = set(self._stored(head))
        pending: set[Future[None]] = set()
        for name, client in self.clients.items():
            with self._lock:
                if name in have or client.vkey in self._asking:
                    continue  # it has, or a slow answer of the last time is still awaited
                self._asking.add(client.vkey)
            pending.add(self._executor.submit(self._ask, log, client, head))
        while pending and not self.policy.is_met(self._stored(head)):
            _, pending = wait(pending, return_when=FIRST_COMPLETED)
        if pending:
            wait(pending, timeout=self._grace_s)
        found = self.standing(head)
        if not found.is_met:
            _logger.warning(
                "%s at %d lacks the quorum %s; newest with it: %d; %s",
                *(self.origin, head.tree_size, self.policy.quorum, found.witnessed_size),
                "; ".join(f"{one.name}: {one.problem}" for one in found.standings if one.problem),
            )
        return found

    def _ask(self, log: WitnessedLog, client: WitnessClient, head: Head) -> None:
        held = self._held_size(client.vkey)
        try:
            got = self._cosignature(log, client, head, held)
            if got is not None:
                self._store(client.vkey, head, got)
        except LedgerError as error:
            (_logger.error if isinstance(error, WitnessContradicts) else _logger.info)("%s", error)
            self._note(client.vkey, error)
        except Exception:
            _logger.exception("asking witness %s failed", client.vkey.name)
        finally:
            with self._lock:
                self._asking.discard(client.vkey)

    def _cosignature(
        self, log: WitnessedLog, client: WitnessClient, head: Head, held: int
    ) -> Cosignature | None:
        """Return the cosignature, None where another process has had a newer head cosigned meanwhile."""
        note = SignedNote.parse(head.checkpoint.encode())
        for _ in range(_ATTEMPTS):
            if held > head.tree_size:
                if log.head(self.origin).tree_size >= held:
                    return None
                raise WitnessContradicts(
                    f"witness {client.vkey.name}",
                    f"holds a head of {held} entries where {self.origin} shows {head.tree_size}",
                    "the log has lost entries: stop it, and restore a backup that holds them",
                )
            path = log.consistency_path(self.origin, held, head.tree_size) if held else []
            answer = client.add_checkpoint(note, held, path)
            if isinstance(answer, Cosignature):
                return answer
            held = answer
        raise client.moved(held)

    # -- what is held

    def witnessed_size(self) -> int:
        """The largest size of the log of logs that the quorum cosigned; 0 where there is none."""
        query = select(StoredCosignature).where(
            StoredCosignature.origin == self.origin, StoredCosignature.tree_size > self._met
        )
        sizes: dict[tuple[int, bytes], dict[str, bytes]] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(query.order_by(StoredCosignature.tree_size.desc())):
                sizes.setdefault((row.tree_size, bytes(row.root_hash)), {})[row.witness] = bytes(
                    row.signature
                )
        for (size, root), signatures in sizes.items():
            text = Checkpoint(self.origin, size, root).text()
            if self.policy.is_met(name for name, _ in self._verified(text, signatures)):
                self._met = max(self._met, size)
                break
        return self._met

    def cosigned(self, note: str) -> str:
        """Return a checkpoint of the log of logs with the cosignatures held of it, by their names."""
        signed = SignedNote.parse(note.encode())
        head = Checkpoint.parse(signed.text)
        if head.origin != self.origin:
            return note
        stored = self._signatures(head.tree_size, head.root_hash)
        ids = {(vkey.name, vkey.key_id): str(vkey) for vkey in self.policy.witnesses.values()}
        own = [line for line in signed.signatures if (line.name, line.key_id) not in ids]
        # Those that the note has already are kept where they verify: a damaged one gives way to the stored.
        present = {
            ids[line.name, line.key_id]: line.signature for line in signed.signatures if line not in own
        }
        found = {
            line[:2]: line for held in (present, stored) for _, line in self._verified(signed.text, held)
        }
        return SignedNote(signed.text, (*own, *sorted(found.values()))).encode().decode()

    def standing(self, head: Head) -> Witnessed:
        """Return how far the log is witnessed, and how each witness stands."""
        newest = (
            select(StoredCosignature.witness, func.max(StoredCosignature.tree_size))
            .where(StoredCosignature.origin == self.origin)
            .group_by(StoredCosignature.witness)
        )
        answers = select(WitnessAnswer).where(WitnessAnswer.origin == self.origin)
        with self._engine.connect() as connection:
            sizes: dict[str, int] = {row[0]: row[1] for row in connection.execute(newest)}
            last = {row.witness: row for row in connection.execute(answers)}
        standings = tuple(
            _standing(name, client, sizes.get(str(client.vkey), 0), last.get(str(client.vkey)))
            for name, client in self.clients.items()
        )
        is_met = self.policy.is_met(self._stored(head))
        return Witnessed(
            self.origin, head.tree_size, self.witnessed_size(), is_met, self.policy.quorum, standings
        )

    def _stored(self, head: Head) -> list[str]:
        text = Checkpoint(self.origin, head.tree_size, head.root_hash).text()
        stored = self._signatures(head.tree_size, head.root_hash)
        return [name for name, _ in self._verified(text, stored)]

    def _signatures(self, size: int, root: bytes) -> dict[str, bytes]:
        query = select(StoredCosignature.witness, StoredCosignature.signature).where(
            StoredCosignature.origin == self.origin,
            StoredCosignature.tree_size == size,
            StoredCosignature.root_hash == root,
        )
        with self._engine.connect() as connection:
            return {row.witness: bytes(row.signature) for row in connection.execute(query)}

    def _verified(self, text: str, signatures: Mapping[str, bytes]) -> Iterator[tuple[str, NoteSignature]]:
        """Yield the cosignatures that hold, of witnesses of the policy, with their names there."""
        for key, signature in signatures.items():
            name = self._names.get(key)
            if name is None:
                continue  # of a witness that is no longer in the policy
            vkey = self.policy.witnesses[name]
            line = NoteSignature(vkey.name, vkey.key_id, signature)
            try:
                verify_signatures(SignedNote(text, (line,)), [vkey])
            except NoteInvalid:
                _logger.error("a stored cosignature of %s does not verify", vkey.name)  # noqa: TRY400
                continue
            yield name, line

    # -- keeping

    def _held_size(self, vkey: Vkey) -> int:
        query = select(WitnessAnswer.held_size).where(
            WitnessAnswer.origin == self.origin, WitnessAnswer.witness == str(vkey)
        )
        with self._engine.connect() as connection:
            return int(connection.execute(query).scalar() or 0)

    def _store(self, vkey: Vkey, head: Head, got: Cosignature) -> None:
        values = {
            "origin": self.origin,
            "tree_size": head.tree_size,
            "witness": str(vkey),
            "root_hash": head.root_hash,
            "signature": got.line.signature,
            "obtained_at": self._clock(),
        }
        with self._engine.begin() as connection:
            # The first cosignature of a head stays: its time is the earlier one.
            connection.execute(insert(StoredCosignature).values(values).on_conflict_do_nothing())
            connection.execute(self._answer(vkey, head.tree_size, None))

    def _note(self, vkey: Vkey, error: CarbonsealError) -> None:
        with self._engine.begin() as connection:
            connection.execute(self._answer(vkey, None, error))

    def _answer(self, vkey: Vkey, held: int | None, error: CarbonsealError | None) -> Any:
        values: dict[str, Any] = {
            "asked_at": self._clock(),
            "problem_code": "" if error is None else error.code,
            "problem": "" if error is None else error.reason,
        }
        made = insert(WitnessAnswer).values(
            origin=self.origin,
            witness=str(vkey),
            held_size=held or 0,
            failures=0 if error is None else 1,
            **values,
        )
        if held is not None:
            values["held_size"] = held
        failures = 0 if error is None else WitnessAnswer.failures + 1
        return made.on_conflict_do_update(
            index_elements=["origin", "witness"], set_={**values, "failures": failures}
        )


def check_policy(policy: TlogPolicy) -> None:
    """Check that a policy can be asked.

    Raises:
        WitnessPolicyInvalid: there are log lines, nobody makes the quorum, or a witness has no address.
    """
    if policy.logs:
        raise _policy("log lines", "name a log", "leave them away: the log is this host's log of logs")
    if policy.quorum == NONE:
        raise _policy("quorum", "asks nobody", "name a witness or a group, or leave the policy away")
    for name, vkey in policy.witnesses.items():
        if not policy.urls.get(str(vkey), "").startswith(("https://", "http://")):
            raise _policy(f"witness {name}", "has no http(s) address", "write it after its verifier key")


def _standing(name: str, client: WitnessClient, size: int, last: Any) -> WitnessStanding:
    if last is None:
        return WitnessStanding(name, str(client.vkey), client.url, size, 0, 0, "", "")
    return WitnessStanding(
        name,
        str(client.vkey),
        client.url,
        size,
        last.asked_at,
        last.failures,
        last.problem_code,
        last.problem,
    )


def _policy(field: str, reason: str, remedy: str) -> WitnessPolicyInvalid:
    return WitnessPolicyInvalid(f"witness policy: {field}", reason, remedy)
