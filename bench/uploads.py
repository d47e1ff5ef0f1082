"""Registration over real HTTP: batches, single uploads, and how soon a checkpoint covers what was accepted.

The service is one process as `carbonseal up` starts it, with durable commits; the load generator shares the
machine's cores with it. A statement counts when the service answered that it is accepted; any other answer
ends the measurement.
"""

from __future__ import annotations

import bisect
import time
from collections.abc import Sequence
from dataclasses import dataclass

import cbor2

from carbonseal_attest import cbor
from figures import percentile
from fleet import READINGS_PER_STATEMENT, Gateway, batches
from http_load import Answer, Target, send


@dataclass(frozen=True, slots=True)
class Site:
    """Where the load goes: the service's port, an enterprise with its data log, and its API key."""

    port: int
    party: str
    origin: str
    api_key: str

    def target(self, path: str, content_type: str, *, prefer: str | None = None) -> Target:
        """A route of the enterprise's data log."""
        return Target(
            self.port, f"/logs/{self.origin}/{path}", content_type, f"Bearer {self.api_key}", prefer
        )


@dataclass(frozen=True, slots=True)
class UploadRate:
    """What one run showed: statements a second, and seconds from sending to the covering checkpoint (p99)."""

    statements: int
    seconds: float
    covered_p99_seconds: float | None

    @property
    def per_second(self) -> float:
        """Accepted statements a second, from the first request to the last answer."""
        return self.statements / self.seconds


def upload_batches(
    site: Site,
    gateways: Sequence[Gateway],
    *,
    statements: int,
    batch: int,
    readings: int = READINGS_PER_STATEMENT,
) -> UploadRate:
    """Upload `statements` statements of `readings` readings each in batches, one connection a gateway."""
    issued_at = int(time.time())
    bodies = [
        list(
            batches(
                gateway,
                statements // len(gateways),
                batch,
                party=site.party,
                origin=site.origin,
                issued_at=issued_at,
                readings=readings,
            )
        )
        for gateway in gateways
    ]
    answers, seen = send(
        site.target("entries:batch", "application/cbor-seq"),
        bodies,
        _all_accepted,
        watched=site.target("checkpoint", "text/plain"),
    )
    flat = [answer for each in answers for answer in each]
    accepted = sum(len(cbor2.loads(answer.body)) for answer in flat)
    return UploadRate(accepted, _span(flat), percentile(_covered_after(flat, seen), 0.99))


def upload_singly(
    site: Site, gateways: Sequence[Gateway], *, statements: int, with_receipts: bool
) -> UploadRate:
    """Upload `statements` statements one a request, one connection a gateway.

    Args:
        site: where they go.
        gateways: who sends them.
        statements: how many in all.
        with_receipts: each answer carries the receipt; otherwise it is fetched later, as a gateway does.
    """
    issued_at = int(time.time())
    bodies = [
        [
            cbor.encode(list(gateway.seal(party=site.party, origin=site.origin, issued_at=issued_at)))
            for _ in range(statements // len(gateways))
        ]
        for gateway in gateways
    ]
    prefer = None if with_receipts else "return=minimal"
    answers, _ = send(site.target("entries", "application/cbor", prefer=prefer), bodies, _created)
    flat = [answer for each in answers for answer in each]
    return UploadRate(len(flat), _span(flat), None)


def _span(answers: Sequence[Answer]) -> float:
    return max(answer.answered_at for answer in answers) - min(answer.sent_at for answer in answers)


def _all_accepted(answer: Answer) -> None:
    assert answer.status == 200, (answer.status, answer.body[:300])
    refused = [outcome for outcome in cbor2.loads(answer.body) if outcome["status"] != "accepted"]
    assert not refused, refused[0]


def _created(answer: Answer) -> None:
    assert answer.status in {200, 201, 202}, (answer.status, answer.body[:300])


def _covered_after(answers: Sequence[Answer], seen: Sequence[Answer]) -> list[float]:
    """Seconds from each request's sending until a checkpoint with all its entries was read over HTTP."""
    sizes = [int(answer.body.split(b"\n", 2)[1]) for answer in seen]
    delays = []
    for answer in answers:
        needed = 1 + max(outcome["index"] for outcome in cbor2.loads(answer.body))
        covering = bisect.bisect_left(sizes, needed)
        assert covering < len(sizes), f"no checkpoint was seen that covers entry {needed - 1}"
        delays.append(seen[covering].answered_at - answer.sent_at)
    return delays
