"""The journey: the site, the report, the check, those who judge it, the drills, the figures, in this order.

`run_demo` walks it and leaves report.json, report.pdf, evidence.bundle, trust.toml and summary.json in the
output folder. Nothing here decides anything about carbon or trust: it only calls what the service calls.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from carbonseal_api.demo.cast import Cast
from carbonseal_api.demo.judging_stretch import judge
from carbonseal_api.demo.narrator import Narrator
from carbonseal_api.demo.plant_month import DAY_MS
from carbonseal_api.demo.proof_stretch import (
    check_untouched,
    drill,
    drill_service,
    tell_figures,
    tell_travelled,
    write_summary,
)
from carbonseal_api.demo.report_stretch import file_period
from carbonseal_api.demo.scene import PLANT_START, DemoOptions, Scene
from carbonseal_api.demo.site_stretch import found, gateway_file, import_files, plant
from carbonseal_api.demo.stage import Stage
from carbonseal_api.output_folder import make_output_folder
from carbonseal_attest.instants import Clock
from carbonseal_collectors.clock import SimulatedClock, system_clock

OUTPUTS: Final = ("report.json", "report.pdf", "evidence.bundle", "trust.toml", "summary.json")


def run_demo(options: DemoOptions, narrator: Narrator, *, wait: Callable[[Stage], None]) -> bool:
    """Run the demo and return whether every drill was caught and the untouched bundle passed.

    `wait` is called at the end with the running parts when the service is to stay up; it returns when the
    person has had enough.

    Raises:
        CarbonsealError: the options, the gateway file or the data were refused.
    """
    started = time.monotonic()
    configuration = gateway_file(options)  # refuses a wrong folder before anything is made
    prepare_output(options.out)
    clock: Clock = system_clock if options.data else SimulatedClock(PLANT_START - DAY_MS)
    narrator.heading("title")
    narrator.heading("heading.stage")
    cast = Cast()
    with Stage(cast, clock, port=options.port) as stage:
        scene = Scene(options, narrator, cast, clock, stage, configuration)
        narrator.tell("stage", "done", seconds=f"{time.monotonic() - started:.1f}")
        plan, plan_statement, config = found(scene)
        narrator.heading("heading.readings")
        period = (plant if options.data is None else import_files)(scene, plan, config)
        narrator.heading("heading.report")
        filed = file_period(scene, plan, plan_statement, period)
        narrator.heading("heading.check")
        is_passed = check_untouched(scene, filed)
        narrator.heading("heading.judging")
        # Who judges red data gives no unmodified opinion, and nothing that follows could rest on it.
        judged = judge(scene, filed) if filed.is_green else None
        is_passed = is_passed and tell_travelled(scene, judged)
        narrator.heading("heading.drills")
        verdicts = drill(scene, filed)
        if judged is not None:
            verdicts += drill_service(scene, filed, judged)
        is_passed = is_passed and all(verdict.is_caught for verdict in verdicts)
        narrator.heading("heading.figures")
        tell_figures(scene, filed, time.monotonic() - started)
        write_summary(scene, filed, judged, verdicts, is_passed=is_passed)
        narrator.tell("passed" if is_passed else "not_passed", "done" if is_passed else "failed")
        narrator.tell("command", bundle=options.out / "evidence.bundle", trust=options.out / "trust.toml")
        if options.is_serving:
            narrator.tell("serving", url=stage.url)
            for role, link in stage.page_links().items():
                narrator.tell("page", role=narrator.words(f"role.{role}"), link=link)
            wait(stage)
    return is_passed


def prepare_output(out: Path) -> None:
    """Make the output folder; an earlier demo's results in it are removed, anything else refuses the run."""
    make_output_folder(out, OUTPUTS)
    for name in OUTPUTS:
        (out / name).unlink(missing_ok=True)


def stay_up(_stage: Stage) -> None:
    """Wait until somebody presses Ctrl-C."""
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return
