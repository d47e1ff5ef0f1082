"""The desk of a verification body: signs in stream order, stores before it sends, believes its trust file.

It runs where the body's key is. Where a stream stands is asked of the log and held against what was signed
here; bytes that wait are sent first. Every receipt and checkpoint is verified under the log key that the
trust file names, and a checkpoint must be consistent with the last one seen. Left out: what is said.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.contents import KINDS, SALT_SIZE, build_content
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Clock
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import verify_consistency
from carbonseal_attest.receipt import Receipt
from carbonseal_attest.signing import Signer
from carbonseal_attest.statement import SignedStatement, sign_statement
from carbonseal_attest.trust import TrustedLogHost, TrustFile
from carbonseal_verifier.errors import OutboxRefused, ServiceRefused
from carbonseal_verifier.outbox import Outbox, Place
from carbonseal_verifier.service_client import ServiceClient
from carbonseal_verifier.statement_file import StatementFile


@dataclass(frozen=True, slots=True)
class Logged:
    """What became of a statement that was sent: its verified receipt, and the state by the host's word."""

    receipt: bytes | None
    index: int | None
    state: str


class BodyDesk:
    """Signs and sends for one body.

    Args:
        signer: the body's key.
        outbox: where everything signed is kept.
        trust: names log host and log key.
        clock: milliseconds since 1970.
        service: the log host's address, None to sign without sending.
    """

    def __init__(
        self, signer: Signer, outbox: Outbox, trust: TrustFile, clock: Clock, service: ServiceClient | None
    ) -> None:
        self._signer = signer
        self._outbox = outbox
        self._trust = trust
        self._clock = clock
        self._service = service

    def sign(
        self, origin: str, kind: str, body: dict[str, Any], *, party: str, subject: str
    ) -> StatementFile:
        """Return a statement of `kind`, next in its stream and stored; it is not sent yet.

        Raises:
            OutboxRefused: the log holds another statement where this body signed one.
            ServiceRefused: the log host refuses what waits before it, or shows another history.
        """
        kid, stream = self._signer.public.kid, kind
        place = self._place(origin, kid, stream)
        salt = b"" if KINDS[kind].is_public else os.urandom(SALT_SIZE)
        content = build_content(kind, subject=subject, stream=stream, interval=None, body=body, salt=salt)
        statement = sign_statement(
            self._signer,
            kind=kind,
            issuer=party,
            subject=subject,
            issued_at=self._clock() // 1000,
            origin=origin,
            stream=stream,
            sequence=0 if place is None else place.sequence + 1,
            previous=None if place is None else place.digest,
            interval=None,
            checkpoint=self._newest_checkpoint(origin),
            content=content,
        )
        self._outbox.add(statement, content)
        return StatementFile.of(statement, content)

    def send(self, file: StatementFile) -> Logged:
        """Send a statement that was signed before, these very bytes, and return its verified receipt.

        Raises:
            ServiceRefused: refused, unreachable, or the receipt does not hold.
        """
        return send(file, self._need_service(), self._trust)

    def _place(self, origin: str, kid: bytes, stream: str) -> Place | None:
        """Return where a stream stands, after what waits has been sent."""
        own = self._outbox.last(origin, kid, stream)
        if self._service is None:
            return own
        found = self._service.streams(origin, kid).get(stream)
        logged = None if found is None else Place(*found)
        if own is None or (logged is not None and logged.sequence > own.sequence):
            # Another machine of the body's has signed, or this folder is new: the log decides.
            return logged
        for statement, content in self._outbox.beyond(
            origin, kid, stream, -1 if logged is None else logged.sequence
        ):
            self._service.register(origin, statement.raw, content)
        if logged is not None and logged.sequence == own.sequence and logged.digest != own.digest:
            raise OutboxRefused(
                stream,
                f"the log holds another statement number {own.sequence} than was signed here",
                "find out who else has the key; have a resume statement restart the stream",
            )
        return own

    def _newest_checkpoint(self, origin: str) -> tuple[int, bytes] | None:
        """Return size and root of the log's newest checkpoint, verified, and consistent with the last one."""
        if self._service is None:
            return None
        note = self._service.checkpoint(origin)
        checkpoint = _opened(note, origin, log_host_of(self._trust, origin))
        before = self._outbox.checkpoint(origin)
        if before is not None and before != note:
            self._check_growth(_opened(before, origin, log_host_of(self._trust, origin)), checkpoint)
        self._outbox.keep_checkpoint(origin, note)
        return checkpoint.tree_size, checkpoint.root_hash

    def _check_growth(self, old: Checkpoint, new: Checkpoint) -> None:
        service = self._need_service()
        try:
            path = service.consistency_path(new.origin, old.tree_size, new.tree_size)
            verify_consistency(old.tree_size, new.tree_size, old.root_hash, new.root_hash, path)
        except ServiceRefused:
            raise
        except CarbonsealError as error:
            raise ServiceRefused(
                f"checkpoint of {new.origin}",
                f"is of another history than the one seen before ({error.reason})",
                "keep both checkpoints: together they prove that the log host shows two histories",
            ) from error

    def _need_service(self) -> ServiceClient:
        if self._service is None:
            raise ServiceRefused("--service", "is not given", "give the log host's address")
        return self._service


def send(file: StatementFile, service: ServiceClient, trust: TrustFile) -> Logged:
    """Send a statement file's statement and return its receipt, verified under the trust file's log key.

    Raises:
        ServiceRefused: refused, unreachable, or the receipt does not hold.
    """
    statement = file.statement
    origin = statement.header.origin
    host = log_host_of(trust, origin)
    service.register(origin, statement.raw, file.content_bytes)
    data, state = service.receipt(origin, statement.digest)
    receipt = verify_receipt(data, statement, host)
    return Logged(data, receipt.index, state)


def verify_receipt(data: bytes, statement: SignedStatement, host: TrustedLogHost) -> Receipt:
    """Return a receipt that the trusted log key signed for this statement.

    Raises:
        ServiceRefused: of another host, log, key or statement.
    """
    origin = statement.header.origin
    try:
        receipt = Receipt.parse(data)
        receipt.verify(statement.raw, origin=origin, key=_key(host, origin, receipt.tree_size))
    except CarbonsealError as error:
        raise ServiceRefused(
            "receipt", f"does not hold: {error.reason}", "the statement does not count as logged; ask again"
        ) from error
    if receipt.log_host != host.party:
        raise ServiceRefused("receipt", f"names the log host {receipt.log_host}", "ask the trusted log host")
    return receipt


def log_host_of(trust: TrustFile, origin: str) -> TrustedLogHost:
    """Return the log host that the trust file lets sign for an origin.

    Raises:
        ServiceRefused: it names none.
        TrustInvalid: it says that the log was closed.
    """
    trust.require_open(origin)
    host = trust.host_of(origin)
    if host is None:
        raise ServiceRefused(
            "--trust", f"the trust file names no log host for {origin}", "use the body's own"
        )
    return host


def _opened(note: str, origin: str, host: TrustedLogHost) -> Checkpoint:
    try:
        return host.open_checkpoint(note, origin=origin)
    except CarbonsealError as error:
        raise ServiceRefused(
            f"checkpoint of {origin}", error.reason, "sign nothing into a log whose checkpoint does not hold"
        ) from error


def _key(host: TrustedLogHost, origin: str, tree_size: int) -> PublicKey:
    return host.key_for(origin, tree_size)
