"""The sampling transcript: what was committed to, the draw, and what the bundle shows of every drawn slot.

This is its form: JSON with sorted keys, one way to write it (docs/spec/sampling.md). Reading believes
nothing; `drawing.redraw` makes it again and must get the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest.contents import schema as s
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.errors import TranscriptInvalid
from carbonseal_verifier.sample_block import EVIDENCE, STATED
from carbonseal_verifier.strict_json import parse_object

FORMAT: Final = "carbonseal-sampling-transcript/v1"
MAX_TRANSCRIPT: Final = 64 << 20  # bytes; 500 strata of some hundred slots are about 30 MB


@dataclass(frozen=True, slots=True)
class Transcript:
    """A sampling transcript and what an opinion needs of it."""

    data: bytes
    value: dict[str, Any]

    @property
    def digest(self) -> bytes:
        """SHA-256 of its bytes."""
        return hashlib.sha256(self.data).digest()

    @property
    def commitment_digest(self) -> bytes:
        """Statement digest of the commitment."""
        return bytes.fromhex(self.value["commitment"]["statement_digest"])

    @property
    def committed_by(self) -> bytes:
        """Key id of whoever signed the commitment."""
        return SignedStatement.parse(bytes.fromhex(self.value["commitment"]["statement"])).header.kid

    @property
    def drawn(self) -> int:
        """Number of drawn slots."""
        return int(self.value["drawn"])

    @property
    def answered(self) -> int:
        """Number of drawn slots in which a usable value stands."""
        return int(self.value["answered"])

    @property
    def is_proved_in_time(self) -> bool:
        """Whether it proves that the commitment was logged before its epoch was anchored."""
        return self.value["commitment"]["logged"] is not None

    def unanswered(self) -> list[str]:
        """Return `measurement/slot` of every drawn slot without a usable value."""
        return [
            f"{stratum['id']}/{sample['slot']}"
            for stratum in self.value["strata"]
            for sample in stratum["samples"]
            if not sample["is_answered"]
        ]


def parse_transcript(data: bytes) -> Transcript:
    """Return the transcript that `data` writes; only its form is looked at. `redraw` believes nothing of it.

    Raises:
        TranscriptInvalid: not our JSON.
    """
    value = parse_object(data, limit=MAX_TRANSCRIPT, refuse=malformed)
    try:
        _shape(value, "transcript")
    except CarbonsealError as error:
        raise malformed(error.field, error.reason) from error
    if data != encode(value):
        raise malformed("transcript", "is not written in the one way")
    return Transcript(data, value)


def encode(value: Mapping[str, Any]) -> bytes:
    """Return the one way to write a transcript: sorted keys, two-space indents, a line feed at the end."""
    return (json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2) + "\n").encode()


def _hex(size: int) -> s.Leaf:
    def check(value: object, *, field: str) -> None:
        if not isinstance(value, str) or len(value) != 2 * size or set(value) - set("0123456789abcdef"):
            raise s.refuse(field, f"not {size} bytes in lower-case hexadecimal")

    return s.Leaf(f"hex-{size}", f'tstr .regexp "[0-9a-f]{{{2 * size}}}"', "", check)


_count = s.integer(0, 1 << 53)
_shape = s.record(
    {
        "format": s.one_of(FORMAT),
        "engagement": s.code,
        "operator": s.code,
        "report_digest": _hex(32),
        "bundle_digest": _hex(32),
        "plan_digest": _hex(32),
        "period": s.anything,
        "commitment": s.record(
            {
                "statement_digest": _hex(32),
                "statement": s.text(16_384),
                "content": s.text(1 << 21),
                "logged": s.anything,
            }
        ),
        "nonce": _hex(32),
        "block": s.record(
            {
                "epoch": _count,
                "anchored_at": s.nullable(s.text(40)),
                "anchor_block": _count,
                "anchor_block_from": s.one_of(EVIDENCE, STATED),
                "blocks_after": _count,
                "block": _count,
                "block_hash": _hex(32),
                "hash_from": s.one_of(EVIDENCE, STATED),
            }
        ),
        "seed": _hex(32),
        "strata": s.array(
            s.record(
                {
                    "id": s.name,
                    "expected": _count,
                    "sample_size": _count,
                    "seed": _hex(32),
                    "samples": s.array(
                        s.record(
                            {
                                "slot": _count,
                                "start": s.text(40),
                                "end": s.text(40),
                                "state": s.text(40),
                                "is_answered": s.boolean,
                                "value": s.nullable(s.decimal),
                                "quality": s.nullable(s.text(40)),
                                "statement_digest": s.nullable(_hex(32)),
                            }
                        ),
                        100_000,
                    ),
                }
            ),
            500,
        ),
        "drawn": _count,
        "answered": _count,
    }
)


def malformed(field: str, reason: str) -> TranscriptInvalid:
    """Return the refusal of a transcript's field."""
    return TranscriptInvalid(field, reason, "ask the verification body for the transcript again")
