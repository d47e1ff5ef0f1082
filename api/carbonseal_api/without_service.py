"""Opens the book, the anchors and the sources of a deployment without its service.

What disagrees may be the very reason for which the service refuses to start; whoever looks for it must get in
all the same. Nothing here registers, publishes or signs a statement.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from carbonseal_api.assembly import system_clock
from carbonseal_api.chain_anchors import ChainAnchors
from carbonseal_api.deployment import (
    Identity,
    chain_side,
    database_of,
    key_folder,
    outside_of,
    read_identity,
)
from carbonseal_api.founding import EPOCHS
from carbonseal_api.problems import PartMissing
from carbonseal_api.published_place import open_published
from carbonseal_api.reconciliation.schemas import ReconciliationView, shown
from carbonseal_api.settings import Settings
from carbonseal_api.witnesses.opening import open_witnesses
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.reconciliation import LEDGER
from carbonseal_ledger.reconciliation_book import ReconciliationBook, RunRecord
from carbonseal_ledger.reconciliation_tellings import Progress, TellingReader


@contextmanager
def opened_book(settings: Settings) -> Iterator[ReconciliationBook]:
    """Yield the book of reconciliation.

    Raises:
        PartMissing: The folder was never founded.
        DatabaseUnusable: It does not answer.
    """
    read_identity(settings)
    engine = database_of(settings)
    try:
        yield ReconciliationBook(engine, system_clock)
    finally:
        engine.dispose()


@contextmanager
def opened_anchors(settings: Settings) -> Iterator[ChainAnchors]:
    """Yield the chain side of a founded deployment alone, whether or not the service may start.

    Raises:
        PartMissing: The folder was never founded, or without a chain, or the node's address is not known.
    """
    identity, engine = read_identity(settings), database_of(settings)
    try:
        anchors = _anchors(settings, engine, identity)
        if anchors is None:
            raise PartMissing("chain", "there is none here", "name its node: CHAIN_RPC_URL")
        yield anchors
    finally:
        engine.dispose()


def reconciled_alone(
    settings: Settings, refusal: str, progress: Progress
) -> tuple[RunRecord, ReconciliationView]:
    """Compare the ledger's sources where the service refuses to start, keep what disagrees, and return it.

    Carbon-asset records are not compared then: `refusal`, what the service said, stands as missing.
    """
    identity, engine, published = read_identity(settings), database_of(settings), open_published(settings)
    log_of_logs, log_key = f"{identity.log_host_name}/{EPOCHS}", key_folder(settings).signer("log").public
    witnesses = open_witnesses(settings, engine, system_clock, log_of_logs)
    log_keys = EntryReader(engine).keys(log_key).all()
    try:
        anchors = _anchors(settings, engine, identity)
        reader = TellingReader(
            engine,
            published,
            log_key=log_key,
            log_of_logs=log_of_logs,
            anchorer=None if anchors is None else anchors.anchorer,
            outside=outside_of(anchors, witnesses, published, identity, log_keys),
        )
        book, began_at = ReconciliationBook(engine, system_clock), system_clock()
        found = reader.compare(progress)
        book.note(found.disagreements, areas=[LEDGER])
        missing = [
            *dict.fromkeys(found.missing),
            f"carbon-asset records: the service did not start: {refusal}",
        ]
        run = book.ran(began_at, logs=found.logs, present=book.standing().present, missing=missing)
        return run, shown(book.standing(), book.disagreements())
    finally:
        if witnesses is not None:
            witnesses.close()
        engine.dispose()


def _anchors(settings: Settings, engine: Engine, identity: Identity) -> ChainAnchors | None:
    founded_on = identity.chain_facts()
    return None if founded_on is None else chain_side(settings, engine, system_clock, founded_on.chain_id)
