"""Registration: what can be checked of a submitted statement without looking at its stream or the policy.

Pure functions over bytes, the log's terms and the registers; no database, no clock. The policy in force is
held against it when it gets its place (`policy`). Each
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
from carbonseal_attest.contents import KINDS, MAX_CONTENT, Content
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.identity.policies import ALWAYS
from carbonseal_attest.statement import MAX_STATEMENT, SignedStatement
from carbonseal_ledger.admission import AdmittedKey
from carbonseal_ledger.errors import (
    BodyTooLarge,
    ContentContradictsHeader,
    ContentMalformed,
    ErasureRefused,
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

_VERIFY_CHUNK = 64  # signatures a task; smaller ones cost more in hand-over than the second core gains


@dataclass(frozen=True, slots=True)
class LogTerms:
    """What registration needs to know of a log. `log` is register, data or epochs."""

    id: int
    origin: str
    party: str
    log: str


@dataclass(slots=True)
class Candidate:
    """One submitted statement on its way through registration; `refusal` is the first thing found wrong."""

    submission: Submission
    statement: SignedStatement | None = None
    content: Content | None = None
    content_bytes: int | None = None
    admitted: AdmittedKey | None = None
    refusal: Refused | None = None
    is_verified: bool = False

    @property
    def is_open(self) -> bool:
        """True while nothing is wrong with it."""
        return self.refusal is None


def read_statement(submission: Submission, terms: LogTerms) -> Candidate:
    """Parse a submission and check form, origin and kind."""
    candidate = Candidate(submission)
    try:
        candidate.statement = _parse(submission)
        _check_header(candidate.statement, terms)
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
        return  # whether it may come later is the policy's
    candidate.content_bytes = len(data)
    try:
        candidate.content = contents.check_content(statement, data)
    except errors.ContentContradictsHeader as error:
        candidate.refusal = ContentContradictsHeader(error.field, error.reason, error.remedy)
    except CarbonsealError as error:
        candidate.refusal = ContentMalformed(error.field, error.reason, error.remedy)


def check_erasable(stored: bytes | None) -> None:
    """Check that what an erasure names may go; `stored` are its bytes, None where nothing is stored.

    Whoever uploads a public content first owns it: without this rule a party could take away the ground on
    which a registrar's admission of others rests.

    Raises:
        ErasureRefused: it is public, or of a kind that says who is who.
    """
    if stored is None:
        return
    try:
        kind = contents.parse_content(stored).kind
    except CarbonsealError:
        return  # a document's file
    if KINDS[kind].is_public or kind in ALWAYS:
        raise ErasureRefused(
            "content.body.erases",
            f"a {kind} is public, or says who is who",
            "correct it by a statement that comes after it",
        )


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


def _parse(submission: Submission) -> SignedStatement:
    size = len(submission.statement)
    if size > MAX_STATEMENT:
        raise BodyTooLarge("statement", f"{size} bytes", f"sign at most {MAX_STATEMENT} bytes")
    if submission.content is not None and len(submission.content) > MAX_CONTENT:
        raise BodyTooLarge(
            "content",
            f"{len(submission.content)} bytes",
            f"send at most {MAX_CONTENT} bytes; seal a shorter window",
        )
    try:
        return SignedStatement.parse(submission.statement)
    except CarbonsealError as error:
        raise MalformedStatement(error.field, error.reason, error.remedy) from error


def _check_header(statement: SignedStatement, terms: LogTerms) -> None:
    header = statement.header
    if header.origin != terms.origin:
        raise OriginWrong(
            "header.origin",
            f"signed for {header.origin}, sent to {terms.origin}",
            "send it to the log it names",
        )
    if header.kind not in KINDS:
        raise KindUnknown(
            "header.content_type", f"{header.kind} is not in the registry", "use a registered kind"
        )
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
