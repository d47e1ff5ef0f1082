"""Key files of a deployment: encrypted, made on first start, readable by the owner alone.

The pass phrase comes from `CARBONSEAL_PASSPHRASE`. Without one, a random one is kept beside the keys: that
protects backups that leave it out, and nothing else, and `carbonseal up` says so. PKCS#11 signers come
later.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from carbonseal_api.problems import PartMissing
from carbonseal_attest.algorithms import ED25519
from carbonseal_attest.errors import KeyRefused
from carbonseal_attest.identifiers import opaque_code
from carbonseal_attest.key_file import decrypt_key_file, encrypt_key_file
from carbonseal_attest.signing import SoftwareSigner, generate_signer

PASSPHRASE_FILE: Final = "passphrase"  # noqa: S105 - the name of a file


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new party's key and the party code made of it; its file is `<code>.key`."""

    code: str
    signer: SoftwareSigner


class KeyFolder:
    """The folder with a deployment's key files."""

    def __init__(self, folder: Path, passphrase: SecretStr) -> None:
        self._folder = folder
        self._given = passphrase.get_secret_value()

    @property
    def is_passphrase_kept_here(self) -> bool:
        """Whether the pass phrase lies beside the keys that it opens."""
        return not self._given

    def signer(self, name: str) -> SoftwareSigner:
        """Return the signer of a key file.

        Raises:
            PartMissing: There is no such file.
            KeyRefused: The pass phrase does not open it.
        """
        path = self._folder / f"{name}.key"
        try:
            data = path.read_bytes()
        except FileNotFoundError as problem:
            raise PartMissing(
                f"keys/{name}.key",
                "is not there",
                "start with `carbonseal up`, or restore the file from a backup",
            ) from problem
        try:
            return decrypt_key_file(data, self._passphrase())
        except KeyRefused as refusal:
            remedy = f"{refusal.remedy}; CARBONSEAL_PASSPHRASE is {'set' if self._given else 'not set'}"
            raise KeyRefused(f"keys/{name}.key: {refusal.field}", refusal.reason, remedy) from refusal

    def make(self, name: str, *, algorithm: int = ED25519) -> SoftwareSigner:
        """Make a new key, write its encrypted file durably and return its signer; an existing one is kept."""
        if (self._folder / f"{name}.key").exists():
            return self.signer(name)
        signer = generate_signer(algorithm)
        write_private(self._folder / f"{name}.key", encrypt_key_file(signer, self._passphrase()))
        return signer

    def make_new(self, prefix: str, *, algorithm: int = ED25519) -> NewKey:
        """Make a key for a new party; file and party code are named by the key itself."""
        signer = generate_signer(algorithm)
        code = opaque_code(prefix[0], signer.public.raw)
        write_private(self._folder / f"{code}.key", encrypt_key_file(signer, self._passphrase()))
        return NewKey(code, signer)

    def secret(self, name: str) -> bytes:
        """Return 32 secret bytes kept as an encrypted key file (keys of other algorithms); made when missing.

        A secp256k1 scalar for the chain is drawn like any 32 random bytes: the chance that it is out of
        range is 2^-128.
        """
        return self.make(name).seed

    def take_the_place(self, name: str, of: str) -> None:
        """Make key file `name` that of `of`; the file that was there is kept, named by its key."""
        here = self._folder / f"{of}.key"
        kept = self._folder / f"{of}.{self.signer(of).public.kid.hex()[:16]}.retired"
        if not kept.exists():
            write_private(kept, here.read_bytes())
        (self._folder / f"{name}.key").replace(here)

    def names(self) -> set[str]:
        """Return the names of the keys that are here."""
        return {path.stem for path in self._folder.glob("*.key")}

    def _passphrase(self) -> str:
        if self._given:
            return self._given
        path = self._folder / PASSPHRASE_FILE
        try:
            return path.read_text(encoding="ascii").strip()
        except UnicodeDecodeError as error:
            raise KeyRefused(
                f"keys/{PASSPHRASE_FILE}", "is not what was written there", "restore it from a backup"
            ) from error
        except FileNotFoundError:
            if self.names():  # another one would open none of them, and be taken for theirs
                raise KeyRefused(
                    f"keys/{PASSPHRASE_FILE}", "is not there, but keys are", "restore it from a backup"
                ) from None
            made = secrets.token_urlsafe(24)
            write_private(path, made.encode())
            return made


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, durably: a used key must survive a power cut."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
