"""The anchoring journal's transactions with the database: each changes one step under the sender's lock.

Every method is one PostgreSQL transaction. Those that change something first lock the account's row, so that
two workers never hand out one nonce or sign one step twice, and they change a step only from the state in
which the caller saw it. It leaves out the chain and every decision (`anchoring`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from sqlalchemy import ColumnElement, Engine, Select, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from carbonseal_attest.instants import Clock
from carbonseal_ledger.anchoring_models import (
    AnchoringAccount,
    AnchoringStep,
    AnchoringTransaction,
    AnchorKind,
    AnchorState,
    FinalHead,
    StoredEvidence,
)
from carbonseal_ledger.chain_answers import Block, SignedTransaction

DONE = (AnchorState.FINAL, AnchorState.FAILED)
UNUSED = -1  # next nonce of an account that has not signed yet: the chain's count is the first
MINED = (AnchorState.MINED, AnchorState.SAFE, AnchorState.FINAL)


class Journal:
    """The journal of one chain, as the holder of one gas key writes it."""

    def __init__(self, engine: Engine, clock: Clock, *, chain_id: int, account: bytes) -> None:
        self._engine = engine
        self._clock = clock
        self._chain_id = chain_id
        self._account = account

    # -- reading

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

    def largest_size(self, contract: bytes, log_id: bytes, states: Collection[AnchorState]) -> int:
        """Return the largest size of a log that stands in one of these states, 0 when none does."""
        query = select(func.coalesce(func.max(AnchoringStep.new_size), 0)).where(
            AnchoringStep.chain_id == self._chain_id,
            AnchoringStep.contract == contract,
            AnchoringStep.log_id == log_id,
            AnchoringStep.state.in_(states),
        )
        with self._session() as session:
            return session.scalars(query).one()

    def has_failed_before(self, step: AnchoringStep) -> bool:
        """Whether a step of the same log that this one builds on has failed."""
        query = select(AnchoringStep.id).where(
            AnchoringStep.chain_id == self._chain_id,
            AnchoringStep.contract == step.contract,
            AnchoringStep.log_id == step.log_id,
            AnchoringStep.state == AnchorState.FAILED,
            AnchoringStep.new_size <= step.old_size,
        )
        with self._session() as session:
            return session.scalars(query.limit(1)).first() is not None

    def transactions(self, step: AnchoringStep) -> list[AnchoringTransaction]:
        """Return the transactions of the step's present nonce, the one with the highest fee first."""
        query = select(AnchoringTransaction).where(
            AnchoringTransaction.step_id == step.id,
            AnchoringTransaction.account == step.account,
            AnchoringTransaction.nonce == step.nonce,
        )
        with self._session() as session:
            found = session.scalars(query.order_by(AnchoringTransaction.max_fee_wei.desc())).all()
        return list(found)

    def finals(self) -> list[AnchoringStep]:
        """Return the final steps, the one in the newest block first."""
        steps = self._steps(AnchoringStep.state == AnchorState.FINAL)
        return sorted(steps, key=lambda step: step.block_number or 0, reverse=True)

    def newest_final(self) -> AnchoringStep | None:
        """Return the final step in the newest block."""
        query = select(AnchoringStep).where(
            AnchoringStep.chain_id == self._chain_id, AnchoringStep.state == AnchorState.FINAL
        )
        with self._session() as session:
            return session.scalars(query.order_by(AnchoringStep.block_number.desc()).limit(1)).first()

    def sends(self, nonce: int) -> bool:
        """Whether an unfinished step stands on this nonce of the account and will send it."""
        query = select(AnchoringStep.id).where(
            AnchoringStep.chain_id == self._chain_id,
            AnchoringStep.account == self._account,
            AnchoringStep.nonce == nonce,
            AnchoringStep.state.in_((AnchorState.SIGNED, AnchorState.SENT, AnchorState.REORGANISED)),
        )
        with self._session() as session:
            return session.scalars(query.limit(1)).first() is not None

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
        first_nonce: Callable[[], int],
        sign: Callable[[int], SignedTransaction],
        address: Callable[[int], bytes],
    ) -> AnchoringStep:
        """Give a planned step the next nonce, and store what `sign` makes of it before anybody sends it.

        `first_nonce` is asked for an account that this journal has never used; `address` says where a
        deployment with a nonce will stand.
        """
        with self._locked() as session:
            mine, is_same = self._stored(session, step)
            if is_same:
                account = session.get_one(AnchoringAccount, (self._chain_id, self._account))
                nonce = first_nonce() if account.next_nonce == UNUSED else account.next_nonce
                account.next_nonce = nonce + 1
                if mine.kind == AnchorKind.DEPLOY:
                    mine.contract = address(nonce)
                mine.account, mine.nonce = self._account, nonce
                mine.state, mine.problem = AnchorState.SIGNED, None
                mine.changed_at = self._clock()
                self._add_transaction(session, mine, sign(nonce))
            return mine

    def replace(self, step: AnchoringStep, transaction: SignedTransaction) -> AnchoringStep:
        """Store a transaction with the same nonce and higher fees; the step waits to be sent again."""
        with self._locked() as session:
            mine, is_same = self._stored(session, step)
            if is_same and mine.nonce == transaction.nonce:
                mine.state, mine.changed_at = AnchorState.SIGNED, self._clock()
                self._add_transaction(session, mine, transaction)
            return mine

    def fill_gap(self, step: AnchoringStep, transaction: SignedTransaction) -> AnchoringStep:
        """Give a signed step an earlier nonce that nothing else will use, and store its transaction there."""
        with self._locked() as session:
            mine, is_same = self._stored(session, step)
            if is_same:
                mine.nonce, mine.state = transaction.nonce, AnchorState.SIGNED
                mine.changed_at = self._clock()
                self._add_transaction(session, mine, transaction)
            return mine

    def sent(self, step: AnchoringStep, transaction: AnchoringTransaction) -> AnchoringStep:
        """Note that the node took a transaction."""
        with self._locked() as session:
            mine, is_same = self._stored(session, step)
            stored = session.get_one(AnchoringTransaction, transaction.transaction_hash)
            if stored.sent_at is None:
                stored.sent_at = self._clock()
            if is_same:
                mine.state, mine.problem, mine.changed_at = AnchorState.SENT, None, self._clock()
            return mine

    def mined(
        self,
        step: AnchoringStep,
        block: Block,
        *,
        transaction_hash: bytes | None = None,
        gas_used: int | None = None,
    ) -> AnchoringStep:
        """Note the block that holds the step, and our transaction in it unless others sent it."""
        return self._change(
            step,
            state=AnchorState.MINED,
            problem=None,
            block_number=block.number,
            block_hash=block.block_hash,
            block_at=block.block_at,
            transaction_hash=transaction_hash,
            gas_used=gas_used,
        )

    def reorganised(self, step: AnchoringStep) -> AnchoringStep:
        """Note that the step's block is no longer in the chain."""
        with self._locked() as session:
            mine, is_same = self._stored(session, step)
            if is_same:
                self._set_reorganised(mine)
            return mine

    def unfinalised(self, step: AnchoringStep, problem: str) -> AnchoringStep:
        """Note that a block went away that had been final, and forget what was kept as proof of it."""
        with self._locked() as session:
            mine, is_same = self._stored(session, step)
            if is_same:
                self._forget_evidence(session, mine)
                mine.final_losses += 1
                mine.problem = problem
                self._set_reorganised(mine)
            return mine

    def settle(self, step: AnchoringStep, state: AnchorState) -> AnchoringStep:
        """Move a mined step to safe or final."""
        return self._change(step, state=state)

    def retry(self, step: AnchoringStep, problem: str, *, next_nonce: int, most: int | None) -> AnchoringStep:
        """Plan a step anew that has to have another nonce.

        `most` says how many reverts of our own transactions are one too many: the step has then failed. None
        for what others did to it, which is never held against it.
        """
        with self._locked() as session:
            mine, is_same = self._stored(session, step)
            if is_same:
                account = session.get_one(AnchoringAccount, (self._chain_id, self._account))
                account.next_nonce = max(account.next_nonce, next_nonce)
                mine.attempts += 0 if most is None else 1
                has_failed = most is not None and mine.attempts >= most
                mine.state = AnchorState.FAILED if has_failed else AnchorState.PLANNED
                mine.nonce, mine.problem, mine.changed_at = None, problem, self._clock()
            return mine

    def revive(self, step: AnchoringStep) -> AnchoringStep:
        """Plan a failed step anew, with all its attempts."""
        return self._change(step, state=AnchorState.PLANNED, attempts=0)

    def complain(self, step: AnchoringStep, problem: str) -> AnchoringStep:
        """Keep what the chain said against a step that stays where it is."""
        return self._change(step, problem=problem[:1000])

    # -- inside

    def new_step(self, kind: AnchorKind, **fields: object) -> AnchoringStep:
        """Return a planned step of this account that is not stored yet."""
        now = self._clock()
        values: dict[str, object] = {"contract": None, "log_id": None, "old_size": 0, "new_size": 0}
        values |= {"root_hash": b"", "proof": b"", "attempts": 0, "final_losses": 0}
        values |= {"planned_at": now, "changed_at": now}
        identity = {"chain_id": self._chain_id, "account": self._account, "kind": kind}
        return AnchoringStep(**values | identity | {"state": AnchorState.PLANNED} | fields)

    def _set_reorganised(self, step: AnchoringStep) -> None:
        step.state, step.changed_at = AnchorState.REORGANISED, self._clock()
        step.block_number = step.block_hash = step.block_at = None
        step.transaction_hash = step.gas_used = None

    def _forget_evidence(self, session: Session, step: AnchoringStep) -> None:
        """Remove heads and proofs from the step's block on: their blocks are in the chain no more."""
        for table in (FinalHead, StoredEvidence):
            session.execute(
                delete(table).where(
                    table.chain_id == self._chain_id,
                    table.contract == step.contract,
                    table.log_id == step.log_id,
                    table.block_number >= step.block_number,
                )
            )

    def _add_transaction(self, session: Session, step: AnchoringStep, transaction: SignedTransaction) -> None:
        values = {
            "transaction_hash": transaction.transaction_hash,
            "step_id": step.id,
            "account": step.account,
            "nonce": transaction.nonce,
            "raw": transaction.raw,
            "max_fee_wei": transaction.fees.max_fee_wei,
            "max_priority_fee_wei": transaction.fees.max_priority_fee_wei,
            "signed_at": self._clock(),
        }
        # The same bytes may be signed again for a nonce that came free again: they are one transaction.
        session.execute(insert(AnchoringTransaction).values(values).on_conflict_do_nothing())

    def _change(self, step: AnchoringStep, **fields: object) -> AnchoringStep:
        """Set fields of a step and return it as it then stands."""
        with self._locked() as session:
            mine, is_same = self._stored(session, step)
            if is_same:
                for name, value in (fields | {"changed_at": self._clock()}).items():
                    setattr(mine, name, value)
            return mine

    def _stored(self, session: Session, step: AnchoringStep) -> tuple[AnchoringStep, bool]:
        """Return the stored step, locked, and whether it still stands as the caller saw it."""
        stored = session.get_one(AnchoringStep, step.id, with_for_update=True)
        return stored, (stored.state, stored.nonce) == (step.state, step.nonce)

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
        key = (self._chain_id, self._account)
        with self._session() as session, session.begin():
            if session.get(AnchoringAccount, key, with_for_update=True) is None:
                row = {"chain_id": self._chain_id, "address": self._account, "next_nonce": UNUSED}
                session.execute(insert(AnchoringAccount).values(row).on_conflict_do_nothing())
                session.get_one(AnchoringAccount, key, with_for_update=True)
            yield session
