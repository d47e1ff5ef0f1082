"""Bodies that are no JSON, each such as its route takes it: statements, digests, contents, files, a form."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cbor2
from evidence_makers import pdf
from prepared import Prepared

FORM = "application/x-www-form-urlencoded"


@dataclass
class Sent:
    """A body with what goes with it."""

    body: bytes
    media_type: str
    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def the_genesis(made: Prepared) -> Sent:
    guest, body = made.invited()
    return Sent(body, "application/cbor", headers={"Authorization": f"Bearer {guest.api_key}"})


def a_statement(made: Prepared) -> Sent:
    statement, content = made.sealed(3)
    return Sent(cbor2.dumps([statement.raw, content]), "application/cbor")


def statements(made: Prepared) -> Sent:
    statement, content = made.sealed(3, "m-electricity2")
    return Sent(cbor2.dumps([statement.raw, content]), "application/cbor-seq")


def digests(made: Prepared) -> Sent:
    return Sent(cbor2.dumps([bytes.fromhex(made.facts["readings"])]), "application/cbor")


def a_content(made: Prepared) -> Sent:
    data = b"a content"
    named = {"digest": hashlib.sha256(data).hexdigest()}
    return Sent(data, "application/octet-stream", named, {"origin": made.facts["origin"]})


def a_file(_: Prepared) -> Sent:
    data = pdf("bill 2")
    named = {"digest": hashlib.sha256(data).hexdigest()}
    return Sent(data, "application/octet-stream", named, {"name": "bill.pdf"})


def a_bill(_: Prepared) -> Sent:
    return Sent(pdf("bill 3"), "application/pdf", query={"title": "Bill 2026-01", "name": "bill.pdf"})


def a_form(made: Prepared) -> Sent:
    form = "grant_type=client_credentials&scope=bank&client_id={client_id}&client_secret={client_secret}"
    return Sent(form.format(**made.client).encode(), FORM)


RAW: dict[str, Callable[[Prepared], Sent]] = {
    "open_log": the_genesis,
    "register_statement": a_statement,
    "register_statements": statements,
    "get_receipts": digests,
    "put_content": a_content,
    "put_document": a_file,
    "file_document": a_bill,
    "issue_token": a_form,
}
