"""Keeps what reconciliations find until a person has looked at it, and says what is blocked meanwhile.

A disagreement blocks from the moment it is found until a named person acknowledges it with a reason, also
when it has gone away by itself; one that comes back has to be looked at again, and one whose facts change is
another one. Acknowledging hides nothing: what is still there is shown as still there, with who looked and
why. It leaves out comparing (`reconciliation`) and what is blocked (the service).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from carbonseal_attest.instants import Clock
from carbonseal_ledger.errors import LedgerError
from carbonseal_ledger.reconciliation import Disagreement
from carbonseal_ledger.reconciliation_models import Acknowledgement, FoundDisagreement, ReconciliationRun

_logger = logging.getLogger(__name__)
_MAX_DETAIL: Final = 2000  # characters kept of a detail
_MAX_WORDS: Final = 500  # characters of a person's name or reason
_MIN_REASON: Final = 10
_LOCK: Final = 4_201_907  # PostgreSQL advisory lock: one writer of the book at a time


class DisagreementUnknown(LedgerError):
    """No disagreement has that id."""

    code = "disagreement-unknown"


class AcknowledgementInvalid(LedgerError):
    """An acknowledgement names no person or no reason, or there is nothing to look at."""

    code = "acknowledgement-invalid"


@dataclass(frozen=True, slots=True)
class Look:
    """Who looked at a disagreement, when, and why it may go on."""

    at: int
    person: str
    reason: str
    was_present: bool


@dataclass(frozen=True, slots=True)
class KeptDisagreement:
    """A disagreement as the book has it; `blocks` until somebody has looked since it last appeared."""

    id: str
    area: str
    code: str
    subject: str
    detail: str
    first_seen_at: int
    last_seen_at: int
    is_present: bool
    blocks: bool
    looks: tuple[Look, ...]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run; `missing` names what could not be asked."""

    began_at: int
    ended_at: int
    logs: int
    present: int
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BookStanding:
    """How reconciliation stands: the newest run, the newest complete one, and how many disagreements."""

    newest: RunRecord | None
    complete_at: int | None
    present: int
    blocking: int


