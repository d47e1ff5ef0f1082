"""Sigstore bundles, as the families inclusion and checkpoint read them: a real log's proofs and heads.

A bundle's log entry carries the entry, its inclusion proof and the checkpoint that signs the root, so that
the proof must lead from the entry to the root in the checkpoint. Left out: everything else that a bundle is
about; whether the log signed the checkpoint is asked only where `--key` names its verifier key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.cosignature import verify_signatures
from carbonseal_attest.errors import NoteInvalid, ProofInvalid
from carbonseal_attest.merkle import leaf_hash, verify_inclusion
from carbonseal_attest.note import SignedNote
from carbonseal_verifier.conformance.case import ACCEPTED, Case, Meaning
from carbonseal_verifier.conformance.fields import Fields
from carbonseal_verifier.conformance.public_keys import note_keys
from carbonseal_verifier.conformance.shape import Shape, has
from carbonseal_verifier.conformance.vector_file import Source

_RunEntry = Callable[[Fields, Source], Meaning | None]
_TEXT = "Sigstore bundle: {verificationMaterial: {tlogEntries: [{canonicalizedBody, inclusionProof}]}}"


def _is_bundle(document: Any) -> bool:
    return has("verificationMaterial")(document) and has("tlogEntries")(document["verificationMaterial"])


def _cases(run: _RunEntry) -> Callable[[Any, Source], Iterable[Case]]:
    def cases(document: Any, source: Source) -> Iterable[Case]:
        material = Fields(document, source.name).within("verificationMaterial")
        for number, item in enumerate(material.items("tlogEntries")):
            fields = Fields(item, f"{source.name}, entry {number}")
            if "inclusionProof" in fields:  # older bundles carry a promise of inclusion alone
                yield Case(f"{source.prefix}entry {number}", ACCEPTED, partial(run, fields, source))

    return cases


def _inclusion(entry: Fields, _: Source) -> Meaning | None:
    proof = entry.within("inclusionProof")
    index, size = _decimal(proof, "logIndex"), _decimal(proof, "treeSize")
    path = proof.base64s("hashes") if "hashes" in proof else []
    leaf, root = leaf_hash(entry.base64("canonicalizedBody")), proof.base64("rootHash")
    verify_inclusion(index, size, leaf, path, root)
    if "checkpoint" in proof:
        head = Checkpoint.of_note(proof.within("checkpoint").text("envelope"))
        if (head.tree_size, head.root_hash) != (size, root):
            raise ProofInvalid("checkpoint", "signs another size or root", "fetch the bundle again")
    return None


def _checkpoint(entry: Fields, source: Source) -> Meaning | None:
    data = (
        entry.within("inclusionProof").within("checkpoint").text("envelope").encode("utf-8", "surrogatepass")
    )
    note = SignedNote.parse(data)
    head = Checkpoint.parse(note.text)
    known = note_keys(source.keys)
    signed = verify_signatures(note, known)
    if any(vkey not in signed for vkey in known) or head.text() != note.text or note.encode() != data:
        raise NoteInvalid("checkpoint", "not signed by the key given, or prints otherwise", "fetch it again")
    return None


def _decimal(fields: Fields, name: str) -> int:
    """Return a whole number, which Protobuf's JSON writes as text."""
    value = fields.value(name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return fields.whole(name)


INCLUSION_OF_BUNDLE = Shape("Sigstore", _TEXT, _is_bundle, _cases(_inclusion))
CHECKPOINT_OF_BUNDLE = Shape("Sigstore", f"{_TEXT}; --key VKEY as above", _is_bundle, _cases(_checkpoint))
