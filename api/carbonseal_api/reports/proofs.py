"""What the proof page shows: statement digests, checkpoint, epoch and anchor of one report.

Plain values, gathered by `carbonseal_api.bundles` or the report job from the ledger. Nothing is checked
here: the verifier does that from the bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StatementProof:
    """One signed statement: kind, digest as hex, where it was logged and its receipt state by name."""

    kind: str
    digest: str
    origin: str
    entry_index: int
    state: str


@dataclass(frozen=True, slots=True)
class HeadProof:
    """A head of a log: origin, tree size and root hash as hex."""

    origin: str
    tree_size: int
    root_hash: str


@dataclass(frozen=True, slots=True)
class AnchorProof:
    """An anchor on an EVM chain; `anchored_at` is RFC 3339, the block's own time."""

    chain_id: int
    contract: str
    block_number: int
    block_hash: str
    transaction: str
    anchored_at: str
    state: str


@dataclass(frozen=True, slots=True)
class ReportProofs:
    """All proofs that the PDF names.

    Attributes:
        statements: The statements behind the report, in log order.
        checkpoint: The head covering them.
        epoch: Number of the epoch that carries the head, if one does yet.
        map_root: Map root of that epoch as hex.
        log_of_logs: Head of the log of logs that was anchored.
        anchor: The anchor, if there is one yet.
        states: Receipt state to number of the period's statements.
        check_command: What the reader runs; also in the QR code.
    """

    statements: tuple[StatementProof, ...] = ()
    checkpoint: HeadProof | None = None
    epoch: int | None = None
    map_root: str | None = None
    log_of_logs: HeadProof | None = None
    anchor: AnchorProof | None = None
    states: Mapping[str, int] = field(default_factory=dict)
    check_command: str = "carbonseal-verifier check evidence.bundle --trust trust.toml"
