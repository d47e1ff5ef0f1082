"""What the service asks of the chain side: which anchor covers a head, steps to take, evidence for bundles.

The ledger's anchoring implements the state machine; this is the narrow view that pages, proofs and the
worker use.
"""

from __future__ import annotations

from typing import Protocol

from carbonseal_api.evidence.schemas import AnchorView


class AnchorBook(Protocol):
    """The anchors of one log of logs."""

    def anchor_of(self, tree_size: int) -> AnchorView | None:
        """Return the first anchor covering a size of the log of logs, or None before it is mined."""

    def step(self) -> int:
        """Take the next steps of anchoring; returns how many anchors are unfinished."""

    def evidence(self, covering: int | None = None, *, trusted_block: int | None = None) -> bytes | None:
        """Return a final anchor's evidence for a bundle, or None before the first is final.

        `covering` is the size of the log of logs that it must cover, the newest final one by default;
        `trusted_block` the number of the block that the reader's trust file names, by default the newest
        final one.
        """
