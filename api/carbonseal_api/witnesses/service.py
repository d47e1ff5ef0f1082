"""Gathers cosignatures for the job, and says for the public route how the witnesses stand."""

from __future__ import annotations

from carbonseal_api.assembly import Parts
from carbonseal_api.witnesses.schemas import Witness, WitnessView
from carbonseal_attest.instants import format_instant
from carbonseal_attest.vkey import ED25519_NOTE, Vkey


def gather(parts: Parts) -> int:
    """Ask for the cosignatures that the newest head lacks, publish what came; return the witnessed size."""
    if parts.witnesses is None:
        return 0
    found = parts.witnesses.gather(parts.host)
    parts.host.publish_cosignatures()
    return found.witnessed_size


def view(parts: Parts) -> WitnessView:
    """Return who witnesses the log of logs, and how far they have come."""
    host, origin = parts.host, parts.host.log_of_logs
    key = str(Vkey(origin, ED25519_NOTE, parts.log_key))
    if parts.witnesses is None:
        size = host.head(origin).tree_size
        return WitnessView(origin=origin, log_vkey=key, tree_size=size, witnessed_size=0, witnesses=[])
    found = parts.witnesses.standing(host.head(origin))
    return WitnessView(
        origin=origin,
        log_vkey=key,
        tree_size=found.tree_size,
        witnessed_size=found.witnessed_size,
        is_witnessed=found.is_met,
        quorum=found.quorum,
        policy=parts.witnesses.policy.text,
        witnesses=[
            Witness(
                name=one.name,
                vkey=one.vkey,
                url=one.url,
                cosigned_size=one.cosigned_size,
                asked_at=format_instant(one.asked_at) if one.asked_at else None,
                failures=one.failures,
                problem=one.problem_code or None,
            )
            for one in found.standings
        ],
    )
