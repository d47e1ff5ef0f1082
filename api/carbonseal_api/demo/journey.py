"""The journey: founding, readings, report, bundle, check, drills, figures. One function a stretch of the way.

`run_demo` walks it and leaves report.json, report.pdf, evidence.bundle, trust.toml and summary.json in the
output folder. Nothing here decides anything about carbon or trust: it only calls what the service calls.
"""

from __future__ import annotations

import io
import json
import resource
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from carbonseal_accounting.packages import shipped
from carbonseal_api.bundles import service as bundles
from carbonseal_api.demo import cast as founding
from carbonseal_api.demo.cast import Cast
from carbonseal_api.demo.database_drill import change_a_reading
from carbonseal_api.demo.drills import BIT_FLIPS, Bench, Verdict, check, flip_bits, run_drills
from carbonseal_api.demo.file_import import civil_days, example_folders, find_gateway_file, import_folder
from carbonseal_api.demo.forgery import Keys
from carbonseal_api.demo.narrator import Narrator
from carbonseal_api.demo.plant_month import DAY_MS, PlantMonth
from carbonseal_api.demo.stage import Stage
from carbonseal_api.filing.service import FiledReport, FilingRequest, file_document, file_report
from carbonseal_api.founding import EPOCHS
from carbonseal_api.problems import RequestInvalid
from carbonseal_api.reports.report_pdf import render_pdf
from carbonseal_api.reports.service import proofs_of
from carbonseal_attest.bundle_layout import EvidenceBundle
from carbonseal_attest.epoch import MapEntry
from carbonseal_attest.instants import Clock, Interval, format_instant, parse_instant
from carbonseal_attest.keys import ED25519
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.trust import (
    LogKey,
    TrustedLogHost,
    TrustedRegistrar,
    TrustFile,
    format_trust_file,
    sign_trust_file,
)
from carbonseal_collectors.clock import SimulatedClock, system_clock
from carbonseal_collectors.gateway_config import GatewayConfig, load_gateway_config
from carbonseal_collectors.plan_file import PlanFile, check_against_gateway, load_plan
from carbonseal_collectors.simulators.plant import Fault
from carbonseal_verifier.recompute import profile_package

