"""Family receipt: our receipts of inclusion, through `attest.receipt`."""

from __future__ import annotations

from carbonseal_attest.receipt import Receipt
from carbonseal_verifier.conformance import ours
from carbonseal_verifier.conformance.case import Meaning
from carbonseal_verifier.conformance.fields import Fields
from carbonseal_verifier.conformance.public_keys import our_key


def _receipt(fields: Fields) -> Meaning:
    receipt = Receipt.parse(fields.hex("receipt"))
    root = receipt.verify(fields.hex("entry"), origin=fields.text("origin"), key=our_key(fields))
    return {"tree_size": receipt.tree_size, "index": receipt.index, "root_hash": root}


RECEIPT = (
    ours.shape("receipt", _receipt, meanings={"tree_size": "whole", "index": "whole", "root_hash": "hex"}),
)
