"""The ledger's own tables: logs, streams, entries, contents and epochs (PostgreSQL).

These tables, with the published copy, are the source of truth; every table about carbon lives elsewhere and
can be dropped and replayed. Rows are lean on purpose: a log is named by a small integer, a stream (key,
stream id) by another, and whatever the statement's bytes already say is not stored a second time unless it
is searched for. The anchoring journal keeps its tables in `anchoring_models`; both share this module's
`Base`.

Instants are integer milliseconds since 1970 UTC; intervals are half-open [start, end).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The declarative base of every table that the ledger room owns."""


class Log(Base):
    """One append-only log and its newest head. This row is the sequencer's lock (SELECT … FOR UPDATE)."""

    __tablename__ = "ledger_logs"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    origin: Mapped[str] = mapped_column(Text, unique=True)
    party: Mapped[str] = mapped_column(Text)
    log: Mapped[str] = mapped_column(Text, doc="register, data or epochs")
    size: Mapped[int] = mapped_column(BigInteger)
    root_hash: Mapped[bytes] = mapped_column(LargeBinary)
    frontier: Mapped[bytes] = mapped_column(
        LargeBinary, doc="concatenated 32-byte hashes, largest subtree first"
    )
    checkpoint: Mapped[str] = mapped_column(Text, doc="signed note over (origin, size, root_hash)")
    published_size: Mapped[int] = mapped_column(
        BigInteger,
        doc="a size that the published copy is known to have reached; a smaller copy has been rolled back",
    )
    last_tick_at: Mapped[int] = mapped_column(BigInteger, doc="ms; 0 before the first tick")
    ticked_size: Mapped[int] = mapped_column(
        BigInteger, doc="size just after the newest tick; 0 before the first"
    )
    last_registered_at: Mapped[int] = mapped_column(BigInteger, doc="ms; the clock may not go behind it")
    genesis_digest: Mapped[bytes] = mapped_column(LargeBinary, doc="statement digest of entry 0")
    opened_at: Mapped[int] = mapped_column(BigInteger)
    log_keys: Mapped[list[str]] = mapped_column(
        ARRAY(Text), doc="`<from size> <key as text>`, oldest first: which log key signs which heads"
    )
    rate_owed: Mapped[int] = mapped_column(
        BigInteger, doc="thousandths of a statement that the policy's rate had not leaked at rate_owed_at"
    )
    rate_owed_at: Mapped[int] = mapped_column(BigInteger, doc="ms")
    spent_day: Mapped[int] = mapped_column(Integer, doc="days since 1970 UTC of the newest registration")
    spent_bytes: Mapped[int] = mapped_column(BigInteger, doc="statements and contents taken on that day")


class Stream(Base):
    """The head of one stream: (log, key, stream id). Sequences of a stream run without holes from 0."""

    __tablename__ = "ledger_streams"
    __table_args__ = (UniqueConstraint("log_id", "kid", "stream"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    log_id: Mapped[int] = mapped_column(Integer, ForeignKey("ledger_logs.id"))
    kid: Mapped[bytes] = mapped_column(LargeBinary)
    stream: Mapped[str] = mapped_column(Text)
    last_sequence: Mapped[int] = mapped_column(BigInteger)
    last_digest: Mapped[bytes] = mapped_column(LargeBinary)
    void_digest: Mapped[bytes | None] = mapped_column(
        LargeBinary,
        doc="the refused statement that the last entry, a void, stands for; its digest also continues",
    )


class Kind(Base):
    """The kinds seen so far, so that an entry names its kind in two bytes."""

    __tablename__ = "ledger_kinds"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)


class Subject(Base):
    """The subjects seen so far in one log, so that an entry names its subject in four bytes."""

    __tablename__ = "ledger_subjects"
    __table_args__ = (UniqueConstraint("log_id", "name"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    log_id: Mapped[int] = mapped_column(Integer, ForeignKey("ledger_logs.id"))
    name: Mapped[str] = mapped_column(Text)


class Entry(Base):
    """One log entry. `raw` is the leaf: the bytes as received, which are never re-encoded."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        PrimaryKeyConstraint("log_id", "index"),
        Index("ledger_entries_stream_sequence", "stream_id", "sequence", unique=True),
        Index("ledger_entries_digest", "digest", postgresql_using="hash"),
    )

    # Fixed-width columns stand first and widest first, so that no padding is stored between them.
    index: Mapped[int] = mapped_column(BigInteger)
    sequence: Mapped[int | None] = mapped_column(
        BigInteger, doc="null in the log of logs, except its genesis"
    )
    interval_start: Mapped[int | None] = mapped_column(BigInteger)
    interval_end: Mapped[int | None] = mapped_column(BigInteger)
    registered_at: Mapped[int] = mapped_column(BigInteger)
    log_id: Mapped[int] = mapped_column(Integer, ForeignKey("ledger_logs.id"))
    stream_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("ledger_streams.id"))
    subject_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("ledger_subjects.id"))
    kind_id: Mapped[int] = mapped_column(SmallInteger, ForeignKey("ledger_kinds.id"))
    digest: Mapped[bytes] = mapped_column(LargeBinary, doc="statement digest; epoch entries: SHA-256 of raw")
    raw: Mapped[bytes] = mapped_column(LargeBinary)


class Content(Base):
    """A content, stored under its SHA-256 digest. Erasure removes the row, salt and all."""

    __tablename__ = "ledger_contents"

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    log_id: Mapped[int | None] = mapped_column(
        Integer, doc="the log whose owner uploaded it: who may read it"
    )
    data: Mapped[bytes] = mapped_column(LargeBinary)


class Erasure(Base):
    """A content that was removed on authority; uploads of the same digest stay refused."""

    __tablename__ = "ledger_erasures"

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    erased_at: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)


class Equivocation(Base):
    """A place (stream, sequence) for which two different statements, both validly signed, were received."""

    __tablename__ = "ledger_equivocations"

    stream_id: Mapped[int] = mapped_column(Integer, ForeignKey("ledger_streams.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    entry_index: Mapped[int] = mapped_column(BigInteger, doc="index of the log's own equivocation statement")


class Epoch(Base):
    """One epoch: the sorted map of all heads, and its entry in the log of logs."""

    __tablename__ = "ledger_epochs"

    epoch: Mapped[int] = mapped_column(Integer, primary_key=True)
    entry_index: Mapped[int] = mapped_column(BigInteger, unique=True, doc="index in the log of logs")
    origins: Mapped[int] = mapped_column(Integer)
    map_root: Mapped[bytes] = mapped_column(LargeBinary)
    built_at: Mapped[int] = mapped_column(BigInteger)
    checkpoint: Mapped[str] = mapped_column(Text, doc="the log of logs' checkpoint at size entry_index + 1")


class EpochHead(Base):
    """One entry of an epoch's map: the head that a log had when the epoch was built."""

    __tablename__ = "ledger_epoch_heads"
    __table_args__ = (Index("ledger_epoch_heads_log", "log_id", "epoch"),)

    epoch: Mapped[int] = mapped_column(Integer, ForeignKey("ledger_epochs.epoch"), primary_key=True)
    log_id: Mapped[int] = mapped_column(Integer, ForeignKey("ledger_logs.id"), primary_key=True)
    tree_size: Mapped[int] = mapped_column(BigInteger)
    root_hash: Mapped[bytes] = mapped_column(LargeBinary)
