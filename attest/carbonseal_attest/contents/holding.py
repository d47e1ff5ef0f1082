"""The kind that mirrors an act of the contract `CarbonAssets` (asset_act), signed by the registrar.

The chain holds hashes; this statement says in words what they stand for, and names the transaction. Log,
contract and database must agree, or movements stop.
"""

from __future__ import annotations

from typing import Final

from carbonseal_attest.contents import schema as s

ACTS: Final = ("record", "split", "move", "retire", "surrender", "cancel", "freeze", "release")
_serial = s.integer(1, (1 << 53) - 1)

asset_act = s.record(
    {
        "act": s.one_of(*ACTS),
        "record": s.digest,
        "registry": s.text(80),
        "batch": s.text(80),
        "first": _serial,
        "last": _serial,
        "holder": s.code,
        "verification_report": s.digest,
        "reference": s.nullable(s.text(120)),
        "to": s.nullable(s.code),
        "last_of_left": s.nullable(_serial),
        "parts": s.array(s.digest, 2),
        "proposed_by": s.octets(20),
        "confirmed_by": s.octets(20),
        "chain": s.record(
            {
                "chain_id": s.integer(1, (1 << 53) - 1),
                "contract": s.octets(20),
                "transaction": s.digest,
                "block": s.integer(0, 1 << 53),
                "block_hash": s.digest,
                "log_index": s.integer(0, 1 << 32),
            }
        ),
    }
)
