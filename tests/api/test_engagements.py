"""Opinions over HTTP: what counts as one, who sees it and the bundle behind it, and what is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from carbonseal_api.demo.cast import Member
from carbonseal_api.engagements.service import opinions_on, refused_on
from carbonseal_api.founding import admission
from carbonseal_api.grants.service import give, withdraw
from carbonseal_api.issuing import StatementRefused
from carbonseal_attest.epoch import EpochEntry, MapProof
from carbonseal_verifier.findings_file import quantity_difference

DAY = 86_400_000
UNIT = "tCO2e"
STEPS = ("container", "signatures", "recompute", "report")


@pytest.fixture(scope="module")
def filed(
    database_url: str, tmp_path_factory, open_site: Callable[..., Any], file_january: Callable[..., Any]
) -> Iterator[Any]:
    with open_site(database_url, "engagements", tmp_path_factory.mktemp("engagements")) as site:
        yield file_january(site)


@pytest.fixture(scope="module")
def body(filed) -> Member:
    """The site's verification body."""
    return filed.site.cast.verification_body


def opinion_body(filed, **changes: Any) -> dict[str, Any]:
    start, end = filed.request.period
    total = filed.report.recomputed.inventory.to_json()["total"]["value"]
    row = quantity_difference(total, total, UNIT)
    return {
        "engagement": "en-january", "operator": filed.site.party, "report_digest": filed.report.report.digest,
        "bundle_digest": b"\x01" * 32, "trust_digest": b"\x02" * 32, "period": {"start": start, "end": end},
        "opinion": "unmodified", "opinion_text": {"zh": "公允", "en": "fair"}, "level_of_assurance":
        "reasonable", "materiality_percent": "5", "criteria": "GBT32150-2015@1.0.0",
        "figures": {"total": row, "grid": row},
        "findings": [], "sampling": None, "steps": dict.fromkeys(STEPS, "passed"), **changes,
    }  # fmt: skip


def opine(filed, by: Member, **changes: Any) -> bytes:
    """Log a verification report in a body's own data log; returns its digest."""
    assert by.desk is not None
    made = by.desk.issue(
        by.data_origin, "verification_report", opinion_body(filed, **changes), subject=filed.site.party
    )
    filed.site.parts.projections.refresh()
    return made.digest


def readmit(filed, member: Member, **changes: Any) -> None:
    cast = filed.site.cast
    facts = admission(member.facts, member.signer.public, cast.host_facts(None)) | changes
    cast.registrar.issue(cast.registrar.register_origin, "party", facts, subject=member.facts.code)
    filed.site.parts.projections.refresh()


def grant(filed, to: str, level: str = "evidence", *, purpose: str = "verification", **changes: Any) -> bytes:
    start, end = filed.request.period
    now = filed.site.clock()
    wanted = {
        "to": to, "purpose": purpose, "level": level, "period": {"start": start, "end": end},
        "valid": {"start": now, "end": now + 90 * DAY}, **changes,
    }  # fmt: skip
    return give(filed.site.parts, filed.site.party, wanted).digest


def reports_path(filed, *more: str) -> str:
    return "/".join([f"/organisations/{filed.site.party}/reports", *more])


def get(filed, role: str, path: str, **query: Any) -> Any:
    return filed.site.client.get(path, headers=filed.site.headers(role), params=query)


def standing(filed) -> dict[bytes, str]:
    return {one.digest: one.standing for one in opinions_on(filed.site.parts, filed.report.report.digest)}


def reasons(filed) -> dict[bytes, str]:
    return {one.digest: one.reason for one in refused_on(filed.site.parts, filed.report.report.digest)}


# -- what is no opinion ------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["enterprise", "log_host", "registrar"])
def test_the_log_takes_no_opinion_from_a_party_without_the_role(filed, who: str) -> None:
    member = getattr(filed.site.cast, who)
    with pytest.raises(StatementRefused, match="only a party admitted as verification_body"):
        opine(filed, member)


