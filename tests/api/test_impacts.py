"""Impacts: what a correction, revocation, withdrawal or calibration out of date marks, and what cures it."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from history import METERS, NO_RULE, RULE, History, sha
from neighbours import admit
from plans import electricity_plan
from sqlalchemy import select, text

from carbonseal_api.founding import seal
from carbonseal_api.impacts import service
from carbonseal_api.impacts.closing import close_epoch
from carbonseal_api.impacts.marks import marks_on
from carbonseal_api.impacts.service import open_marks, travel
from carbonseal_api.issuing import StatementRefused
from carbonseal_api.lineage.service import lineage
from carbonseal_api.overview.queries import open_mark_counts
from carbonseal_api.projections.tables import EDGES, MARKS, MENTIONS, STATEMENTS
from carbonseal_attest.contents import parse_content
from carbonseal_attest.identifiers import opaque_code
from carbonseal_attest.identity.device_statements import enrolment, withdrawal
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.outcomes import Submission

START_MS = 1_767_196_800_000  # midnight of 2026-01-01 in Shanghai
DAY_MS = 86_400_000
WHOLE = {"inventory", "emissions_report", "quality_code", "verification_report", "grade", "asset"}


@pytest.fixture(scope="module")
def site(open_site: Any, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with open_site(database_url, "impacts", tmp_path_factory.mktemp("impacts")) as made:
        yield made


@pytest.fixture(scope="module")
def history(site: Any) -> History:
    return History(site, START_MS)


@pytest.fixture
def chain(site: Any, history: History, request: pytest.FixtureRequest) -> Any:
    """A day of its own with report, opinion, grade and asset record, all unmarked."""
    history.days = getattr(history, "days", -1) + 1
    return make_chain(site, history, history.days)


def make_chain(site: Any, history: History, day: int, rule: str = NO_RULE) -> Any:
    history.measure(day)
    filed = history.file(day)
    opinion = history.opine(filed)
    grade = history.grade(filed, opinion, rule=rule)
    history.asset(opinion)
    assert opened(site) == []
    return SimpleNamespace(
        day=day,
        readings=history.readings[day, METERS[0]],
        filed=filed,
        report=filed.report.digest,
        code=filed.quality.digest,
        opinion=opinion.digest,
        signed_opinion=opinion,
        grade=grade.digest,
        asset=sha(f"record of {opinion.digest.hex()}"),
    )


def walked(site: Any) -> list[dict[str, Any]]:
    """One look of the worker, a second later; returns the bodies of the impacts written."""
    site.clock.now += 1000
    made = travel(site.parts, site.clock())
    site.clock.now += 1000
    return [body_of(site, statement) for statement in made]


def opened(site: Any) -> list[dict[str, Any]]:
    """One look of the worker; what it marked. Cures of what other tests left behind are not among it."""
    return [body for body in walked(site) if body["state"] == "open"]


def body_of(site: Any, statement: Any) -> dict[str, Any]:
    body: dict[str, Any] = parse_content(site.host.contents.get(statement.payload)).body
    return body


def named(body: dict[str, Any]) -> set[tuple[str, bytes]]:
    return {(row["kind"], row["digest"]) for row in body["affected"]}


def everything(chain: Any) -> set[tuple[str, bytes]]:
    return {
        ("inventory", chain.report),
        ("emissions_report", chain.report),
        ("quality_code", chain.code),
        ("verification_report", chain.opinion),
        ("grade", chain.grade),
        ("asset", chain.asset),
    }


def marked(site: Any, *digests: bytes) -> dict[bytes, set[str]]:
    return {d: {mark.cause for mark in marks} for d, marks in open_marks(site.parts, digests).items()}


def grades(site: Any) -> list[dict[str, Any]]:
    entries = site.host.select(site.cast.log_host.data_origin, kinds={"grade"})
    return [body_of(site, SignedStatement.parse(entry.raw)) for entry in entries]


# -- attacks --


def test_a_correction_by_another_party_marks_nothing(site: Any, history: History, chain: Any) -> None:
    for member in (site.cast.verification_body, site.cast.registrar):
        history.correct(chain.readings, member=member, is_removed=True)
        history.withdraw(chain.filed.report, member=member)
        history.withdraw(chain.signed_opinion, member=site.cast.enterprise)
    assert opened(site) == []
    assert marked(site, chain.report, chain.code, chain.opinion, chain.grade, chain.asset) == {}


def test_the_ledger_refuses_an_impact_of_an_enterprise(site: Any, chain: Any) -> None:
    enterprise = site.cast.enterprise
    body = impact_body(site, chain.report)
    with pytest.raises(StatementRefused, match="only a party admitted as log_host writes impact"):
        enterprise.issue(enterprise.data_origin, "impact", body)


def test_an_impact_of_another_log_host_is_not_believed(site: Any, chain: Any) -> None:
    other = admit(site, "bank", "log_host")
    other.issue(other.data_origin, "impact", impact_body(site, chain.report))
    site.parts.projections.refresh()
    assert marked(site, chain.report) == {}
    assert marks_on(site.parts, [chain.report]) == {}


def test_a_cure_by_another_log_host_is_not_believed(site: Any, history: History, chain: Any) -> None:
    history.correct(chain.readings)
    (body,) = opened(site)
    (impact,) = {mark.impact for mark in open_marks(site.parts, [chain.report])[chain.report]}
    other = admit(site, "bank", "log_host")
    before = open_mark_counts(site.parts.engine, site.parts.host_party)
    other.issue(other.data_origin, "impact", {**body, "state": "cured", "cures": impact})
    site.parts.projections.refresh()
    assert marked(site, chain.report) == {chain.report: {"readings_corrected"}}
    assert open_mark_counts(site.parts.engine, site.parts.host_party) == before
    assert opened(site) == []


def impact_body(site: Any, report: bytes) -> dict[str, Any]:
    return {
        "state": "open",
        "cause": "readings_corrected",
        "cause_digest": sha("nothing"),
        "cures": None,
        "affected": [{"kind": "emissions_report", "party": site.party, "digest": report}],
        "reason": {"zh": "示例", "en": "forged"},
        "cure": {"zh": "示例", "en": "forged"},
    }


def test_two_workers_at_once_mark_once(site: Any, history: History, chain: Any) -> None:
    history.correct(chain.readings)
    site.clock.now += 1000
    made: list[Any] = []
    barrier = threading.Barrier(3)

    def work() -> None:
        barrier.wait()
        made.extend(travel(site.parts, site.clock()))

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(made) == 1
    assert [len(marks) for marks in open_marks(site.parts, [chain.report]).values()] == [2]


def test_a_second_correction_of_the_same_reading_marks_nothing_more(
    site: Any, history: History, chain: Any
) -> None:
    history.correct(chain.readings)
    assert len(opened(site)) == 1
    history.correct(chain.readings)
    assert opened(site) == []


def test_marks_are_not_written_again_after_the_projections_were_lost(
    site: Any, history: History, chain: Any
) -> None:
    history.correct(chain.readings)
    assert len(opened(site)) == 1
    before = rows(site)
    site.parts.projections.replay()
    assert rows(site) == before
    assert opened(site) == []


def rows(site: Any) -> dict[str, set[Any]]:
    """Every row of the tables that lineage, activity and impacts are drawn into."""
    found: dict[str, set[Any]] = {}
    with site.parts.engine.connect() as connection:
        for table in (EDGES, MARKS, MENTIONS, STATEMENTS):
            found[table.name] = {
                tuple(bytes(v) if isinstance(v, memoryview) else v for v in row)
                for row in connection.execute(select(table))
            }
    assert all(found.values())
    return found


def test_a_worker_killed_between_mark_and_grade_is_completed_at_the_next_look(
    site: Any, history: History
) -> None:
    chain = make_chain(site, history, 80, RULE)
    history.correct(chain.readings)
    site.clock.now += 1000
    site.parts.projections.refresh()
    # What a kill leaves behind: the impact is in the log; no grade, and no note that it was looked at.
    (made,) = service._mark(service._Scene(site.parts, site.party))
    before = len(grades(site))
    assert opened(site) == []
    assert len(grades(site)) == before + 1
    newest = grades(site)[-1]
    assert newest["grade"] == "not_gradable"
    assert newest["cause"] == made.digest
    walked(site)
    assert len(grades(site)) == before + 1


def test_a_worker_killed_before_its_projection_was_read_marks_nothing_twice(
    site: Any, history: History, chain: Any, tmp_path: Any
) -> None:
    """The process dies by its own hand right after the log took the impact, before it could note anything."""
    history.correct(chain.readings)
    site.clock.now += 1000
    child = os.fork()
    if child == 0:
        os._exit(die_after_issuing(site))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 9
    assert opened(site) == []
    assert named_by_cause(site, chain.report) == 1


def die_after_issuing(site: Any) -> int:
    site.parts.engine.dispose(close=False)
    service.freeze_marked = lambda *_: os._exit(9)  # type: ignore[attr-defined]
    travel(site.parts, site.clock())
    return 1


def named_by_cause(site: Any, report: bytes) -> int:
    marks = marks_on(site.parts, [report])[report]
    return len({mark.impact for mark in marks})


def test_a_cause_with_thousands_of_derived_things_marks_each_once(
    site: Any, history: History, chain: Any, is_long_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, most = (10_000, service.MOST_AFFECTED) if is_long_run else (300, 100)
    monkeypatch.setattr(service, "MOST_AFFECTED", most)
    seal_grades(site, chain, count)
    history.correct(chain.readings)
    bodies = opened(site)
    assert len(bodies) == -(-(count + 6) // most)
    assert all(len(body["affected"]) <= most for body in bodies)
    listed = [item for body in bodies for item in named(body)]
    assert len(listed) == len(set(listed)) == count + 6
    assert opened(site) == []


def seal_grades(site: Any, chain: Any, count: int) -> None:
    """As many grades on one report, registered in batches."""
    member, origin = site.cast.log_host, site.cast.log_host.data_origin
    heads = {head.stream: head for head in site.host.stream_heads(origin, kid=member.signer.public.kid)}
    place, previous = heads["grade"].sequence, heads["grade"].digest
    given = json.dumps({"emissions": {"statement": chain.report.hex()}}).encode()
    items: list[Submission] = []
    for number in range(count):
        body = {
            "party": site.party,
            "rule": NO_RULE,
            "package_digest": sha("rule"),
            "period": {"start": START_MS, "end": START_MS + DAY_MS},
            "as_of": site.clock(),
            "grade": "mid",
            "input": given,
            "result": b"{}\n",
            "replaces": None,
            "cause": None,
        }
        statement, content = seal(
            member.signer,
            "grade",
            body,
            party=member.facts.code,
            subject=site.party,
            origin=origin,
            issued_at=site.clock() // 1000,
            sequence=place + 1 + number,
            previous=previous,
            is_public=False,
        )
        previous = statement.digest
        items.append(Submission(statement.raw, content))
    for start in range(0, count, 500):
        outcomes = site.host.register(origin, items[start : start + 500])
        assert [one.problem for one in outcomes if one.problem is not None] == []
    site.parts.projections.refresh()


def test_marks_are_in_the_very_epoch_that_the_worker_closes_next(
    site: Any, history: History, chain: Any
) -> None:
    history.correct(chain.readings)
    site.clock.now += 1000
    record = close_epoch(site.parts)
    (impact,) = {mark.impact for mark in marks_on(site.parts, [chain.report])[chain.report]}
    origin = site.cast.log_host.data_origin
    covering = site.host.epoch_covering(origin, site.host.find(origin, impact).index + 1)
    assert covering.epoch == record.epoch


def test_a_report_that_claims_a_cut_off_in_the_future_knows_nothing_that_came_after_it(
    site: Any, history: History, chain: Any
) -> None:
    told, interval = body_of(site, chain.filed.report), chain.filed.report.header.interval
    enterprise = site.cast.enterprise
    cut_off = [head | {"tree_size": 1 << 40} for head in told["cut_off"]]
    report = enterprise.issue(
        enterprise.data_origin,
        "emissions_report",
        dict(told) | {"cut_off": cut_off},
        subject="i-works1",
        interval=interval,
    )
    site.parts.projections.refresh()
    site.clock.now += 1000
    history.correct(chain.readings)
    opened(site)
    assert marked(site, report.digest) == {report.digest: {"readings_corrected"}}


def test_what_strangers_derive_from_a_data_code_or_an_opinion_is_marked_by_nobody(
    site: Any, history: History, chain: Any
) -> None:
    stranger, registrar = admit(site, "enterprise"), admit(site, "laboratory", "registrar")
    told, interval = body_of(site, chain.filed.report), chain.filed.report.header.interval
    report = stranger.issue(
        stranger.data_origin, "emissions_report", told, subject="i-works1", interval=interval
    )
    (real,) = [one for one in acts_of(site) if one["record"] == chain.asset]
    other = make_chain(site, history, chain.day + 100)
    act = real | {"record": other.asset, "act": "retire", "reference": "RT-1"}
    registrar.issue(registrar.data_origin, "asset_act", act, subject="a-record")
    split = real | {"act": "split", "last_of_left": 9, "parts": [other.asset, sha("right part")]}
    registrar.issue(registrar.data_origin, "asset_act", split, subject="a-record")
    site.parts.projections.refresh()
    history.correct(chain.readings)
    (body,) = opened(site)
    assert named(body) == everything(chain)
    assert marked(site, report.digest, other.asset) == {}


def acts_of(site: Any) -> list[dict[str, Any]]:
    entries = site.host.select(site.cast.registrar.data_origin, kinds={"asset_act"})
    return [body_of(site, SignedStatement.parse(entry.raw)) for entry in entries]


def test_statements_that_cannot_be_looked_at_keep_neither_others_unmarked_nor_the_epoch_open(
    site: Any, history: History, chain: Any
) -> None:
    other = admit(site, "enterprise")
    told = body_of(site, chain.filed.report)
    interval = chain.filed.report.header.interval
    report = other.issue(other.data_origin, "emissions_report", told, subject="i-works1", interval=interval)
    site.parts.projections.refresh()
    history.withdraw(report, member=other)
    history.correct(chain.readings)
    reports = {site.party: chain.report, other.facts.code: report.digest}
    spoiled, sound = sorted(reports)
    put = text("UPDATE projection_results SET body = CAST(:body AS jsonb) WHERE statement_digest = :digest")
    row = {"digest": reports[spoiled]}
    with site.parts.engine.begin() as connection:
        kept = connection.execute(
            text("SELECT body::text FROM projection_results WHERE statement_digest = :digest"), row
        ).scalar()
        connection.execute(put, row | {"body": "{}"})
    epoch = close_epoch(site.parts).epoch
    assert close_epoch(site.parts).epoch == epoch + 1
    assert set(open_marks(site.parts, list(reports.values()))) == {reports[sound]}
    with site.parts.engine.begin() as connection:
        connection.execute(put, row | {"body": kept})
    walked(site)
    assert set(open_marks(site.parts, list(reports.values()))) == set(reports.values())


# -- causes --


def test_a_corrected_reading_marks_all_that_rests_on_it_and_nothing_else(
    site: Any, history: History, chain: Any
) -> None:
    other = make_chain(site, history, chain.day + 40)
    _, correction = history.correct(chain.readings)
    (body,) = opened(site)
    assert (body["state"], body["cause"], body["cause_digest"]) == (
        "open",
        "readings_corrected",
        correction.digest,
    )
    assert named(body) == everything(chain)
    assert {row["party"] for row in body["affected"]} == {site.party}
    assert METERS[0] in body["reason"]["en"]
    assert METERS[0] in body["reason"]["zh"]
    assert "提" not in body["reason"]["en"]
    assert marked(site, chain.report, other.report, other.grade) == {chain.report: {"readings_corrected"}}


def test_a_report_filed_after_the_correction_is_not_marked(site: Any, history: History) -> None:
    day = 60
    history.measure(day)
    history.correct(history.readings[day, METERS[0]])
    filed = history.file(day)
    assert opened(site) == []
    assert marked(site, filed.report.digest, filed.quality.digest) == {}


def test_a_correction_of_a_corrected_value_marks_only_who_counted_it(site: Any, history: History) -> None:
    day = 62
    history.measure(day)
    replacement, _ = history.correct(history.readings[day, METERS[0]])
    assert replacement is not None
    filed = history.file(day)
    history.correct(replacement)
    (body,) = opened(site)
    assert named(body) >= {("emissions_report", filed.report.digest), ("quality_code", filed.quality.digest)}


def test_an_opinion_given_on_a_marked_report_is_marked_too(site: Any, history: History, chain: Any) -> None:
    history.correct(chain.readings)
    assert len(opened(site)) == 1
    late = history.opine(chain.filed)
    (body,) = opened(site)
    assert named(body) == {("verification_report", late.digest)}
    assert opened(site) == []


def test_a_withdrawn_report_marks_what_rests_on_it_but_not_its_data_code(
    site: Any, history: History, chain: Any
) -> None:
    history.withdraw(chain.filed.report)
    (body,) = opened(site)
    assert body["cause"] == "report_withdrawn"
    assert named(body) == everything(chain) - {("quality_code", chain.code)}


def test_a_withdrawn_opinion_marks_grade_and_asset_but_not_the_report(
    site: Any, history: History, chain: Any
) -> None:
    withdrawal = history.withdraw(chain.signed_opinion, member=site.cast.verification_body)
    (body,) = opened(site)
    assert (body["cause"], body["cause_digest"]) == ("opinion_withdrawn", withdrawal.digest)
    assert named(body) == {
        ("verification_report", chain.opinion),
        ("grade", chain.grade),
        ("asset", chain.asset),
    }
    again = history.opine(chain.filed)
    cures = {row for body in walked(site) for row in named(body)}
    assert ("verification_report", chain.opinion) in cures
    assert marked(site, again.digest, chain.opinion) == {}


def test_a_revoked_device_marks_what_it_sealed_beyond_its_last_statement(site: Any, history: History) -> None:
    day, key = 64, site.cast.old_gateway
    enterprise = site.cast.enterprise
    device = opaque_code("g", key.public.raw)
    name = {"zh": "旧网关", "en": "Old gateway"}
    meter = METERS[0]
    enterprise.issue(
        enterprise.register_origin,
        "device",
        enrolment(site.party, device, key, name=name, subjects=[meter]),
        subject=device,
    )
    sealed = []
    for number in (day, day + 1):
        site.clock.now = max(site.clock.now, history.day(number + 1) + 60_000)
        previous = sealed[-1] if sealed else None
        statement, content = site.seal_readings(
            ["12.5"] * 96,
            start_ms=history.day(number),
            meter=meter,
            signer=key,
            sequence=len(sealed),
            previous=None if previous is None else previous.digest,
        )
        assert site.host.register(site.origin, [Submission(statement.raw, content)])[0].problem is None
        sealed.append(statement)
    history.measure(day, 2, meters=METERS[1:])
    spared, struck = history.file(day), history.file(day + 1)
    stream = f"readings/{meter}"
    last = [(stream, 0, sealed[0].digest)]
    body = withdrawal(site.party, device, key.public, "revoke", last=last, reason="key box lost")
    enterprise.issue(enterprise.register_origin, "device", body, subject=device)
    (made,) = opened(site)
    assert made["cause"] == "device_revoked"
    assert device in made["reason"]["en"]
    assert named(made) == {
        ("inventory", struck.report.digest),
        ("emissions_report", struck.report.digest),
        ("quality_code", struck.quality.digest),
    }
    assert marked(site, spared.report.digest) == {}


def other_works(site: Any, name: str, meters: tuple[str, ...], cycle_days: int) -> bytes:
    """A plan of further works over the same meters, whose certificates the plan's cycle ends early."""
    title = {"zh": "二号厂区", "en": "Works no. 2"}
    body = electricity_plan(f"p-{name}", title, meters, START_MS, cycle_days=cycle_days)
    enterprise = site.cast.enterprise
    digest: bytes = enterprise.issue(
        enterprise.register_origin, "monitoring_plan", body, subject=f"i-{name}"
    ).digest
    site.parts.projections.refresh()
    return digest


