"""What the ledger hands out: outcomes of registration, heads, entries, streams, epochs and their evidence.

Plain frozen records without behaviour or IO, shared by the facade, the service and the tools. Instants are
integer milliseconds since 1970 UTC; intervals are half-open (start, end).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from carbonseal_attest.epoch import MapProof
from carbonseal_ledger.errors import RateLimited, Refused
from carbonseal_ledger.policy import Lateness


class Status(StrEnum):
    """What became of one submitted statement."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


class ReceiptState(StrEnum):
    """How far a registered statement has come (`docs/spec/log.md`, Receipt). Always shown by these names."""

    LOGGED = "logged"
    WITNESSED = "witnessed"
    ANCHORED = "anchored"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a statement was refused: a stable kebab-case code, the place, the reason and what cures it.

    `retry_after_s` is there where waiting alone cures it, in seconds.
    """

    code: str
    field: str
    reason: str
    remedy: str
    retry_after_s: int | None = None

    @classmethod
    def of(cls, refusal: Refused) -> Problem:
        """The problem that a refusal describes."""
        wait = refusal.retry_after_s if isinstance(refusal, RateLimited) else None
        return cls(refusal.code, refusal.field, refusal.reason, refusal.remedy, wait)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one submitted statement.

    `index` is the entry's index (accepted and duplicate), `digest` the statement digest where the bytes
    parsed, `problem` is present exactly when refused. A duplicate gives the index of the first registration.
    `lateness` says of a measured value that is in the log how it came, by the policy in force now.
    """

    status: Status
    index: int | None = None
    digest: bytes | None = None
    problem: Problem | None = None
    lateness: Lateness | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """One item of a batch: the signed statement's bytes and, where sent along, its content's bytes."""

    statement: bytes
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The newest head of a log. `checkpoint` is the signed note text."""

    origin: str
    tree_size: int
    root_hash: bytes
    checkpoint: str


@dataclass(frozen=True, slots=True)
class StoredHead:
    """A log's head as the database has it, with what the start-up comparison needs beside it."""

    origin: str
    size: int
    root_hash: bytes
    checkpoint: str
    published_size: int
    last_registered_at: int


@dataclass(frozen=True, slots=True)
class LogDescription:
    """A log that is open here. `log` is "register", "data" or "epochs"; `party` the opaque party code."""

    origin: str
    party: str
    log: str
    tree_size: int
    root_hash: bytes
    last_registered_at: int
    opened_at: int


@dataclass(frozen=True, slots=True)
class LoggedEntry:
    """One entry as stored. `raw` are the leaf's bytes.

    Entries of the log of logs after its genesis are epoch entries, not statements: kind "epoch", no stream.
    """

    origin: str
    index: int
    digest: bytes
    raw: bytes
    kind: str
    subject: str | None
    stream: str | None
    sequence: int | None
    interval: tuple[int, int] | None
    registered_at: int


@dataclass(frozen=True, slots=True)
class StreamHead:
    """Where a stream stands: the next statement needs sequence + 1 and `digest` as its previous."""

    kid: bytes
    stream: str
    sequence: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch: its number (from 1), its entry in the log of logs, and that log's head just after it."""

    epoch: int
    entry_index: int
    map_root: bytes
    origins: int
    built_at: int
    tree_size: int
    root_hash: bytes
    checkpoint: str


@dataclass(frozen=True, slots=True)
class OriginHead:
    """The head that one origin had in one epoch, with its proof in that epoch's map.

    `consistency` is the path from the origin's head in the epoch before; empty for its first epoch or when
    unchanged.
    """

    epoch: int
    origin: str
    tree_size: int
    root_hash: bytes
    map_proof: MapProof
    consistency: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class EpochEvidence:
    """What a bundle carries about epochs.

    All entries of the log of logs (index 0 is its genesis statement) up to `tree_size`, its checkpoint
    there, and for each asked epoch and origin the head with its map proof and the consistency path from the
    head before.
    """

    origin: str
    tree_size: int
    root_hash: bytes
    checkpoint: str
    entries: tuple[bytes, ...]
    heads: tuple[OriginHead, ...]


@dataclass(frozen=True, slots=True)
class AnchorPlan:
    """One step of the log of logs to be anchored on the chain, with its RFC 9162 consistency path."""

    epoch: int
    old_size: int
    new_size: int
    new_root: bytes
    path: tuple[bytes, ...]
