"""Family receipt: receipts of our profile, and anybody's, through `attest.receipt` and `attest.cose_receipt`.

Of our own format, the field that holds the receipt says which of the four it is.
"""

from __future__ import annotations

from carbonseal_attest.checkpoint import open_checkpoint
from carbonseal_attest.cose_receipt import CoseReceipt
from carbonseal_attest.extended_receipt import ExtendedReceipt
from carbonseal_attest.receipt import ConsistencyReceipt, Receipt
from carbonseal_verifier.conformance import ours
from carbonseal_verifier.conformance.case import Meaning
from carbonseal_verifier.conformance.fields import Fields
from carbonseal_verifier.conformance.public_keys import our_key
from carbonseal_verifier.conformance.raw_messages import message_shape


def _receipt(fields: Fields) -> Meaning:
    if "extended_receipt" in fields:
        return _extended(fields)
    if "cose_receipt" in fields:
        return _foreign(fields)
    if "consistency_receipt" in fields:
        return _consistency(fields)
    receipt = Receipt.parse(fields.hex("receipt"))
    root = receipt.verify(fields.hex("entry"), origin=fields.text("origin"), key=our_key(fields))
    return {"tree_size": receipt.tree_size, "index": receipt.index, "root_hash": root}


def _consistency(fields: Fields) -> Meaning:
    receipt = ConsistencyReceipt.parse(fields.hex("consistency_receipt"))
    old_size, old_root = fields.whole("old_size"), fields.hex("old_root")
    root = receipt.verify(old_size, old_root, origin=fields.text("origin"), key=our_key(fields))
    return {"tree_size": receipt.tree_size, "root_hash": root}


def _extended(fields: Fields) -> Meaning:
    extended, key = ExtendedReceipt.parse(fields.hex("extended_receipt")), our_key(fields)
    head = open_checkpoint(extended.checkpoint, origin=fields.text("log_of_logs"), key=key)
    covered = extended.verify(fields.hex("entry"), origin=fields.text("origin"), key=key, head=head)
    return {
        "index": covered.index,
        "tree_size": covered.logged.tree_size,
        "epoch": covered.epoch.epoch,
        "head_size": covered.head.tree_size,
        "head_root": covered.head.root_hash,
    }


def _foreign(fields: Fields) -> Meaning:
    receipt = CoseReceipt.parse(fields.hex("cose_receipt"))
    meaning = {
        "vds": receipt.structure,
        "inclusion": [[p.tree_size, p.index, len(p.path)] for p in receipt.inclusion],
        "consistency": [[p.old_size, p.new_size, len(p.path)] for p in receipt.consistency],
    }
    if "entry" not in fields:
        return meaning
    _, root = receipt.verify_inclusion(
        fields.hex("entry"), key=our_key(fields), admitted=fields.value("admitted")
    )
    return {**meaning, "root_hash": root}


def _raw(data: bytes) -> Meaning:
    read = CoseReceipt.parse(data)
    return {"vds": read.structure}


RECEIPT = (
    ours.shape(
        "receipt",
        _receipt,
        meanings={
            "tree_size": "whole",
            "index": "whole",
            "epoch": "whole",
            "head_size": "whole",
            "head_root": "hex",
            "root_hash": "hex",
            "vds": "whole",
            "inclusion": "value",
            "consistency": "value",
        },
    ),
    message_shape(
        "COSE receipt", "a receipt of RFC 9942 as it is, anybody's, to be read without a key", _raw
    ),
)