def calibrate(site: Any, meter: str, start: int, end: int) -> Any:
    enterprise = site.cast.enterprise
    body = {
        "device": meter,
        "certificate": f"CAL-{start}",
        "laboratory": "Example Metrology Institute",
        "accuracy_class": "0.5S",
        "calibrated_at": start,
        "valid_until": end,
        "document_digest": None,
    }
    statement = enterprise.issue(enterprise.register_origin, "calibration", body, subject=meter)
    site.parts.projections.refresh()
    return statement


def test_an_expired_calibration_marks_only_periods_that_reach_beyond_it(site: Any, history: History) -> None:
    # The certificates begin the day before day 0, so that a cycle of 71 days ends them at the end of day 69.
    plan = other_works(site, "works2", METERS[:1], 71)
    history.measure(69, 2, meters=METERS[:1])
    spared = history.file(69, plan=plan, installation="i-works2")
    struck = history.file(70, plan=plan, installation="i-works2")
    (body,) = opened(site)
    assert body["cause"] == "calibration_expired"
    assert ("emissions_report", struck.report.digest) in named(body)
    assert marked(site, spared.report.digest) == {}
    # A certificate that covers the time after all ends the cause, and with it the mark.
    certificate = calibrate(site, METERS[0], history.day(70), history.day(400))
    assert {row for cure in walked(site) for row in named(cure)} >= named(body)
    assert marked(site, struck.report.digest) == {}
    # Taken back, it covers nothing: the period is as uncovered as before.
    history.withdraw(certificate)
    walked(site)
    assert marked(site, struck.report.digest) == {struck.report.digest: {"calibration_expired"}}
    calibrate(site, METERS[0], history.day(70), history.day(400))
    walked(site)
    assert marked(site, struck.report.digest) == {}


