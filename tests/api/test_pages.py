"""The pages: sign-in, isolation, escaping, headers, and the click-through from a figure to its statements."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from carbonseal_attest.bundle_reading import read_bundle

CSP = "default-src 'none'"


@pytest.fixture
def visitor(filed: Any) -> Iterator[Any]:
    """A browser-like client, signed in with the reader's key."""
    client = filed.site.client
    answer = client.post("/sign-in", data={"key": filed.site.keys["reader"]})
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/pages/{filed.site.party}"
    yield client
    client.post("/sign-out")
    client.cookies.clear()


def links(text: str, pattern: str) -> list[str]:
    return [html.unescape(link) for link in re.findall(rf'href="({pattern})"', text)]


def test_sends_who_is_not_signed_in_to_sign_in(filed: Any) -> None:
    filed.site.client.cookies.clear()
    for path in ("", "/reports/" + "0" * 64, "/trace/2026-01", "/statements/" + "0" * 64):
        answer = filed.site.client.get(f"/pages/{filed.site.party}{path}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


def test_rejects_sign_in_with_unknown_key_and_with_gateway_key(filed: Any) -> None:
    client = filed.site.client
    for key, status in (("csk_000000000000_" + "A" * 43, 401), (filed.site.keys["gateway"], 403), ("", 401)):
        answer = client.post("/sign-in", data={"key": key})
        assert answer.status_code == status
        assert "set-cookie" not in answer.headers


def test_rejects_oversized_sign_in_form(filed: Any) -> None:
    assert filed.site.client.post("/sign-in", content=b"key=" + b"a" * 5000).status_code == 413


def test_session_cookie_is_http_only_and_strict(filed: Any) -> None:
    answer = filed.site.client.post("/sign-in", data={"key": filed.site.keys["reader"]})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    filed.site.client.cookies.clear()


def test_one_time_link_opens_one_session(filed: Any) -> None:
    from carbonseal_api.web.sessions import open_session

    parts = filed.site.parts
    principal = parts.keys.authenticate(f"Bearer {filed.site.keys['reader']}")
    token = open_session(parts, principal, is_link=True)
    client = filed.site.client
    assert client.get(f"/sign-in/once/{token}").status_code == 303
    client.cookies.clear()
    assert client.get(f"/sign-in/once/{token}").status_code == 401
    client.cookies.clear()


def test_link_token_is_no_session(filed: Any) -> None:
    from carbonseal_api.web.sessions import open_session

    parts = filed.site.parts
    principal = parts.keys.authenticate(f"Bearer {filed.site.keys['reader']}")
    token = open_session(parts, principal, is_link=True)
    answer = filed.site.client.get(f"/pages/{filed.site.party}", cookies={"carbonseal_session": token})
    assert answer.status_code == 303
    filed.site.client.cookies.clear()


def test_does_not_show_another_organisation(filed: Any, visitor: Any) -> None:
    other = filed.site.cast.verification_body.facts.code
    missing = visitor.get("/pages/e-nobody")
    foreign = visitor.get(f"/pages/{other}")
    assert missing.status_code == foreign.status_code == 404
    assert missing.text == foreign.text.replace(other, "e-nobody")


def test_session_ends_with_its_key(filed: Any) -> None:
    parts, client = filed.site.parts, filed.site.client
    key = parts.keys.issue(filed.site.party, ["reader"], "short")
    client.post("/sign-in", data={"key": key})
    assert client.get(f"/pages/{filed.site.party}").status_code == 200
    parts.keys.withdraw(key.split("_")[1])
    assert client.get(f"/pages/{filed.site.party}").status_code == 303
    client.cookies.clear()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_page_is_escaped_self_contained_and_strict(filed: Any, visitor: Any, lang: str) -> None:
    party, digest = filed.site.party, filed.report.report.digest.hex()
    figure = quote("grid/emissions/2026-01")
    paths = [
        f"/pages/{party}",
        f"/pages/{party}?meter=%3Cscript%3E&days=31",
        f"/pages/{party}/reports/{digest}",
        f"/pages/{party}/codes/{filed.report.quality.digest.hex()}",
        f"/pages/{party}/trace/2026-01",
        f"/pages/{party}/trace/{digest}?figure={figure}",
        f"/pages/{party}/trace/2026-01?figure=%3Cscript%3Ealert(1)%3C/script%3E",
        f"/pages/{party}/statements/{digest}",
        f"/pages/{party}/statements/{'0' * 64}",
        "/sign-in",
    ]
    for path in paths:
        answer = (
            visitor.get(path, params={"lang": lang})
            if "?" not in path
            else visitor.get(f"{path}&lang={lang}")
        )
        assert answer.status_code in {200, 404}, (path, answer.text[:2000])
        assert answer.headers["content-security-policy"].startswith(CSP)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "<script" not in answer.text
        assert " style=" not in answer.text
        assert re.findall(r'(?:src|href|action)="(?:https?:)?//', answer.text) == []
        assert f'lang="{"zh-CN" if lang == "zh" else "en"}"' in answer.text


def test_organisation_page_shows_meters_code_curve_emissions_reports_and_states(
    filed: Any, visitor: Any
) -> None:
    text = visitor.get(f"/pages/{filed.site.party}?lang=en").text
    inventory = filed.report.recomputed.inventory.to_json()
    for shown in (
        "Incoming meter 1",
        "Data code: ",
        "Maximum",
        "Emissions by month",
        inventory["total"]["rounded"],
        "logged",
        "GBT32150-2015@1.0.0",
    ):
        assert shown in text, shown
    assert text.count('<svg class="chart"') == 2


def test_click_through_leads_from_a_figure_to_statement_epoch_and_proof(filed: Any, visitor: Any) -> None:
    party, digest = filed.site.party, filed.report.report.digest.hex()
    page = visitor.get(f"/pages/{party}/reports/{digest}?lang=en").text
    assert "Equals the filed figure" in page
    step = links(page, rf"/pages/{party}/trace/[^\"]*emissions[^\"]*")[0]
    page = visitor.get(step).text
    step = links(page, r"/pages/[^\"]*figure=activity[^\"]*")[0]
    page = visitor.get(step).text
    statements = links(page, rf"/pages/{party}/statements/[0-9a-f]{{64}}")
    assert len(statements) == 62
    page = visitor.get(statements[0]).text
    assert "Epoch" in page
    assert "Log of logs" in page
    assert "not yet" in page  # no chain here: the anchor is said to be missing
    assert "kWh" in page


def test_report_files_are_the_ones_that_were_signed(filed: Any, visitor: Any) -> None:
    base = f"/pages/{filed.site.party}/reports/{filed.report.report.digest.hex()}"
    assert visitor.get(f"{base}/report.json").content == filed.report.report_json
    assert visitor.get(f"{base}/report.pdf?lang=zh").content == filed.pdf
    assert visitor.get(f"{base}/other").status_code == 404


def test_serves_style_sheet_and_typeface_and_nothing_else(filed: Any) -> None:
    client = filed.site.client
    assert client.get("/static/carbonseal.css").headers["content-type"].startswith("text/css")
    assert client.get("/static/noto-sans-sc.ttf").headers["content-type"] == "font/ttf"
    for name in ("pages.py", "..%2fpages.py", "wording.json"):
        assert client.get(f"/static/{name}").status_code == 404


def test_report_page_offers_the_evidence_bundle_to_who_is_signed_in(filed: Any, visitor: Any) -> None:
    digest = filed.report.report.digest.hex()
    address = f"/pages/{filed.site.party}/reports/{digest}/evidence.bundle"
    page = visitor.get(f"/pages/{filed.site.party}/reports/{digest}?lang=en").text
    assert f'href="{address}"' in page
    answer = visitor.get(address)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="evidence.bundle"'
    bundle = read_bundle(io.BytesIO(answer.content))
    assert bundle.reports[0].report_json == filed.report.report_json
    visitor.post("/sign-out")
    visitor.cookies.clear()
    assert visitor.get(address).headers["location"] == "/sign-in"


def test_wrong_key_is_answered_in_words_for_a_person(filed: Any) -> None:
    for lang, words in (("en", "This key is not known here"), ("zh", "没有这个密钥")):
        answer = filed.site.client.post(f"/sign-in?lang={lang}", data={"key": "wrong"})
        assert words in answer.text
        assert "Bearer" not in answer.text
        filed.site.client.cookies.clear()


def test_unknown_address_is_a_page_for_a_browser_and_a_problem_for_a_program(filed: Any) -> None:
    client = filed.site.client
    page = client.get("/nowhere?lang=en", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.status_code == 404
    assert "<title>There is no such page" in page.text
    assert client.get("/nowhere").json()["code"] == "not-found"
    client.cookies.clear()


def test_figures_of_a_code_stand_under_readable_labels_in_order(filed: Any, visitor: Any) -> None:
    digest = filed.report.quality.digest.hex()
    text = visitor.get(f"/pages/{filed.site.party}/codes/{digest}?lang=en").text
    shown = html.unescape(text.split("Figures</h2>")[1])
    assert "greatest_commit_delay_ms" not in shown
    assert "Greatest delay of registration (ms)" in shown
    assert "100 %" in shown
    assert (
        shown.index("Completeness<") < shown.index("Completeness: electricity-1") < shown.index("Values exp")
    )
