"""Takes acts on carbon-asset records from proposal to mirror statement, always through two persons.

The holder's person proposes, the registrar's confirms; they have different parties, credentials and accounts
on the chain. Between the two an act rests. Confirming runs it until it is mined and writes its mirror
statement; what a killed process leaves half done, `step` finishes. Nothing moves while contract, database and
log disagree.

Freezes need no person: an impact statement that marks a verification report is reason enough to stop what
rests on it. Lifting one takes two again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from carbonseal_api.assembly import Parts
from carbonseal_api.assets import acts, queries, refusals
from carbonseal_api.assets.acts import Act
from carbonseal_api.assets.agreement import require_agreement
from carbonseal_api.assets.chain import DONE, UNSIGNED, AssetChain, account_name
from carbonseal_api.assets.mirroring import mirror_confirmed
from carbonseal_api.assets.models import AssetAct
from carbonseal_api.assets.opinion_checks import find_opinion
from carbonseal_api.assets.record_checks import check_act
from carbonseal_api.assets.wishes import Wish, act_of, standing_act
from carbonseal_api.authentication import Principal
from carbonseal_api.problems import NotFound, PartMissing
from carbonseal_attest.merkle import leaf_hash
from carbonseal_ledger.asset_acts import (
    Cancel,
    Freeze,
    Move,
    Record,
    RecordAct,
    Release,
    Retire,
    Split,
    Surrender,
)
from carbonseal_ledger.asset_book import ActRecord, ActState
from carbonseal_ledger.carbon_assets import AssetsNotReady
from carbonseal_ledger.chain_answers import ChainRefused, ChainUnreachable

_logger = logging.getLogger(__name__)
_ENDS: Final[Mapping[str, type[Retire | Surrender | Cancel]]] = {
    acts.RETIRE: Retire,
    acts.SURRENDER: Surrender,
    acts.CANCEL: Cancel,
}


@dataclass(frozen=True, slots=True)
class Actor:
    """A person at one side of an act: for which party, and by which credential of it."""

    party: str
    credential: str

    @classmethod
    def of(cls, principal: Principal) -> Actor:
        """Return the actor that a caller of the service is."""
        return cls(principal.party, principal.key_id)

    @classmethod
    def at_desk(cls, party: str) -> Actor:
        """Return the actor that a command acts for: whoever may open the party's key file."""
        return cls(party, f"desk:{party}")


def propose(parts: Parts, actor: Actor, wish: Wish) -> AssetAct:
    """Propose an act for the actor's party, and return it once the chain has the proposal.

    The same wish again, while it waits, returns the act that waits.

    Raises:
        AssetRefused: Something speaks against it; nothing was sent.
        NotFound: The party has no such record.
        PartMissing: The party's keys are elsewhere.
        ChainUnreachable: The node does not answer; what was planned goes on by itself.
    """
    chain = _ready(parts)
    act = act_of(parts, wish, actor.party)
    require_agreement(parts, chain, for_party=actor.party)
    check_act(parts, act)
    return _proposed(parts, chain, actor, act)


def confirm(parts: Parts, actor: Actor, act_id: str) -> AssetAct:
    """Confirm an act as the registrar, run it until it is mined, and mirror it. Twice changes nothing.

    Everything that was checked when it was proposed is checked again: days may have passed.

    Raises:
        NotFound: There is no such act.
        NotRegistrar, SamePerson: The actor may not confirm it.
        ActNotOpen: It has failed.
        AssetRefused: Something speaks against it now; the proposal stays as it is.
    """
    row = _stored(parts, act_id)
    chain = chain_of(parts)
    _check_second_person(parts, actor, row)
    if row.confirmer_party is None or chain.act(act_id).state in UNSIGNED:
        _ready(parts)
        require_agreement(parts, chain)
        _check_open(chain.act(act_id))
        check_act(parts, Act.from_json(row.act))
        queries.confirmed_by(parts.engine, act_id, actor.party, actor.credential, parts.clock())
    chain.confirm(act_id)
    told = chain.advance(act_id, DONE)
    if told.state is ActState.FAILED:
        raise refusals.ActNotOpen(
            "id", told.problem or "the chain refused it", "propose it anew once that is mended"
        )
    mirror_confirmed(parts, chain)
    return _stored(parts, act_id)


def step(parts: Parts) -> int:
    """Take the next steps of all acts and write what mirrors are missing; return how many are unfinished."""
    if parts.assets is None:
        return 0
    return complete(parts, parts.assets)


