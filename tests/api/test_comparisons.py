"""Declared beside metered: what each source gives, which counts and why; corrections in the same figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from evidence_makers import FEBRUARY_MS, MARCH_MS, METERED_KWH, file_bill, get, make_stated_site, post
from neighbours import admit, key_headers

from carbonseal_api.desk.service import Desk, settle_epoch
from carbonseal_api.inventories.service import report_inventory
from carbonseal_attest.contents import parse_content
from carbonseal_attest.statement import SignedStatement

JANUARY = {"period": "2026-01"}


@pytest.fixture(scope="module")
def compared(
    database_url: str, tmp_path_factory: pytest.TempPathFactory, open_site: Callable[..., Any]
) -> Iterator[Any]:
    with open_site(database_url, "compared", tmp_path_factory.mktemp("compared")) as site:
        yield make_stated_site(site)


def declare(site: Any, source: str, value: str, period: str = "2026-01") -> dict[str, Any]:
    bill = file_bill(site, f"bill {source} {value} {period}").json()["statement_digest"]
    wish = {"period": period, "stream": "grid", "source": source, "value": value, "unit": "MW.h"}
    made = post(site, "declared-activity", wish | {"document": bill})
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def withdraw(site: Any, digest: str) -> None:
    made = post(site, "withdrawals", {"statement_digest": digest, "role": "operator", "reason": "test"})
    assert made.status_code == 201, made.text


def grid(site: Any) -> dict[str, Any]:
    (row,) = get(site, "comparisons", **JANUARY).json()["months"]
    assert row["stream"] == "grid"
    found: dict[str, Any] = row
    return found


def total(site: Any) -> Decimal:
    answer = get(site, "inventories/2026-01").json()
    return Decimal(answer["inventory"]["by_stream"]["grid"]["activity"]["value"])


@pytest.mark.parametrize(
    ("period", "code"),
    [
        ("2026-13", "months-not-whole"),
        ("2026-01-10", "months-not-whole"),
        ("2026..2028", "request-invalid"),
        ("", "months-not-whole"),
        ("2020", "plan-refused"),
    ],
)
def test_refuses_periods_that_cannot_be_compared(compared: Any, period: str, code: str) -> None:
    answer = get(compared, "comparisons", period=period)
    assert 400 <= answer.status_code < 500
    assert answer.json()["code"] == code


def test_meter_counts_first_and_other_sources_stand_empty_beside_it(compared: Any) -> None:
    row = grid(compared)
    assert (row["counts"], row["amount"], row["unit"]) == ("meter", str(METERED_KWH), "kWh")
    assert row["why"]["en"] == "the first data source in the plan's order"
    assert [one["data_source"] for one in row["values"]] == ["meter", "bill", "ledger"]
    assert [one["value"] for one in row["values"]] == [str(METERED_KWH), None, None]
    assert row["tolerance_percent"] == "5"


def test_declared_value_is_compared_with_the_metered_one_and_a_downgrade_lets_it_count(compared: Any) -> None:
    bill = declare(compared, "bill", "4")
    ledger = declare(compared, "ledger", "5")
    values = {one["data_source"]: one for one in grid(compared)["values"]}
    assert (values["bill"]["value"], values["bill"]["difference"]) == ("4000", "160")
    assert Decimal(values["bill"]["difference_percent"]).quantize(Decimal("0.1")) == Decimal("4.2")
    assert values["bill"]["is_within_tolerance"] is True
    assert values["ledger"]["is_within_tolerance"] is False
    assert values["bill"]["statement_digest"] == bill["statement_digest"]
    assert values["bill"]["document_digest"] == bill["document_digest"]
    assert total(compared) == METERED_KWH, "comparing moves nothing"
    wish = {"period": "2026-01", "stream": "grid", "from": "meter", "to": "bill", "reason": "meter replaced"}
    made = post(compared, "downgrades", wish).json()
    row = grid(compared)
    assert (row["counts"], row["amount"]) == ("bill", "4000")
    assert row["why"]["en"] == "downgraded from meter to bill: meter replaced"
    assert row["downgrades"] == [
        {
            "from": "meter",
            "to": "bill",
            "reason": "meter replaced",
            "statement_digest": made["statement_digest"],
        }
    ]
    assert total(compared) == 4000
    inventory = get(compared, "inventories/2026-01").json()
    assert inventory["comparisons"] == [row]
    withdraw(compared, made["statement_digest"])
    assert (grid(compared)["counts"], total(compared)) == ("meter", METERED_KWH)
    for one in (bill, ledger):
        withdraw(compared, one["statement_digest"])
    assert grid(compared)["values"][1]["value"] is None


def test_value_over_several_months_is_compared_over_all_of_them_and_splits_none(compared: Any) -> None:
    made = declare(compared, "bill", "8", period="2026-01..2026-02")
    answer = get(compared, "comparisons", period="2026-01..2026-02").json()
    assert [row["month"] for row in answer["months"]] == ["2026-01", "2026-02"]
    assert [row["values"][1]["value"] for row in answer["months"]] == [None, None]
    (declared,) = answer["declared"]
    assert declared["statement_digest"] == made["statement_digest"]
    assert declared["declared"] == {"value": "8", "unit": "MWh"}
    assert declared["metered"] == {"value": str(METERED_KWH), "unit": "kWh"}
    assert (declared["start"], declared["problem"]) == ("2025-12-31T16:00:00Z", None)
    assert get(compared, "comparisons", **JANUARY).json()["declared"][0]["problem"] == "interval"
    withdraw(compared, made["statement_digest"])


def test_correction_moves_the_month_and_not_the_report_filed_before_it(compared: Any) -> None:
    parts, party = compared.parts, compared.party
    closed = Desk(parts, party).report(
        date(2026, 1, 1), date(2026, 1, 31), language="en", settle=parts.host.build_epoch
    )
    filed = closed.filed.report.digest
    before = get(compared, "inventories/2026-01").json()["inventory"]["total"]["value"]
    assert before == closed.filed.recomputed.inventory.to_json()["total"]["value"]
    wish = {
        "readings_digest": compared.readings["m-electricity1", 0].hex(),
        "reason": "decimal point set wrong",
        "readings": [{"point": "active", "at": "2025-12-31T16:15:00Z", "value": "110"}],
    }
    made = post(compared, "corrections", wish)
    assert made.status_code == 201, made.text
    assert total(compared) == METERED_KWH + 100
    assert grid(compared)["amount"] == str(METERED_KWH + 100)
    month = get(compared, "inventories/2026-01").json()["inventory"]
    assert Decimal(month["shares"]["corrected"]) > 0
    assert report_inventory(parts, party, filed).inventory["total"]["value"] == before
    assert month["total"]["value"] != before
    settle_epoch(parts)
    impacts = parts.host.select(compared.cast.log_host.data_origin, kinds={"impact"})
    assert impacts, "an epoch of the desk closed without marking what rests on the corrected readings"


def test_others_see_a_comparison_under_a_grant_of_its_whole_period_alone(compared: Any) -> None:
    body = admit(compared, "verification_body")
    headers = key_headers(compared, body, "verification_body")

    def read(period: str) -> Any:
        address = f"/organisations/{compared.party}/comparisons"
        return compared.client.get(address, params={"period": period}, headers=headers)

    assert read("2026-02").json()["code"] == "grant-missing"
    span = {"start": FEBRUARY_MS, "end": MARCH_MS}
    grant = {"grant": "gr-comparison", "to": body.facts.code, "purpose": "verification", "level": "evidence"}
    with compared.parts.desks.desk(compared.party) as desk:
        valid = {"start": FEBRUARY_MS, "end": MARCH_MS * 2}
        register = compared.cast.enterprise.register_origin
        desk.issue(register, "grant", grant | {"period": span, "valid": valid})
    assert read("2026-02").status_code == 200
    assert read("2026-01").status_code == 404
    assert read("2026-01..2026-02").status_code == 404


def file_plan(site: Any, **changes: Any) -> bytes:
    """File a plan like the site's with some members changed."""
    register = site.cast.enterprise.register_origin
    entry = site.host.find(register, site.plan_two)
    body = parse_content(site.host.contents.get(SignedStatement.parse(entry.raw).payload)).body
    with site.parts.desks.desk(site.party) as desk:
        return bytes(desk.issue(register, "monitoring_plan", body | changes, subject="i-works1").digest)