def test_a_withdrawn_calibration_marks_the_periods_that_it_alone_covered(site: Any, history: History) -> None:
    plan = other_works(site, "works3", METERS[:1], 60)
    certificate = calibrate(site, METERS[0], history.day(72), history.day(74))
    history.measure(72, 1, meters=METERS[:1])
    site.clock.now = max(site.clock.now, history.day(74))
    # Certificates of the other test cover the time too, or not, by the order of tests: take what is left.
    struck = history.file(72, plan=plan, installation="i-works3")
    if marked(site, struck.report.digest):
        pytest.fail("marked before anything was withdrawn")
    history.withdraw(certificate)
    for other in list(covering(site, history.day(72))):
        history.withdraw(other)
    bodies = [body for body in walked(site) if body["cause"] == "calibration_withdrawn"]
    assert bodies
    assert any(("emissions_report", struck.report.digest) in named(body) for body in bodies)


def covering(site: Any, at: int) -> Iterator[Any]:
    for entry in site.host.select(site.cast.enterprise.register_origin, kinds={"calibration"}):
        statement = SignedStatement.parse(entry.raw)
        body = body_of(site, statement)
        if body["device"] == METERS[0] and body["certificate"] == f"CAL-{START_MS + 70 * DAY_MS}":
            yield statement


