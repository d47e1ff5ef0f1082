"""Recovery by two persons: rebuild a log's published copy from the database.

The ledger refuses to start when its published copy is missing, rolled back or damaged, because whoever can
make it forget a head could make it fork. Rebuilding is therefore never automatic: two different persons must
have compared the database with the anchor or the members' receipts (later with witnesses), and are named. The
database must give the root of the log's own signed checkpoint; a checkpoint that a member still holds must
not lie beyond it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Engine

from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import Frontier, leaf_hash
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.errors import LogDamaged, RollbackDetected
from carbonseal_ledger.heads import CommittedHead
from carbonseal_ledger.publication import Publisher
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.tree_reader import TreeReader

_PAGE: Final = 10_000  # entries read at a time
_logger = logging.getLogger(__name__)


def rebuild_published(
    engine: Engine,
    published: PublishedCopy,
    origin: str,
    *,
    log_key: PublicKey,
    known_checkpoints: Sequence[str],
    persons: tuple[str, str],
) -> Checkpoint:
    """Discard a log's published copy and write it anew from the stored entries.

    The ledger must not be running.

    Args:
        engine: of the database that is to be believed.
        published: the copy.
        origin: of the log.
        log_key: that signs its checkpoints.
        known_checkpoints: signed checkpoints of this log that outsiders hold (members, bundles);
            the stored entries must extend each of them.
        persons: the names of the two who decided; written to the operating log.

    Raises:
        RollbackDetected: not two persons, or the database is behind or beside a known checkpoint.
        LogDamaged: the stored entries do not give the stored checkpoint's root.
    """
    if len({person.strip() for person in persons if person.strip()}) != 2:
        raise RollbackDetected("persons", "a rebuild needs two different persons", "name both")
    entries = EntryReader(engine)
    keys = entries.keys(log_key)
    stored = entries.head(origin)
    wanted = [(stored.tree_size, stored.root_hash, "the stored checkpoint")]
    for note in (stored.checkpoint, *known_checkpoints):
        try:
            known = keys.open(note, origin)
        except CarbonsealError as error:
            raise LogDamaged(
                "checkpoint", f"of {origin} {error.reason}", "give checkpoints of this log"
            ) from error
        wanted.append((known.tree_size, known.root_hash, "a known checkpoint"))
    frontier = Frontier()
    for size, root, name in sorted(wanted):
        if size > stored.tree_size:
            raise RollbackDetected(
                "database", f"{origin} is behind {name} of {size}", "restore a newer backup"
            )
        while frontier.size < size:
            end = min(size, frontier.size + _PAGE)
            frontier = frontier.extend(leaf_hash(raw) for raw in entries.raws(origin, frontier.size, end))
        if frontier.root() != root:
            what = f"the entries of {origin} do not give {name} at {size}"
            raise LogDamaged("database", what, "restore the database from a backup")
    _logger.warning(
        "published copy of %s rebuilt at %d on the word of %s and %s", origin, stored.tree_size, *persons
    )
    published.discard(origin)
    publisher = Publisher(published, TreeReader(published), entries.raws)
    publisher.publish(
        CommittedHead(origin, -1, b"", stored.tree_size, stored.root_hash, stored.checkpoint, [], [])
    )
    return Checkpoint(origin, stored.tree_size, stored.root_hash)
