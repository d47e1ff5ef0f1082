"""The desk's command line: what is refused with what to write instead; evidence from file to statement."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from evidence_makers import SOURCES, START_MS, file_bill, measure, pdf
from sqlalchemy import create_engine, make_url, text

from carbonseal_api.cli import main
from carbonseal_api.deployment import admit_enterprise, found_deployment
from carbonseal_api.desk.filing_lock import FilingUnderWay, filing
from carbonseal_api.desk.service import Desk
from carbonseal_api.evidence.correction_schemas import WithdrawalWish
from carbonseal_api.evidence.withdrawing import withdraw
from carbonseal_api.filing.period_checks import AlreadyFiled
from carbonseal_api.founding import seal
from carbonseal_api.output_folder import make_output_folder
from carbonseal_api.problems import RequestInvalid
from carbonseal_api.settings import load_settings
from carbonseal_attest.contents.readings import Sample, Series, readings_body
from carbonseal_attest.identity.device_statements import enrolment
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_ledger.outcomes import Submission

MARCH_2024 = 1_709_222_400_000  # 2024-02-29T16:00:00Z, midnight of 2024-03-01 in Shanghai
QUARTER = 900_000


@pytest.mark.parametrize("day", ["2026-02-30", "01.02.2026", "20260201", "yesterday"])
def test_rejects_what_is_no_day_and_shows_how_to_write_one(
    day: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["report", "--party", "e-x", "--first", day, "--last", "2026-02-28", "--out", "out"])
    assert ended.value.code == 2
    assert f"argument --first: '{day}' is no day; write one such as 2026-01-31" in capsys.readouterr().err


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("carbonseal 0.")


def test_rejects_output_folder_that_holds_something_else(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")
    make_output_folder(tmp_path, {"report.json"})
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(RequestInvalid, match=r"--out: the folder holds mine\.txt"):
        make_output_folder(tmp_path, {"report.json"})


def test_rejects_output_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestInvalid, match="cannot be used as a folder"):
        make_output_folder(tmp_path / "file", ())


@dataclass
class Deployment:
    """A founded data folder with one enterprise, its plan of 2024 and a day of readings in March 2024."""

    data: Path
    party: str
    readings: str

    def run(self, *arguments: str) -> int:
        return main([arguments[0], "--data", str(self.data), "--party", self.party, *arguments[1:]])


@pytest.fixture(scope="module")
def deployment(database_url: str) -> Iterator[Deployment]:
    # The system's clock rules here, so everything lies in the past.
    data = Path(tempfile.mkdtemp(prefix="cs-desk-"))
    server = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE desk_cli"))
    server.dispose()
    url = make_url(database_url).set(database="desk_cli", drivername="postgresql")
    (data / "carbonseal.toml").write_text(f'database_url = "{url.render_as_string(hide_password=False)}"\n')
    parts = found_deployment(load_settings({}, data_folder=data))
    admitted = admit_enterprise(parts, {"zh": "示范厂", "en": "Example Works"})
    register, origin = admitted.register_origin, admitted.data_origin
    gateway = Ed25519Signer.generate()
    with parts.desks.desk(admitted.party) as desk:
        name = {"zh": "网关", "en": "gateway"}
        body = enrolment(admitted.party, "d-gateway", gateway, name=name, subjects=["m-main"])
        desk.issue(register, "device", body, subject="d-gateway")
        desk.issue(register, "monitoring_plan", plan_body(), subject="i-works1")
    samples = [Sample(MARCH_2024 + step * QUARTER, Decimal(10)) for step in range(4)]
    series = Series.of("active", "interval", "kW.h", samples, width_ms=QUARTER)
    statement, content = seal(
        gateway,
        "readings",
        readings_body([series]),
        party=admitted.party,
        subject="m-main",
        origin=origin,
        stream="readings/m-main",
        issued_at=parts.clock() // 1000,
        interval=(MARCH_2024, MARCH_2024 + 4 * QUARTER),
        is_public=False,
    )
    (outcome,) = parts.host.register(origin, [Submission(statement.raw, content)])
    assert outcome.problem is None
    parts.close()
    yield Deployment(data, admitted.party, statement.digest.hex())
    shutil.rmtree(data, ignore_errors=True)


def plan_body() -> dict[str, Any]:
    names = {"zh": "电", "en": "electricity"}
    return {
        "plan": "p-works1",
        "plan_version": 1,
        "name": names,
        "time_zone": "Asia/Shanghai",
        "effective": {"start": MARCH_2024, "end": None},
        "method": "GBT32150-2015@1.0.0",
        "measurements": [
            {
                "id": "main",
                "device": "m-main",
                "point": "active",
                "quantity": "active_energy",
                "form": "interval",
                "unit": "kW.h",
                "step_ms": QUARTER,
                "name": names,
                "register_modulus": None,
                "capacity_per_hour": None,
                "calibration": {"required": False, "cycle_days": 0},
            }
        ],
        "source_streams": [
            {
                "id": "grid",
                "type": "purchased_electricity",
                "name": names,
                "activity": [{"measurement": "main", "sign": 1}],
                "unit": "kW.h",
                "factors": {},
                "data_sources": SOURCES,
            }
        ],
        "cross_checks": [],
        "quality_profile": "default@1",
    }


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_evidence_goes_from_bill_to_downgrade_and_back_by_command(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bill = tmp_path / "bill-2024-03.pdf"
    bill.write_bytes(pdf("March"))
    title = ("--title", "Electricity bill 2024-03")
    assert deployment.run("document", str(bill), *title) == 0
    document = printed(capsys)
    assert (document["is_new"], document["media_type"]) == (True, "application/pdf")
    assert deployment.run("document", str(bill), *title) == 0
    assert printed(capsys)["statement_digest"] == document["statement_digest"]
    about = ("--stream", "grid", "--period", "2024-03")
    stated = (*about, "--source", "bill", "--value", "0.041", "--unit", "MWh")
    assert deployment.run("declare", *stated, "--document", document["statement_digest"]) == 0
    value = printed(capsys)
    assert (value["quantity"], value["period"]) == ({"value": "0.041", "unit": "MW.h"}, "2024-03")
    moved = (*about, "--from", "meter", "--to", "bill", "--reason", "meter replaced")
    assert deployment.run("downgrade", *moved) == 0
    downgrade = printed(capsys)
    assert (downgrade["from"], downgrade["to"]) == ("meter", "bill")
    why = ("--role", "operator", "--reason", "bill of another site")
    assert deployment.run("withdraw", value["statement_digest"], *why) == 2
    assert "rests on it; withdraw that one first" in capsys.readouterr().err
    for digest in (downgrade["statement_digest"], value["statement_digest"], document["statement_digest"]):
        assert deployment.run("withdraw", digest, *why) == 0
        assert printed(capsys)["statement_digest"] == digest


def test_readings_are_corrected_from_a_csv_file_and_no_second_time(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "corrected.csv"
    rows.write_text("point,at,value\nactive,2024-03-01T00:15:00+08:00,12.5\n")
    given = (deployment.readings, "--file", str(rows), "--reason", "wrong transformer ratio")
    assert deployment.run("correct", *given) == 0
    made = printed(capsys)
    assert (made["changed"], made["meter"], made["role"]) == (1, "m-main", "operator")
    assert deployment.run("correct", *given) == 2
    assert f"correct {made['corrected_digest']} instead" in capsys.readouterr().err
    again = tmp_path / "again.json"
    again.write_text('[{"point": "active", "at": "2024-02-29T16:15:00Z", "value": "12.4"}]')
    given = (made["corrected_digest"], "--file", str(again), "--reason", "ratio read again")
    assert deployment.run("correct", *given) == 0
    assert printed(capsys)["readings_digest"] == made["corrected_digest"]


def test_business_figure_is_stated_by_command(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = ("--record", "value_added", "--period", "2024", "--value", "-12.5", "--unit", "10*4.CNY")
    assert deployment.run("value", *figure, "--source", "annual accounts 2024") == 0
    made = printed(capsys)
    assert (made["quantity"]["value"], made["start"]) == ("-12.5", "2023-12-31T16:00:00Z")


STATED = "--stream grid --period 2024-03 --unit MW.h"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("document missing.pdf --title t", "FILE: 'missing.pdf' is no file;"),
        ("document /dev/zero --title t", "FILE: 'zero' has no known suffix;"),
        ("document virus.exe --title t", "FILE: 'virus.exe' has no known suffix;"),
        (
            f"declare {STATED} --source bill --value 1e3 --document {'00' * 32}",
            "value: '1e3' is not a plain decimal string;",
        ),
        (
            f"declare {STATED} --source bill --value 1 --document xyz",
            "--document: String should match pattern",
        ),
        (
            f"declare {STATED} --source bank --value 1 --document {'00' * 32}",
            "--source: Input should be 'bill', 'ledger' or 'laboratory';",
        ),
        (
            "downgrade --stream grid --period 2024-05 --from meter --to laboratory --reason x",
            "to: the plan lists no laboratory for grid;",
        ),
        (f"withdraw {'00' * 32} --role operator --reason x", "statement_digest: no such statement"),
        (f"correct {'00' * 32} --file none.csv --reason x", "--file: 'none.csv' is no file;"),
    ],
)
def test_refuses_with_one_line_that_names_place_reason_and_remedy(
    deployment: Deployment, arguments: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deployment.run(*arguments.split()) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(line), told.err
    assert told.err.count("\n") == 1


def test_refuses_a_pipe_and_a_file_longer_than_the_limit_before_reading(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = tmp_path / "pipe.pdf"
    os.mkfifo(pipe)
    assert deployment.run("document", str(pipe), "--title", "t") == 2
    assert "is no file" in capsys.readouterr().err
    huge = tmp_path / "huge.pdf"
    with huge.open("wb") as file:
        file.truncate(5 << 30)  # a hole: five gigabytes that take no place
    assert deployment.run("document", str(huge), "--title", "t") == 2
    assert f"FILE: has {5 << 30} bytes; give at most" in capsys.readouterr().err


def test_refuses_an_unknown_party_before_anything_else(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bill = tmp_path / "bill.pdf"
    bill.write_bytes(pdf("x"))
    for party in ("e-nobody", "../../registrar"):
        arguments = ["document", str(bill), "--data", str(deployment.data), "--party", party, "--title", "t"]
        assert main(arguments) == 2
        assert capsys.readouterr().err.startswith("--party: no such party here:")


def test_report_of_a_party_is_filed_by_one_at_a_time_and_again_once_withdrawn(
    database_url: str, tmp_path: Path, open_site: Callable[..., Any]
) -> None:
    with open_site(database_url, "filing_once", tmp_path) as site:
        parts, party = site.parts, site.party
        site.clock.now = START_MS + 86_400_000
        measure(site, "m-electricity1", 0)
        site.clock.now = START_MS + 32 * 86_400_000
        days = date(2026, 1, 1), date(2026, 1, 31)
        tried: list[str] = []

        def meanwhile() -> None:
            with pytest.raises(FilingUnderWay, match="is being filed right now"):
                Desk(parts, party).report(*days, language="en", settle=lambda: None)
            # The desk is free for other acts, and they do not get in the way of the report's PDF.
            tried.append(file_bill(site, f"filed meanwhile {len(tried)}").json()["statement_digest"])
            parts.host.build_epoch()

        first = Desk(parts, party).report(*days, language="en", settle=meanwhile)
        assert len(tried) == 2
        with pytest.raises(AlreadyFiled, match=first.filed.report.digest.hex()):
            Desk(parts, party).report(*days, language="en", settle=parts.host.build_epoch)
        wish = WithdrawalWish(
            statement_digest=first.filed.report.digest.hex(), role="operator", reason="a meter was left out"
        )
        assert withdraw(parts, party, wish).kind == "emissions_report"
        again = Desk(parts, party).report(*days, language="en", settle=parts.host.build_epoch)
        assert again.filed.report.digest != first.filed.report.digest


def test_filing_is_free_again_after_a_failure_and_for_another_party(stated_site: Any) -> None:
    engine, party = stated_site.parts.engine, stated_site.party

    def fail() -> None:
        with filing(engine, party):
            raise RequestInvalid("x", "broke", "mend it")

    with pytest.raises(RequestInvalid):
        fail()
    with (
        filing(engine, party),
        filing(engine, "e-other"),
        pytest.raises(FilingUnderWay),
        filing(engine, party),
    ):
        pass
