"""The demo at the site: packages, plan and gateway are registered, then readings come in.

Readings come from the simulated plant or from a folder of meter files; both go through the same gateway.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from carbonseal_api.catalogue.service import publish_packages, shipped_packages
from carbonseal_api.demo import cast as founding
from carbonseal_api.demo.file_import import civil_days, example_folders, find_gateway_file, import_folder
from carbonseal_api.demo.plant_month import DAY_MS, PlantMonth
from carbonseal_api.demo.scene import PLANT_START, DemoOptions, Scene
from carbonseal_api.problems import RequestInvalid
from carbonseal_attest.instants import Interval
from carbonseal_attest.statement import SignedStatement
from carbonseal_collectors.clock import SimulatedClock
from carbonseal_collectors.gateway_config import GatewayConfig, load_gateway_config
from carbonseal_collectors.plan_file import PlanFile, check_against_gateway, load_plan

FILING_DELAY_MS: Final = 3_600_000


def found(scene: Scene) -> tuple[PlanFile, SignedStatement, GatewayConfig]:
    """Publish packages, file the plan, enrol the gateway, revoke an old one, register calibrations."""
    cast, clock, narrator = scene.cast, scene.clock, scene.narrator
    config = load_gateway_config(scene.gateway_file)
    if config.plan_file is None:
        raise RequestInvalid(
            "gateway.plan_file", "is not set", "name the monitoring plan in the gateway file"
        )
    plan = load_plan(config.plan_file)
    check_against_gateway(plan, config)
    meters = sorted({m["device"] for m in plan.body["measurements"]})
    with narrator.step("found") as told:
        packages = shipped_packages(plan.body["quality_profile"])
        registrar = cast.registrar
        if registrar.desk is None:
            raise RequestInvalid("desk", "is not open", "open the logs first")
        publish_packages(scene.stage.host, registrar.desk, registrar.register_origin, packages)
        told |= {
            "parties": len(cast.members),
            "logs": len(scene.stage.host.logs()),
            "packages": len(packages),
        }
    with narrator.step("plan") as told:
        gateway = founding.enrol_gateway(cast, meters)
        revoke_old = founding.replace_old_gateway(cast)
        enterprise = cast.enterprise
        statement = enterprise.issue(
            enterprise.register_origin, "monitoring_plan", plan.body, subject=plan.installation
        )
        calibrated = [m["device"] for m in plan.body["measurements"] if m["calibration"]["required"]]
        founding.file_calibrations(cast, sorted(set(calibrated)), clock() - 30 * DAY_MS)
        revoke_old()
        told |= {"measurements": len(plan.body["measurements"]), "streams": len(plan.body["source_streams"])}
    overrides = {
        "gateway.id": gateway,
        "gateway.party": cast.enterprise.facts.code,
        "gateway.log_origin": cast.enterprise.data_origin,
        "gateway.spool_folder": str(scene.stage.folder / "spool"),
        "uplink.ledger_url": scene.stage.url,
        "uplink.log_key": cast.log_key.public.text(),
    }
    if scene.options.data is not None:
        overrides["gateway.data_folder"] = str(scene.options.data.resolve())
    return plan, statement, load_gateway_config(scene.gateway_file, overrides=overrides)


def plant(scene: Scene, _plan: PlanFile, config: GatewayConfig) -> Interval:
    """Walk the simulated month, anchoring once a day; return the period."""
    clock, narrator, stage = scene.clock, scene.narrator, scene.stage
    if not isinstance(clock, SimulatedClock):
        raise RequestInvalid("clock", "the plant needs a simulated clock", "leave --data away")
    period = (PLANT_START, PLANT_START + scene.options.days * DAY_MS)
    registers = scene.gateway_file.parent / "registers.toml"

    def each_day(day: int, days: int) -> None:
        stage.host.build_epoch()
        stage.chain.anchor_epoch(stage.host)
        narrator.progress("plant", day, days)

    started = time.monotonic()
    with (
        narrator.step("plant") as told,
        PlantMonth(clock, PLANT_START - DAY_MS, registers, scene.options.faults) as month,
    ):
        overrides = {"sources.plant.modbus.port": month.port}
        here = load_gateway_config(scene.gateway_file, overrides=_same(config) | overrides)
        report = month.run(here, scene.cast.gateway, stage.api_key, period, each_day=each_day)
        told |= {
            "polls": report.polls,
            "readings": report.readings,
            "statements": report.statements,
            "gaps": report.gaps,
        }
    scene.figures["plant_seconds"] = f"{time.monotonic() - started:.1f}"
    scene.figures["readings"] = str(report.readings)
    clock.advance(FILING_DELAY_MS)
    return period


def import_files(scene: Scene, plan: PlanFile, config: GatewayConfig) -> Interval:
    """Take in the data folder; return the period that its readings cover, in whole civil days."""
    narrator, stage = scene.narrator, scene.stage
    with narrator.step("import") as told:
        report = import_folder(config, scene.cast.gateway, scene.clock, stage.api_key)
        told |= {
            "rows": report.rows,
            "points": report.points,
            "files": report.files,
            "statements": report.statements,
            "gaps": report.gaps,
            "rejected": report.rejected,
        }
    scene.figures["readings"] = str(report.rows)
    narrator.tell("late")
    entries = stage.host.select(scene.cast.enterprise.data_origin, kinds={"readings"})
    spans = [entry.interval for entry in entries if entry.interval is not None]
    return civil_days(spans, plan.body["time_zone"])


def gateway_file(options: DemoOptions) -> Path:
    """Return the gateway file that the options, the data folder or the examples name."""
    if options.data is not None:
        if not options.data.is_dir():
            raise RequestInvalid("--data", "is not a folder", "name a folder with meter files")
        return find_gateway_file(options.data, options.gateway)
    found_here = [
        path
        for path in ([options.gateway] if options.gateway else example_folders("plant"))
        if path.is_file()
    ]
    if not found_here:
        raise RequestInvalid("--gateway", "no gateway file of the plant", "run it in the project's folder")
    return found_here[0]


def _same(config: GatewayConfig) -> dict[str, object]:
    return {
        "gateway.id": config.id,
        "gateway.party": config.party,
        "gateway.log_origin": config.log_origin,
        "gateway.spool_folder": str(config.spool_folder),
        "uplink.ledger_url": config.uplink.ledger_url,
        "uplink.log_key": config.uplink.log_key,
    }
