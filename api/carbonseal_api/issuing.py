"""The desk of one party: signs its statements in stream order and has them registered.

It runs where the party's key is: with the enterprise, the registrar or the verification body, never on the
log host. Statements of gateways go through the collector's spool instead. An answer other than accepted or
duplicate is raised, and the stream does not move.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from carbonseal_api.founding import seal
from carbonseal_api.problems import STATUS_BY_CODE, ApiError
from carbonseal_attest.contents import KINDS
from carbonseal_attest.instants import Clock
from carbonseal_attest.signing import Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.outcomes import Head, Outcome, Status, StreamHead, Submission

Register = Callable[[str, Sequence[Submission]], Sequence[Outcome]]
ReadHead = Callable[[str], Head]
ReadStreams = Callable[[str, bytes], Sequence[StreamHead]]


class StatementRefused(ApiError):
    """The log refused a party's statement; code, field, reason and remedy are the log's own."""

    code = "statement-refused"
    status = 422

    def __init__(self, outcome: Outcome) -> None:
        problem = outcome.problem
        if problem is None:
            super().__init__(
                "statement", "was neither accepted nor refused", "ask the log host what became of it"
            )
            return
        super().__init__(problem.field, problem.reason, problem.remedy)
        self.refused_code = problem.code
        self.code = problem.code  # type: ignore[misc]  # the log's, not this class's
        self.status = STATUS_BY_CODE.get(problem.code, 422)


class Issuer:
    """Signs for `party`; a stream a kind, continued from where the log says it stands.

    Two issuers of one party may take turns; at the same moment only those of `carbonseal_api.desks` may sign.
    """

    def __init__(
        self,
        party: str,
        signer: Signer,
        clock: Clock,
        *,
        register: Register,
        head: ReadHead,
        streams: ReadStreams,
    ) -> None:
        self.party = party
        self.signer = signer
        self._clock = clock
        self._register = register
        self._head = head
        self._streams = streams

    def issue(
        self,
        origin: str,
        kind: str,
        body: dict[str, Any],
        *,
        subject: str | None = None,
        interval: tuple[int, int] | None = None,
    ) -> SignedStatement:
        """Return the statement of `kind` with `body`, registered in the log `origin`.

        `subject` is the opaque code of what it is about, the party itself by default; `interval` is half-open
        in milliseconds, for kinds that cover time.

        Raises:
            StatementRefused: the log refused it; field, reason and remedy are the log's.
        """
        (statement,), (outcome,) = self.issue_many(origin, kind, [(subject or self.party, body)], interval)
        if outcome.status is Status.REFUSED or outcome.problem is not None:
            raise StatementRefused(outcome)
        return statement

    def issue_many(
        self,
        origin: str,
        kind: str,
        bodies: Sequence[tuple[str, Mapping[str, Any]]],
        interval: tuple[int, int] | None = None,
    ) -> tuple[list[SignedStatement], Sequence[Outcome]]:
        """Return the statements of `kind` about each (subject, body) and what the log said to each.

        They are registered as one batch, in order. A refused one leaves its place free, so that those after
        it are refused as well: whoever calls decides what to do, and signs again what is to go on.
        """
        # Asked each time: another desk of the same key may have signed since, and a place that is signed
        # twice is an equivocation of the party.
        heads = {head.stream: head for head in self._streams(origin, self.signer.public.kid)}
        last, newest = heads.get(kind), self._head(origin)
        sequence, previous = (-1, None) if last is None else (last.sequence, last.digest)
        statements, items = [], []
        for subject, body in bodies:
            statement, content = seal(
                self.signer,
                kind,
                dict(body),
                party=self.party,
                subject=subject,
                origin=origin,
                issued_at=self._clock() // 1000,
                sequence=sequence + 1,
                previous=previous,
                interval=interval,
                checkpoint=(newest.tree_size, newest.root_hash),
                is_public=KINDS[kind].is_public,
            )
            sequence, previous = sequence + 1, statement.digest
            statements.append(statement)
            items.append(Submission(statement.raw, content))
        return statements, self._register(origin, items)
