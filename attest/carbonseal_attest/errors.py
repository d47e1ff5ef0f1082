"""Refusals: one root for the whole product, one branch for this room.

Every refusal names the field that is wrong, the reason, and the remedy, so that the same exception serves a
command line, an HTTP problem (RFC 9457) and a check step. `code` is stable and meant for machines.
"""

from __future__ import annotations

from typing import ClassVar


class CarbonsealError(Exception):
    """A refusal that a person can act on; `str()` gives `field: reason; remedy`."""

    code: ClassVar[str] = "carbonseal-error"

    def __init__(self, field: str, reason: str, remedy: str) -> None:
        super().__init__(field, reason, remedy)
        self.field = field
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        """Return the refusal on one line, whatever characters the input smuggled into it."""
        line = f"{self.field}: {self.reason}; {self.remedy}"
        return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)


class AttestError(CarbonsealError):
    """Root of all refusals of this room."""

    code = "attest-error"


class EncodingError(AttestError):
    """Bytes are not deterministic CBOR within our limits, or a value cannot be written as such."""

    code = "encoding-invalid"


class QuantityInvalid(AttestError):
    """A number, instant or interval is malformed or out of bounds."""

    code = "quantity-invalid"


class IdentifierInvalid(AttestError):
    """An origin, code or credit code is malformed."""

    code = "identifier-invalid"


class PackageInvalid(AttestError):
    """The files of a package have no digest: there is none, or a path is not plain and relative."""

    code = "package-invalid"


class KeyRefused(AttestError):
    """A public key is malformed, weak, or of an algorithm that is not admitted."""

    code = "key-refused"


class AlgorithmRefused(AttestError):
    """A signature algorithm is unknown, not that of the key, or not admitted by whoever checks."""

    code = "algorithm-refused"


class TokenUnusable(AttestError):
    """A key in a PKCS#11 token can't be found, opened or used."""

    code = "token-unusable"


class SignatureInvalid(AttestError):
    """A signature does not verify under the stated key."""

    code = "signature-invalid"


class Unsupported(AttestError):
    """Something that a standard allows and this product does not have; `reason` names it."""

    code = "unsupported"


class CoseInvalid(AttestError):
    """Bytes are not a COSE_Sign1, or not in the form that their place asks for."""

    code = "malformed-cose"


class StatementInvalid(AttestError):
    """A signed statement departs from the profile of `docs/spec/statement.md`."""

    code = "malformed-statement"


class ContentInvalid(AttestError):
    """A content breaks its kind's schema, or does not agree with the header that signs it."""

    code = "content-invalid"


class ContentContradictsHeader(ContentInvalid):
    """A content is well formed, but says something else than the header that signs it."""

    code = "content-contradicts-header"


class IdentityInvalid(AttestError):
    """A statement about a party, device or stream does not fit what the register log says so far."""

    code = "identity-invalid"


class DecisionInvalid(AttestError):
    """A decision to recover is not that of two operators: a key twice, a foreign one, or no end in sight."""

    code = "decision-invalid"


class ProofInvalid(AttestError):
    """An inclusion, consistency, range or map proof does not hold."""

    code = "proof-invalid"


class NoteInvalid(AttestError):
    """A signed note or checkpoint is malformed or not signed by the expected key."""

    code = "note-invalid"


class PolicyInvalid(AttestError):
    """A policy of logs, witnesses and quorum is malformed or contradicts itself."""

    code = "witness-policy-invalid"


class AnchorInvalid(AttestError):
    """Evidence from a chain does not prove the anchored head."""

    code = "anchor-invalid"


class TrustInvalid(AttestError):
    """A trust file is malformed or contradicts itself."""

    code = "trust-invalid"


class BundleInvalid(AttestError):
    """An evidence bundle is malformed, damaged, or lacks a member."""

    code = "bundle-invalid"
