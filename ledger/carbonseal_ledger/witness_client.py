"""Asks one witness (C2SP tlog-witness 1.0.0): for a cosignature of a head, or for the head that it holds.

Whatever the witness answers becomes verified signature lines, the size that it holds, or a refusal by reason;
bytes are read up to a limit and a redirect is not followed. It leaves out when to ask whom (`witnessing`) and
what a head held elsewhere means for start-up (`witness_views`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import httpx

from carbonseal_attest.checkpoint import MAX_SIZE, Checkpoint
from carbonseal_attest.cosignature import verify_signatures
from carbonseal_attest.errors import NoteInvalid
from carbonseal_attest.note import NoteSignature, SignedNote
from carbonseal_attest.tlog_witness import ADD_CHECKPOINT, AddCheckpoint, checkpoint_path
from carbonseal_attest.vkey import Vkey
from carbonseal_ledger.answer_deadline import HEADERS, AnswerDeadline
from carbonseal_ledger.errors import WitnessContradicts, WitnessRefuses, WitnessUnavailable

TIMEOUT_S: Final = 10.0  # of connecting, and of each silence
ANSWER_S: Final = 20.0  # of the whole answer, so that one byte now and then holds nobody up
MAX_ANSWER: Final = 131_072  # bytes
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,19})\n?")
_UNFIT: Final = re.compile(r"[^ -~]")


@dataclass(frozen=True, slots=True)
class Cosignature:
    """One witness's cosignature of a head: the line, and the time that it states in seconds since 1970."""

    line: NoteSignature
    time: int


class WitnessClient:
    """One witness at its address. Safe to use from many threads."""

    def __init__(self, vkey: Vkey, url: str, http: httpx.Client) -> None:
        self.vkey = vkey
        self.url = url.rstrip("/")
        self._http = http

    def add_checkpoint(self, note: SignedNote, old_size: int, proof: list[bytes]) -> Cosignature | int:
        """Return the cosignature of a head, or the size that the witness holds where that is not `old_size`.

        Raises:
            WitnessUnavailable: it does not answer, or answers what cannot be believed.
            WitnessRefuses: it does not follow the log, or does not know its key.
            WitnessContradicts: it holds that the head does not extend the one it cosigned.
        """
        body = AddCheckpoint(old_size, tuple(proof), note).encode()
        status, data = self._ask("POST", ADD_CHECKPOINT, body)
        if status == 200:
            return self._cosignature(note, data)
        if status == 409:
            held = _SIZE.fullmatch(data)
            if held is None or int(held[1]) > MAX_SIZE:
                raise self._nonsense("names no size that it holds")
            if int(held[1]) == old_size:  # some answer this to an equal size with another root
                raise self._contradicts(f"holds another root at size {old_size}")
            return int(held[1])
        if status == 422:
            raise self._contradicts(f"finds no growth from its head of {old_size} entries")
        if status in {400, 401, 403, 404}:
            raise WitnessRefuses(
                f"witness {self.vkey.name}",
                f"answered {status}: {_words(data)}",
                "have it follow this log, by the log's verifier key",
            )
        raise self._nonsense(f"answered {status}")

    def checkpoint(self, origin: str) -> SignedNote | None:
        """Return the newest head of a log that the witness shows, with its cosignature verified; None: none.

        The log's own signature is the caller's to verify.

        Raises:
            WitnessUnavailable: it does not answer, or shows a note that is not of this log or not cosigned.
        """
        status, data = self._ask("GET", checkpoint_path(origin), None)
        if status == 404:
            return None
        if status != 200:
            raise self._nonsense(f"answered {status}")
        try:
            note = SignedNote.parse(data)
            if Checkpoint.parse(note.text).origin == origin and verify_signatures(note, [self.vkey]):
                return note
        except NoteInvalid as error:
            raise self._nonsense(f"shows a checkpoint that {error.reason}") from error
        raise self._nonsense("shows a checkpoint that is of another log or not cosigned")

    def moved(self, held: int) -> WitnessUnavailable:
        """Return what it means that it named other sizes, `held` last, until nobody asked any more."""
        return self._nonsense(f"names {held} as the size it holds, and another one before")

    def _cosignature(self, note: SignedNote, data: bytes) -> Cosignature:
        try:
            answered = SignedNote.parse(note.text.encode() + b"\n" + data)
            time = verify_signatures(answered, [self.vkey]).get(self.vkey)
        except NoteInvalid as error:
            raise self._nonsense(f"answered lines of which one {error.reason}") from error
        if time is None:
            raise self._nonsense("answered without its cosignature")
        lines = [one for one in answered.signatures if (one.name, one.key_id) == self._own]
        return Cosignature(min(lines, key=lambda one: one.signature[:8]), time)

    @property
    def _own(self) -> tuple[str, bytes]:
        return self.vkey.name, self.vkey.key_id

    def _ask(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        try:
            with (
                AnswerDeadline(ANSWER_S) as deadline,
                self._http.stream(
                    method,
                    self.url + path,
                    content=body,
                    headers=HEADERS,
                    timeout=TIMEOUT_S,
                    extensions=deadline.extensions,
                ) as answer,
            ):
                data = b""
                for chunk in answer.iter_bytes():
                    data += chunk
                    if len(data) > MAX_ANSWER:
                        raise self._nonsense(f"answered more than {MAX_ANSWER} bytes")
                return answer.status_code, data
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise self._nonsense(f"does not answer ({type(error).__name__})") from error

    def _nonsense(self, reason: str) -> WitnessUnavailable:
        return WitnessUnavailable(f"witness {self.vkey.name}", reason, "ask it again later, or its operator")

    def _contradicts(self, reason: str) -> WitnessContradicts:
        return WitnessContradicts(
            f"witness {self.vkey.name}",
            reason,
            "stop the log, compare it with the witness's checkpoint and tell the registrar",
        )


def _words(data: bytes) -> str:
    return _UNFIT.sub(" ", data.decode("utf-8", "replace"))[:120].strip()
