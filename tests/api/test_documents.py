"""Documents: what is refused as a file, filing twice, links seen from both ends, and who may read them."""

from __future__ import annotations

import hashlib
import threading
from typing import Any

import pytest
from evidence_makers import (
    FEBRUARY_MS,
    MARCH_MS,
    START_MS,
    XLSX,
    data_size,
    file_bill,
    get,
    jpeg,
    pdf,
    png,
    post,
    xlsx,
)
from neighbours import admit, key_headers

from carbonseal_api.evidence.media_types import check_file_name, check_media_type
from carbonseal_api.paging import write_cursor
from carbonseal_api.problems import ApiError


def send(site: Any, data: Any, media_type: str, **query: Any) -> Any:
    return site.client.post(
        f"/organisations/{site.party}/documents",
        params={"title": "t", "name": "file.bin", **query},
        content=data,
        headers=site.headers("enterprise", **{"Content-Type": media_type}),
    )


@pytest.mark.parametrize(
    ("data", "stated"),
    [
        (b"<html><script>alert(1)</script>", "application/pdf"),
        (png("x"), "image/jpeg"),
        (jpeg("x"), "image/png"),
        (pdf("x"), "text/csv"),
        (b"<html></html>", "text/csv"),
        (b"a,b\n1,\x002\n", "text/csv"),
        (b"PK\x03\x04 a zip of something", XLSX),
        (xlsx("x", with_macros=True), XLSX),
        (b"MZ\x90\x00", "image/png"),
    ],
)
def test_rejects_bytes_that_are_not_of_the_stated_media_type(
    stated_site: Any, data: bytes, stated: str
) -> None:
    before = data_size(stated_site)
    answer = send(stated_site, data, stated)
    assert (answer.status_code, answer.json()["code"]) == (422, "media-type-contradicted")
    assert data_size(stated_site) == before


@pytest.mark.parametrize(
    ("data", "stated"),
    [
        (pdf("x"), "application/pdf"),
        (png("x"), "image/png"),
        (jpeg("x"), "image/jpeg"),
        ("月份,用电量\n2026-01,200.5\n".encode(), "text/csv"),
        ("月份,用电量\n2026-01,200.5\n".encode("gb18030"), "text/csv"),
        (xlsx("x"), XLSX),
    ],
)
def test_takes_each_type_that_evidence_comes_in_as_its_bytes_are(data: bytes, stated: str) -> None:
    check_media_type(data, stated)


@pytest.mark.parametrize("stated", ["text/html", "application/zip", "none", "application/x-msdownload"])
def test_rejects_media_types_that_evidence_does_not_come_in(stated_site: Any, stated: str) -> None:
    answer = send(stated_site, b"x", stated)
    assert (answer.status_code, answer.json()["code"]) == (415, "media-type-refused")


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "..",
        ".bashrc",
        "a/b.pdf",
        "a\\b.pdf",
        "C:bill.pdf",
        "bill\x00.pdf",
        "bill\n.pdf",
        "bill\u202efdp.exe",
        " bill.pdf",
        "",
        "x" * 121,
        "con|out.pdf",
    ],
)
def test_rejects_file_names_that_could_lead_elsewhere_or_be_misread(name: str) -> None:
    with pytest.raises(ApiError, match="is not a plain file name"):
        check_file_name(name)


def test_rejects_path_tricks_over_http_and_keeps_nothing(stated_site: Any) -> None:
    answer = send(stated_site, pdf("trick"), "application/pdf", name="../../../keys/registrar.key")
    assert (answer.status_code, answer.json()["code"]) == (422, "file-refused")
    digest = hashlib.sha256(pdf("trick")).hexdigest()
    assert get(stated_site, f"documents/{digest}").status_code == 404


def test_rejects_empty_file(stated_site: Any) -> None:
    answer = send(stated_site, b"", "application/pdf")
    assert (answer.status_code, answer.json()["reason"]) == (422, "is empty")


