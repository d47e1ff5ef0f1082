"""The vectors are what foreign implementations read: they must be what this code writes, and complete."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import write_vectors

from carbonseal_attest import errors
from carbonseal_attest.contents import KINDS

WRITTEN = write_vectors.files()


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_stored_vectors_are_those_that_the_script_writes(name: str) -> None:
    stored = (write_vectors.FOLDER / name).read_text(encoding="utf-8")
    assert stored == WRITTEN[name], "run tests/vectors/attest/write_vectors.py and look at what changed"


def test_writing_twice_gives_the_same_bytes() -> None:
    assert write_vectors.files() == WRITTEN


def test_no_file_of_vectors_is_left_over() -> None:
    assert {path.name for path in write_vectors.FOLDER.glob("*.json")} == set(WRITTEN)


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_every_vector_says_what_it_is_and_what_must_happen(name: str, repository_root: Path) -> None:
    stored = json.loads(WRITTEN[name])
    codes = {leaf.code for leaf in vars(errors).values() if isinstance(leaf, type) and hasattr(leaf, "code")}
    assert stored["source"]
    assert (repository_root / stored["format"]).is_file()
    descriptions = [vector["desc"] for vector in stored["vectors"]]
    assert len(set(descriptions)) == len(descriptions)
    assert {vector["want_error"] for vector in stored["vectors"]} <= codes | {None}


def test_every_kind_has_a_vector() -> None:
    assert {vector.get("kind") for vector in write_vectors.read_vectors("content.json")} >= set(KINDS)
