"""The PDF: same bytes twice, the figures of report.json in both languages, and clear refusals."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pypdf
import pytest

from carbonseal_api.problems import FontMissing, ReportInvalid, WordingMissing
from carbonseal_api.reports.fonts import find_fonts
from carbonseal_api.reports.proofs import ReportProofs
from carbonseal_api.reports.report_json import encode_report, parse_report, report_digest
from carbonseal_api.reports.report_pdf import render_pdf
from carbonseal_api.reports.wording import LANGUAGES, load_wording, percentage


def pdf_text(data: bytes) -> str:
    return re.sub(
        r"\s+", " ", " ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages)
    )


def figures_of(report: dict[str, Any]) -> list[str]:
    found = [report["emissions"]["total"]["value"], report["emissions"]["total"]["rounded"]]
    found += [row["value"] for row in report["activity_data"].values()]
    for row in report["emissions"]["by_stream"]:
        found += [row["value"], row["rounded"], row["share_percent"]]
    for month in report["emissions"]["by_month"]:
        found += [month["rounded"], *(row["rounded"] for row in month["by_stream"].values())]
    found += [factor["value"] for factor in report["factors"]]
    found += [
        str(row[key])
        for row in report["data_quality"]["completeness"]
        for key in ("expected", "measured", "missing")
    ]
    return found


def test_rejects_report_that_is_not_json(proofs: ReportProofs) -> None:
    with pytest.raises(ReportInvalid, match=r"report\.json: is not JSON"):
        render_pdf(b"{", proofs, lang="zh")


def test_rejects_report_of_another_format(proofs: ReportProofs) -> None:
    with pytest.raises(ReportInvalid, match=r"report\.json\.format"):
        render_pdf(b'{"format": "other/v1"}', proofs, lang="zh")


def test_rejects_language_that_is_not_offered(report: dict[str, Any], proofs: ReportProofs) -> None:
    with pytest.raises(WordingMissing, match="ask for zh or en"):
        render_pdf(encode_report(report), proofs, lang="fr")


def test_names_the_remedy_when_the_typeface_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARBONSEAL_FONT", "nowhere.ttf")
    with pytest.raises(FontMissing, match="make setup"):
        find_fonts()


def test_rejects_typeface_that_is_not_truetype(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, report: dict[str, Any], proofs: ReportProofs
) -> None:
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"not a font")
    monkeypatch.setenv("CARBONSEAL_FONT", str(broken))
    with pytest.raises(FontMissing, match="cannot be read as TrueType"):
        render_pdf(encode_report(report), proofs, lang="zh")


def test_markup_in_a_name_is_printed_not_interpreted(report: dict[str, Any], proofs: ReportProofs) -> None:
    report["installation"]["name"] = {"zh": "<b>&厂", "en": "<b>&works"}
    report["emissions"]["by_stream"][0]["name"] = {"zh": "<font size=90>电", "en": "<font size=90>power"}
    assert "<font size=90>power" in pdf_text(render_pdf(encode_report(report), proofs, lang="en"))


def test_same_report_gives_same_bytes_twice(report: dict[str, Any], proofs: ReportProofs) -> None:
    data = encode_report(report)
    assert render_pdf(data, proofs, lang="zh") == render_pdf(data, proofs, lang="zh")


def test_every_figure_of_the_report_stands_in_both_languages(
    report: dict[str, Any], proofs: ReportProofs
) -> None:
    data = encode_report(report)
    for lang in LANGUAGES:
        text = pdf_text(render_pdf(data, proofs, lang=lang))
        missing = [figure for figure in figures_of(report) if figure not in text]
        assert missing == []
        assert report_digest(data) in text


def test_both_languages_show_the_same_decimal_figures(report: dict[str, Any], proofs: ReportProofs) -> None:
    data = encode_report(report)
    found = [
        sorted(re.findall(r"\d+\.\d+", pdf_text(render_pdf(data, proofs, lang=lang)))) for lang in LANGUAGES
    ]
    assert found[0] == found[1]


def test_code_never_stands_without_its_noun(
    one_month_green_report: dict[str, Any], proofs: ReportProofs
) -> None:
    data = encode_report(one_month_green_report)
    assert "数据红绿码: 绿" in pdf_text(render_pdf(data, proofs, lang="zh"))
    assert "Data code: green" in pdf_text(render_pdf(data, proofs, lang="en"))


def test_red_code_shows_observation_and_cure_of_each_finding(
    report: dict[str, Any], proofs: ReportProofs
) -> None:
    text = pdf_text(render_pdf(encode_report(report), proofs, lang="en"))
    for finding in report["data_quality"]["findings"]:
        assert finding["observed"]["en"] in text
        assert finding["cure"]["en"] in text


def test_declared_factor_is_marked_as_declared(report: dict[str, Any], proofs: ReportProofs) -> None:
    text = pdf_text(render_pdf(encode_report(report), proofs, lang="en"))
    assert "declared by the operator; laboratory report" in text


def test_says_so_when_nothing_is_anchored_yet(report: dict[str, Any]) -> None:
    text = pdf_text(render_pdf(encode_report(report), ReportProofs(), lang="en"))
    assert "Not anchored yet" in text


def test_catalogue_has_each_sentence_in_both_languages_with_the_same_placeholders() -> None:
    zh, en = (load_wording(lang).sentences for lang in LANGUAGES)
    assert zh.keys() == en.keys()
    for key, sentence in zh.items():
        assert sorted(re.findall(r"\{\w+\}", sentence)) == sorted(re.findall(r"\{\w+\}", en[key])), key


def test_report_bytes_have_sorted_keys_and_no_floats(report: dict[str, Any]) -> None:
    data = encode_report(report)
    assert encode_report(json.loads(data)) == data
    report["emissions"]["total"]["value"] = 1.5
    with pytest.raises(ReportInvalid, match=r"report\.emissions\.total\.value"):
        encode_report(report)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b'{"emissions": 1,' + data[1:],
        lambda data: data.replace(b": ", b":", 1),
        lambda data: data + b"\n",
        lambda data: data.replace(b'"format"', b'"figure": 1.5, "format"', 1),
    ],
    ids=["doubled key", "other spacing", "further line", "bare decimal"],
)
def test_rejects_report_json_that_is_not_written_in_the_one_way(report: dict[str, Any], change: Any) -> None:
    data = encode_report(report)
    assert parse_report(data) == report
    with pytest.raises(ReportInvalid):
        parse_report(change(data))


def test_factors_are_named_in_words_and_a_bare_number_has_no_unit(
    report: dict[str, Any], proofs: ReportProofs
) -> None:
    report["factors"][1] |= {"parameter": "oxidation", "value": "0.99", "unit": "1"}
    text = pdf_text(render_pdf(encode_report(report), proofs, lang="en"))
    assert "oxidation factor" in text
    assert "0.99 1" not in text
    assert "location average" in text
    assert "location_average" not in text


@pytest.mark.parametrize(
    ("share", "shown"), [("100.0000", "100 %"), ("0.0000", "0 %"), ("99.56", "99.56 %"), ("100", "100 %")]
)
def test_shares_lose_the_zeros_at_their_end(share: str, shown: str) -> None:
    assert percentage(share) == shown


def test_plan_of_the_cover_is_called_a_plan(report: dict[str, Any], proofs: ReportProofs) -> None:
    pages = pypdf.PdfReader(io.BytesIO(render_pdf(encode_report(report), proofs, lang="en"))).pages
    assert "Monitoring plan" in pages[0].extract_text()
    assert "Installation" not in pages[0].extract_text()


def test_heading_of_the_packages_stands_on_the_page_of_its_table(
    report: dict[str, Any], proofs: ReportProofs
) -> None:
    for copies in range(1, 8):
        many = {**report, "factors": report["factors"] * copies}
        for page in pypdf.PdfReader(io.BytesIO(render_pdf(encode_report(many), proofs, lang="en"))).pages:
            text = page.extract_text()
            assert ("Packages pinned" in text) == ("78" * 32 in text)


def beside_totals() -> dict[str, Any]:
    """What a report lists when readings were corrected and a month was downgraded."""
    january = {"start": "2025-12-31T16:00:00Z", "end": "2026-01-31T16:00:00Z"}
    correction = {"device": "m-electricity1", "kind": "readings", **january, "reason": "wrong ratio",
                  "supersedes": "ab" * 32, "replacement": "cd" * 32, "corrections": ["ef" * 32]}  # fmt: skip
    bill = {"value": "87012.5", "unit": "kWh"}
    return {
        "corrections": [correction, correction | {"replacement": None}],
        "declared_activity": [{"stream": "grid", "data_source": "bill", **january, "declared": bill,
                               "metered": {"value": "86866.63", "unit": "kWh"}, "difference_percent": "0.17",
                               "statement": "aa" * 32, "document": "bb" * 32, "problem": None}],
        "downgrades": [{"stream": "grid", **january, "from": "meter", "to": "bill", "from_amount": None,
                        "to_amount": bill, "lowers": True, "reason": "meter in repair",
                        "statement": "aa" * 32, "declared_activity": [], "documents": []}],
    }  # fmt: skip


def test_lists_corrections_declared_values_and_downgrades_beside_the_totals(
    report: dict[str, Any], proofs: ReportProofs
) -> None:
    report["data_quality"] |= beside_totals()
    report["data_quality"]["shares"] |= {"corrected_percent": "3.2258", "declared_percent": "16.1291"}
    shown = pdf_text(render_pdf(encode_report(report), proofs, lang="en"))
    for words in ("3.2258 %", "Corrected share", "16.1291 %", "Declared activity share", "wrong ratio",
                  "abababababab", "cdcdcdcdcdcd", "taken out", "87012.5 kWh", "0.17 %", "meter in repair",
                  "lowers the amount"):  # fmt: skip
        assert words in shown, words
    shown = pdf_text(render_pdf(encode_report(report), proofs, lang="zh"))
    assert "参与方的更正" in shown
    assert "数据来源降级" in shown


def test_a_long_list_of_corrections_is_cut_and_says_so(report: dict[str, Any], proofs: ReportProofs) -> None:
    rows = beside_totals()["corrections"][:1] * 43
    report["data_quality"]["corrections"] = rows
    assert "3 more in report.json" in pdf_text(render_pdf(encode_report(report), proofs, lang="en"))


def test_a_report_of_before_corrections_were_computed_still_renders(
    report: dict[str, Any], proofs: ReportProofs
) -> None:
    assert "corrections" not in report["data_quality"]
    assert "Corrected by the party" not in pdf_text(render_pdf(encode_report(report), proofs, lang="en"))
