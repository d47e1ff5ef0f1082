"""Families ed25519, ecdsa-p256 and ml-dsa: Wycheproof, CCTV's edge cases and ours, through `attest.keys`.

Signatures in DER are converted here; keys are read from their raw form. Curves, hashes, parameter sets and
contexts that are not ours are named as unsupported. Wycheproof's "acceptable" may come out either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from carbonseal_attest.algorithms import ED25519, ESP256, ML_DSA_44
from carbonseal_attest.errors import CarbonsealError, KeyRefused
from carbonseal_attest.keys import PublicKey
from carbonseal_verifier.conformance import ours
from carbonseal_verifier.conformance.case import ACCEPTED, EITHER, REFUSED, Case, Meaning, Unsupported
from carbonseal_verifier.conformance.der import fixed_signature
from carbonseal_verifier.conformance.fields import Fields
from carbonseal_verifier.conformance.public_keys import our_key
from carbonseal_verifier.conformance.shape import Shape, each, has, has_each
from carbonseal_verifier.conformance.vector_file import Source, refusal

_WANTED: Final = {"valid": ACCEPTED, "invalid": REFUSED, "acceptable": EITHER}
_PRIME: Final = (1 << 255) - 19
# y of the points whose order divides 8, as C2SP/CCTV lists them; kept apart from the code that is tested.
_LOW_ORDER_Y: Final = frozenset(
    int.from_bytes(bytes.fromhex(y), "little")
    for y in (
        "00" * 32,
        "01" + "00" * 31,
        "ec" + "ff" * 30 + "7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
)


@dataclass(frozen=True, slots=True)
class _Group:
    """What a Wycheproof test group says: the key, or what of it is not ours, and how signatures are spelt."""

    algorithm: int
    raw: bytes
    missing: str = ""
    is_der: bool = False


def _wycheproof(read_group: Callable[[Fields, Fields], _Group]) -> Callable[[Any, Source], Iterable[Case]]:
    def cases(document: Any, source: Source) -> Iterable[Case]:
        whole = Fields(document, source.name)
        for number, item in enumerate(whole.items("testGroups")):
            fields = Fields(item, f"group {number}")
            group = read_group(whole, fields)
            for test in fields.items("tests"):
                yield _test(group, Fields(test, f"group {number}, a test"), source)

    return cases


def _test(group: _Group, test: Fields, source: Source) -> Case:
    name = f"{source.prefix}tc{test.whole('tcId')}"
    if test.text("result") not in _WANTED:
        raise test.refusal("result", "neither valid, invalid nor acceptable")
    missing = group.missing
    if not missing and test.text("ctx", default=""):
        missing = "ML-DSA with a context"
    if missing:
        return Case(name, _WANTED[test.text("result")], partial(_missing, missing))
    run = partial(_verify, group, test.hex("msg"), test.hex("sig"))
    return Case(name, _WANTED[test.text("result")], run, deviation=partial(_deviation, group))


def _missing(what: str) -> Meaning | None:
    raise Unsupported(what)


def _verify(group: _Group, message: bytes, signature: bytes) -> Meaning | None:
    key = PublicKey(group.algorithm, group.raw)
    key.verify(fixed_signature(signature) if group.is_der else signature, message)
    return None


def _deviation(group: _Group, error: CarbonsealError) -> str | None:
    if group.algorithm != ED25519 or not isinstance(error, KeyRefused) or len(group.raw) != 32:
        return None
    y = int.from_bytes(group.raw, "little") & ((1 << 255) - 1)
    return "ed25519-low-order-key" if y >= _PRIME or y in _LOW_ORDER_Y else None


def _eddsa_group(_: Fields, group: Fields) -> _Group:
    key = group.within("publicKey", "key")
    curve = key.text("curve", default="edwards25519")
    return _Group(ED25519, key.hex("pk"), "" if curve == "edwards25519" else curve)


def _ecdsa_group(_: Fields, group: Fields) -> _Group:
    key = group.within("publicKey", "key")
    curve, digest, kind = key.text("curve"), group.text("sha"), group.text("type")
    if (curve, digest) != ("secp256r1", "SHA-256") or kind not in {"EcdsaVerify", "EcdsaP1363Verify"}:
        return _Group(ESP256, b"", f"ECDSA on {curve} with {digest} ({kind})")
    point = key.hex("uncompressed")
    if point[:1] != b"\x04":
        raise group.refusal("uncompressed", "not an uncompressed point")
    return _Group(ESP256, point[1:], is_der=kind == "EcdsaVerify")


def _ml_dsa_group(whole: Fields, group: Fields) -> _Group:
    name, kind = whole.text("algorithm"), group.text("type")
    if name != "ML-DSA-44" or kind != "MlDsaVerify":
        return _Group(ML_DSA_44, b"", f"{name} ({kind})")
    return _Group(ML_DSA_44, group.hex("publicKey", "public_key"))


def _cctv(document: Any, source: Source) -> Iterable[Case]:
    """Yield CCTV's cases, judged by the rule that Go and OpenSSL share ("ref10")."""
    for position, vector in enumerate(each(document)):
        fields = Fields(vector, f"vector {position}")
        flags = fields.value("flags") or []
        if not isinstance(flags, list):
            raise fields.refusal("flags", "not an array")
        group = _Group(ED25519, fields.hex("key"))
        run = partial(_verify, group, fields.text("msg").encode("utf-8", "surrogatepass"), fields.hex("sig"))
        is_refused = "low_order_residue" in flags or "non_canonical_R" in flags
        name = f"{source.prefix}{fields.whole('number')}"
        yield Case(name, REFUSED if is_refused else ACCEPTED, run, deviation=partial(_deviation, group))


def _of_algorithm(start: str) -> Callable[[Any], bool]:
    fits = has("algorithm", "testGroups")

    def check(document: Any) -> bool:
        if not fits(document):
            return False
        name = str(document["algorithm"])
        if not name.upper().startswith(start):
            raise refusal("algorithm", f"{name[:40]!r} is of another family", "name its family; see --list")
        return True

    return check


def _shape(start: str, text: str, read_group: Callable[[Fields, Fields], _Group]) -> Shape:
    told = (
        f"Wycheproof: {{algorithm: {text}, testGroups: [{{publicKey, tests: [{{tcId, msg, sig, result}}]}}]}}"
    )
    return Shape("Wycheproof", told, _of_algorithm(start), _wycheproof(read_group))


def _ours(fields: Fields) -> Meaning:
    key = our_key(fields)
    if "signature" in fields:
        key.verify(fields.hex("signature"), fields.hex("message"))
    return {"kid": key.kid, "public": key.text()}


_MEANINGS: Final = {"kid": "hex", "public": "text"}
ED25519_SHAPES = (
    ours.shape("ed25519", _ours, meanings=_MEANINGS),
    _shape("EDDSA", "EDDSA", _eddsa_group),
    Shape(
        "C2SP/CCTV",
        "C2SP/CCTV: [{number, key, sig, msg, flags}]",
        has_each("key", "sig", "msg", "flags"),
        _cctv,
    ),
)
ECDSA_P256_SHAPES = (
    ours.shape("ecdsa-p256", _ours, meanings=_MEANINGS),
    _shape("ECDSA", "ECDSA", _ecdsa_group),
)
ML_DSA_SHAPES = (
    ours.shape("ml-dsa", _ours, meanings=_MEANINGS),
    _shape("ML-DSA", "ML-DSA-44", _ml_dsa_group),
)
