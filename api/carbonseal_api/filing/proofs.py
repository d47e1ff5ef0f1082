"""Gathers from the ledger what the PDF's proof page shows about a filed report."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from carbonseal_api.filing.service import FiledReport
from carbonseal_api.reports.proofs import AnchorProof, HeadProof, ReportProofs, StatementProof
from carbonseal_attest.instants import Interval
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.log_host import LogHost


@dataclass(frozen=True, slots=True)
class AnchorFacts:
    """An anchor that has become final; `anchored_at` is RFC 3339, the block's own time."""

    chain_id: int
    contract: str
    block_number: int
    block_hash: str
    transaction: str
    anchored_at: str


def gather_proofs(
    host: LogHost, filed: FiledReport, anchor: AnchorFacts | None, *, period: Interval
) -> ReportProofs:
    """Return what the PDF shows: the report's statements, their head, its epoch, and the anchor."""
    origin = filed.report.header.origin
    statements = [_statement(host, origin, s) for s in (filed.quality, filed.report)]
    head = host.head(origin)
    epoch = host.epoch_covering(origin, max(s.entry_index for s in statements) + 1)
    last = host.epochs()[-1:]
    readings = host.select(origin, kinds={"readings"}, overlapping=period)
    state = str(host.receipt_state(origin, filed.report.digest).value)
    return ReportProofs(
        statements=tuple(statements),
        checkpoint=HeadProof(origin, head.tree_size, head.root_hash.hex()),
        epoch=None if epoch is None else epoch.epoch,
        map_root=None if epoch is None else epoch.map_root.hex(),
        log_of_logs=HeadProof(host.log_of_logs, last[0].tree_size, last[0].root_hash.hex()) if last else None,
        anchor=None
        if anchor is None
        else AnchorProof(
            anchor.chain_id,
            anchor.contract,
            anchor.block_number,
            anchor.block_hash,
            anchor.transaction,
            anchor.anchored_at,
            state,
        ),
        # Anchors cover a log's beginning, so every reading before the report has come at least as far.
        states=dict(Counter({state: len(readings)})),
    )


def _statement(host: LogHost, origin: str, statement: SignedStatement) -> StatementProof:
    entry = host.find(origin, statement.digest)
    state = host.receipt_state(origin, statement.digest)
    return StatementProof(
        statement.header.kind, statement.digest.hex(), origin, entry.index, str(state.value)
    )
