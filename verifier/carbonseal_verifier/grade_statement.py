"""The statement behind a grade: checked offline, from the grade's bytes to a registrar that is trusted.

The file is JSON whose `proof` holds, in base64, the log host's `grade` statement with its content and
receipt, and likewise the registrar's `party` statements about the log host and about the party that is
graded; the answer of `GET /grades` is such a file. What is checked: a registrar of the trust file admitted
the log host that the trust file names, and gave the graded party its credit code; the log host signed the
grade; all three are entries of their logs under the log key; the content holds the very input and result.
Left out: that nothing was withdrawn or graded anew since the receipts were made; the check of a bundle, or
the service, says that.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest.contents import Content, check_content
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.receipt import Receipt
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.trust import TrustedLogHost, TrustFile
from carbonseal_verifier.errors import GradeStatementRefused
from carbonseal_verifier.grade import Grade

MAX_FILE: Final = 1 << 22  # bytes
_PARTS: Final = ("statement", "content", "receipt")
_ADMITTED: Final = ("log_host", "party")
_REMEDY: Final = "ask the log host for the grade again, and for the trust file its publisher"


@dataclass(frozen=True, slots=True)
class Proved:
    """A statement that its signer signed and its log holds: entry `index` of the tree of `tree_size`."""

    statement: SignedStatement
    content: Content
    index: int
    tree_size: int


@dataclass(frozen=True, slots=True)
class GradeStatement:
    """A grade statement that was checked: the input and result that the log host signed."""

    proved: Proved
    log_host: str
    registrar: str
    credit_code: str | None  # of the graded party, by the registrar's statement
    input: bytes
    result: bytes

    def require(self, given: bytes, result: Grade) -> None:
        """Check that the statement carries exactly this input and this result.

        Raises:
            GradeStatementRefused: It carries others.
        """
        body = self.proved.content.body
        for field, held, found in (
            ("input", self.input, given),
            ("result", self.result, result.to_bytes()),
            ("rule", body["rule"], result.rule.name),
            ("package_digest", body["package_digest"], result.rule.digest),
            ("party", body["party"], result.given.party),
            ("grade", body["grade"], result.grade),
            ("as_of", body["as_of"], result.given.as_of),
            ("period", (body["period"]["start"], body["period"]["end"]), result.given.period),
        ):
            if held != found:
                raise _refusal(f"grade.{field}", "differs from what was re-performed")


def check_grade_statement(data: bytes, *, trust: TrustFile, at: int) -> GradeStatement:
    """Return the grade statement of a file, checked.

    `at` is the instant of the check (ms): no anchor is shown, so algorithms are judged by it.

    Raises:
        GradeStatementRefused: Malformed, not signed by a log host that a trusted registrar admitted, not in
            the log, or its content is not what was signed.
    """
    try:
        return _check(_read(data), trust, trust.algorithms.at(at))
    except GradeStatementRefused:
        raise
    except CarbonsealError as error:
        raise _refusal(error.field, error.reason) from error


def _check(
    proof: Mapping[str, Mapping[str, bytes]], trust: TrustFile, admitted: frozenset[int]
) -> GradeStatement:
    admission = SignedStatement.parse(proof["log_host"]["statement"])
    registrar = next((r for r in trust.registrars if r.party == admission.header.issuer), None)
    if registrar is None:
        raise _refusal("log_host", "is admitted by no registrar that the trust file names")
    host = next((h for h in trust.log_hosts if h.party == admission.header.subject), None)
    if host is None:
        raise _refusal("log_host", "is none that the trust file names")
    host_entry = _proved("log_host", proof["log_host"], "party", registrar.key, host, admitted)
    body = host_entry.content.body
    if admission.header.origin != registrar.register_origin:
        raise _refusal("log_host.origin", "is not the registrar's register log")
    if body["party"] != host.party or body["status"] != "admitted" or "log_host" not in body["roles"]:
        raise _refusal("log_host", "is not admitted as a log host")
    key = PublicKey.from_cose_key(body["key"])
    proved = _proved("grade", proof["grade"], "grade", key, host, admitted)
    if proved.statement.header.issuer != host.party or proved.statement.header.origin != body["data_origin"]:
        raise _refusal("grade", "is not in the log host's own data log")
    grade = proved.content.body
    if grade["rule"] not in trust.limits.grade_profiles:
        raise _refusal("grade.rule", f"{grade['rule']} is not one that the trust file counts")
    graded = _proved("party", proof["party"], "party", registrar.key, host, admitted)
    if graded.statement.header.origin != registrar.register_origin:
        raise _refusal("party.origin", "is not the registrar's register log")
    if graded.content.body["party"] != grade["party"]:
        raise _refusal("party", "is another one than the grade's")
    for one in (host_entry, proved, graded):
        trust.require_open(one.statement.header.origin)
    code = graded.content.body["org"]
    return GradeStatement(proved, host.party, registrar.party, code, grade["input"], grade["result"])


def _proved(
    field: str,
    part: Mapping[str, bytes],
    kind: str,
    key: PublicKey,
    host: TrustedLogHost,
    admitted: frozenset[int],
) -> Proved:
    statement = SignedStatement.parse(part["statement"])
    statement.verify_signature(key, admitted=admitted)
    content = check_content(statement, part["content"])
    if content.kind != kind:
        raise _refusal(field, f"is a {content.kind} statement, not a {kind}")
    receipt = Receipt.parse(part["receipt"])
    origin = statement.header.origin
    log_key = host.key_for(origin, receipt.tree_size)
    receipt.verify(statement.raw, origin=origin, key=log_key, admitted=admitted)
    return Proved(statement, content, receipt.index, receipt.tree_size)


def _read(data: bytes) -> dict[str, dict[str, bytes]]:
    if len(data) > MAX_FILE:
        raise _refusal("file", f"over {MAX_FILE} bytes")
    try:
        value = json.loads(data.decode())
        proof = value["proof"]
        return {
            "grade": {name: _bytes(proof[name]) for name in _PARTS},
            **{whom: {name: _bytes(proof[whom][name]) for name in _PARTS} for whom in _ADMITTED},
        }
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _refusal("file", "not JSON with a grade's proof") from error


def _bytes(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise _refusal("file", "holds what is not base64") from error


def _refusal(field: str, reason: str) -> GradeStatementRefused:
    return GradeStatementRefused(field, reason, _REMEDY)