def test_rejects_claim_of_five_gigabytes_before_reading_them(stated_site: Any) -> None:
    headers = stated_site.headers(
        "enterprise", **{"Content-Type": "application/pdf", "Content-Length": str(5 << 30)}
    )
    answer = stated_site.client.post(
        f"/organisations/{stated_site.party}/documents?title=t&name=a.pdf", content=b"%PDF-", headers=headers
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


def test_stops_reading_an_endless_body_at_its_limit(stated_site: Any) -> None:
    sent = 0

    def endless() -> Any:
        nonlocal sent
        yield b"%PDF-"
        while sent < 64:  # MiB: twice the limit
            sent += 1
            yield b"\x00" * (1 << 20)

    answer = send(stated_site, endless(), "application/pdf")
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


@pytest.mark.parametrize("path", ["declared-activity", "withdrawals", "corrections"])
def test_rejects_json_bodies_longer_than_their_limit(stated_site: Any, path: str) -> None:
    headers = stated_site.headers("enterprise", **{"Content-Type": "application/json"})
    answer = stated_site.client.post(
        f"/organisations/{stated_site.party}/{path}", content=b'{"x": "' + b"y" * (5 << 20), headers=headers
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


def test_rejects_relation_to_a_statement_of_somebody_else_like_to_one_that_is_not(stated_site: Any) -> None:
    foreign = file_bill(stated_site, "a neighbour's bill", role="stranger")
    assert foreign.status_code == 409, "the stranger's key is not here"
    genesis = stated_site.host.entries(stated_site.admit("stranger").data_origin, 0, 1)[0].digest.hex()
    answers = [
        send(stated_site, pdf("related"), "application/pdf", relates_to=one) for one in (genesis, "00" * 32)
    ]
    assert {answer.json()["code"] for answer in answers} == {"statement-unknown"}
    assert answers[0].json()["reason"].replace(genesis, "") == answers[1].json()["reason"].replace(
        "00" * 32, ""
    )


def test_says_where_to_sign_when_the_key_is_elsewhere(stated_site: Any) -> None:
    answer = file_bill(stated_site, "b", role="stranger")
    assert answer.json()["code"] == "key-elsewhere"
    assert "/logs/{origin}/entries" in answer.json()["remedy"]


@pytest.mark.parametrize("role", ["operator", "reader", "gateway", "regulator"])
def test_nobody_but_the_enterprise_files_under_its_name(stated_site: Any, role: str) -> None:
    answer = stated_site.client.post(
        f"/organisations/{stated_site.party}/documents?title=t&name=a.pdf",
        content=pdf("x"),
        headers=stated_site.headers(role, **{"Content-Type": "application/pdf"}),
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "role-missing")


def test_file_is_kept_as_it_came_and_registered_with_its_digest(stated_site: Any) -> None:
    photo = jpeg("meter plate, taken at 31.2304N 121.4737E")
    answer = send(stated_site, photo, "image/jpeg", title="电表铭牌", name="铭牌.jpg")
    assert answer.status_code == 201, answer.text
    filed = answer.json()
    assert filed["document_digest"] == hashlib.sha256(photo).hexdigest()
    kept = get(stated_site, f"documents/{filed['document_digest']}")
    assert kept.content == photo
    assert kept.headers["content-type"] == "image/jpeg"
    assert kept.headers["x-content-type-options"] == "nosniff"
    assert kept.headers["content-disposition"].startswith("attachment; filename*=UTF-8''%E9%93%AD")
    view = get(stated_site, f"statements/{filed['statement_digest']}").json()
    assert view["content"]["body"]["document_digest"] == filed["document_digest"]
    assert view["content"]["body"]["size"] == len(photo)


def test_same_file_again_answers_with_the_statement_that_stands(stated_site: Any) -> None:
    first, size = file_bill(stated_site, "twice"), data_size(stated_site)
    again = file_bill(stated_site, "twice")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["statement_digest"] == first.json()["statement_digest"]
    assert (first.json()["is_new"], again.json()["is_new"]) == (True, False)
    assert data_size(stated_site) == size


def test_same_file_under_another_title_is_refused_and_names_the_statement(stated_site: Any) -> None:
    first = file_bill(stated_site, "one title").json()
    answer = file_bill(stated_site, "one title", title="another title")
    assert (answer.status_code, answer.json()["code"]) == (409, "document-differs")
    assert first["statement_digest"] in answer.json()["reason"]


def test_same_file_related_to_more_gets_a_statement_of_its_own(stated_site: Any) -> None:
    first = file_bill(stated_site, "to be related").json()
    more = file_bill(stated_site, "to be related", relates_to=first["statement_digest"])
    assert (more.status_code, more.json()["is_new"]) == (201, True)
    assert more.json()["document_digest"] == first["document_digest"]
    links = get(stated_site, f"statements/{first['statement_digest']}").json()["links"]
    assert {
        "relation": "document",
        "kind": "document",
        "statement_digest": more.json()["statement_digest"],
    } in links


def pages(site: Any, path: str, limit: int) -> list[list[dict[str, Any]]]:
    """Every page of a list, following its `Link` header."""
    address = f"/organisations/{site.party}/{path}?limit={limit}"
    found: list[list[dict[str, Any]]] = []
    while True:
        answer = site.client.get(address, headers=site.headers())
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        if "link" not in answer.headers:
            return found
        address = answer.headers["link"].partition("<")[2].partition(">")[0]


def test_list_comes_in_pages_that_hold_every_document_once(stated_site: Any) -> None:
    register_elsewhere = {
        "title": "kept by its owner elsewhere",
        "media_type": "application/pdf",
        "document_digest": b"\x09" * 32,
        "size": 9,
        "relates_to": [],
    }
    with stated_site.parts.desks.desk(stated_site.party) as desk:
        desk.issue(stated_site.origin, "document", register_elsewhere)
    for number in range(3):
        file_bill(stated_site, f"paged {number}")
    whole = pages(stated_site, "documents", 200)
    assert len(whole) == 1
    digests = [row["digest"] for row in whole[0]]
    assert len(set(digests)) == len(digests)
    assert [row["digest"] for page in pages(stated_site, "documents", 2) for row in page] == digests
    (elsewhere,) = [row for row in whole[0] if row["digest"] == "09" * 32]
    assert (elsewhere["is_kept_here"], elsewhere["name"], elsewhere["size"]) == (False, None, 9)


@pytest.mark.parametrize(
    "page",
    [
        {"limit": 0},
        {"limit": 201},
        {"cursor": "x"},
        {"cursor": write_cursor((1,))},
        {"cursor": write_cursor((1, "2"))},
        {"cursor": write_cursor((1, "\x00" * 64))},
        {"cursor": write_cursor((1 << 80, "0" * 64))},
        {"cursor": write_cursor((-1, "0" * 64))},
    ],
)
def test_rejects_pages_that_are_none(stated_site: Any, page: dict[str, Any]) -> None:
    answer = get(stated_site, "documents", **page)
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")


@pytest.mark.parametrize("key", [("x",), (1 << 80,), (-1,), (1, 2), ("\x00",)])
@pytest.mark.parametrize("path", ["declared-activity", "withdrawals"])
def test_rejects_cursors_of_another_list(stated_site: Any, path: str, key: tuple[Any, ...]) -> None:
    answer = get(stated_site, path, cursor=write_cursor(key))
    assert (answer.status_code, answer.json()["field"]) == (422, "cursor")


def test_two_at_the_same_moment_register_one_statement(stated_site: Any) -> None:
    before, answers = data_size(stated_site), []
    start = threading.Barrier(6)

    def one() -> None:
        start.wait()
        answers.append(file_bill(stated_site, "six at once"))

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json()["statement_digest"] for answer in answers}) == 1
    assert data_size(stated_site) == before + 1


