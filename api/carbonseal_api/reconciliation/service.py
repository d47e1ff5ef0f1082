"""Runs a reconciliation over everything that this deployment has.

Areas are compared one by one and kept one by one, so that a chain that is away leaves what was found about
the rest standing. A run is complete when every source answered.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from carbonseal_api.assembly import Parts
from carbonseal_api.chain_anchors import ChainAnchors
from carbonseal_attest.errors import CarbonsealError
from carbonseal_ledger.anchoring import Anchorer
from carbonseal_ledger.chain_answers import ChainRefused, ChainUnreachable, ContractWrong
from carbonseal_ledger.chain_client import ChainClient
from carbonseal_ledger.membership_agreement import AREA as MEMBERSHIP
from carbonseal_ledger.membership_agreement import MembershipReader
from carbonseal_ledger.membership_agreement import disagreements as membership_disagreements
from carbonseal_ledger.reconciliation import LEDGER, Disagreement, confirmed
from carbonseal_ledger.reconciliation_book import RunRecord
from carbonseal_ledger.reconciliation_tellings import Progress, TellingReader


@runtime_checkable
class Anchored(Protocol):
    """A chain side that anchors; a test's may only pretend to."""

    @property
    def anchorer(self) -> Anchorer:
        """The anchors of the log of logs."""
        ...


def run(parts: Parts, progress: Progress | None = None) -> RunRecord:
    """Compare every source, keep what disagrees, and return the run.

    Raises:
        OperationalError: The database does not answer; a run without it would say nothing.
    """
    began_at, book = parts.clock(), parts.holding.book
    found = ledger_reader(parts).compare(*(() if progress is None else (progress,)))
    book.note(found.disagreements, areas=[LEDGER])
    missing = [*dict.fromkeys(found.missing), *_compare_members(parts), *_compare_assets(parts)]
    return book.ran(began_at, logs=found.logs, present=book.standing().present, missing=missing)


def ledger_reader(parts: Parts) -> TellingReader:
    """Return the reader of this deployment's sources."""
    anchors = parts.anchors
    return TellingReader(
        parts.engine,
        parts.published,
        log_key=parts.log_key,
        log_of_logs=parts.host.log_of_logs,
        anchorer=anchors.anchorer if isinstance(anchors, Anchored) else None,
        outside=parts.outside,
    )


def _compare_members(parts: Parts) -> list[str]:
    """Compare the registrar's statements with the contract Membership, and return what could not be asked."""
    settings = parts.settings
    if settings.membership_contract is None or settings.chain_rpc_url is None:
        return []
    chain = ChainClient(settings.chain_rpc_url, chain_id=settings.chain_id or _chain_id(parts))
    reader = MembershipReader(chain, bytes.fromhex(settings.membership_contract[2:]))
    try:
        first, second = (_members_found(parts, reader) for _ in range(2))
    except (ChainUnreachable, ChainRefused, ContractWrong) as problem:
        return [f"{reader.name}: {problem.reason}"]
    parts.holding.book.note(confirmed(first, second), areas=[MEMBERSHIP])
    return []


def _members_found(parts: Parts, reader: MembershipReader) -> list[Disagreement]:
    records = parts.host.parties()
    return membership_disagreements(records, reader.read(records))


def _chain_id(parts: Parts) -> int | None:
    return parts.anchors.chain_id if isinstance(parts.anchors, ChainAnchors) else None


def _compare_assets(parts: Parts) -> list[str]:
    """Compare the carbon-asset records, and return what could not be asked."""
    from carbonseal_api.assets import agreement, service  # they hold movements back with what is here

    if parts.assets is None:
        return []
    try:
        service.step(parts)  # what is on its way is finished first
        agreement.check_and_keep(parts, parts.assets)
    except CarbonsealError as problem:  # whatever stops it, the rest of the run stands
        return [f"carbon-asset records: {problem.reason}"]
    return []