def test_values_are_stated_anew_under_a_newer_plan_and_under_the_plan_that_is_meant(compared: Any) -> None:
    first = declare(compared, "bill", "4")
    bill = {"period": "2026-01", "stream": "grid", "source": "bill", "value": "4", "unit": "MW.h"}
    wish = bill | {"document": first["document_digest"]}
    assert post(compared, "declared-activity", wish).json()["statement_digest"] == first["statement_digest"]
    newer = file_plan(compared, plan_version=3)
    moved = {"period": "2026-01", "stream": "grid", "from": "meter", "to": "bill", "reason": "meter replaced"}
    assert post(compared, "downgrades", moved).json()["code"] == "downgrade-idle", "of the older plan"
    again = post(compared, "declared-activity", wish)
    assert (again.status_code, again.json()["plan_digest"]) == (201, newer.hex())
    assert post(compared, "downgrades", moved).status_code == 201
    file_plan(compared, plan="p-works2", plan_version=1)
    unclear = post(compared, "declared-activity", wish).json()
    assert (unclear["code"], unclear["field"]) == ("plan-missing", "plan")
    assert "p-works1, p-works2" in unclear["reason"]
    meant = post(compared, "declared-activity", wish | {"plan": "p-works2"})
    assert meant.status_code == 201
    assert meant.json()["plan_digest"] not in {newer.hex(), first["plan_digest"]}
