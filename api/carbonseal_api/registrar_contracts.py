"""Mirrors the events of the registrar's contracts, Membership and MethodRegistry, in its register log.

Only events in final blocks are mirrored, each once and in the order of the chain, under the registrar's desk
lock after a look into the log itself. Acts on the contracts take two registrars with accounts of their own
and are not sent from here; nor does admitting or suspending a party do anything on the chain by itself: what
then differs is in `Mirrored.differing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.problems import RequestInvalid
from carbonseal_attest.contents import parse_content
from carbonseal_attest.membership import differences, fold_members
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.chain_client import ChainClient
from carbonseal_ledger.membership import ARTEFACTS, event_body, events_between

KIND: Final = "chain_event"


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What one run did: how many events it mirrored, how many there are, and where the register differs."""

    mirrored: int
    events: int
    differing: tuple[str, ...]


def mirror_events(parts: Parts, chain: ChainClient, name: str, address: bytes) -> Mirrored:
    """Write what is missing of one contract's final events, and compare Membership with the register.

    Raises:
        RequestInvalid: it is none of the two contracts, or the log mirrors what this chain does not have.
        ContractWrong: the address holds other code.
        PartMissing: the registrar's key is not on this machine.
    """
    if name not in ARTEFACTS:
        raise RequestInvalid("contract", f"{name} is not mirrored", f"name {' or '.join(ARTEFACTS)}")
    ARTEFACTS[name].check(address, chain.code_at(address))
    origin = parts.keys.standing.register_origin
    events = events_between(chain, address, 0, chain.settled("finalized") + 1)
    bodies = [event_body(name, chain.chain_id, address, event) for event in events]
    with parts.desks.desk(parts.registrar) as desk:
        known = _known(parts, origin, (name, chain.chain_id, address))
        if known != bodies[: len(known)]:
            raise RequestInvalid(
                "contract", "the log mirrors events that this chain does not have", "ask another node"
            )
        for body in bodies[len(known) :]:
            desk.issue(origin, KIND, body, subject=parts.registrar)
    parts.projections.refresh_log(origin)
    found: list[str] = []
    if name == "Membership":
        register = {record.party: record for record in parts.host.parties()}
        found = differences(fold_members(events), register)
    return Mirrored(len(bodies) - len(known), len(bodies), tuple(found))


def mirror_configured(parts: Parts) -> list[Mirrored]:
    """Mirror the contracts that the settings name, as the scheduled job does; nothing without a node.

    Raises:
        As `mirror_events`; what was mirrored before stays.
    """
    settings = parts.settings
    named = {"Membership": settings.membership_contract, "MethodRegistry": settings.method_registry_contract}
    if settings.chain_rpc_url is None:
        return []
    chain = ChainClient(settings.chain_rpc_url, chain_id=settings.chain_id)
    return [
        mirror_events(parts, chain, name, bytes.fromhex(address[2:]))
        for name, address in named.items()
        if address is not None
    ]


def _known(parts: Parts, origin: str, source: tuple[str, int, bytes]) -> list[dict[str, Any]]:
    """Return what the log mirrors of one contract already, in log order."""
    statements = [SignedStatement.parse(entry.raw) for entry in parts.host.select(origin, kinds={KIND})]
    contents = parts.host.contents.get_many({one.payload for one in statements})
    found = [parse_content(contents[one.payload]).body for one in statements]
    return [body for body in found if (body["contract"], body["chain_id"], body["address"]) == source]
