"""Where the time of a registration goes: processor time of each step, in one thread, without HTTP.

The steps of the ledger are wrapped where they are called; what a step spends includes its threads, not the
database's processes, whose time shows as waiting in `registration_wall_us`. HTTP and the frame around it are
what the service spends beyond this (`service_cpu_us_per_statement` in the uploads).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from carbonseal_api.deployment import open_deployment
from carbonseal_api.logs.submissions import decode_batch, encode_outcomes
from carbonseal_api.settings import load_settings
from carbonseal_ledger import intake
from carbonseal_ledger.database import stop_embedded
from carbonseal_ledger.outcomes import Status
from carbonseal_ledger.publication import Publisher
from carbonseal_ledger.sequencing import Sequencer
from figures import Figure, Measure
from fleet import batches, make_gateways
from site_under_load import found_site

STATEMENTS: Final = 10_000
WARM: Final = 2_000
BATCH: Final = 250
METERS: Final = 8
FIRST_AT: Final = 1_767_225_600_000  # 2026-01-01T00:00:00Z
# Where the ledger calls each step. `prepare` would count content, key and signature twice: it is left out.
_STEPS: Final[tuple[tuple[str, Any, str], ...]] = (
    ("statement_read", intake, "read_statement"),
    ("content_checked", intake, "check_content"),
    ("signature_verified", intake, "verify_signatures"),
    ("sequenced_and_committed", Sequencer, "commit"),
    ("published", Publisher, "publish"),
)


def profile_figures(folder: Path, readings: int) -> list[Figure]:
    """Processor time a statement of each step, beside the whole; and the whole beside the time it takes."""
    (gateway,) = make_gateways(1, METERS, first_at=FIRST_AT)
    site = found_site(folder, [gateway], port=1).site
    settings = load_settings({}, data_folder=folder)
    parts = open_deployment(settings)
    spent: Counter[str] = Counter()
    try:
        bodies = list(
            batches(
                gateway,
                WARM + STATEMENTS,
                BATCH,
                party=site.party,
                origin=site.origin,
                issued_at=int(time.time()),
                readings=readings,
            )
        )

        def register(body: bytes) -> None:
            with _counted(spent, "frame_read"):
                items = decode_batch(body, max_items=settings.max_batch_items)
            outcomes = parts.host.register(site.origin, items)
            assert {outcome.status for outcome in outcomes} == {Status.ACCEPTED}
            with _counted(spent, "answer_written"):
                encode_outcomes(outcomes)

        for body in bodies[: WARM // BATCH]:
            register(body)
        spent.clear()
        with _stopwatches(spent):
            cpu, wall = time.process_time(), time.perf_counter()
            for body in bodies[WARM // BATCH :]:
                register(body)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    finally:
        parts.close()
        stop_embedded(folder / "pg")
    spent["rest_of_the_ledger"] = cpu - sum(spent.values())
    whole = Measure("registration_cpu_us", cpu / STATEMENTS * 1e6, "us")
    steps = [
        Figure(Measure(f"step_{name}_us", seconds / STATEMENTS * 1e6, "us"), whole)
        for name, seconds in spent.most_common()
    ]
    return [*steps, Figure(whole, Measure("registration_wall_us", wall / STATEMENTS * 1e6, "us"))]


@contextmanager
def _stopwatches(spent: Counter[str]) -> Iterator[None]:
    with ExitStack() as stack:
        for name, owner, attribute in _STEPS:
            stack.enter_context(
                patch.object(owner, attribute, _timed(getattr(owner, attribute), spent, name))
            )
        yield


def _timed(step: Callable[..., Any], spent: Counter[str], name: str) -> Callable[..., Any]:
    def run(*arguments: Any, **named: Any) -> Any:
        with _counted(spent, name):
            return step(*arguments, **named)

    return run


@contextmanager
def _counted(spent: Counter[str], name: str) -> Iterator[None]:
    started = time.process_time()
    try:
        yield
    finally:
        spent[name] += time.process_time() - started  # type: ignore[assignment]  # seconds, not counts
