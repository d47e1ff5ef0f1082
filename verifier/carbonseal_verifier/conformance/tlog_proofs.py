"""Family tlog-proof: offline proofs as text, raw or with leaf and policy, through `attest.tlog_proof`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from carbonseal_attest.tlog_policy import TlogPolicy
from carbonseal_attest.tlog_proof import HEADER, TlogProof
from carbonseal_verifier.conformance import ours
from carbonseal_verifier.conformance.case import ACCEPTED, Case, Meaning
from carbonseal_verifier.conformance.fields import Fields
from carbonseal_verifier.conformance.shape import Shape
from carbonseal_verifier.conformance.vector_file import Source

_BEGINNING = HEADER.partition("@")[0].encode()


def _is_raw(document: Any) -> bool:
    return isinstance(document, bytes) and document.startswith(_BEGINNING)


def _raw(document: Any, source: Source) -> Iterable[Case]:
    def run(data: bytes) -> Meaning:
        return {"printed": TlogProof.parse(data).encode()}

    yield Case(source.name, ACCEPTED, partial(run, document), meaning={"printed": document})


def _ours(fields: Fields) -> Meaning:
    proof = TlogProof.parse(fields.hex("proof"))
    checkpoint, witnesses = proof.verify(fields.hex("leaf_hash"), TlogPolicy.parse(fields.text("policy")))
    return {"index": proof.index, "tree_size": checkpoint.tree_size, "witnesses": dict(witnesses)}


TLOG_PROOF = (
    ours.shape("tlog-proof", _ours, meanings={"index": "whole", "tree_size": "whole", "witnesses": "value"}),
    Shape("tlog-proof", "C2SP tlog-proof, as raw text: read, and printed as the same bytes", _is_raw, _raw),
)
