"""The kind that mirrors one event of a registrar's contract (chain_event): Membership or MethodRegistry.

What the event says stands as the chain has it, topics and data, so that anybody with a node can compare byte
for byte; `carbonseal_attest.membership` reads it. Offline the logs decide; what the chain says beside them
can only make a check fail.
"""

from __future__ import annotations

from typing import Final

from carbonseal_attest.contents import schema as s

CONTRACTS: Final = ("Membership", "MethodRegistry")

chain_event = s.record(
    {
        "contract": s.one_of(*CONTRACTS),
        "chain_id": s.integer(1, (1 << 53) - 1),
        "address": s.octets(20),
        "block": s.integer(0, 1 << 53),
        "block_hash": s.digest,
        "transaction": s.digest,
        "log_index": s.integer(0, 1 << 32),
        "topics": s.array(s.digest, 4, least=1),
        "data": s.octets(0, 8192),
    }
)
