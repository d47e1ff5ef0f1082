"""Bodies of `device` statements: what a device endorses, and what its party then signs.

The device endorses the whole body, so both sides must build the same one: it is built here, for gateways,
desks and tests alike. Signing the statement, storing and sending are left to the party's desk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from carbonseal_attest.endorsement import endorse
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import Signer

Place = tuple[str, int, bytes]  # stream, sequence, statement digest


def unendorsed(
    party: str,
    device: str,
    key: PublicKey,
    action: str,
    *,
    name: Mapping[str, str],
    subjects: Iterable[str] = (),
    device_class: str = "gateway",
    key_storage: str = "file",
    valid_from: int | None = None,
    expires: int | None = None,
    last: Iterable[Place] = (),
    reason: str = "",
) -> dict[str, Any]:
    """Return a body that nobody has endorsed yet; times in ms, `last` by stream, subjects in order."""
    return {
        "party": party,
        "device": device,
        "action": action,
        "class": device_class,
        "key_storage": key_storage,
        "key": key.cose_key(),
        "name": dict(name),
        "subjects": sorted(set(subjects)),
        "valid_from": valid_from,
        "expires": expires,
        "last": [{"stream": s, "sequence": n, "digest": d} for s, n, d in sorted(last)],
        "reason": reason,
        "endorsements": [],
    }


def enrolment(
    party: str,
    device: str,
    signer: Signer,
    *,
    name: Mapping[str, str],
    subjects: Iterable[str],
    **facts: Any,
) -> dict[str, Any]:
    """Return the body that enrols `signer`'s key, with its proof; `facts` as in `unendorsed`."""
    body = unendorsed(party, device, signer.public, "enrol", name=name, subjects=subjects, **facts)
    return endorsed(body, signer)


def rotation(
    party: str,
    device: str,
    old: Signer,
    new: Signer,
    *,
    name: Mapping[str, str],
    subjects: Iterable[str],
    last: Sequence[Place],
    **facts: Any,
) -> dict[str, Any]:
    """Return the body that replaces `old` by `new`: the old key vouches for the new, the new shows itself.

    `last` is the last statement of each stream of the old key; nothing beyond it counts.
    """
    body = unendorsed(party, device, new.public, "rotate", name=name, subjects=subjects, last=last, **facts)
    return endorsed(body, new, old)


def endorsed(body: Mapping[str, Any], signer: Signer, predecessor: Signer | None = None) -> dict[str, Any]:
    """Return a body with the endorsement of its key, and of the key before it if there is one."""
    made = [endorse(signer, "device", body["device"], "device", body)]
    if predecessor is not None:
        made.append(endorse(predecessor, "device", body["device"], "predecessor", body))
    return {**body, "endorsements": made}


def withdrawal(
    party: str, device: str, key: PublicKey, action: str, *, last: Sequence[Place] = (), reason: str
) -> dict[str, Any]:
    """Return the body that suspends, lifts or revokes `key`; `last` is what still counts of each stream."""
    return unendorsed(party, device, key, action, name={"zh": "", "en": ""}, last=last, reason=reason)
