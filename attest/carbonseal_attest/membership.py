"""What the events of a Membership contract say of parties: folded from the events, in the order of the chain.

The ids on the chain are keccak256 of texts: a party's code, and `enterprise` or another role of the register
as its kinds. It decodes only what the contract writes (`contracts/src/interfaces/IMembership.sol`); events
that it does not know, proposals and registrars among them, change no party. It leaves out where events come
from: a node (the ledger's), or the registrar's `chain_event` statements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from carbonseal_attest.errors import IdentityInvalid
from carbonseal_attest.evm_proof import keccak256
from carbonseal_attest.identity.parties import PartyRecord

_WORD: Final = 32
_MOST: Final = 8  # kinds, and roles, of one party


@dataclass(frozen=True, slots=True)
class Event:
    """One event as a chain holds it: where it stands, and its bytes."""

    block: int
    log_index: int
    block_hash: bytes
    transaction: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class MemberKey:
    """A key of a party by its thumbprint; seconds since 1970 UTC, an end of 0 is open."""

    valid_from: int
    valid_until: int


@dataclass(frozen=True, slots=True)
class Member:
    """A party as the contract has it; `causes` are those for which it is suspended."""

    status: str
    kinds: frozenset[bytes]
    roles: frozenset[bytes]
    valid_from: int
    valid_until: int
    causes: frozenset[bytes] = frozenset()
    keys: Mapping[bytes, MemberKey] = field(default_factory=dict)

    @property
    def standing(self) -> str:
        """The word that the register has for it: admitted, suspended or removed."""
        return "suspended" if self.status == "admitted" and self.causes else self.status


def id_of(text: str) -> bytes:
    """Return the id under which the chain knows a party code, a kind or a role."""
    return keccak256(text.encode())


def topic_of(signature: str) -> bytes:
    """Return the first topic of an event."""
    return keccak256(signature.encode())


_ADMITTED: Final = topic_of("PartyAdmitted(bytes32,bytes32[],bytes32[],uint64,uint64)")
_DESIGNATED: Final = topic_of("PartyDesignated(bytes32,bytes32[],bytes32[])")
_RENEWED: Final = topic_of("PartyRenewed(bytes32,uint64)")
_KEY_ADDED: Final = topic_of("KeyAdded(bytes32,bytes32,uint64,uint64)")
_KEY_ENDED: Final = topic_of("KeyEnded(bytes32,bytes32,uint64)")
_SUSPENDED: Final = topic_of("PartySuspended(bytes32,bytes32,address)")
_LIFTED: Final = topic_of("SuspensionLifted(bytes32,bytes32,bytes32)")
_REMOVED: Final = topic_of("PartyRemoved(bytes32,bytes32)")
PARTY_TOPICS: Final = frozenset(
    {_ADMITTED, _DESIGNATED, _RENEWED, _KEY_ADDED, _KEY_ENDED, _SUSPENDED, _LIFTED, _REMOVED}
)


def fold_members(events: Iterable[Event]) -> dict[bytes, Member]:
    """Return the members by party id that the events of one contract make, in the order of the chain.

    Raises:
        IdentityInvalid: an event is not one that the contract could have written there.
    """
    members: dict[bytes, Member] = {}
    place = (-1, -1)
    for event in events:
        if (event.block, event.log_index) <= place:
            raise _refusal(event, "stands before or at the one before it")
        place = (event.block, event.log_index)
        if event.topics and event.topics[0] in PARTY_TOPICS:
            if len(event.topics) < 2:
                raise _refusal(event, "names no party")
            party = event.topics[1]
            members[party] = _after(event, members.get(party))
    return members


def differences(members: Mapping[bytes, Member], records: Mapping[str, PartyRecord]) -> list[str]:
    """Return in words where the contract and the registrar's register differ about parties; empty if nowhere.

    Compared are standing, roles of the register with kinds of the contract, and the key that counts now.
    """
    codes = {id_of(code): code for code in records}
    found = [
        f"the contract has party 0x{party_id.hex()}, and the register does not"
        for party_id in sorted(members.keys() - codes.keys())
        if members[party_id].status != "removed"
    ]
    for party_id, code in sorted(codes.items(), key=lambda pair: pair[1]):
        record, member = records[code], members.get(party_id)
        if member is None:
            if record.status != "removed":
                found.append(f"{code} is {record.status} in the register and not in the contract")
            continue
        if member.standing != record.status:
            found.append(f"{code} is {record.status} in the register and {member.standing} in the contract")
        if record.status != "removed" and member.kinds != {id_of(role) for role in record.roles}:
            found.append(f"{code} has other roles in the register than kinds in the contract")
        key = member.keys.get(record.key.kid)
        if record.status != "removed" and (key is None or key.valid_until):
            found.append(f"{code}'s key {record.key.kid.hex()} does not stand in the contract")
    return found


def _after(event: Event, known: Member | None) -> Member:
    topic = event.topics[0]
    if topic == _ADMITTED:
        if known is not None:
            raise _refusal(event, "admits a party again")
        kinds, roles = _ids(event, 0), _ids(event, 1)
        return Member("admitted", kinds, roles, _number(event, 2), _number(event, 3))
    if known is None:
        raise _refusal(event, "is about a party that was not admitted")
    if topic == _DESIGNATED:
        return replace(known, kinds=_ids(event, 0), roles=_ids(event, 1))
    if topic == _RENEWED:
        return replace(known, valid_until=_number(event, 0))
    if topic == _REMOVED:
        return replace(known, status="removed")
    if len(event.topics) < 3:
        raise _refusal(event, "names neither key nor cause")
    what = event.topics[2]
    if topic == _SUSPENDED:
        return replace(known, causes=known.causes | {what})
    if topic == _LIFTED:
        return replace(known, causes=known.causes - {what})
    if topic == _KEY_ADDED:
        return replace(known, keys={**known.keys, what: MemberKey(_number(event, 0), _number(event, 1))})
    ended = known.keys.get(what)
    if ended is None:
        raise _refusal(event, "ends a key that the party does not have")
    return replace(known, keys={**known.keys, what: replace(ended, valid_until=_number(event, 0))})


def _number(event: Event, position: int) -> int:
    word = event.data[position * _WORD : (position + 1) * _WORD]
    if len(word) != _WORD:
        raise _refusal(event, "is cut short")
    return int.from_bytes(word, "big")


def _ids(event: Event, position: int) -> frozenset[bytes]:
    """Return an array of ids: its word says where its length stands, the ids come after it."""
    start = _number(event, position)
    if start % _WORD or start > len(event.data):
        raise _refusal(event, "points beyond itself")
    count, first = _number(event, start // _WORD), start + _WORD
    if count > _MOST or first + count * _WORD > len(event.data):
        raise _refusal(event, "has more ids than bytes for them")
    return frozenset(event.data[first + i * _WORD : first + (i + 1) * _WORD] for i in range(count))


def _refusal(event: Event, reason: str) -> IdentityInvalid:
    place = f"event {event.log_index} of block {event.block}"
    return IdentityInvalid(place, reason, "compare it with the chain: the contract writes no such event")
