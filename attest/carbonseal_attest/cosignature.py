"""Cosignatures (C2SP tlog-cosignature) of checkpoints, by Ed25519 (type 04) and ML-DSA-44 (type 06).

A cosignature says: at this time, the largest consistent tree that I saw of this log had this root. It is
eight bytes of POSIX seconds and a signature over more than the note's text. Here they are made and checked,
alone or against a policy. Subtrees that begin after 0 have no checkpoint; only their signed message is
given.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.errors import NoteInvalid, SignatureInvalid
from carbonseal_attest.note import NoteSignature, SignedNote, check_plain
from carbonseal_attest.signing import Signer
from carbonseal_attest.tlog_policy import TlogPolicy
from carbonseal_attest.vkey import COSIGNATURES, ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE, Vkey

MAX_TIME: Final = (1 << 63) - 1  # seconds since 1970
_LABEL: Final = b"subtree/v1\n\x00"


def cosign(note: SignedNote, vkey: Vkey, signer: Signer, *, time: int) -> SignedNote:
    """Return `note` with one more line: the cosignature of `vkey` at `time`, in POSIX seconds.

    The caller has checked that the tree extends every head of the log that the signer ever cosigned.

    Raises:
        NoteInvalid: the note is no checkpoint, or `time` is out of bounds.
    """
    if signer.public != vkey.key:
        raise _refusal("signer does not hold the key of the cosignature")
    signature = signer.sign(_message(vkey, note.text, time))
    line = NoteSignature(vkey.name, vkey.key_id, time.to_bytes(8, "big") + signature)
    return SignedNote(note.text, (*note.signatures, line))


def check_signature(vkey: Vkey, text: str, signature: bytes) -> int | None:
    """Check what stands after the key id in a line of `vkey`; return a cosignature's time in POSIX seconds.

    Raises:
        NoteInvalid: the signature does not verify over the note's `text`.
    """
    if vkey.signature_type not in COSIGNATURES:
        check_plain(vkey, text, signature)
        return None
    time = int.from_bytes(signature[:8], "big")
    try:
        vkey.key.verify(signature[8:], _message(vkey, text, time))
    except SignatureInvalid as error:
        raise _refusal(f"cosignature of {vkey.name} does not verify") from error
    return time


def verify_signatures(note: SignedNote, known: Iterable[Vkey]) -> dict[Vkey, int | None]:
    """Return which of the `known` keys signed the note, each with its cosignature's earliest time.

    Signatures of other keys are ignored, even where the name or the key id is a known one.

    Raises:
        NoteInvalid: a signature of a known key does not verify, or two known keys share name and key id.
    """
    by_id: dict[tuple[str, bytes], Vkey] = {}
    for vkey in known:
        if by_id.setdefault((vkey.name, vkey.key_id), vkey) != vkey:
            raise _refusal(f"two known keys share the name {vkey.name} and a key id")
    found: dict[Vkey, int | None] = {}
    for name, key_id, signature in note.signatures:
        signer = by_id.get((name, key_id))
        if signer is not None:
            time = check_signature(signer, note.text, signature)
            earlier = found.get(signer)
            found[signer] = time if earlier is None or time is None else min(earlier, time)
    return found


def open_note(data: bytes, known: Iterable[Vkey]) -> SignedNote:
    """Return the note that at least one of the `known` keys signed; its text is good for nothing before.

    Raises:
        NoteInvalid: malformed, signed by none of them, or a signature of one does not verify.
    """
    note = SignedNote.parse(data)
    if not verify_signatures(note, known):
        raise _refusal("no known key signed the note")
    return note


def verify_cosignatures(note: SignedNote, policy: TlogPolicy) -> dict[str, int]:
    """Return the policy's witnesses that cosigned the note, by their names there, each with its time.

    Times are POSIX seconds. A witness that signed twice counts once, at the earlier time; 0 claims no time.

    Raises:
        NoteInvalid: a signature of a witness of the policy does not verify.
    """
    found = verify_signatures(note, policy.witnesses.values())
    times = {name: found.get(vkey) for name, vkey in policy.witnesses.items()}
    return {name: time for name, time in times.items() if time is not None}


def open_by_policy(note: SignedNote, policy: TlogPolicy) -> tuple[Checkpoint, dict[str, int]]:
    """Return the checkpoint that `policy` holds valid, and the times of the witnesses that cosigned it.

    Raises:
        NoteInvalid: no log of the policy with the checkpoint's origin signed it, the quorum isn't met, or any
            signature of a known key does not verify.
    """
    checkpoint = Checkpoint.parse(note.text)
    signed = verify_signatures(note, policy.logs)
    if not any(vkey.name == checkpoint.origin for vkey in signed):
        raise _refusal(f"no log of the policy signed it as {checkpoint.origin}")
    times = verify_cosignatures(note, policy)
    if not policy.is_met(times):
        raise _refusal(f"quorum {policy.quorum} is not met")
    return checkpoint, times


def subtree_message(vkey: Vkey, *, time: int, origin: str, start: int, end: int, root: bytes) -> bytes:
    """Return what an ML-DSA-44 cosignature signs: the root over leaves [start, end) of the log `origin`.

    Raises:
        NoteInvalid: a part is out of its bounds, or a time stands beside a start after 0.
    """
    name, log = vkey.name.encode(), origin.encode()
    if not 0 <= time <= MAX_TIME or (start and time):
        raise _refusal("time is out of bounds, or stands beside a subtree that begins after 0")
    if not (0 <= start <= end < 1 << 64 and 0 < len(log) <= 255 and len(root) == 32):
        raise _refusal("origin, bounds or root hash do not fit the cosigned message")
    return b"".join(
        (
            _LABEL,
            bytes([len(name)]) + name,
            time.to_bytes(8, "big"),
            bytes([len(log)]) + log,
            start.to_bytes(8, "big"),
            end.to_bytes(8, "big"),
            root,
        )
    )


def _message(vkey: Vkey, text: str, time: int) -> bytes:
    if not 0 <= time <= MAX_TIME:
        raise _refusal("time is not below 2^63 seconds")
    checkpoint = Checkpoint.parse(text)
    if vkey.signature_type == ED25519_COSIGNATURE:
        return f"cosignature/v1\ntime {time}\n{text}".encode()
    if vkey.signature_type == ML_DSA_44_COSIGNATURE:
        origin, size, root = checkpoint.origin, checkpoint.tree_size, checkpoint.root_hash
        return subtree_message(vkey, time=time, origin=origin, start=0, end=size, root=root)
    raise _refusal(f"signature type {vkey.signature_type:02x} is no cosignature")


def _refusal(reason: str) -> NoteInvalid:
    return NoteInvalid("cosignature", reason, "ask for the checkpoint again, with its cosignatures")
