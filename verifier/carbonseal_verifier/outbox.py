"""Where a verification body keeps what it has signed, before it is sent and for good.

A stream must not fork: the bytes are on the disk before they leave, and only these bytes are ever sent again.
One folder, one process at a time. It holds the body's membership (its party code and logs), the checkpoints
that it has seen of its own logs, and every statement in the order of signing. It holds no secret.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from carbonseal_attest import cbor
from carbonseal_attest.contents import MAX_CONTENT, parse_content
from carbonseal_attest.contents import schema as s
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.errors import OutboxRefused
from carbonseal_verifier.paths import in_words
from carbonseal_verifier.private_files import replace, write_new
from carbonseal_verifier.strict_json import parse_object

_MEMBERSHIP: Final = "membership.json"
_CHECKPOINTS: Final = "checkpoints.json"
_LOCK: Final = "lock"
_COMMITMENT: Final = "sampling_commitment"
_OPINION: Final = "verification_report"
_MAX_STATE: Final = 1 << 16  # bytes of a small file

_membership = s.record(
    {
        "party": s.code,
        "registrar": s.code,
        "log_host": s.code,
        "register_origin": s.origin,
        "data_origin": s.origin,
    }
)


@dataclass(frozen=True, slots=True)
class Membership:
    """Who the body is where it joined."""

    party: str
    registrar: str
    log_host: str
    register_origin: str
    data_origin: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stream stands: sequence and digest of its newest statement."""

    sequence: int
    digest: bytes


class Outbox:
    """One body's folder, for a `with` block; made if it is not there.

    Raises:
        OutboxRefused: another process has it, or it cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _refusal(f"{str(folder)!r:.120} can't be used: {in_words(error)}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise _refusal(f"{str(folder)!r:.120} is in use by another process") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._lock)

    # -- membership and checkpoints

    @property
    def membership(self) -> Membership:
        """Who the body is.

        Raises:
            OutboxRefused: it has not joined, or the file is damaged.
        """
        value = self._read(_MEMBERSHIP)
        if not value:
            raise OutboxRefused(
                "membership", "the body has not joined", "run `carbonseal-verifier join` first"
            )
        try:
            _membership(value, _MEMBERSHIP)
        except CarbonsealError as error:
            raise _refusal(f"{_MEMBERSHIP}: {error.field} {error.reason}") from error
        return Membership(**{name: str(text) for name, text in value.items()})

    def join(self, membership: Membership) -> None:
        """Remember who the body is; the same again changes nothing.

        Raises:
            OutboxRefused: the folder belongs to another party.
        """
        value = asdict(membership)
        if self._read(_MEMBERSHIP) not in ({}, value):
            raise OutboxRefused(
                "membership", "the folder is another party's", "choose another --state folder"
            )
        self._write(_MEMBERSHIP, value)

    def checkpoint(self, origin: str) -> str | None:
        """Return the newest checkpoint note of a log that was seen and kept."""
        note = self._read(_CHECKPOINTS).get(origin)
        return note if isinstance(note, str) else None

    def keep_checkpoint(self, origin: str, note: str) -> None:
        """Keep a checkpoint that was verified."""
        self._write(_CHECKPOINTS, {**self._read(_CHECKPOINTS), origin: note})

    # -- statements

    def add(self, statement: SignedStatement, content: bytes) -> None:
        """Store a signed statement with its content; it may be sent once this has returned."""
        paths = self._paths()
        number = int(paths[-1].stem) + 1 if paths else 0
        data = cbor.encode([statement.raw, content])
        write_new(self._folder / f"{number:06d}.statement", data, field="--state")

    def statements(self) -> Iterator[tuple[SignedStatement, bytes]]:
        """Yield what was signed, in order.

        Raises:
            OutboxRefused: a file is damaged; what it held must not be signed differently.
        """
        for path in self._paths():
            try:
                match cbor.decode(path.read_bytes(), max_size=MAX_CONTENT + (1 << 13)):
                    case [bytes(raw), bytes(content)]:
                        yield SignedStatement.parse(raw), content
                    case _:
                        raise _refusal(f"{path.name} holds no statement")
            except OSError as error:
                raise _refusal(f"{path.name} can't be read: {in_words(error)}") from error
            except OutboxRefused:
                raise
            except CarbonsealError as error:
                raise _refusal(f"{path.name}: {error.reason}") from error

    def last(self, origin: str, kid: bytes, stream: str) -> Place | None:
        """Return where a stream stands by what was signed here, None where nothing was."""
        found = None
        for statement, _ in self.statements():
            header = statement.header
            if (header.origin, header.kid, header.stream) == (origin, kid, stream):
                found = Place(header.sequence, statement.digest)
        return found

    def beyond(
        self, origin: str, kid: bytes, stream: str, sequence: int
    ) -> list[tuple[SignedStatement, bytes]]:
        """Return what was signed for a stream above `sequence`, in order."""
        return [
            (statement, content)
            for statement, content in self.statements()
            if (statement.header.origin, statement.header.kid, statement.header.stream)
            == (origin, kid, stream)
            and statement.header.sequence > sequence
        ]

    def unrevealed(self, report_digest: bytes) -> list[bytes]:
        """Return the commitments to samples of a report that no opinion signed here has cited, in order.

        Raises:
            OutboxRefused: a file is damaged.
        """
        committed: list[bytes] = []
        for statement, content in self.statements():
            if statement.header.kind not in {_COMMITMENT, _OPINION}:
                continue
            try:
                body = parse_content(content).body
            except CarbonsealError as error:
                raise _refusal(f"statement {statement.digest.hex()}: {error.reason}") from error
            if body["report_digest"] != report_digest:
                continue
            if statement.header.kind == _COMMITMENT:
                committed.append(statement.digest)
            elif body["sampling"] is not None and body["sampling"]["commitment_digest"] in committed:
                committed.remove(body["sampling"]["commitment_digest"])
        return committed

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*.statement"))

    def _read(self, name: str) -> dict[str, object]:
        try:
            data = (self._folder / name).read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise _refusal(f"{name} can't be read: {in_words(error)}") from error
        return parse_object(data, limit=_MAX_STATE, refuse=lambda _, reason: _refusal(f"{name}: {reason}"))

    def _write(self, name: str, value: object) -> None:
        data = (json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2) + "\n").encode()
        replace(self._folder / name, data, field="--state")


def _refusal(reason: str) -> OutboxRefused:
    return OutboxRefused("--state", reason, "restore the folder from a backup; never sign without it")
