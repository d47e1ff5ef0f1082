"""docs/spec/problems.md against the classes: every code that the service answers with, status and meaning."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import carbonseal_api
from carbonseal_api.documented import MEANING
from carbonseal_api.grants.refusals import GrantWithdrawn
from carbonseal_api.issuing import StatementRefused
from carbonseal_api.problems import STATUS_BY_CODE, problem_body
from carbonseal_attest.errors import CarbonsealError
from carbonseal_ledger.outcomes import Outcome, Problem, Status

# Refusals of pages, commands and start-up: no documented route gives them.
UNDOCUMENTED = {405, 429, 500}
# What is raised that is no refusal: module and class, with what becomes of it.
FOREIGN = {
    "accounts.schemas: ValueError": "pydantic turns it into request-invalid",
    "assets.chain: KeyError": "a mapping says so that it lacks a key",
    "evidence.civil_periods: ValueError": "caught where the period is read",
    "evidence.corrected_rows: ValueError": "caught where the row is read",
    "guard: TypeError": "at start-up, for whoever adds a route",
    "settings: ValueError": "pydantic turns it into settings-invalid",
}
# Rooms of the room that answer nobody over HTTP.
APART = re.compile(r"\.(demo|migrations)(\.|$)|cli$")


@pytest.fixture(scope="module")
def tables(repository_root: Path) -> ModuleType:
    found = importlib.util.spec_from_file_location(
        "problem_table", repository_root / "infra" / "develop" / "problem_table.py"
    )
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_page_says_what_the_classes_say(tables: ModuleType) -> None:
    text = tables.PAGE.read_text(encoding="utf-8")
    assert tables.page(text) == text, "run .venv/bin/python infra/develop/problem_table.py"


def test_no_code_of_the_service_stands_for_two_things(tables: ModuleType) -> None:
    classes = defaultdict(list)
    for one in tables.of_the_service():
        classes[one.code].append(one.__name__)
    assert {code: names for code, names in classes.items() if len(names) > 1} == {}


def test_no_code_has_two_statuses(tables: ModuleType) -> None:
    statuses = defaultdict(set)
    for one in (*tables.of_the_service(), *tables.of_the_rooms()):
        statuses[one.code].add(tables.status(one))
    assert {code: found for code, found in statuses.items() if len(found) > 1} == {}


def test_every_code_is_spelt_alike_and_explained(tables: ModuleType) -> None:
    for one in (*tables.of_the_service(), *tables.of_the_rooms()):
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", one.code), one
        assert len(one.code) <= 40, one
        meaning = tables.meaning(one)
        assert 15 < len(meaning) < 140, one
        assert meaning.endswith("."), one
        assert "|" not in meaning, one


def test_every_status_given_to_a_code_of_another_room_is_of_a_code_that_exists(tables: ModuleType) -> None:
    codes = {one.code for one in tables.of_the_rooms()}
    assert STATUS_BY_CODE.keys() - codes == set()


def test_every_status_is_one_that_the_description_explains(tables: ModuleType) -> None:
    found = {tables.status(one) for one in (*tables.of_the_service(), *tables.of_the_rooms())}
    assert found == set(MEANING) | UNDOCUMENTED


def test_the_example_is_what_the_service_answers(tables: ModuleType) -> None:
    block = re.search(r"```json\n(.*?)```", tables.PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    shown = json.loads(block[1])
    refusal = GrantWithdrawn(shown["field"], shown["reason"], shown["remedy"])
    assert problem_body(refusal, shown["instance"]) == shown


def test_everything_raised_in_the_service_is_a_refusal_with_a_code(tables: ModuleType) -> None:
    assert tables.refusals()  # has imported every module
    assert set(raised()) == set(FOREIGN)


def raised() -> Iterator[str]:
    """Each class that some module of the service raises and that is none of ours."""
    prefix = carbonseal_api.__name__ + "."
    for name, module in sorted(sys.modules.items()):
        if not name.startswith(prefix) or APART.search(name):
            continue
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Raise) and node.exc is not None:
                named = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                scope = {**vars(sys.modules["builtins"]), **vars(module)}
                found = scope.get(named.id) if isinstance(named, ast.Name) else None
                if inspect.isfunction(found):  # a builder of refusals says what it returns
                    found = scope.get(str(found.__annotations__["return"]))
                if inspect.isclass(found) and not issubclass(found, CarbonsealError):
                    yield f"{name.removeprefix(prefix)}: {found.__name__}"


@pytest.mark.parametrize(
    ("code", "status"), [("sequence-gap", 409), ("role-missing", 403), ("interval-invalid", 422)]
)
def test_what_a_log_refused_keeps_the_logs_own_code(code: str, status: int) -> None:
    problem = Problem(code, "statement", "is refused", "mend it")
    refusal = StatementRefused(Outcome(status=Status.REFUSED, problem=problem))
    body = problem_body(refusal, "/x")
    assert (body["code"], body["status"], body["type"]) == (code, status, f"urn:carbonseal:problem:{code}")


def test_unknown_routes_and_methods_are_refused_as_everything_else(site: Any) -> None:
    for method, path, code in (
        ("GET", "/nowhere", "not-found"),
        ("DELETE", "/health", "method-not-allowed"),
        ("POST", "/organisations", "method-not-allowed"),
        ("GET", "/organisations/", "not-found"),
    ):
        answer = site.client.request(method, path)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == code
        assert answer.json()["status"] == answer.status_code
        assert answer.json()["instance"] == path


def test_method_that_is_not_offered_is_told_which_are(site: Any) -> None:
    for path, methods in (
        ("/health", "GET"),
        (f"/organisations/{site.party}/documents", "GET, POST"),
        (f"/organisations/{site.party}/documents/{'0' * 64}", "GET, PUT"),
    ):
        answer = site.client.patch(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)
