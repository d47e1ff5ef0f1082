"""The CDDL of the kinds is written from their schemas, and somebody else's validator agrees with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from example_contents import content
from over_limit import variants

from carbonseal_attest import cbor
from carbonseal_attest.contents import KINDS, cddl
from carbonseal_attest.contents import schema as s
from carbonseal_attest.errors import EncodingError
from carbonseal_attest.signing import Ed25519Signer, Esp256Signer, MlDsa44Signer

try:
    import pycddl
except ImportError:
    pycddl = None

foreign = pytest.mark.skipif(
    pycddl is None, reason="FOREIGN VALIDATOR MISSING: no pycddl here; the CDDL is not checked"
)


def validator(kind: str) -> Any:
    return pycddl.Schema("\n".join(cddl.content_rules(KINDS[kind]).values()))


def changed(kind: str, /, **changes: Any) -> bytes:
    return cbor.encode({**cbor.decode(content(kind)), **changes})


def test_page_of_the_kinds_is_what_their_schemas_write(repository_root: Path) -> None:
    stored = (repository_root / "docs/spec/statement-kinds.cddl").read_text(encoding="utf-8")
    assert stored == cddl.write(), (
        "run python -m carbonseal_attest.contents.cddl > docs/spec/statement-kinds.cddl"
    )


def test_every_kind_has_a_rule_for_its_content_and_one_for_its_body() -> None:
    written = cddl.write()
    for kind in KINDS:
        assert f"\ncontent-{kind} = {{\n" in written
        assert f"\n{kind}-body = {{" in written


def test_no_kind_admits_what_nothing_checks() -> None:
    with pytest.raises(TypeError, match="has no CDDL"):
        cddl.write({"loose": cddl.Kind("loose", "data", "party", s.record({"what": s.anything}))})


@foreign
def test_foreign_validator_reads_the_whole_file() -> None:
    assert pycddl.Schema(cddl.write())


@foreign
@pytest.mark.parametrize("kind", KINDS)
def test_foreign_validator_accepts_the_example(kind: str) -> None:
    validator(kind).validate_cbor(content(kind))


@foreign
@pytest.mark.parametrize("signer", [Ed25519Signer, Esp256Signer, MlDsa44Signer])
def test_foreign_validator_accepts_a_key_of_every_admitted_algorithm(signer: Any) -> None:
    key = signer.generate().public.cose_key()
    party = {**cbor.decode(content("party"))["body"], "key": key}
    validator("party").validate_cbor(changed("party", body=party))
    for label in set(key) - {1, 3}:
        with pytest.raises(pycddl.ValidationError):
            validator("party").validate_cbor(changed("party", body={**party, "key": {**key, label: b""}}))


@foreign
@pytest.mark.parametrize("kind", KINDS)
def test_foreign_validator_refuses_what_the_schema_refuses(kind: str) -> None:
    envelope = cbor.decode(content(kind))
    wrong = [
        changed(kind, kind="other"),
        changed(kind, version=7),
        changed(kind, subject="M"),
        changed(kind, interval=None if KINDS[kind].has_interval else [0, 1]),
        changed(kind, salt=bytes(8)),
        changed(kind, body={**envelope["body"], "note": "x"}),
        changed(kind, body=[]),
        changed(kind, note="x"),
        cbor.encode({name: value for name, value in envelope.items() if name != "salt"}),
    ]
    body = KINDS[kind].schema
    fields = body.required if isinstance(body, s.Record) else ()
    wrong += [changed(kind, body={**envelope["body"], field: False}) for field in fields]
    for data in wrong:
        with pytest.raises(pycddl.ValidationError):
            validator(kind).validate_cbor(data)


# What no CDDL says (a comment does), and what this validator does not see: it looks for a pattern anywhere in
# a text, and not into arrays of arrays under an occurrence, nor for unknown fields of maps in arrays.
UNSEEN = re.compile(
    r"( characters| digits|: a hidden character|: two dots|: upper case|: an exponent|: a plus|: long"
    r"|: an unknown field|: a key of .*|: a wrong check character|(runs|quality): [0-9]+ items)( \(.*\))?$"
)


@foreign
@pytest.mark.parametrize("kind", KINDS)
def test_foreign_validator_refuses_values_beyond_the_limits(kind: str) -> None:
    envelope, judge, tried = cbor.decode(content(kind)), validator(kind), 0
    for variant in variants(KINDS[kind].schema, envelope["body"], "content.body"):
        try:
            data = cbor.encode({**envelope, "body": variant.value})
        except EncodingError:
            continue
        if not UNSEEN.search(variant.desc) and len(data) < 1 << 18:
            with pytest.raises(pycddl.ValidationError):
                judge.validate_cbor(data)
            tried += 1
    assert tried
