"""Calldata of the contract CarbonAssets, and what its answers and events mean, by `eth_abi`.

Plain bytes and values: nothing here talks to a node. `docs/spec/carbon-assets.md` has the same in prose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from eth_abi.abi import decode, encode

from carbonseal_attest.evm_proof import keccak256
from carbonseal_ledger.asset_acts import (
    Act,
    ActKind,
    Admit,
    Cancel,
    Deploy,
    Freeze,
    Grant,
    Move,
    Pledge,
    Record,
    Release,
    Retire,
    Split,
    Surrender,
    Unpledge,
    Withdraw,
    text_id,
)
from carbonseal_ledger.chain_answers import ContractWrong
from carbonseal_ledger.contract_artefacts import load_artefact
from carbonseal_ledger.json_rpc import hex_of

ARTEFACT: Final = load_artefact("CarbonAssets")
EXPIRIES_SLOT: Final = 5  # storage slot of the mapping act hash → proposer → expiry

# In the order of the contract's enum Kind.
_PROPOSED: Final = (
    *(ActKind.RECORD, ActKind.SPLIT, ActKind.MOVE, ActKind.RETIRE, ActKind.SURRENDER, ActKind.CANCEL),
    *(ActKind.RELEASE, ActKind.PLEDGE, ActKind.UNPLEDGE),
)
CLAIM: Final = "(bytes32,bytes32,uint64,uint64,bytes32,string,bytes32)"
_EVIDENCE: Final = (
    "(uint64,uint64,uint64,bytes32,uint64,uint64,uint64,bytes32,uint64,bytes32[],bytes32[],bytes32[])"
)
_RECORD: Final = "(bytes32,bytes32,bytes32,uint64,uint64,bytes32,bytes32,uint8,uint32,bytes32)"
_FUNCTIONS: Final = {ActKind.GRANT: "grantRole", ActKind.WITHDRAW: "withdrawProposal"}  # else as the act
ADMIN_ROLE: Final = bytes(32)


class AssetState(IntEnum):
    """What has become of a record; all but `LIVE` are final. In the order of the contract's enum State."""

    NONE = 0
    LIVE = 1
    SPLIT = 2
    RETIRED = 3
    SURRENDERED = 4
    CANCELLED = 5


class FreezeState(IntEnum):
    """What a cause means for a record. In the order of the contract's enum Freeze."""

    NONE = 0
    STANDING = 1
    CURED = 2


class PledgeState(IntEnum):
    """What an official registration of a pledge means for a record. In the order of the enum Pledge."""

    NONE = 0
    STANDING = 1
    RELEASED = 2


@dataclass(frozen=True, slots=True)
class AssetRecord:
    """A record as the contract holds it; ids are keccak256 of texts (`asset_acts.text_id`).

    `lot` is the record from which it came by splitting, itself when it was recorded as it is; `freezes` the
    number of causes that stand against it, `pledgee` the party to which it is pledged, or zero. Without such
    a record everything is zero and `state` NONE.
    """

    lot: bytes
    registry: bytes
    batch: bytes
    first: int
    last: int
    holder: bytes
    report_leaf: bytes
    state: AssetState
    freezes: int
    pledgee: bytes

    @property
    def is_free(self) -> bool:
        """Whether it may be split, moved, pledged or ended."""
        return self.state == AssetState.LIVE and self.freezes == 0 and self.pledgee == bytes(32)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Three inclusion proofs, from the report's leaf up to the head that LogAnchor holds.

    `closed_at` in ms since 1970 UTC; the others as in the contract's struct Evidence.
    """

    head_size: int
    epoch: int
    closed_at: int
    map_root: bytes
    origins: int
    map_index: int
    data_size: int
    data_root: bytes
    report_index: int
    epoch_proof: tuple[bytes, ...]
    map_proof: tuple[bytes, ...]
    report_proof: tuple[bytes, ...]

    def abi(self) -> tuple[Any, ...]:
        """Return it as the ABI encodes it."""
        return (
            *(self.head_size, self.epoch, self.closed_at, self.map_root, self.origins, self.map_index),
            *(self.data_size, self.data_root, self.report_index),
            *(list(self.epoch_proof), list(self.map_proof), list(self.report_proof)),
        )


def act_bytes(act: Act) -> bytes:
    """Return the bytes that are proposed, of which the contract makes the same when the act is confirmed.

    For an act that one person does, bytes that nobody proposes: their hash only names the act in the journal.
    """
    match act:
        case Record():
            return encode(["uint8", CLAIM], [_kind(act), claim_of(act)])
        case Split():
            return encode(["uint8", "bytes32", "uint64"], [_kind(act), act.record, act.last_of_left])
        case Move():
            moved = [_kind(act), act.record, text_id(act.to), text_id(act.transfer)]
            return encode(["uint8", "bytes32", "bytes32", "bytes32"], moved)
        case Retire() | Surrender() | Cancel():
            return encode(["uint8", "bytes32", "bytes32"], [_kind(act), act.record, text_id(act.reference)])
        case Release():
            released = [_kind(act), act.record, act.cause, act.cure]
            return encode(["uint8", "bytes32", "bytes32", "bytes32"], released)
        case Pledge():
            pledged = [_kind(act), act.record, text_id(act.to), text_id(act.pledge)]
            return encode(["uint8", "bytes32", "bytes32", "bytes32"], pledged)
        case Unpledge():
            returned = [_kind(act), act.record, text_id(act.pledge), text_id(act.reference)]
            return encode(["uint8", "bytes32", "bytes32", "bytes32"], returned)
        case Freeze():
            return encode(["string", "bytes32", "bytes32"], [act.kind, act.record, act.cause])
        case Withdraw():
            return encode(["string", "bytes32", "uint64"], [act.kind, act.act_hash, act.expires_at])
        case Deploy():
            types = ["string", "address", "bytes32", "address", "uint256[]"]
            places = [hex_of(act.anchor), act.log_id, hex_of(act.membership)]
            return encode(types, [act.kind, *places, list(act.chain_ids)])
        case Admit():
            return encode(["string", "address", "string"], [act.kind, hex_of(act.member), act.party])
        case Grant():
            return encode(["string", "address", "string"], [act.kind, hex_of(act.member), act.role])


def claim_of(act: Record) -> tuple[Any, ...]:
    """Return the contract's struct Claim."""
    ids = (text_id(act.registry), text_id(act.batch))
    return (*ids, act.first, act.last, text_id(act.holder), act.origin, act.report_leaf)