# -- cures --


def test_a_new_report_opinion_and_grade_cure_and_the_old_ones_stay(
    site: Any, history: History, chain: Any
) -> None:
    history.correct(chain.readings)
    (first,) = opened(site)
    history.withdraw(chain.filed.report)
    walked(site)
    again = history.file(chain.day)
    cures = walked(site)
    assert {kind for body in cures for kind, _ in named(body)} >= {"inventory", "quality_code"}
    assert marked(site, chain.report, again.report.digest) == {}
    assert marked(site, chain.opinion) == {chain.opinion: {"readings_corrected", "report_withdrawn"}}
    opinion = history.opine(again)
    assert marked(site, chain.grade) == {chain.grade: {"readings_corrected", "report_withdrawn"}}
    history.grade(again, opinion)
    cures = walked(site)
    assert {row for body in cures for row in named(body)} >= {
        ("verification_report", chain.opinion),
        ("grade", chain.grade),
        ("asset", chain.asset),
    }
    assert marked(site, chain.opinion, chain.grade, chain.asset, opinion.digest) == {}
    for mark in marks_on(site.parts, [chain.report])[chain.report]:
        assert mark.state == "cured"
        assert mark.cured_by is not None
    assert first["cures"] is None
    # Nothing of the old report was touched: its statement proves as before.
    view = lineage(site.parts, None, chain.report.hex(), depth=1)
    assert {mark.state for mark in view.nodes[0].marks} == {"cured"}
    assert hashlib.sha256(site.host.contents.get(chain.filed.report.payload)).digest() == (
        chain.filed.report.payload
    )


