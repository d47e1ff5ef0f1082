"""Log hosts of a trust file: the origins one may sign for, its keys by tree size, and logs that were closed.

A log key is valid by tree size, never by date: whoever stole a retired key can name any date, but not grow an
old tree. The first head under a new key carries both signatures, so that whoever follows the log sees that
the old key's holder handed over. A compromised log counts up to one head, and its successor says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from carbonseal_attest.algorithms import ED25519
from carbonseal_attest.checkpoint import Checkpoint, open_checkpoint
from carbonseal_attest.identifiers import check_code, check_origin
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import MAX_TREE_SIZE
from carbonseal_attest.trust.tables import Table, check_spans, refusal
from carbonseal_attest.vkey import ED25519_NOTE, Vkey

_PREFIX: Final = re.compile(r"[a-z0-9][a-z0-9./-]{0,100}/")
NO_SUCCESSOR: Final = "none"


@dataclass(frozen=True, slots=True)
class LogKey:
    """A log key and the tree sizes for which it signs: [from_size, until_size).

    With an origin the row is about that log alone; without one, about every log that has no row of its own.
    """

    key: PublicKey
    from_size: int
    until_size: int | None
    origin: str | None = None

    def covers(self, tree_size: int) -> bool:
        """Whether the key signs heads of that size."""
        return self.from_size <= tree_size and (self.until_size is None or tree_size < self.until_size)


@dataclass(frozen=True, slots=True)
class TrustedLogHost:
    """A log host: the origins it may sign for, its log of logs, and its keys."""

    party: str
    origin_prefix: str
    log_of_logs: str
    keys: tuple[LogKey, ...]

    @classmethod
    def read(cls, table: Table) -> TrustedLogHost:
        """Return the log host of a table."""
        prefix = table.text("origin_prefix")
        if not _PREFIX.fullmatch(prefix):
            raise refusal("log_host.origin_prefix", "not a host name ending in a slash")
        result = cls(
            table.named("party", check_code),
            prefix,
            table.named("log_of_logs", check_origin),
            tuple(_read_key(entry) for entry in table.tables("key")),
        )
        table.close()
        result._check()
        return result

    def lines(self) -> list[str]:
        """Return the TOML lines."""
        written = ["[[log_host]]", f'party = "{self.party}"', f'origin_prefix = "{self.origin_prefix}"']
        written += [f'log_of_logs = "{self.log_of_logs}"', *([] if self.keys else ["key = []"])]
        for entry in self.keys:
            written += ["[[log_host.key]]", f'public = "{entry.key.text()}"']
            if entry.origin is not None:
                written.append(f'origin = "{entry.origin}"')
            written.append(f"from_size = {entry.from_size}")
            if entry.until_size is not None:
                written.append(f"until_size = {entry.until_size}")
        return [*written, ""]

    def key_for(self, origin: str, tree_size: int) -> PublicKey:
        """Return the key that signs checkpoints of `origin` at `tree_size`.

        Raises:
            TrustInvalid: the origin is not this host's, or no key is named for that size.
        """
        for entry in self._rows(origin):
            if entry.covers(tree_size):
                return entry.key
        raise refusal("log_host.key", f"no key for tree size {tree_size}")

    def open_checkpoint(self, note: str, *, origin: str) -> Checkpoint:
        """Return the checkpoint of a note that the key for its size signed, for `origin`.

        The first head under a new key is signed by the old key as well.

        Raises:
            NoteInvalid: malformed, of another log, or without a signature that it must carry.
            TrustInvalid: no key is named for its size.
        """
        size = Checkpoint.of_note(note).tree_size
        checkpoint = open_checkpoint(note, origin=origin, key=self.key_for(origin, size))
        for entry in self._rows(origin):
            if entry.until_size == size:
                open_checkpoint(note, origin=origin, key=entry.key)
        return checkpoint

    def handovers(self, origin: str) -> list[tuple[int, PublicKey, PublicKey | None]]:
        """Return for each key of `origin` but its first: from which size it signs, itself, the one before.

        The one before is None where the file names none up to that size.
        """
        rows = sorted(self._rows(origin), key=lambda row: row.from_size)
        return [
            (row.from_size, row.key, before.key if before.until_size == row.from_size else None)
            for before, row in pairwise(rows)
        ]

    def vkeys(self, origin: str) -> list[Vkey]:
        """Return every key under which checkpoints of `origin` may be signed, whatever their size."""
        return [Vkey(origin, ED25519_NOTE, entry.key) for entry in self._rows(origin)]

    def _rows(self, origin: str) -> list[LogKey]:
        if not origin.startswith(self.origin_prefix):
            raise refusal("log_host", f"{origin} is outside {self.origin_prefix}")
        own = [entry for entry in self.keys if entry.origin == origin]
        return own or [entry for entry in self.keys if entry.origin is None]

    def _check(self) -> None:
        if not self.log_of_logs.startswith(self.origin_prefix):
            raise refusal("log_host.log_of_logs", f"is outside {self.origin_prefix}")
        for origin in {entry.origin for entry in self.keys}:
            if origin is not None and not origin.startswith(self.origin_prefix):
                raise refusal("log_host.key.origin", f"{origin} is outside {self.origin_prefix}")
            rows = [entry for entry in self.keys if entry.origin == origin]
            check_spans([(row.from_size, row.until_size) for row in rows], "log_host.key")


@dataclass(frozen=True, slots=True)
class ClosedLog:
    """A log that counts up to one head only, since its keys fell into other hands.

    `tree_size` and `root_hash` are the last anchored head that counts; `successor` is the origin of the log
    that goes on, whose genesis must name exactly this head, None where none does.
    """

    origin: str
    tree_size: int
    root_hash: bytes
    successor: str | None

    @classmethod
    def read(cls, table: Table) -> ClosedLog:
        """Return the closed log of a table; that there is no successor is said, not left out."""
        successor = table.text("successor")
        result = cls(
            table.named("origin", check_origin),
            table.integer("tree_size", 1, MAX_TREE_SIZE),
            table.octets("root_hash", 32),
            None if successor == NO_SUCCESSOR else check_origin(successor, field="closed_log.successor"),
        )
        table.close()
        return result

    def lines(self) -> list[str]:
        """Return the TOML lines."""
        return [
            "[[closed_log]]",
            f'origin = "{self.origin}"',
            f"tree_size = {self.tree_size}",
            f'root_hash = "{self.root_hash.hex()}"',
            f'successor = "{self.successor or NO_SUCCESSOR}"',
            "",
        ]


def check_closed_logs(closed: tuple[ClosedLog, ...]) -> None:
    """Refuse a log that was closed twice, that two logs go on in, or that in the end succeeds itself."""
    follows = {entry.origin: entry.successor for entry in closed}
    successors = [entry.successor for entry in closed if entry.successor is not None]
    if len(follows) != len(closed) or len(set(successors)) != len(successors):
        raise refusal("closed_log", "one is closed twice, or two have one successor")
    for start, next_origin in follows.items():
        at, steps = next_origin, 0
        while at is not None and steps <= len(follows):
            at, steps = follows.get(at), steps + 1
        if at is not None:
            raise refusal("closed_log", f"{start} in the end succeeds itself")


def _read_key(table: Table) -> LogKey:
    key = table.public_key("public")
    if key.algorithm != ED25519:
        raise refusal("log_host.key.public", "not an Ed25519 key, which checkpoints are signed with")
    until = table.integer("until_size", 1, MAX_TREE_SIZE) if "until_size" in table else None
    origin = table.named("origin", check_origin) if "origin" in table else None
    result = LogKey(key, table.integer("from_size", 0, MAX_TREE_SIZE), until, origin)
    table.close()
    return result
