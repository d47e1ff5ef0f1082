"""What the events of the contract CarbonAssets tell: which act was done to which record, by whom and where.

An act that two persons do leaves two events, ActConfirmed and right after it the one that says what changed;
here they are one. Plain values; fetching events is `carbon_assets`' part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from eth_abi.abi import decode

from carbonseal_ledger.asset_acts import ActKind
from carbonseal_ledger.carbon_assets_calls import ARTEFACT, read_claim
from carbonseal_ledger.chain_answers import ChainEvent

ACT_CONFIRMED: Final = ARTEFACT.topic("ActConfirmed")
RECORD_FROZEN: Final = ARTEFACT.topic("RecordFrozen")
MEMBER_ADMITTED: Final = ARTEFACT.topic("MemberAdmitted")
ROLE_GRANTED: Final = ARTEFACT.topic("RoleGranted")
PROPOSAL_WITHDRAWN: Final = ARTEFACT.topic("ProposalWithdrawn")
_ACTS: Final = {
    ARTEFACT.topic("SerialsRecorded"): ActKind.RECORD,
    ARTEFACT.topic("RecordSplit"): ActKind.SPLIT,
    ARTEFACT.topic("RecordMoved"): ActKind.MOVE,
    ARTEFACT.topic("RecordRetired"): ActKind.RETIRE,
    ARTEFACT.topic("RecordSurrendered"): ActKind.SURRENDER,
    ARTEFACT.topic("RecordCancelled"): ActKind.CANCEL,
    RECORD_FROZEN: ActKind.FREEZE,
    ARTEFACT.topic("RecordReleased"): ActKind.RELEASE,
    ARTEFACT.topic("RecordPledged"): ActKind.PLEDGE,
    ARTEFACT.topic("PledgeReleased"): ActKind.UNPLEDGE,
}
ACT_TOPICS: Final = (ACT_CONFIRMED, *_ACTS)


@dataclass(frozen=True, slots=True)
class ClaimIds:
    """What two persons said of units when they became a record; texts as the chain knows them."""

    registry: bytes
    batch: bytes
    first: int
    last: int
    holder: bytes
    origin: str
    report_leaf: bytes


@dataclass(frozen=True, slots=True)
class AssetEvent:
    """One act that was done, and where; what an act does not have is None.

    Attributes:
        act: what was done.
        record: to which record.
        proposer, confirmer: addresses; the first is None for a freeze.
        act_hash: keccak256 of the bytes proposed; None for a freeze.
        transaction_hash, log_index, block_number, block_hash: of the event that says what changed.
        claim: of a record, what was said.
        from_party, to_party: ids, of a move; the pledgee of a pledge and of its return is `to_party`.
        parts: ids of the two parts of a split, else empty.
        reference: id of the official act, transfer or registration of a pledge that is mirrored.
        cause, cure: digests, of a freeze and a release.
        pledge: id of the official registration that ends with the return of a pledge.
    """

    act: ActKind
    record: bytes
    proposer: bytes | None
    confirmer: bytes
    act_hash: bytes | None
    transaction_hash: bytes
    log_index: int
    block_number: int
    block_hash: bytes
    claim: ClaimIds | None = None
    from_party: bytes | None = None
    to_party: bytes | None = None
    parts: tuple[bytes, ...] = ()
    reference: bytes | None = None
    cause: bytes | None = None
    cure: bytes | None = None
    pledge: bytes | None = None


def read_events(events: Sequence[ChainEvent]) -> list[AssetEvent]:
    """Return the acts that the contract's events tell, in order."""
    found: list[AssetEvent] = []
    confirmed: ChainEvent | None = None
    for event in events:
        if event.topics[0] == ACT_CONFIRMED:
            confirmed = event
        elif event.topics[0] in _ACTS:
            found.append(_read(event, confirmed))
            confirmed = None
    return found


def _read(event: ChainEvent, confirmed: ChainEvent | None) -> AssetEvent:
    act = _ACTS[event.topics[0]]
    who: dict[str, Any] = {"proposer": None, "act_hash": None, "confirmer": event.topics[-1][12:]}
    if confirmed is not None:
        act_hash, proposer, confirmer = confirmed.topics[1:]
        who = {"proposer": proposer[12:], "act_hash": act_hash, "confirmer": confirmer[12:]}
    told = AssetEvent(
        act=act,
        record=event.topics[1],
        transaction_hash=event.transaction_hash,
        log_index=event.log_index,
        block_number=event.block_number,
        block_hash=event.block_hash,
        **who,
    )
    match act:
        case ActKind.RECORD:
            return replace(told, claim=ClaimIds(*read_claim(event.data)))
        case ActKind.SPLIT:
            return replace(told, parts=tuple(decode(["bytes32", "bytes32"], event.data)))
        case ActKind.MOVE:
            return replace(
                told, from_party=event.topics[2], to_party=event.topics[3], reference=event.data[:32]
            )
        case ActKind.PLEDGE:
            return replace(told, to_party=event.topics[2], reference=event.data[:32])
        case ActKind.UNPLEDGE:
            pledge, reference = event.data[:32], event.data[32:]
            return replace(told, to_party=event.topics[2], pledge=pledge, reference=reference)
        case ActKind.FREEZE:
            return replace(told, cause=event.topics[2])
        case ActKind.RELEASE:
            return replace(told, cause=event.topics[2], cure=event.data[:32])
        case _:
            return replace(told, reference=event.data[:32])