def test_an_opinion_of_a_body_with_the_enterprises_credit_code_is_logged_and_does_not_count(filed) -> None:
    kin, org = filed.site.admit("verification_body"), "91350100M000100Y43"
    readmit(filed, kin, org=org)
    readmit(filed, filed.site.cast.enterprise, org=org)
    digest = opine(filed, kin)
    assert digest not in standing(filed)
    assert "one credit code" in reasons(filed)[digest]
    # That the registrar names another code later does not make the two strangers.
    readmit(filed, kin, org=None)
    readmit(filed, filed.site.cast.enterprise, org=None)
    assert "one credit code" in reasons(filed)[digest]


def test_an_enterprise_admitted_as_a_body_too_does_not_verify_itself(filed) -> None:
    enterprise = filed.site.cast.enterprise
    readmit(filed, enterprise, roles=["enterprise", "verification_body"])
    digest = opine(filed, enterprise)
    assert "is the party whose report this is" in reasons(filed)[digest]
    readmit(filed, enterprise)
    assert "admitted as enterprise" in reasons(filed)[digest]


@pytest.mark.parametrize("status", ["suspended", "removed"])
def test_an_opinion_of_a_body_that_the_registrar_has_stopped_does_not_count(filed, body, status: str) -> None:
    digest = opine(filed, body)
    assert standing(filed)[digest] == "in_force"
    readmit(filed, body, status=status)
    assert f"is {status}" in reasons(filed)[digest]
    readmit(filed, body)
    assert standing(filed)[digest] == "in_force"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"operator": "e-nobodynobody22"}, "no emissions report of that operator"),
        ({"steps": {"signatures": "failed"}}, "step signatures did not pass"),
        ({"figures": {}}, "figures that were computed again"),
        ({"figures": {"total": quantity_difference("120", "100", UNIT)}}, "is material"),
        (
            {"findings": [{"finding": "f1", "type": "misstatement", "severity": "critical", "state": "open",
                           "text": {"zh": "错", "en": "wrong"}, "digests": []}]},
            "critical finding f1 is open",
        ),
        (
            {"sampling": {"commitment_digest": bytes(32), "transcript_digest": bytes(32), "drawn": 9,
                          "answered": 9}},
            "does not stand before it",
        ),
    ],
    ids=["another operator", "a failed step", "nothing recomputed", "material", "critical", "no commitment"],
)  # fmt: skip
def test_an_opinion_against_its_own_facts_does_not_count(
    filed, body, changes: dict[str, Any], why: str
) -> None:
    digest = opine(filed, body, **changes)
    assert digest not in standing(filed)
    assert why in reasons(filed)[digest]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"figures": {"total": quantity_difference("100", "100", UNIT)}}, "not the total of the emissions"),
        ({"period": {"start": 0, "end": DAY}}, "not the period of the emissions report"),
    ],
    ids=["another total", "another period"],
)
def test_an_unmodified_opinion_on_another_figure_than_the_report_has_does_not_count(
    filed, body, changes: dict[str, Any], why: str
) -> None:
    digest = opine(filed, body, **changes)
    assert digest not in standing(filed)
    assert why in reasons(filed)[digest]
    # An objection still stands where its body erred about what it objects to.
    objection = opine(filed, body, opinion="adverse", **changes)
    assert standing(filed)[objection] == "in_force"


def test_an_anchor_that_the_bodys_trust_file_did_not_require_bars_nothing(filed, body) -> None:
    digest = opine(filed, body, steps={**dict.fromkeys(STEPS, "passed"), "anchor": "failed"})
    assert standing(filed)[digest] == "in_force"


def test_an_opinion_on_a_report_that_nobody_filed_is_on_nothing(filed, body) -> None:
    digest = opine(filed, body, report_digest=b"\x07" * 32)
    parts = filed.site.parts
    assert opinions_on(parts, b"\x07" * 32) == []
    assert [one.digest for one in refused_on(parts, b"\x07" * 32)] == [digest]


