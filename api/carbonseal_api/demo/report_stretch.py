"""The demo at the desk: file, anchor, render, register, bundle; and make the trust file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from carbonseal_api.catalogue.service import DEFAULT_PROFILE, files_for_plan
from carbonseal_api.demo import cast as founding
from carbonseal_api.demo.narrator import Narrator
from carbonseal_api.demo.scene import Filed, Scene
from carbonseal_api.filing.service import FilingRequest, file_report, render_and_register
from carbonseal_api.problems import RequestInvalid
from carbonseal_api.reports.bundle_files import bundle_bytes
from carbonseal_api.trust_files import own_trust_file
from carbonseal_attest.anchor import AnchorEvidence
from carbonseal_attest.bundle_reading import read_bundle
from carbonseal_attest.instants import Clock, Interval, format_instant
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.trust import TrustedRegistrar
from carbonseal_collectors.clock import SimulatedClock
from carbonseal_collectors.plan_file import PlanFile


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
        packages=files_for_plan(plan.body),
        parties={
            "operator": {"party": enterprise.facts.code, "name": dict(enterprise.facts.name)},
            "registrar": {"party": cast.registrar.facts.code, "name": dict(cast.registrar.facts.name)},
            "log_host": {"party": cast.log_host.facts.code, "name": dict(cast.log_host.facts.name)},
        },
    )
    with narrator.step("report") as told:
        report = file_report(host, enterprise.desk, request, clock=scene.clock)
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
        pdf = render_and_register(stage.parts, enterprise.desk, report, language=options.language)
        _advance(scene.clock, 60_000)
        host.build_epoch()
        stage.chain.anchor_epoch(host)
        data = bundle_bytes(stage.parts, enterprise.facts.code, report.report.digest)
        bundle = read_bundle(io.BytesIO(data))
        at = scene.clock()
        trust = trust_file(scene, AnchorEvidence.from_cbor(bundle.anchor or b""), at)
        made = {
            "report.json": report.report_json,
            "report.pdf": pdf,
            "evidence.bundle": data,
            "trust.toml": trust,
        }
        for name, written in made.items():
            (options.out / name).write_bytes(written)
        told["megabytes"] = f"{len(data) / 1e6:.1f}"
    return Filed(report, pdf, bundle, data, trust, at)


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


def trust_file(scene: Scene, evidence: AnchorEvidence, at: int) -> bytes:
    """Return the demo's trust file, which believes the block that the evidence ends in."""
    cast = scene.cast
    registrar = cast.registrar
    return own_trust_file(
        publisher="Carbonseal demo",
        label="made by the demo",
        registrar=TrustedRegistrar(registrar.facts.code, registrar.register_origin, registrar.signer.public),
        log_host=cast.log_host.facts.code,
        log_host_name=founding.HOST_NAME,
        log_key=cast.log_key.public,
        chain=scene.stage.chain.profile(evidence),
        at=at,
        profile=DEFAULT_PROFILE,
        signer=cast.publisher,
    )


def _advance(clock: Clock, by_ms: int) -> None:
    if isinstance(clock, SimulatedClock):
        clock.advance(by_ms)
