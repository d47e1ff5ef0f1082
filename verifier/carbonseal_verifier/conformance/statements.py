"""Family statement: our signed statements, and the contents that they sign, through `attest.statement`."""

from __future__ import annotations

import hashlib

from carbonseal_attest.contents import check_content, parse_content
from carbonseal_attest.merkle import leaf_hash
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.conformance import ours
from carbonseal_verifier.conformance.case import Meaning
from carbonseal_verifier.conformance.fields import Fields
from carbonseal_verifier.conformance.public_keys import our_key


def _statement(fields: Fields) -> Meaning:
    made = SignedStatement.parse(fields.hex("statement"))
    if "public" in fields:
        made.verify_signature(our_key(fields))
    if "content" in fields:
        check_content(made, fields.hex("content"))
    return {"digest": made.digest, "leaf_hash": leaf_hash(made.raw), "payload": made.payload}


def _content(fields: Fields) -> Meaning:
    data = fields.hex("content")
    content = parse_content(data)
    return {"kind": content.kind, "version": content.version, "digest": hashlib.sha256(data).digest()}


STATEMENT = (
    ours.shape("statement", _statement, meanings={"digest": "hex", "leaf_hash": "hex", "payload": "hex"}),
    ours.shape("content", _content, meanings={"kind": "text", "version": "whole", "digest": "hex"}),
)
