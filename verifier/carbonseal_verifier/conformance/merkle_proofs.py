"""Families inclusion, consistency and range: transparency-dev vectors and ours, through `attest.merkle`.

Subtree proofs of Merkle Tree Certificates are cases of inclusion and consistency; our own range proof is a
pair of compact ranges instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from carbonseal_attest import cbor
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.merkle import verify_consistency, verify_inclusion
from carbonseal_attest.range_proof import RangeProof
from carbonseal_attest.subtree import verify_subtree_consistency, verify_subtree_inclusion
from carbonseal_verifier.conformance import ours
from carbonseal_verifier.conformance.case import ACCEPTED, REFUSED, Case, Meaning
from carbonseal_verifier.conformance.fields import Fields
from carbonseal_verifier.conformance.shape import Shape, has
from carbonseal_verifier.conformance.sigstore_bundles import INCLUSION_OF_BUNDLE
from carbonseal_verifier.conformance.vector_file import Source


def _inclusion(document: Any, source: Source) -> Iterable[Case]:
    fields = Fields(document, source.name)
    index, size = fields.whole("leafIdx", "leafIndex"), fields.whole("treeSize")
    leaf, path, root = fields.base64("leafHash"), fields.base64s("proof"), fields.base64("root")

    def run() -> Meaning | None:
        verify_inclusion(index, size, leaf, path, root)
        return None

    yield Case(source.name, _want(fields), run)


def _consistency(document: Any, source: Source) -> Iterable[Case]:
    fields = Fields(document, source.name)
    sizes = fields.whole("size1"), fields.whole("size2")
    roots, path = (fields.base64("root1"), fields.base64("root2")), fields.base64s("proof")

    def run() -> Meaning | None:
        verify_consistency(*sizes, *roots, path)
        return None

    def deviation(_: CarbonsealError) -> str | None:
        return "consistency-from-empty" if sizes[0] == 0 and not path else None

    yield Case(source.name, _want(fields), run, deviation=deviation)


def _subtree_inclusion(document: Any, source: Source) -> Iterable[Case]:
    fields = Fields(document, source.name)
    place = fields.whole("leafIdx", "leafIndex"), fields.whole("start"), fields.whole("end")
    leaf, path, root = fields.base64("leafHash"), fields.base64s("proof"), fields.base64("root")

    def run() -> Meaning | None:
        verify_subtree_inclusion(*place, leaf, path, root)
        return None

    yield Case(source.name, _want(fields), run)


def _subtree_consistency(document: Any, source: Source) -> Iterable[Case]:
    fields = Fields(document, source.name)
    bounds = fields.whole("start"), fields.whole("end"), fields.whole("size", "size2")
    roots, path = (fields.base64("root1"), fields.base64("root2")), fields.base64s("proof")

    def run() -> Meaning | None:
        verify_subtree_consistency(*bounds, *roots, path)
        return None

    yield Case(source.name, _want(fields), run)


def _want(fields: Fields) -> str:
    return REFUSED if fields.flag("wantErr") else ACCEPTED


def _our_inclusion(fields: Fields) -> Meaning | None:
    place = fields.whole("index"), fields.whole("tree_size")
    verify_inclusion(*place, fields.hex("leaf_hash"), fields.hexes("path"), fields.hex("root_hash"))
    return None


def _our_consistency(fields: Fields) -> Meaning | None:
    sizes = fields.whole("old_size"), fields.whole("new_size")
    roots = fields.hex("old_root"), fields.hex("new_root")
    verify_consistency(*sizes, *roots, fields.hexes("path"))
    return None


def _our_range(fields: Fields) -> Meaning | None:
    proof = RangeProof.from_value(cbor.decode(fields.hex("range_proof")))
    proof.verify(fields.hexes("leaf_hashes"), fields.whole("tree_size"), fields.hex("root_hash"))
    return {"start": proof.start, "end": proof.end}


RANGE = (ours.shape("range", _our_range, meanings={"start": "whole", "end": "whole"}),)
INCLUSION = (
    ours.shape("inclusion", _our_inclusion),
    INCLUSION_OF_BUNDLE,
    Shape(
        "transparency-dev",
        "transparency-dev: {leafIdx, treeSize, root, leafHash, proof, wantErr}, base64",
        has("leafIdx|leafIndex", "treeSize", "root", "leafHash", "proof", "wantErr"),
        _inclusion,
    ),
    Shape(
        "transparency-dev subtree",
        "transparency-dev: {leafIdx, start, end, root, leafHash, proof, wantErr}, base64",
        has("leafIdx|leafIndex", "start", "end", "root", "leafHash", "proof", "wantErr"),
        _subtree_inclusion,
    ),
)
CONSISTENCY = (
    ours.shape("consistency", _our_consistency),
    Shape(
        "transparency-dev",
        "transparency-dev: {size1, size2, root1, root2, proof, wantErr}, base64",
        has("size1", "size2", "root1", "root2", "proof", "wantErr"),
        _consistency,
    ),
    Shape(
        "transparency-dev subtree",
        "transparency-dev: {start, end, size, root1, root2, proof, wantErr}, base64",
        has("start", "end", "size|size2", "root1", "root2", "proof", "wantErr"),
        _subtree_consistency,
    ),
)
