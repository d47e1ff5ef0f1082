"""A signer whose key stays in a PKCS#11 token (OASIS PKCS #11 2.40): a smart card, an HSM, SoftHSM.

P-256 by CKM_ECDSA over a SHA-256 made here, since few tokens offer CKM_ECDSA_SHA256, and Ed25519 by
CKM_EDDSA. Needs the optional part `carbonseal-attest[pkcs11]`. The PIN is asked of a function, so that it
need not stand in a file, an argument or this object. Making keys in a token is left to its own tools; tokens
that want the PIN for each signature (CKA_ALWAYS_AUTHENTICATE) are not served.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from carbonseal_attest.algorithms import ED25519, ESP256
from carbonseal_attest.curve_points import P256
from carbonseal_attest.errors import CarbonsealError, TokenUnusable
from carbonseal_attest.keys import PublicKey, split_raw_signature
from carbonseal_attest.signing import low_s

if TYPE_CHECKING:
    import pkcs11

# CKA_EC_PARAMS: the curve by object identifier, or (PKCS #11 3.0, SoftHSM) by a name as PrintableString.
_CURVES: Final = {
    bytes.fromhex("06082a8648ce3d030107"): ESP256,
    bytes.fromhex("06032b6570"): ED25519,
    b"\x13\x0cedwards25519": ED25519,
}


class Pkcs11Signer:
    """A signer in a token. It holds a session until `close`; one signature is made at a time.

    PKCS #11 logs a whole process in and out: of several signers of one token, the one that was opened first
    is closed last.
    """

    def __init__(self, session: Any, private: Any, public: PublicKey, token: str) -> None:
        self._session = session
        self._private = private
        self._public = public
        self._token = token
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        module: Path,
        *,
        token: str,
        pin: Callable[[], str],
        label: str | None = None,
        key_id: bytes | None = None,
    ) -> Pkcs11Signer:
        """Return the signer of one key of a token.

        Args:
            module: the vendor's library, e.g. libsofthsm2.so.
            token: the token's label.
            pin: gives the user PIN; called once, here.
            label: the key's CKA_LABEL, or None.
            key_id: the key's CKA_ID, or None. At least one of the two is given; both must then fit.

        Raises:
            TokenUnusable: the part is not installed, the library or token is not there, the PIN is wrong, or
                not exactly one key fits.
            KeyRefused: the token's public key is weak or malformed.
        """
        if label is None and key_id is None:
            raise TokenUnusable(token, "no key is named", "give the key's label, its id, or both")
        part = _load_part()
        try:
            library = part.lib(str(module))
        except (part.PKCS11Error, RuntimeError) as error:  # which of them, the part's release decides
            raise TokenUnusable(
                str(module), f"is no PKCS#11 library ({error})", "name the vendor's library"
            ) from error
        try:
            found = library.get_token(token_label=token)
            try:
                session = found.open(user_pin=pin())
            except part.UserAlreadyLoggedIn:
                session = found.open()
        except part.PKCS11Error as error:
            raise _refusal(token, "can't be opened", error) from error
        try:
            private = _only(part, session, part.ObjectClass.PRIVATE_KEY, token, label, key_id)
            public = _only(part, session, part.ObjectClass.PUBLIC_KEY, token, label, key_id)
            key = _public_key(part, public, token)
        except part.PKCS11Error as error:
            session.close()
            raise _refusal(token, "can't be read", error) from error
        except CarbonsealError:
            session.close()
            raise
        return cls(session, private, key, token)

    def close(self) -> None:
        """End the session; the signer can't be used any more."""
        part = _load_part()
        with self._lock:
            try:
                self._session.close()
            except part.PKCS11Error as error:
                raise _refusal(self._token, "can't be closed", error) from error

    @property
    def public(self) -> PublicKey:
        """Return the public key, as the token told it when it was opened."""
        return self._public

    def sign(self, data: bytes) -> bytes:
        """Return the signature over `data`, low-s and verified under `public`.

        Raises:
            TokenUnusable: the token is gone or refuses.
            SignatureInvalid: it signed with another key than the public one that it shows.
        """
        part = _load_part()
        is_p256 = self._public.algorithm == ESP256
        told = hashlib.sha256(data).digest() if is_p256 else data
        mechanism = part.Mechanism.ECDSA if is_p256 else part.Mechanism.EDDSA
        try:
            with self._lock:
                signature = bytes(self._private.sign(told, mechanism=mechanism))
        except part.PKCS11Error as error:
            raise _refusal(self._token, "does not sign", error) from error
        if is_p256:
            try:
                signature = low_s(*split_raw_signature(signature, P256.order))
            except ValueError as error:
                raise TokenUnusable(
                    self._token, "gives no ECDSA signature of P-256", "check the token's key"
                ) from error
        self._public.verify(signature, data)
        return signature


def _load_part() -> Any:
    """Return the optional part, `python-pkcs11`."""
    try:
        import pkcs11
    except ImportError as error:
        raise TokenUnusable(
            "pkcs11", "the optional part is not installed", "install carbonseal-attest[pkcs11]"
        ) from error
    return pkcs11


def _only(
    part: Any, session: pkcs11.Session, kind: Any, token: str, label: str | None, key_id: bytes | None
) -> Any:
    wanted = {part.Attribute.CLASS: kind}
    if label is not None:
        wanted[part.Attribute.LABEL] = label
    if key_id is not None:
        wanted[part.Attribute.ID] = key_id
    found = list(session.get_objects(wanted))
    if len(found) != 1:
        raise TokenUnusable(
            token,
            f"holds {len(found)} keys of that name ({kind.name.lower().replace('_', ' ')})",
            "name exactly one by label and id; store the public key beside the private one",
        )
    return found[0]


def _public_key(part: Any, found: Any, token: str) -> PublicKey:
    algorithm = _CURVES.get(bytes(found[part.Attribute.EC_PARAMS]))
    if algorithm is None:
        raise TokenUnusable(token, "the key is on another curve", "make a P-256 or Ed25519 key in the token")
    point = bytes(found[part.Attribute.EC_POINT])
    # An OCTET STRING around the point, as the standard has it; some tokens leave the two bytes out.
    if len(point) in {34, 67} and point[:2] == bytes([4, len(point) - 2]):
        point = point[2:]
    if algorithm == ESP256:
        if point[:1] != b"\x04":
            raise TokenUnusable(token, "shows no uncompressed point", "export the public key uncompressed")
        point = point[1:]
    return PublicKey(algorithm, point)


def _refusal(token: str, what: str, error: Exception) -> TokenUnusable:
    return TokenUnusable(
        f"token {token}",
        f"{what} ({type(error).__name__})",
        "check that it is plugged in, its label and its PIN; too many wrong PINs lock it",
    )