def test_document_shows_what_rests_on_it_and_what_rests_on_it_shows_the_document(stated_site: Any) -> None:
    bill = file_bill(stated_site, "bill of January")
    wish = {
        "period": "2026-02",
        "stream": "grid",
        "source": "ledger",
        "value": "7.5",
        "unit": "MW.h",
        "document": bill.json()["statement_digest"],
    }
    value = post(stated_site, "declared-activity", wish).json()
    listed = get(stated_site, "documents").json()
    (entry,) = [row for row in listed if row["digest"] == bill.json()["document_digest"]]
    (support,) = entry["supports"]
    assert support["statement_digest"] == value["statement_digest"]
    assert (support["kind"], support["about"], support["start"]) == (
        "declared_activity",
        "grid",
        "2026-01-31T16:00:00Z",
    )
    assert value["document_digest"] == bill.json()["statement_digest"]
    links = get(stated_site, f"statements/{bill.json()['statement_digest']}").json()["links"]
    assert {
        "relation": "supports",
        "kind": "declared_activity",
        "statement_digest": value["statement_digest"],
    } in links
    refused = post(
        stated_site,
        "withdrawals",
        {"statement_digest": bill.json()["statement_digest"], "role": "operator", "reason": "wrong file"},
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "withdrawal-refused")
    assert value["statement_digest"] in refused.json()["reason"]


