"""Many organisations cost one anchor: one epoch over all their logs, one entry, one plan, small receipts.

The sample has 200 organisations; `make test-long` has 10,000 and says how long epochs and receipts took.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from carbonseal_attest.checkpoint import open_checkpoint
from carbonseal_attest.epoch import EpochEntry
from carbonseal_attest.extended_receipt import MAX_EXTENDED
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_ledger.outcomes import Status

ORGANISATIONS = 10_000 if os.environ.get("CARBONSEAL_LONG") == "1" else 200


@pytest.fixture
def crowded(world):
    """A world in which every organisation has opened its register log."""

    def open_one(number):
        return world.open(Ed25519Signer.generate(), f"e-org{number:05d}", "register").status

    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(open_one, range(ORGANISATIONS)))
    assert opened == [Status.ACCEPTED] * ORGANISATIONS
    return world


def test_ten_thousand_organisations_cost_one_anchor_and_their_receipts_stay_small(crowded, capsys):
    host, figures = crowded.host, {}

    def timed(name, work):
        began = time.perf_counter()
        made = work()
        figures[name] = f"{time.perf_counter() - began:.2f} s"
        return made

    first = timed("first epoch, a tick in every log", host.build_epoch)
    quiet = timed("epoch in which nothing happened", host.build_epoch)
    crowded.accept(crowded.readings(crowded.main))
    busy = timed("epoch in which one log grew", host.build_epoch)
    assert first.origins == quiet.origins == busy.origins == ORGANISATIONS + 4

    # One entry an epoch, whatever the number of logs, and so one plan of an anchor.
    plans = timed("plans of all three anchors", lambda: host.plan_anchors(1))
    assert [(plan.old_size, plan.new_size) for plan in plans] == [(1, 2), (2, 3), (3, 4)]
    evidence = host.epoch_evidence([crowded.data], [3])
    entry = evidence.entries[3]
    assert len(entry) < 64
    assert EpochEntry.decode(entry).origins == ORGANISATIONS + 4

    chosen = (0, ORGANISATIONS // 2, ORGANISATIONS - 1)
    origins = [f"log.carbonseal.example/e-org{n:05d}/register" for n in chosen]
    sizes = []
    for origin in (*origins, crowded.data):
        logged = host.entry(origin, 0)
        work = partial(host.extended_receipt, origin, logged.digest)
        made = timed(f"extended receipt, {len(sizes) + 1}", work)
        head = open_checkpoint(made.checkpoint, origin=crowded.log_of_logs, key=crowded.log_key.public)
        made.verify(logged.raw, origin=origin, key=crowded.log_key.public, head=head)
        sizes.append(len(made.encode()))
    assert max(sizes) <= MAX_EXTENDED
    figures["bytes of an epoch's entry, of its anchor's proof, of the largest receipt"] = (
        f"{len(entry)}, {max(32 * len(plan.path) for plan in plans)}, {max(sizes)}"
    )
    with capsys.disabled():
        if ORGANISATIONS == 10_000:
            print(*(f"\n  {name}: {figure}" for name, figure in figures.items()), sep="")
