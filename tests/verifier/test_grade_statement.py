"""A grade's statement, checked offline: forged, swapped or unproved ones are refused by name."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonseal_attest.algorithms import ED25519
from carbonseal_attest.contents import SALT_SIZE, build_content
from carbonseal_attest.merkle import inclusion_path, leaf_hash, root_of
from carbonseal_attest.receipt import make_receipt
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.statement import sign_statement
from carbonseal_attest.trust import (
    Algorithms,
    ClosedLog,
    Limits,
    LogKey,
    TrustedLogHost,
    TrustedRegistrar,
    TrustFile,
    Witnesses,
    format_trust_file,
)
from carbonseal_verifier.cli import main
from carbonseal_verifier.errors import GradeStatementRefused
from carbonseal_verifier.grade import grade_input
from carbonseal_verifier.grade_input import GradeInput, one_spelling
from carbonseal_verifier.grade_package import find_grade_rule
from carbonseal_verifier.grade_statement import check_grade_statement

RULE = find_grade_rule("CARBON-EFFICIENCY@1.0.0")
INPUT = one_spelling(RULE.examples["examples/mid_green.json"]["input"])
RESULT = grade_input(RULE, GradeInput.parse(INPUT, RULE))
REGISTRAR, HOST, BASE = "r-registrar", "h-loghost", "log.carbonseal.example"
REGISTER, DATA = f"{BASE}/{REGISTRAR}/register", f"{BASE}/{HOST}/data"
KEYS = {name: Ed25519Signer.generate() for name in ("registrar", "host", "log", "stranger")}
ADMISSION = {
    "party": HOST,
    "status": "admitted",
    "roles": ["log_host"],
    "key": KEYS["host"].public.cose_key(),
    "register_origin": f"{BASE}/{HOST}/register",
    "data_origin": DATA,
    "endorsements": [],
    "name": {"zh": "示例", "en": "Example"},
    "org": None,
}
GRADE = {
    "party": RESULT.given.party,
    "rule": RULE.name,
    "package_digest": RULE.digest,
    "period": dict(zip(("start", "end"), RESULT.given.period, strict=True)),
    "as_of": RESULT.given.as_of,
    "grade": RESULT.grade,
    "input": INPUT,
    "result": RESULT.to_bytes(),
    "replaces": None,
    "cause": None,
}


@dataclass
class Part:
    """A statement as a test wants it; the defaults are an honest one."""

    kind: str
    body: dict
    signer: str
    issuer: str
    subject: str
    origin: str
    log: str = "log"

    def made(self) -> dict[str, str]:
        is_public = self.kind == "party"
        content = build_content(
            self.kind,
            subject=self.subject,
            stream=self.kind,
            interval=None,
            body=self.body,
            salt=b"" if is_public else b"\x01" * SALT_SIZE,
        )
        statement = sign_statement(
            KEYS[self.signer],
            kind=self.kind,
            issuer=self.issuer,
            subject=self.subject,
            issued_at=1_800_000_000,
            origin=self.origin,
            stream=self.kind,
            sequence=0,
            previous=None,
            interval=None,
            checkpoint=None,
            content=content,
        )
        leaves = [leaf_hash(b"genesis"), leaf_hash(statement.raw), leaf_hash(b"tick")]
        # The reference recursion of the log is tested elsewhere; three leaves need two nodes.
        nodes = {(0, n): leaf for n, leaf in enumerate(leaves)} | {(1, 0): root_of(leaves[:2])}
        receipt = make_receipt(
            KEYS[self.log],
            log_host=HOST,
            origin=self.origin,
            tree_size=3,
            index=1,
            path=inclusion_path(1, 3, lambda level, index: nodes[level, index]),
            root=root_of(leaves),
        )
        parts = {"statement": statement.raw, "content": content, "receipt": receipt}
        return {name: base64.b64encode(data).decode() for name, data in parts.items()}


AT = 1_800_000_000_000


def honest() -> tuple[Part, Part]:
    return (
        Part("grade", copy.deepcopy(GRADE), "host", HOST, GRADE["party"], DATA),
        Part("party", copy.deepcopy(ADMISSION), "registrar", REGISTRAR, HOST, REGISTER),
    )


def of_party() -> Part:
    body = ADMISSION | {
        "party": GRADE["party"],
        "roles": ["enterprise"],
        "key": KEYS["stranger"].public.cose_key(),
        "org": "91350100M000100Y43",
    }
    return Part("party", body, "registrar", REGISTRAR, GRADE["party"], REGISTER)


def answer(grade: Part, admission: Part, party: Part | None = None, **more) -> bytes:
    proof = grade.made() | {"log_host": admission.made(), "party": (party or of_party()).made()}
    return json.dumps({"proof": proof | more}).encode()


def trust(*, registrar: str = "registrar", host: str = HOST, prefix: str = f"{BASE}/") -> TrustFile:
    text = format_trust_file(
        TrustFile(
            publisher="Province",
            label="made by a test",
            published_at=1_800_000_000_000,
            digest=b"",
            signed_by=None,
            registrars=(TrustedRegistrar(REGISTRAR, REGISTER, KEYS[registrar].public),),
            log_hosts=(
                TrustedLogHost(host, prefix, f"{prefix}epochs", (LogKey(KEYS["log"].public, 0, None),)),
            ),
            closed_logs=(),
            witnesses=Witnesses.none(),
            chains=(),
            algorithms=Algorithms({ED25519: 4_000_000_000_000}),
            limits=Limits(
                max_age_ms=None,
                not_before=1_700_000_000_000,
                is_anchor_required=False,
                commit_delay_ms=26 * 3_600_000,
                rule_profiles=("default@1",),
                grade_profiles=(GRADE["rule"], "CARBON-EFFICIENCY@2.0.0"),
            ),
        )
    )
    return TrustFile.parse(text.encode())


def checked(grade: Part, admission: Part, **more):
    return check_grade_statement(answer(grade, admission), trust=trust(**more), at=AT)


def test_an_honest_statement_carries_input_and_result():
    found = checked(*honest())
    assert (found.log_host, found.registrar) == (HOST, REGISTRAR)
    assert (found.input, found.result) == (INPUT, RESULT.to_bytes())
    assert (found.proved.index, found.proved.tree_size) == (1, 3)
    assert found.credit_code == "91350100M000100Y43"
    found.require(INPUT, RESULT)


@pytest.mark.parametrize(
    ("which", "change", "match"),
    [
        ("grade", {"signer": "stranger"}, "header.kid"),
        ("grade", {"signer": "log"}, "header.kid"),
        ("grade", {"issuer": "e-steelworks"}, "own data log"),
        ("grade", {"origin": f"{BASE}/e-steelworks/data"}, "own data log"),
        ("grade", {"log": "stranger"}, "another log or key"),
        ("grade", {"kind": "party", "body": ADMISSION}, "not a grade"),
        ("admission", {"signer": "stranger"}, "header.kid"),
        ("admission", {"issuer": "r-another"}, "no registrar that the trust file names"),
        ("admission", {"subject": "h-another"}, "none that the trust file names"),
        ("admission", {"origin": f"{BASE}/r-registrar/data"}, "register log"),
        ("admission", {"log": "stranger"}, "another log or key"),
        ("admission", {"body": ADMISSION | {"status": "suspended"}}, "not admitted as a log host"),
        ("admission", {"body": ADMISSION | {"roles": ["enterprise"]}}, "not admitted as a log host"),
        ("admission", {"body": ADMISSION | {"party": "h-another"}}, "not admitted as a log host"),
        ("admission", {"body": ADMISSION | {"key": KEYS["stranger"].public.cose_key()}}, "header.kid"),
    ],
)
def test_refuses_a_statement_of_anybody_else(which, change, match):
    grade, admission = honest()
    part = grade if which == "grade" else admission
    for name, value in change.items():
        setattr(part, name, value)
    with pytest.raises(GradeStatementRefused, match=match):
        checked(grade, admission)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"signer": "stranger"}, "header.kid"),
        ({"log": "stranger"}, "another log or key"),
        ({"origin": f"{BASE}/r-registrar/data"}, "register log"),
        ({"body": ADMISSION}, "another one than the grade's"),
    ],
)
def test_refuses_a_credit_code_that_the_registrar_did_not_give(change, match):
    party = of_party()
    for name, value in change.items():
        setattr(party, name, value)
    with pytest.raises(GradeStatementRefused, match=match):
        check_grade_statement(answer(*honest(), party), trust=trust(), at=AT)


def test_refuses_a_receipt_of_a_log_that_was_closed_after_a_compromise():
    closed = dataclasses.replace(trust(), closed_logs=(ClosedLog(DATA, 1000, bytes(32), None),))
    with pytest.raises(GradeStatementRefused, match="was closed"):
        check_grade_statement(answer(*honest()), trust=closed, at=AT)


def test_refuses_a_grade_by_a_rule_that_the_trust_file_does_not_count():
    file = trust()
    strict = dataclasses.replace(file, limits=dataclasses.replace(file.limits, grade_profiles=()))
    with pytest.raises(GradeStatementRefused, match="not one that the trust file counts"):
        check_grade_statement(answer(*honest()), trust=strict, at=AT)


def test_refuses_a_grade_signed_by_an_algorithm_past_its_last_date():
    file = dataclasses.replace(trust(), algorithms=Algorithms({ED25519: AT - 1}))
    with pytest.raises(GradeStatementRefused, match="not admitted"):
        check_grade_statement(answer(*honest()), trust=file, at=AT)


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"registrar": "stranger"}, "header.kid"),
        ({"host": "h-another"}, "none that the trust file names"),
        ({"prefix": "log.other.example/"}, "outside log.other.example"),
    ],
)
def test_refuses_what_the_readers_trust_file_does_not_name(more, match):
    with pytest.raises(GradeStatementRefused, match=match):
        checked(*honest(), **more)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"input": INPUT + b"\n"}, "input"),
        ({"result": RESULT.to_bytes().replace(b'"mid"', b'"deep"')}, "result"),
        ({"rule": "CARBON-EFFICIENCY@2.0.0"}, "rule"),
        ({"package_digest": b"\x07" * 32}, "package_digest"),
        ({"party": "e-another"}, "party"),
        ({"grade": "deep"}, "grade"),
        ({"as_of": 1}, "as_of"),
        ({"period": {"start": 1, "end": 2}}, "period"),
    ],
)
def test_refuses_a_statement_that_says_something_else_than_the_grade(change, field):
    grade, admission = honest()
    grade.body |= change
    party = of_party()
    party.body["party"] = grade.body["party"]
    found = check_grade_statement(answer(grade, admission, party), trust=trust(), at=AT)
    with pytest.raises(GradeStatementRefused, match=rf"grade.{field}: differs"):
        found.require(INPUT, RESULT)


def test_refuses_a_content_that_was_not_signed():
    other = honest()[0]
    other.body["grade"] = "deep"
    with pytest.raises(GradeStatementRefused, match="not what the statement signed"):
        check_grade_statement(answer(*honest(), content=other.made()["content"]), trust=trust(), at=AT)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"proof": {}}',
        b'{"proof": {"statement": 7}}',
        b"[" * 9000,
        b" " * (1 << 23),
        b"\xff",
    ],
)
def test_refuses_what_is_no_answer(data):
    with pytest.raises(GradeStatementRefused, match="file"):
        check_grade_statement(data, trust=trust(), at=AT)


WHOLE = answer(*honest())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_any_changed_byte_is_refused_or_changes_nothing(at, value):
    data = WHOLE[:at] + bytes([value]) + WHOLE[at + 1 :]
    try:
        found = check_grade_statement(data, trust=trust(), at=AT)
    except GradeStatementRefused:
        return
    assert (found.input, found.result) == (INPUT, RESULT.to_bytes())


def files(tmp_path):
    for name, data in (
        ("input.json", INPUT),
        ("answer.json", WHOLE),
        ("trust.toml", format_trust_file(trust()).encode()),
    ):
        (tmp_path / name).write_bytes(data)
    return [str(tmp_path / name) for name in ("input.json", "answer.json", "trust.toml")]


def test_command_prints_who_signed_the_grade(tmp_path, capsys):
    given_input, statement, trusted = files(tmp_path)
    arguments = ["grade", given_input, "--rule", RULE.name, "--statement", statement, "--trust", trusted]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "low-carbon grade: mid green" in out
    assert f"signed by log host {HOST}, admitted by registrar {REGISTRAR}" in out
    assert f"entry 1 of {DATA}, proved at size 3" in out
    assert f"about {GRADE['party']}, credit code 91350100M000100Y43" in out


def test_command_refuses_a_statement_about_another_input_and_prints_no_grade(tmp_path, capsys):
    given_input, statement, trusted = files(tmp_path)
    changed = json.loads(INPUT)
    changed["emissions"]["value"] = "1"
    (tmp_path / "input.json").write_bytes(one_spelling(changed))
    assert (
        main(["grade", given_input, "--rule", RULE.name, "--statement", statement, "--trust", trusted]) == 2
    )
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "grade.input: differs" in printed.err


@pytest.mark.parametrize("alone", ["--statement", "--trust"])
def test_command_ignores_neither_half(tmp_path, capsys, alone):
    given_input, statement, trusted = files(tmp_path)
    path = statement if alone == "--statement" else trusted
    assert main(["grade", given_input, "--rule", RULE.name, alone, path]) == 2
    assert "is missing" in capsys.readouterr().err
