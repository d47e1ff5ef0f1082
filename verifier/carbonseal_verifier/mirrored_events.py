"""What `--rpc` compares beside the anchor: a registrar's contracts, and what its register says of them.

Offline the register's own statements decide who takes part. The registrar mirrors each event of its contracts
Membership and MethodRegistry as a statement; a node is asked for the same events, which must be the mirrored
ones, byte for byte and none left out, and what they make of the parties must be what the register says. What
the chain has since then is told, and fails where it stops a party that the bundle rests on. A registrar that
mirrors no contract has none to compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from carbonseal_attest.errors import IdentityInvalid
from carbonseal_attest.membership import Event, Member, differences, fold_members, id_of
from carbonseal_verifier.case import Case, StepFailed, require
from carbonseal_verifier.node_answers import NODE_TIMEOUT_S, ask_node, quantity, word
from carbonseal_verifier.parties import register_records
from carbonseal_verifier.wording import counted

_MEMBERSHIP = "Membership"
_Source = tuple[str, int, bytes]  # contract, chain id, address


def compare_membership(case: Case, url: str) -> str:
    """Compare the mirrored events with a node's and with the register; return what to say of it, or nothing.

    Raises:
        StepFailed: they differ, the node is of another chain, or it does not answer.
    """
    mirrored = mirrored_events(case)
    said = []
    for (name, chain_id, address), events in mirrored.items():
        found = _events_of(url, chain_id, address)
        until = events[-1].block
        compare(name, events, [event for event in found if event.block <= until])
        if name == _MEMBERSHIP:
            members = _members(events)
            register = case.logs[case.registrar.register_origin]
            differing = differences(members, register_records(case, register))
            require(not differing, f"Membership and the register differ: {'; '.join(differing[:3])}")
            _check_later(case, members, _members(found))
        later = sum(event.block > until for event in found)
        since = f", and {counted(later, 'event')} since" if later else ""
        said.append(f"; the node's {name} has the {counted(len(events), 'event')} that are mirrored{since}")
    return "".join(said)


def mirrored_events(case: Case) -> dict[_Source, list[Event]]:
    """Return the events that the registrar's register mirrors, by contract, as its statements have them.

    Raises:
        StepFailed: one stands before the one that was mirrored before it.
    """
    found: dict[_Source, list[Event]] = {}
    for statement in case.logs[case.registrar.register_origin].statements:
        if statement.header.kind != "chain_event":
            continue
        content = case.content(statement)
        if content is None:
            raise StepFailed("a mirrored event of the registrar's contract is withheld; it must be there")
        body = content.body
        event = event_of(body)
        events = found.setdefault((body["contract"], body["chain_id"], bytes(body["address"])), [])
        require(
            not events or (events[-1].block, events[-1].log_index) < (event.block, event.log_index),
            f"event {event.log_index} of block {event.block} is mirrored twice, or out of order",
        )
        events.append(event)
    return found


def event_of(body: dict[str, Any]) -> Event:
    """Return the event that a chain_event statement mirrors."""
    return Event(
        body["block"],
        body["log_index"],
        bytes(body["block_hash"]),
        bytes(body["transaction"]),
        tuple(bytes(topic) for topic in body["topics"]),
        bytes(body["data"]),
    )


def compare(name: str, mirrored: Sequence[Event], held: Sequence[Event]) -> None:
    """See that a node holds exactly the mirrored events.

    Raises:
        StepFailed: one is missing on either side, or is another one.
    """
    for ours, theirs in zip(mirrored, held, strict=False):
        require(
            ours == theirs,
            f"{name}: event {ours.log_index} of block {ours.block} is mirrored otherwise than it happened",
        )
    require(
        len(mirrored) == len(held),
        f"{name}: {len(mirrored)} events are mirrored, and the node has {len(held)} up to there",
    )


def _check_later(case: Case, before: dict[bytes, Member], now: dict[bytes, Member]) -> None:
    """See that no party that the bundle rests on has been stopped on the chain since the mirror."""
    for code in sorted(case.parties):
        member = now.get(id_of(code))
        if member is None or id_of(code) not in before or member.standing == before[id_of(code)].standing:
            continue
        require(member.standing == "admitted", f"{code} is {member.standing} on the chain by now")


def _members(events: Sequence[Event]) -> dict[bytes, Member]:
    try:
        return fold_members(events)
    except IdentityInvalid as error:
        raise StepFailed(f"{error.field} {error.reason}") from error


def _events_of(url: str, chain_id: int, address: bytes) -> list[Event]:
    with httpx.Client(timeout=NODE_TIMEOUT_S) as client:
        of = quantity(ask_node(client, url, "eth_chainId", []))
        require(of == chain_id, f"the registrar's contracts are on chain {chain_id}, the node is of {of}")
        query = {"address": f"0x{address.hex()}", "fromBlock": "0x0", "toBlock": "latest"}
        answer = ask_node(client, url, "eth_getLogs", [query])
    if not isinstance(answer, list) or not all(isinstance(one, dict) for one in answer):
        raise StepFailed("the node's answer is no list of events")
    return [
        Event(
            quantity(one.get("blockNumber")),
            quantity(one.get("logIndex")),
            word(one.get("blockHash")),
            word(one.get("transactionHash")),
            tuple(word(topic) for topic in one.get("topics") or ()),
            _octets(one.get("data")),
        )
        for one in answer
    ]


def _octets(value: Any) -> bytes:
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except (AttributeError, ValueError) as error:
        raise StepFailed("the node's answer is no data of an event") from error
