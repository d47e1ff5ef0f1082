"""Step closed-logs: a log whose keys fell into other hands counts up to one anchored head, and no further.

Whoever holds the keys can sign anything, at any size and with any date. What they cannot do is change what a
chain held before: so of a closed log only entries below the head that the trust file names count, and only
where an anchor covers them. The log that goes on must say so in its genesis, and no other may say it.
"""

from __future__ import annotations

from typing import Any

from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.trust import ClosedLog
from carbonseal_verifier.case import Case, StepFailed, require
from carbonseal_verifier.log_proofs import roots_at


def check_closed_logs(case: Case) -> str:
    """Hold every log of the bundle, and the log of logs, against the closed logs of the trust file."""
    closed = {log.origin: log for log in case.trust.closed_logs}
    shown = []
    for origin in sorted({*case.logs, case.log_host.log_of_logs}):
        if origin in closed:
            _check_closed(case, closed[origin])
            shown.append(f"{origin} counts up to {closed[origin].tree_size}")
        if succession := _check_succession(case, origin):
            shown.append(succession)
    return "; ".join(shown) or "no log of the bundle was closed"


def _check_closed(case: Case, log: ClosedLog) -> None:
    origin = log.origin
    if case.anchored is None:
        raise StepFailed(f"{origin} was closed, and without an anchor nothing of it counts")
    if origin == case.log_host.log_of_logs:
        size, covered = len(case.epoch_roots), case.anchored.heads[-1].tree_size
        root = case.epoch_roots[log.tree_size - 1] if size >= log.tree_size else None
    else:
        view = case.logs[origin]
        size, covered = view.section.end, case.heads[origin].get(case.anchored_epoch, 0)
        is_there = view.section.first <= log.tree_size <= size
        root = roots_at(view, [log.tree_size])[log.tree_size] if is_there else None
    require(
        size <= log.tree_size,
        f"{origin} was closed at size {log.tree_size}, and the bundle carries {size} entries of it",
    )
    require(
        size <= covered, f"{origin} was closed: its entries from {covered} on are not covered by an anchor"
    )
    require(
        root is None or root == log.root_hash,
        f"{origin} has another root at size {log.tree_size} than the head at which it was closed",
    )


def _check_succession(case: Case, origin: str) -> str:
    """See that a log says that it follows a closed one exactly where the trust file says so; in words."""
    expected = next((log for log in case.trust.closed_logs if log.successor == origin), None)
    genesis = _genesis(case, origin)
    if genesis is None:
        return "" if expected is None else f"{origin} goes on for a closed log by the trust file's word"
    named = genesis["predecessor"]
    if expected is None:
        require(named is None, f"{origin} says that it follows a log which the trust file does not close")
        return ""
    require(
        named
        == {"origin": expected.origin, "tree_size": expected.tree_size, "root_hash": expected.root_hash},
        f"the genesis of {origin} does not name the head at which {expected.origin} was closed",
    )
    return f"{origin} goes on for a closed log"


def _genesis(case: Case, origin: str) -> dict[str, Any] | None:
    """Return the body of a log's genesis; None where the bundle begins later in the log."""
    if origin == case.log_host.log_of_logs:
        statement = SignedStatement.parse(case.bundle.log_of_logs_entries[0])
    elif case.logs[origin].section.first == 0:
        statement = case.logs[origin].statements[0]
    else:
        return None
    content = case.content(statement)
    return None if content is None else content.body
