"""The service as a whole: API keys, documents, projections that can be dropped, OpenAPI."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from carbonseal_api.inventories.service import month_inventory
from carbonseal_api.permissions import shipped_table
from carbonseal_api.projections.tables import METADATA
from carbonseal_api.reports import service as reports
from carbonseal_api.reports.bundle_files import bundle_file, pieces
from carbonseal_api.reports.report_json import canonical_json
from carbonseal_attest.bundle_reading import read_bundle
from carbonseal_ledger.log_host import LogHost


def routes(site: Any) -> list[tuple[str, str, dict[str, Any]]]:
    paths = site.client.get("/openapi.json").json()["paths"]
    return [(method, path, route) for path, methods in paths.items() for method, route in methods.items()]


def test_openapi_documents_every_error_as_problem_details(site: Any) -> None:
    document = site.client.get("/openapi.json").json()
    assert "ProblemDetails" in document["components"]["schemas"]
    for method, path, route in routes(site):
        assert route["summary"], (method, path)
        rule = shipped_table().rule(method.upper(), path)
        assert rule is not None
        if not rule.is_public:
            assert "401" in route["responses"], (method, path)
        for status, answer in route["responses"].items():
            if int(status) >= 400 and path != "/oauth2/token":  # RFC 6749 has errors of its own
                assert list(answer["content"]) == ["application/problem+json"], (method, path, status)


def test_rejects_request_body_of_another_shape_and_names_the_place(site: Any) -> None:
    address = f"/organisations/{site.party}/api-keys"
    for body, place in (
        ({"roles": [], "label": "x"}, "body.roles"),
        ({"roles": ["reader"]}, "body.label"),
        ({"roles": ["reader"], "label": "x", "more": 1}, "body.more"),
    ):
        answer = site.client.post(address, json=body, headers=site.headers())
        assert (answer.status_code, answer.json()["field"]) == (422, place)


def test_key_is_made_used_and_withdrawn(site: Any) -> None:
    address = f"/organisations/{site.party}/api-keys"
    made = site.client.post(
        address, json={"roles": ["reader"], "label": "bank"}, headers=site.headers()
    ).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert site.client.get(f"/organisations/{site.party}/devices", headers=headers).status_code == 200
    assert site.client.get(address, headers=headers).status_code == 403
    key_id = made["key"].split("_")[1]
    assert site.client.delete(f"{address}/{key_id}", headers=site.headers()).status_code == 204
    assert site.client.get(f"/organisations/{site.party}/devices", headers=headers).status_code == 401
    assert site.client.delete(f"{address}/{key_id}", headers=site.headers()).status_code == 404


def test_rejects_unknown_role_and_operator_role_from_an_enterprise(site: Any) -> None:
    address = f"/organisations/{site.party}/api-keys"
    for role, status in (("king", 422), ("operator", 403)):
        answer = site.client.post(address, json={"roles": [role], "label": "x"}, headers=site.headers())
        assert answer.status_code == status


def test_secrets_of_keys_are_not_in_the_database(site: Any) -> None:
    secrets = [key.split("_", 2)[2] for key in site.keys.values()]
    with site.parts.engine.connect() as connection:
        rows = connection.execute(text("SELECT row_to_json(k)::text FROM api_keys k")).scalars().all()
    assert rows
    assert not any(secret in row or secret.encode().hex() in row for secret in secrets for row in rows)


def test_log_host_sees_all_organisations_and_an_enterprise_its_own(site: Any) -> None:
    own = site.client.get("/organisations", headers=site.headers()).json()
    assert [row["party"] for row in own] == [site.party]
    everybody = site.client.get("/organisations", headers=site.headers("operator")).json()
    assert {row["party"] for row in everybody} >= {member.facts.code for member in site.cast.members}


def test_document_is_kept_under_its_digest_and_offered_as_download(site: Any) -> None:
    data = b"%PDF-1.7 not really"
    digest = hashlib.sha256(data).hexdigest()
    address = f"/organisations/{site.party}/documents/{digest}"
    headers = site.headers("enterprise", **{"Content-Type": "application/pdf"})
    wrong = site.client.put(
        f"{address[:-1]}{'0' if digest[-1] != '0' else '1'}?name=x.pdf", content=data, headers=headers
    )
    assert wrong.json()["code"] == "request-invalid"
    assert site.client.put(f"{address}?name=bill.pdf", content=data, headers=headers).status_code == 201
    answer = site.client.get(address, headers=site.headers("reader"))
    assert answer.content == data
    assert answer.headers["content-disposition"].startswith("attachment;")
    listed = site.client.get(f"/organisations/{site.party}/documents", headers=site.headers()).json()
    assert digest in {row["digest"] for row in listed}


def test_meters_and_load_curve_come_from_signed_contents(filed: Any) -> None:
    site = filed.site
    base = f"/organisations/{site.party}/meters"
    rows = site.client.get(base, headers=site.headers()).json()
    assert {row["device"] for row in rows} == {"m-electricity1", "m-electricity2"}
    assert all(row["age_seconds"] == 960 for row in rows)
    curve = site.client.get(
        f"{base}/m-electricity1/active/load-curve?start=2025-12-31T16:00:00Z&end=2026-01-01T16:00:00Z",
        headers=site.headers(),
    ).json()
    assert curve["unit"] == "kW"
    assert len(curve["points"]) == 96
    values = [float(point["value"]) for point in curve["points"]]
    assert max(values) == float(curve["maximum"])
    assert min(values) == float(curve["minimum"])


@pytest.mark.parametrize("query", ["start=x&end=y", "start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z"])
def test_rejects_load_curve_of_no_time(filed: Any, query: str) -> None:
    site = filed.site
    address = f"/organisations/{site.party}/meters/m-electricity1/active/load-curve?{query}"
    assert site.client.get(address, headers=site.headers()).status_code in {400, 422}


@pytest.mark.parametrize("month", ["2026-13", "x", "2026-1-1"])
def test_rejects_inventory_of_what_is_no_month(filed: Any, month: str) -> None:
    site = filed.site
    answer = site.client.get(f"/organisations/{site.party}/inventories/{month}", headers=site.headers())
    assert answer.json()["code"] == "request-invalid"


def test_filed_report_and_recomputed_month_agree_to_the_last_digit(filed: Any) -> None:
    site = filed.site
    report = site.client.get(f"/organisations/{site.party}/reports", headers=site.headers()).json()[0]
    month = site.client.get(f"/organisations/{site.party}/inventories/2026-01", headers=site.headers()).json()
    assert report["total"]["value"] == month["inventory"]["total"]["value"]
    assert report["report_json_digest"] == hashlib.sha256(filed.report.report_json).hexdigest()


def test_projections_dropped_and_replayed_give_the_same_report_bytes(filed: Any) -> None:
    site, digest = filed.site, filed.report.report.digest
    parts = site.parts

    def drawn() -> tuple[bytes, bytes, list[dict[str, Any]], bytes]:
        return (
            reports.report_json(parts, site.party, digest),
            reports.report_pdf(parts, site.party, digest, "zh"),
            site.client.get(f"/organisations/{site.party}/meters", headers=site.headers()).json(),
            canonical_json(month_inventory(parts, site.party, "2026-01").inventory),
        )

    before = drawn()
    parts.projections.drop()
    with parts.engine.connect() as connection:
        for table in METADATA.tables:
            assert connection.execute(text(f"SELECT to_regclass('{table}')")).scalar() is None
    read = parts.projections.replay()
    assert read == sum(log.tree_size for log in site.host.logs() if log.log != "epochs")
    assert drawn() == before
    assert before[0] == filed.report.report_json
    assert before[1] == filed.pdf


def test_refresh_reads_nothing_twice(filed: Any) -> None:
    assert filed.site.parts.projections.refresh() == 0


def test_bundle_of_a_report_holds_its_data_log_and_report(filed: Any) -> None:
    site, digest = filed.site, filed.report.report.digest.hex()
    address = f"/organisations/{site.party}/reports/{digest}/evidence.bundle"
    answer = site.client.get(address, headers=site.headers())
    assert answer.status_code == 200, answer.text
    bundle = read_bundle(io.BytesIO(answer.content))
    assert bundle.reports[0].report_json == filed.report.report_json
    assert site.origin in bundle.logs


def test_bundle_of_several_reports_asks_for_each_and_names_one_once(filed: Any) -> None:
    site, digest = filed.site, filed.report.report.digest.hex()
    address = f"/organisations/{site.party}/reports/{digest}/evidence.bundle"
    alone = site.client.get(address, headers=site.headers()).content
    assert site.client.get(f"{address}?also={digest}", headers=site.headers()).content == alone
    unknown = site.client.get(f"{address}?also={'00' * 32}", headers=site.headers())
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not-found")
    wrong = site.client.get(f"{address}?also=x", headers=site.headers())
    assert wrong.status_code in {400, 422}


def second_host(site: Any) -> LogHost:
    parts = site.parts
    return LogHost(
        parts.engine,
        parts.published,
        site.cast.log_key,
        parts.clock,
        name=parts.settings.log_host_name,
        party=parts.host_party,
        registrar=parts.registrar,
        registrar_keys=[site.cast.registrar.signer.public],
        anchors=site.desk,
    )


def test_two_services_over_one_ledger_make_the_same_bundle(filed: Any) -> None:
    site, digest = filed.site, filed.report.report.digest
    other = replace(site.parts, host=second_host(site))
    try:
        with bundle_file(other, site.party, [digest]) as bundle:
            second = bundle.read()
    finally:
        other.host.close()
    with bundle_file(site.parts, site.party, [digest]) as bundle:
        assert bundle.read() == second


def test_bundle_larger_than_what_is_kept_in_memory_comes_whole(
    filed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, digest = filed.site, filed.report.report.digest
    with bundle_file(site.parts, site.party, [digest]) as bundle:
        whole = bundle.read()
    for place in (
        "carbonseal_api.bundles.service._IN_MEMORY",
        "carbonseal_api.reports.bundle_files._IN_MEMORY",
    ):
        monkeypatch.setattr(place, 1)
    monkeypatch.setattr("carbonseal_api.bundles.service.ENTRIES_AT_ONCE", 7)
    monkeypatch.setattr("carbonseal_api.bundles.service.CONTENTS_AT_ONCE", 3)
    monkeypatch.setattr("carbonseal_api.reports.bundle_files._PIECE", 100)
    file = bundle_file(site.parts, site.party, [digest])
    assert b"".join(pieces(file)) == whole
    assert file.closed


def test_statement_is_taken_apart_down_to_its_epoch(filed: Any) -> None:
    site, digest = filed.site, filed.report.report.digest.hex()
    view = site.client.get(f"/organisations/{site.party}/statements/{digest}", headers=site.headers()).json()
    assert view["header"]["kind"] == "emissions_report/v1"
    assert view["epoch"]["epoch"] == 2
    assert view["anchor"] is None
    assert (
        view["content"]["body"]["report_json_digest"] == hashlib.sha256(filed.report.report_json).hexdigest()
    )


def test_job_is_refused_clearly_when_no_queue_answers(site: Any) -> None:
    answer = site.client.post("/jobs/build_epoch", headers=site.headers("operator"))
    assert (answer.status_code, answer.json()["field"]) == (503, "redis")
    assert site.client.post("/jobs/other", headers=site.headers("operator")).status_code == 404
    assert site.client.post("/jobs/build_epoch", headers=site.headers()).status_code == 403
