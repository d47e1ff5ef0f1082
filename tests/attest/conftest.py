"""What the tests of attest share: the example contents and the vectors written from them."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

VECTORS = Path(__file__).resolve().parent.parent / "vectors"
sys.path[:0] = [
    str(VECTORS),
    str(VECTORS.parent / "fuzz"),
]  # tests import example_contents, example_statements and vector_files

settings.register_profile(
    "attest", max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("attest")
