"""The spool's figures in the Prometheus text format, for node_exporter's folder of text files on the gateway.

How many statements are in each state, how old the oldest is that the log does not have, and how many wait
for a reason. Written by hand: three families of numbers need no library on a gateway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FAMILIES: Final[Mapping[str, str]] = {
    "carbonseal_spool_statements": "Statements in the spool by state.",
    "carbonseal_spool_waiting_age_seconds": "Time since the end of the oldest interval that the log lacks.",
    "carbonseal_spool_problems": "Statements that wait for a reason or were refused for good.",
}


def spool_metrics(
    gateway: str, counts: Mapping[str, int], oldest_end: int | None, problems: int, now: int
) -> str:
    """Return the text.

    Args:
        gateway: the gateway's code, a label of every number.
        counts: statements by state.
        oldest_end: end of the oldest interval that is not logged, ms since 1970 UTC; None where all is.
        problems: statements with a problem.
        now: the present instant, ms since 1970 UTC.
    """
    age = 0.0 if oldest_end is None else max(0.0, (now - oldest_end) / 1000)
    label = f'gateway="{gateway}"'
    states = [
        f'carbonseal_spool_statements{{{label},state="{state}"}} {count}' for state, count in counts.items()
    ]
    samples = {
        "carbonseal_spool_statements": states,
        "carbonseal_spool_waiting_age_seconds": [
            f"carbonseal_spool_waiting_age_seconds{{{label}}} {age:.3f}"
        ],
        "carbonseal_spool_problems": [f"carbonseal_spool_problems{{{label}}} {problems}"],
    }
    lines = []
    for name, meaning in FAMILIES.items():
        lines += [f"# HELP {name} {meaning}", f"# TYPE {name} gauge", *samples[name]]
    return "\n".join(lines) + "\n"
