"""A whole log host whose published copy lies in S3-compatible storage (moto's server, a stand-in)."""

from __future__ import annotations

import functools
import threading
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from carbonseal_attest.checkpoint import open_checkpoint
from carbonseal_attest.merkle import read_frontier
from carbonseal_attest.receipt import Receipt
from carbonseal_attest.tiles import TileNodes, tile_path
from carbonseal_ledger.errors import PublicationFailed, RollbackDetected
from carbonseal_ledger.log_audit import LogAudit
from carbonseal_ledger.object_store import FolderStore, StoreFailed
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.s3_store import S3Store
from s3_stand_in import fresh_bucket


@pytest.fixture
def bucket(s3):
    return fresh_bucket(s3)


@pytest.fixture
def stored(make_world, s3, bucket):
    return make_world(store=S3Store(s3, bucket, "published")).found()


def test_receipts_epochs_audit_and_restart_hold_over_a_bucket(stored):
    item = stored.readings(stored.main)
    (outcome,) = stored.accept(item)
    stored.accept(*[stored.readings(stored.main) for _ in range(300)])
    stored.host.build_epoch()
    receipt = stored.host.receipt(stored.data, outcome.digest)
    Receipt.parse(receipt).verify(item.statement, origin=stored.data, key=stored.log_key.public)
    before = stored.host.checkpoint(stored.data)
    stored.start()
    assert stored.host.checkpoint(stored.data) == before
    stored.accept(stored.readings(stored.main))
    assert LogAudit(stored.engine, stored.published(), stored.log_key.public).run().is_sound


def test_a_bucket_holds_the_very_files_of_a_folder(stored, tmp_path):
    stored.accept(*[stored.readings(stored.main) for _ in range(5)])
    folder = PublishedCopy(FolderStore(tmp_path / "copy"))
    note, size = stored.host.checkpoint(stored.data), stored.host.head(stored.data).tree_size
    tile = stored.published().read_tile(stored.data, 0, 0, size)
    folder.replace(stored.data, expected=None, checkpoint=note, tiles={(0, 0, size): tile}, bundles={})
    for name in (f"{stored.data}/checkpoint", f"{stored.data}/tile/0/000.p/{size}"):
        assert stored.store.read(name) == folder.store.read(name)


def test_of_two_processes_that_publish_at_once_the_slower_reads_again(stored, s3, bucket):
    class Overtaken(S3Store):
        """Between reading the checkpoint and replacing it, another process publishes."""

        meanwhile = None

        def create(self, files):
            super().create(files)
            if (act := self.meanwhile) is not None:
                self.meanwhile = None
                act()

    slow = replace(stored, store=Overtaken(s3, bucket, "published"))
    other = stored.stream("m-gas")
    slow.store.meanwhile = lambda: stored.accept(stored.readings(other))
    (outcome,) = slow.accept(slow.readings(stored.main))
    assert slow.store.meanwhile is None
    assert slow.host.head(slow.data).tree_size == stored.host.head(stored.data).tree_size
    assert slow.host.receipt(slow.data, outcome.digest)
    assert LogAudit(stored.engine, stored.published(), stored.log_key.public).run().is_sound
    slow.host.close()


def test_many_threads_of_two_processes_leave_one_sound_log(stored, s3, bucket):
    second = replace(stored, store=S3Store(s3, bucket, "published"))
    # The stand-in looks and writes in two steps; the storage that it stands for does it in one.
    one = threading.Lock()
    for world in (stored, second):
        world.store.replace = _one_at_a_time(world.store.replace, one)
    streams = [
        (world, world.stream(subject)) for world in (stored, second) for subject in ("m-main", "m-gas")
    ]
    streams = [(world, replace(s, stream=f"{s.stream}-{n}")) for n, (world, s) in enumerate(streams)]
    # All signed first, and both clocks put behind the last one: two processes share the time of day.
    work_of = [(world, [world.readings(s, subject="m-main") for _ in range(4)]) for world, s in streams]
    stored.now = second.now = max(stored.now, second.now)
    failed = []

    def work(world, items):
        try:
            for item in items:
                world.accept(item)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=work, args=args) for args in work_of]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert LogAudit(stored.engine, stored.published(), stored.log_key.public).run().is_sound
    second.host.close()


def _one_at_a_time(replacing, lock):
    def held(*arguments):
        with lock:
            return replacing(*arguments)

    return held


def test_storage_that_does_not_answer_keeps_receipts_back(stored, monkeypatch):
    def silent(*_):
        raise StoreFailed("no route")

    item = stored.readings(stored.main)
    monkeypatch.setattr(stored.store, "replace", silent)
    with pytest.raises(PublicationFailed, match="no route"):
        stored.send(item)
    monkeypatch.undo()
    stored.start()
    (outcome,) = stored.send(item)
    assert outcome.index is not None
    assert stored.host.head(stored.data).tree_size > outcome.index


def test_a_copy_that_went_back_in_the_bucket_is_refused(stored):
    name = f"{stored.data}/checkpoint"
    old = stored.store.read(name)
    stored.accept(stored.readings(stored.main))
    stored.accept(stored.readings(stored.main))
    stored.store.replace(name, stored.store.read(name), old)
    with pytest.raises(RollbackDetected):
        stored.start()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def followed(make_world, tmp_path):
    """A world in a folder that a plain web server shows."""
    world = make_world().found()
    shown = functools.partial(Quiet, directory=str(world.folder / "published"))
    with ThreadingHTTPServer(("127.0.0.1", 0), shown) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield world, f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_plain_web_server_over_the_folder_serves_every_checkpoint_it_shows(followed):
    world, address = followed

    def fetch(path):
        answer = httpx.get(f"{address}/{world.data}/{path}", trust_env=False)
        return answer.content if answer.status_code == 200 else None

    def tile(level, index, width):
        # As a reader of tlog-tiles does: the partial tile, and where it is gone, the full one.
        data = fetch(tile_path(level, index, width)) or fetch(tile_path(level, index)) or b""
        return data[: 32 * width]

    seen = []
    for count in (1, 3, 60, 180, 1, 30):
        world.accept(*[world.readings(world.main) for _ in range(count)])
        head = open_checkpoint(fetch("checkpoint").decode(), origin=world.data, key=world.log_key.public)
        needed = TileNodes(head.tree_size, lambda *which: fetch(tile_path(*which)) or b"")
        assert read_frontier(head.tree_size, needed.get_node).root() == head.root_hash
        seen.append(head)
        for old in seen:
            nodes = TileNodes(old.tree_size, tile)
            assert read_frontier(old.tree_size, nodes.get_node).root() == old.root_hash
    assert seen[-1].tree_size > 256
    assert fetch("tile/entries/000") is None
