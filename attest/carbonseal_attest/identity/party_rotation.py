"""A party's new key, from the registrar's wish to the endorsed statement: both keys endorse, where they are.

The registrar writes down what its `party` statement would say with the new key; whoever holds both keys
endorses that very body as `predecessor` and as `party`; the registrar then signs and registers it
(`docs/spec/identity.md`, Party keys). The file between them is JSON with the body in deterministic CBOR.
Which key counts when is `carbonseal_attest.identity.parties`'s.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from carbonseal_attest import cbor
from carbonseal_attest.contents.identity import party as schema
from carbonseal_attest.endorsement import endorse
from carbonseal_attest.errors import EncodingError, IdentityInvalid
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import Signer

FORMAT: Final = "carbonseal-party-rotation/v1"
MAX_FILE: Final = 1 << 16  # bytes


def rekeyed(standing: Mapping[str, Any], key: PublicKey) -> dict[str, Any]:
    """Return the body that states a party anew with another key, endorsed by nobody yet."""
    kept = {name: value for name, value in standing.items() if name != "reason"}
    return {**kept, "key": key.cose_key(), "endorsements": []}


def endorse_rotation(body: Mapping[str, Any], old: Signer, new: Signer) -> dict[str, Any]:
    """Return the body with the endorsements of both keys.

    Raises:
        IdentityInvalid: the body names another key than `new`, or both keys are one.
    """
    if PublicKey.from_cose_key(body["key"]).kid != new.public.kid or new.public.kid == old.public.kid:
        raise _refusal("key", "the rotation was written for another key", "ask the registrar for another")
    signers = ((new, "party"), (old, "predecessor"))
    made = [endorse(signer, "party", body["party"], role, body) for signer, role in signers]
    return {**body, "endorsements": made}


def write_rotation(body: Mapping[str, Any]) -> bytes:
    """Return the file of a rotation: whose and to which key, for people, and the body itself."""
    value = {
        "format": FORMAT,
        "party": body["party"],
        "public_key": PublicKey.from_cose_key(body["key"]).text(),
        "body": cbor.encode(dict(body)).hex(),
    }
    return (json.dumps(value, indent=2) + "\n").encode()


def read_rotation(data: bytes) -> dict[str, Any]:
    """Return the body that a file of `write_rotation` holds.

    Raises:
        IdentityInvalid: not such a file, or what it says for people is not what the body says.
        ContentInvalid: the body is none of a `party` statement.
    """
    remedy = "give the file as `carbonseal party rotate` or `carbonseal-verifier rotate` wrote it"
    try:
        value: Any = json.loads(data) if len(data) <= MAX_FILE else {}
        body = cbor.decode(bytes.fromhex(value["body"]), max_size=MAX_FILE)
    except (ValueError, KeyError, TypeError, RecursionError, EncodingError) as error:
        raise _refusal("rotation", "is not a file of a party's rotation", remedy) from error
    schema(body, "body")
    known: dict[str, Any] = body
    if json.loads(write_rotation(known)) != value:
        raise _refusal("rotation", "says something else than its body", remedy)
    return known


def _refusal(field: str, reason: str, remedy: str) -> IdentityInvalid:
    return IdentityInvalid(field, reason, remedy)
