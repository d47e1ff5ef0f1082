"""Every metric that dashboard, alerts and runbook name is one that /metrics shows, and the other way."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from carbonseal_collectors.spool_metrics import FAMILIES, spool_metrics

NAME = re.compile(r"\bcarbonseal_[a-z0-9_]+")
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


@pytest.fixture(scope="module")
def shown(site: Any) -> dict[str, set[str]]:
    """The names of each family's samples, by family."""
    families = text_string_to_metric_families(site.client.get("/metrics").text)
    return {
        family.name: {family.name + suffix for suffix in SUFFIXES[family.type]}
        for family in families
        if family.name.startswith("carbonseal_")
    }


def expressions_of_dashboard(infra: Path) -> list[str]:
    board = json.loads((infra / "grafana" / "carbonseal.json").read_text(encoding="utf-8"))
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]


def expressions_of_alerts(infra: Path) -> list[str]:
    rules = yaml.safe_load((infra / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
    return [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("expressions", [expressions_of_dashboard, expressions_of_alerts])
def test_every_named_metric_is_shown(repository_root: Path, shown: Any, expressions: Any) -> None:
    named = {name for one in expressions(repository_root / "infra") for name in NAME.findall(one)}
    assert len(named) > 10
    assert named - set().union(FAMILIES, *shown.values()) == set()


def test_runbook_explains_every_metric_that_is_shown_and_no_other(repository_root: Path, shown: Any) -> None:
    page = (repository_root / "docs/how-to/operate-the-service.md").read_text(encoding="utf-8")
    table = page[page.index("<!-- metrics -->") : page.index("<!-- end of metrics -->")]
    explained = set(re.findall(r"^\| `(carbonseal_[a-z0-9_]+)", table, re.MULTILINE))
    names = {name.removesuffix("_bucket") for names in shown.values() for name in names}
    names = {name for name in names if not name.endswith(("_sum", "_count"))}
    assert explained == names | set(FAMILIES)


def test_a_spools_metrics_are_of_the_format_and_old_statements_show_their_age() -> None:
    text = spool_metrics("g-one", {"queued": 2, "logged": 5}, 1_000_000, 1, 1_090_000)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families.keys() == FAMILIES.keys()
    assert families["carbonseal_spool_waiting_age_seconds"].samples[0].value == 90
    assert spool_metrics("g-one", {}, 2_000_000, 0, 1_000_000).count(" 0.000") == 1  # a clock gone back


def test_every_label_value_that_an_alert_names_exists(repository_root: Path, site: Any) -> None:
    """A misspelt component or state would be an alert that never speaks."""
    states = {one.name for one in site.parts.health.components()}
    for expression in expressions_of_alerts(repository_root / "infra"):
        for component in re.findall(r'component="(\w+)"', expression):
            assert component in states
        for code in re.findall(r'code="([a-z-]+)"', expression):
            assert code in (repository_root / "docs/spec/problems.md").read_text(encoding="utf-8")
