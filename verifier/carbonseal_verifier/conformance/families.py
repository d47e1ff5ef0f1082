"""The families of the conformance command: what each is about, and which shapes of file it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_verifier.conformance.anchors import ANCHOR
from carbonseal_verifier.conformance.bundles import BUNDLE
from carbonseal_verifier.conformance.case import Case
from carbonseal_verifier.conformance.cbor_items import CBOR
from carbonseal_verifier.conformance.cose_messages import COSE_SIGN1
from carbonseal_verifier.conformance.epoch_maps import EPOCH_MAP
from carbonseal_verifier.conformance.merkle_proofs import CONSISTENCY, INCLUSION, RANGE
from carbonseal_verifier.conformance.notes import CHECKPOINT, COSIGNATURE, NOTE
from carbonseal_verifier.conformance.receipts import RECEIPT
from carbonseal_verifier.conformance.shape import Shape
from carbonseal_verifier.conformance.signatures import (
    ECDSA_P256_SHAPES,
    ED25519_SHAPES,
    ML_DSA_SHAPES,
)
from carbonseal_verifier.conformance.statements import STATEMENT
from carbonseal_verifier.conformance.tiles import TILE
from carbonseal_verifier.conformance.tlog_proofs import TLOG_PROOF
from carbonseal_verifier.conformance.vector_file import MAX_CASES, Source, refusal, take_apart


@dataclass(frozen=True, slots=True)
class Family:
    """A family of vectors; `text` is one line for --list, naming the standard."""

    name: str
    text: str
    shapes: tuple[Shape, ...]


FAMILIES: Final[Mapping[str, Family]] = {
    family.name: family
    for family in (
        Family("inclusion", "inclusion proofs, RFC 9162 §2.1.3", INCLUSION),
        Family("consistency", "consistency proofs, RFC 9162 §2.1.4", CONSISTENCY),
        Family("range", "range proofs of RFC 9162 trees, ours", RANGE),
        Family("epoch-map", "heads in an epoch's sorted map, ours", EPOCH_MAP),
        Family("cbor", "deterministic CBOR, RFC 8949 §4.2.1", CBOR),
        Family("cose-sign1", "COSE_Sign1 of anybody, RFC 9052 §4.2", COSE_SIGN1),
        Family("ed25519", "Ed25519 signatures, RFC 8032", ED25519_SHAPES),
        Family("ecdsa-p256", "ECDSA signatures on P-256 with SHA-256, FIPS 186-5", ECDSA_P256_SHAPES),
        Family("ml-dsa", "ML-DSA-44 signatures, FIPS 204", ML_DSA_SHAPES),
        Family("note", "signed notes, C2SP signed-note", NOTE),
        Family("checkpoint", "checkpoints, C2SP tlog-checkpoint", CHECKPOINT),
        Family("cosignature", "cosignatures, C2SP tlog-cosignature", COSIGNATURE),
        Family("tile", "tiles and entry bundles, C2SP tlog-tiles", TILE),
        Family("tlog-proof", "offline proofs as text, C2SP tlog-proof", TLOG_PROOF),
        Family("statement", "signed statements and their contents, ours over RFC 9052 and 9995", STATEMENT),
        Family("receipt", "receipts of inclusion and consistency, RFC 9942", RECEIPT),
        Family("anchor", "evidence of an anchor on an EVM chain, ours over EIP-1186", ANCHOR),
        Family("bundle", "evidence bundles, ours", BUNDLE),
    )
}


def read_cases(family: Family, document: Any, source: Source) -> list[Case]:
    """Return the cases of a vector file.

    Raises:
        VectorInvalid: of no shape that the family reads, malformed, empty, or too many cases.
    """
    cases: list[Case] = []
    for part, its_source in take_apart(document, source):
        shape = _shape_of(family, part, its_source)
        for case in shape.cases(part, its_source):
            cases.append(case)
            if len(cases) > MAX_CASES:
                raise refusal("file", f"more than {MAX_CASES} cases", "split the file")
    if not cases:
        raise refusal("file", "holds no case", "give a file with vectors in it")
    return cases


def _shape_of(family: Family, document: Any, source: Source) -> Shape:
    for shape in family.shapes:
        if shape.fits(document):
            return shape
    other = document.get("family") if isinstance(document, dict) and "vectors" in document else None
    if isinstance(other, str) and other != family.name:
        raise refusal(
            source.name[:120],
            f"vectors of the family {other[:40]!r}, not of {family.name}",
            f"run `conformance {other}`" if other in FAMILIES else f"give vectors of {family.name}",
        )
    known = "; ".join(shape.text for shape in family.shapes)
    raise refusal(
        source.name[:120], f"of no shape that {family.name} reads", f"give one of these shapes: {known}"
    )
