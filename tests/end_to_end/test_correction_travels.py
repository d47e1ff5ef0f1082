"""One corrected reading travels through report, code, opinion, grade and asset record, and is cured.

Everything is real: a plant behind Modbus TCP, a gateway, PostgreSQL, an EVM node with both contracts, the
verification body's own key, a bank that asks over HTTP. It is told once; the tests look at what came of it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from carbonseal_api.assets import service as assets
from carbonseal_api.assets import views
from carbonseal_api.assets.queries import standing_causes
from carbonseal_api.assets.service import Actor, confirm
from carbonseal_api.assets.wishes import EndWish
from carbonseal_api.demo import judging_stretch as stretch
from carbonseal_api.demo.cast import Cast
from carbonseal_api.demo.judging_stretch import Judged, ask_grade
from carbonseal_api.demo.narrator import Narrator
from carbonseal_api.demo.opinion_stretch import opine
from carbonseal_api.demo.plant_month import DAY_MS
from carbonseal_api.demo.report_stretch import file_period
from carbonseal_api.demo.scene import PLANT_START, DemoOptions, Filed, Scene
from carbonseal_api.demo.settling import settle
from carbonseal_api.demo.site_stretch import found, gateway_file, plant
from carbonseal_api.demo.stage import Stage
from carbonseal_api.evidence.correcting import correct
from carbonseal_api.evidence.correction_schemas import CorrectedReading, CorrectionWish
from carbonseal_api.impacts.marks import marks_on
from carbonseal_api.impacts.service import open_marks
from carbonseal_api.lineage.service import lineage
from carbonseal_api.reports.bundle_files import bundle_bytes
from carbonseal_attest.contents import parse_content
from carbonseal_attest.contents.readings import read_series
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import format_instant
from carbonseal_attest.quantities import format_decimal
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.trust import TrustFile
from carbonseal_collectors.clock import SimulatedClock
from carbonseal_verifier.check import examine

MARKED = {"inventory", "emissions_report", "quality_code", "verification_report", "grade", "asset"}


@dataclass
class Told:
    """What came of the story: the old and the new period, and what stood in between."""

    scene: Scene
    old: Filed
    judged: Judged
    after: dict[bytes, set[str]] = field(default_factory=dict)  # open marks once the correction travelled
    refused: str = ""  # why a movement of the frozen record was refused
    answer_after: dict[str, Any] = field(default_factory=dict)
    new: Filed | None = None
    opinion: SignedStatement | None = None
    between: dict[bytes, set[str]] = field(default_factory=dict)  # before the release

    @property
    def parts(self) -> Any:
        return self.scene.stage.parts

    @property
    def report(self) -> bytes:
        return self.old.report.report.digest

    @property
    def code(self) -> bytes:
        return self.old.report.quality.digest

    @property
    def grade(self) -> bytes:
        """The grade that fell: the first that the log host stated."""
        return self.entries("log_host", "grade")[0].digest

    @property
    def things(self) -> list[bytes]:
        return [self.report, self.code, self.judged.opinion.digest, self.grade, self.judged.record]

    def entries(self, member: str, kind: str, log: str = "data") -> list[SignedStatement]:
        origin = getattr(getattr(self.scene.cast, member), f"{log}_origin")
        return [SignedStatement.parse(e.raw) for e in self.scene.stage.host.select(origin, kinds={kind})]

    def body(self, statement: SignedStatement) -> dict[str, Any]:
        body: dict[str, Any] = parse_content(self.scene.stage.host.contents.get(statement.payload)).body
        return body

    def epoch_of(self, statement: SignedStatement) -> int:
        host, origin = self.scene.stage.host, statement.header.origin
        record = host.epoch_covering(origin, host.find(origin, statement.digest).index + 1)
        assert record is not None
        return record.epoch

    def marks(self, digests: list[bytes]) -> dict[bytes, set[str]]:
        return {d: {mark.kind for mark in marks} for d, marks in open_marks(self.parts, digests).items()}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    options = DemoOptions(out=tmp_path_factory.mktemp("travels"), days=2)
    clock, cast = SimulatedClock(PLANT_START - DAY_MS), Cast()
    with Stage(cast, clock) as stage:
        scene = Scene(options, Narrator("en", True), cast, clock, stage, gateway_file(options))
        plan, plan_statement, config = found(scene)
        period = plant(scene, plan, config)
        old = file_period(scene, plan, plan_statement, period)
        story = Told(scene, old, rest_on(scene, old))
        correct_a_reading(scene, period, plan.body)
        stretch._fall(scene, story.judged)
        story.after = story.marks(story.things)
        story.refused = try_to_retire(story)
        story.answer_after = ask_grade(scene, story.judged.client, cast.enterprise.facts.org or "").json()
        cure(story, lambda: file_period(scene, plan, plan_statement, period))
        yield story


def rest_on(scene: Scene, filed: Filed) -> Judged:
    """Have an opinion, a grade and an asset record rest on a report, and a bank ask."""
    period = filed.bundle.reports[0].period
    stretch._share(scene, period)
    judged = Judged(opine(scene, filed), period=period)
    stretch._file_figures(scene, period)
    judged.grade = stretch._grade(scene)
    judged.record = stretch._record(scene, judged.opinion)
    judged.client = stretch._bank_client(scene)
    return judged


def correct_a_reading(scene: Scene, period: tuple[int, int], plan: dict[str, Any]) -> None:
    """Correct one reading of a register that nothing cross-checks to a value between its neighbours."""
    host, enterprise = scene.stage.host, scene.cast.enterprise
    checked = {
        name
        for check in plan["cross_checks"]
        for name in (*map(str, check.values()), *check.get("parts", ()))
    }
    free = {(item["device"], item["point"]) for item in plan["measurements"] if item["id"] not in checked}
    entries = host.select(enterprise.data_origin, kinds={"readings"}, overlapping=period)
    for entry in entries[len(entries) // 2 :]:
        statement = SignedStatement.parse(entry.raw)
        for series in read_series(parse_content(host.contents.get(statement.payload)).body):
            if (statement.header.subject, series.point) not in free:
                continue
            samples = [one for one in series.samples() if one.value is not None]
            for one, following in pairwise(samples):
                middle = (one.value + following.value) / 2
                value = middle.quantize(one.value) if one.value and following.value else one.value
                if series.form == "register" and one.value < value < following.value:
                    reading = CorrectedReading(
                        point=series.point,
                        at=format_instant(one.at),
                        value=format_decimal(value),
                        form="register",
                        unit=series.unit,
                    )
                    wish = CorrectionWish(
                        readings_digest=statement.digest.hex(),
                        reason="the register was read while it turned",
                        role="monitoring lead",
                        readings=[reading],
                    )
                    correct(scene.stage.parts, enterprise.facts.code, wish)
                    return
    pytest.fail("no register rose within one statement")


def try_to_retire(story: Told) -> str:
    wish = EndWish(act="retire", record=story.judged.record.hex(), reference="example")
    try:
        assets.propose(story.parts, Actor.at_desk(story.scene.cast.enterprise.facts.code), wish)
    except CarbonsealError as refusal:
        return refusal.code
    return ""


def cure(story: Told, file_again: Any) -> None:
    """Withdraw the report, file anew on the corrected reading, have it verified, release by two persons."""
    scene, enterprise = story.scene, story.scene.cast.enterprise
    body = {"withdraws": story.report, "role": "operator", "reason": "a reading was corrected"}
    with story.parts.desks.desk(enterprise.facts.code) as desk:
        desk.issue(enterprise.register_origin, "withdrawal", body)
    settle(scene)
    story.new = file_again()
    story.opinion = opine(scene, story.new)
    settle(scene)
    story.between = story.marks(story.things)
    registrar = Actor.at_desk(scene.cast.registrar.facts.code)
    for act in views.acts(story.parts, views.owner_of_folder(story.parts)):
        if act.act == "release" and act.confirmer is None:
            confirm(story.parts, registrar, act.id)
    settle(scene)


def test_the_correction_marks_every_derived_thing_within_one_epoch(told: Told) -> None:
    assert told.judged.has_travelled
    assert told.after == {
        told.report: {"inventory", "emissions_report"},
        told.code: {"quality_code"},
        told.judged.opinion.digest: {"verification_report"},
        told.grade: {"grade"},
        told.judged.record: {"asset"},
    }
    correction = told.entries("enterprise", "correction", "register")[0]
    impact = told.entries("log_host", "impact")[0]
    body = told.body(impact)
    assert (body["cause"], body["cause_digest"]) == ("readings_corrected", correction.digest)
    assert {row["kind"] for row in body["affected"]} == MARKED
    assert told.epoch_of(impact) - told.epoch_of(correction) <= 1
    assert told.parts.host.receipt_state(impact.header.origin, impact.digest) == "final"


def test_the_grade_falls_to_not_gradable_by_the_impact_and_the_bank_hears_why(told: Told) -> None:
    assert told.judged.grade == "deep"
    fallen = [told.body(one) for one in told.entries("log_host", "grade")][1]
    impact = told.entries("log_host", "impact")[0]
    assert (fallen["grade"], fallen["cause"], fallen["replaces"]) == (
        "not_gradable",
        impact.digest,
        told.grade,
    )
    assert told.answer_after["grade"] == "not_gradable"


def test_the_asset_record_is_frozen_on_the_chain_and_cannot_move(told: Told) -> None:
    acts = [told.body(one)["act"] for one in told.entries("registrar", "asset_act")]
    assert acts[:2] == ["record", "freeze"]
    assert told.refused != ""


def test_a_new_report_and_opinion_cure_all_but_what_two_persons_must_release(told: Told) -> None:
    assert told.between.keys() <= {told.judged.record}
    assert told.between == {told.judged.record: {"asset"}}


def test_after_the_release_nothing_is_marked_and_the_record_moves_again(told: Told) -> None:
    assert told.marks(told.things) == {}
    assert [told.body(one)["act"] for one in told.entries("registrar", "asset_act")][-1] == "release"
    assert standing_causes(told.parts.engine, told.parts.registrar, [told.judged.record]) == {}
    assert told.new is not None
    assert told.opinion is not None
    fresh = [told.new.report.report.digest, told.new.report.quality.digest, told.opinion.digest]
    assert marks_on(told.parts, fresh) == {}
    newest = told.body(told.entries("log_host", "grade")[-1])
    assert newest["grade"] == "deep"


def test_the_old_things_are_shown_as_superseded_and_say_by_what(told: Told) -> None:
    made = lineage(told.parts, None, f"asset:{told.judged.record.hex()}")
    marked = {node.id: node.marks for node in made.nodes if node.marks}
    assert {told.report.hex(), told.code.hex(), told.judged.opinion.digest.hex()} <= marked.keys()
    for marks in marked.values():
        assert {mark.state for mark in marks} == {"cured"}
        assert all(mark.cured_by for mark in marks)


def test_the_old_bundle_still_checks_under_the_trust_and_at_the_instant_of_its_time(told: Told) -> None:
    result, _ = examine(
        io.BytesIO(told.old.bundle_bytes), trust=TrustFile.parse(told.old.trust), at=told.old.at
    )
    assert result.has_passed, [(one.name, one.reason) for one in result.steps]


def test_a_bundle_of_the_old_report_made_now_fails_and_the_new_one_passes(told: Told) -> None:
    new = told.new
    assert new is not None
    result, _ = examine(io.BytesIO(new.bundle_bytes), trust=TrustFile.parse(new.trust), at=new.at)
    assert result.has_passed
    party = told.scene.cast.enterprise.facts.code
    late = bundle_bytes(told.parts, party, told.report)
    result, _ = examine(io.BytesIO(late), trust=TrustFile.parse(new.trust), at=new.at)
    assert not result.has_passed


def test_the_corrected_reading_leads_up_to_the_new_grade(told: Told) -> None:
    correction = told.entries("enterprise", "correction", "register")[0]
    made = lineage(told.parts, None, correction.digest.hex(), direction="up")
    assert told.new is not None
    assert told.new.report.report.digest.hex() in {node.id for node in made.nodes}
    assert told.entries("log_host", "grade")[-1].digest.hex() in {node.id for node in made.nodes}