def grant(site: Any, grantee: str, level: str, period: tuple[int, int], purpose: str) -> None:
    body = {
        "grant": f"gr-{level}-{period[0]}-{purpose}",
        "to": grantee,
        "purpose": purpose,
        "level": level,
        "period": {"start": period[0], "end": period[1]},
        "valid": {"start": START_MS, "end": MARCH_MS * 2},
    }
    with site.parts.desks.desk(site.party) as desk:
        desk.issue(site.cast.enterprise.register_origin, "grant", body)


def test_file_never_leaves_its_owner_without_a_grant_at_level_evidence(stated_site: Any) -> None:
    site = stated_site
    bill = file_bill(site, "seen under a grant").json()
    loose = file_bill(site, "resting on nothing").json()
    wish = {"period": "2026-02", "stream": "grid", "source": "bill", "value": "7.5", "unit": "MW.h"}
    assert post(site, "declared-activity", wish | {"document": bill["statement_digest"]}).status_code == 201
    body = admit(site, "verification_body")
    headers = key_headers(site, body, "verification_body")

    def read(path: str) -> Any:
        return site.client.get(f"/organisations/{site.party}/{path}", headers=headers)

    file = f"documents/{bill['document_digest']}"
    assert read(file).json()["code"] == "grant-missing"
    grant(site, body.facts.code, "report", (START_MS, MARCH_MS), "verification")
    assert read(file).json()["code"] == "grant-missing"
    grant(site, body.facts.code, "evidence", (START_MS, FEBRUARY_MS), "verification")
    assert read(file).status_code == 404, "of another month than the grant's"
    assert bill["document_digest"] not in {row["digest"] for row in read("documents").json()}
    grant(site, body.facts.code, "evidence", (FEBRUARY_MS, MARCH_MS), "verification")
    assert read(file).status_code == 200
    assert read(f"statements/{bill['statement_digest']}").status_code == 200
    assert bill["document_digest"] in {row["digest"] for row in read("documents").json()}
    assert read(f"documents/{loose['document_digest']}").status_code == 404
    assert read(f"statements/{loose['statement_digest']}").status_code == 404
    records = site.client.get(f"/organisations/{site.party}/access-records", headers=site.headers()).json()
    mine = [row for row in records if row["party"] == body.facts.code and row["resource"] == file]
    assert [row["outcome"] for row in mine][:2] == ["answered", "refused"]
