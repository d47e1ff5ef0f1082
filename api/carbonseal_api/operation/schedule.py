"""Which background jobs run by the clock, and how often."""

from __future__ import annotations

from typing import Final

from carbonseal_api.settings import Settings

ANCHOR_SECONDS: Final = 5.0  # how often anchoring looks whether a step is due
PROJECTION_SECONDS: Final = 5.0
ASSET_SECONDS: Final = 5.0
WITNESS_SECONDS: Final = 10.0  # a head that has all cosignatures is asked for no more


def periods(settings: Settings) -> dict[str, float]:
    """The scheduled jobs by name with their periods in seconds."""
    epoch = float(settings.epoch_seconds)
    contracts = (settings.membership_contract, settings.method_registry_contract)
    found = {
        "build_epoch": epoch,
        "step_anchoring": ANCHOR_SECONDS,
        "refresh_projections": PROJECTION_SECONDS,
        "step_assets": ASSET_SECONDS,
        "reconcile": float(settings.reconcile_seconds),
    }
    if settings.witness_policy is not None:
        found["gather_cosignatures"] = WITNESS_SECONDS
    if any(address is not None for address in contracts):
        found["mirror_contracts"] = epoch
    return found
