"""The asset journal's transactions with the database: each changes one act, and only as the caller saw it.

Every method is one PostgreSQL transaction. A nonce is handed out, and a raw transaction stored, under the
lock of the account's row, which the anchoring journal takes too; so two workers, or two journals, never hand
out one nonce or sign one act twice. It leaves out the chain and every decision (`asset_machine`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Engine, Select, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from carbonseal_attest.evm_proof import keccak256
from carbonseal_attest.instants import Clock
from carbonseal_ledger.anchoring_journal import UNUSED
from carbonseal_ledger.anchoring_models import AnchoringAccount
from carbonseal_ledger.asset_acts import SINGLE_KINDS, Act, ActKind, to_parameters
from carbonseal_ledger.asset_models import ActState, AssetAct, AssetTransaction, Leg
from carbonseal_ledger.carbon_assets_calls import act_bytes
from carbonseal_ledger.chain_answers import SignedTransaction

DONE: Final = (ActState.FINAL, ActState.FAILED)
SIGNED: Final = {Leg.PROPOSAL: ActState.PROPOSAL_SIGNED, Leg.CONFIRMATION: ActState.CONFIRM_SIGNED}
SENT: Final = {Leg.PROPOSAL: ActState.PROPOSAL_SENT, Leg.CONFIRMATION: ActState.CONFIRM_SENT}


@dataclass(frozen=True, slots=True)
class Unsigned:
    """What a transaction calls: contract (None creates it), calldata and gas limit."""

    to: bytes | None
    data: bytes
    gas: int


def act_hash_of(act: Act) -> bytes:
    """Return the hash by which an act is known, to the contract where two persons do it."""
    return keccak256(act_bytes(act))


def nonce_of(act: AssetAct, leg: Leg) -> int | None:
    """Return the nonce that an act's transaction has, None while it has none."""
    return act.proposal_nonce if leg == Leg.PROPOSAL else act.confirmation_nonce


