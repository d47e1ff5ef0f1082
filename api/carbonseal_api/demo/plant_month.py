"""A simulated month at a plant: real Modbus TCP, a real gateway, spool and uplink; one simulated clock.

The plant is polled every quarter of an hour, windows are sealed when they end, and what was sealed goes up
every six hours, so that the demo also shows statements waiting in the spool.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from carbonseal_attest.instants import Interval
from carbonseal_attest.signing import Signer
from carbonseal_collectors.agent import Agent
from carbonseal_collectors.clock import SimulatedClock
from carbonseal_collectors.gateway_config import GatewayConfig
from carbonseal_collectors.register_map import RegisterMap
from carbonseal_collectors.simulators.modbus_server import PlantServer
from carbonseal_collectors.simulators.plant import Fault, Plant

POLL_MS: Final = 900_000
DRAIN_MS: Final = 6 * 3_600_000
DAY_MS: Final = 86_400_000
SEED: Final = 2026


@dataclass(slots=True)
class MonthReport:
    """What a month brought: rounds of polling, readings, and signed statements by kind."""

    polls: int = 0
    readings: int = 0
    statements: int = 0
    gaps: int = 0


class PlantMonth:
    """A plant behind Modbus TCP, for a `with` block; `port` is where it listens."""

    def __init__(
        self, clock: SimulatedClock, start: int, register_map: Path, faults: Sequence[Fault] = ()
    ) -> None:
        self._clock = clock
        plant = Plant(seed=SEED, start=start, faults=faults)
        self._server = PlantServer(plant, RegisterMap.load(register_map), clock)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def port(self) -> int:
        """The Modbus TCP port on loopback."""
        return self._server.port

    def run(
        self,
        config: GatewayConfig,
        signer: Signer,
        api_key: str,
        period: Interval,
        *,
        each_day: Callable[[int, int], None],
    ) -> MonthReport:
        """Walk `period` (half-open, ms) quarter-hour by quarter-hour and return what it brought.

        `each_day` is called after each whole day with (days gone, days in all), when its readings are up.
        """
        report, (start, end) = MonthReport(), period
        days = (end - start) // DAY_MS
        agent = Agent(config, signer=signer, clock=self._clock, api_key=api_key)
        try:
            # The reading at the very end closes the period's last difference of every register.
            for now in range(start, end + 1, POLL_MS):
                self._clock.set(now)
                polled = agent.poll_once(now)
                report.polls += 1
                report.readings += sum(polled.samples.values())
                sealed = agent.seal_due(now, flush=now == end)
                report.statements += len(sealed.readings)
                report.gaps += len(sealed.gaps)
                if (now - start) % DRAIN_MS == 0 or now == end:
                    agent.drain(with_receipts=now == end)
                if now > start and (now - start) % DAY_MS == 0:
                    each_day((now - start) // DAY_MS, days)
        finally:
            agent.close()
        return report
