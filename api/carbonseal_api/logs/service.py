"""Registration, receipts and proofs: decides who may do it, asks the ledger, turns outcomes into answers.

A statement is believed for its signature, never for the API key: the key only says whose log may be
written through this door, so that a stranger cannot fill it.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.incoming import parse_digest
from carbonseal_api.logs.origins import party_of
from carbonseal_api.logs.schemas import (
    ConsistencyProofView,
    InclusionProofView,
    OpenedLog,
    PolicyInForce,
    PolicyView,
    ReceiptState,
    RegistrationPolicyView,
    StreamHeadView,
)
from carbonseal_api.problems import NotFound, RequestInvalid
from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.tiles import TileName
from carbonseal_attest.transparent_statement import TransparentStatement
from carbonseal_ledger.errors import CopyUnreachable
from carbonseal_ledger.outcomes import Outcome, Problem, Status, Submission

COSE: Final = "application/cose"
MAX_RECEIPTS = 1000  # of one answer
MAX_ENTRIES_RANGE = 1000  # entries of one answer; whole logs travel as bundles


class RegistrationRefused(CarbonsealError):
    """The ledger refused one statement; code, field, reason and remedy are the ledger's."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.field, problem.reason, problem.remedy)
        self.code = problem.code  # type: ignore[misc]  # the code is the ledger's, not this class's
        self.retry_after_s = problem.retry_after_s


def open_log(parts: Parts, principal: Principal, item: Submission) -> OpenedLog:
    """Open the log that a genesis names, for the party that signed it.

    Raises:
        NotFound: The genesis is another party's.
        CarbonsealError: Malformed, or refused by the ledger (`genesis-refused`).
    """
    statement = SignedStatement.parse(item.statement)
    principal.require_party(statement.header.issuer, "statement")
    outcome = parts.host.open_log(item.statement, item.content or b"")
    return OpenedLog(
        origin=statement.header.origin,
        statement_digest=statement.digest.hex(),
        entry_index=0,
        status=str(outcome.status),
    )


def register_batch(parts: Parts, origin: str, items: Sequence[Submission]) -> list[Outcome]:
    """Register a batch; one outcome an item, in order."""
    return parts.host.register(origin, items)


def locator(origin: str, digest: bytes, *, is_under_way: bool = False) -> dict[str, str]:
    """Return the headers that say where the registration of a statement is asked for, and when again."""
    found = {"Location": f"/logs/{origin}/entries/{digest.hex()}"}
    return found | {"Retry-After": "1"} if is_under_way else found


def refuse(outcome: Outcome) -> None:
    """Raise what the registration policy had against a statement, if anything.

    Raises:
        RegistrationRefused: It was refused.
    """
    if outcome.status is Status.REFUSED and outcome.problem is not None:
        raise RegistrationRefused(outcome.problem)


def receipts(parts: Parts, origin: str, digests: Sequence[bytes]) -> list[dict[str, Any]]:
    """Return receipt, state and index of each digest, in order; nulls where there is none."""
    return [
        {
            "receipt": answer.receipt,
            "state": None if answer.state is None else str(answer.state),
            "index": answer.index,
        }
        for answer in parts.host.receipts(origin, digests)
    ]


def receipt_state(parts: Parts, origin: str, digest: bytes) -> ReceiptState:
    """Return how far a statement has come, and how late it came."""
    how = parts.host.lateness(origin, digest)
    return ReceiptState(
        origin=origin,
        statement_digest=digest.hex(),
        state=str(parts.host.receipt_state(origin, digest)),
        lateness=None if how is None else str(how),
    )


def policies(parts: Parts, origin: str) -> PolicyView:
    """Return the registration policies of the log's party, oldest first.

    Raises:
        LogUnknown: No such log here.
    """
    history = parts.host.policies(party_of(parts.host.head(origin).origin))
    held = [
        PolicyInForce(
            statement_digest=span.digest.hex(),
            entry_index=max(0, span.start - 1),
            reason=span.reason,
            policy=RegistrationPolicyView.model_validate(span.policy.value),
        )
        for span in history.spans
    ]
    return PolicyView(origin=origin, register_origin=history.origin, in_force=held[-1], policies=held)


def receipt_with_state(parts: Parts, origin: str, digest: bytes) -> tuple[bytes, str]:
    """Return the receipt of a statement and its state by name."""
    return parts.host.receipt(origin, digest), str(parts.host.receipt_state(origin, digest))


