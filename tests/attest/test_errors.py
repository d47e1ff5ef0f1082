from __future__ import annotations

import re

from carbonseal_attest import errors
from carbonseal_attest.errors import AttestError, CarbonsealError, StatementInvalid


def test_text_of_a_refusal_stays_on_one_line_whatever_the_input_smuggles_in() -> None:
    text = str(StatementInvalid("sub\nject", "\x1b[2J\u202egreen \ud800", "sign\r\nagain"))
    assert text.isprintable()
    assert text.encode()
    assert text.endswith("; sign\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}again")


def test_every_refusal_has_a_stable_code_of_its_own() -> None:
    leaves = [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, AttestError)
    ]
    codes = [leaf.code for leaf in leaves]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)
    assert all(issubclass(leaf, CarbonsealError) for leaf in leaves)
