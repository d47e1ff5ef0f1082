"""The bench's own arithmetic: percentiles, ratios, and the form of bench.json."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def figures(repository_root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_figures", repository_root / "bench" / "figures.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1), (0.994, 100)])
def test_percentile_is_the_nearest_rank(figures: ModuleType, share: float, expected: int) -> None:
    assert figures.percentile(range(100, 0, -1), share) == expected


def test_percentile_of_nothing_is_refused(figures: ModuleType) -> None:
    with pytest.raises(ValueError, match="no values"):
        figures.percentile([], 0.5)


def test_figure_prints_its_ratio_to_what_stands_beside_it(figures: ModuleType) -> None:
    figure = figures.Figure(figures.Measure("a", 3000, "1/s"), figures.Measure("b", 15000, "1/s"))
    assert figure.ratio == 0.2
    assert "0.2 x b (15,000 1/s)" in figure.line()


def test_bench_file_is_an_array_of_figures_with_their_peers(figures: ModuleType, tmp_path: Path) -> None:
    target = tmp_path / "bench.json"
    figures.write(
        [figures.Figure(figures.Measure("a", 1234.56, "1/s"), figures.Measure("b", 0.000123456, "s"))], target
    )
    assert json.loads(target.read_text()) == [
        {
            "name": "a",
            "value": 1235.0,
            "unit": "1/s",
            "beside": {"name": "b", "value": 0.0001235, "unit": "s"},
        }
    ]
    assert list(tmp_path.iterdir()) == [target]
