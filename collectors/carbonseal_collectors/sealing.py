"""Sealing: batches become signed statements, stored in the spool before anything is sent.

`docs/spec/statement.md` has the envelope. One stream per meter, `readings/<meter>`, carries its readings
and gaps; each statement names the sequence, the digest before it and the newest checkpoint that the gateway
knew. A refused statement is replaced in its place by a `void`. Resuming a stream after a lost spool is left
to the party.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from carbonseal_attest.algorithms import ED25519
from carbonseal_attest.contents import build_content
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Clock
from carbonseal_attest.key_file import decrypt_key_file, encrypt_key_file
from carbonseal_attest.pkcs11_signer import Pkcs11Signer
from carbonseal_attest.quantities import format_decimal
from carbonseal_attest.signing import Signer, SoftwareSigner, generate_signer
from carbonseal_attest.statement import SignedStatement, sign_statement
from carbonseal_collectors.adapter import Sample
from carbonseal_collectors.batching import Batch
from carbonseal_collectors.errors import KeyUnusable
from carbonseal_collectors.gateway_config import GatewayConfig, TokenConfig
from carbonseal_collectors.plain_text import as_plain_text
from carbonseal_collectors.spool import Entry, Spool

_SALT_BYTES: Final = 16
_PLACE_BYTES: Final = 8
MARK_BYTES: Final = _PLACE_BYTES + 4
_MAX_PROBLEM: Final = 400  # characters, the content schema's limit
_CHECKPOINT: Final = "checkpoint"


class Sealer:
    """Signs for one gateway into one spool.

    Args:
        signer: the gateway's key.
        issuer: code of the party.
        origin: the party's data log.
        spool: where statements are stored first.
        clock: gives the time of signing.
    """

    def __init__(self, signer: Signer, *, issuer: str, origin: str, spool: Spool, clock: Clock) -> None:
        self._signer = signer
        self._issuer = issuer
        self._origin = origin
        self._spool = spool
        self._clock = clock

    @property
    def kid(self) -> bytes:
        """The thumbprint of the signing key."""
        return self._signer.public.kid

    def seal(self, batch: Batch) -> SignedStatement:
        """Signs a batch as the next statement of its meter's stream and stores it.

        Raises:
            ContentInvalid: the batch makes no content; nothing was stored.
        """
        stream = f"readings/{batch.meter}"
        with self._spool.transaction():
            head = self._spool.head(self.kid, stream)
            statement, content = self._sign(
                batch.kind,
                subject=batch.meter,
                stream=stream,
                sequence=head.next_sequence,
                previous=head.head,
                interval=batch.interval,
                body=batch.body,
            )
            self._spool.append(
                kid=self.kid,
                stream=stream,
                sequence=head.next_sequence,
                digest=statement.digest,
                kind=batch.kind,
                interval=batch.interval,
                statement=statement.raw,
                content=content,
            )
        return statement

    def void(self, entry: Entry, problem: str) -> SignedStatement:
        """Puts a signed void in the place of a statement that the log refused for good."""
        refused = SignedStatement.parse(entry.statement)
        body = {
            "sequence": entry.sequence,
            "digest": entry.digest,
            "interval": list(entry.interval),
            "problem": as_plain_text(problem, _MAX_PROBLEM),
        }
        with self._spool.transaction():
            statement, content = self._sign(
                "void",
                subject=refused.header.subject,
                stream=entry.stream,
                sequence=entry.sequence,
                previous=refused.header.previous,
                interval=None,
                body=body,
            )
            self._spool.replace_by_void(
                entry, digest=statement.digest, statement=statement.raw, content=content, problem=problem
            )
        return statement

    def known_checkpoint(self) -> tuple[int, bytes] | None:
        """The newest checkpoint that this gateway has checked: size and root."""
        text = self._spool.fact(_CHECKPOINT)
        if text is None:
            return None
        size, root = text.split(" ")
        return int(size), bytes.fromhex(root)

    def learn_checkpoint(self, size: int, root: bytes) -> None:
        """Remembers a checked checkpoint; statements signed from now on name it."""
        self._spool.set_fact(_CHECKPOINT, f"{size} {root.hex()}")

    def _sign(
        self,
        kind: str,
        *,
        subject: str,
        stream: str,
        sequence: int,
        previous: bytes | None,
        interval: tuple[int, int] | None,
        body: dict[str, Any],
    ) -> tuple[SignedStatement, bytes]:
        content = build_content(
            kind, subject=subject, stream=stream, interval=interval, body=body, salt=os.urandom(_SALT_BYTES)
        )
        statement = sign_statement(
            self._signer,
            kind=kind,
            issuer=self._issuer,
            subject=subject,
            issued_at=self._clock() // 1000,
            origin=self._origin,
            stream=stream,
            sequence=sequence,
            previous=previous,
            interval=interval,
            checkpoint=self.known_checkpoint(),
            content=content,
        )
        return statement, content


def mark(sample: Sample) -> bytes:
    """Twelve bytes that remember a signed reading: eight of its place, four of what it said."""
    place = f"{sample.point}\0{sample.at}\0{sample.width_ms}".encode()
    value = "" if sample.value is None else format_decimal(sample.value)
    said = place + f"\0{value}\0{sample.unit}".encode()
    return hashlib.sha256(place).digest()[:_PLACE_BYTES] + hashlib.sha256(said).digest()[:4]


def read_marks(marks: bytes) -> dict[bytes, set[bytes]]:
    """Place → what was said there, of the marks kept for a window."""
    known: dict[bytes, set[bytes]] = {}
    for at in range(0, len(marks), MARK_BYTES):
        place = marks[at : at + _PLACE_BYTES]
        known.setdefault(place, set()).add(marks[at + _PLACE_BYTES : at + MARK_BYTES])
    return known


def is_signed(sample_mark: bytes, known: Mapping[bytes, set[bytes]]) -> bool | None:
    """True when the same was signed there, False when something else was, None when nothing was."""
    said = known.get(sample_mark[:_PLACE_BYTES])
    return None if said is None else sample_mark[_PLACE_BYTES:] in said


def load_signer(config: GatewayConfig, environment: Mapping[str, str]) -> Signer:
    """The gateway's signer: from its encrypted key file, or in its PKCS#11 token.

    Args:
        config: names the key and where the passphrase, or the PIN, is.
        environment: the process environment.

    Raises:
        KeyUnusable: no passphrase, no file or token, or they do not belong together.
    """
    passphrase = passphrase_of(config, environment)
    if isinstance(config.key, TokenConfig):
        return _open_token(config.key, passphrase, f"{config.file}: gateway.pkcs11")
    return open_key_file(config.key, passphrase)


def passphrase_of(config: GatewayConfig, environment: Mapping[str, str]) -> str:
    """The passphrase of the gateway's key file, or the PIN of its token. Raises KeyUnusable."""
    if config.passphrase_file is not None:
        return read_passphrase(config.passphrase_file)
    passphrase = environment.get(config.passphrase_env, "")
    if not passphrase:
        raise KeyUnusable(
            f"{config.file}: gateway.passphrase_env",
            f"the environment has no {config.passphrase_env}",
            "set it to the key file's passphrase or the token's PIN, or name a passphrase_file",
        )
    return passphrase


