"""Replaces a party's key: both keys lie in this deployment's folder, or the party has them elsewhere.

The registrar's `party` statement carries the endorsements of the old and of the new key, so that it can
change no key alone (`docs/spec/identity.md`, Party keys). In the folder the new key is made beside the old
one and takes its place once the statement stands; run again after a crash in between, it only does that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from carbonseal_api.assembly import Parts
from carbonseal_api.deployment import key_folder
from carbonseal_api.problems import NotFound, RequestInvalid
from carbonseal_attest.identity.party_rotation import endorse_rotation, rekeyed
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.statement import SignedStatement


def rotation_for(parts: Parts, party: str, key: PublicKey) -> dict[str, Any]:
    """Return what the registrar would state with another key, for the party to endorse with both.

    Raises:
        NotFound: the registrar admitted no such party.
        RequestInvalid: the party runs this very service, is not admitted now, or has that key already.
    """
    standing = _standing(parts, party)
    if PublicKey.from_cose_key(standing["key"]).kid == key.kid:
        raise RequestInvalid("public_key", "is the party's key already", "have it make a new one")
    return rekeyed(standing, key)


def register_rotation(parts: Parts, body: Mapping[str, Any]) -> SignedStatement:
    """Return the registrar's statement over a rotation that both keys have endorsed.

    Raises:
        NotFound, RequestInvalid: See `rotation_for`; the latter also where the standing is another now.
        PartMissing: The registrar's key is not on this machine.
        StatementRefused: The log refused it: an endorsement is missing or wrong.
    """
    standing = _standing(parts, body["party"])
    if rekeyed(standing, PublicKey.from_cose_key(body["key"])) != {**body, "endorsements": []}:
        raise RequestInvalid(
            "rotation", "differs from what the registrar says of the party now", "write and endorse it anew"
        )
    with parts.desks.desk(parts.registrar) as desk:
        origin = parts.keys.standing.register_origin
        statement = desk.issue(origin, "party", dict(body), subject=body["party"])
    parts.projections.refresh()
    return statement


def rotate_here(parts: Parts, party: str, *, algorithm: int | None = None) -> PublicKey:
    """Replace the key of a party whose key file is in this folder; returns the new key.

    Without an `algorithm` the new key has that of the old one. The party's desk is held meanwhile: of two
    rotations at once the second would lay its own key in the place of the one that was registered.

    Raises:
        NotFound, RequestInvalid, PartMissing, StatementRefused: See `register_rotation`; RequestInvalid also
            where the party's key is none of this folder's.
    """
    _standing(parts, party)
    with parts.desks.desk(party):
        folder, following = key_folder(parts.settings), f"{party}.next"
        standing, old = _standing(parts, party), folder.signer(party)
        key = PublicKey.from_cose_key(standing["key"])
        if key.kid == old.public.kid:
            new = folder.make(following, algorithm=algorithm or old.public.algorithm)
            register_rotation(parts, endorse_rotation(rekeyed(standing, new.public), old, new))
            key = new.public
        elif following not in folder.names() or folder.signer(following).public.kid != key.kid:
            raise RequestInvalid(
                "party",
                "has a key that is not in this folder",
                "give the --public-key of its next one, and have it endorsed where the keys are",
            )
        folder.take_the_place(following, party)
        return key


def _standing(parts: Parts, party: str) -> Mapping[str, Any]:
    if party in {parts.registrar, parts.host_party}:
        raise RequestInvalid("party", "runs this service", "found a new deployment with other keys instead")
    standing = parts.keys.standing.newest(party)
    if standing is None:
        raise NotFound("party", "no such party", "see `carbonseal party list`")
    if standing["status"] != "admitted":
        raise RequestInvalid("party", f"is {standing['status']}", "readmit it first")
    return standing