def extended_receipt(
    parts: Parts,
    origin: str,
    digest: bytes,
    tree_size: int | None,
    *,
    with_evidence: bool,
    trusted_block: int | None,
) -> tuple[bytes, str]:
    """Return the extended receipt of a statement and the state by name that the log host claims for it.

    Raises:
        RequestInvalid: Evidence was asked for, and nothing is final yet.
        EpochPending, EntryUnknown, RangeInvalid, AnchorNotReady: As the ledger says.
    """
    made = parts.host.extended_receipt(origin, digest, tree_size=tree_size)
    if with_evidence:
        size = Checkpoint.of_note(made.checkpoint).tree_size
        anchors = parts.anchors
        evidence = None if anchors is None else anchors.evidence(size, trusted_block=trusted_block)
        if evidence is None:
            raise RequestInvalid(
                "with_evidence",
                "nothing is anchored and final yet",
                "ask without it, or after the next anchor",
            )
        made = replace(made, evidence=evidence)
    return made.encode(), str(parts.host.receipt_state(origin, digest))


def tile(parts: Parts, origin: str, name: TileName) -> bytes:
    """Return a hash tile of the published copy; a partial one also after the full one took its place.

    Raises:
        NotFound: The log has no such tile yet.
        CopyUnreachable: The storage does not answer.
    """
    if name.level is None:
        raise NotFound("tile", "is not a hash tile", "ask for entry bundles with a key")
    try:
        return parts.published.read_tile(origin, name.level, name.index, name.width)
    except CopyUnreachable:
        raise
    except CarbonsealError as problem:
        raise NotFound("tile", "no such tile", "ask for tiles within the published checkpoint") from problem


def log_keys(parts: Parts) -> list[PublicKey]:
    """Return the log keys, retired ones after the present one."""
    return parts.host.log_keys()


def log_key_of(parts: Parts, kid: str) -> PublicKey:
    """Return the log key with a kid in base64url without padding.

    Raises:
        NotFound: No log key here, present or retired, has it, or it is not written so.
    """
    for key in log_keys(parts):
        if base64.urlsafe_b64encode(key.kid).decode().rstrip("=") == kid:
            return key
    raise NotFound("kid", "no such key", "write the kid of a receipt in base64url without padding")


def named_key(key: PublicKey) -> dict[int, Any]:
    """Return a COSE_Key that names its kid (label 2), as SCRAPI has it."""
    return {**key.cose_key(), 2: key.kid}


def transparent_statement(parts: Parts, origin: str, digest: str) -> bytes:
    """Return a logged statement with its receipt in its unprotected header.

    Raises:
        EntryUnknown: The log does not hold it, or has one entry.
    """
    wanted = parse_digest(digest)
    receipt = parts.host.receipt(origin, wanted)
    statement = SignedStatement.parse(parts.host.find(origin, wanted).raw)
    return TransparentStatement.of(statement, [receipt]).encode()


def inclusion(parts: Parts, origin: str, index: int, tree_size: int | None) -> InclusionProofView:
    """Return an inclusion proof, at a size or the newest."""
    size = parts.host.head(origin).tree_size if tree_size is None else tree_size
    path = parts.host.inclusion_path(origin, index, size)
    return InclusionProofView(
        origin=origin,
        entry_index=index,
        tree_size=size,
        root_hash=parts.host.root_at(origin, size).hex(),
        path=[node.hex() for node in path],
    )


def consistency(parts: Parts, origin: str, old_size: int, new_size: int | None) -> ConsistencyProofView:
    """Return a consistency proof, up to a size or the newest."""
    size = parts.host.head(origin).tree_size if new_size is None else new_size
    path = parts.host.consistency_path(origin, old_size, size)
    return ConsistencyProofView(
        origin=origin,
        old_size=old_size,
        old_root_hash=parts.host.root_at(origin, old_size).hex(),
        new_size=size,
        new_root_hash=parts.host.root_at(origin, size).hex(),
        path=[node.hex() for node in path],
    )


def streams(parts: Parts, origin: str, kid: bytes | None) -> list[StreamHeadView]:
    """Return where the streams of a log stand."""
    return [
        StreamHeadView(
            kid=head.kid.hex(), stream=head.stream, sequence=head.sequence, digest=head.digest.hex()
        )
        for head in parts.host.stream_heads(origin, kid=kid)
    ]


def entries(parts: Parts, origin: str, start: int, end: int) -> list[list[Any]]:
    """Return entries [start, end) as [index, statement bytes].

    Raises:
        RequestInvalid: More than are sent at once.
    """
    if end - start > MAX_ENTRIES_RANGE:
        raise RequestInvalid("end", f"more than {MAX_ENTRIES_RANGE} entries", "ask for a smaller range")
    return [[entry.index, entry.raw] for entry in parts.host.entries(origin, start, end)]
