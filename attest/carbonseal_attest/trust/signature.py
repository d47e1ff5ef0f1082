"""The publisher's signature under a trust file, and the digest as people compare it by telephone.

The last line signs all bytes before it. It does not make the key trusted: whose it is, the reader knows from
elsewhere. A file without the line is not signed, and everything that shows the file says so.
"""

from __future__ import annotations

import re
from typing import Final

from carbonseal_attest.keys import ED25519, PublicKey
from carbonseal_attest.signing import Signer
from carbonseal_attest.trust.tables import refusal

_SIGNATURE: Final = re.compile(rb"(?<=\n)# signature ([0-9a-f]{64}) ([0-9a-f]{128})\n\Z")


def sign_trust_file(text: str, signer: Signer) -> bytes:
    """Return the trust file `text` (ending in a newline) with the publisher's signature as its last line."""
    data = text.encode()
    return data + f"# signature {signer.public.raw.hex()} {signer.sign(data).hex()}\n".encode()


def verify_publisher(data: bytes) -> PublicKey | None:
    """Return the key that signed a trust file, None where it is not signed.

    Raises:
        TrustInvalid: a signature line is malformed, doubled, or not the last line.
        SignatureInvalid: it does not verify.
        KeyRefused: the key is weak.
    """
    found = _SIGNATURE.search(data)
    if data.count(b"# signature") != (0 if found is None else 1):
        raise refusal("signature", "malformed, doubled, or not the last line")
    if found is None:
        return None
    key = PublicKey(ED25519, bytes.fromhex(found[1].decode()))
    key.verify(bytes.fromhex(found[2].decode()), data[: found.start()])
    return key


def spoken(digest: bytes) -> list[str]:
    """Return a digest in lines of four groups of four digits, to be read out and compared."""
    groups = [digest.hex()[at : at + 4] for at in range(0, 2 * len(digest), 4)]
    return [" ".join(groups[at : at + 4]) for at in range(0, len(groups), 4)]
