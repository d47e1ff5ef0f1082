"""An act upon carbon-asset records as the journal tells it to callers: its words, and how far it has come.

Instants are milliseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from carbonseal_ledger.asset_acts import Act, ActKind, from_parameters
from carbonseal_ledger.asset_journal import AssetJournal
from carbonseal_ledger.asset_models import ActState, AssetAct


@dataclass(frozen=True, slots=True)
class ActRecord:
    """One act and how far it has come; block fields are None until it is mined.

    Attributes:
        act: the act in words.
        record: id of the record, None for the admin's acts.
        proposer, confirmer: addresses; the first is None for what one person does.
        proposal_transaction: the first person's newest, None before it is signed or when others proposed.
        transaction_hash: of the transaction that performed the act.
        log_index: of the event that says what changed.
        gas_used: None when others performed the act.
        problem, problem_code: what was last said against it, and the stable code if it was refused.
        is_held: whether it rests, once proposed, until the second person says so.
    """

    id: int
    act: Act
    kind: ActKind
    state: ActState
    act_hash: bytes
    record: bytes | None
    proposer: bytes | None
    confirmer: bytes
    proposal_transaction: bytes | None
    transaction_hash: bytes | None
    block_number: int | None
    block_hash: bytes | None
    block_at: int | None
    log_index: int | None
    gas_used: int | None
    problem: str | None
    problem_code: str | None
    is_held: bool


def told(journal: AssetJournal, act: AssetAct) -> ActRecord:
    """Return an act of the journal as callers see it."""
    (record,) = told_all(journal, [act])
    return record


def told_all(journal: AssetJournal, acts: Sequence[AssetAct]) -> list[ActRecord]:
    """Return acts of the journal as callers see them."""
    proposals = journal.proposals(acts)
    return [
        ActRecord(
            id=act.id,
            act=from_parameters(act.kind, act.parameters),
            kind=ActKind(act.kind),
            state=ActState(act.state),
            act_hash=act.act_hash,
            record=act.record,
            proposer=act.proposer,
            confirmer=act.confirmer,
            proposal_transaction=proposals.get(act.id),
            transaction_hash=act.transaction_hash,
            block_number=act.block_number,
            block_hash=act.block_hash,
            block_at=act.block_at,
            log_index=act.log_index,
            gas_used=act.gas_used,
            problem=act.problem,
            problem_code=act.problem_code,
            is_held=act.is_held,
        )
        for act in acts
    ]