def test_a_new_report_that_is_withdrawn_cures_nothing(site: Any, history: History, chain: Any) -> None:
    history.withdraw(chain.filed.report)
    walked(site)
    again = history.file(chain.day)
    history.withdraw(again.report)
    walked(site)
    assert marked(site, chain.report) == {chain.report: {"report_withdrawn"}}


@pytest.mark.parametrize(
    "changes",
    [{"opinion": "adverse"}, {"opinion": "modified"}, {"steps": {"signatures": "failed"}}],
    ids=["adverse", "modified", "does not count"],
)
def test_an_opinion_that_is_no_better_ground_cures_nothing(
    site: Any, history: History, chain: Any, changes: dict[str, Any]
) -> None:
    history.withdraw(chain.signed_opinion, member=site.cast.verification_body)
    opened(site)
    history.opine(chain.filed, **changes)
    walked(site)
    assert marked(site, chain.opinion, chain.asset) == {
        chain.opinion: {"opinion_withdrawn"},
        chain.asset: {"opinion_withdrawn"},
    }
    history.opine(chain.filed)
    walked(site)
    assert marked(site, chain.opinion) == {}


def test_a_cure_that_is_taken_back_opens_the_marks_again(site: Any, history: History, chain: Any) -> None:
    history.withdraw(chain.filed.report)
    walked(site)
    again = history.file(chain.day)
    second = history.opine(again)
    walked(site)
    assert marked(site, chain.report, chain.opinion, chain.asset) == {}
    history.withdraw(again.report)
    bodies = [body for body in opened(site) if ("asset", chain.asset) in named(body)]
    assert [body["cause"] for body in bodies] == ["report_withdrawn"]
    fallen = (chain.report, chain.opinion, chain.asset, second.digest)
    assert marked(site, *fallen) == {digest: {"report_withdrawn"} for digest in fallen}
    assert opened(site) == []
    history.opine(history.file(chain.day))
    walked(site)
    assert marked(site, chain.report, chain.opinion, chain.asset, second.digest) == {}


def test_no_row_of_the_travel_is_left_in_doubt_by_a_log_that_lacks_a_content(
    site: Any, history: History, chain: Any
) -> None:
    """A correction whose content was erased says nothing any more: it neither marks nor cures."""
    _, correction = history.correct(chain.readings)
    (first,) = opened(site)
    site.host.contents.erase(correction.payload, "test")
    site.parts.projections.replay()
    assert opened(site) == []
    assert marked(site, chain.report) == {chain.report: {"readings_corrected"}}
    assert first["cause_digest"] == correction.digest


def test_nothing_is_looked_at_twice_when_nothing_happened(site: Any, chain: Any) -> None:
    with site.parts.engine.connect() as connection:
        count = connection.execute(text("SELECT count(*) FROM projection_settled")).scalar()
    assert count == sum(log.log != "epochs" for log in site.host.logs())
