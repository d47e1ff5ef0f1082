"""Object stores: what a folder and a bucket must both keep, and what a bucket is refused for."""

from __future__ import annotations

import threading

import pytest

from carbonseal_ledger.errors import PublicationFailed
from carbonseal_ledger.object_store import (
    FolderStore,
    ObjectDiffers,
    ObjectMoved,
    StoreFailed,
    serving_headers,
    write_durably,
)
from carbonseal_ledger.s3_store import S3Store, open_s3_store
from s3_stand_in import fresh_bucket

HEAD = "log.example/e-a/data/checkpoint"
TILE = "log.example/e-a/data/tile/0/000"


def fresh_store(client):
    return S3Store(client, fresh_bucket(client), "logs")


@pytest.fixture(params=["folder", "bucket"])
def store(request, tmp_path):
    if request.param == "folder":
        return FolderStore(tmp_path / "store")
    return fresh_store(request.getfixturevalue("s3"))


def test_replaces_only_what_is_expected(store):
    store.replace(HEAD, None, b"one")
    for expected in (None, b"zero", b"on"):
        with pytest.raises(ObjectMoved):
            store.replace(HEAD, expected, b"other")
    store.replace(HEAD, b"one", b"two")
    assert store.read(HEAD) == b"two"


def test_a_file_that_never_changes_is_written_again_only_as_it_is(store):
    store.create({TILE: b"tile", TILE + ".p/3": b"til"})
    store.create({TILE: b"tile"})
    with pytest.raises(ObjectDiffers, match="tile/0/000"):
        store.create({TILE: b"tilt"})
    assert store.read(TILE) == b"tile"


def test_a_missing_file_is_none_and_a_missing_folder_empty(store):
    assert store.read(HEAD) is None
    assert store.names("log.example/e-a") == []
    store.remove(["log.example"], [HEAD])


def test_lists_files_of_a_folder_and_folders_with_a_file(store):
    store.create({TILE: b"x", TILE + ".p/3": b"y", TILE + ".p/12": b"z"})
    store.replace(HEAD, None, b"one")
    store.replace("log.example/epochs/checkpoint", None, b"two")
    assert store.names(TILE + ".p") == ["12", "3"]
    assert store.names("log.example/e-a/data") == ["checkpoint"]
    assert store.folders_with("checkpoint", skip="tile") == ["log.example/e-a/data", "log.example/epochs"]
    store.remove([TILE + ".p"], [HEAD])
    assert store.names(TILE + ".p") == []
    assert store.read(HEAD) is None
    assert store.read(TILE) == b"x"


def test_of_writers_that_saw_the_same_file_one_wins(store):
    store.replace(HEAD, None, b"start")
    start, lost = threading.Barrier(4), []

    def write(text):
        start.wait()
        try:
            with store.lock("log.example/e-a/data"):
                store.replace(HEAD, b"start", text)
        except ObjectMoved:
            lost.append(text)

    writers = [threading.Thread(target=write, args=(bytes([n]),)) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(lost) == 3
    assert store.read(HEAD) not in lost


def test_a_bucket_lists_more_than_one_page(s3):
    store = fresh_store(s3)
    store.create({f"{TILE}.p/{n}": b"x" for n in range(1, 18)})
    pages = s3.list_objects_v2

    def small_pages(**arguments):
        return pages(**arguments, MaxKeys=5)

    s3.list_objects_v2 = small_pages
    try:
        assert len(store.names(TILE + ".p")) == 17
        store.remove([TILE + ".p"])
    finally:
        del s3.list_objects_v2
    assert store.names(TILE + ".p") == []


def test_a_bucket_gives_files_the_headers_with_which_they_are_served(s3):
    store = fresh_store(s3)
    store.create({TILE: b"x"})
    store.replace(HEAD, None, b"one")
    tile, head = (s3.get_object(Bucket=store._bucket, Key=f"logs/{name}") for name in (TILE, HEAD))
    assert (tile["ContentType"], tile["CacheControl"]) == serving_headers(TILE)
    assert "immutable" in tile["CacheControl"]
    assert (head["ContentType"], head["CacheControl"]) == serving_headers(HEAD)
    assert "immutable" not in head["CacheControl"]


def test_a_replacement_whose_answer_was_lost_counts_as_done(s3):
    class Repeating:
        """Sends each conditional write twice, as a client does that saw no answer to the first."""

        def put_object(self, **arguments):
            s3.put_object(**arguments)
            return s3.put_object(**arguments)

        def __getattr__(self, name):
            return getattr(s3, name)

    plain = fresh_store(s3)
    store = S3Store(Repeating(), plain._bucket, "logs")
    store.replace(HEAD, None, b"one")
    store.replace(HEAD, b"one", b"two")
    store.create({TILE: b"x"})
    assert plain.read(HEAD) == b"two"


@pytest.mark.parametrize("overlooked", ["IfMatch", "IfNoneMatch"])
def test_storage_that_overlooks_a_condition_is_refused(s3, overlooked):
    class Careless:
        def put_object(self, **arguments):
            arguments.pop(overlooked, None)
            return s3.put_object(**arguments)

        def __getattr__(self, name):
            return getattr(s3, name)

    store = S3Store(Careless(), fresh_store(s3)._bucket)
    with pytest.raises(PublicationFailed, match="overlooks"):
        store.check_conditions()


def test_a_bucket_that_is_not_there_or_does_not_answer_is_said(s3, monkeypatch):
    with pytest.raises(PublicationFailed, match="cannot be used"):
        S3Store(s3, "nobody-made-this").check_conditions()
    with pytest.raises(StoreFailed):
        S3Store(s3, "nobody-made-this").read(HEAD)
    with pytest.raises(PublicationFailed, match="s3://bucket/prefix"):
        open_s3_store("https://bucket/prefix")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    bucket = fresh_store(s3)._bucket
    store = open_s3_store(f"s3://{bucket}/a/b", endpoint=s3.meta.endpoint_url, region="us-east-1")
    store.create({TILE: b"x"})
    assert str(store) == f"s3://{bucket}/a/b/"
    assert s3.get_object(Bucket=bucket, Key=f"a/b/{TILE}")["Body"].read() == b"x"


def test_left_over_temporary_file_does_no_harm(tmp_path):
    file = tmp_path / "a" / "file"
    write_durably({file: b"one"})
    file.with_name("file.writing").write_bytes(b"half")
    assert FolderStore(tmp_path).names("a") == ["file"]
    write_durably({file: b"two"})
    assert file.read_bytes() == b"two"
    assert [p.name for p in file.parent.iterdir()] == ["file"]
