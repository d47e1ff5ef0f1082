"""The check on untouched bundles: it passes whatever the colour, and says what it checked."""

from __future__ import annotations

import pytest
from bundle_factory import honest


@pytest.fixture(scope="module")
def world():
    return honest()


def test_passes_an_untouched_bundle(world):
    result = world.check()
    assert [(s.name, s.reason) for s in result.steps if s.outcome != "passed"] == []
    assert result.has_passed
    assert world.code == "green"