# -- samples ------------------------------------------------------------------------------------------


def commit(filed, by: Member, *, ahead: int = 1, engagement: str = "en-january", size: int = 9) -> bytes:
    site = filed.site
    content = {
        "engagement": engagement, "report_digest": filed.report.report.digest, "nonce_digest": bytes(32),
        "strata": [{"id": "electricity-1", "expected": 2976, "sample_size": size}],
        "epoch": len(site.host.epochs()) + ahead, "blocks_after": 3,
    }  # fmt: skip
    assert by.desk is not None
    made = by.desk.issue(by.data_origin, "sampling_commitment", content, subject=site.party)
    site.host.build_epoch()
    site.parts.projections.refresh()
    return made.digest


def sampled(commitment: bytes, drawn: int = 9) -> dict[str, Any]:
    return {
        "commitment_digest": commitment,
        "transcript_digest": b"\x03" * 32,
        "drawn": drawn,
        "answered": drawn,
    }


@pytest.fixture
def fresh(filed) -> Member:
    """A body that has committed to nothing yet."""
    filed.site.others.pop("verification_body", None)
    return filed.site.admit("verification_body")


def test_a_sampled_opinion_counts(filed, fresh) -> None:
    digest = opine(filed, fresh, sampling=sampled(commit(filed, fresh)))
    assert standing(filed)[digest] == "in_force"


def test_a_commitment_logged_after_the_epoch_that_it_names_is_none(filed, fresh) -> None:
    digest = opine(filed, fresh, sampling=sampled(commit(filed, fresh, ahead=0)))
    assert "logged after the epoch that it names" in reasons(filed)[digest]


def test_committing_until_the_draw_pleases_does_not_help(filed, fresh) -> None:
    first = commit(filed, fresh)
    second = commit(filed, fresh, engagement="en-second-try")
    digest = opine(filed, fresh, sampling=sampled(second), engagement="en-second-try")
    assert "earlier commitment to a sample of this report was never revealed" in reasons(filed)[digest]
    # Once the first one is revealed too, by whatever opinion, the second is an engagement of its own.
    opine(filed, fresh, sampling=sampled(first), opinion="disclaimer")
    assert standing(filed)[digest] == "in_force"


def test_leaving_the_sample_out_after_a_draw_that_does_not_please_does_not_help(filed, fresh) -> None:
    commitment = commit(filed, fresh)
    digest = opine(filed, fresh)
    assert "earlier commitment to a sample of this report was never revealed" in reasons(filed)[digest]
    opine(filed, fresh, sampling=sampled(commitment), opinion="disclaimer")
    assert standing(filed)[digest] == "in_force"


@pytest.mark.parametrize(
    ("changes", "drawn"),
    [({}, 8), ({"engagement": "en-another"}, 9)],
    ids=["another size", "another engagement"],
)
def test_a_sample_other_than_committed_to_does_not_count(
    filed, fresh, changes: dict[str, Any], drawn: int
) -> None:
    digest = opine(filed, fresh, sampling=sampled(commit(filed, fresh), drawn), **changes)
    assert "another sample than it committed to" in reasons(filed)[digest]


def test_anothers_commitment_is_not_ones_own(filed, body, fresh) -> None:
    digest = opine(filed, body, sampling=sampled(commit(filed, fresh)))
    assert "does not stand before it in the body's log" in reasons(filed)[digest]


# -- who sees what -------------------------------------------------------------------------------------


def test_without_a_grant_nothing_is_confirmed_to_exist(filed) -> None:
    site, digest = filed.site, filed.report.report.digest.hex()
    for role in ("verification_body", "bank"):
        for path in (
            "",
            f"/{digest}",
            f"/{digest}/opinions",
            f"/{digest}/report.json",
            f"/{digest}/evidence.bundle",
        ):
            answers = [
                site.client.get(f"/organisations/{party}/reports{path}", headers=site.headers(role))
                for party in (site.party, "e-nobodynobody22")
            ]
            assert [answer.status_code for answer in answers] == [403, 403]
            assert {answer.json()["code"] for answer in answers} == {"grant-missing"}
            assert answers[0].json()["detail"] == answers[1].json()["detail"]
    assert site.client.get("/engagements", headers=site.headers("verification_body")).json() == []


