"""The commands of registrar, enterprise and log host about means, grants and grades, on a founded folder."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from neighbours import credit_code, issue_report, issue_value_added
from sqlalchemy import create_engine, make_url, text

from carbonseal_api.civil_days import end_of, parse_as_of, parse_civil_span, start_of
from carbonseal_api.cli import main
from carbonseal_api.demo.cast import Member
from carbonseal_api.deployment import admit_enterprise, found_deployment
from carbonseal_api.founding import PartyFacts
from carbonseal_api.problems import RequestInvalid
from carbonseal_api.settings import load_settings
from carbonseal_attest.signing import Ed25519Signer

YEAR = parse_civil_span("2024", "period")
Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def folder(database_url: str) -> Iterator[tuple[Path, str]]:
    data = Path(tempfile.mkdtemp(prefix="cs-grade-"))
    server = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE grade_commands"))
    server.dispose()
    url = make_url(database_url).set(database="grade_commands", drivername="postgresql")
    (data / "carbonseal.toml").write_text(f'database_url = "{url.render_as_string(hide_password=False)}"\n')
    parts = found_deployment(load_settings({}, data_folder=data))
    made = admit_enterprise(parts, {"zh": "示范厂", "en": "Example Works"})
    code = made.party
    register = f"{parts.settings.log_host_name}/{parts.registrar}/register"
    with parts.desks.desk(parts.registrar) as desk:
        key = parts.desks._signer_of(code).public.cose_key()
        logs = {"register_origin": made.register_origin, "data_origin": made.data_origin}
        body = {"party": code, "status": "admitted", "roles": ["enterprise"], "key": key, **logs}
        named = {
            "name": {"zh": "示范厂", "en": "Example Works"},
            "org": credit_code(1),
            "industry": "C31",
            "endorsements": [],
        }
        desk.issue(register, "party", body | named, subject=code)
        bank_key = Ed25519Signer.generate().public.cose_key()
        bank = {"party": "b-bank", "roles": ["bank"], "key": bank_key, "org": credit_code(2)}
        bank |= {name: origin.replace(code, "b-bank") for name, origin in logs.items()}
        named.pop("industry")
        desk.issue(register, "party", body | named | bank, subject="b-bank")
    with parts.desks.desk(code) as desk:
        facts = PartyFacts(code, named["name"], ("enterprise",))
        member = Member(facts, parts.desks._signer_of(code), made.register_origin, made.data_origin, desk)
        issue_report(member, period=YEAR)
        issue_value_added(member, period=YEAR)
    parts.close()
    yield data, code
    shutil.rmtree(data, ignore_errors=True)


@pytest.fixture
def run(folder: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> Run:
    def command(name: str, *arguments: str, refused: bool = False) -> dict[str, Any]:
        code = main([name, "--data", str(folder[0]), *arguments])
        printed = capsys.readouterr()
        assert code == (2 if refused else 0), printed.err
        assert printed.err.count("\n") == int(refused)
        return {"refusal": printed.err} if refused else json.loads(printed.out)

    return command


def test_grades_grants_and_withdraws_from_the_command_line(run: Run, folder: tuple[Path, str]) -> None:
    party = ("--party", folder[1])
    assert run("publish")["published"] == 0  # founding has published the grade rule with the rest
    early = run("grade", *party)
    assert (early["is_new"], early["grade"]) == (True, "not_gradable")
    missing = [reason for reason in early["reasons"] if reason["code"] == "missing-input"]
    assert any("industry" in reason["en"] and reason["zh"] for reason in missing), missing
    mean = run(
        "industry-mean", "--industry", "C31", "--period", "2024", "--value", "2.5", "--source", "office"
    )
    assert mean["industry"] == "C31"
    grade = run("grade", *party)
    assert (grade["is_new"], [one["code"] for one in grade["reasons"]]) == (True, ["not-verified"])
    assert (grade["label"]["zh"], grade["pcaf_score"]) == ("低碳等级：不可评定", 2)
    assert grade["period"] == {"start": "2023-12-31T16:00:00Z", "end": "2024-12-31T16:00:00Z"}
    assert run("grade", *party)["is_new"] is False

    wish = ("--purpose", "loan", "--level", "grade", "--period", "2024", "--until", "2099-12-31")
    given = run("grant", *party, "--to", credit_code(2), *wish)
    assert given["to"] == "b-bank"
    gone = run("grant-withdraw", *party, given["statement"], "--reason", "repaid")
    assert gone["withdrawn"] == given["statement"]
    assert run("grant-withdraw", *party, given["statement"]) == gone


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("grade", "--party", "e-nobody"), "has filed no emissions report"),
        (("grade", "--party", "e-nobody", "--rule", "MILD@1.0.0"), "no grade rule"),
        (("grant-withdraw", "--party", "OWN", "00"), "is not a SHA-256 digest"),
        (("grant-withdraw", "--party", "OWN", "0" * 64), "no such grant"),
        (("grant", "--party", "OWN", "--to", "b-nobody"), "is no admitted bank"),
        (("grant", "--party", "OWN", "--to", "b-bank", "--until", "2020-12-31"), "lies in the past"),
        (("grant", "--party", "OWN", "--to", "b-bank", "--period", "2026-13"), "is no period"),
        (("grant", "--party", "OWN", "--to", "b-bank", "--level", "all"), "not one of grade"),
        (("industry-mean", "--value", "0"), "not above zero"),
        (("industry-mean", "--industry", "steel"), "is no industry"),
    ],
)
def test_refuses_in_one_line_what_cannot_be_done(
    run: Run, folder: tuple[Path, str], arguments: tuple[str, ...], words: str
) -> None:
    defaults = {
        "grant": {"--purpose": "loan", "--level": "grade", "--period": "2024", "--until": "2099-12-31"},
        "industry-mean": {"--industry": "C31", "--period": "2024", "--value": "1", "--source": "office"},
    }.get(arguments[0], {})
    more = [text for item in defaults.items() if item[0] not in arguments for text in item]
    given = [folder[1] if text == "OWN" else text for text in arguments]
    assert words in run(*given, *more, refused=True)["refusal"]


# -- civil days --


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026", date(2026, 1, 1), date(2026, 12, 31)),
        ("2026-12", date(2026, 12, 1), date(2026, 12, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2026-03-01..2026-03-01", date(2026, 3, 1), date(2026, 3, 1)),
        ("2026-01..2026-03", date(2026, 1, 1), date(2026, 3, 31)),
        ("2025..2026-02-03", date(2025, 1, 1), date(2026, 2, 3)),
        ("2026-03-01", date(2026, 3, 1), date(2026, 3, 1)),
    ],
)
def test_a_span_holds_its_first_and_its_last_day_whole(text: str, first: date, last: date) -> None:
    assert parse_civil_span(text, "period") == (start_of(first), end_of(last))


@pytest.mark.parametrize(
    "text",
    ["", "26", "2026-00", "2026-13", "1969", "9999", "2026-02-30..2026-03-01", "2026-03-02..2026-03-01"],
)
def test_refuses_what_is_no_span(text: str) -> None:
    with pytest.raises(RequestInvalid, match="period"):
        parse_civil_span(text, "period")


def test_a_day_means_its_last_millisecond_and_today_means_now() -> None:
    day = date(2026, 3, 1)
    noon = start_of(day) + 43_200_000
    assert parse_as_of("2026-02-28", noon) == start_of(day) - 1
    assert parse_as_of("2026-03-01", noon) == noon
    assert parse_as_of("2026-03-01", end_of(day) - 1) == end_of(day) - 1
    assert parse_as_of(None, noon) == noon
    with pytest.raises(RequestInvalid, match="lies ahead"):
        parse_as_of("2026-03-01", start_of(day) - 1)
