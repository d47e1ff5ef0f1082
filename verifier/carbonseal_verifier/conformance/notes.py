"""Families note, checkpoint and cosignature: raw signed notes with verifier keys from --key, and ours.

A raw note wants to be read, to print as the very same bytes, and to carry a good signature of every key
given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from carbonseal_attest.checkpoint import Checkpoint, open_checkpoint
from carbonseal_attest.cosignature import open_by_policy, open_note, verify_signatures
from carbonseal_attest.errors import NoteInvalid
from carbonseal_attest.note import SignedNote
from carbonseal_attest.tlog_policy import TlogPolicy
from carbonseal_attest.vkey import Vkey
from carbonseal_verifier.conformance import ours
from carbonseal_verifier.conformance.case import ACCEPTED, Case, Meaning
from carbonseal_verifier.conformance.fields import Fields
from carbonseal_verifier.conformance.public_keys import note_keys, our_key
from carbonseal_verifier.conformance.shape import Shape
from carbonseal_verifier.conformance.sigstore_bundles import CHECKPOINT_OF_BUNDLE
from carbonseal_verifier.conformance.vector_file import Source

_SIGNATURES = "\n\n\N{EM DASH} ".encode()
_ReadNote = Callable[[bytes, list[Vkey]], Meaning]


def is_note(document: Any) -> bool:
    """Say whether raw bytes look like a signed note: a broken one is judged, other files are refused."""
    return isinstance(document, bytes) and _SIGNATURES in document


def _raw(read: _ReadNote) -> Callable[[Any, Source], Iterable[Case]]:
    def run(data: bytes, source: Source) -> Meaning:
        return read(data, note_keys(source.keys))

    def cases(document: Any, source: Source) -> Iterable[Case]:
        yield Case(source.name, ACCEPTED, partial(run, document, source), meaning={"printed": document})

    return cases


def _note(data: bytes, known: list[Vkey]) -> Meaning:
    note = SignedNote.parse(data)
    signed = verify_signatures(note, known)
    for vkey in known:
        if vkey not in signed:
            raise NoteInvalid("note", f"not signed by {vkey.name}", "fetch the note again from its log")
    return {"printed": note.encode(), "note": note}


def _checkpoint(data: bytes, known: list[Vkey]) -> Meaning:
    note = _note(data, known)["note"]
    checkpoint = Checkpoint.parse(note.text)
    return {"printed": SignedNote(checkpoint.text(), note.signatures).encode()}


def _our_note(fields: Fields) -> Meaning:
    known = [Vkey.parse(text) for text in fields.texts("known")]
    note = open_note(fields.hex("note"), known)
    return {"text": note.text, "note": note.encode()}


def _our_checkpoint(fields: Fields) -> Meaning:
    if "known" in fields:
        foreign = Checkpoint.parse(_our_note(fields)["text"])
        return {"tree_size": foreign.tree_size, "root_hash": foreign.root_hash, "origin": foreign.origin}
    head = open_checkpoint(fields.text("note"), origin=fields.text("origin"), key=our_key(fields))
    return {"tree_size": head.tree_size, "root_hash": head.root_hash, "origin": head.origin}


def _our_cosignature(fields: Fields) -> Meaning:
    if "note" not in fields:
        return _our_policy(fields)
    policy = TlogPolicy.parse(fields.text("policy"))
    return {"witnesses": open_by_policy(SignedNote.parse(fields.text("note").encode()), policy)[1]}


def _our_policy(fields: Fields) -> Meaning:
    policy = TlogPolicy.from_bytes(fields.hex("policy"))
    found: dict[str, Any] = {"policy": bytes(policy)}
    for name, wanted in (("met", True), ("unmet", False)):
        if name in fields:
            found[name] = [names for names in fields.items(name) if policy.is_met(names) is wanted]
    return found


def _shape(read: _ReadNote, what: str) -> Shape:
    return Shape(
        "raw note", f"{what}, as raw text; --key VKEY names who must have signed", is_note, _raw(read)
    )


CHECKPOINT = (
    ours.shape(
        "checkpoint",
        _our_checkpoint,
        meanings={"tree_size": "whole", "root_hash": "hex", "origin": "text"},
    ),
    _shape(_checkpoint, "C2SP checkpoint"),
    CHECKPOINT_OF_BUNDLE,
)
NOTE = (
    ours.shape("note", _our_note, meanings={"text": "text", "note": "hex"}),
    _shape(_note, "C2SP signed note"),
)
COSIGNATURE = (
    ours.shape(
        "cosignature", _our_cosignature, meanings={"witnesses": "value", "met": "value", "unmet": "value"}
    ),
    _shape(_checkpoint, "C2SP checkpoint with cosignatures"),
)
