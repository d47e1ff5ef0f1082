"""How the witnesses do, for the health book: a log whose witnesses are down works, and says so."""

from __future__ import annotations

from typing import Final

from carbonseal_api.health import OFF, ComponentState, State
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.witnessing import Witnessed, Witnessing

FIGURES: Final = {
    "witnessed_size_entries": "Largest size of the log of logs that the witnesses' quorum cosigned.",
    "unwitnessed_epochs": "Epochs at the end of the log of logs without the quorum.",
    "witnesses_failing": "Witnesses that did not cosign when they were last asked.",
    "witnesses_contradicting": "Witnesses that hold a head which ours does not extend.",
}
EPOCHS_LATE: Final = 2  # epochs without the quorum from which on the witnesses are behind


def component_state(witnessing: Witnessing | None, host: LogHost) -> ComponentState:
    """Return how the witnesses do, for the health book."""
    if witnessing is None:
        return OFF
    return state_of(witnessing.standing(host.head(host.log_of_logs)))


def state_of(found: Witnessed) -> ComponentState:
    """Return the state that a standing means: a log whose witnesses are down works, and says so."""
    failing = [one.name for one in found.standings if one.failures]
    lacking = found.tree_size - max(found.witnessed_size, 1)  # the genesis is no epoch
    figures = {
        "witnessed_size_entries": float(found.witnessed_size),
        "unwitnessed_epochs": float(max(lacking, 0)),
        "witnesses_failing": float(len(failing)),
        "witnesses_contradicting": float(len(found.contradicting)),
    }
    if found.contradicting:
        names = ", ".join(found.contradicting)
        reason = f"{names} holds a head that this log does not extend; stop it and see the runbook"
        return ComponentState(State.DOWN, "witness-contradicts", reason, figures)
    if lacking >= EPOCHS_LATE or (lacking > 0 and failing and not found.is_met):
        names = ", ".join(failing) or "nobody failed"
        reason = f"{lacking} epochs lack the quorum {found.quorum}; failing: {names}"
        return ComponentState(State.DEGRADED, "witnesses-behind", reason, figures)
    if failing:
        reason = f"the quorum is met, but {', '.join(failing)} did not cosign"
        return ComponentState(State.DEGRADED, "witness-failing", reason, figures)
    return ComponentState(State.OK, figures=figures)
