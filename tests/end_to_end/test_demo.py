"""The journey as a stranger walks it: the commands of the README, on simulated and on real meters."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from carbonseal_attest.bundle_layout import EvidenceBundle
from carbonseal_attest.bundle_reading import read_bundle
from carbonseal_attest.contents import parse_content
from carbonseal_attest.contents.readings import read_series
from carbonseal_attest.statement import SignedStatement

DRILLS = {
    "reading_changed_in_database",
    "reading_changed_in_bundle",
    "statement_removed",
    "factor_swapped",
    "key_not_enrolled",
    "revocation_left_out",
    "checkpoint_rolled_back",
    "second_history",
    "report_figure_edited",
    "bit_flips",
}
SERVICE_DRILLS = {
    "other_organisation",
    "opinion_by_enterprise",
    "opinion_not_logged",
    "recorded_twice",
    "grant_expired",
}


def _bundle(run: Any) -> EvidenceBundle:
    with (run.out / "evidence.bundle").open("rb") as stream:
        return read_bundle(stream)


def _check(command: Callable[..., Any], run: Any, *more: object) -> Any:
    return command(
        "carbonseal-verifier", "check", run.out / "evidence.bundle", "--trust", run.out / "trust.toml", *more
    )


def test_demo_exits_0_and_leaves_exactly_its_five_files(plant: Any) -> None:
    assert plant.exit_code == 0, plant.stdout + plant.stderr
    names = {path.name for path in plant.out.iterdir()}
    assert names == {"report.json", "report.pdf", "evidence.bundle", "trust.toml", "summary.json"}


def test_demo_prints_progress_as_one_json_object_a_line(plant: Any) -> None:
    events = [json.loads(line) for line in plant.stdout.splitlines()]
    assert {"plant", "report", "bundle"} <= {event["name"] for event in events}


@pytest.mark.parametrize("drill", sorted(DRILLS | SERVICE_DRILLS))
def test_demo_catches_each_way_to_cheat_at_a_named_step(plant: Any, drill: str) -> None:
    found = {item["name"]: item for item in plant.json("summary.json")["drills"]}
    assert set(found) == DRILLS | SERVICE_DRILLS
    assert found[drill]["caught"] is True
    assert found[drill]["step"]
    assert found[drill]["reason"]


def test_clean_plant_is_green_with_every_slot_measured_and_nothing_voided(plant: Any) -> None:
    report = plant.json("report.json")
    assert report["data_quality"]["code"] == "green"
    assert all(row["measured"] == row["expected"] > 0 for row in report["data_quality"]["completeness"])
    kinds = {
        SignedStatement.parse(raw).header.kind for log in _bundle(plant).logs.values() for raw in log.entries
    }
    assert not kinds & {"void", "equivocation"}


def test_check_passes_offline_under_the_demos_trust_file_and_says_whose_it_is(
    plant: Any, command: Callable[..., Any], tmp_path: Path
) -> None:
    result = _check(command, plant, "--json", tmp_path / "result.json")
    assert result.exit_code == 0, result.stdout
    assert result.stdout.index("Carbonseal demo") < result.stdout.index("container")
    assert "made by the demo" in result.stdout
    verdict = json.loads((tmp_path / "result.json").read_text())
    assert verdict["passed"] is True
    assert verdict["publisher"] == "Carbonseal demo"
    assert all(
        set(step) - {"report"} == {"name", "required", "outcome", "reason"} for step in verdict["steps"]
    )


def test_check_fails_with_any_one_bit_changed(
    plant: Any, command: Callable[..., Any], tmp_path: Path
) -> None:
    data = (plant.out / "evidence.bundle").read_bytes()
    draw = random.Random(7)
    for bit in draw.sample(range(len(data) * 8), 3):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        (tmp_path / "evidence.bundle").write_bytes(changed)
        result = command(
            "carbonseal-verifier", "check", tmp_path / "evidence.bundle", "--trust", plant.out / "trust.toml"
        )
        assert result.exit_code == 1


def test_check_of_a_missing_file_or_a_broken_trust_file_exits_2_with_one_line(
    plant: Any, command: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "trust.toml").write_text("format = 'something else'\n")
    result = command(
        "carbonseal-verifier", "check", plant.out / "evidence.bundle", "--trust", tmp_path / "trust.toml"
    )
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1


def test_pdf_and_report_json_show_the_same_figures_and_the_pdf_is_registered(plant: Any) -> None:
    report = plant.json("report.json")
    pdf = (plant.out / "report.pdf").read_bytes()
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    squeezed = re.sub(r"\s", "", text)
    assert (
        report["emissions"]["total"]["value"] in squeezed
        or report["emissions"]["total"]["rounded"] in squeezed
    )
    for quantity in report["activity_data"].values():
        assert quantity["value"] in squeezed
    bundle = _bundle(plant)
    documents = [
        parse_content(data).body
        for data in bundle.contents.values()
        if parse_content(data).kind == "document"
    ]
    assert [d["document_digest"] for d in documents] == [hashlib.sha256(pdf).digest()]


def test_faulty_plant_is_red_names_each_fault_and_its_bundle_still_passes(
    faulty: Any, command: Callable[..., Any]
) -> None:
    assert faulty.exit_code == 0, faulty.stdout + faulty.stderr
    quality = faulty.json("report.json")["data_quality"]
    assert quality["code"] == "red"
    rules = " ".join(finding["rule"] for finding in quality["findings"])
    for word in ("stuck", "spike", "negative", "clock", "gap"):
        assert word in rules, f"{word} not in {rules}"
    assert _check(command, faulty).exit_code == 0


def test_steel_half_year_reports_the_files_kilowatt_hours_to_the_last_digit(
    steel: Any, shared_data: Path
) -> None:
    assert steel.exit_code == 0, steel.stdout + steel.stderr
    with gzip.open(shared_data / "steel-daewoo" / "steel_2018_h1.csv.gz", "rt", encoding="utf-8") as stream:
        total = sum(Decimal(row["Usage_kWh"]) for row in csv.DictReader(stream))
    report = steel.json("report.json")
    assert list(report["activity_data"].values()) == [{"value": str(total), "unit": "kWh"}]
    assert report["period"]["start"] == "2017-12-31T15:00:00Z"
    assert report["period"]["end"] == "2018-06-30T15:00:00Z"


def test_steel_day_end_stamps_land_on_the_day_that_ends(steel: Any) -> None:
    first_days: dict[str, int] = {}
    for data in _bundle(steel).contents.values():
        content = parse_content(data)
        if content.kind == "readings":
            for series in read_series(content.body):
                for sample in series.samples():
                    day = datetime.fromtimestamp((sample.at + 9 * 3_600_000) / 1000).astimezone().date()
                    first_days[f"{series.point}/{day}"] = first_days.get(f"{series.point}/{day}", 0) + 1
    assert len(first_days) == 6 * 181
    assert set(first_days.values()) == {96}


def test_steel_co2_column_disagrees_in_47_intervals_since_2_january_and_is_never_reported(steel: Any) -> None:
    report = steel.json("report.json")
    (finding,) = [f for f in report["data_quality"]["findings"] if f["count"] == 47]
    assert finding["start"] == "2018-01-01T23:00:00Z"  # 08:00 on 2 January in Korea
    assert report["data_quality"]["code"] == "red"
    assert report["emissions"]["total"]["value"] == "238.97008996"  # 521199.76 kWh at the declared 0.4585


def test_steel_declared_factor_is_shown_as_declared_with_its_source(steel: Any) -> None:
    (factor,) = steel.json("report.json")["factors"]
    assert factor["is_declared"] is True
    assert factor["value"] == "0.4585"
    assert "declar" in factor["source"]


def test_steel_report_is_rendered_in_chinese(steel: Any) -> None:
    pages = PdfReader(steel.out / "report.pdf").pages
    assert "排放报告" in "".join(page.extract_text() for page in pages)


@pytest.mark.parametrize("name", ["gas-electricity-amsterdam", "datacentre-servers"])
def test_two_more_real_sites_go_through_their_gateway_files(
    name: str, demo: Callable[..., Any], shared_data: Path
) -> None:
    run = demo("--data", shared_data / name)
    assert run.exit_code == 0, run.stdout + run.stderr
    assert run.json("summary.json")["passed"] is True


def test_data_without_times_is_refused_in_one_line_naming_the_remedy(
    command: Callable[..., Any], tmp_path: Path, shared_data: Path
) -> None:
    example = Path(__file__).parents[2] / "docs" / "examples" / "steel-daewoo" / "gateway.toml"
    result = command(
        "carbonseal",
        "demo",
        "--out",
        tmp_path,
        "--data",
        shared_data / "gas-turbine-turkey",
        "--gateway",
        example,
    )
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert "; " in result.stderr


def test_output_folder_with_other_files_is_refused(command: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    result = command("carbonseal", "demo", "--out", tmp_path, "--days", 2)
    assert result.exit_code == 2
    assert "mine.txt" in result.stderr
    assert (tmp_path / "mine.txt").read_text() == "keep me"


def test_missing_data_folder_is_refused_before_an_output_folder_is_made(
    command: Callable[..., Any], tmp_path: Path
) -> None:
    result = command("carbonseal", "demo", "--out", tmp_path / "out", "--data", tmp_path / "nowhere")
    assert result.exit_code == 2
    assert "--data" in result.stderr
    assert not (tmp_path / "out").exists()


def test_demo_help_counts_the_drills_that_are_run(command: Callable[..., Any]) -> None:
    result = command("carbonseal", "demo", "--help")
    assert len(DRILLS | SERVICE_DRILLS) == 15
    assert "fifteen ways to cheat" in " ".join(result.stdout.split())


def test_one_corrected_reading_reaches_report_code_opinion_grade_and_asset_within_an_epoch(
    plant: Any,
) -> None:
    judged = plant.json("summary.json")["judged"]
    assert judged["grade"] in {"deep", "mid", "light", "none"}
    assert judged["grade_after"] == "not_gradable"
    assert judged["is_frozen"] is True
    assert set(judged["marked"]) >= {
        "emissions_report",
        "quality_code",
        "verification_report",
        "grade",
        "asset",
    }


def test_each_step_of_the_judging_tells_its_statement_and_receipt_state(plant: Any) -> None:
    events = [json.loads(line) for line in plant.stdout.splitlines()]
    told = {event["name"]: event for event in events if "digest" in event}
    steps = {"grant", "opinion.signed", "grade", "asset", "bank.asked", "corrected", "impact", "frozen"}
    assert steps <= set(told)
    for name in steps:
        assert re.fullmatch(r"[0-9a-f]{16}", told[name]["digest"])
        assert told[name]["state"] in {"logged", "anchored", "final"}


def test_red_data_are_judged_by_nobody(faulty: Any) -> None:
    assert faulty.json("summary.json")["judged"] is None


def test_another_half_year_of_the_same_columns_runs_unchanged_and_its_period_comes_from_the_data(
    demo: Callable[..., Any], tmp_path: Path
) -> None:
    header = (
        "date,Usage_kWh,Lagging_Current_Reactive_Power_kVarh,Leading_Current_Reactive_Power_kVarh,CO2(tCO2),"
        "Lagging_Current_Power_Factor,Leading_Current_Power_Factor,NSM,WeekStatus,Day_of_week,Load_Type"
    )
    rows = [header]
    for day in ("30/12/2018", "31/12/2018"):
        for quarter in range(1, 97):
            stamp = f"{quarter // 4 % 24:02d}:{quarter % 4 * 15:02d}"
            rows.append(
                f"{day} {stamp},3.00,4.00,0,0,60,100,{quarter * 900 % 86400},Weekday,Monday,Light_Load"
            )
    (tmp_path / "steel_2018_h2.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    example = Path(__file__).parents[2] / "docs" / "examples" / "steel-daewoo" / "gateway.toml"
    run = demo("--data", tmp_path, "--gateway", example)
    assert run.exit_code == 0, run.stdout + run.stderr
    report = run.json("report.json")
    assert list(report["activity_data"].values()) == [{"value": "576", "unit": "kWh"}]
    assert report["period"]["start"] == "2018-12-29T15:00:00Z"
    assert report["period"]["end"] == "2018-12-31T15:00:00Z"


def test_a_port_in_use_is_refused_in_one_line_before_anything_is_started(demo: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run = demo("--port", taken.getsockname()[1])
    assert run.exit_code == 2
    assert run.stderr.startswith("port: ")
    assert len(run.stderr.splitlines()) == 1


def test_a_demo_that_is_ended_twice_leaves_no_folder_behind(tmp_path: Path) -> None:
    # A short path, as the database's socket needs it.
    with tempfile.TemporaryDirectory(prefix="cs-end-") as folder:
        Path(folder).chmod(0o755)  # the embedded database may run as a user of its own
        command = [str(Path(sys.executable).parent / "carbonseal"), "demo", "--out", str(tmp_path)]
        with subprocess.Popen(
            command, env={**os.environ, "TMPDIR": folder}, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            while "PostgreSQL" not in (line := process.stdout.readline()) and line:
                pass
            process.send_signal(signal.SIGTERM)
            for _ in range(600):  # as an impatient person presses the key
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.05)
                    break
                process.send_signal(signal.SIGINT)
            assert process.returncode == 130
        assert [path.name for path in Path(folder).glob("cs-*")] == []
