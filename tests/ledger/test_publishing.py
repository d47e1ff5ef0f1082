"""The published copy: compare-and-set, durable writes, tiles at any width."""

from __future__ import annotations

import threading

import pytest

from carbonseal_attest.errors import IdentifierInvalid
from carbonseal_ledger.errors import LogDamaged, PublicationFailed, RollbackDetected
from carbonseal_ledger.publishing import PublishedCopy

ORIGIN = "log.example/e-a/data"


@pytest.fixture
def published(tmp_path):
    return PublishedCopy(tmp_path / "published")


def replace(published, expected, checkpoint, tiles=None):
    published.replace(ORIGIN, expected=expected, checkpoint=checkpoint, tiles=tiles or {}, bundles={})


def test_checkpoint_is_replaced_only_by_who_knows_the_one_before(published):
    replace(published, None, "first")
    with pytest.raises(RollbackDetected, match="not the one it should follow"):
        replace(published, None, "other")
    replace(published, "first", "second")
    assert published.checkpoint(ORIGIN) == "second"


def test_refuses_full_tile_that_would_change(published):
    replace(published, None, "first", {(0, 0, 256): bytes(8192)})
    replace(published, "first", "second", {(0, 0, 256): bytes(8192)})
    with pytest.raises(RollbackDetected, match="would change"):
        replace(published, "second", "third", {(0, 0, 256): b"\x01" * 8192})


def test_checkpoint_stays_when_a_tile_cannot_be_written(published, monkeypatch):
    replace(published, None, "first")

    def full_disk(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(PublicationFailed, match="No space left"):
        replace(published, "first", "second", {(0, 0, 1): bytes(32)})
    monkeypatch.undo()
    assert published.checkpoint(ORIGIN) == "first"


def test_partial_tile_is_read_out_of_a_wider_or_the_full_one(published):
    hashes = b"".join(bytes([n]) * 32 for n in range(9))
    replace(published, None, "first", {(0, 0, 9): hashes})
    assert published.read_tile(ORIGIN, 0, 0, 4) == hashes[:128]
    full = bytes(range(256)) * 32
    replace(published, "first", "second", {(0, 0, 256): full})
    assert published.partial_widths(ORIGIN, 0, 0) == []
    assert published.read_tile(ORIGIN, 0, 0, 9) == full[: 9 * 32]


def test_refuses_missing_and_cut_off_tiles(published):
    replace(published, None, "first", {(0, 0, 3): bytes(96)})
    with pytest.raises(LogDamaged, match="missing"):
        published.read_tile(ORIGIN, 0, 0, 4)
    path = published.store.folder / ORIGIN / "tile/0/000.p/3"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(LogDamaged, match="95 bytes"):
        published.read_tile(ORIGIN, 0, 0, 3)


def test_refuses_origin_that_would_leave_the_folder(published):
    with pytest.raises(IdentifierInvalid):
        published.checkpoint("../outside/data")


def test_lists_the_published_origins(published):
    replace(published, None, "first", {(0, 0, 1): bytes(32)})
    published.replace("log.example/epochs", expected=None, checkpoint="x", tiles={}, bundles={})
    assert published.origins() == ["log.example/e-a/data", "log.example/epochs"]


def test_lock_keeps_a_second_writer_waiting(published):
    order = []

    def second():
        with published.lock(ORIGIN):
            order.append("second")

    with published.lock(ORIGIN):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
