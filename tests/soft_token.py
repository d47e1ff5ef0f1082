"""A PKCS#11 token in software (SoftHSM 2), for tests: of this system, or of Debian's packages, unpacked.

The packages are fetched by `apt-get download` and unpacked under `.build`, without root; where neither works
the tests that want a token are skipped, and the reason says so. CARBONSEAL_SOFTHSM names another library.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PIN = "4711-user"
LABEL = "carbonseal test token"
_SYSTEM = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
_P256 = bytes.fromhex("06082a8648ce3d030107")
_P384 = bytes.fromhex("06052b81040022")
_ED25519 = b"\x13\x0cedwards25519"


class TokenMissing(Exception):
    """No SoftHSM here, and none could be fetched."""


@dataclass(frozen=True)
class SoftToken:
    """An initialised token: the library, and a session with which tests make keys."""

    module: Path
    session: Any

    def make(self, curve: str, label: str, key_id: bytes) -> None:
        """Make a key pair in the token."""
        import pkcs11

        parameters = {"p256": _P256, "p384": _P384, "ed25519": _ED25519}[curve]
        is_edwards = curve == "ed25519"
        kind = pkcs11.KeyType.EC_EDWARDS if is_edwards else pkcs11.KeyType.EC
        domain = self.session.create_domain_parameters(
            kind, {pkcs11.Attribute.EC_PARAMS: parameters}, local=True
        )
        mechanism = {"mechanism": pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN} if is_edwards else {}
        domain.generate_keypair(store=True, label=label, id=key_id, **mechanism)


def open_token(build: Path, state: Path) -> SoftToken:
    """Return a fresh token whose objects lie in `state`."""
    module = _library(build)
    (state / "tokens").mkdir()
    config = state / "softhsm2.conf"
    config.write_text(
        f"directories.tokendir = {state}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(config)  # read by the library when it is loaded
    _initialise(module)
    import pkcs11

    token = pkcs11.lib(str(module)).get_token(token_label=LABEL)
    return SoftToken(module, token.open(rw=True, user_pin=PIN))


def _initialise(module: Path) -> None:
    tool = shutil.which("softhsm2-util") or next(str(p) for p in module.parents[4].rglob("softhsm2-util"))
    given = ["--label", LABEL, "--pin", PIN, "--so-pin", "security officer", "--module", str(module)]
    subprocess.run([tool, "--init-token", "--free", *given], check=True, capture_output=True, timeout=60)


def _library(build: Path) -> Path:
    named = os.environ.get("CARBONSEAL_SOFTHSM")
    for path in filter(None, (named, *_SYSTEM)):
        if Path(path).is_file():
            return Path(path)
    folder = build / "softhsm"
    if not (found := sorted(folder.rglob("usr/lib/*/softhsm/libsofthsm2.so"))):
        _fetch(folder)
        found = sorted(folder.rglob("usr/lib/*/softhsm/libsofthsm2.so"))
    if not found:
        raise TokenMissing("the packages hold no libsofthsm2.so")
    return found[0]


def _fetch(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "packages").mkdir(parents=True)
    try:
        subprocess.run(
            ["apt-get", "download", "libsofthsm2", "softhsm2"],
            cwd=folder / "packages", check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        for package in sorted((folder / "packages").glob("*.deb")):
            subprocess.run(
                ["dpkg", "-x", str(package), str(folder)],
                check=True, capture_output=True, timeout=60,
            )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise TokenMissing(
            f"apt-get download libsofthsm2 softhsm2 failed ({type(error).__name__})"
        ) from error
