"""Metrics in the Prometheus text format: what this process counts, and where the deployment stands.

Counters and histograms are counted where things happen. With `PROMETHEUS_MULTIPROC_DIR` set (`carbonseal
up` sets it) the replicas of one machine count into files of one folder, and each of them shows the sum;
without it a process shows its own and Prometheus sums over replicas. Where the deployment stands (epochs,
anchors, jobs, components) is read from the database when it is asked for, so every replica says the same:
take the maximum, not the sum. No label names a party, a log or a device, because `/metrics` needs no key
and activity is private. `docs/how-to/operate-the-service.md` lists every metric with its alert.
"""

from __future__ import annotations

import os
from collections import Counter as Counted
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from carbonseal_api.health import Component, HealthBook, State
from carbonseal_ledger.outcomes import Outcome, Status

MULTIPROCESS: Final = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
TWO_HISTORIES: Final = ("sequence-reused", "checkpoint-contradicts")  # refusals that somebody must look at
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_MAX_CODES: Final = 400  # problem codes are ours and few; a bound all the same

disable_created_metrics()  # type: ignore[no-untyped-call]


class Figures:
    """What one process counts, with the readers of where the deployment stands."""

    def __init__(self, health: HealthBook, readers: Sequence[Collector] = ()) -> None:
        self._registry = CollectorRegistry()
        self._health, self._readers = health, tuple(readers)
        own = self._registry
        self._requests = Counter(
            "carbonseal_requests",
            "Requests by route and status.",
            ["method", "route", "status"],
            registry=own,
        )
        self._request_seconds = Histogram(
            "carbonseal_request_seconds",
            "Time from a request's head to its answer's end.",
            ["method"],
            buckets=_SECONDS,
            registry=own,
        )
        self._refusals = Counter(
            "carbonseal_refusals", "Refused requests by problem code.", ["code"], registry=own
        )
        self._statements = Counter(
            "carbonseal_statements", "Uploaded statements by outcome.", ["outcome"], registry=own
        )
        self._refused = Counter(
            "carbonseal_statements_refused", "Refused statements by problem code.", ["code"], registry=own
        )
        self._integration = Histogram(
            "carbonseal_integration_seconds",
            "Integration delay of uploads: time from the last byte until a published checkpoint covers them.",
            buckets=_SECONDS,
            registry=own,
        )
        self._waiting = Gauge(
            "carbonseal_registrations_waiting",
            "Queue depth: uploaded statements that no published checkpoint covers yet.",
            registry=own,
            multiprocess_mode="livesum",
        )
        for status in Status:  # shown from the start, so that a rate can be taken of the first one
            self._statements.labels(str(status))
        for code in TWO_HISTORIES:  # alerts take the increase, which needs a zero before the first one
            self._refused.labels(code)
        self._codes = Counted[str]()

    def refuse(self, code: str) -> None:
        """Count a refused request."""
        self._refusals.labels(self._bounded(code)).inc()

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that has ended."""
        self._requests.labels(method, route, status).inc()
        self._request_seconds.labels(method).observe(seconds)

    def waiting(self, count: int) -> None:
        """Add uploaded statements that wait; a negative count takes them off."""
        self._waiting.inc(count)

    def registered(self, outcomes: Iterable[Outcome], seconds: float) -> None:
        """Count the outcomes of an upload that took some seconds until it was published."""
        found, refused = Counted[str](), Counted[str]()
        for one in outcomes:
            found[str(one.status)] += 1
            if one.problem is not None:
                refused[one.problem.code] += 1
        for status, count in found.items():
            self._statements.labels(status).inc(count)
        for code, count in refused.items():
            self._refused.labels(self._bounded(code)).inc(count)
        if found[str(Status.ACCEPTED)]:  # one observation an upload, or a large batch would cost milliseconds
            self._integration.observe(seconds)

    def text(self) -> bytes:
        """Return everything in the Prometheus text format."""
        registry = CollectorRegistry()
        if os.environ.get(MULTIPROCESS):
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        else:
            registry.register(self._registry)
        registry.register(_Components(self._health))
        for reader in self._readers:
            registry.register(reader)
        return generate_latest(registry)

    def _bounded(self, code: str) -> str:
        if code not in self._codes and len(self._codes) >= _MAX_CODES:
            return "other"
        self._codes[code] += 1
        return code


class _Components(Collector):
    """The components' states and figures."""

    def __init__(self, health: HealthBook) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        seen = self._health.look()
        states = GaugeMetricFamily(
            "carbonseal_component_state",
            "1 for the state that a component is in: off, ok, degraded or down.",
            labels=["component", "state"],
        )
        components = self._health.components()
        for one in components:
            for state in State:
                found = seen[one.name].state is state if one.name in seen else state is State.DOWN
                states.add_metric([one.name, str(state)], float(found))
        yield states
        for one in components:
            yield from _figures(one, seen[one.name].figures if one.name in seen else {})


def _figures(one: Component, found: object) -> Iterator[Metric]:
    values = found if isinstance(found, dict) else {}
    for name, meaning in one.figures.items():
        family = GaugeMetricFamily(f"carbonseal_{name}", meaning)
        if name in values:
            family.add_metric([], float(values[name]))
        yield family
