"""Family tile: files of a C2SP tiled log, told by their path, through `attest.tiles`.

A hash tile must hold as many hashes as its path says, and its nodes must give one root; an entry bundle must
take apart and write again as the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from carbonseal_attest.errors import ProofInvalid
from carbonseal_attest.merkle import root_of
from carbonseal_attest.tiles import (
    HASH_SIZE,
    TILE_WIDTH,
    TileName,
    decode_entries,
    encode_entries,
    entries_path,
    split_hashes,
    tile_path,
)
from carbonseal_verifier.conformance import ours
from carbonseal_verifier.conformance.case import ACCEPTED, Case, Meaning
from carbonseal_verifier.conformance.fields import Fields
from carbonseal_verifier.conformance.shape import Shape
from carbonseal_verifier.conformance.vector_file import Source

_PATH: Final = re.compile(
    r"(?:^|/)(tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([0-9]{1,3}))?)(?:\.gz)?$"
)


def _is_raw(document: Any) -> bool:
    return isinstance(document, bytes) and bool(document) and document[:1] not in (b"{", b"[")


def _raw(document: Any, source: Source) -> Iterable[Case]:
    found = _PATH.search(source.path)
    path = found[1] if found else None
    is_entries = found[2] == "entries" if found else len(document) % HASH_SIZE != 0
    width = int(found[4] or TILE_WIDTH) if found else None
    meaning: dict[str, Any] = {} if width is None else {"width": width, "path": path}
    if found and width is not None:
        level, index = 0 if is_entries else int(found[2]), int(found[3].replace("x", "").replace("/", ""))
    else:
        level = index = 0
    run = partial(_entries if is_entries else _hashes, document, level, index)
    yield Case(path or source.name, ACCEPTED, run, meaning=meaning)


def _hashes(data: bytes, level: int, index: int) -> Meaning:
    hashes = split_hashes(data)
    width = len(hashes)
    if not 0 < width <= TILE_WIDTH:
        raise ProofInvalid("tile", f"{width} hashes", "fetch the tile again")
    return {"width": width, "path": tile_path(level, index, width), "root_hash": root_of(hashes)}


def _entries(data: bytes, _: int, index: int) -> Meaning:
    entries = decode_entries(data)
    if encode_entries(entries) != data:
        raise ProofInvalid("entry bundle", "writes other bytes again", "fetch the bundle again")
    return {"width": len(entries), "path": entries_path(index, len(entries))}


def _our_tile(fields: Fields) -> Meaning:
    name = TileName.parse(fields.text("path"))
    read = _entries if name.level is None else _hashes
    found = read(fields.hex("data"), name.level or 0, name.index)
    if found["width"] != name.width:
        raise ProofInvalid("tile", f"holds {found['width']} instead of {name.width}", "fetch the tile again")
    return found


TILE = (
    ours.shape("tile", _our_tile, meanings={"width": "whole", "root_hash": "hex"}),
    Shape("tlog-tiles", "C2SP tlog-tiles: a file under its path, such as tile/0/000.p/5", _is_raw, _raw),
)
