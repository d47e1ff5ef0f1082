"""An extended receipt checked from the statement up to the chain, each step by name, offline.

Six steps: statement, receipt, epoch-map, log-of-logs, witnesses, anchor. They show where and by when one
statement was logged, not whose it is or what it says: for that a bundle carries the registers. Keys, quorum
and chain are the trust file's. It leaves out a live node: without evidence that the trust file's chain
profile can read, nothing is called anchored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from carbonseal_attest.anchor import AnchoredHead, AnchoredHeads, AnchorEvidence, verify_anchor_evidence
from carbonseal_attest.chain_profile import ChainProfile
from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.epoch import MapEntry
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.extended_receipt import ExtendedReceipt
from carbonseal_attest.instants import format_instant
from carbonseal_attest.receipt import Receipt
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.trust import TrustedLogHost, TrustFile
from carbonseal_verifier.case import StepFailed, require
from carbonseal_verifier.check import FAILED, NOT_RUN, PASSED, CheckResult, StepResult
from carbonseal_verifier.wording import counted

_T = TypeVar("_T")
STEPS: Final = ("statement", "receipt", "epoch-map", "log-of-logs", "witnesses", "anchor")


@dataclass(slots=True)
class _Work:
    """What the steps have shown so far."""

    raw: bytes
    extended: ExtendedReceipt
    trust: TrustFile
    at: int
    statement: SignedStatement | None = None
    host: TrustedLogHost | None = None
    logged: MapEntry | None = None
    head: Checkpoint | None = None


def check_extended_receipt(
    receipt: bytes,
    statement: bytes,
    *,
    trust: TrustFile,
    at: int,
    report: Callable[[StepResult], None] = lambda _: None,
) -> CheckResult:
    """Return what became of each step.

    Args:
        receipt: the extended receipt.
        statement: the signed statement's bytes, as logged.
        trust: whom to believe.
        at: the instant of the check, milliseconds since 1970 UTC; only for algorithms where no anchor is.
        report: told of each step when it is done.

    Raises:
        ProofInvalid, AnchorInvalid: `receipt` is no extended receipt.
    """
    work = _Work(statement, ExtendedReceipt.parse(receipt), trust, at)
    runs = (_statement, _receipt, _epoch_map, _log_of_logs, _witnesses, _anchor)
    steps: list[StepResult] = []
    is_broken = False
    for name, run in zip(STEPS, runs, strict=True):
        if is_broken:
            step = StepResult(name, required=True, outcome=NOT_RUN, reason="an earlier step did not pass")
        else:
            try:
                step = StepResult(name, required=True, outcome=PASSED, reason=run(work))
            except StepFailed as failure:
                step = StepResult(name, required=True, outcome=FAILED, reason=str(failure))
            except CarbonsealError as error:
                reason = f"{error.field}: {error.reason}"
                step = StepResult(name, required=True, outcome=FAILED, reason=reason)
            is_broken = step.outcome == FAILED
        steps.append(step)
        report(step)
    return CheckResult(trust, tuple(steps))


def _statement(work: _Work) -> str:
    statement = work.statement = SignedStatement.parse(work.raw)
    header = statement.header
    work.host = work.trust.host_of(header.origin)
    require(work.host is not None, f"the trust file names no log host for {header.origin}")
    return (
        f"{header.kind} of {header.issuer} in {header.origin}, digest {statement.digest.hex()[:16]}…; "
        "whose key signed it is not looked at here"
    )


def _receipt(work: _Work) -> str:
    origin = _the(work.statement).header.origin
    found = Receipt.parse(work.extended.receipt)
    require(found.origin == origin, f"the receipt is of {found.origin}, the statement of {origin}")
    key = _the(work.host).key_for(origin, found.tree_size)
    admitted = work.trust.algorithms.last_dates
    work.logged = work.extended.logged(work.raw, origin=origin, key=key, admitted=admitted)
    return f"entry {found.index} of {origin} in the tree of {work.logged.tree_size}"


def _epoch_map(work: _Work) -> str:
    work.extended.verify_mapped(_the(work.logged))
    epoch = work.extended.epoch
    return f"that head stands in the map of epoch {epoch.epoch} among {counted(epoch.origins, 'log')}"


def _log_of_logs(work: _Work) -> str:
    host = _the(work.host)
    work.head = host.open_checkpoint(work.extended.checkpoint, origin=host.log_of_logs)
    work.extended.verify_head(work.head)
    closed_at = format_instant(work.extended.epoch.closed_at)
    return (
        f"epoch {work.extended.epoch.epoch} is in {host.log_of_logs} at size {work.head.tree_size}; "
        f"the host says it was closed {closed_at}"
    )


def _witnesses(work: _Work) -> str:
    witnesses = work.trust.witnesses
    if witnesses.asks_nobody:
        return "none asked for by the trust file"
    cosigned = witnesses.cosigned(work.extended.checkpoint.encode())
    names = ", ".join(sorted(cosigned)) or "nobody"
    require(
        witnesses.policy.is_met(cosigned),
        f"the quorum {witnesses.policy.quorum} is not met: cosigned by {names}",
    )
    return f"{counted(len(cosigned), 'witness', 'witnesses')} ({names}) cosigned that head"


def _anchor(work: _Work) -> str:
    trust, carried, closed = work.trust, work.extended.evidence, _is_closed(work)
    if carried is None:
        require(not trust.limits.is_anchor_required, "the trust file requires an anchor, none is carried")
        require(not closed, "a log on the way was closed: without an anchor nothing of it counts")
        _require_algorithms(work, work.at)
        return "none carried; logged, not anchored"
    evidence = AnchorEvidence.from_cbor(carried)
    anchored = verify_anchor_evidence(evidence, profile=_profile(trust.chains, evidence))
    first = _covering(work, anchored)
    _require_algorithms(work, first.anchored_at)
    return (
        f"final: anchored on chain {evidence.chain_id} at size {first.tree_size} by "
        f"{format_instant(first.anchored_at)}; the chain id is asserted"
    )


def _covering(work: _Work, anchored: AnchoredHeads) -> AnchoredHead:
    """The anchored head of this receipt's size: the one whose root the path leads to."""
    head = _the(work.head)
    found = next((one for one in anchored.heads if one.tree_size == head.tree_size), None)
    require(found is not None, f"the chain holds no head of size {head.tree_size} of the log of logs")
    require(
        _the(found).root_hash == head.root_hash,
        f"the chain holds another log of logs at size {head.tree_size}: the host shows two histories",
    )
    return _the(found)


