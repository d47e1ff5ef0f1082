"""The states of the service's components: who can say how a part does registers it here, once.

A part gives its name and a function that answers with a state and a reason; `/ready`, `/status` and
`/metrics` show what the functions said last. A check has a deadline and is asked at most every few seconds,
however many callers there are, so that looking costs the parts nothing and a part that hangs hangs nobody.
Reasons are shown to everybody: a check writes them itself and never passes on the words of an exception.
Leaves out history (Prometheus keeps it) and what to do (docs/how-to/operate-the-service.md).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

_logger = logging.getLogger(__name__)

KEPT_SECONDS: Final = 5.0  # how long an answer is shown before it is asked for again
DEADLINE_SECONDS: Final = 4.0  # of all checks together; they run side by side
_THREADS: Final = 16  # more than components, so that several that hang keep no other from answering


class State(StrEnum):
    """How a component does, best first."""

    OFF = "off"  # not part of this deployment
    OK = "ok"
    DEGRADED = "degraded"  # it works, but something is late, missing or near its end
    DOWN = "down"  # it does not do its work


@dataclass(frozen=True, slots=True)
class ComponentState:
    """What a check says.

    Attributes:
        state: How the component does.
        code: Stable name of the reason, for programs and for the pages' wording; empty when all is well.
        reason: The reason in one English sentence without secrets; empty when all is well.
        figures: Numbers that belong to it, by the names given at registration; shown in `/metrics`.
    """

    state: State
    code: str = ""
    reason: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


Check = Callable[[], ComponentState]
OFF: Final = ComponentState(State.OFF, "not-configured", "not part of this deployment")
OK: Final = ComponentState(State.OK)


@dataclass(frozen=True, slots=True)
class Component:
    """A component as registered.

    Attributes:
        name: Snake case, shown everywhere.
        check: Asked for the state; may take the deadline, may raise.
        is_needed: Without it the replica must get no calls: `/ready` answers 503 while it is down.
        figures: The names of its figures with what each one is; a unit ends each name. `/metrics` shows them
            as `carbonseal_<name>`.
    """

    name: str
    check: Check
    is_needed: bool = False
    figures: Mapping[str, str] = field(default_factory=dict)


class HealthBook:
    """The registered components and what they said last. Safe to use from many threads.

    `_turn` lets one caller ask; only that one writes `_asked` and `_seen`, which is replaced as a whole.
    """

    def __init__(self, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._components: dict[str, Component] = {}
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="health")
        self._turn = threading.Lock()
        self._asked: dict[str, Future[ComponentState]] = {}
        self._seen: dict[str, ComponentState] = {}
        self._seen_at = -KEPT_SECONDS

    def register(
        self, name: str, check: Check, *, is_needed: bool = False, figures: Mapping[str, str] | None = None
    ) -> None:
        """Register a component; the same name again replaces it, so that a part can take over a stand-in."""
        self._components[name] = Component(name, check, is_needed, figures or {})

    def components(self) -> list[Component]:
        """The registered components, in the order of their registration."""
        return list(self._components.values())

    def look(self) -> dict[str, ComponentState]:
        """What each component says, at most a few seconds old; never raises.

        While somebody asks, others get what was said last: a part that hangs must not take up the threads of
        everybody who looks.
        """
        if not self._turn.acquire(blocking=not self._seen):
            return self._seen
        try:
            if self._ticks() - self._seen_at >= KEPT_SECONDS:
                self._seen = self._ask()
                self._seen_at = self._ticks()
            return self._seen
        finally:
            self._turn.release()

    def forget(self) -> None:
        """Have the next look ask again."""
        with self._turn:
            self._seen_at = -KEPT_SECONDS

    def is_ready(self) -> bool:
        """Whether no needed component is down."""
        seen = self.look()
        return not any(one.is_needed and seen[one.name].state is State.DOWN for one in self.components())

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self) -> dict[str, ComponentState]:
        components = self.components()
        for one in components:
            # A check that still hangs from last time is not asked a second time.
            if one.name not in self._asked:
                self._asked[one.name] = self._pool.submit(one.check)
        wait(self._asked.values(), timeout=DEADLINE_SECONDS)
        return {one.name: self._answer(one) for one in components}

    def _answer(self, one: Component) -> ComponentState:
        asked = self._asked[one.name]
        if not asked.done():
            return ComponentState(
                State.DOWN, "no-answer", f"did not answer within {DEADLINE_SECONDS:.0f} seconds"
            )
        del self._asked[one.name]
        try:
            return asked.result()
        except Exception as problem:  # noqa: BLE001 - whatever it was, the component cannot say that it does well
            _logger.warning("the check of %s failed: %s", one.name, problem)
            return ComponentState(State.DOWN, "check-failed", "its check failed; the operator's log says how")


def worst(states: Mapping[str, ComponentState]) -> State:
    """The worst of some states; `ok` when there is none."""
    order = list(State)
    return (
        max((one.state for one in states.values()), key=order.index, default=State.OK) if states else State.OK
    )
