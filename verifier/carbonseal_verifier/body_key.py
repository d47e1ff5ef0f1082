"""The key of a verification body: one encrypted file on its own machine, opened with a pass phrase.

The pass phrase comes from `CARBONSEAL_PASSPHRASE` or from a prompt, never from an argument that a list of
processes would show. Nothing here, and nothing that is sent anywhere, holds the secret half.
"""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Final

from carbonseal_attest.errors import KeyRefused
from carbonseal_attest.key_file import MAX_KEY_FILE, decrypt_key_file, encrypt_key_file
from carbonseal_attest.signing import SoftwareSigner, generate_signer
from carbonseal_verifier.errors import BodyKeyRefused
from carbonseal_verifier.paths import in_words
from carbonseal_verifier.private_files import write_new

PASSPHRASE: Final = "CARBONSEAL_PASSPHRASE"  # noqa: S105 - the name of a variable
_LEAST_PASSPHRASE: Final = 8  # characters of a new one; scrypt slows guessing, it does not forbid it


def make_key(path: Path, algorithm: int) -> SoftwareSigner:
    """Make a key, write it encrypted to a new file that only its owner may read, and return its signer.

    Raises:
        BodyKeyRefused: the pass phrase is too short, or differs when typed again.
        UsageInvalid: the file exists or cannot be written.
    """
    given = os.environ.get(PASSPHRASE)
    passphrase = _prompt("pass phrase: ") if given is None else given
    if given is None and passphrase != _prompt("once more: "):
        raise BodyKeyRefused("pass phrase", "differs the second time", "type the same one twice")
    if len(passphrase) < _LEAST_PASSPHRASE:
        reason = f"shorter than {_LEAST_PASSPHRASE} characters"
        raise BodyKeyRefused("pass phrase", reason, "choose a longer one; it is all that protects the file")
    signer = generate_signer(algorithm)
    write_new(path, encrypt_key_file(signer, passphrase), field="--out")
    return signer


def open_key(path: Path) -> SoftwareSigner:
    """Return the signer of a key file.

    Raises:
        BodyKeyRefused: the file cannot be read, is none of ours, or the pass phrase does not open it.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_KEY_FILE + 1)
    except OSError as error:
        raise BodyKeyRefused(
            "--key", f"{str(path)!r:.120} can't be opened: {in_words(error)}", "name the body's key file"
        ) from error
    passphrase = os.environ.get(PASSPHRASE)
    try:
        return decrypt_key_file(
            data, _prompt(f"pass phrase of {path.name}: ") if passphrase is None else passphrase
        )
    except KeyRefused as error:
        remedy = "give a file made by `carbonseal-verifier key` and its pass phrase"
        raise BodyKeyRefused(error.field, error.reason, remedy) from error


def _prompt(words: str) -> str:
    if not sys.stdin.isatty():
        raise BodyKeyRefused("pass phrase", "nobody can be asked for it here", f"set {PASSPHRASE}")
    try:
        return getpass.getpass(words)
    except EOFError as error:
        raise BodyKeyRefused("pass phrase", "was not given", f"type it, or set {PASSPHRASE}") from error
