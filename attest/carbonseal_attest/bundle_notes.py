"""The signed notes inside a bundle: only the signatures that the bundle states, in one order, all verified.

A reader of notes ignores signatures that it does not know (C2SP signed-note). In a bundle that would leave
bytes which nobody proves, and two bundles of the same facts could differ by them. So a writer drops whatever
is neither the log's own nor of a stated cosigner, and a check refuses what it cannot verify. Whether a
cosigner counts is the trust file's to say.
"""

from __future__ import annotations

from collections.abc import Iterable

from carbonseal_attest.cosignature import check_signature
from carbonseal_attest.errors import NoteInvalid
from carbonseal_attest.note import NoteSignature, SignedNote
from carbonseal_attest.vkey import Vkey


def bundled_note(note: str, *, origin: str, cosigners: Iterable[Vkey] = ()) -> str:
    """Return a checkpoint's note as a bundle carries it: signed under `origin` and by `cosigners` alone.

    One signature a key; of a cosigner's several, that of the earliest time.

    Raises:
        NoteInvalid: no signed note, none of these signed it, or a cosigner's signature does not verify.
    """
    signed = SignedNote.parse(note.encode())
    own = {s.key_id: s for s in sorted(signed.signatures, reverse=True) if s.name == origin}
    kept = list(own.values())
    for vkey in set(cosigners):
        found = [(check_signature(vkey, signed.text, one) or 0, one) for one in signed.of(vkey)]
        if found and vkey.name != origin:
            kept.append(NoteSignature(vkey.name, vkey.key_id, min(found)[1]))
    if not kept:
        raise _refusal("is signed by neither its log nor a cosigner")
    return SignedNote(signed.text, tuple(_in_order(origin, kept))).encode().decode()


def verify_bundled_note(
    note: str, *, origin: str, log_keys: Iterable[Vkey], cosigners: Iterable[Vkey]
) -> None:
    """Check that every signature of a bundle's note is of a known key and verifies, and stands in its place.

    Raises:
        NoteInvalid: a signature is of no key of the log and of no stated cosigner, does not verify, stands
            twice or elsewhere; or a stated cosigner did not sign.
    """
    stated = {(vkey.name, vkey.key_id): vkey for vkey in cosigners}
    known = {(vkey.name, vkey.key_id): vkey for vkey in log_keys} | stated
    signed = SignedNote.parse(note.encode())
    for name, key_id, signature in signed.signatures:
        vkey = known.pop((name, key_id), None)
        if vkey is None:
            raise _refusal(f"carries a signature under {name:.60} that the bundle does not state")
        check_signature(vkey, signed.text, signature)
    missing = sorted(stated.keys() & known.keys())
    if missing:
        raise _refusal(f"lacks the signature of the stated cosigner {missing[0][0]:.60}")
    if list(signed.signatures) != _in_order(origin, signed.signatures):
        raise _refusal("has its signatures in another order")


def _in_order(origin: str, signatures: Iterable[NoteSignature]) -> list[NoteSignature]:
    """Return the signatures, the log's own first, then by name and key id."""
    return sorted(signatures, key=lambda s: (s.name != origin, s))


def _refusal(reason: str) -> NoteInvalid:
    return NoteInvalid("note", reason, "ask for the bundle again from whoever made it")
