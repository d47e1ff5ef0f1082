"""Lineage: down from a figure to what made it, up from a reading to what used it, and who may see it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from evidence_makers import FEBRUARY_MS, make_stated_site
from history import METERS, METHOD, History, sha
from neighbours import admit, key_headers
from prov_check import check_prov

from carbonseal_api.lineage.drawing import graph_svg
from carbonseal_api.lineage.identifiers import parse_id
from carbonseal_api.lineage.prov import MEDIA_TYPE, prov_json
from carbonseal_api.lineage.service import lineage
from carbonseal_api.lineage.text_tree import text_tree
from carbonseal_api.problems import NotFound, RequestInvalid

START_MS = 1_767_196_800_000  # midnight of 2026-01-01 in Shanghai
FACTOR = "factor:CN-GRID@1.0.0/CN.location_average.2023"


@pytest.fixture(scope="module")
def told(open_site: Any, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Three days measured, one reading corrected, then report, opinion, grade and asset record."""
    with open_site(database_url, "lineage", tmp_path_factory.mktemp("lineage")) as site:
        history = History(site, START_MS)
        history.measure(0, 3)
        corrected, correction = history.correct(history.readings[1, METERS[0]])
        filed = history.file(0, 3)
        opinion = history.opine(filed)
        grade = history.grade(filed, opinion)
        act = history.asset(opinion)
        stranger = admit(site, "enterprise")
        site.host.build_epoch()
        site.parts.projections.refresh()
        yield SimpleNamespace(
            site=site,
            parts=site.parts,
            party=site.party,
            history=history,
            reading=history.readings[1, METERS[0]].digest.hex(),
            corrected=corrected.digest.hex(),
            correction=correction.digest.hex(),
            filed=filed,
            report=filed.report.digest.hex(),
            code=filed.quality.digest.hex(),
            opinion=opinion.digest.hex(),
            grade=grade.digest.hex(),
            act=act.digest.hex(),
            record=f"asset:{sha(f'record of {opinion.digest.hex()}').hex()}",
            stranger=stranger,
            strange=key_headers(site, stranger, "enterprise"),
        )


def ids(made: Any) -> set[str]:
    return {node.id for node in made.nodes}


def kinds(made: Any) -> set[str]:
    return {node.kind for node in made.nodes}


def links(made: Any, relation: str) -> set[tuple[str, str]]:
    return {(link.source, link.target) for link in made.links if link.relation == relation}


def get(told: Any, node: str, headers: dict[str, str] | None = None, **query: Any) -> Any:
    path = f"/lineage/{quote(node, safe=':/@')}"
    return told.site.client.get(path, headers=headers or told.site.headers(), params=query)


# -- attacks --


def test_a_stranger_sees_neither_figure_nor_statement_nor_whether_they_exist(told: Any) -> None:
    foreign = [
        told.report,
        told.reading,
        told.grade,
        told.record,
        f"figure:{told.report}/total/total",
        f"figure:{told.party}/2026-01/total/total",
        f"device:{told.party}/{METERS[0]}",
        f"party:{told.party}",
        told.party,
        told.site.gateway,
        f"file:{sha('bundle').hex()}",
        f"series:{told.party}/{METERS[0]}/0-9999999999999-99/active",
    ]
    missing = [
        "0" * 64,
        f"asset:{'0' * 64}",
        "device:e-nobody/m-nothing",
        "party:e-nobody",
        f"figure:{'0' * 64}/total/total",
    ]
    answers = {node: get(told, node, told.strange) for node in (*foreign, *missing)}
    assert {answer.status_code for answer in answers.values()} == {404}
    assert len({answer.json()["reason"] for answer in answers.values()}) == 1
    for up in (told.report, told.reading):
        assert get(told, up, told.strange, direction="up").status_code == 404


def test_a_bank_without_a_grant_gets_the_same_answer_as_for_nothing(told: Any) -> None:
    bank = admit(told.site, "bank")
    headers = key_headers(told.site, bank, "bank")
    seen, missing = get(told, told.grade, headers), get(told, "0" * 64, headers)
    assert (seen.status_code, seen.json()["detail"]) == (missing.status_code, missing.json()["detail"])
    assert seen.status_code == 404