def deployment(act: Deploy, admin: bytes) -> bytes:
    """Return what creates the contract."""
    types = ["address", "bytes32", "address", "address", "uint256[]"]
    founders = [hex_of(act.anchor), act.log_id, hex_of(admin), hex_of(act.membership)]
    arguments = encode(types, [*founders, list(act.chain_ids)])
    return ARTEFACT.bytecode + arguments


def proposal(act: Act) -> bytes:
    """Return the call by which the first person proposes an act."""
    return ARTEFACT.selector("propose") + encode(["bytes"], [act_bytes(act)])


def confirmation(act: Act, proposer: bytes | None, proof: tuple[int, Evidence] | None = None) -> bytes:
    """Return the call that performs an act: the second person's, or the only one's.

    Args:
        act: what is done.
        proposer: the first person's address; None for what one person does.
        proof: for a record, the first serial of the range before it, and the evidence of its report.
    """
    by = hex_of(proposer or bytes(20))
    match act:
        case Record():
            if proof is None:
                raise ContractWrong("evidence", "a record needs some", "make it for the anchored head")
            predecessor, evidence = proof
            types = [CLAIM, "address", "uint64", _EVIDENCE]
            arguments = encode(types, [claim_of(act), by, predecessor, evidence.abi()])
        case Split():
            arguments = encode(["bytes32", "uint64", "address"], [act.record, act.last_of_left, by])
        case Move():
            ids = [act.record, text_id(act.to), text_id(act.transfer)]
            arguments = encode(["bytes32", "bytes32", "bytes32", "address"], [*ids, by])
        case Retire() | Surrender() | Cancel():
            arguments = encode(["bytes32", "bytes32", "address"], [act.record, text_id(act.reference), by])
        case Release():
            released = [act.record, act.cause, act.cure]
            arguments = encode(["bytes32", "bytes32", "bytes32", "address"], [*released, by])
        case Pledge():
            ids = [act.record, text_id(act.to), text_id(act.pledge)]
            arguments = encode(["bytes32", "bytes32", "bytes32", "address"], [*ids, by])
        case Unpledge():
            ids = [act.record, text_id(act.pledge), text_id(act.reference)]
            arguments = encode(["bytes32", "bytes32", "bytes32", "address"], [*ids, by])
        case Freeze():
            arguments = encode(["bytes32", "bytes32"], [act.record, act.cause])
        case Withdraw():
            arguments = act.act_hash
        case Admit():
            arguments = encode(["address", "bytes32"], [hex_of(act.member), text_id(act.party)])
        case Grant():
            arguments = encode(["bytes32", "address"], [role_id(act.role), hex_of(act.member)])
        case Deploy():
            raise ContractWrong("deployment", "is no call", "send what creates the contract")
    return ARTEFACT.selector(_FUNCTIONS.get(act.kind, act.kind.value)) + arguments


def question(function: str, types: Sequence[str], arguments: Sequence[Any]) -> bytes:
    """Return a call of one of the contract's views."""
    return ARTEFACT.selector(function) + encode(types, arguments)


def role_id(role: str) -> bytes:
    """Return the id of a role."""
    return ADMIN_ROLE if role == "DEFAULT_ADMIN_ROLE" else keccak256(role.encode())


def expiry_slot(act_hash: bytes, proposer: bytes) -> bytes:
    """Return the storage slot that says until when a proposal is open."""
    inner = keccak256(act_hash + EXPIRIES_SLOT.to_bytes(32, "big"))
    return keccak256(proposer.rjust(32, b"\0") + inner)


def read_record(data: bytes) -> AssetRecord:
    """Return what `recordOf` answers."""
    (fields,) = decode([_RECORD], data)
    lot, registry, batch, first, last, holder, report_leaf, state, *stands = fields
    return AssetRecord(lot, registry, batch, first, last, holder, report_leaf, AssetState(state), *stands)


def read_claim(data: bytes) -> tuple[Any, ...]:
    """Return the struct Claim in the data of an event SerialsRecorded."""
    (claim,) = decode([CLAIM], data)
    return tuple(claim)


def _kind(act: Act) -> int:
    return _PROPOSED.index(act.kind)