class AssetJournal:
    """The acts on one chain."""

    def __init__(self, engine: Engine, clock: Clock, *, chain_id: int) -> None:
        self._engine = engine
        self._clock = clock
        self._chain_id = chain_id

    # -- reading

    def get(self, act_id: int) -> AssetAct | None:
        """Return an act by its number."""
        with self._session() as session:
            return session.get(AssetAct, act_id)

    def acts(self, *conditions: ColumnElement[bool]) -> list[AssetAct]:
        """Return acts in the order in which they were planned."""
        query = select(AssetAct).where(AssetAct.chain_id == self._chain_id, *conditions)
        with self._session() as session:
            return list(session.scalars(query.order_by(AssetAct.id)))

    def deployment(self) -> AssetAct | None:
        """Return the newest deployment that has not failed."""
        found = self.acts(AssetAct.kind == ActKind.DEPLOY, AssetAct.state != ActState.FAILED)
        return found[-1] if found else None

    def transactions(self, act: AssetAct, leg: Leg) -> list[AssetTransaction]:
        """Return the transactions of a leg's present nonce, the one with the highest fee first."""
        query = select(AssetTransaction).where(
            AssetTransaction.act_id == act.id,
            AssetTransaction.leg == leg,
            AssetTransaction.nonce == nonce_of(act, leg),
        )
        with self._session() as session:
            return list(session.scalars(query.order_by(AssetTransaction.max_fee_wei.desc())))

    def proposals(self, acts: Sequence[AssetAct]) -> dict[int, bytes]:
        """Return the hash of the newest transaction that proposes each act, by the act's number."""
        nonces = {act.id: act.proposal_nonce for act in acts if act.proposal_nonce is not None}
        if not nonces:
            return {}
        query = select(AssetTransaction).where(
            AssetTransaction.act_id.in_(nonces), AssetTransaction.leg == Leg.PROPOSAL
        )
        with self._session() as session:
            found = session.scalars(query.order_by(AssetTransaction.max_fee_wei)).all()
        return {one.act_id: one.transaction_hash for one in found if one.nonce == nonces[one.act_id]}

    # -- changing

    def plan(
        self,
        act: Act,
        *,
        contract: bytes | None,
        proposer: bytes | None,
        confirmer: bytes,
        at_block: int,
        is_held: bool,
    ) -> AssetAct:
        """Add an act, or return the one that was planned before; one that failed is planned anew."""
        now = self._clock()
        with self._locked(confirmer) as session:
            planned = session.scalars(self._same(act, contract).with_for_update()).first()
            if planned is None:
                planned = AssetAct(
                    chain_id=self._chain_id,
                    contract=contract,
                    act_hash=act_hash_of(act),
                    kind=act.kind,
                    parameters=to_parameters(act),
                    record=getattr(act, "record", None),
                    confirmer=confirmer,
                    planned_at=now,
                    state=ActState.FAILED,
                )
                session.add(planned)
            if planned.state == ActState.FAILED:
                planned.proposer, planned.confirmer = proposer, confirmer
                planned.is_held = is_held
                planned.state, planned.problem, planned.problem_code = ActState.PLANNED, None, None
                planned.proposal_nonce = planned.confirmation_nonce = None
                planned.attempts, planned.planned_block, planned.changed_at = 0, at_block, now
            session.flush()
            return planned

    def known(self, act: Act, contract: bytes | None) -> AssetAct | None:
        """Return the act if it was planned before."""
        with self._session() as session:
            return session.scalars(self._same(act, contract)).first()

    def sign(
        self,
        act: AssetAct,
        leg: Leg,
        account: bytes,
        call: Unsigned,
        *,
        first_nonce: Callable[[], int],
        sign: Callable[[int], SignedTransaction],
        address: Callable[[int], bytes],
    ) -> AssetAct:
        """Give a leg its account's next nonce, and store what `sign` makes of it before anybody sends it.

        `first_nonce` is asked for an account that no journal has ever used; `address` says where a deployment
        with a nonce will stand.
        """
        with self._locked(account) as session:
            mine, is_same = self._stored(session, act)
            if is_same:
                row = session.get_one(AnchoringAccount, (self._chain_id, account))
                nonce = first_nonce() if row.next_nonce == UNUSED else row.next_nonce
                row.next_nonce = nonce + 1
                if leg == Leg.PROPOSAL:
                    mine.proposal_nonce = nonce
                else:
                    mine.confirmation_nonce = nonce
                if mine.kind == ActKind.DEPLOY:
                    mine.contract = address(nonce)
                self._set(mine, state=SIGNED[leg], problem=None, problem_code=None)
                self._add(session, mine, leg, account, call, sign(nonce))
            return mine

    def replace(
        self, act: AssetAct, leg: Leg, account: bytes, call: Unsigned, transaction: SignedTransaction
    ) -> AssetAct:
        """Store a transaction with the same nonce and higher fees; the leg waits to be sent again."""
        with self._session() as session, session.begin():
            mine, is_same = self._stored(session, act)
            if is_same and nonce_of(mine, leg) == transaction.nonce:
                self._set(mine, state=SIGNED[leg])
                self._add(session, mine, leg, account, call, transaction)
            return mine

    def sent(self, act: AssetAct, transaction: AssetTransaction) -> AssetAct:
        """Note that the node took a transaction."""
        with self._session() as session, session.begin():
            mine, is_same = self._stored(session, act)
            stored = session.get_one(AssetTransaction, transaction.transaction_hash)
            if stored.sent_at is None:
                stored.sent_at = self._clock()
            if is_same:
                self._set(mine, state=SENT[Leg(stored.leg)], problem=None, problem_code=None)
            return mine

    def change(self, act: AssetAct, **fields: object) -> AssetAct:
        """Set fields of an act and return it as it then stands."""
        with self._session() as session, session.begin():
            mine, is_same = self._stored(session, act)
            if is_same:
                self._set(mine, **fields)
            return mine

    def complain(self, act: AssetAct, problem: str, code: str | None = None) -> AssetAct:
        """Keep what was said against an act that stays where it is."""
        return self.change(act, problem=problem[:1000], problem_code=code)

    def retry(self, act: AssetAct, leg: Leg, problem: str, *, next_nonce: int, most: int) -> AssetAct:
        """Do a leg anew whose nonce was used up without success; after `most` times the act has failed."""
        account = act.proposer if leg == Leg.PROPOSAL else act.confirmer
        with self._locked(account or act.confirmer) as session:
            mine, is_same = self._stored(session, act)
            if is_same:
                row = session.get_one(AnchoringAccount, (self._chain_id, account or act.confirmer))
                row.next_nonce = max(row.next_nonce, next_nonce)
                begins_anew = leg == Leg.PROPOSAL or mine.kind in SINGLE_KINDS
                state = ActState.PLANNED if begins_anew else ActState.PROPOSED
                if leg == Leg.PROPOSAL:
                    mine.proposal_nonce = None
                else:
                    mine.confirmation_nonce = None
                mine.attempts += 1
                self._set(
                    mine,
                    state=ActState.FAILED if mine.attempts >= most else state,
                    problem=problem,
                    problem_code=None,
                )
            return mine

    # -- inside

    def _add(
        self,
        session: Session,
        act: AssetAct,
        leg: Leg,
        account: bytes,
        call: Unsigned,
        transaction: SignedTransaction,
    ) -> None:
        values = {
            "transaction_hash": transaction.transaction_hash,
            "act_id": act.id,
            "leg": leg,
            "account": account,
            "nonce": transaction.nonce,
            "raw": transaction.raw,
            "data": call.data,
            "gas": call.gas,
            "max_fee_wei": transaction.fees.max_fee_wei,
            "max_priority_fee_wei": transaction.fees.max_priority_fee_wei,
            "signed_at": self._clock(),
        }
        session.execute(insert(AssetTransaction).values(values))

    def _set(self, act: AssetAct, **fields: object) -> None:
        for name, value in (fields | {"changed_at": self._clock()}).items():
            setattr(act, name, value)

    def _stored(self, session: Session, act: AssetAct) -> tuple[AssetAct, bool]:
        """Return the stored act, locked, and whether it still stands as the caller saw it."""
        stored = session.get_one(AssetAct, act.id, with_for_update=True)
        return stored, all(
            getattr(stored, name) == getattr(act, name)
            for name in ("state", "proposal_nonce", "confirmation_nonce", "attempts")
        )

    def _same(self, act: Act, contract: bytes | None) -> Select[AssetAct]:
        conditions = [AssetAct.chain_id == self._chain_id, AssetAct.act_hash == act_hash_of(act)]
        if act.kind == ActKind.DEPLOY:
            conditions.append(AssetAct.state != ActState.FAILED)  # a failed one has used up its address
        else:
            conditions.append(AssetAct.contract == contract)
        return select(AssetAct).where(*conditions)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def _locked(self, account: bytes) -> Iterator[Session]:
        """One transaction that holds the account's row."""
        key = (self._chain_id, account)
        with self._session() as session, session.begin():
            if session.get(AnchoringAccount, key, with_for_update=True) is None:
                row = {"chain_id": self._chain_id, "address": account, "next_nonce": UNUSED}
                session.execute(insert(AnchoringAccount).values(row).on_conflict_do_nothing())
                session.get_one(AnchoringAccount, key, with_for_update=True)
            yield session