def test_a_grant_below_evidence_does_not_open_a_lineage_and_one_at_evidence_does(told: Any) -> None:
    bank = admit(told.site, "bank")
    headers = key_headers(told.site, bank, "bank")
    give(told, bank, "report")
    assert get(told, told.report, headers).status_code == 404
    give(told, bank, "evidence")
    answer = get(told, told.report, headers)
    assert answer.status_code == 200
    assert "series" in {node["kind"] for node in answer.json()["nodes"]}
    records = told.site.client.get(
        f"/organisations/{told.party}/access-records", headers=told.site.headers()
    ).json()
    assert {"action": "lineage", "party": bank.facts.code}.items() <= records[0].items()


def test_a_grant_opens_only_documents_that_belong_to_its_period(told: Any) -> None:
    bank, member = admit(told.site, "bank"), told.site.cast.enterprise
    headers, day = key_headers(told.site, bank, "bank"), 86_400_000

    def file(name: str, *about: bytes) -> str:
        body = {"title": name, "media_type": "text/plain", "document_digest": sha(name), "size": 1}
        made = member.issue(member.data_origin, "document", body | {"relates_to": list(about)})
        return made.digest.hex()

    figure = {"value": "1", "unit": "CNY"}
    record = {"record": "revenue", "quantity": figure, "source": "accounts", "document_digest": None}
    about = member.issue(
        member.data_origin, "business_record", record, interval=(START_MS, START_MS + day)
    ).digest
    inside = file("about a day", about)
    nowhere = file("about nothing")
    give(told, bank, "evidence", period={"start": START_MS + 30 * day, "end": START_MS + 40 * day})
    assert {get(told, one, headers).status_code for one in (inside, nowhere)} == {404}
    give(told, bank, "evidence")
    assert get(told, inside, headers).status_code == 200
    assert get(told, nowhere, headers).status_code == 404
    assert get(told, nowhere).status_code == 200  # its owner's own


def give(told: Any, bank: Any, level: str, **changes: Any) -> None:
    enterprise = told.site.cast.enterprise
    whole = {"start": START_MS - 86_400_000, "end": START_MS + 40 * 86_400_000}
    body = {
        "grant": "gr-example",
        "to": bank.facts.code,
        "purpose": "loan",
        "level": level,
        "period": whole,
        "valid": {"start": 0, "end": told.site.clock() + 86_400_000},
    }
    enterprise.issue(enterprise.register_origin, "grant", body | changes)
    told.parts.projections.refresh()


def test_a_foreign_statement_stands_as_not_disclosed_without_kind_party_or_relation(told: Any) -> None:
    """Somebody else's document relates to our report: its owner stays hidden, and what it is."""
    stranger = told.stranger
    body = {
        "title": "secret offer",
        "media_type": "text/plain",
        "document_digest": sha("offer"),
        "size": 5,
        "relates_to": [bytes.fromhex(told.report)],
    }
    foreign = stranger.issue(stranger.data_origin, "document", body).digest.hex()
    told.parts.projections.refresh()
    answer = get(told, told.report, direction="up")
    hidden = [node for node in answer.json()["nodes"] if node["kind"] == "undisclosed"]
    assert len(hidden) == 1
    assert hidden[0]["party"] is None
    assert hidden[0]["facts"] == {}
    assert answer.json()["counts"]["undisclosed"] == 1
    for said in (foreign, stranger.facts.code, "secret offer", sha("offer").hex(), "relates_to"):
        assert said not in answer.text
    assert foreign in get(told, told.report, told.site.headers("operator"), direction="up").text


def test_a_verification_body_sees_its_own_opinion_and_not_what_it_rests_on(told: Any) -> None:
    headers = told.site.headers("verification_body")
    nodes = {node["id"]: node for node in get(told, told.opinion, headers).json()["nodes"]}
    assert nodes[told.opinion]["kind"] == "verification_report"
    assert told.report not in nodes
    assert "undisclosed" in {node["kind"] for node in nodes.values()}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "zz:1",
        "asset:12",
        "figure:x",
        "series:a/b/1-2/c",
        "device:nothing",
        "a" * 401,
        "e-\nparty",
        "figure:" + "0" * 64,
        "SELECT 1",
    ],
)
def test_what_is_no_identifier_is_refused_with_a_remedy(told: Any, text: str) -> None:
    with pytest.raises(RequestInvalid, match=r"is no identifier of lineage|names no figure"):
        lineage(told.parts, None, text)


