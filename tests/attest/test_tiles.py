from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.errors import ProofInvalid
from carbonseal_attest.merkle import consistency_path, inclusion_path, leaf_hash, root_of, verify_inclusion
from carbonseal_attest.tiles import (
    TILE_WIDTH,
    Tile,
    TileName,
    TileNodes,
    decode_entries,
    encode_entries,
    entries_path,
    grown_tiles,
    split_hashes,
    tile_path,
)

LEAVES = [leaf_hash(n.to_bytes(3, "big")) for n in range(66_000)]


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 999, 256, "tile/0/999"),
        (0, 1000, 256, "tile/0/x001/000"),
        (1, 1_234_067, 256, "tile/1/x001/x234/067"),
        (5, 0, 1, "tile/5/000.p/1"),
    ],
)
def test_paths_are_those_of_tlog_tiles(level: int, index: int, width: int, path: str) -> None:
    assert tile_path(level, index, width) == path
    assert entries_path(index, width) == path.replace(f"tile/{level}/", "tile/entries/")
    assert TileName.parse(path) == TileName(level, index, width)
    assert TileName.parse(entries_path(index, width)) == TileName(None, index, width)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "checkpoint",
        "tile/0",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000/000",  # more groups than the index needs
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/x1/000",
        "tile/64/000",
        "tile/00/000",
        "tile/-1/000",
        "tile/\u0660/000",
        "tile/0/\u0661\u0662\u0663",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000/",
        "tile/0/000\n",
        "/tile/0/000",
        "tile/entries/../000",
        "tile/entry/000",
        "tile/0/" + "x001/" * 8 + "000",
        "tile/0/" + "x001/" * 10_000 + "000",
    ],
)
def test_refuses_path_of_no_tile_or_a_second_spelling(path: str) -> None:
    with pytest.raises(ProofInvalid, match="not a path"):
        TileName.parse(path)


@given(st.none() | st.integers(0, 63), st.integers(0, 10**21 - 1), st.integers(1, 256))
def test_path_that_was_written_reads_back(level: int | None, index: int, width: int) -> None:
    name = TileName(level, index, width)
    assert TileName.parse(str(name)) == name


@given(st.text("tile/entris0123456789x.p", max_size=24).map("tile/".__add__) | st.text(max_size=30))
def test_any_text_gives_a_tile_that_prints_to_itself_or_our_refusal(path: str) -> None:
    try:
        name = TileName.parse(path)
    except ProofInvalid:
        return
    assert str(name) == path


@pytest.mark.parametrize(("index", "width"), [(-1, 256), (0, 0), (0, 257), (0, -1)])
def test_refuses_path_of_a_tile_that_cannot_exist(index: int, width: int) -> None:
    with pytest.raises(ProofInvalid):
        tile_path(0, index, width)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"\x00\x01", b"\x00\x02a", b"\x00\x01a\x00", b"\x00\x00" * 257, b"\xff" * 65_536],
    ids=len,
)
def test_refuses_malformed_entry_bundle(data: bytes) -> None:
    with pytest.raises(ProofInvalid):
        decode_entries(data)


def test_refuses_to_write_entries_that_do_not_fit() -> None:
    for entries in ([], [b""] * 257, [bytes(65_536)]):
        with pytest.raises(ProofInvalid):
            encode_entries(entries)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_entries_that_were_written_read_back(entries: list[bytes]) -> None:
    assert decode_entries(encode_entries(entries)) == entries


@given(st.binary(max_size=2000))
def test_any_bytes_give_entries_or_our_refusal(data: bytes) -> None:
    try:
        entries = decode_entries(data)
    except ProofInvalid:
        return
    assert encode_entries(entries) == data


def test_tile_of_another_width_than_its_path_is_refused() -> None:
    with pytest.raises(ProofInvalid, match="another width"):
        grown_tiles(3, LEAVES[3:4], lambda *_: b"".join(LEAVES[:2]))
    with pytest.raises(ProofInvalid, match="another width"):
        TileNodes(3, lambda *_: b"".join(LEAVES[:2])).get_node(0, 0)
    with pytest.raises(ProofInvalid, match="whole number"):
        split_hashes(bytes(33))


def test_node_outside_the_tree_is_refused() -> None:
    with pytest.raises(ProofInvalid, match="outside the tree"):
        TileNodes(3, lambda *_: b"").get_node(1, 1)


def right_edge(size: int) -> list[Tile]:
    """Return the hash tiles on the right edge of a tree of `size` leaves, one a level."""
    tiles, level, count = [], 0, size
    while count:
        index, width = divmod(count, TILE_WIDTH)
        tiles.append((level, index - 1, TILE_WIDTH) if width == 0 else (level, index, width))
        level, count = level + 1, count // TILE_WIDTH
    return tiles


def grow(sizes: list[int]) -> dict[Tile, bytes]:
    held: dict[Tile, bytes] = {}
    size = 0
    for new in sizes:
        held.update(grown_tiles(size, LEAVES[size:new], lambda *tile: held[tile]))
        size = new
    return held


@given(st.lists(st.integers(1, 1500), min_size=1, max_size=4))
def test_tree_grown_in_any_steps_has_the_tiles_of_the_tree_grown_at_once(steps: list[int]) -> None:
    sizes = [sum(steps[: n + 1]) for n in range(len(steps))]
    held, whole = grow(sizes), grow(sizes[-1:])
    for tile in right_edge(sizes[-1]):
        assert held[tile] == whole[tile]


def test_proofs_read_out_of_tiles_check_above_the_second_level() -> None:
    size = 66_000  # 256² + some: three levels of tiles
    held = grow([70, 300, 65_536, size])
    assert [tile for tile in right_edge(size) if tile not in held] == []
    reads: list[Tile] = []

    def read(level: int, index: int, width: int) -> bytes:
        reads.append((level, index, width))
        return held[level, index, width]

    root = root_of(LEAVES)
    for index in (0, 255, 256, 65_535, 65_536, size - 1):
        reads.clear()
        path = inclusion_path(index, size, TileNodes(size, read).get_node)
        verify_inclusion(index, size, LEAVES[index], path, root)
        assert len(reads) <= 6  # at most two a level, whatever the size
    assert consistency_path(65_536, size, TileNodes(size, read).get_node)


def test_whole_public_log_recomputes_from_its_entries(shared_data: Path) -> None:
    folder = shared_data / "tlog-tiles-small"
    stored = {path.relative_to(folder).as_posix() for path in (folder / "tile").rglob("*") if path.is_file()}
    names = sorted(map(TileName.parse, stored), key=lambda name: name.width)
    assert [str(name) for name in names if name.level is None] == [entries_path(0, n) for n in range(1, 16)]
    assert [str(name) for name in names if name.level == 0] == [tile_path(0, 0, n) for n in range(1, 16)]
    assert len(names) == 30
    words = decode_entries((folder / entries_path(0, 15)).read_bytes())
    assert words[0] == b"one"
    leaves = [leaf_hash(word) for word in words]
    for size in range(1, 16):
        bundle = (folder / entries_path(0, size)).read_bytes()
        assert bundle == encode_entries(words[:size])
        tile = (folder / tile_path(0, 0, size)).read_bytes()
        assert grown_tiles(0, leaves[:size], lambda *_: b"") == {(0, 0, size): tile}
        assert right_edge(size) == [(0, 0, size)]
