"""Kinds by which a log keeps itself in order: tick, log_key, void, equivocation, erasure and recovery."""

from __future__ import annotations

from carbonseal_attest.contents import schema as s
from carbonseal_attest.contents.identity import endorsement

_sequence = s.integer(0, (1 << 53) - 1)

tick = s.record({"at": s.instant})

# The log host's key of a log changes hands: signed by the new key, endorsed by the old one as predecessor.
log_key = s.record(
    {
        "origin": s.origin,
        "from_size": s.integer(2, 1 << 48),
        "key": s.cose_key,
        "retired": s.digest,
        "reason": s.text(400),
        "endorsements": s.array(endorsement, 1, least=1),
    }
)

void = s.record(
    {
        "sequence": _sequence,
        "digest": s.digest,
        "interval": s.nullable(s.interval),
        "problem": s.text(400),
    }
)

equivocation = s.record(
    {
        "kid": s.digest,
        "stream": s.name,
        "sequence": _sequence,
        "registered": s.digest,
        "refused": s.octets(1, 4096),
    }
)

erasure = s.record({"erases": s.digest, "reason": s.text(400), "authority": s.text(200)})

# How two persons sign it, and which of these fields an act leaves null, is `recovery_decision`'s.
recovery = s.record(
    {
        "act": s.one_of("rebuild_copy", "start_without", "clock_stands"),
        "origin": s.origin,
        "tree_size": s.integer(0, 1 << 48),
        "root_hash": s.digest,
        "view": s.nullable(s.text(200)),
        "finding": s.text(400),
        "reason": s.text(400),
        "decided_at": s.instant,
        "until": s.instant,
        "operators": s.array(s.cose_key, 2, least=2),
        "endorsements": s.array(
            s.record({"role": s.one_of("first_operator", "second_operator"), "signature": s.octets(1, 4096)}),
            2,
            least=2,
        ),
    }
)
