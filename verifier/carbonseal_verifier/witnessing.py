"""Step witnesses: did the quorum that the trust file asks for cosign the checkpoint of the log of logs?

Only the log of logs is witnessed: its entries hold every other log's head. A cosignature says that its maker
saw no other history; that is worth as much as the witness is independent of the log host. Signatures of keys
that the trust file does not name are ignored and counted; a known key's signature that fails fails the step.
"""

from __future__ import annotations

from carbonseal_verifier.anchor_times import AnchorTimes
from carbonseal_verifier.case import Case, StepFailed
from carbonseal_verifier.wording import counted

LOGGED, WITNESSED, ANCHORED, FINAL = "logged", "witnessed", "anchored", "final"


def check_witnesses(case: Case) -> str:
    """Count the witnesses that cosigned, and hold them against the quorum."""
    witnesses, note = case.trust.witnesses, case.bundle.log_of_logs_checkpoint.encode()
    cosigned = witnesses.cosigned(note)
    size = len(case.bundle.log_of_logs_entries)
    covered = AnchorTimes(case, case.log_host.log_of_logs).of(size - 1)
    for name in sorted(cosigned):
        case.trust.algorithms.require(
            witnesses.policy.witnesses[name].key.algorithm,
            anchored_at=case.at if covered is None else covered,
            what=f"cosignature of {name}",
        )
    case.is_witnessed = not witnesses.asks_nobody and witnesses.policy.is_met(cosigned)
    if witnesses.asks_nobody:
        return "none asked for by the trust file: nobody but the log host and the chain confirms its heads"
    names = ", ".join(sorted(cosigned)) or "nobody"
    if not case.is_witnessed:
        retired = sorted(name for name, until in witnesses.retired.items() if size >= until)
        note_retired = f"; {', '.join(retired)} no longer counts at size {size}" if retired else ""
        raise StepFailed(
            f"the quorum {witnesses.policy.quorum} is not met: the log of logs at size {size} "
            f"is cosigned by {names}{note_retired}"
        )
    return (
        f"{counted(len(cosigned), 'witness', 'witnesses')} ({names}) cosigned the log of logs at size {size}"
    )


def receipt_states(case: Case, index: int) -> str:
    """Return by name what is shown about entry `index` of the operator's data log, and what is not."""
    heads = case.heads[case.operator.data_origin]
    is_anchored = case.anchored is not None and index < heads.get(case.anchored_epoch, 0)
    states = {
        LOGGED: True,
        WITNESSED: case.is_witnessed and index < heads.get(len(case.epochs), 0),
        ANCHORED: is_anchored,
        FINAL: is_anchored and case.is_final,
    }
    shown = ", ".join(name for name, holds in states.items() if holds)
    missing = " and ".join(name for name, holds in states.items() if not holds)
    return f"{shown}; not {missing}" if missing else shown
