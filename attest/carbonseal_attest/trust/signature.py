"""The publisher's signature under a trust file, and the digest as people compare it by telephone.

The last line signs all bytes before it. It does not make the key trusted: whose it is, the reader knows from
elsewhere. A file without the line is not signed, and everything that shows the file says so.
"""

from __future__ import annotations

import re
from typing import Final

from carbonseal_attest.errors import KeyRefused
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import Signer
from carbonseal_attest.trust.tables import refusal

NOBODY: Final = "none"
SIGNATURE: Final = "# signature"
_SIGNATURE: Final = re.compile(rb"(?<=\n)# signature ([0-9a-z:-]{1,2700}) ((?:[0-9a-f]{2}){1,2420})\n\Z")


def with_signature(text: str, signer: Signer) -> bytes:
    """Return the trust file `text` (ending in a newline) with the publisher's signature as its last line."""
    data = text.encode()
    return data + f"{SIGNATURE} {signer.public.text()} {signer.sign(data).hex()}\n".encode()


def key_text(key: PublicKey | None) -> str:
    """Return a public key as a trust file writes it, `none` for nobody."""
    return NOBODY if key is None else key.text()


def verify_publisher(data: bytes, named: str) -> PublicKey | None:
    """Return the key that signed a trust file, None where it says itself that nobody does.

    `named` is what the file says under `publisher_key`: a file that lost its signature is refused.

    Raises:
        TrustInvalid: a signature line is missing, malformed, doubled, not the last line, or of another key.
        SignatureInvalid: it does not verify.
    """
    found = _SIGNATURE.search(data)
    if data.count(SIGNATURE.encode()) != (0 if found is None else 1):
        raise refusal("signature", "malformed, doubled, or not the last line")
    if (found is None) != (named == NOBODY) or (found is not None and found[1].decode() != named):
        raise refusal("signature", f"is not that of publisher_key {named}")
    if found is None:
        return None
    try:
        key = PublicKey.from_text(found[1].decode())
    except KeyRefused as error:
        raise refusal("signature", error.reason) from error
    key.verify(bytes.fromhex(found[2].decode()), data[: found.start()])
    return key


def spoken(digest: bytes) -> list[str]:
    """Return a digest in lines of four groups of four digits, to be read out and compared."""
    groups = [digest.hex()[at : at + 4] for at in range(0, 2 * len(digest), 4)]
    return [" ".join(groups[at : at + 4]) for at in range(0, len(groups), 4)]
