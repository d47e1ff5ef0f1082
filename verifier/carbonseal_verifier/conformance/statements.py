"""Family statement: signed statements, also with their receipts, and the contents that they sign."""

from __future__ import annotations

import hashlib

from carbonseal_attest.contents import check_content, parse_content
from carbonseal_attest.cose import Sign1
from carbonseal_attest.cose_receipt import RECEIPTS
from carbonseal_attest.errors import CarbonsealError, StatementInvalid
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import leaf_hash
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.transparent_statement import TransparentStatement
from carbonseal_verifier.conformance import ours
from carbonseal_verifier.conformance.case import Meaning
from carbonseal_verifier.conformance.fields import Fields
from carbonseal_verifier.conformance.public_keys import our_key
from carbonseal_verifier.conformance.raw_messages import message_shape


def _statement(fields: Fields) -> Meaning:
    if "transparent_statement" in fields:
        return _transparent(fields)
    made = SignedStatement.parse(fields.hex("statement"))
    if "public" in fields:
        made.verify_signature(our_key(fields))
    if "content" in fields:
        check_content(made, fields.hex("content"))
    return {"digest": made.digest, "leaf_hash": leaf_hash(made.raw), "payload": made.payload}


def _transparent(fields: Fields) -> Meaning:
    def log_key(origin: str, _: int) -> PublicKey | None:
        return our_key(fields, "log_public") if origin == fields.text("origin") else None

    read = TransparentStatement.parse(fields.hex("transparent_statement"))
    receipt, root = read.verify(key=our_key(fields), log_key=log_key)
    place = {"index": receipt.index, "tree_size": receipt.tree_size, "root_hash": root}
    return {"statement": read.statement.raw, **place}


def _content(fields: Fields) -> Meaning:
    data = fields.hex("content")
    content = parse_content(data)
    return {"kind": content.kind, "version": content.version, "digest": hashlib.sha256(data).digest()}


def _raw(data: bytes) -> Meaning:
    try:
        made = SignedStatement.parse(data)
    except StatementInvalid:
        if RECEIPTS not in Sign1.parse(data, admits_untagged=True).unprotected:
            raise
        made = TransparentStatement.parse(data).statement
    return {"digest": made.digest}


def _foreign(data: bytes, error: CarbonsealError) -> str | None:
    """Name the deviation where the bytes are anybody's COSE_Sign1, which our profile refuses."""
    try:
        Sign1.parse(data, admits_untagged=True)
    except CarbonsealError:
        return None
    return "statement-profile" if isinstance(error, StatementInvalid) else None


STATEMENT = (
    ours.shape(
        "statement",
        _statement,
        meanings={
            "digest": "hex",
            "leaf_hash": "hex",
            "payload": "hex",
            "index": "whole",
            "tree_size": "whole",
            "root_hash": "hex",
        },
    ),
    ours.shape("content", _content, meanings={"kind": "text", "version": "whole", "digest": "hex"}),
    message_shape(
        "signed statement",
        "a signed or transparent statement as it is, to be read without a key",
        _raw,
        deviation=_foreign,
    ),
)
