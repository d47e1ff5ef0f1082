# ruff: noqa: INP001, T201 - one file that a bank copies; it prints
r"""A bank's client: ask for an enterprise's low-carbon grade, and believe nothing that is not proved.

    CARBONSEAL_CLIENT_ID=c-... CARBONSEAL_CLIENT_SECRET=... \
    python bank_client.py https://service.example 91990000000000100T --trust trust.toml [--as-of 2027-03-01]

The trust file comes from the registrar, never from the service. Exit codes: 0 graded, 1 not gradable, 3 no
grant lets the bank see it, 2 anything else; then nothing that was printed counts. Needs Python's standard
library, carbonseal-attest and carbonseal-verifier.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.receipt import Receipt
from carbonseal_attest.trust import TrustFile
from carbonseal_verifier.grade import Grade, grade_input
from carbonseal_verifier.grade_input import GradeInput
from carbonseal_verifier.grade_package import find_grade_rule
from carbonseal_verifier.grade_statement import check_grade_statement

RULE = "CARBON-EFFICIENCY@1.0.0"  # the rule that the bank lends by; any other is refused
SECONDS = 30
ADVICE = {
    "grant-missing": "ask the enterprise for a grant: purpose loan, level grade, the period you need",
    "grant-withdrawn": "the enterprise has withdrawn its grant: do not use an earlier answer for new loans",
    "grant-expired": "the grant is over: ask the enterprise to renew it",
}


class Refused(Exception):
    """The service refused: a stable code and what to do."""

    def __init__(self, code: str, remedy: str) -> None:
        super().__init__(f"{code}: {ADVICE.get(code, remedy)}")
        self.code = code


def call(request: urllib.request.Request) -> bytes:
    """Return the body of an answer; a problem (RFC 9457) or OAuth2 error is raised as `Refused`."""
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - see `main`
            return bytes(answer.read())
    except urllib.error.HTTPError as refusal:
        problem = json.loads(refusal.read())
        code = problem.get("code") or problem.get("error", str(refusal.code))
        raise Refused(code, problem.get("remedy") or problem.get("error_description", "")) from refusal


def access_token(service: str, client_id: str, secret: str) -> str:
    """Sign in by OAuth2 client credentials; the token is good for a quarter of an hour."""
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": "bank"}).encode()
    known = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    headers = {"Authorization": f"Basic {known}", "Content-Type": "application/x-www-form-urlencoded"}
    request = urllib.request.Request(f"{service}/oauth2/token", form, headers)  # noqa: S310
    return str(json.loads(call(request))["access_token"])


def ask(service: str, token: str, credit_code: str, as_of: str | None) -> bytes:
    """Return the service's answer about a credit code; as of a civil day, an instant, or now."""
    query = urllib.parse.urlencode({"rule": RULE} | ({} if as_of is None else {"as_of": as_of}))
    url = f"{service}/grades/{urllib.parse.quote(credit_code, safe='')}?{query}"
    return call(urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"}))  # noqa: S310


def prove(answer: bytes, trust: TrustFile, credit_code: str) -> tuple[Grade, Receipt]:
    """Check the answer offline and return the grade as this machine computes it, with its receipt.

    The answer's own words are not read: signatures, receipts and the credit code are checked against the
    trust file, the signed input is graded again, and the bytes must be those that the log host signed.
    """
    at = time.time_ns() // 1_000_000
    signed = check_grade_statement(answer, trust=trust, at=at)
    rule = find_grade_rule(RULE)
    grade = grade_input(rule, GradeInput.parse(signed.input, rule))
    signed.require(signed.input, grade)
    if signed.credit_code != credit_code:
        raise Refused("another-organisation", f"the grade is about {signed.credit_code}")
    statement = signed.proved.statement
    receipt = Receipt.parse(base64.b64decode(json.loads(answer)["proof"]["receipt"]))
    host = next(host for host in trust.log_hosts if host.party == signed.log_host)
    origin = statement.header.origin
    receipt.verify(statement.raw, origin=origin, key=host.key_for(origin, receipt.tree_size))
    return grade, receipt


def main(arguments: list[str] | None = None) -> int:
    """Ask, prove, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("service")
    parser.add_argument("credit_code")
    parser.add_argument("--trust", type=Path, required=True)
    parser.add_argument("--as-of")
    asked = parser.parse_args(arguments)
    address = urllib.parse.urlsplit(asked.service)
    if address.scheme != "https" and address.hostname not in {"127.0.0.1", "localhost"}:
        parser.error("the client's secret goes over https only")
    try:
        trust = TrustFile.parse(asked.trust.read_bytes())
        client = os.environ["CARBONSEAL_CLIENT_ID"], os.environ["CARBONSEAL_CLIENT_SECRET"]
        service = asked.service.rstrip("/")
        answer = ask(service, access_token(service, *client), asked.credit_code, asked.as_of)
        grade, receipt = prove(answer, trust, asked.credit_code)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 3 if refusal.code in ADVICE else 2
    except (CarbonsealError, OSError, KeyError, ValueError) as problem:
        print(f"not proved: {problem!r:.300}", file=sys.stderr)
        return 2
    print(f"{grade.label['zh']} / {grade.label['en']}, PCAF score {grade.pcaf_score}")
    for reason in grade.reasons:
        print(f"  {reason.code}: {reason.text['en']}" + (f" -> {reason.cure['en']}" if reason.cure else ""))
    print(f"  proved: entry {receipt.index} of {receipt.origin} at size {receipt.tree_size}")
    return 0 if grade.is_gradable else 1


if __name__ == "__main__":
    sys.exit(main())
