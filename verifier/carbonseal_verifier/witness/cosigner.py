"""The decision of a witness on one request, and the order in which it is kept (C2SP tlog-witness 1.0.0).

404 an unknown log, 403 no signature of its keys, 400 an old size above the new one, 409 an old size that is
not the stored one, 422 no proof of growth, or the stored size with another root. Only then is the head
stored, in the transaction that compared it, and only after that transaction is on the disk does a cosignature
leave. A clock that went back refuses (503): a cosignature's time must not contradict an earlier one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from carbonseal_attest.algorithms import ML_DSA_44
from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.cosignature import cosign, verify_signatures
from carbonseal_attest.errors import CarbonsealError, NoteInvalid, ProofInvalid
from carbonseal_attest.instants import Clock
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import EMPTY_ROOT, verify_consistency
from carbonseal_attest.note import NoteSignature, SignedNote
from carbonseal_attest.signing import Signer
from carbonseal_attest.tlog_witness import SIZE_TYPE, AddCheckpoint, origin_hash
from carbonseal_attest.vkey import COSIGNATURES, ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE, Vkey
from carbonseal_verifier.errors import UsageInvalid, WitnessStateRefused
from carbonseal_verifier.witness.heads import CosignedHead, CosignedHeads, RefusedHead

MAX_STORED: Final = (1 << 63) - 1  # leaves; SQLite's largest integer
MAX_ORIGIN: Final = 255  # bytes; what an ML-DSA-44 cosignature can state
TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back over HTTP."""

    status: int
    body: bytes
    media_type: str = TEXT


class Witness:
    """One witness: its keys, the logs it follows, and what it has cosigned. Safe to use from many threads."""

    def __init__(
        self, signers: Sequence[Signer], logs: Sequence[Vkey], heads: CosignedHeads, clock: Clock
    ) -> None:
        """Bind the keys, whose names stand in the file of cosigned heads, and the logs.

        `logs` are verifier keys; the name of each is the origin it signs for; an origin may have several.

        Raises:
            UsageInvalid: the keys are not those of the file, or a log's key cosigns.
        """
        by_key = {signer.public: signer for signer in signers}
        if {vkey.key for vkey in heads.keys} != by_key.keys():
            raise UsageInvalid("--key", "is not the key of the state file", "name the file made with the key")
        self._cosigners = tuple((vkey, by_key[vkey.key]) for vkey in heads.keys)
        self._heads = heads
        self._clock = clock
        self._logs: dict[str, list[Vkey]] = {}
        self._hashes: dict[str, str] = {}
        for vkey in logs:
            if vkey.signature_type in COSIGNATURES:
                raise UsageInvalid("--log", f"{vkey.name} has a cosigner's key", "give the log's own key")
            if len(vkey.name.encode()) > MAX_ORIGIN:
                raise UsageInvalid("--log", f"its origin is longer than {MAX_ORIGIN} bytes", "follow another")
            if vkey not in self._logs.setdefault(vkey.name, []):
                self._logs[vkey.name].append(vkey)
            self._hashes[origin_hash(vkey.name)] = vkey.name

    @property
    def logs(self) -> Mapping[str, Sequence[Vkey]]:
        """The keys of the logs that are followed, by origin."""
        return self._logs

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one request: the cosignatures, once the head is on the disk, or why there are none."""
        try:
            request = AddCheckpoint.parse(body)
            head = request.checkpoint()
        except NoteInvalid as error:
            return _problem(400, error)
        keys = self._logs.get(head.origin)
        if keys is None:
            return Answer(404, b"this witness does not follow that log\n")
        try:
            signed = verify_signatures(request.note, keys)
        except NoteInvalid as error:
            return _problem(403, error)
        if not signed:
            return Answer(403, b"no key of the log that this witness knows signed the checkpoint\n")
        if request.old_size > head.tree_size:
            return Answer(400, b"the old size is above the checkpoint's\n")
        if head.tree_size > MAX_STORED or (head.tree_size == 0 and head.root_hash != EMPTY_ROOT):
            return Answer(400, b"a size beyond 2^63, or an empty tree with a root of its own\n")
        kept = SignedNote(request.note.text, tuple(_of(request.note, signed)))
        try:
            return self._check_and_store(request, head, kept)
        except WitnessStateRefused:
            return _UNABLE

    def checkpoint(self, name: str) -> Answer:
        """Answer what a monitor asks: the newest cosigned checkpoint of the log with this origin hash."""
        try:
            held = self._heads.by_hash(name) if name in self._hashes else None
        except WitnessStateRefused:
            return _UNABLE
        if held is None:
            return Answer(404, b"this witness cosigned no checkpoint of that log\n")
        return Answer(200, held.note)

    def _check_and_store(self, request: AddCheckpoint, head: Checkpoint, kept: SignedNote) -> Answer:
        name, now = origin_hash(head.origin), self._clock() // 1000
        with self._heads.locked() as stored:
            held = stored.head(name)
            size, root = (0, EMPTY_ROOT) if held is None else (held.tree_size, held.root_hash)
            if request.old_size != size:
                return Answer(409, b"%d\n" % size, SIZE_TYPE)
            try:
                _check_growth(head, size, root, request.proof)
            except ProofInvalid as error:
                is_conflict = held is not None and head.tree_size == size and head.root_hash != root
                before = b"" if held is None else held.note
                stored.keep(
                    RefusedHead(
                        head.origin, head.tree_size, head.root_hash, is_conflict, before, kept.encode(), now
                    )
                )
                return _problem(422, error)
            if held is not None and now < held.cosigned_at:
                return Answer(503, b"the witness's clock went back; nothing was cosigned\n")
            note = kept
            for vkey, signer in self._cosigners:
                note = cosign(note, vkey, signer, time=now)
            stored.store(name, CosignedHead(head.origin, head.tree_size, head.root_hash, note.encode(), now))
        lines = note.signatures[len(kept.signatures) :]
        return Answer(200, "".join(line.line() for line in lines).encode())


def cosigner_key(name: str, key: PublicKey) -> Vkey:
    """Return the verifier key under which a key cosigns: type 04 for Ed25519, 06 for ML-DSA-44.

    Raises:
        KeyRefused: a name with spaces or pluses, or a key that cosigns in neither way.
    """
    return Vkey(name, ML_DSA_44_COSIGNATURE if key.algorithm == ML_DSA_44 else ED25519_COSIGNATURE, key)


def _check_growth(head: Checkpoint, size: int, root: bytes, proof: tuple[bytes, ...]) -> None:
    if size:
        verify_consistency(size, head.tree_size, root, head.root_hash, proof)
    elif proof:
        # A first head has nothing to be consistent with; about an old size of 0 nothing can be proved.
        raise ProofInvalid("consistency proof", "not empty from an old size of 0", "send none")


def _of(note: SignedNote, known: Mapping[Vkey, object]) -> list[NoteSignature]:
    """Return the first line of each known key; all of them verify."""
    lines = {(line.name, line.key_id): line for line in reversed(note.signatures)}
    return [lines[vkey.name, vkey.key_id] for vkey in known]


def _problem(status: int, error: CarbonsealError) -> Answer:
    return Answer(status, f"{error.reason}\n".encode("utf-8", "replace"))


_UNABLE: Final = Answer(503, b"the witness can't use its state; nothing was cosigned\n")
