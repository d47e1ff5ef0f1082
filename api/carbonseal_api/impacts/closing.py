"""Closes an epoch after what no longer stands was marked, so that a mark is no later than one epoch."""

from __future__ import annotations

import logging

from carbonseal_api.assembly import Parts
from carbonseal_api.impacts.service import travel
from carbonseal_ledger.errors import EpochRefused
from carbonseal_ledger.outcomes import EpochRecord

_logger = logging.getLogger(__name__)


def close_epoch(parts: Parts) -> EpochRecord:
    """Return the epoch that was closed over all logs, marks included.

    It closes even where the marks cannot be written: anchoring must not stand still for them. The next epoch
    tries again, and says so again.
    """
    try:
        travel(parts, parts.clock())
    except Exception:  # whatever it was: other parties' proofs do not wait for it
        _logger.exception("what no longer stands is not marked yet")
    try:
        return parts.host.build_epoch()
    except EpochRefused as refusal:
        # An alarm: a log's head contradicts what an earlier epoch held of it. Nothing is anchored meanwhile.
        _logger.critical("the epoch is refused: %s", refusal)
        raise
