"""The demo goes on after its report: opinion, grade, asset record, the bank's question; then a correction.

The bank asks over HTTP with client credentials, two persons record the units, and one corrected reading
travels through all of it. Each step tells the digest of its statement and how far its receipt has come.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import httpx

from carbonseal_api.accounts.clients import add_client
from carbonseal_api.assets import service as assets
from carbonseal_api.assets.acts import subject_of
from carbonseal_api.assets.queries import acts_about, standing_causes
from carbonseal_api.assets.service import Actor
from carbonseal_api.assets.wishes import RecordWish
from carbonseal_api.catalogue.industry_means import publish_mean
from carbonseal_api.demo.cast import INDUSTRY
from carbonseal_api.demo.drills import Verdict
from carbonseal_api.demo.opinion_stretch import opine
from carbonseal_api.demo.scene import Filed, Scene
from carbonseal_api.demo.settling import settle, tell_statement
from carbonseal_api.evidence.correcting import correct
from carbonseal_api.evidence.correction_schemas import CorrectedReading, CorrectionWish
from carbonseal_api.grades import service as grades
from carbonseal_api.grants import service as grants
from carbonseal_api.impacts.marks import marks_of_party
from carbonseal_api.problems import ServiceUnavailable
from carbonseal_attest.contents import parse_content
from carbonseal_attest.contents.readings import read_series
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Interval, format_instant
from carbonseal_attest.quantities import format_decimal
from carbonseal_attest.receipt import Receipt
from carbonseal_attest.statement import SignedStatement

YEAR_MS: Final = 365 * 86_400_000
VALUE_ADDED: Final = "900"  # 10^4 yuan
INDUSTRY_MEAN: Final = "2"  # t CO2e per 10^4 yuan
MEAN_UNIT: Final = "t{CO2e}/(10*4.CNY)"
REGISTRY: Final = "EXAMPLE-REGISTRY"
BATCH: Final = "2026-0001"
UNITS: Final = 1000
_NOT_TRIED: Final = (False, "", "not tried")


@dataclass(slots=True)
class Judged:
    """What came of the stretch; the drills go on from it."""

    opinion: SignedStatement
    record: bytes = b""
    grade: str = ""
    grade_after: str = ""
    is_frozen: bool = False
    marked: list[str] = field(default_factory=list)
    client: tuple[str, str] = ("", "")
    period: Interval = (0, 0)
    recorded_twice: Verdict = field(default_factory=lambda: Verdict("recorded_twice", *_NOT_TRIED))

    @property
    def has_travelled(self) -> bool:
        """Whether the correction reached grade and asset."""
        return self.grade_after == "not_gradable" and self.is_frozen and len(self.marked) > 0

    def to_json(self) -> dict[str, Any]:
        """Return grade before and after, the kinds that were marked, and whether the record froze."""
        return {
            "opinion": self.opinion.digest.hex(),
            "record": self.record.hex(),
            "grade": self.grade,
            "grade_after": self.grade_after,
            "marked": sorted(self.marked),
            "is_frozen": self.is_frozen,
        }


def judge(scene: Scene, filed: Filed) -> Judged:
    """Walk from the filed report to a corrected reading; return what came of it."""
    period = filed.bundle.reports[0].period
    _share(scene, period)
    judged = Judged(opine(scene, filed), period=period)
    _file_figures(scene, period)
    judged.grade = _grade(scene)
    judged.record = _record(scene, judged.opinion)
    # While everything stands: later the correction would be reason enough to refuse it.
    judged.recorded_twice = try_to_record(
        scene, "recorded_twice", judged.opinion.digest, UNITS // 2, "units-recorded"
    )
    judged.client = _bank_client(scene)
    _ask(scene, judged)
    _correct(scene, filed)
    _fall(scene, judged)
    return judged


def ask_grade(scene: Scene, client: tuple[str, str], org: str) -> httpx.Response:
    """Ask for a grade over HTTP, as a bank's program does."""
    with bank_http(scene, client) as http:
        return http.get(f"/grades/{org}")


