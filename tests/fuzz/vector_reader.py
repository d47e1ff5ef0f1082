"""The reader of vector files as a target: any bytes as a file of each family, every case run and judged."""

from __future__ import annotations

import io
import json

from carbonseal_attest.errors import CarbonsealError
from carbonseal_verifier.conformance.case import judge
from carbonseal_verifier.conformance.families import FAMILIES, read_cases
from carbonseal_verifier.conformance.vector_file import Source, parse_document, read_input


def vector_file(data: bytes) -> None:
    """Read `data` as a vector file of every family; a failure of the code inside a case is a bug too."""
    document = parse_document(read_input(io.BytesIO(data)))
    for family in FAMILIES.values():
        try:
            cases = read_cases(family, document, Source("fuzz", "tile/0/000.p/5"))
        except CarbonsealError:
            continue
        for case in cases:
            try:
                result = judge(case)
            except CarbonsealError:
                break
            assert result.observed != "failed", result.reason
            json.dumps(result.to_json())
