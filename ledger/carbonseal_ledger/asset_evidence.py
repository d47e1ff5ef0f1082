"""Evidence that a verification report stands in an anchored log: three inclusion proofs for CarbonAssets.

From the report's leaf to a head of its data log, from that head to the map of an epoch, from the epoch's
entry to the head of the log of logs that LogAnchor holds now (`docs/spec/carbon-assets.md`). That head moves
on with every epoch, so evidence is made right before it is used, and made again when it has. It leaves out
what the report says.
"""

from __future__ import annotations

from typing import Protocol

from carbonseal_attest.merkle import leaf_hash
from carbonseal_ledger.asset_acts import ActInvalid, Record
from carbonseal_ledger.carbon_assets import AssetsNotReady
from carbonseal_ledger.carbon_assets_calls import Evidence
from carbonseal_ledger.chain_answers import ContractHead
from carbonseal_ledger.errors import EntryUnknown, LedgerError, LogUnknown
from carbonseal_ledger.log_host import LogHost


class AnchoredHeadForeign(LedgerError):
    """LogAnchor holds a head that is not one of this log host's log of logs."""

    code = "anchored-head-foreign"


class EvidenceSource(Protocol):
    """Whoever can show that a report stands in an anchored log."""

    def evidence(self, act: Record, head: ContractHead) -> Evidence:
        """Return the evidence of an act's report that leads to an anchored head."""


class ReportEvidence:
    """Evidence out of a log host's own logs."""

    def __init__(self, host: LogHost) -> None:
        self._host = host

    def evidence(self, act: Record, head: ContractHead) -> Evidence:
        """Return the evidence of an act's report that leads to an anchored head.

        Raises:
            AssetsNotReady: the report is in no log here, or its epoch is not anchored yet.
            ActInvalid: the statement there has another leaf than the act says.
            AnchoredHeadForeign: the head is not one of this host's log of logs.
        """
        host, logs = self._host, self._host.log_of_logs
        if head.tree_size > host.head(logs).tree_size or (
            host.root_at(logs, head.tree_size) != head.root_hash
        ):
            reason = f"size {head.tree_size} has another root here"
            raise AnchoredHeadForeign("log of logs", reason, "stop: the log of logs has two histories")
        try:
            entry = host.find(act.origin, act.report)
        except (EntryUnknown, LogUnknown) as unknown:
            raise AssetsNotReady("report", unknown.reason, "have its verification body log it") from unknown
        if leaf_hash(entry.raw) != act.report_leaf:
            raise ActInvalid("report_leaf", "the statement has another one", "take it from the log")
        epoch = host.epoch_covering(act.origin, entry.index + 1)
        if epoch is None or epoch.entry_index >= head.tree_size:
            reason = f"entry {entry.index} of {act.origin} is in no anchored epoch"
            raise AssetsNotReady("report", reason, "wait until the next epoch is anchored")
        data = host.origin_head(act.origin, epoch.epoch)
        return Evidence(
            head_size=head.tree_size,
            epoch=epoch.epoch,
            closed_at=epoch.built_at,
            map_root=epoch.map_root,
            origins=epoch.origins,
            map_index=data.map_proof.index,
            data_size=data.tree_size,
            data_root=data.root_hash,
            report_index=entry.index,
            epoch_proof=tuple(host.inclusion_path(logs, epoch.entry_index, head.tree_size)),
            map_proof=data.map_proof.path,
            report_proof=tuple(host.inclusion_path(act.origin, entry.index, data.tree_size)),
        )
