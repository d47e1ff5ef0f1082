"""What lies in infra/: promtool takes the rules and runs their tests, systemd takes the units."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from prometheus_tools import PromtoolMissing, find_promtool

INSTALLED = "/opt/carbonseal/.venv/bin"


@pytest.fixture(scope="module")
def promtool(repository_root: Path) -> Path:
    try:
        return find_promtool(repository_root / ".build")
    except PromtoolMissing as missing:
        pytest.skip(f"ALERT RULES NOT CHECKED: no promtool: {missing}")


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "--lint=all", "--lint-fatal", "alerts.yml"),
        ("check", "config", "--lint=all", "--lint-fatal", "prometheus.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=["rules", "config", "tests"],
)
def test_promtool_takes_rules_and_configuration(
    repository_root: Path, promtool: Path, arguments: tuple[str, ...]
) -> None:
    ended = subprocess.run(
        [str(promtool), *arguments],
        cwd=repository_root / "infra" / "prometheus",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_promtool_refuses_a_rule_that_is_none(promtool: Path, tmp_path: Path) -> None:
    rules = tmp_path / "alerts.yml"
    rules.write_text("groups: [{name: x, rules: [{alert: A, expr: 'sum(('}]}]")
    ended = subprocess.run([str(promtool), "check", "rules", str(rules)], capture_output=True, check=False)
    assert ended.returncode != 0


def test_systemd_takes_every_unit(repository_root: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("UNITS NOT CHECKED: no systemd-analyze here")
    # It looks for the programs: stand-ins lie where the copies of the units say.
    programs = tmp_path / "bin"
    programs.mkdir()
    units = []
    for unit in sorted((repository_root / "infra" / "systemd").iterdir()):
        text = unit.read_text(encoding="utf-8")
        for name in re.findall(re.escape(INSTALLED) + r"/([\w.-]+)", text):
            (programs / name).write_text("#!/bin/sh\n")
            (programs / name).chmod(0o755)
        (tmp_path / unit.name).write_text(text.replace(INSTALLED, str(programs)), encoding="utf-8")
        units.append(tmp_path / unit.name.replace("@.", "@8440."))
    for unit in units:
        template = tmp_path / unit.name.replace("@8440.", "@.")
        if template != unit:
            shutil.copy(template, unit)
    ended = subprocess.run(
        [analyze, "verify", "--man=no", *map(str, units)],
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    own = [line for line in ended.stderr.splitlines() if str(tmp_path) in line or "carbonseal" in line]
    assert (ended.returncode, own) == (0, []), ended.stderr


def test_every_alert_names_a_section_of_the_runbook_and_speaks_both_languages(
    repository_root: Path,
) -> None:
    checker = repository_root / "infra" / "develop" / "check_docs.py"
    spec = importlib.util.spec_from_file_location("check_docs", checker)
    assert spec is not None
    assert spec.loader is not None
    docs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(docs)
    rules = yaml.safe_load((repository_root / "infra/prometheus/alerts.yml").read_text(encoding="utf-8"))
    named = set()
    for rule in rules["groups"][0]["rules"]:
        notes = rule["annotations"]
        page, _, heading = notes["runbook"].partition("#")
        named.add(heading)
        assert heading in docs.anchors((repository_root / page).read_text(encoding="utf-8")), rule["alert"]
        assert notes["summary"], rule["alert"]
        assert re.search("[\u4e00-\u9fff]", notes["summary_zh"]), rule["alert"]
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]
    assert len(named) > 8


def test_compose_file_gives_every_service_what_it_names(repository_root: Path) -> None:
    infra = repository_root / "infra"
    compose = yaml.safe_load((infra / "compose.yaml").read_text(encoding="utf-8"))
    volumes, secrets = set(compose["volumes"]), set(compose["secrets"])
    for name, service in compose["services"].items():
        for mount in service.get("volumes", []):
            place = mount.split(":")[0]
            assert place in volumes or (infra / place).exists(), (name, place)
        assert set(service.get("secrets", [])) <= secrets, name
        assert set(service.get("depends_on", {})) <= compose["services"].keys(), name
    for secret in compose["secrets"].values():
        assert secret["file"].startswith("./secrets/")


def test_dashboard_has_no_two_panels_of_one_number_and_each_says_where_its_data_is(
    repository_root: Path,
) -> None:
    board = json.loads((repository_root / "infra/grafana/carbonseal.json").read_text(encoding="utf-8"))
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(numbers) == len(set(numbers))
    for panel in board["panels"]:
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}", panel["title"]
            assert panel["targets"], panel["title"]