PLANT_START: Final = parse_instant("2025-12-31T16:00:00Z")  # 1 January 2026 in Shanghai
PLANT_DAYS: Final = 31
FILING_DELAY_MS: Final = 3_600_000
OUTPUTS: Final = ("report.json", "report.pdf", "evidence.bundle", "trust.toml", "summary.json")


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What was asked for on the command line; `data` None means the simulated plant."""

    out: Path
    data: Path | None = None
    gateway: Path | None = None
    language: str = "en"
    port: int = 0
    days: int = PLANT_DAYS
    faults: tuple[Fault, ...] = ()
    is_serving: bool = False


@dataclass(slots=True)
class Filed:
    """A filed period with everything that was made of it."""

    report: FiledReport
    pdf: bytes
    bundle: EvidenceBundle
    bundle_bytes: bytes
    trust: bytes
    at: int


@dataclass(slots=True)
class Scene:
    """What all stretches share."""

    options: DemoOptions
    narrator: Narrator
    cast: Cast
    clock: Clock
    stage: Stage
    gateway_file: Path
    packages: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    figures: dict[str, str] = field(default_factory=dict)


def run_demo(options: DemoOptions, narrator: Narrator, *, wait: Callable[[], None]) -> bool:
    """Run the demo and return whether every drill was caught and the untouched bundle passed.

    Args:
        wait: called at the end when the service is to stay up; returns when the person has had enough.

    Raises:
        CarbonsealError: the options, the gateway file or the data were refused.
    """
    started = time.monotonic()
    prepare_output(options.out)
    gateway_file = _gateway_file(options)
    clock: Clock = system_clock if options.data else SimulatedClock(PLANT_START - DAY_MS)
    narrator.heading("title")
    narrator.heading("heading.stage")
    cast = Cast()
    with Stage(cast, clock, port=options.port) as stage:
        scene = Scene(options, narrator, cast, clock, stage, gateway_file)
        narrator.tell("stage", "done", seconds=f"{time.monotonic() - started:.1f}")
        plan, plan_statement, config = found(scene)
        narrator.heading("heading.readings")
        period = (plant if options.data is None else import_files)(scene, plan, config)
        narrator.heading("heading.report")
        filed = file_period(scene, plan, plan_statement, period)
        narrator.heading("heading.check")
        is_passed = check_untouched(scene, filed)
        narrator.heading("heading.drills")
        verdicts = drill(scene, filed)
        is_passed = is_passed and all(verdict.is_caught for verdict in verdicts)
        narrator.heading("heading.figures")
        tell_figures(scene, filed, time.monotonic() - started)
        write_summary(scene, filed, verdicts, is_passed=is_passed)
        narrator.tell("passed" if is_passed else "not_passed", "done" if is_passed else "failed")
        names = {name: str(options.out / name) for name in ("evidence.bundle", "trust.toml")}
        narrator.tell("command", bundle=names["evidence.bundle"], trust=names["trust.toml"])
        if options.is_serving:
            narrator.tell("serving", url=stage.url, page=stage.page_link())
            wait()
    return is_passed


def prepare_output(out: Path) -> None:
    """Make the output folder; one that exists may hold earlier outputs of the demo and nothing else."""
    out.mkdir(parents=True, exist_ok=True)
    foreign = sorted(path.name for path in out.iterdir() if path.name not in OUTPUTS)
    if foreign:
        raise RequestInvalid("--out", f"the folder holds {foreign[0]}", "name a new or an empty folder")


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
        published = _published(plan.body["quality_profile"])
        founding.publish_packages(cast, published)
        scene.packages = {name: files for name, (_, files) in published.items()}
        told |= {
            "parties": len(cast.members),
            "logs": len(scene.stage.host.logs()),
            "packages": len(published),
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
        "uplink.log_key": cast.log_key.public.raw.hex(),
    }
    if scene.options.data is not None:
        overrides["gateway.data_folder"] = str(scene.options.data.resolve())
    return plan, statement, load_gateway_config(scene.gateway_file, overrides=overrides)


def plant(scene: Scene, plan: PlanFile, config: GatewayConfig) -> Interval:
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


def file_period(scene: Scene, plan: PlanFile, plan_statement: SignedStatement, period: Interval) -> Filed:
    """File the report, anchor it, render it, register the rendering, anchor that, close the bundle."""
    cast, stage, narrator, options = scene.cast, scene.stage, scene.narrator, scene.options
    enterprise, host = cast.enterprise, stage.host
    if enterprise.desk is None:
        raise RequestInvalid("desk", "is not open", "found the parties first")
    request = FilingRequest(
        operator=enterprise.facts.code,
        installation=plan.installation,
        register_origin=enterprise.register_origin,
        data_origin=enterprise.data_origin,
        plan_digest=plan_statement.digest,
        period=period,
        packages=_needed(scene.packages, plan.body),
        parties={
            "operator": {"party": enterprise.facts.code, "name": dict(enterprise.facts.name)},
            "registrar": {"party": cast.registrar.facts.code, "name": dict(cast.registrar.facts.name)},
            "log_host": {"party": cast.log_host.facts.code, "name": dict(cast.log_host.facts.name)},
        },
    )
    with narrator.step("report") as told:
        report = file_report(host, enterprise.desk, request)
        inventory = report.recomputed.inventory.to_json()
        code = report.recomputed.quality_body
        told |= {
            "total": inventory["total"]["value"],
            "unit": inventory["total"]["unit"],
            "method": inventory["method"],
            "code": narrator.words(f"code.{code['code']}"),
            "findings": len(code["findings"]),
        }
    _tell_report(narrator, plan.body, inventory, code)
    with narrator.step("epochs") as told:
        host.build_epoch()
        record = stage.chain.anchor_epoch(host)
        told |= {
            "epochs": len(host.epochs()),
            "anchors": len(host.epochs()),
            "chain": stage.chain.facts.chain_id,
            "gas": record.gas_used,
        }
    with narrator.step("bundle") as told:
        stage.keep_document("report.json", report.report_json, "application/json")
        content = json.loads(report.report_json)
        proofs = proofs_of(stage.parts, enterprise.facts.code, report.report.digest, content)
        pdf = render_pdf(report.report_json, proofs, lang=options.language)
        stage.keep_document("report.pdf", pdf, "application/pdf")
        title = f"report.pdf {format_instant(period[0])}/{format_instant(period[1])}"
        file_document(
            enterprise.desk, enterprise.data_origin, title, "application/pdf", pdf, report.report.digest
        )
        _advance(scene.clock, 60_000)
        host.build_epoch()
        stage.chain.anchor_epoch(host)
        evidence = stage.chain.fresh_evidence()
        bundle = bundles.build_bundle(
            host,
            bundles.BundleRequest(
                report_digest=report.report.digest,
                operator=enterprise.facts.code,
                registrar=cast.registrar.facts.code,
                log_host=cast.log_host.facts.code,
                register_origin=enterprise.register_origin,
                data_origin=enterprise.data_origin,
                registers=cast.registers,
                period=period,
                time_zone=plan.body["time_zone"],
                packages=request.packages,
                report_json=report.report_json,
                report_pdf=pdf,
                anchor=evidence.to_cbor(),
            ),
        )
        out = io.BytesIO()
        bundles.write(bundle, out)
        at = scene.clock()
        trust = _trust_file(scene, stage.chain.profile(evidence), at)
        made = {"report.json": report.report_json, "report.pdf": pdf}
        made |= {"evidence.bundle": out.getvalue(), "trust.toml": trust}
        for name, data in made.items():
            (options.out / name).write_bytes(data)
        told["megabytes"] = f"{len(out.getvalue()) / 1e6:.1f}"
    return Filed(report, pdf, bundle, out.getvalue(), trust, at)


def check_untouched(scene: Scene, filed: Filed) -> bool:
    """Check the bundle as anybody would, and say whether it passed."""
    narrator = scene.narrator
    started = time.monotonic()
    result = check(filed.bundle_bytes, _bench(scene, filed))
    scene.figures["check_seconds"] = f"{time.monotonic() - started:.2f}"
    for step in result.steps:
        narrator.tell(
            "step", "done" if step.outcome == "passed" else "failed", name=step.name, reason=step.reason
        )
    return result.has_passed


def drill(scene: Scene, filed: Filed) -> list[Verdict]:
    """Run every drill on copies and tell what caught it."""
    narrator, bench = scene.narrator, _bench(scene, filed)
    verdicts: list[Verdict] = []

    def tell(verdict: Verdict) -> None:
        verdicts.append(verdict)
        name = narrator.words(f"drill.{verdict.name}") if verdict.name != "bit_flips" else verdict.name
        narrator.tell(
            "caught" if verdict.is_caught else "missed",
            "caught" if verdict.is_caught else "failed",
            drill=name,
            step=verdict.step,
            reason=verdict.reason,
        )

    tell(change_a_reading(scene.stage))
    for verdict in run_drills(bench):
        tell(verdict)
    refused, tried = flip_bits(filed.bundle_bytes, BIT_FLIPS, seed=len(filed.bundle_bytes))
    is_caught = refused == tried > 0
    verdicts.append(Verdict("bit_flips", is_caught, "container", f"{refused} of {tried} refused"))
    narrator.tell("drill.bit_flips", "caught" if is_caught else "failed", refused=refused, tried=tried)
    return verdicts


def tell_figures(scene: Scene, filed: Filed, seconds: float) -> None:
    """Print what was measured in this run."""
    host, origin = scene.stage.host, scene.cast.enterprise.data_origin
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    scene.figures |= {
        "seconds": f"{seconds:.1f}",
        "peak_memory_mib": f"{peak_kib // 1024}",
        "data_log_entries": str(host.head(origin).tree_size),
        "epochs": str(len(host.epochs())),
        "gas_per_anchor": str(scene.stage.chain.last_gas),
        "bundle_bytes": str(len(filed.bundle_bytes)),
    }
    for name, value in scene.figures.items():
        scene.narrator.tell("figure", name=name, value=value)


def write_summary(scene: Scene, filed: Filed, verdicts: list[Verdict], *, is_passed: bool) -> None:
    """Write summary.json: what was reported, which drill was caught where, and the figures."""
    report = json.loads(filed.report.report_json)
    summary: dict[str, Any] = {
        "passed": is_passed,
        "period": report["period"],
        "total": report["emissions"]["total"],
        "activity_data": report["activity_data"],
        "data_code": report["data_quality"]["code"],
        "drills": [
            {"name": v.name, "caught": v.is_caught, "step": v.step, "reason": v.reason} for v in verdicts
        ],
        "steps": [{"name": name, "seconds": f"{seconds:.2f}"} for name, seconds in scene.narrator.steps],
        "figures": scene.figures,
    }
    text = json.dumps(summary, ensure_ascii=False, indent=2) + "\n"
    (scene.options.out / "summary.json").write_text(text, encoding="utf-8")


def stay_up() -> None:
    """Wait until somebody presses Ctrl-C."""
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return


def _gateway_file(options: DemoOptions) -> Path:
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


def _published(profile: str) -> dict[str, tuple[str, Mapping[str, bytes]]]:
    made: dict[str, tuple[str, Mapping[str, bytes]]] = {}
    for folder, kind in (("methods", "method"), ("factor_sets", "factor_set")):
        made |= {name: (kind, files) for name, files in shipped(folder).items()}
    made[profile] = ("quality_profile", profile_package(profile))
    return made


def _needed(
    packages: Mapping[str, Mapping[str, bytes]], plan: Mapping[str, Any]
) -> dict[str, Mapping[str, bytes]]:
    """Return the method, the profile, and every factor set: a set may refer to another one."""
    others = set(shipped("methods")) - {plan["method"]}
    return {name: files for name, files in packages.items() if name not in others}


def _same(config: GatewayConfig) -> dict[str, object]:
    return {
        "gateway.id": config.id,
        "gateway.party": config.party,
        "gateway.log_origin": config.log_origin,
        "gateway.spool_folder": str(config.spool_folder),
        "uplink.ledger_url": config.uplink.ledger_url,
        "uplink.log_key": config.uplink.log_key,
    }


def _tell_report(
    narrator: Narrator, plan: Mapping[str, Any], inventory: Mapping[str, Any], code: Mapping[str, Any]
) -> None:
    names = {stream["id"]: stream["name"] for stream in plan["source_streams"]}
    for stream, row in inventory["by_stream"].items():
        narrator.tell(
            "stream",
            name=names[stream][narrator.language],
            activity=row["activity"]["value"],
            activity_unit=row["activity"]["unit"],
            emissions=row["emissions"]["value"],
            unit=row["emissions"]["unit"],
        )
    for finding in code["findings"]:
        narrator.tell(
            "finding",
            severity=finding["severity"],
            observed=finding["observed"][narrator.language],
            start="" if finding["start"] is None else format_instant(finding["start"]),
            count=finding["count"],
        )
    for factor in inventory.get("factors", []):
        if factor.get("is_declared"):
            narrator.tell(
                "declared",
                stream=factor["stream"],
                value=factor["value"],
                unit=factor["unit"],
                source=factor["source"],
            )


def _trust_file(scene: Scene, chain: Any, at: int) -> bytes:
    cast = scene.cast
    trust = TrustFile(
        publisher="Carbonseal demo",
        label="made by the demo",
        published_at=at,
        digest=b"",
        signed_by=None,
        registrars=(
            TrustedRegistrar(
                cast.registrar.facts.code, cast.registrar.register_origin, cast.registrar.signer.public
            ),
        ),
        log_hosts=(
            TrustedLogHost(
                cast.log_host.facts.code,
                f"{founding.HOST_NAME}/",
                f"{founding.HOST_NAME}/epochs",
                (LogKey(cast.log_key.public, 0, None),),
            ),
        ),
        chains=(chain,),
        is_anchor_required=True,
        max_age_ms=None,
        not_before=at - DAY_MS,
        last_dates={ED25519: parse_instant("2035-12-31T00:00:00Z")},
        quality_profile="default@1",
    )
    return sign_trust_file(format_trust_file(trust), cast.publisher)


def _bench(scene: Scene, filed: Filed) -> Bench:
    cast = scene.cast
    signers = [cast.log_key, cast.gateway, *(member.signer for member in cast.members)]
    host = scene.stage.host
    origins = [log.origin for log in host.logs() if log.log != EPOCHS]
    maps: dict[int, list[MapEntry]] = {}
    for head in host.epoch_evidence(origins, [record.epoch for record in host.epochs()]).heads:
        maps.setdefault(head.epoch, []).append(head.map_proof.entry)
    keys = Keys(cast.log_key, {signer.public.kid: signer for signer in signers}, maps)
    enterprise = cast.enterprise
    return Bench(
        filed.bundle, keys, filed.trust, enterprise.register_origin, enterprise.data_origin, filed.at
    )


def _advance(clock: Clock, by_ms: int) -> None:
    if isinstance(clock, SimulatedClock):
        clock.advance(by_ms)
