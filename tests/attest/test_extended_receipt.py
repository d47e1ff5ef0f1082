"""Extended receipts: every part must hold, and the whole stays within its size."""

from __future__ import annotations

from typing import Any

import pytest
from example_contents import DATA, key
from vector_files import read_vectors

from carbonseal_attest.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from carbonseal_attest.epoch import EpochEntry
from carbonseal_attest.errors import CarbonsealError, ProofInvalid
from carbonseal_attest.extended_receipt import MAX_EXTENDED, Covered, ExtendedReceipt
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import inclusion_path
from carbonseal_attest.receipt import make_receipt

HOST = key("log host")
VECTORS = read_vectors("receipt", "extended.json")


def check(vector: dict[str, Any], data: bytes) -> Covered:
    public = PublicKey.from_text(vector["public"])
    extended = ExtendedReceipt.parse(data)
    head = open_checkpoint(extended.checkpoint, origin=vector["log_of_logs"], key=public)
    return extended.verify(bytes.fromhex(vector["entry"]), origin=vector["origin"], key=public, head=head)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["desc"])
def test_agrees_with_own_vectors(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["extended_receipt"])
    if vector["want_error"] is None:
        covered = check(vector, data)
        assert (covered.index, covered.logged.tree_size) == (vector["index"], vector["tree_size"])
        assert (covered.epoch.epoch, covered.head.tree_size) == (vector["epoch"], vector["head_size"])
        assert covered.head.root_hash.hex() == vector["head_root"]
        assert ExtendedReceipt.parse(data).encode() == data
    else:
        with pytest.raises(CarbonsealError) as caught:
            check(vector, data)
        assert caught.value.code == vector["want_error"]


def test_refuses_every_receipt_with_one_bit_flipped() -> None:
    whole = bytes.fromhex(VECTORS[0]["extended_receipt"])
    for at in range(len(whole)):
        data = bytearray(whole)
        data[at] ^= 1 << (at % 8)
        with pytest.raises(CarbonsealError):
            check(VECTORS[0], bytes(data))


def test_refuses_a_head_that_is_not_that_of_the_checkpoint_carried() -> None:
    extended = ExtendedReceipt.parse(bytes.fromhex(VECTORS[0]["extended_receipt"]))
    head = Checkpoint.of_note(extended.checkpoint)
    with pytest.raises(ProofInvalid, match="another head"):
        extended.verify_head(Checkpoint(head.origin, head.tree_size, bytes(32)))


def sized(entries: int, origins: int, epochs: int, origin: str = DATA) -> int:
    """Bytes of the longest receipt of logs of these sizes; what the hashes are does not matter for it."""

    def path(size: int) -> tuple[bytes, ...]:
        return tuple(inclusion_path(0, size, lambda *_: bytes(32)))

    host = origin.split("/", maxsplit=1)[0]
    receipt = make_receipt(
        HOST, log_host="h-carbonsealhost", origin=origin, tree_size=entries, index=entries - 1,
        path=path(entries), root=bytes(32),
    )  # fmt: skip
    note = sign_checkpoint(Checkpoint(f"{host}/epochs", epochs + 1, bytes(32)), HOST)
    entry = EpochEntry(epochs, bytes(32), origins, 1_800_000_000_000)
    made = ExtendedReceipt(receipt, origins - 1, path(origins), entry, path(epochs + 1), note, None)
    return len(made.encode())


def test_takes_at_most_3_kb_for_ten_thousand_organisations_and_ten_years_of_hourly_epochs() -> None:
    long_origin = f"{'l' * 60}.example/e-{'a' * 32}/register"
    assert sized(1 << 27, 20_002, 87_600, long_origin) <= MAX_EXTENDED == 3_072
    assert sized(1 << 20, 20_002, 3_650) < 2_400
