"""Families inclusion, consistency and range: transparency-dev vectors and ours, through `attest.merkle`.

Subtree proofs of Merkle Tree Certificates are named as unsupported: our range proof is a compact range
instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.merkle import verify_consistency, verify_inclusion
from carbonseal_verifier.conformance import ours
from carbonseal_verifier.conformance.case import ACCEPTED, REFUSED, Case, Meaning, unsupported
from carbonseal_verifier.conformance.fields import Fields
from carbonseal_verifier.conformance.shape import Shape, has
from carbonseal_verifier.conformance.vector_file import Source

_SUBTREE = "subtree proof of Merkle Tree Certificates"


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


def _subtree(_: Any, source: Source) -> Iterable[Case]:
    yield unsupported(source.name, _SUBTREE)


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


_SUBTREES = Shape(
    "transparency-dev subtree",
    "transparency-dev: {start, end, proof, wantErr}",
    has("start", "end", "proof", "wantErr"),
    _subtree,
)
INCLUSION = (
    ours.shape("inclusion", _our_inclusion),
    Shape(
        "transparency-dev",
        "transparency-dev: {leafIdx, treeSize, root, leafHash, proof, wantErr}, base64",
        has("leafIdx|leafIndex", "treeSize", "root", "leafHash", "proof", "wantErr"),
        _inclusion,
    ),
    _SUBTREES,
)
CONSISTENCY = (
    ours.shape("consistency", _our_consistency),
    Shape(
        "transparency-dev",
        "transparency-dev: {size1, size2, root1, root2, proof, wantErr}, base64",
        has("size1", "size2", "root1", "root2", "proof", "wantErr"),
        _consistency,
    ),
    _SUBTREES,
)
