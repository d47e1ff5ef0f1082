"""Named steps: the places between which a process may be killed without anything being lost or doubled.

Each name is passed by `at_step` where the program stands between two effects. Nothing happens there, unless
a drill watches: `tests/ledger/test_steps.py` kills the process, and PostgreSQL, at each of them. A name that
is not listed here, and one that no run passes, fail those tests; so the list is what the drill covers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

STEPS: Final = {
    "batch locked": "the log's row is locked, its head and streams are read",
    "batch placed": "every statement has its place or its refusal, in memory",
    "streams written": "heads of streams are in the transaction",
    "entries written": "entries are in the transaction",
    "contents written": "contents, erasures and noted conflicts are in the transaction",
    "head written": "size, root and checkpoint are in the transaction: of a batch, an opening or an epoch",
    "batch committed": "the batch is durable in the database, and nobody has been told",
    "log row written": "a log that is being opened has its row, in the transaction",
    "genesis written": "and its genesis as entry 0",
    "log opened": "the opening is durable in the database",
    "epoch locked": "the row of the log of logs is locked",
    "epoch mapped": "every head was read and proved to extend the one before",
    "epoch entry written": "the epoch's entry is in the transaction",
    "epoch map written": "the epoch and its heads are in the transaction",
    "epoch committed": "the epoch is durable in the database",
    "copy locked": "the right to replace the published checkpoint is held",
    "tiles made": "new tiles are in memory, and the copy's right edge gave its checkpoint",
    "file written": "a file of the copy is written and synced under its temporary name",
    "file named": "a file of the copy stands under its name",
    "files durable": "and the folders that hold them are synced",
    "copy replaced": "tiles and checkpoint are durable in the published copy",
    "batch published": "the published copy covers the batch, and nobody has been told",
    "decision registered": "what two operators decided is durable in the host's register log",
    "copy discarded": "a copy that they gave up is gone; the one from the database is written next",
}
_watcher: Callable[[str], None] | None = None


def at_step(name: str) -> None:
    """Say that a step was passed."""
    if _watcher is not None:
        _watcher(name)


def watch(watcher: Callable[[str], None] | None) -> None:
    """Have a drill told of each step, in the thread that passes it; None ends it."""
    global _watcher  # noqa: PLW0603 - one watcher a process, and none outside of drills
    _watcher = watcher
