"""Requests drawn from the API's description, well and badly formed: no answer is a fault of ours.

Every operation is called with what its schema admits and with what it does not, by callers of every role and
by nobody, on paths that exist and on drawn ones; uploads also with real bytes of which some were changed. No
answer may be a 5xx, each must have a documented status and media type and a JSON answer the documented shape;
every refusal is a problem detail, or what RFC 6749 asks for. The draw is fixed; the long run draws more.

The drawing is Schemathesis's; its own plugin for pytest is not used, since the calls go to a site of ours.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from described import Operation, operations
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from prepared import Prepared, open_prepared
from raw_bodies import RAW
from schemathesis import GenerationMode
from schemathesis.python import asgi
from test_openapi_examples import PATHS

from carbonseal_api.authentication import ROLES
from carbonseal_api.evidence.media_types import TAKEN

DIGEST = re.compile(r"[0-9a-f]{64}")
FEW, MANY = 6, 200  # draws of an operation and mode
ODD = ("\x00", "%00", "%", "'\"", "\n", "0" * 64, "f" * 64, "e-" + "a" * 200, "Ａ", "null", "-1")
OUT_OF_REACH = ("9999-12", "0001-01", "2026-13", "9999-12-31T23:59:59Z", "figure:x/9999-12/total/total")
HOSTILE = st.one_of(
    st.text(st.characters(exclude_characters="/.", exclude_categories=["Cs"]), min_size=1, max_size=80),
    st.sampled_from(ODD + OUT_OF_REACH),
)
# Numbers and days beyond what databases, trees and calendars hold.
HUGE = 10**30
EDGES = {
    "list_entries": [{"start": 0, "end": HUGE}, {"start": HUGE, "end": HUGE + 1}],
    "list_epochs": [{"start": HUGE}, {"start": 1, "end": HUGE}],
    "get_inclusion_proof": [{"index": HUGE}, {"index": 0, "tree_size": HUGE}],
    "get_consistency_proof": [{"old_size": HUGE}, {"old_size": 1, "new_size": HUGE}],
    "get_comparison": [{"period": "9999-12"}, {"period": "0001-01..9999-12"}],
    "get_load_curve": [{"start": "0001-01-01T00:00:00Z", "end": "9999-12-31T00:00:00Z"}],
    "get_activity": [{"from": "9999-12-31T23:59:59Z"}, {"cursor": "9" * 20}, {"subject": "\x00"}],
    "get_grade": [{"as_of": "0001-01-01"}, {"as_of": "9999-12-31"}],
    "list_asset_records": [{"holder": "\x00"}],
    "list_industry_means": [{"industry": "\x00"}],
}
CURSORS = (
    b"[18446744073709551616]",
    b'[18446744073709551616,"a"]',
    b'["\\u0000"]',
    b'["\\ud800"]',
    b'["\\ud800",1]',
)
# Its answers take a second each: a page is set and typefaces are embedded.
SLOW = {"get_report_pdf": 4}


@schemathesis.serializer(
    *("application/cbor-seq", "application/cose", "application/cbor", "application/octet-stream", *TAKEN)
)
def as_bytes(_context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def prepared(
    open_site: Any, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prepared]:
    # Of its own: what is drawn here withdraws accounts and grants, and writes into logs.
    with open_prepared(open_site, database_url, "fuzz", tmp_path_factory.mktemp("fuzz")) as made:
        yield made


@pytest.fixture(scope="module")
def drawn(prepared: Prepared) -> dict[str, Any]:
    """Operations as the drawing sees them, by name."""
    document = prepared.site.client.get("/openapi.json").json()
    # Roles are ours to choose, and the schema's own constants are no secrets.
    config = schemathesis.Config.from_dict({"seed": 1, "generation": {"with-security-parameters": False}})
    loaded = schemathesis.openapi.from_dict(document, config=config)
    return {one.ok().definition.raw["operationId"]: one.ok() for one in loaded.get_all_operations()}


class Fuzz:
    """Calls the site with what is drawn, and keeps what was wrong with the answers."""

    def __init__(self, made: Prepared, mode: GenerationMode, count: int) -> None:
        self.made, self.mode, self.count = made, mode, count
        self.client = asgi.get_client(made.site.client.app)
        self.digests = sorted({one for one in made.facts.values() if DIGEST.fullmatch(one)})
        self.answered: dict[str, set[int]] = {}

    def fault(self, operation: Operation, drawn: Any) -> str | None:
        """What was wrong with some answer of an operation; None when nothing was."""
        count = min(self.count, SLOW.get(operation.name, self.count))
        # Any text is a well-formed part of a path: where nothing else can be badly formed, a hostile path is.
        is_hostile = self.mode is GenerationMode.NEGATIVE and not operation.can_be_badly_formed
        mode = GenerationMode.POSITIVE if is_hostile else self.mode
        on_known, on_drawn = (
            drawn.as_strategy(generation_mode=mode, path_parameters=path)
            for path in (self.known(operation), None)
        )

        @settings(
            max_examples=count,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def ask(data: st.DataObject) -> None:
            is_drawn = data.draw(st.sampled_from([True, False, False])) or (
                is_hostile and operation.name not in RAW
            )
            case = data.draw(on_drawn if is_drawn else on_known)
            if is_hostile and is_drawn:
                names = sorted(case.path_parameters)
                spoilt = data.draw(st.sets(st.sampled_from(names), min_size=1)) if names else set()
                case.path_parameters |= self.known(operation)
                case.path_parameters |= {name: data.draw(HOSTILE) for name in spoilt}
                case.path_parameters = {
                    name: quote(value, safe="/") for name, value in case.path_parameters.items()
                }
            role = data.draw(
                st.sampled_from([*sorted(operation.rule.roles & ROLES.keys()) * 2, *ROLES, None])
            )
            self.ask(operation, case, role, data)

        try:
            ask()
        except BaseExceptionGroup as several:
            return str(several.exceptions[0])
        except Exception as problem:  # noqa: BLE001 - every operation is tried, then all is told
            return f"{type(problem).__name__}: {problem}"
        return None

    def known(self, operation: Operation) -> dict[str, str]:
        facts = self.made.facts | {"digest": self.made.facts["report"]}
        facts |= {name: self.made.facts[fact] for name, fact in PATHS.get(operation.name, {}).items()}
        return {name: value for name, value in facts.items() if f"{{{name}}}" in operation.path}

    def ask(self, operation: Operation, case: Any, role: str | None, data: st.DataObject) -> None:
        if operation.name in RAW and data.draw(st.booleans()):
            real = RAW[operation.name](self.made)
            case.body, case.media_type = data.draw(changed(real.body)), real.media_type
            case.path_parameters |= real.path
            case.query = real.query
        elif isinstance(case.body, dict | list):
            case.body = with_facts(data.draw, case.body, self.digests)
        sent = case.as_transport_kwargs(base_url="http://testserver", headers=self.made.headers(role))
        answer = self.client.request(**sent, allow_redirects=False)
        self.answered.setdefault(operation.name, set()).add(answer.status_code)
        fault = operation.fault_of(answer)
        if fault is None and answer.status_code >= 500:
            fault = f"status {answer.status_code}: {answer.text[:300]}"
        assert fault is None, f"{role}: {case.method} {sent['url']} {sent.get('params')}: {fault}"


def with_facts(draw: Any, value: Any, digests: list[str]) -> Any:
    """The value, some of whose digests are those of things that exist, so that what is asked goes further."""
    if isinstance(value, dict):
        return {name: with_facts(draw, part, digests) for name, part in value.items()}
    if isinstance(value, list):
        return [with_facts(draw, part, digests) for part in value]
    if isinstance(value, str) and DIGEST.fullmatch(value):
        return draw(st.sampled_from([value, *digests]))
    return value


@st.composite
def changed(draw: st.DrawFn, body: bytes) -> bytes:
    """The bytes as they are, cut short, doubled, or with one of them another."""
    at = draw(st.integers(0, len(body) - 1))
    other = body[:at] + draw(st.binary(min_size=1, max_size=1)) + body[at + 1 :]
    return draw(st.sampled_from([body, body[:at], body + body, other, other]))


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda m: m.value)
@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
def test_no_drawn_request_gets_a_server_error_or_an_undocumented_answer(
    prepared: Prepared, drawn: dict[str, Any], mode: GenerationMode, count: int
) -> None:
    fuzz = Fuzz(prepared, mode, count)
    found = {one.name: fuzz.fault(one, drawn[one.name]) for one in operations(prepared.site)}
    faults = {name: fault for name, fault in found.items() if fault is not None}
    assert not faults, "\n\n".join(f"{name}: {fault[:700]}" for name, fault in faults.items())
    assert fuzz.answered.keys() == drawn.keys()
    # What is drawn well is also done, or the drawing says nothing about the routes themselves.
    done = sum(any(status < 300 for status in statuses) for statuses in fuzz.answered.values())
    assert mode is GenerationMode.NEGATIVE or done > len(drawn) // 2


def test_nothing_at_the_edge_of_numbers_days_and_cursors_gets_a_server_error(prepared: Prepared) -> None:
    fuzz, faults = Fuzz(prepared, GenerationMode.NEGATIVE, 1), []
    cursors = [{"cursor": urlsafe_b64encode(key).decode().rstrip("=")} for key in CURSORS]
    for operation in operations(prepared.site):
        known = fuzz.known(operation)
        paths = [
            operation.filled(known | {name: quote(value)}) for name in known for value in ODD + OUT_OF_REACH
        ]
        asked = [(path, {}) for path in paths if operation.method == "GET"]
        asked += [(operation.filled(known), query) for query in EDGES.get(operation.name, ())]
        if operation.method == "GET" and "cursor" in str(operation.told.get("parameters")):
            asked += [(operation.filled(known), query) for query in cursors]
        role = next(iter(sorted(operation.rule.roles & {"operator", "regulator"})), "enterprise")
        for path, query in asked:
            answer = prepared.site.client.request(
                operation.method, path, params=query, headers=prepared.headers(role)
            )
            fault = operation.fault_of(answer)
            if fault or answer.status_code >= 500:
                faults.append(f"{operation.name} {path} {query}: {fault or answer.text}")
    assert not faults, "\n".join(faults)
    assert EDGES.keys() <= drawn_names(prepared)


def drawn_names(made: Prepared) -> set[str]:
    return {one.name for one in operations(made.site)}