@contextmanager
def bank_http(scene: Scene, client: tuple[str, str]) -> Iterator[httpx.Client]:
    """Yield an HTTP client that has signed in with client credentials (RFC 6749 §4.4)."""
    with httpx.Client(base_url=scene.stage.url, timeout=30) as http:
        answer = http.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=client)
        answer.raise_for_status()
        http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield http


def _share(scene: Scene, period: Interval) -> None:
    now, cast = scene.clock(), scene.cast
    for member, purpose, level in (
        (cast.verification_body, "verification", "evidence"),
        (cast.bank, "loan", "grade"),
    ):
        given = grants.give(
            scene.stage.parts,
            cast.enterprise.facts.code,
            {
                "to": member.facts.code,
                "purpose": purpose,
                "level": level,
                "period": {"start": period[0], "end": period[1]},
                "valid": {"start": now, "end": now + YEAR_MS},
            },
        )
        name = member.facts.name[scene.narrator.language]
        tell_statement(scene, "grant", cast.enterprise.register_origin, given.digest, to=name, level=level)


def _file_figures(scene: Scene, period: Interval) -> None:
    """File the value added, and have the registrar publish the industry's mean."""
    parts, enterprise, registrar = scene.stage.parts, scene.cast.enterprise, scene.cast.registrar
    with parts.desks.desk(enterprise.facts.code) as desk:
        body = {
            "record": "value_added",
            "quantity": {"value": VALUE_ADDED, "unit": "10*4.CNY"},
            "source": "accounts of the period, income method (demo)",
            "document_digest": None,
        }
        filed = desk.issue(enterprise.data_origin, "business_record", body, interval=period)
    tell_statement(scene, "value_added", enterprise.data_origin, filed.digest, value=VALUE_ADDED)
    mean = publish_mean(
        parts,
        industry=INDUSTRY,
        period=period,
        value=INDUSTRY_MEAN,
        unit=MEAN_UNIT,
        source="made up for the demo",
    )
    tell_statement(scene, "industry_mean", registrar.register_origin, mean.digest, value=INDUSTRY_MEAN)


def _grade(scene: Scene) -> str:
    parts, party = scene.stage.parts, scene.cast.enterprise.facts.code
    grades.regrade(parts, party, at=scene.clock())
    settle(scene)
    answer = grades.grade_as_of(parts, party, grades.DEFAULT_RULE, scene.clock())
    return _tell_grade(scene, answer)


def _tell_grade(scene: Scene, answer: grades.GradeAnswer) -> str:
    result = json.loads(answer.result)
    words = result["label"][scene.narrator.language]
    reasons = "; ".join(reason[scene.narrator.language] for reason in result["reasons"])
    statement = answer.proof.statement
    tell_statement(scene, "grade", statement.header.origin, statement.digest, grade=words, reasons=reasons)
    return str(result["grade"])


def _record(scene: Scene, opinion: SignedStatement) -> bytes:
    """Record the units as two persons: the enterprise proposes, the registrar confirms."""
    parts, cast = scene.stage.parts, scene.cast
    wish = _wish(opinion.digest, 1)
    act = assets.propose(parts, Actor.at_desk(cast.enterprise.facts.code), wish)
    done = assets.confirm(parts, Actor.at_desk(cast.registrar.facts.code), act.act_id)
    settle(scene)
    tell_statement(
        scene,
        "asset",
        cast.registrar.data_origin,
        bytes(done.statement_digest or b""),
        first=1,
        last=UNITS,
        registry=REGISTRY,
    )
    return bytes(done.record)


def try_to_record(scene: Scene, name: str, opinion: bytes, first: int, wanted: str) -> Verdict:
    """Propose to record units that must be refused; caught when the refusal bears the code `wanted`."""
    wish = _wish(opinion, first)
    try:
        assets.propose(scene.stage.parts, Actor.at_desk(scene.cast.enterprise.facts.code), wish)
    except CarbonsealError as refusal:
        return Verdict(name, refusal.code == wanted, refusal.code, refusal.reason)
    return Verdict(name, is_caught=False, step="", reason="it was proposed")


def _wish(opinion: bytes, first: int) -> RecordWish:
    return RecordWish(
        act="record",
        registry=REGISTRY,
        batch=BATCH,
        first=first,
        last=first + UNITS - 1,
        verification_report=opinion.hex(),
    )