def _is_closed(work: _Work) -> bool:
    """Whether a log on the way was closed; then its head must not lie beyond the one that counts."""
    logged, head = _the(work.logged), _the(work.head)
    ends = {log.origin: log for log in work.trust.closed_logs}
    is_closed = False
    for origin, size, root in (
        (logged.origin, logged.tree_size, logged.root_hash),
        (head.origin, head.tree_size, head.root_hash),
    ):
        if origin not in ends:
            continue
        is_closed, end = True, ends[origin]
        require(size <= end.tree_size, f"{origin} was closed at size {end.tree_size}, this is of size {size}")
        require(
            size < end.tree_size or root == end.root_hash,
            f"{origin} has another root at size {size} than the head at which it was closed",
        )
    return is_closed


def _require_algorithms(work: _Work, at: int) -> None:
    receipt, host, head = Receipt.parse(work.extended.receipt), _the(work.host), _the(work.head)
    work.trust.algorithms.require(receipt.algorithm, anchored_at=at, what="receipt")
    signed = host.key_for(head.origin, head.tree_size).algorithm
    work.trust.algorithms.require(signed, anchored_at=at, what="checkpoint of the log of logs")


def _profile(chains: tuple[ChainProfile, ...], evidence: AnchorEvidence) -> ChainProfile:
    found = next((one for one in chains if one.chain_id == evidence.chain_id), None)
    if found is None:
        raise StepFailed(f"the trust file has no profile of chain {evidence.chain_id}")
    return next(
        (one for one in chains if (one.chain_id, one.log_id) == (evidence.chain_id, evidence.log_id)), found
    )


def _the(value: _T | None) -> _T:
    """What an earlier step has found; a step runs only after all before it passed."""
    if value is None:
        raise StepFailed("an earlier step found nothing")
    return value