def test_another_enterprise_is_told_that_there_is_no_such_report(filed) -> None:
    answer = get(filed, "stranger", reports_path(filed, filed.report.report.digest.hex(), "opinions"))
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_a_grant_of_level_report_shows_the_report_and_not_its_evidence(filed) -> None:
    bank = filed.site.party_of("bank")
    given = grant(filed, bank, "report", purpose="loan")
    digest = filed.report.report.digest.hex()
    assert [row["statement_digest"] for row in get(filed, "bank", reports_path(filed)).json()] == [digest]
    assert get(filed, "bank", reports_path(filed, digest, "report.json")).content == filed.report.report_json
    assert get(filed, "bank", reports_path(filed, digest, "opinions")).status_code == 200
    refused = get(filed, "bank", reports_path(filed, digest, "evidence.bundle"))
    assert (refused.status_code, refused.json()["code"]) == (403, "grant-missing")
    withdraw(filed.site.parts, filed.site.party, given, "the loan was repaid")
    gone = get(filed, "bank", reports_path(filed, digest))
    assert (gone.status_code, gone.json()["code"]) == (403, "grant-withdrawn")


def test_a_grant_of_another_period_shows_nothing_of_this_one(filed) -> None:
    bank = filed.site.party_of("bank")
    end = filed.request.period[1]
    given = grant(filed, bank, "report", purpose="loan", period={"start": end, "end": end + 31 * DAY})
    digest = filed.report.report.digest.hex()
    assert get(filed, "bank", reports_path(filed)).json() == []
    covered, unknown = (
        get(filed, "bank", reports_path(filed, one, "report.json")) for one in (digest, "00" * 32)
    )
    assert (covered.status_code, unknown.status_code) == (404, 404)
    assert covered.json()["detail"] == unknown.json()["detail"]
    withdraw(filed.site.parts, filed.site.party, given, "over")


def test_a_body_sees_its_engagement_gets_the_bundle_and_the_owner_sees_both(filed, body) -> None:
    site, digest = filed.site, filed.report.report.digest.hex()
    given = grant(filed, body.facts.code)
    mine = opine(filed, body)
    (row,) = get(filed, "verification_body", "/engagements").json()
    assert (row["owner"], row["report_digest"], row["level"]) == (site.party, digest, "evidence")
    assert mine.hex() in [one["statement_digest"] for one in row["opinions"]]
    assert all(one["body"] == body.facts.code for one in row["opinions"])
    answer = get(filed, "verification_body", row["bundle"])
    assert answer.status_code == 200, answer.text
    assert answer.content[:20] == b"\x82qcarbonseal-bundle\x01"
    records = get(filed, "enterprise", f"/organisations/{site.party}/access-records").json()
    seen = [(one["party"], one["resource"], one["outcome"], one["grant_digest"]) for one in records]
    assert (body.facts.code, row["bundle"], "answered", given.hex()) in seen
    assert (body.facts.code, "/engagements", "answered", given.hex()) in seen
    withdraw(site.parts, site.party, given, "the engagement is over")
    assert get(filed, "verification_body", row["bundle"]).json()["code"] == "grant-withdrawn"
    assert get(filed, "verification_body", "/engagements").json() == []


def test_another_bodys_opinions_are_not_among_ones_engagements(filed, body, fresh) -> None:
    given = grant(filed, body.facts.code)
    foreign = opine(filed, fresh)
    (row,) = get(filed, "verification_body", "/engagements").json()
    assert foreign.hex() not in [one["statement_digest"] for one in row["opinions"]]
    withdraw(filed.site.parts, filed.site.party, given, "over")