def _bank_client(scene: Scene) -> tuple[str, str]:
    made = add_client(scene.stage.parts, scene.cast.bank.facts.code, ["bank"], "demo")
    return made.client_id, made.client_secret


def _ask(scene: Scene, judged: Judged) -> None:
    """Ask as the bank does, and check the receipt that came with the answer."""
    cast = scene.cast
    response = ask_grade(scene, judged.client, cast.enterprise.facts.org or "")
    answer = response.json()
    if response.status_code != 200:
        raise ServiceUnavailable("grade", str(answer.get("detail", "no answer")), "see the message")
    proof = {name: base64.b64decode(answer["proof"][name]) for name in ("statement", "receipt")}
    Receipt.parse(proof["receipt"]).verify(
        proof["statement"], origin=answer["statement"]["origin"], key=cast.log_key.public
    )
    scene.narrator.tell(
        "bank.asked",
        "done",
        digest=answer["statement"]["digest"][:16],
        state=scene.narrator.words(f"state.{answer['receipt_state']}"),
        grade=answer["label"][scene.narrator.language],
        pcaf=answer["pcaf_score"] or "-",
    )


def _correct(scene: Scene, filed: Filed) -> None:
    """Correct one reading that the report used."""
    parts, party = scene.stage.parts, scene.cast.enterprise.facts.code
    statement, sample = _a_reading(scene, filed)
    wish = CorrectionWish(
        readings_digest=statement.digest.hex(),
        reason="the register was read with a wrong scale (demo)",
        role="monitoring lead",
        readings=[sample],
    )
    done = correct(parts, party, wish)
    tell_statement(
        scene,
        "corrected",
        scene.cast.enterprise.register_origin,
        bytes.fromhex(done.correction_digest),
        meter=done.meter,
        at=sample.at,
        value=sample.value,
    )


def _a_reading(scene: Scene, filed: Filed) -> tuple[SignedStatement, CorrectedReading]:
    host, origin = scene.stage.host, scene.cast.enterprise.data_origin
    entries = host.select(origin, kinds={"readings"}, overlapping=filed.bundle.reports[0].period)
    for entry in entries[len(entries) // 2 :]:
        statement = SignedStatement.parse(entry.raw)
        content = parse_content(host.contents.get(statement.payload))
        for series in read_series(content.body):
            for one, following in pairwise(series.samples()):
                if one.value is not None and following.value is not None and one.value < following.value:
                    # Between its neighbours, as a misread register is: beyond them it would run backwards.
                    middle = (one.value + following.value) / 2
                    reading = CorrectedReading(
                        point=series.point,
                        at=format_instant(one.at),
                        value=format_decimal(middle.quantize(following.value)),
                        form=series.form,  # type: ignore[arg-type]  # the schema admits no other
                        unit=series.unit,
                    )
                    return statement, reading
    raise ServiceUnavailable("readings", "hold no value to correct", "run the demo on a plant that runs")


def _fall(scene: Scene, judged: Judged) -> None:
    """Close the epoch: marks are written, the grade falls, the record freezes; the bank asks again."""
    parts, cast = scene.stage.parts, scene.cast
    settle(scene)
    settle(scene)
    marks = marks_of_party(parts, cast.enterprise.facts.code)
    judged.marked = [mark.kind for mark in marks]
    origin = f"{parts.settings.log_host_name}/{parts.host_party}/data"
    for impact in sorted({mark.impact for mark in marks}):
        kinds = [mark.kind for mark in marks if mark.impact == impact]
        tell_statement(scene, "impact", origin, impact, kinds=", ".join(kinds))
    answer = grades.grade_as_of(parts, cast.enterprise.facts.code, grades.DEFAULT_RULE, scene.clock())
    judged.grade_after = _tell_grade(scene, answer)
    causes = standing_causes(parts.engine, parts.registrar, [judged.record])
    judged.is_frozen = bool(causes)
    freezes = [
        row
        for row in acts_about(parts.engine, parts.registrar, subject_of(judged.record))
        if row["body"]["act"] == "freeze"
    ]
    for row in freezes:
        tell_statement(scene, "frozen", cast.registrar.data_origin, bytes(row["statement_digest"]))
    _ask(scene, judged)
