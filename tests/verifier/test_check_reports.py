"""Several reports in one bundle: each is re-performed, each result says which report it is about."""

from __future__ import annotations

import copy
import hashlib
import json
import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest
from bundle_factory import (
    DAY,
    END,
    HOUR,
    START,
    World,
    caught,
    data,
    honest,
    to_bytes,
)

from carbonseal_attest.instants import format_instant
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.trust import format_trust_file
from carbonseal_verifier.check import STEPS
from carbonseal_verifier.cli import main
from carbonseal_verifier.errors import UsageInvalid
from carbonseal_verifier.examined import examine_bundle

ABOUT_REPORT = [step.name for step in STEPS if step.is_about_report]


@pytest.fixture(scope="module")
def told():
    """Both days, then the first day alone: two reports of one plan."""
    return honest().file(period=(START, START + DAY))


@pytest.fixture
def world(told):
    return copy.deepcopy(told)


def both(world: World):
    return replace(world.bundle(), reports=tuple(world.filed))


def of_report(result, digest):
    return {step.name: step.outcome for step in result.steps if step.report == digest}


def test_catches_the_second_report_although_the_first_holds(world):
    whole, day = world.filed
    broken = replace(day, report_json=day.report_json.replace(b"rp-report1", b"rp-report2"))
    result = world.check(replace(world.bundle(), reports=(whole, broken)))
    assert not result.has_passed
    assert set(of_report(result, whole.digest).values()) == {"passed"}
    assert of_report(result, day.digest)["report"] == "failed"
    assert result.on(whole.digest).has_passed
    assert not result.on(day.digest).has_passed


def test_catches_a_report_that_the_bundle_says_is_about_another_period(world):
    whole, day = world.filed
    swapped = (replace(whole, period=day.period), replace(day, period=whole.period))
    result = world.check(replace(world.bundle(), reports=swapped))
    assert caught(result) == "cut-off"
    assert {s.report for s in result.steps if s.outcome == "failed"} == {whole.digest, day.digest}


def test_catches_a_content_withheld_that_only_the_longer_period_needs(world):
    second_day = next(
        s for s in map(SignedStatement.parse, world.logs[data("e-enterprise")].entries)
        if s.header.kind == "readings" and s.header.interval[0] > START + DAY
    )  # fmt: skip
    bundle = both(world)
    bundle.contents = {d: c for d, c in bundle.contents.items() if d != second_day.payload}
    assert caught(world.check(bundle)) == "contents"
    alone = replace(bundle, reports=(world.filed[1],))
    result = world.check(alone)
    # The report of the first day needs no more than the first day.
    assert result.has_passed, [s for s in result.steps if s.outcome != "passed"]


def test_catches_a_package_that_no_report_names(world):
    bundle = both(world)
    bundle.packages["STRAY@1.0.0"] = {"method.toml": b""}
    assert caught(world.check(bundle)) == "packages"


def test_passes_two_reports_and_names_each_in_its_steps(world):
    result = world.check(both(world))
    assert result.has_passed
    whole, day = (report.digest for report in world.filed)
    assert [step.name for step in result.steps if step.report == day] == ABOUT_REPORT
    assert [step.name for step in result.steps if step.report == whole] == ABOUT_REPORT
    assert {step.get("report") for step in result.to_json()["steps"]} == {None, whole.hex(), day.hex()}
    assert next(s.report for s in result.steps if s.report) == day  # the earlier end comes first


def test_order_in_which_reports_are_given_changes_no_byte(world):
    bundle = both(world)
    assert to_bytes(bundle) == to_bytes(replace(bundle, reports=bundle.reports[::-1]))


def written(world, folder):
    bundle, trust = folder / "evidence.bundle", folder / "trust.toml"
    bundle.write_bytes(to_bytes(both(world)))
    trust.write_text(format_trust_file(world.trust()), encoding="utf-8")
    return bundle, trust


def test_command_names_the_report_of_a_step(world, tmp_path, capsys):
    bundle, trust = written(world, tmp_path)
    given = ["--trust", str(trust), "--at", format_instant(world.now + HOUR), "--json", str(tmp_path / "r")]
    assert main(["check", str(bundle), *given]) == 0
    out = capsys.readouterr().out
    for report in world.filed:
        assert out.count(f"report {report.digest.hex()[:8]}: ") == len(ABOUT_REPORT)
    stored = json.loads((tmp_path / "r").read_text())
    assert {step.get("report") for step in stored["steps"]} == {None, *(r.digest.hex() for r in world.filed)}


@pytest.mark.parametrize("report", [None, "00" * 32, "not a digest"])
def test_act_about_one_report_asks_which(world, tmp_path, report):
    bundle, trust = written(world, tmp_path)
    arguments = Namespace(bundle=bundle, trust=trust, at=format_instant(world.now + HOUR), report=report)
    with pytest.raises(UsageInvalid, match="--report") as refused:
        examine_bundle(arguments, show=lambda _: None)
    assert all(one.digest.hex() in refused.value.remedy for one in world.filed)


def test_act_about_one_report_takes_the_one_named_and_its_outcome_alone(world, tmp_path):
    whole, day = world.filed
    broken = replace(whole, report_json=b"{}")
    world.filed[:] = [broken, day]
    bundle, trust = written(world, tmp_path)
    arguments = Namespace(bundle=bundle, trust=trust, at=format_instant(world.now + HOUR))
    examined = examine_bundle(Namespace(**vars(arguments), report=day.digest.hex()), show=lambda _: None)
    assert (examined.case.about.digest, examined.result.has_passed) == (day.digest, True)
    examined = examine_bundle(Namespace(**vars(arguments), report=whole.digest.hex()), show=lambda _: None)
    assert (examined.case.about.period, examined.outcome("report")) == ((START, END), "failed")


def test_two_processes_make_the_same_bundle_of_the_same_facts_in_whatever_order_they_hold_them():
    made = set()
    for seed, flip in (("1", False), ("2", True)):
        told = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(Path(__file__).parent), str(int(flip))]
        done = subprocess.run(told, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True)
        made.add(done.stdout)
    assert len(made) == 1
    assert made.pop().strip() == hashlib.sha256(to_bytes(honest().bundle())).hexdigest().encode()


IN_ANOTHER_PROCESS = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from bundle_factory import honest, to_bytes
bundle = honest().bundle()
if sys.argv[2] == "1":
    for name in ("logs", "maps", "contents", "packages"):
        setattr(bundle, name, dict(reversed(getattr(bundle, name).items())))
    bundle.maps = {o: dict(reversed(proofs.items())) for o, proofs in bundle.maps.items()}
    bundle.packages = {n: dict(reversed(files.items())) for n, files in bundle.packages.items()}
print(hashlib.sha256(to_bytes(bundle)).hexdigest())
"""