@pytest.mark.parametrize("role", ["enterprise", "bank", "regulator", "operator"])
def test_engagements_are_a_verification_bodys(filed, role: str) -> None:
    assert get(filed, role, "/engagements").json()["code"] == "role-missing"


# -- opinions over HTTP ------------------------------------------------------------------------------


def test_an_opinion_is_shown_with_its_standing_and_receipt_state(filed, body) -> None:
    digest = opine(filed, body, level_of_assurance="limited", opinion="modified")
    path = reports_path(filed, filed.report.report.digest.hex(), "opinions")
    for role in ("enterprise", "reader", "regulator", "operator"):
        shown = {one["statement_digest"]: one for one in get(filed, role, path).json()["opinions"]}
        newest = shown[digest.hex()]
    expected = {
        "body": body.facts.code, "opinion": "modified", "level_of_assurance": "limited",
        "standing": "in_force", "withdrawn_by": None, "receipt_state": "logged", "open_findings": 0,
        "materiality_percent": "5", "marks": [],
    }  # fmt: skip
    assert {key: newest[key] for key in expected} == expected


def test_a_withdrawn_opinion_stays_visible_as_withdrawn(filed, body) -> None:
    digest = opine(filed, body)
    assert body.desk is not None
    taken = body.desk.issue(
        body.register_origin,
        "withdrawal",
        {"withdraws": digest, "role": "verification_body", "reason": "a site visit showed otherwise"},
    )
    path = reports_path(filed, filed.report.report.digest.hex(), "opinions")
    shown = {one["statement_digest"]: one for one in get(filed, "enterprise", path).json()["opinions"]}
    assert shown[digest.hex()]["standing"] == "withdrawn"
    assert shown[digest.hex()]["withdrawn_by"] == taken.digest.hex()
    assert shown[digest.hex()]["withdrawn_reason"] == "a site visit showed otherwise"


def test_only_the_body_itself_withdraws_its_opinion(filed, body) -> None:
    digest = opine(filed, body)
    enterprise = filed.site.cast.enterprise
    reason = {"withdraws": digest, "role": "operator", "reason": "we do not like it"}
    with filed.site.parts.desks.desk(filed.site.party) as desk:
        desk.issue(enterprise.register_origin, "withdrawal", reason)
    filed.site.parts.projections.refresh()
    assert standing(filed)[digest] == "in_force"


def test_what_does_not_count_is_shown_apart_with_its_reason(filed, body) -> None:
    digest = opine(filed, body, steps={})
    path = reports_path(filed, filed.report.report.digest.hex(), "opinions")
    answer = get(filed, "enterprise", path).json()
    assert digest.hex() not in [one["statement_digest"] for one in answer["opinions"]]
    row = next(one for one in answer["refused"] if one["statement_digest"] == digest.hex())
    assert (row["field"], row["body"]) == ("opinion", body.facts.code)


# -- proofs --------------------------------------------------------------------------------------------


def test_map_proof_holds_against_the_epochs_entry(filed, body) -> None:
    site = filed.site
    record = site.host.build_epoch()
    value = site.client.get(f"/logs/{body.data_origin}/proofs/map", params={"epoch": record.epoch}).json()
    path = [bytes.fromhex(node) for node in value["path"]]
    root = bytes.fromhex(value["root_hash"])
    proof = MapProof.from_value(body.data_origin, [value["tree_size"], root, value["index"], path])
    entry = EpochEntry(record.epoch, record.map_root, record.origins, record.built_at)
    proof.verify(entry)
    assert value["tree_size"] == site.host.head(body.data_origin).tree_size


@pytest.mark.parametrize(("origin", "epoch"), [("v-x/data", 1), ("..%2f..%2fetc", 1), (None, 10**9)])
def test_map_proof_of_what_is_not_there_is_not_found(filed, body, origin: str | None, epoch: int) -> None:
    name = body.data_origin if origin is None else f"log.carbonseal.example/{origin}"
    answer = filed.site.client.get(f"/logs/{name}/proofs/map", params={"epoch": epoch})
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