class ReconciliationBook:
    """The book of one deployment. Safe to use from several processes."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def note(self, found: Sequence[Disagreement], *, areas: Collection[str]) -> list[str]:
        """Keep what a comparison of whole areas found, and return the ids that nobody has looked at.

        What the book has of these areas and the comparison did not find is noted as gone.
        """
        now = self._clock()
        ids = {one.id for one in found}
        with Session(self._engine) as session, session.begin():
            self._lock(session)
            for one in found:
                self._found(session, one, now)
            gone = update(FoundDisagreement).where(
                FoundDisagreement.area.in_(list(areas)),
                FoundDisagreement.id.not_in(ids),
                FoundDisagreement.is_present,
            )
            session.execute(gone.values(is_present=False))
        return [one.id for one in self.blocking() if one.id in ids]

    def ran(self, began_at: int, *, logs: int, present: int, missing: Sequence[str]) -> RunRecord:
        """Keep that a run has ended."""
        ended_at = self._clock()
        row = ReconciliationRun(
            began_at=began_at, ended_at=ended_at, logs=logs, present=present, missing="\n".join(missing)
        )
        with Session(self._engine) as session, session.begin():
            session.add(row)
        return RunRecord(began_at, ended_at, logs, present, tuple(missing))

    def acknowledge(self, disagreement: str, *, person: str, reason: str) -> KeptDisagreement:
        """Note that a person has looked at a disagreement; what it blocked goes on.

        Raises:
            DisagreementUnknown: there is none of that id.
            AcknowledgementInvalid: no name, a reason of less than ten characters, or somebody has looked.
        """
        person, reason = person.strip(), reason.strip()
        if not 2 <= len(person) <= _MAX_WORDS:
            raise AcknowledgementInvalid("by", "names nobody", "give the name of the person who has looked")
        if not _MIN_REASON <= len(reason) <= _MAX_WORDS:
            words = f"say in {_MIN_REASON} to {_MAX_WORDS} characters what was found and done"
            raise AcknowledgementInvalid("reason", "says too little or too much", words)
        now = self._clock()
        with Session(self._engine) as session, session.begin():
            self._lock(session)
            row = session.get(FoundDisagreement, disagreement)
            if row is None:
                raise DisagreementUnknown(
                    "id", f"{disagreement} is none", "list them: carbonseal reconcile show"
                )
            if row.acknowledged_at is not None:
                raise AcknowledgementInvalid(
                    "id", "somebody has looked since it appeared", "see carbonseal reconcile show"
                )
            row.acknowledged_at = now
            session.add(
                Acknowledgement(
                    disagreement_id=row.id,
                    acknowledged_at=now,
                    person=person,
                    reason=reason,
                    detail=row.detail,
                    was_present=row.is_present,
                )
            )
            detail = row.detail
        _logger.warning("%s acknowledged %s (%s): %s", person, disagreement, detail, reason)
        return next(one for one in self.disagreements() if one.id == disagreement)

    def is_blocking(self) -> bool:
        """Whether there is a disagreement that nobody has looked at."""
        query = select(FoundDisagreement.id).where(FoundDisagreement.acknowledged_at.is_(None))
        with Session(self._engine) as session:
            return session.scalars(query.limit(1)).first() is not None

    def blocking(self) -> list[KeptDisagreement]:
        """Return the disagreements that nobody has looked at, oldest first."""
        return [one for one in self.disagreements() if one.blocks]

    def disagreements(self) -> list[KeptDisagreement]:
        """Return every disagreement that is there or was, oldest first, with everybody who looked."""
        looks: dict[str, list[Look]] = {}
        with Session(self._engine) as session:
            for look in session.scalars(select(Acknowledgement).order_by(Acknowledgement.id)):
                told = Look(look.acknowledged_at, look.person, look.reason, look.was_present)
                looks.setdefault(look.disagreement_id, []).append(told)
            query = select(FoundDisagreement).order_by(FoundDisagreement.first_seen_at, FoundDisagreement.id)
            return [_kept(row, looks.get(row.id, [])) for row in session.scalars(query)]

    def standing(self) -> BookStanding:
        """Return how reconciliation stands."""
        runs = select(ReconciliationRun).order_by(ReconciliationRun.id.desc())
        present, blocking = FoundDisagreement.is_present, FoundDisagreement.acknowledged_at.is_(None)
        count = select(func.count()).select_from(FoundDisagreement)
        with Session(self._engine) as session:
            newest = session.scalars(runs.limit(1)).first()
            complete = session.scalars(runs.where(ReconciliationRun.missing == "").limit(1)).first()
            return BookStanding(
                None if newest is None else _run(newest),
                None if complete is None else complete.ended_at,
                session.scalars(count.where(present)).one(),
                session.scalars(count.where(blocking)).one(),
            )

    def _found(self, session: Session, one: Disagreement, now: int) -> None:
        row = session.get(FoundDisagreement, one.id)
        detail = one.detail[:_MAX_DETAIL]
        if row is None:
            _logger.error("%s of %s: %s (%s)", one.code, one.subject, detail, one.id)
            row = FoundDisagreement(
                id=one.id, area=one.area, code=one.code, subject=one.subject, first_seen_at=now
            )
            session.add(row)
        elif not row.is_present:
            _logger.error("again %s of %s: %s (%s)", one.code, one.subject, detail, one.id)
            row.acknowledged_at = None
        row.detail, row.last_seen_at, row.is_present = detail, now, True

    def _lock(self, session: Session) -> None:
        session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _kept(row: FoundDisagreement, looks: Sequence[Look]) -> KeptDisagreement:
    return KeptDisagreement(
        row.id,
        row.area,
        row.code,
        row.subject,
        row.detail,
        row.first_seen_at,
        row.last_seen_at,
        row.is_present,
        row.acknowledged_at is None,
        tuple(looks),
    )


def _run(row: ReconciliationRun) -> RunRecord:
    missing = tuple(row.missing.splitlines())
    return RunRecord(row.began_at, row.ended_at, row.logs, row.present, missing)
