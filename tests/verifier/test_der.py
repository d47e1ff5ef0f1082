"""Signatures in DER: one spelling, and never more than two numbers of 32 bytes."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.errors import SignatureInvalid
from carbonseal_verifier.conformance.der import fixed_signature

numbers = st.integers(0, (1 << 256) - 1) | st.integers(0, 300)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "30",
        "3000",
        "3003020101",
        "3006020101020101 00",
        "3007020101020101 00",
        "300602010102 0180",  # negative
        "30070201010202 0001",  # not shortest
        "300502010102 00",  # empty
        "308106020101020101",  # length not shortest
        "30800201010201010000",  # indefinite
        "3006020101030101",  # another type
        "3106020101020101",
        "3007020101020101",
        "3026022101" + "00" * 32 + "020101",  # 33 bytes
    ],
)
def test_refuses_what_is_not_der(data: str) -> None:
    with pytest.raises(SignatureInvalid):
        fixed_signature(bytes.fromhex(data))


@given(numbers, numbers)
def test_reads_what_another_library_writes(r: int, s: int) -> None:
    assert fixed_signature(encode_dss_signature(r, s)) == r.to_bytes(32, "big") + s.to_bytes(32, "big")


@given(st.binary(max_size=80) | st.binary(max_size=70).map(lambda b: b"\x30" + bytes([len(b)]) + b))
def test_any_bytes_give_one_signature_or_a_refusal(data: bytes) -> None:
    try:
        fixed = fixed_signature(data)
    except SignatureInvalid:
        return
    r, s = int.from_bytes(fixed[:32], "big"), int.from_bytes(fixed[32:], "big")
    assert encode_dss_signature(r, s) == data
