"""Other people's COSE_Sign1 and receipts as JSON, to be looked at; nothing in them is checked.

A view like that of docs/spec/json-view.md, and beyond it `$float`, `$tag`, `$simple` for what our CBOR leaves
out. It leads back to nothing: it is for reading only.
"""

from __future__ import annotations

from typing import Any

from carbonseal_attest.cose import Sign1
from carbonseal_attest.cose_receipt import CoseReceipt
from carbonseal_attest.errors import EncodingError
from carbonseal_attest.foreign_cbor import Pairs, Simple, Tag
from carbonseal_attest.json_view import to_json_view


def message_header(message: Sign1) -> dict[str, Any]:
    """Return what a message says outside its payload, as JSON."""
    return {
        "protected": view(message.headers),
        "unprotected": view(message.unprotected),
        "payload": view(message.payload),
        "signature": view(message.signature),
        "departures": sorted(message.departures),
    }


def receipt_header(receipt: CoseReceipt) -> dict[str, Any]:
    """Return what a receipt says, as JSON; the proofs by name where the data structure is RFC9162_SHA256."""
    return {
        **message_header(receipt.message),
        "vds": receipt.structure,
        "inclusion": [
            {"tree_size": p.tree_size, "index": p.index, "path": view(list(p.path))}
            for p in receipt.inclusion
        ],
        "consistency": [
            {"old_size": p.old_size, "new_size": p.new_size, "path": view(list(p.path))}
            for p in receipt.consistency
        ],
    }


def view(value: Any) -> Any:
    """Return a value of any CBOR as JSON."""
    try:
        return to_json_view(value)
    except EncodingError:
        pass
    match value:
        case Tag():
            return {"$tag": [value.number, view(value.value)]}
        case Simple():
            return {"$simple": value.number}
        case float():
            return {"$float": repr(value)}
        case list():
            return [view(item) for item in value]
        case Pairs():
            return {"$map": [[view(key), view(item)] for key, item in value.pairs]}
        case dict():
            if all(isinstance(key, str) and not key.startswith("$") for key in value):
                return {key: view(item) for key, item in value.items()}
            return {"$map": [[view(key), view(item)] for key, item in value.items()]}
        case _:
            return repr(value)
