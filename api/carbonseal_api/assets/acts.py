"""What an act on a carbon-asset record is: its kind, the units it is about, and the official act it mirrors.

An act is complete in itself: whoever reads one knows registry, batch, serials, holder and verification report
in words, while the chain holds hashes of them. Official names are taken in one spelling only (capital ASCII
letters, digits, `. _ / -`), because two spellings of one registry would be two registries to the contract,
and a unit could be recorded in both. Serials are whole numbers, both ends included, as registries print them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from carbonseal_api.assets.refusals import OfficialNameInvalid, SerialsInvalid
from carbonseal_attest.identifiers import opaque_code

RECORD, SPLIT, MOVE = "record", "split", "move"
RETIRE, SURRENDER, CANCEL = "retire", "surrender", "cancel"
FREEZE, RELEASE = "freeze", "release"
ENDS: Final = {RETIRE: "retired", SURRENDER: "surrendered", CANCEL: "cancelled"}
PROPOSED: Final = (
    RECORD,
    SPLIT,
    MOVE,
    RETIRE,
    SURRENDER,
    CANCEL,
)  # by a holder; freezes have a cause instead
MAX_SERIAL: Final = (1 << 53) - 1  # beyond it JSON numbers lose digits
MAX_NAME: Final = 80  # characters of a registry or a batch
MAX_REFERENCE: Final = 120  # characters of an official reference
_NAME: Final = re.compile(r"[A-Z0-9][A-Z0-9._/-]*")


@dataclass(frozen=True, slots=True)
class Act:
    """One act, proposed or done.

    Attributes:
        kind: record, split, move, retire, surrender, cancel, freeze or release.
        record: id of the record on the chain, 32 bytes.
        registry: official registry. batch: batch in it.
        first: first serial. last: last serial, included.
        holder: party that holds the units before the act; for a record, that will hold them.
        verification_report: statement digest of the report that the record rests on.
        reference: official act that it mirrors; for a freeze or release the cause's statement digest, hex.
        to: receiving party of a move.
        last_of_left: last serial of the left part of a split.
        cure: what a release says has cured its cause, statement digest, hex.
    """

    kind: str
    record: bytes
    registry: str
    batch: str
    first: int
    last: int
    holder: str
    verification_report: bytes
    reference: str | None = None
    to: str | None = None
    last_of_left: int | None = None
    cure: str | None = None

    @property
    def subject(self) -> str:
        """The opaque code under which statements about the record are found in the registrar's data log."""
        return subject_of(self.record)

    def to_json(self) -> dict[str, Any]:
        """Return the act as it is stored, digests in hex."""
        return {
            "kind": self.kind,
            "record": self.record.hex(),
            "registry": self.registry,
            "batch": self.batch,
            "first": self.first,
            "last": self.last,
            "holder": self.holder,
            "verification_report": self.verification_report.hex(),
            "reference": self.reference,
            "to": self.to,
            "last_of_left": self.last_of_left,
            "cure": self.cure,
        }

    def with_(self, **fields: str | int | None) -> Act:
        """Return the act with some fields changed."""
        return replace(self, **fields)  # type: ignore[arg-type]  # fields are those of the class

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Act:
        """Return the act that `to_json` wrote."""
        digests = {name: bytes.fromhex(value[name]) for name in ("record", "verification_report")}
        return cls(**{**value, **digests})


def subject_of(record: bytes) -> str:
    """Return the opaque code of a record id."""
    return opaque_code("a", record)


def check_name(value: str, field: str) -> str:
    """Return `value` if it is the spelling of a registry or a batch that is taken.

    Raises:
        OfficialNameInvalid: it is longer, or holds other characters.
    """
    return _spelled(value, field, MAX_NAME)


def check_reference(value: str, field: str = "reference") -> str:
    """Return `value` if it is the spelling of an official act that is taken.

    Raises:
        OfficialNameInvalid: it is longer, or holds other characters.
    """
    return _spelled(value, field, MAX_REFERENCE)


def check_serials(first: int, last: int) -> None:
    """Refuse serials that no official unit has.

    Raises:
        SerialsInvalid: not `1 ≤ first ≤ last < 2^53`.
    """
    if not 1 <= first <= last <= MAX_SERIAL:
        raise SerialsInvalid(
            "first, last",
            f"{first} to {last} are no serials",
            "write whole numbers with 1 <= first <= last < 2^53, both included",
        )


def check_cut(first: int, last: int, last_of_left: int | None) -> int:
    """Return where a split cuts.

    Raises:
        SerialsInvalid: the left part would be empty, or the whole.
    """
    if last_of_left is None or not first <= last_of_left < last:
        raise SerialsInvalid(
            "last_of_left",
            f"{last_of_left} does not lie in [{first}, {last})",
            "name the last serial of the left part; both parts need at least one unit",
        )
    return last_of_left


def _spelled(value: str, field: str, most: int) -> str:
    if len(value) <= most and _NAME.fullmatch(value):
        return value
    raise OfficialNameInvalid(
        field,
        "is not spelled as registries' codes are taken here",
        f"write at most {most} of A-Z, 0-9, dot, dash, underscore and slash, a letter or digit first",
    )