def open_key_file(path: Path, passphrase: str) -> SoftwareSigner:
    """The signer of an encrypted key file. Raises KeyUnusable."""
    try:
        return decrypt_key_file(path.read_bytes(), passphrase)
    except OSError as exc:
        raise KeyUnusable(
            str(path),
            f"cannot be read ({exc.strerror})",
            "make it with carbonseal-collector key new",
        ) from exc
    except CarbonsealError as exc:
        raise KeyUnusable(str(path), f"{exc.field} {exc.reason}", exc.remedy) from exc


def _open_token(key: TokenConfig, pin: str, place: str) -> Pkcs11Signer:
    try:
        return Pkcs11Signer.open(
            key.module, token=key.token, label=key.label, key_id=key.key_id, pin=lambda: pin
        )
    except CarbonsealError as exc:
        raise KeyUnusable(place, f"{exc.field} {exc.reason}", exc.remedy) from exc


def read_passphrase(path: Path) -> str:
    """The first line of a passphrase file. Raises KeyUnusable."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise KeyUnusable(
            str(path), f"cannot be read ({exc})", "write the passphrase into its first line"
        ) from exc
    if not lines or not lines[0]:
        raise KeyUnusable(str(path), "is empty", "write the passphrase into its first line")
    return lines[0]


def write_new_key(path: Path, passphrase: str, *, algorithm: int = ED25519) -> SoftwareSigner:
    """Makes a key, writes it encrypted to `path` (owner only) and returns its signer.

    Raises:
        KeyUnusable: the file exists, cannot be written, or the passphrase is empty.
    """
    if not passphrase:
        raise KeyUnusable("passphrase", "is empty", "give one; without it the key file protects nothing")
    signer = generate_signer(algorithm)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as exc:
        raise KeyUnusable(
            str(path), f"cannot be made ({exc.strerror})", "name a file that does not exist yet"
        ) from exc
    with os.fdopen(handle, "wb") as file:
        file.write(encrypt_key_file(signer, passphrase))
        file.flush()
        os.fsync(file.fileno())
    return signer