@pytest.mark.parametrize(
    "node", ["total/nothing", "grid/nothing/2026-01", "gas/emissions", "total/total/2027-01"]
)
def test_a_figure_that_the_report_does_not_have_is_not_found(told: Any, node: str) -> None:
    with pytest.raises(NotFound, match="no such figure"):
        lineage(told.parts, None, f"figure:{told.report}/{node}")


def test_depth_limit_and_cursor_outside_their_range_are_refused(told: Any) -> None:
    for query in (
        {"depth": 0},
        {"depth": 21},
        {"limit": 0},
        {"limit": 1001},
        {"cursor": "x"},
        {"cursor": "9999"},
    ):
        assert get(told, told.report, **query).status_code == 422, query
    assert get(told, told.report, direction="sideways").status_code == 422


# -- down --


def test_a_total_leads_down_to_statements_devices_factors_method_plan_and_calibrations(told: Any) -> None:
    made = lineage(told.parts, None, f"figure:{told.report}/total/total")
    assert kinds(made) >= {
        "calibration",
        "correction",
        "corrected_readings",
        "device",
        "emissions_report",
        "equipment",
        "factor",
        "method",
        "monitoring_plan",
        "package",
        "quality_code",
        "readings",
        "series",
    }
    assert {FACTOR, f"package:{METHOD}", told.correction, told.corrected, told.reading} <= ids(made)
    assert (made.readings.statements, made.readings.samples, made.readings.gaps) == (6, 576, 0)
    assert made.readings.epochs == [1, 1]
    assert {node.seal.epoch for node in made.nodes if node.seal is not None} == {1}
    total = told.filed.recomputed.inventory.to_json()["total"]
    assert made.nodes[0].facts["quantity"]["value"] == total["value"]
    assert not made.truncated
    assert made.counts == {kind: [n.kind for n in made.nodes].count(kind) for kind in kinds(made)}


def test_the_figure_of_a_month_and_of_a_source_stream_lead_to_their_own_readings(told: Any) -> None:
    month = lineage(told.parts, None, f"figure:{told.party}/2026-01/grid/emissions/2026-01")
    assert month.readings.samples == 576
    assert told.report not in ids(month)
    stated = lineage(told.parts, None, f"figure:{told.report}/grid/emissions/2026-01")
    assert stated.nodes[0].facts["quantity"] is not None
    assert stated.readings.samples == 576


