"""What a holder asks for, as HTTP and the commands take it, and the act that it means.

A wish names a record and what shall become of it; the rest (registry, batch, serials, verification report) is
read from the record as it stands, so that nobody can say one thing about the units and another about the
record. Only `record` names units itself.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from carbonseal_api.assembly import Parts
from carbonseal_api.assets import acts, queries
from carbonseal_api.assets.acts import Act
from carbonseal_api.assets.refusals import ReferenceMissing
from carbonseal_api.incoming import parse_digest
from carbonseal_api.problems import NotFound
from carbonseal_ledger.asset_acts import record_id_of

_Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$", examples=["7f" * 32])]
_Record = Annotated[
    str, Field(pattern="^[0-9a-f]{64}$", description="Id of the record.", examples=["0a" * 32])
]
_Serial = Annotated[int, Field(ge=1, le=acts.MAX_SERIAL)]
_Reference = Annotated[
    str,
    Field(
        max_length=acts.MAX_REFERENCE,
        description="Code of the official act, as the registry writes it.",
        examples=["CCER-TX-2026-000417"],
    ),
]


class _Wish(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RecordWish(_Wish):
    """Record units that the official registry issued to the caller's organisation."""

    act: Literal["record"]
    registry: str = Field(max_length=acts.MAX_NAME, description="Official registry.", examples=["CCER"])
    batch: str = Field(max_length=acts.MAX_NAME, description="Batch in it.", examples=["2026-0007"])
    first: _Serial = Field(description="First serial.", examples=[1])
    last: _Serial = Field(description="Last serial, included.", examples=[1000])
    verification_report: _Digest = Field(
        description="Statement digest of the verification report on which the units rest."
    )


class SplitWish(_Wish):
    """Divide a record into two."""

    act: Literal["split"]
    record: _Record
    last_of_left: _Serial = Field(description="Last serial of the left part.", examples=[400])


class MoveWish(_Wish):
    """Mirror an official transfer to another enterprise."""

    act: Literal["move"]
    record: _Record
    to: str = Field(max_length=60, description="Party code of the receiver.", examples=["e-aaaabbbbccccdddd"])
    reference: _Reference | None = None


class EndWish(_Wish):
    """Mirror an official retirement, surrender or cancellation."""

    act: Literal["retire", "surrender", "cancel"]
    record: _Record
    reference: _Reference | None = None


class ReleaseWish(_Wish):
    """Ask that a freeze be lifted whose cause is cured."""

    act: Literal["release"]
    record: _Record
    cause: _Digest = Field(description="Statement digest of the impact for which the record is frozen.")
    cure: _Digest = Field(description="Statement digest of the impact that says that it is cured.")


Wish = RecordWish | SplitWish | MoveWish | EndWish | ReleaseWish
AnyWish = Annotated[Wish, Field(discriminator="act")]


def act_of(parts: Parts, wish: Wish, holder: str) -> Act:
    """Return the act that a wish of `holder` means.

    Raises:
        NotFound: The holder has no such record; whether another one has is not said.
        OfficialNameInvalid, SerialsInvalid, ReferenceMissing: As they say.
    """
    if isinstance(wish, RecordWish):
        registry, batch = acts.check_name(wish.registry, "registry"), acts.check_name(wish.batch, "batch")
        acts.check_serials(wish.first, wish.last)
        return Act(
            kind=acts.RECORD,
            record=record_id_of(registry, batch, wish.first, wish.last),
            registry=registry,
            batch=batch,
            first=wish.first,
            last=wish.last,
            holder=holder,
            verification_report=parse_digest(wish.verification_report, "verification_report"),
        )
    standing = standing_act(parts, parse_digest(wish.record, "record"), wish.act, holder)
    if isinstance(wish, SplitWish):
        return standing.with_(last_of_left=acts.check_cut(standing.first, standing.last, wish.last_of_left))
    if isinstance(wish, ReleaseWish):
        return standing.with_(reference=wish.cause, cure=wish.cure)
    reference = _reference(wish)
    return standing.with_(reference=reference, to=wish.to if isinstance(wish, MoveWish) else None)


def standing_act(parts: Parts, record: bytes, kind: str, holder: str | None = None) -> Act:
    """Return an act of some kind on a record as it stands.

    Raises:
        NotFound: There is no such record, or another party than `holder` has it.
    """
    row = queries.record(parts.engine, parts.registrar, record)
    if row is None or (holder is not None and row["holder"] != holder):
        raise NotFound("record", "no such record of your organisation", "list them with GET /assets")
    return Act(
        kind=kind,
        record=record,
        registry=row["registry"],
        batch=row["batch"],
        first=row["first"],
        last=row["last"],
        holder=row["holder"],
        verification_report=bytes(row["verification_report"]),
    )


def _reference(wish: MoveWish | EndWish) -> str:
    if wish.reference is None or not wish.reference:
        what = "transfer" if isinstance(wish, MoveWish) else "act"
        raise ReferenceMissing(
            "reference",
            f"no official {what} is named",
            f"carry out the {what} in the official registry first, and name it here",
        )
    return acts.check_reference(wish.reference)
