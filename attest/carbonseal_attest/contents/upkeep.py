"""Kinds by which a log keeps itself in order: tick, void, equivocation and erasure."""

from __future__ import annotations

from carbonseal_attest.contents import schema as s

_sequence = s.integer(0, (1 << 53) - 1)

tick = s.record({"at": s.instant})

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
