"""Family cose-sign1: the examples of the COSE working group, pycose's and ours, through `attest.cose`.

The reader of anybody's messages runs, told to admit the legacy numbers ES256 and EdDSA and messages without a
tag, as these suites expect. Multi-signer messages, MACs, encryption and other curves are named as
unsupported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from carbonseal_attest import errors
from carbonseal_attest.algorithms import ADMITTED, EDDSA, ES256
from carbonseal_attest.cose import Sign1
from carbonseal_attest.keys import PublicKey
from carbonseal_verifier.conformance import ours
from carbonseal_verifier.conformance.case import ACCEPTED, REFUSED, Case, Meaning, Unsupported
from carbonseal_verifier.conformance.fields import Fields
from carbonseal_verifier.conformance.public_keys import jwk_key, our_key
from carbonseal_verifier.conformance.raw_messages import message_shape
from carbonseal_verifier.conformance.shape import Shape
from carbonseal_verifier.conformance.vector_file import Source

_LEGACY: Final = ADMITTED | {EDDSA, ES256}


def _ours(fields: Fields) -> Meaning:
    message = Sign1.parse(
        fields.hex("message"), admits_untagged=fields.flag("admits_untagged", default=False)
    )
    payload = fields.hex("payload") if "payload" in fields else None
    external_aad = fields.hex("external_aad") if "external_aad" in fields else b""
    message.verify(
        our_key(fields), admitted=fields.items("admitted"), payload=payload, external_aad=external_aad
    )
    return {"to_be_signed": message.to_be_signed(payload=payload, external_aad=external_aad)}


def _working_group(document: Any, source: Source) -> Iterable[Case]:
    fields = Fields(document, source.name)
    given, made = fields.within("input"), fields.within("output")
    signed = given.within("sign0") if "sign0" in given else None
    is_bad = "fail" in fields and fields.flag("fail")
    meaning = {}
    if signed is not None and not is_bad:
        meaning["to_be_signed"] = fields.within("intermediates").hex("ToBeSign_hex")
    yield Case(
        source.prefix + fields.text("title"),
        REFUSED if is_bad else ACCEPTED,
        partial(
            _verify,
            made.hex("cbor"),
            payload=_plaintext(given),
            external_aad=signed.hex("external") if signed is not None and "external" in signed else b"",
            key=lambda: jwk_key((signed or given).within("key")),
        ),
        meaning=meaning,
    )


def _pycose(document: Any, source: Source) -> Iterable[Case]:
    fields = Fields(document, source.name)
    given, made = fields.within("input"), fields.within("output")
    yield Case(
        source.prefix + fields.text("title"),
        ACCEPTED,
        partial(
            _verify,
            made.hex("result"),
            payload=_plaintext(given),
            external_aad=given.hex("external_aad") if "external_aad" in given else b"",
            key=lambda: jwk_key(fields.within("cek")),
        ),
        meaning={"to_be_signed": made.hex("structure")} if "structure" in made else {},
    )


def _verify(
    data: bytes, *, payload: bytes | None, external_aad: bytes, key: Callable[[], PublicKey]
) -> Meaning:
    try:
        message = Sign1.parse(data, admits_untagged=True)
        detached = payload if message.payload is None else None
        message.verify(key(), admitted=_LEGACY, payload=detached, external_aad=external_aad)
    except errors.Unsupported as error:
        raise Unsupported(error.reason) from error
    return {"to_be_signed": message.to_be_signed(payload=detached, external_aad=external_aad)}


def _raw(data: bytes) -> Meaning:
    Sign1.parse(data, admits_untagged=True)
    return {}


def _plaintext(given: Fields) -> bytes | None:
    if "plaintext_hex" in given:
        return given.hex("plaintext_hex")
    return given.text("plaintext").encode() if "plaintext" in given else None


def _makes(field: str) -> Callable[[Any], bool]:
    return lambda document: (
        isinstance(document, dict)
        and {"title", "input", "output"} <= document.keys()
        and isinstance(document["output"], dict)
        and field in document["output"]
    )


COSE_SIGN1 = (
    ours.shape("cose-sign1", _ours, meanings={"to_be_signed": "hex"}),
    Shape("cose-wg", "cose-wg/Examples: {title, input, output: {cbor}}", _makes("cbor"), _working_group),
    message_shape("COSE_Sign1", "a COSE_Sign1 as it is, tagged or not, to be read without a key", _raw),
    Shape("pycose", "pycose: {title, cek, input, output: {result}}", _makes("result"), _pycose),
)
