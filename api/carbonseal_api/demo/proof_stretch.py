"""The demo's proof: the untouched bundle is checked, copies are attacked, and what was measured is told."""

from __future__ import annotations

import json
import time
from typing import Any

from carbonseal_api.demo.database_drill import change_a_reading
from carbonseal_api.demo.drills import BIT_FLIPS, Bench, Verdict, check, flip_bits, run_drills
from carbonseal_api.demo.forgery import Keys
from carbonseal_api.demo.judging_stretch import Judged
from carbonseal_api.demo.narrator import Narrator
from carbonseal_api.demo.scene import Filed, Scene
from carbonseal_api.demo.service_drills import run_service_drills
from carbonseal_api.founding import EPOCHS
from carbonseal_attest.epoch import MapEntry


def check_untouched(scene: Scene, filed: Filed) -> bool:
    """Check the bundle as anybody would, and say whether it passed."""
    narrator = scene.narrator
    started = time.monotonic()
    result = check(filed.bundle_bytes, bench_of(scene, filed))
    scene.figures["check_seconds"] = f"{time.monotonic() - started:.2f}"
    for step in result.steps:
        narrator.tell(
            "step", "done" if step.outcome == "passed" else "failed", name=step.name, reason=step.reason
        )
    return result.has_passed


def drill(scene: Scene, filed: Filed) -> list[Verdict]:
    """Run every drill on copies of the bundle and tell what caught it."""
    narrator, bench = scene.narrator, bench_of(scene, filed)
    verdicts = [_told(narrator, change_a_reading(scene.stage))]
    verdicts += [_told(narrator, verdict) for verdict in run_drills(bench)]
    refused, tried = flip_bits(filed.bundle_bytes, BIT_FLIPS, seed=len(filed.bundle_bytes))
    is_caught = refused == tried > 0
    verdicts.append(Verdict("bit_flips", is_caught, "container", f"{refused} of {tried} refused"))
    narrator.tell("drill.bit_flips", "caught" if is_caught else "failed", refused=refused, tried=tried)
    return verdicts


def drill_service(scene: Scene, filed: Filed, judged: Judged) -> list[Verdict]:
    """Run every drill on service and chain and tell what refused it."""
    return [_told(scene.narrator, verdict) for verdict in run_service_drills(scene, filed, judged)]


def tell_travelled(scene: Scene, judged: Judged | None) -> bool:
    """Say whether the correction reached grade and asset, and return it; true where nobody judged."""
    if judged is None:
        scene.narrator.tell("not_judged")
        return True
    is_done = judged.has_travelled
    scene.narrator.tell(
        "travelled" if is_done else "not_travelled",
        "done" if is_done else "failed",
        marks=len(judged.marked),
        before=judged.grade,
        after=judged.grade_after,
    )
    scene.figures["marks"] = str(len(judged.marked))
    return is_done


def _told(narrator: Narrator, verdict: Verdict) -> Verdict:
    narrator.tell(
        "caught" if verdict.is_caught else "missed",
        "caught" if verdict.is_caught else "failed",
        drill=narrator.words(f"drill.{verdict.name}"),
        step=verdict.step,
        reason=verdict.reason,
    )
    return verdict


def tell_figures(scene: Scene, filed: Filed, seconds: float) -> None:
    """Print what was measured in this run."""
    host, origin = scene.stage.host, scene.cast.enterprise.data_origin
    scene.figures |= {
        "seconds": f"{seconds:.1f}",
        "peak_memory_mib": str(scene.stage.memory.peak_mib),
        "data_log_entries": str(host.head(origin).tree_size),
        "epochs": str(len(host.epochs())),
        "gas_of_last_anchor": str(scene.stage.chain.last_gas),
        "bundle_bytes": str(len(filed.bundle_bytes)),
    }
    for name, value in scene.figures.items():
        label = name if scene.narrator.is_json else scene.narrator.words(f"figure.{name}")
        scene.narrator.tell("figure", name=label, value=value)


def write_summary(
    scene: Scene, filed: Filed, judged: Judged | None, verdicts: list[Verdict], *, is_passed: bool
) -> None:
    """Write summary.json: what was reported and judged, which drill was caught where, and the figures."""
    report = json.loads(filed.report.report_json)
    summary: dict[str, Any] = {
        "passed": is_passed,
        "period": report["period"],
        "total": report["emissions"]["total"],
        "activity_data": report["activity_data"],
        "data_code": report["data_quality"]["code"],
        "judged": None if judged is None else judged.to_json(),
        "drills": [
            {"name": v.name, "caught": v.is_caught, "step": v.step, "reason": v.reason} for v in verdicts
        ],
        "steps": [{"name": name, "seconds": f"{seconds:.2f}"} for name, seconds in scene.narrator.steps],
        "figures": scene.figures,
    }
    text = json.dumps(summary, ensure_ascii=False, indent=2) + "\n"
    (scene.options.out / "summary.json").write_text(text, encoding="utf-8")


def bench_of(scene: Scene, filed: Filed) -> Bench:
    """Return what the drills work on: the forger holds every key and every epoch's whole map."""
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
