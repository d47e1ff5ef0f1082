"""Registration: everything that can be checked of a submitted statement without looking at its stream.

Pure functions over bytes, the log's terms and the registers; no database, no clock of their own. Each
refusal is kept in the candidate rather than raised, because one bad item must not keep the rest of a batch
out, and because a statement that is already in the log is answered as a duplicate whatever is wrong with
this copy of it.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import repeat

from carbonseal_attest import contents, errors
from carbonseal_attest.contents import KINDS, Content
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.admission import AdmittedKey
from carbonseal_ledger.errors import (
    BodyTooLarge,
    ClockOutOfTolerance,
    ContentContradictsHeader,
    ContentMalformed,
    ContentMissing,
    IntervalInvalid,
    KindUnknown,
    KindWrongLog,
    LogReserved,
    MalformedStatement,
    OriginWrong,
    Refused,
    SignatureWrong,
)
from carbonseal_ledger.outcomes import Submission
from carbonseal_ledger.policy import Policy

_VERIFY_CHUNK = 64  # signatures a task; smaller ones cost more in hand-over than the second core gains


@dataclass(frozen=True, slots=True)
class LogTerms:
    """What registration needs to know of a log. `log` is register, data or epochs."""

    id: int
    origin: str
    party: str
    log: str
    policy: Policy


@dataclass(slots=True)
class Candidate:
    """One submitted statement on its way through registration; `refusal` is the first thing found wrong."""

    submission: Submission
    statement: SignedStatement | None = None
    content: Content | None = None
    admitted: AdmittedKey | None = None
    refusal: Refused | None = None
    is_verified: bool = False

    @property
    def is_open(self) -> bool:
        """True while nothing is wrong with it."""
        return self.refusal is None


def read_statement(submission: Submission, terms: LogTerms, now: int) -> Candidate:
    """Parse a submission and check form, origin, kind and claimed time; `now` in milliseconds."""
    candidate = Candidate(submission)
    try:
        candidate.statement = _parse(submission, terms.policy)
        _check_header(candidate.statement, terms, now)
    except Refused as refusal:
        candidate.refusal = refusal
    return candidate


def check_content(candidate: Candidate, stored: bytes | None) -> None:
    """Check the content of an open candidate: the one sent along, else the `stored` one."""
    statement = candidate.statement
    if statement is None or not candidate.is_open:
        return
    data = candidate.submission.content if candidate.submission.content is not None else stored
    if data is None:
        if KINDS[statement.header.kind].is_stored_first:
            candidate.refusal = ContentMissing(
                "content",
                f"{statement.header.kind} needs its content before the receipt",
                f"send it along, or upload it first under {statement.payload.hex()}",
            )
        return
    try:
        candidate.content = contents.check_content(statement, data)
    except errors.ContentContradictsHeader as error:
        candidate.refusal = ContentContradictsHeader(error.field, error.reason, error.remedy)
    except CarbonsealError as error:
        candidate.refusal = ContentMalformed(error.field, error.reason, error.remedy)


def verify_signatures(
    candidates: Sequence[Candidate], executor: Executor | None, algorithms: Container[int]
) -> None:
    """Check the signature of every candidate whose key is admitted; the executor's threads share the work.

    The Ed25519 check releases the interpreter lock, so threads use all cores.
    """
    todo = [c for c in candidates if c.admitted is not None]
    if executor is None or len(todo) <= _VERIFY_CHUNK:
        _verify(todo, algorithms)
        return
    chunks = [todo[at : at + _VERIFY_CHUNK] for at in range(0, len(todo), _VERIFY_CHUNK)]
    for _ in executor.map(_verify, chunks, repeat(algorithms)):
        pass


def _verify(candidates: Sequence[Candidate], algorithms: Container[int]) -> None:
    for candidate in candidates:
        statement, admitted = candidate.statement, candidate.admitted
        if statement is None or admitted is None:
            continue
        try:
            statement.verify_signature(admitted.key, admitted=algorithms)
            candidate.is_verified = True
        except CarbonsealError as error:
            candidate.refusal = SignatureWrong(error.field, error.reason, error.remedy)


def _parse(submission: Submission, policy: Policy) -> SignedStatement:
    size = len(submission.statement)
    if size > policy.max_statement_bytes:
        raise BodyTooLarge("statement", f"{size} bytes", f"sign at most {policy.max_statement_bytes} bytes")
    if submission.content is not None and len(submission.content) > policy.max_content_bytes:
        raise BodyTooLarge(
            "content",
            f"{len(submission.content)} bytes",
            f"send at most {policy.max_content_bytes} bytes; seal a shorter window",
        )
    try:
        return SignedStatement.parse(submission.statement)
    except CarbonsealError as error:
        raise MalformedStatement(error.field, error.reason, error.remedy) from error


def _check_header(statement: SignedStatement, terms: LogTerms, now: int) -> None:
    header, policy = statement.header, terms.policy
    if header.origin != terms.origin:
        raise OriginWrong(
            "header.origin",
            f"signed for {header.origin}, sent to {terms.origin}",
            "send it to the log it names",
        )
    signer = policy.signer_of(header.kind)
    kind = KINDS[header.kind]
    if header.version != kind.version:
        raise KindUnknown(
            "header.content_type",
            f"{kind.name} v{header.version} is not registered",
            f"write v{kind.version}",
        )
    if kind.is_draft:
        raise KindUnknown(
            "header.content_type", f"{kind.name} v0 is a draft and may still change", "wait for its v1"
        )
    if header.kind == "genesis":
        raise LogReserved(
            "header.content_type", "a genesis opens a log, it is not added to one", "open the log with it"
        )
    if kind.log not in {"any", terms.log}:
        raise KindWrongLog(
            "header.origin",
            f"{kind.name} belongs in the {kind.log} log",
            f"sign it for the party's {kind.log} log",
        )
    if kind.has_interval and header.interval is None:
        raise IntervalInvalid(
            "header.interval", f"{kind.name} covers time and names none", "sign the interval it covers"
        )
    latest = now + policy.clock_tolerance_ms
    if header.issued_at * 1000 > latest:
        raise ClockOutOfTolerance(
            "header.iat",
            f"issued {header.issued_at * 1000 - now} ms in the future",
            f"set the clock; at most {policy.clock_tolerance_ms} ms are tolerated",
        )
    if signer == "device" and header.interval is not None and header.interval[1] > latest:
        raise IntervalInvalid("header.interval", "ends in the future", "seal the window after it has ended")
