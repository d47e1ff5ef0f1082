"""Two witness quorums compared: does every set of cosigners that satisfies one satisfy the other?

Witnesses are told apart by their keys, not by their names, which mean nothing outside one policy. All sets
are tried; beyond twelve witnesses that takes too long, and two policies are just called different.
"""

from __future__ import annotations

from itertools import combinations
from typing import Final

from carbonseal_attest.trust import Witnesses

WIDER, NARROWER, DIFFERENT = "wider", "narrower", "different"
_MOST: Final = 12  # witnesses in both policies together; 4,096 sets


def compare_quorums(old: Witnesses, new: Witnesses) -> str | None:
    """Return whether `new` accepts more than `old`, less, or other sets; None where they accept the same."""
    was, now = ({str(vkey): name for name, vkey in one.policy.witnesses.items()} for one in (old, new))
    keys = sorted(was.keys() | now.keys())
    if len(keys) > _MOST:
        return DIFFERENT
    gained = lost = False
    for count in range(len(keys) + 1):
        for chosen in combinations(keys, count):
            before = old.policy.is_met(was[key] for key in chosen if key in was)
            after = new.policy.is_met(now[key] for key in chosen if key in now)
            gained, lost = gained or (after and not before), lost or (before and not after)
    if gained and lost:
        return DIFFERENT
    return WIDER if gained else NARROWER if lost else None
