"""Writes `cose-sign1.json`: COSE_Sign1 of any form, through the generic reader, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import example_contents as example
import foreign_cose as foreign
from vector_files import Vector, document, write

from carbonseal_attest import cbor
from carbonseal_attest.algorithms import ADMITTED, ED25519, EDDSA, ES256, ESP256
from carbonseal_attest.cose import ALG, CRIT, KID, Sign1, join_sign1, sig_structure, sign1
from carbonseal_attest.signing import SoftwareSigner, signer_from_seed

PAYLOAD = b"This is the content."


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {"cose-sign1.json": document(__file__, "cose.md", _messages())}


def _messages() -> list[Vector]:
    signer: SoftwareSigner = example.key("device")
    p256 = signer_from_seed(ESP256, example.digest("P-256 example"))
    admitted = sorted(ADMITTED)
    labels: dict[int | str, Any] = {ALG: ED25519, KID: b"11"}

    def vector(desc: str, data: bytes, code: str | None = None, **more: Any) -> Vector:
        made = {"desc": desc, "want_error": code, "message": data.hex()}
        made |= {"public": signer.public.text(), "admitted": admitted, **more}
        if code is None:
            read = Sign1.parse(data, admits_untagged=more.get("admits_untagged", False))
            made["to_be_signed"] = read.to_be_signed(
                payload=bytes.fromhex(more["payload"]) if "payload" in more else None,
                external_aad=bytes.fromhex(more.get("external_aad", "")),
            ).hex()
        return made

    def raw(protected: bytes, unprotected: dict[int | str, Any], *, signed: bytes | None = None) -> bytes:
        """A message over a header in any form; the signature holds over `signed` as the header."""
        signature = signer.sign(sig_structure(protected if signed is None else signed, PAYLOAD))
        return join_sign1(protected, unprotected, PAYLOAD, signature)

    receipts: dict[int | str, Any] = {394: [b"r"]}
    plain = sign1(signer, labels, PAYLOAD)
    detached = sign1(signer, labels, PAYLOAD, is_detached=True)
    bound = sign1(signer, labels, PAYLOAD, external_aad=b"\x11\xaa")
    mixed: dict[int | str, Any] = {**labels, 1 << 32: 0, "note": "x"}
    critical: dict[int | str, Any] = {**labels, CRIT: ["tax"], "tax": 1}
    dangling: dict[int | str, Any] = {**labels, CRIT: [7]}
    unsorted = b"\xa2\x04\x42\x31\x31\x01\x32"
    kid_only: dict[int | str, Any] = {KID: b"11"}
    return [
        vector("Ed25519", plain),
        vector("ESP256", sign1(p256, {ALG: ESP256}, PAYLOAD), public=p256.public.text()),
        vector("detached payload, given", detached, payload=PAYLOAD.hex()),
        vector("external data", bound, external_aad="11aa"),
        vector("untagged, admitted", plain[1:], admits_untagged=True),
        vector("legacy number of Ed25519, admitted", sign1(signer, {ALG: EDDSA}, PAYLOAD), admitted=[EDDSA]),
        vector(
            "legacy number of ESP256, admitted",
            sign1(p256, {ALG: ES256}, PAYLOAD),
            public=p256.public.text(),
            admitted=[ES256],
        ),
        vector("something in the unprotected header", sign1(signer, labels, PAYLOAD, unprotected=receipts)),
        vector("integer and text labels in one header", sign1(signer, mixed, PAYLOAD)),
        vector("protected header a0, signed as the empty string", raw(b"\xa0", {ALG: ED25519}, signed=b"")),
        vector("protected header empty", raw(b"", {ALG: ED25519})),
        vector(
            "protected header of indefinite length and no labels",
            raw(b"\xbf\xff", {ALG: ED25519}, signed=b""),
        ),
        vector("protected header not deterministic, signed as sent", raw(unsorted, {})),
        vector("crit names what everybody understands", sign1(signer, {**labels, CRIT: [ALG]}, PAYLOAD)),
        vector(
            "a SCITT statement of another implementation, header not sorted",
            bytes.fromhex(foreign.INTEROP_STATEMENT),
            public=foreign.INTEROP_STATEMENT_KEY,
            admitted=[EDDSA],
        ),
        vector("untagged", plain[1:], "malformed-cose"),
        vector("tag 998", b"\xd9\x03\xe6" + plain[1:], "malformed-cose"),
        vector("COSE_Sign", b"\xd8\x62" + plain[1:], "unsupported"),
        vector("COSE_Mac0", b"\xd1" + plain[1:], "unsupported"),
        vector("bytes after the end", plain + b"\x00", "malformed-cose"),
        vector("cut off", plain[:-1], "malformed-cose"),
        vector("one bit of the signature", plain[:-1] + bytes([plain[-1] ^ 1]), "signature-invalid"),
        vector("one bit of the payload", plain.replace(b"content", b"Content"), "signature-invalid"),
        vector("another key", plain, "signature-invalid", public=example.key("party").public.text()),
        vector("key of another algorithm", plain, "algorithm-refused", public=p256.public.text()),
        vector("legacy number, not admitted", sign1(signer, {ALG: EDDSA}, PAYLOAD), "algorithm-refused"),
        vector("no algorithm", sign1(signer, kid_only, PAYLOAD), "algorithm-refused"),
        vector("algorithm in text", sign1(signer, {ALG: "Ed25519"}, PAYLOAD), "algorithm-refused"),
        vector("ES384", sign1(signer, {ALG: -35}, PAYLOAD), "unsupported"),
        vector(
            "re-encoded header",
            raw(cbor.encode(labels), {}, signed=unsorted),
            "signature-invalid",
        ),
        vector("protected header a0, signed as a0", _signed_as_a0(signer), "signature-invalid"),
        vector("a label in both headers", raw(cbor.encode(labels), {KID: b"12"}), "malformed-cose"),
        vector("a label twice", raw(b"\xa2\x01\x32\x01\x32", {}), "malformed-cose"),
        vector("crit names an unknown label", sign1(signer, critical, PAYLOAD), "signature-invalid"),
        vector(
            "crit names a label that is not there",
            sign1(signer, dangling, PAYLOAD),
            "malformed-cose",
        ),
        vector("crit in the unprotected header", raw(cbor.encode(labels), {CRIT: [1]}), "malformed-cose"),
        vector("detached payload, not given", detached, "malformed-cose"),
        vector("detached payload, another given", detached, "signature-invalid", payload="00"),
        vector("another payload than the carried one", plain, "malformed-cose", payload="00"),
        vector("external data missing", bound, "signature-invalid"),
        vector("external data another", bound, "signature-invalid", external_aad="11ab"),
    ]


def _signed_as_a0(signer: SoftwareSigner) -> bytes:
    to_be_signed = cbor.encode(["Signature1", b"\xa0", b"", PAYLOAD])
    return join_sign1(b"\xa0", {ALG: ED25519}, PAYLOAD, signer.sign(to_be_signed))


if __name__ == "__main__":
    write(__file__, files())
