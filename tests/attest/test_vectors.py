"""The vectors are what foreign implementations read: they must be what this code writes, and complete."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import vector_files

from carbonseal_attest import anchor, errors
from carbonseal_attest.contents import KINDS

WRITTEN = {family: vector_files.generate(family) for family in vector_files.families()}
FILES = [(family, name) for family, written in WRITTEN.items() for name in sorted(written)]


@pytest.mark.parametrize(("family", "name"), FILES)
def test_stored_vectors_are_those_that_the_script_writes(family: str, name: str) -> None:
    stored = (vector_files.FOLDER / family / name).read_text(encoding="utf-8")
    told = f"run tests/vectors/{family}/write_vectors.py and look at what changed"
    assert stored == WRITTEN[family][name], told


@pytest.mark.parametrize("family", WRITTEN)
def test_writing_twice_gives_the_same_bytes(family: str) -> None:
    assert vector_files.generate(family) == WRITTEN[family]


@pytest.mark.parametrize("family", WRITTEN)
def test_no_file_of_vectors_is_left_over(family: str) -> None:
    stored = {path.name for path in (vector_files.FOLDER / family).glob("*.json*")}
    assert stored == set(WRITTEN[family])


def test_every_folder_of_vectors_has_a_generator() -> None:
    folders = {path.parent.name for path in vector_files.FOLDER.glob("*/*.json")}
    assert folders == set(WRITTEN) | vector_files.RECORDED


@pytest.mark.parametrize(("family", "name"), FILES)
def test_every_vector_says_what_it_is_and_what_must_happen(
    family: str, name: str, repository_root: Path
) -> None:
    stored = json.loads(WRITTEN[family][name])
    leaves = [*vars(errors).values(), *vars(anchor).values()]
    codes = {leaf.code for leaf in leaves if isinstance(leaf, type) and hasattr(leaf, "code")}
    assert stored["source"]
    assert stored["family"] == family
    assert (repository_root / stored["format"]).is_file()
    descriptions = [vector["desc"] for vector in stored["vectors"]]
    assert len(set(descriptions)) == len(descriptions)
    assert {vector["want_error"] for vector in stored["vectors"]} <= codes | {None}


def test_every_kind_has_a_file_of_vectors() -> None:
    assert set(WRITTEN["content"]) == {f"{kind}.json" for kind in KINDS}
