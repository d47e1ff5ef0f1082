"""The demo at the desk: file, anchor, render, register, bundle; and make the trust file."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from carbonseal_accounting.packages import shipped
from carbonseal_api.bundles import service as bundles
from carbonseal_api.demo import cast as founding
from carbonseal_api.demo.narrator import Narrator
from carbonseal_api.demo.plant_month import DAY_MS
from carbonseal_api.demo.scene import Filed, Scene
from carbonseal_api.filing.service import FilingRequest, file_document, file_report
from carbonseal_api.problems import RequestInvalid
from carbonseal_api.reports.report_pdf import render_pdf
from carbonseal_api.reports.service import proofs_of
from carbonseal_attest.chain_profile import ChainProfile
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


def _needed(
    packages: Mapping[str, Mapping[str, bytes]], plan: Mapping[str, Any]
) -> dict[str, Mapping[str, bytes]]:
    """Return the method, the profile, and every factor set: a set may refer to another one."""
    others = set(shipped("methods")) - {plan["method"]}
    return {name: files for name, files in packages.items() if name not in others}


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


def _trust_file(scene: Scene, chain: ChainProfile, at: int) -> bytes:
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


def _advance(clock: Clock, by_ms: int) -> None:
    if isinstance(clock, SimulatedClock):
        clock.advance(by_ms)
