"""Contents by SHA-256 digest: what statements sign, kept apart from the log so that it can be erased.

A content is stored under its own digest and never changed. Erasure deletes the row, salt and all, and keeps a
tombstone so that the same bytes cannot be uploaded again. Who may read a content is the service's decision:
the store only remembers through which log it came. It leaves out grants, media types and schemas.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, Engine, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from carbonseal_attest.identity.policies import RegistrationPolicy
from carbonseal_attest.instants import Clock
from carbonseal_ledger.errors import ContentRefused, ContentUnknown, LogDamaged
from carbonseal_ledger.models import Content, Erasure, Log
from carbonseal_ledger.policy import Allowance

MAX_CONTENT: Final = 1 << 20  # bytes; the greatest CBOR item that attest reads
_CHUNK: Final = 5_000  # digests a query; keeps parameter lists far below PostgreSQL's 65,535


class ContentsStore:
    """The contents of all logs of one database."""

    def __init__(self, engine: Engine, clock: Clock, *, max_size: int = MAX_CONTENT) -> None:
        self._engine = engine
        self._clock = clock
        self._max_size = max_size

    def put(
        self,
        digest: bytes,
        data: bytes,
        *,
        origin: str | None = None,
        policy: RegistrationPolicy | None = None,
    ) -> bool:
        """Store a content; true when it was new. Storing the same bytes again changes nothing.

        Args:
            digest: SHA-256 of `data`, as the statement signs it.
            data: at most `max_size` bytes.
            origin: the log through whose owner it came.
            policy: of that log, whose bytes of the day it is taken from; None takes it from nobody's.

        Raises:
            ContentRefused: too large, another digest, or erased on authority.
            RateLimited: the log has taken its bytes for today; nothing is stored.
        """
        self.check(digest, data)
        with self._engine.begin() as connection:
            if connection.scalar(select(Erasure.digest).where(Erasure.digest == digest)) is not None:
                raise ContentRefused("content", "it was erased on authority", "do not upload it again")
            log_id = None
            if origin is not None:
                # Before the content, as a batch does: two orders of locking would wait for each other.
                log_id = self._spend(connection, origin, digest, len(data), policy)
            row = {"digest": digest, "log_id": log_id, "data": data}
            statement = insert(Content).values(row).on_conflict_do_nothing().returning(Content.digest)
            return connection.scalar(statement) is not None

    def _spend(
        self,
        connection: Connection,
        origin: str,
        digest: bytes,
        size: int,
        policy: RegistrationPolicy | None,
    ) -> int | None:
        """Lock a log's row and take a content's bytes from its day; returns the log's id."""
        if policy is None:
            return connection.scalar(select(Log.id).where(Log.origin == origin))
        row = connection.execute(select(Log).where(Log.origin == origin).with_for_update()).one()
        is_known = connection.scalar(select(Content.digest).where(Content.digest == digest)) is not None
        if not is_known:
            allowance = Allowance(row.rate_owed, row.rate_owed_at, row.spent_day, row.spent_bytes)
            allowance.take_bytes(policy, self._clock(), size)
            spent = {"spent_day": allowance.day, "spent_bytes": allowance.day_bytes}
            connection.execute(update(Log).where(Log.id == row.id).values(**spent))
        return int(row.id)

    def check(self, digest: bytes, data: bytes) -> None:
        """Check size and digest without storing.

        Raises:
            ContentRefused: too large, or the bytes do not give the digest.
        """
        if len(data) > self._max_size:
            raise ContentRefused(
                "content", f"it has {len(data)} bytes", f"send at most {self._max_size} bytes"
            )
        if hashlib.sha256(data).digest() != digest:
            raise ContentRefused(
                "content", "its SHA-256 differs from the digest", "send the bytes that were signed"
            )

    def get(self, digest: bytes) -> bytes:
        """The content of a digest, re-hashed on the way out.

        Raises:
            ContentUnknown: not stored, or erased.
            LogDamaged: the stored bytes no longer give the digest.
        """
        found = self.get_many([digest])
        if digest not in found:
            raise ContentUnknown("content", f"{digest.hex()} is not stored", "ask its owner to upload it")
        return found[digest]

    def get_many(self, digests: Collection[bytes]) -> dict[bytes, bytes]:
        """The stored ones of some contents, by digest.

        Raises:
            LogDamaged: stored bytes no longer give their digest.
        """
        with self._engine.connect() as connection:
            return read_contents(connection, digests)

    def has(self, digests: Collection[bytes]) -> set[bytes]:
        """Those of some digests whose content is stored."""
        held: set[bytes] = set()
        with self._engine.connect() as connection:
            for chunk in _chunks(digests):
                rows = connection.execute(select(Content.digest).where(Content.digest.in_(chunk)))
                held.update(bytes(row.digest) for row in rows)
        return held

    def origin_of(self, digest: bytes) -> str | None:
        """The origin of the log through which a content came; None when it is unknown or not stored."""
        query = select(Log.origin).join(Content, Content.log_id == Log.id).where(Content.digest == digest)
        with self._engine.connect() as connection:
            return connection.scalar(query)

    def erase(self, digest: bytes, reason: str) -> None:
        """Remove a content and refuse it from now on; erasing twice changes nothing.

        The caller registers the `erasure` statement that gives digest, reason and authority. Copies in
        backups are the operator's duty.
        """
        with self._engine.begin() as connection:
            connection.execute(delete(Content).where(Content.digest == digest))
            row = {"digest": digest, "erased_at": self._clock(), "reason": reason}
            connection.execute(insert(Erasure).values(row).on_conflict_do_nothing())

    def erased(self, digests: Collection[bytes]) -> set[bytes]:
        """Those of some digests that were erased."""
        held: set[bytes] = set()
        with self._engine.connect() as connection:
            for chunk in _chunks(digests):
                rows = connection.execute(select(Erasure.digest).where(Erasure.digest.in_(chunk)))
                held.update(bytes(row.digest) for row in rows)
        return held


def read_contents(connection: Connection, digests: Collection[bytes]) -> dict[bytes, bytes]:
    """The stored ones of some contents on an open connection; as `ContentsStore.get_many`."""
    found: dict[bytes, bytes] = {}
    for chunk in _chunks(digests):
        for row in connection.execute(select(Content.digest, Content.data).where(Content.digest.in_(chunk))):
            data = bytes(row.data)
            if hashlib.sha256(data).digest() != row.digest:
                raise LogDamaged(
                    "content",
                    f"stored bytes of {row.digest.hex()} were changed",
                    "restore the content from its owner",
                )
            found[bytes(row.digest)] = data
    return found


def _chunks(digests: Collection[bytes]) -> list[list[bytes]]:
    ordered = list(digests)
    return [ordered[at : at + _CHUNK] for at in range(0, len(ordered), _CHUNK)]