@pytest.fixture(scope="module")
def stated(open_site: Any, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two reports of January: one while meters count, one after a downgrade to the bill; a ledger beside."""
    with open_site(database_url, "lineage_stated", tmp_path_factory.mktemp("stated")) as site:
        member = make_stated_site(site).cast.enterprise
        about = {"subject": "i-works1", "interval": (START_MS, FEBRUARY_MS)}
        stream = {"plan_digest": site.plan_two, "source_stream": "grid"}
        history, digests = History(site, START_MS), {}

        def state(name: str, kind: str, body: dict[str, Any], **where: Any) -> None:
            digests[name] = member.issue(member.data_origin, kind, body, **where).digest

        for source, value in (("bill", "4000"), ("ledger", "5000")):
            paper = {"title": source, "media_type": "text/plain", "document_digest": sha(source), "size": 1}
            state(f"{source} file", "document", paper | {"relates_to": []})
            amount = {"data_source": source, "quantity": {"value": value, "unit": "kW.h"}}
            amount["document_digest"] = digests[f"{source} file"]
            state(source, "declared_activity", stream | amount, **about)
        metered = history.file(0, 31, plan=site.plan_two)
        history.withdraw(metered.report)
        step = stream | {"from": "meter", "to": "bill", "reason": "meters in repair"}
        state("downgrade", "downgrade", step, **about)
        billed = history.file(0, 31, plan=site.plan_two)
        yield SimpleNamespace(
            parts=site.parts,
            party=site.party,
            metered=metered.report.digest.hex(),
            billed=billed.report.digest.hex(),
            **{name.replace(" ", "_"): digest.hex() for name, digest in digests.items()},
        )


def test_a_declared_value_counts_only_where_a_downgrade_leads_to_it(stated: Any) -> None:
    values, both = {stated.bill, stated.ledger}, {stated.bill, stated.ledger, stated.downgrade}

    def relations(root: str, source: str) -> dict[str, str]:
        made = lineage(stated.parts, None, root)
        return {link.target: link.relation for link in made.links if link.source == source}

    for name in (stated.metered, f"figure:{stated.metered}/grid/emissions"):
        found = {one: told for one, told in relations(name, name).items() if one in both}
        assert found == dict.fromkeys(values, "compared_with")
    month = f"figure:{stated.party}/2026-01/grid/emissions"
    for name in (stated.billed, f"figure:{stated.billed}/grid/emissions/2026-01", month):
        found = {one: told for one, told in relations(name, name).items() if one in both}
        assert found == {
            stated.bill: "counts",
            stated.downgrade: "counts",
            stated.ledger: "compared_with",
        }


def test_up_from_a_declared_value_a_report_is_only_compared_with_what_is_not_in_its_total(
    stated: Any,
) -> None:
    made = lineage(stated.parts, None, stated.bill, direction="up")
    assert stated.billed in {source for source, _ in links(made, "counts")}
    assert stated.metered in {source for source, _ in links(made, "compared_with")}
    beside = lineage(stated.parts, None, stated.ledger, direction="up")
    assert not links(beside, "counts")
    assert {stated.metered, stated.billed} <= {source for source, _ in links(beside, "compared_with")}


def test_in_prov_nothing_is_derived_from_what_a_figure_is_only_compared_with(stated: Any) -> None:
    made = prov_json(lineage(stated.parts, None, f"figure:{stated.billed}/grid/emissions"))
    check_prov(made)
    ledger, bill = (f"cs:statement/{one}" for one in (stated.ledger, stated.bill))
    assert ledger in {one["prov:influencer"] for one in made["wasInfluencedBy"].values()}
    used = {one["prov:usedEntity"] for one in made["wasDerivedFrom"].values()}
    assert (bill in used, ledger in used) == (True, False)


def test_an_asset_record_leads_down_to_the_readings_through_opinion_and_report(told: Any) -> None:
    made = lineage(told.parts, None, told.record)
    assert {told.act, told.opinion, told.report, told.code, told.correction} <= ids(made)
    assert links(made, "rests_on") == {(told.act, told.opinion)}
    assert links(made, "about_report") == {(told.opinion, told.report)}
    assert (told.report, told.correction) in links(made, "applies")
    assert made.readings.statements == 6


def test_a_series_lists_its_statements_in_pages_that_fit_together(told: Any) -> None:
    made = lineage(told.parts, None, told.report)
    one = next(node for node in made.nodes if node.kind == "series")
    whole = lineage(told.parts, None, one.id)
    assert whole.counts["readings"] == one.facts["readings"] == 3
    nodes: list[str] = []
    found_links: set[tuple[str, str, str]] = set()
    cursor = None
    while True:
        page = lineage(told.parts, None, one.id, limit=2, cursor=cursor)
        nodes += [node.id for node in page.nodes]
        found_links |= {(link.source, link.relation, link.target) for link in page.links}
        assert page.truncated
        assert "page" in page.left_out
        assert page.counts == whole.counts
        cursor = page.next
        if cursor is None:
            break
    assert nodes == [node.id for node in whole.nodes]
    assert found_links == {(link.source, link.relation, link.target) for link in whole.links}


def test_what_lies_beyond_the_depth_is_said_to_be_left_out(told: Any) -> None:
    made = lineage(told.parts, None, told.record, depth=2)
    assert max(node.level for node in made.nodes) == 2
    assert made.left_out == ["depth"]
    assert lineage(told.parts, None, told.record, depth=20).left_out == []


def test_a_package_and_a_grade_rule_are_found_by_their_short_name(told: Any) -> None:
    made = lineage(told.parts, None, METHOD, direction="up")
    assert {told.report, told.site.plan.hex()} <= ids(made)
    assert lineage(told.parts, None, FACTOR, direction="up").counts["emissions_report"] == 1


# -- up --


def test_a_reading_leads_up_to_all_that_used_it(told: Any) -> None:
    made = lineage(told.parts, None, told.reading, direction="up")
    assert {told.report, told.code, told.opinion, told.grade, told.act, told.record, told.correction} <= ids(
        made
    )
    # What was corrected before the report is no input of it: the correction stands between.
    assert not links(made, "counts")
    assert {(told.report, told.correction), (told.code, told.correction)} == links(made, "applies")
    other = told.history.readings[0, METERS[0]].digest.hex()
    made = lineage(told.parts, None, other, direction="up")
    assert {(told.report, other), (told.code, other)} == links(made, "counts")


def test_device_gateway_plan_calibration_and_correction_lead_up_to_the_report(told: Any) -> None:
    calibration = next(
        node.id for node in lineage(told.parts, None, told.report).nodes if node.kind == "calibration"
    )
    for node in (METERS[0], told.site.gateway, told.site.plan.hex(), calibration, told.correction):
        made = lineage(told.parts, None, node, direction="up")
        assert {told.report, told.grade, told.record} <= ids(made), node


def test_a_reading_outside_every_period_leads_up_to_nothing(told: Any) -> None:
    told.history.measure(5)
    told.parts.projections.refresh()
    made = lineage(told.parts, None, told.history.readings[5, METERS[0]].digest.hex(), direction="up")
    assert [node.kind for node in made.nodes] == ["readings"]


# -- forms --


def test_every_way_down_and_up_is_well_formed_prov(told: Any) -> None:
    for node in (
        f"figure:{told.report}/total/total",
        told.record,
        told.grade,
        told.reading,
        told.correction,
        METHOD,
    ):
        for direction in ("down", "up"):
            check_prov(prov_json(lineage(told.parts, None, node, direction=direction)))
    answer = get(told, told.record, {**told.site.headers(), "Accept": MEDIA_TYPE})
    assert answer.headers["content-type"] == MEDIA_TYPE
    document = answer.json()
    check_prov(document)
    report = f"cs:statement/{told.report}"
    computing = f"cs:computing/{report.removeprefix('cs:')}"
    assert {"prov:entity": report, "prov:activity": computing} in document["wasGeneratedBy"].values()
    assert document["activity"][computing]["prov:type"]["$"] == "cs:computing"
    assert get(told, told.record, format="prov").json() == document
    hidden = prov_json(lineage(told.parts, None, told.report, direction="up"))
    check_prov(hidden)


def test_text_and_graph_name_everything_in_both_languages(told: Any) -> None:
    made = lineage(told.parts, None, told.grade)
    for lang, said in (("en", "emissions report"), ("zh", "排放报告")):
        text = text_tree(made, lang)
        assert said in text
        assert text.count("\n") >= len(made.nodes)
        graph = graph_svg(made, lang)
        root = ET.fromstring(str(graph))  # noqa: S314 - our own
        boxes = root.findall(".//{http://www.w3.org/2000/svg}rect")
        assert len(boxes) == len(made.nodes)
        assert said in graph
        assert "style=" not in graph
        assert "<script" not in graph
    assert lineage(told.parts, None, told.grade).model_dump() == made.model_dump()


def test_the_page_shows_the_graph_and_leads_on_under_a_strict_policy(told: Any) -> None:
    client = told.site.client
    client.cookies.clear()
    signed = client.post("/sign-in", data={"key": told.site.keys["reader"]})
    assert signed.status_code == 303, signed.text
    path = f"/pages/{told.party}/lineage/{told.record}"
    answer = client.get(path, params={"lang": "en"})
    assert answer.status_code == 200, answer.text[:2000]
    assert "<svg" in answer.text
    assert " style=" not in answer.text
    assert "<script" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert f"/pages/{told.party}/statements/{told.report}" in answer.text
    onward = re.findall(rf'href="(/pages/{told.party}/lineage/[^"]+)"', answer.text)
    assert onward
    for link in onward[:5]:
        assert client.get(link.replace("&amp;", "&")).status_code == 200, link
    assert "碳资产记录" in client.get(path, params={"lang": "zh"}).text
    check_prov(client.get(path, params={"format": "prov"}).json())
    assert client.get(f"/pages/{told.stranger.facts.code}/lineage/{told.record}").status_code == 404
    assert client.get(f"/pages/{told.party}/lineage/{'0' * 64}").status_code == 404
    client.cookies.clear()


@pytest.mark.parametrize("text", ["0" * 64, "GBT32150-2015@1.0.0", "m-boiler1", "asset:" + "ab" * 32])
def test_identifiers_have_one_spelling(text: str) -> None:
    assert parse_id(parse_id(text)) == parse_id(text)


def test_the_answer_is_json_that_says_what_it_leaves_out(told: Any) -> None:
    answer = get(told, told.record, limit=3)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["truncated"], body["left_out"], body["next"]) == (True, ["page"], "3")
    assert 'rel="next"' in answer.headers["link"]
    assert len(body["nodes"]) == 3
    assert json.loads(answer.text) == body
