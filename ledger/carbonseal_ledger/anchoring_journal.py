"""The anchoring journal's transactions with the database: each changes one step under the sender's lock.

Every method is one PostgreSQL transaction. Those that change something first lock the account's row, so that
two workers never hand out one nonce or sign one step twice, and they change a step only from the state in
which the caller saw it. It leaves out the chain and every decision (`anchoring`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import ColumnElement, Engine, Select, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from carbonseal_attest.instants import Clock
from carbonseal_ledger.anchoring_models import (
    AnchoringAccount,
    AnchoringStep,
    AnchoringTransaction,
    AnchorKind,
    AnchorState,
)
from carbonseal_ledger.chain_answers import Block, SignedTransaction

DONE = (AnchorState.FINAL, AnchorState.FAILED)
_UNUSED = -1  # next nonce of an account that has not signed yet: the chain's count is the first
MINED = (AnchorState.MINED, AnchorState.SAFE, AnchorState.FINAL)


class Journal:
    """The journal of one chain, as the holder of one gas key writes it."""

    def __init__(self, engine: Engine, clock: Clock, *, chain_id: int, account: bytes) -> None:
        self._engine = engine
        self._clock = clock
        self._chain_id = chain_id
        self._account = account

    # -- reading

    def step(self, step_id: int) -> AnchoringStep:
        """Return a step as it stands now."""
        with self._session() as session:
            return session.get_one(AnchoringStep, step_id)

    def unfinished(self) -> list[AnchoringStep]:
        """Return the steps that are neither final nor failed, in the order in which they were planned."""
        return self._steps(AnchoringStep.state.not_in(DONE))

    def deployment(self) -> AnchoringStep | None:
        """Return the newest deployment that has not failed."""
        return self._newest(AnchoringStep.kind == AnchorKind.DEPLOY)

    def opening(self, contract: bytes) -> AnchoringStep | None:
        """Return the newest opening in a contract that has not failed."""
        return self._newest(AnchoringStep.kind == AnchorKind.OPEN, AnchoringStep.contract == contract)

    def of_log(self, contract: bytes, log_id: bytes) -> list[AnchoringStep]:
        """Return a log's opening and advances, by size."""
        steps = self._steps(AnchoringStep.contract == contract, AnchoringStep.log_id == log_id)
        return sorted(steps, key=lambda step: step.new_size)

    def has_failed_before(self, step: AnchoringStep) -> bool:
        """Whether a step of the same log that this one builds on has failed."""
        if step.contract is None or step.log_id is None:
            return False
        earlier = (s for s in self.of_log(step.contract, step.log_id) if s.new_size <= step.old_size)
        return any(s.state == AnchorState.FAILED for s in earlier)

    def transactions(self, step: AnchoringStep) -> list[AnchoringTransaction]:
        """Return the transactions of the step's present nonce, the one with the highest fee first."""
        query = select(AnchoringTransaction).where(
            AnchoringTransaction.step_id == step.id, AnchoringTransaction.nonce == step.nonce
        )
        with self._session() as session:
            found = session.scalars(query.order_by(AnchoringTransaction.max_fee_wei.desc())).all()
        return list(found)

    # -- changing

    def plan(self, step: AnchoringStep) -> AnchoringStep:
        """Add a planned step and return it, or the one that another worker planned for the same size."""
        same = [AnchoringStep.kind == step.kind, AnchoringStep.new_size == step.new_size]
        if step.kind != AnchorKind.DEPLOY:
            same += [AnchoringStep.contract == step.contract, AnchoringStep.log_id == step.log_id]
        with self._locked() as session:
            query = self._select(AnchoringStep.state != AnchorState.FAILED, *same)
            planned = session.scalars(query).first()
            if planned is not None:
                return planned
            session.add(step)
            session.flush()
            return step

    def sign(
        self,
        step: AnchoringStep,
        *,
        first_nonce: int,
        sign: Callable[[int], SignedTransaction],
        address: Callable[[int], bytes],
    ) -> None:
        """Give a planned step the next nonce, and store what `sign` makes of it before anybody sends it.

        `first_nonce` counts only for an account that this journal has never used; `address` says where a
        deployment with a nonce will stand.
        """
        with self._locked() as session:
            mine = self._same(session, step)
            if mine is None:
                return
            account = session.get_one(AnchoringAccount, (self._chain_id, self._account))
            nonce = first_nonce if account.next_nonce == _UNUSED else account.next_nonce
            account.next_nonce = nonce + 1
            if mine.kind == AnchorKind.DEPLOY:
                mine.contract = address(nonce)
            mine.account, mine.nonce = self._account, nonce
            mine.state, mine.problem = AnchorState.SIGNED, None
            mine.changed_at = self._clock()
            self._add_transaction(session, mine, sign(nonce))

    def replace(self, step: AnchoringStep, transaction: SignedTransaction) -> None:
        """Store a transaction with the same nonce and higher fees; the step waits to be sent again."""
        with self._locked() as session:
            mine = self._same(session, step)
            if mine is None or mine.nonce != transaction.nonce:
                return
            mine.state, mine.changed_at = AnchorState.SIGNED, self._clock()
            self._add_transaction(session, mine, transaction)

    def sent(self, step: AnchoringStep, transaction: AnchoringTransaction) -> None:
        """Note that the node took a transaction."""
        with self._locked() as session:
            mine = self._same(session, step)
            stored = session.get_one(AnchoringTransaction, transaction.transaction_hash)
            if stored.sent_at is None:
                stored.sent_at = self._clock()
            if mine is not None:
                mine.state, mine.problem, mine.changed_at = AnchorState.SENT, None, self._clock()

    def mined(
        self,
        step: AnchoringStep,
        block: Block,
        *,
        transaction_hash: bytes | None = None,
        gas_used: int | None = None,
    ) -> None:
        """Note the block that holds the step, and our transaction in it unless others sent it."""
        with self._locked() as session:
            mine = self._same(session, step)
            if mine is None:
                return
            mine.state, mine.problem, mine.changed_at = AnchorState.MINED, None, self._clock()
            mine.block_number, mine.block_hash, mine.block_at = block.number, block.block_hash, block.block_at
            mine.transaction_hash, mine.gas_used = transaction_hash, gas_used

    def reorganised(self, step: AnchoringStep) -> None:
        """Note that the step's block is no longer in the chain."""
        with self._locked() as session:
            mine = self._same(session, step)
            if mine is None:
                return
            mine.state, mine.changed_at = AnchorState.REORGANISED, self._clock()
            mine.block_number = mine.block_hash = mine.block_at = None
            mine.transaction_hash = mine.gas_used = None

    def settle(self, step: AnchoringStep, state: AnchorState) -> None:
        """Move a mined step to safe or final."""
        with self._locked() as session:
            mine = self._same(session, step)
            if mine is not None:
                mine.state, mine.changed_at = state, self._clock()

    def retry(self, step: AnchoringStep, problem: str, *, next_nonce: int, most: int) -> None:
        """Plan a step anew whose nonce was used up without success; after `most` times it has failed."""
        with self._locked() as session:
            mine = self._same(session, step)
            if mine is None:
                return
            account = session.get_one(AnchoringAccount, (self._chain_id, self._account))
            account.next_nonce = max(account.next_nonce, next_nonce)
            mine.attempts += 1
            mine.state = AnchorState.FAILED if mine.attempts >= most else AnchorState.PLANNED
            mine.nonce, mine.problem, mine.changed_at = None, problem, self._clock()

    def revive(self, step: AnchoringStep) -> None:
        """Plan a failed step anew, with all its attempts."""
        with self._locked() as session:
            mine = self._same(session, step)
            if mine is not None:
                mine.state, mine.attempts, mine.changed_at = AnchorState.PLANNED, 0, self._clock()

    def complain(self, step: AnchoringStep, problem: str) -> None:
        """Keep what the chain said against a step that stays where it is."""
        with self._locked() as session:
            mine = self._same(session, step)
            if mine is not None:
                mine.problem = problem[:1000]

    # -- inside

    def new_step(self, kind: AnchorKind, **fields: object) -> AnchoringStep:
        """Return a planned step of this account that is not stored yet."""
        now = self._clock()
        values: dict[str, object] = {"contract": None, "log_id": None, "old_size": 0, "new_size": 0}
        values |= {"root_hash": b"", "proof": b"", "attempts": 0, "planned_at": now, "changed_at": now}
        identity = {"chain_id": self._chain_id, "account": self._account, "kind": kind}
        return AnchoringStep(**values | identity | {"state": AnchorState.PLANNED} | fields)

    def _add_transaction(self, session: Session, step: AnchoringStep, transaction: SignedTransaction) -> None:
        values = {
            "transaction_hash": transaction.transaction_hash,
            "step_id": step.id,
            "nonce": transaction.nonce,
            "raw": transaction.raw,
            "max_fee_wei": transaction.fees.max_fee_wei,
            "max_priority_fee_wei": transaction.fees.max_priority_fee_wei,
            "signed_at": self._clock(),
        }
        session.execute(insert(AnchoringTransaction).values(values))

    def _same(self, session: Session, step: AnchoringStep) -> AnchoringStep | None:
        """Return the stored step if it still stands as the caller saw it; others may have moved it."""
        stored = session.get_one(AnchoringStep, step.id, with_for_update=True)
        return stored if (stored.state, stored.nonce) == (step.state, step.nonce) else None

    def _select(self, *conditions: ColumnElement[bool]) -> Select[AnchoringStep]:
        # Of whatever gas key: a log outlives the key that pays.
        here = AnchoringStep.chain_id == self._chain_id
        return select(AnchoringStep).where(here, *conditions).order_by(AnchoringStep.id)

    def _steps(self, *conditions: ColumnElement[bool]) -> list[AnchoringStep]:
        with self._session() as session:
            return list(session.scalars(self._select(*conditions)).all())

    def _newest(self, *conditions: ColumnElement[bool]) -> AnchoringStep | None:
        steps = self._steps(AnchoringStep.state != AnchorState.FAILED, *conditions)
        return steps[-1] if steps else None

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def _locked(self) -> Iterator[Session]:
        """One transaction that holds the account's row."""
        row = {"chain_id": self._chain_id, "address": self._account, "next_nonce": _UNUSED}
        with self._session() as session, session.begin():
            session.execute(insert(AnchoringAccount).values(row).on_conflict_do_nothing())
            session.get_one(AnchoringAccount, (self._chain_id, self._account), with_for_update=True)
            yield session
