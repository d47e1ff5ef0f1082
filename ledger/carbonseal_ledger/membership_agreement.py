"""Whether the contract Membership and the registrar's statements name the same parties.

The chain knows a party, a role and a key by 32 bytes each: keccak256 of the party's code and of the role's
name, the thumbprint of the key. What the statements call roles, the contract holds as kinds and roles
together. Reading asks the node at one block; comparing is pure. It leaves out acting on the contract, and why
a party was suspended: only that it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from carbonseal_attest.identity.parties import PartyRecord
from carbonseal_ledger.asset_acts import text_id
from carbonseal_ledger.chain_answers import ContractWrong
from carbonseal_ledger.chain_client import ChainClient
from carbonseal_ledger.contract_artefacts import load_artefact
from carbonseal_ledger.reconciliation import Disagreement

AREA: Final = "membership"
_ARTEFACT: Final = load_artefact("Membership")
_PARTY: Final = "(uint8,uint32,uint64,uint64,bytes32[],bytes32[])"
_KEY: Final = "(bytes32,uint64,uint64)"
_NONE, _ADMITTED, _REMOVED = 0, 1, 2  # Membership.Status


class MemberDifference(StrEnum):
    """What can differ about a party."""

    NOT_ON_CHAIN = "member-not-on-chain"
    NOT_IN_LOG = "member-not-in-log"
    STATUS = "member-status-differs"
    ROLES = "member-roles-differ"
    KEY = "member-key-differs"


@dataclass(frozen=True, slots=True)
class ChainMember:
    """A party as the contract holds it at a block.

    `keys` maps the thumbprints that were asked for to whether the contract counts them for this party then.
    """

    party: bytes
    status: str
    roles: frozenset[bytes]
    keys: Mapping[bytes, bool]


class MembershipReader:
    """Reads one Membership contract.

    Args:
        chain: the node; one that names the chain that is meant refuses every other.
        contract: the contract's address, 20 bytes.
    """

    def __init__(self, chain: ChainClient, contract: bytes) -> None:
        self._chain = chain
        self._contract = contract

    @property
    def name(self) -> str:
        """`membership 0x…`."""
        return f"membership 0x{self._contract.hex()}"

    def read(self, records: Iterable[PartyRecord]) -> list[ChainMember]:
        """Return the parties of the statements as the contract has them, and those that it alone has.

        Raises:
            ChainUnreachable, ChainRefused: the node cannot be asked.
            ContractWrong: the address holds other code.
        """
        self._chain.check_chain()
        _ARTEFACT.check(self._contract, self._chain.code_at(self._contract))
        block = self._chain.block("latest")
        known = {text_id(one.party): [span.key.kid for span in one.keys] for one in records}
        topics = [[_ARTEFACT.topic("PartyAdmitted")]]
        admitted = {
            event.topics[1] for event in self._chain.events(self._contract, topics, 0, block.number + 1)
        }
        return [
            self._member(party, known.get(party, []), block.number, block.block_at // 1000)
            for party in sorted(admitted | set(known))
        ]

    def _member(self, party: bytes, kids: Iterable[bytes], number: int, seconds: int) -> ChainMember:
        status, suspensions, start, end, kinds, roles = self._ask("partyOf", party, _PARTY, number)
        is_in_period = start <= seconds and (end == 0 or seconds < end)
        words = {_NONE: "unknown", _REMOVED: "removed"}.get(status, "admitted")
        if status == _ADMITTED and suspensions:
            words = "suspended"
        elif status == _ADMITTED and not is_in_period:
            words = "outside its period"
        keys = {}
        for kid in kids:
            holder, key_start, key_end = self._ask("keyOf", kid, _KEY, number)
            keys[kid] = holder == party and key_start <= seconds and (key_end == 0 or seconds < key_end)
        return ChainMember(party, words, frozenset({*kinds, *roles}), keys)

    def _ask(self, function: str, argument: bytes, answer: str, number: int) -> tuple[Any, ...]:
        data = _ARTEFACT.selector(function) + encode(["bytes32"], [argument])
        try:
            (value,) = decode([answer], self._chain.call(self._contract, data, which=number))
        except DecodingError as error:
            reason = f"does not answer {function}()"
            raise ContractWrong(self.name, reason, "correct the address") from error
        return tuple(value)


def disagreements(records: Iterable[PartyRecord], members: Iterable[ChainMember]) -> list[Disagreement]:
    """Return every party that statements and contract do not have alike; none when they agree."""
    on_chain = {member.party: member for member in members}
    found: list[Disagreement] = []
    told = {text_id(record.party): record for record in records}
    for party, record in told.items():
        member = on_chain.get(party)
        if member is None or member.status == "unknown":
            detail = f"the registrar's statements say {record.status}, the contract knows no such party"
            found.append(_about(MemberDifference.NOT_ON_CHAIN, record.party, detail))
        else:
            found += _compared(record, member)
    for party in sorted(set(on_chain) - set(told)):
        detail = f"the contract says {on_chain[party].status}, and no statement names such a party"
        found.append(_about(MemberDifference.NOT_IN_LOG, f"0x{party.hex()}", detail))
    return found


def _compared(record: PartyRecord, member: ChainMember) -> Iterator[Disagreement]:
    if record.status != member.status:
        detail = f"the registrar's statements say {record.status}, the contract says {member.status}"
        yield _about(MemberDifference.STATUS, record.party, detail, record.status, member.status)
    roles = {text_id(role): role for role in record.roles}
    if frozenset(roles) != member.roles:
        said = ", ".join(sorted(record.roles))
        more = [f"0x{one.hex()}" for one in sorted(member.roles - set(roles))]
        less = sorted(roles[one] for one in set(roles) - member.roles)
        detail = f"the registrar's statements say {said}; the contract lacks {less} and adds {more}"
        yield _about(MemberDifference.ROLES, record.party, detail, *less, *more)
    for span in record.keys:
        is_present = span.key.kid == record.key.kid
        if member.keys.get(span.key.kid, False) != is_present:
            word = "lacks its present key" if is_present else "still counts a key that was replaced"
            yield _about(
                MemberDifference.KEY, record.party, f"the contract {word} {span.key.kid.hex()}", word
            )


def _about(code: MemberDifference, subject: str, detail: str, *facts: str) -> Disagreement:
    return Disagreement(AREA, code, subject, detail, facts)
