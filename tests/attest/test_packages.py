from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vector_files import read_vectors

from carbonseal_attest.errors import PackageInvalid
from carbonseal_attest.packages import package_digest


@pytest.mark.parametrize("vector", read_vectors("package"), ids=lambda v: v["desc"])
def test_agrees_with_own_vectors(vector: dict[str, Any]) -> None:
    files = {path: bytes.fromhex(data) for path, data in vector["files"].items()}
    if vector["want_error"]:
        with pytest.raises(PackageInvalid) as caught:
            package_digest(files)
        assert caught.value.code == vector["want_error"]
    else:
        assert package_digest(files).hex() == vector["digest"]


def test_digest_is_that_of_the_sorted_lines_which_sha256sum_prints() -> None:
    # printf a > one; printf b > two; sha256sum one two | sort | sha256sum
    digest = package_digest({"two": b"b", "one": b"a"})
    assert digest.hex() == "ad183be1b5e4069b20a59f50e58aca1bbf61d36b688171fd0a0e076935089a82"


def test_one_package_cannot_write_the_lines_of_another() -> None:
    forged = f"a\n{hashlib.sha256(b'2').hexdigest()}  b"
    with pytest.raises(PackageInvalid, match="odd path"):
        package_digest({forged: b"1"})


@given(st.dictionaries(st.text(max_size=8), st.binary(max_size=4), max_size=4))
def test_any_files_give_a_digest_or_our_refusal(files: dict[str, bytes]) -> None:
    try:
        assert len(package_digest(files)) == 32
    except PackageInvalid:
        return