def complete(parts: Parts, chain: AssetChain) -> int:
    """Finish what a killed process left: confirmations, transactions, mirror statements."""
    if not chain.prepare():
        return 0
    for row in queries.acts(parts.engine, unmirrored=True):
        told = chain.act(row.act_id)
        if told.state is ActState.FAILED:
            queries.failed(parts.engine, row.act_id, told.problem or "the chain refused it")
        elif row.confirmer_party is not None:
            _go_on(parts, chain, row, told)
    left = chain.step()
    return left + len(mirror_confirmed(parts, chain))


def _go_on(parts: Parts, chain: AssetChain, row: AssetAct, told: ActRecord) -> None:
    """Let a confirmed act go on, unless something has come to speak against it before it was signed.

    The node may have been away for long since; the registrar's person then confirms it anew, or never.
    """
    if row.kind != acts.FREEZE and told.state in UNSIGNED:
        if parts.holding.book.is_blocking():
            return  # it waits where it is: freezing goes on, moving does not
        try:
            check_act(parts, Act.from_json(row.act))
        except refusals.AssetRefused as refusal:
            _logger.warning("act %s waits to be confirmed anew: %s", row.act_id, refusal)
            chain.hold(row.act_id)
            if chain.act(row.act_id).is_held:
                queries.unconfirmed(parts.engine, row.act_id)
            return
    chain.confirm(row.act_id)


def records_resting_on(parts: Parts, verification_report: bytes) -> list[tuple[bytes, str]]:
    """Return the live records that rest on a verification report, with their holders."""
    rows = queries.records_of_report(parts.engine, parts.registrar, verification_report)
    return [(bytes(row["record"]), str(row["holder"])) for row in rows]


def freeze_for(parts: Parts, verification_report: bytes, cause: bytes) -> list[bytes]:
    """Freeze each live record that rests on a verification report, and return those frozen for the cause.

    `cause` is the digest of the impact statement that marks the report. The same again changes nothing. A
    chain that does not answer gives an empty list: it is to be tried again, and until then movements of these
    records are refused because of the impact itself.
    """
    if parts.assets is None:
        return []
    chain = parts.assets
    try:
        complete(parts, chain)
        for record, holder in records_resting_on(parts, verification_report):
            causes = queries.standing_causes(parts.engine, parts.registrar, [record])
            if cause not in causes.get(record, []):
                try:
                    _frozen(
                        parts, chain, Actor(parts.registrar, f"impact:{cause.hex()}"), record, holder, cause
                    )
                except refusals.AssetRefused as refusal:
                    # A row that the chain contradicts must not keep the others from being frozen.
                    _logger.warning("record %s is not frozen: %s", record.hex(), refusal)
        mirror_confirmed(parts, chain)
    except (ChainUnreachable, ChainRefused, AssetsNotReady) as problem:
        _logger.warning("a freeze waits: %s", problem)
        return []
    live = [record for record, _ in records_resting_on(parts, verification_report)]
    causes = queries.standing_causes(parts.engine, parts.registrar, live)
    return [record for record in live if cause in causes.get(record, [])]


def release_for(parts: Parts, verification_report: bytes, cure: bytes) -> list[str]:
    """Propose the release of each record that was frozen for what `cure` cures; return the acts' ids.

    `cure` is the digest of the impact statement that says so. The holder's account proposes; the registrar's
    person confirms each act, as any other. The same again returns the acts that wait.
    """
    cause = queries.cause_cured_by(parts.engine, parts.host_party, cure)
    if parts.assets is None or cause is None:
        return []
    chain = parts.assets
    ids: list[str] = []
    try:
        complete(parts, chain)
        for record, holder in records_resting_on(parts, verification_report):
            causes = queries.standing_causes(parts.engine, parts.registrar, [record])
            if cause in causes.get(record, []):
                standing = standing_act(parts, record, acts.RELEASE, holder)
                act = standing.with_(reference=cause.hex(), cure=cure.hex())
                check_act(parts, act)
                ids.append(_proposed(parts, chain, Actor(holder, f"impact:{cure.hex()}"), act).act_id)
    except (ChainUnreachable, ChainRefused, AssetsNotReady) as problem:
        _logger.warning("a release waits: %s", problem)
    return ids


def _ready(parts: Parts) -> AssetChain:
    """Return the chain side with everything finished that was half done.

    Raises:
        AssetsNotOffered: This deployment has none.
        AssetsNotReady: LogAnchor, to which the contract is bound, is not founded yet.
    """
    chain = chain_of(parts)
    if not chain.prepare():
        raise AssetsNotReady("chain", "the log of logs is not open on it yet", "try again in a moment")
    complete(parts, chain)
    return chain


def chain_of(parts: Parts) -> AssetChain:
    """Return the chain side of carbon-asset records.

    Raises:
        AssetsNotOffered: This deployment has none.
    """
    if parts.assets is None:
        raise refusals.AssetsNotOffered(
            "chain",
            "this deployment keeps no carbon-asset records",
            "run it with a chain whose id stands in `asset_chain_ids`",
        )
    return parts.assets


def chain_act(parts: Parts, act: Act) -> RecordAct:
    """Return an act as the ledger's journal takes it.

    Raises:
        OpinionUnknown: A record names a verification report that is in no log.
    """
    record, reference = act.record, act.reference or ""
    match act.kind:
        case acts.RECORD:
            entry = find_opinion(parts, act.verification_report).entry
            units = (act.registry, act.batch, act.first, act.last, act.holder)
            return Record(*units, entry.origin, entry.digest, leaf_hash(entry.raw))
        case acts.SPLIT:
            return Split(record, act.last_of_left or 0)
        case acts.MOVE:
            return Move(record, act.to or "", reference)
        case acts.FREEZE:
            return Freeze(record, bytes.fromhex(reference))
        case acts.RELEASE:
            return Release(record, bytes.fromhex(reference), bytes.fromhex(act.cure or ""))
        case _:
            return _ENDS[act.kind](record, reference)


def _proposed(parts: Parts, chain: AssetChain, actor: Actor, act: Act) -> AssetAct:
    if not _may_act_for(parts, chain, act.holder):
        raise PartMissing(
            f"keys/{account_name(act.holder)}.key", "is not here", "propose where the holder's keys are"
        )
    # A receiver whose keys are elsewhere joins there; the contract refuses a move to nobody's account.
    for party in filter(None, (act.holder, act.to)):
        if _may_act_for(parts, chain, party):
            chain.join(party)
    told = chain.plan(chain_act(parts, act))
    row = queries.add_act(parts.engine, _row(told, act, actor, parts.clock()))
    chain.advance(row.act_id, (ActState.PROPOSED, *DONE))
    return row


def _frozen(parts: Parts, chain: AssetChain, actor: Actor, record: bytes, holder: str, cause: bytes) -> None:
    act = standing_act(parts, record, acts.FREEZE, holder).with_(reference=cause.hex())
    told = chain.plan(chain_act(parts, act))
    row = _row(told, act, actor, parts.clock())
    row.confirmer_party, row.confirmer_credential = actor.party, actor.credential
    row.confirmed_at = row.proposed_at
    chain.advance(queries.add_act(parts.engine, row).act_id, DONE)


def _may_act_for(parts: Parts, chain: AssetChain, party: str) -> bool:
    return party in chain.accounts or parts.desks.is_here(party)


def _row(told: ActRecord, act: Act, actor: Actor, at: int) -> AssetAct:
    return AssetAct(
        act_id=str(told.id),
        kind=act.kind,
        record=act.record,
        holder=act.holder,
        act=act.to_json(),
        proposer_party=actor.party,
        proposer_credential=actor.credential,
        proposed_at=at,
        confirmer_party=None,
        confirmer_credential=None,
        confirmed_at=None,
        statement_digest=None,
    )


def _check_second_person(parts: Parts, actor: Actor, row: AssetAct) -> None:
    is_same = actor.party == row.proposer_party or actor.credential == row.proposer_credential
    if is_same or actor.party == row.holder:
        raise refusals.SamePerson(
            "authorization",
            "who proposed an act, or holds the units, does not confirm it",
            "have the registrar's person confirm it",
        )
    if actor.party != parts.registrar:
        raise refusals.NotRegistrar(
            "authorization", "only the registrar confirms", "have the registrar's person confirm it"
        )


def _check_open(told: ActRecord) -> None:
    if told.state is ActState.FAILED:
        raise refusals.ActNotOpen("id", told.problem or "the act has failed", "propose it anew")


def _stored(parts: Parts, act_id: str) -> AssetAct:
    row = queries.act(parts.engine, act_id)
    if row is None:
        raise NotFound("id", "no such act", "list them with GET /assets/acts")
    return row
