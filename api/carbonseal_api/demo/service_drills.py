"""The drills on the service and the chain: to look where one may not, to use what is over, to record twice.

Each tries the real thing with real keys and credentials. A drill counts as caught only when the refusal bears
the code that is named for it here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import httpx

from carbonseal_api.demo.drills import Verdict
from carbonseal_api.demo.judging_stretch import UNITS, Judged, ask_grade, bank_http, try_to_record
from carbonseal_api.demo.opinion_stretch import REPORT
from carbonseal_api.demo.scene import Filed, Scene
from carbonseal_api.founding import seal
from carbonseal_api.grants import service as grants
from carbonseal_api.issuing import StatementRefused
from carbonseal_attest.contents import parse_content
from carbonseal_collectors.clock import SimulatedClock

SHORT_MS: Final = 1000  # how long the grant that runs out is valid
_HIDDEN: Final = frozenset({403, 404})


def run_service_drills(scene: Scene, filed: Filed, judged: Judged) -> Iterator[Verdict]:
    """Yield the verdict of each drill."""
    yield _other_organisation(scene, filed, judged)
    yield _opinion_by_enterprise(scene, judged)
    yield _opinion_not_logged(scene, judged)
    yield judged.recorded_twice
    yield _grant_expired(scene, judged)


def _other_organisation(scene: Scene, filed: Filed, judged: Judged) -> Verdict:
    """Have the bank ask for what its grant does not reach: files, readings, another's keys."""
    party = scene.cast.enterprise.facts.code
    reading = filed.report.recomputed.quality_body["plan_digest"].hex()
    paths = (
        f"/organisations/{party}/documents",
        f"/organisations/{party}/api-keys",
        f"/organisations/{party}/reports/{filed.report.report.digest.hex()}/evidence.bundle",
        f"/lineage/{reading}",
    )
    with bank_http(scene, judged.client) as http:
        answers = [http.get(path) for path in paths]
    seen = [answer for answer in answers if answer.status_code not in _HIDDEN]
    codes = ", ".join(sorted({_code(answer) for answer in answers}))
    return Verdict("other_organisation", not seen, codes, f"{len(answers)} of {len(paths)} refused")


def _opinion_by_enterprise(scene: Scene, judged: Judged) -> Verdict:
    """Have the enterprise sign an opinion on its own report, in its own log."""
    enterprise = scene.cast.enterprise
    body = parse_content(scene.stage.host.contents.get(judged.opinion.payload)).body
    try:
        with scene.stage.parts.desks.desk(enterprise.facts.code) as desk:
            desk.issue(enterprise.data_origin, REPORT, body)
    except StatementRefused as refusal:
        code = getattr(refusal, "refused_code", "")
        return Verdict("opinion_by_enterprise", code == "role-missing", code, refusal.reason)
    return Verdict("opinion_by_enterprise", is_caught=False, step="", reason="it was logged")


def _opinion_not_logged(scene: Scene, judged: Judged) -> Verdict:
    """Rest units on a verification report that was signed, and left out of the log."""
    body = scene.cast.verification_body
    content = parse_content(scene.stage.host.contents.get(judged.opinion.payload)).body
    signed, _ = seal(
        body.signer,
        REPORT,
        content,
        party=body.facts.code,
        subject=judged.opinion.header.subject,
        origin=body.data_origin,
        issued_at=scene.clock() // 1000,
        sequence=judged.opinion.header.sequence + 1,
        previous=judged.opinion.digest,
        is_public=False,
    )
    return try_to_record(scene, "opinion_not_logged", signed.digest, UNITS + 1, "opinion-unknown")


def _grant_expired(scene: Scene, judged: Judged) -> Verdict:
    """Have the bank ask once more when its grant is over."""
    parts, cast = scene.stage.parts, scene.cast
    owner, period = cast.enterprise.facts.code, judged.period
    for grant in grants.given_by(parts, owner):
        if grant.to == cast.bank.facts.code:
            grants.withdraw(parts, owner, grant.digest, "replaced by a short one (demo)")
    now = scene.clock()
    body = {
        "to": cast.bank.facts.code,
        "purpose": "loan",
        "level": "grade",
        "period": {"start": period[0], "end": period[1]},
        "valid": {"start": now, "end": now + SHORT_MS},
    }
    grants.give(parts, owner, body)
    if isinstance(scene.clock, SimulatedClock):
        scene.clock.advance(SHORT_MS)
    else:
        time.sleep(SHORT_MS / 1000)
    answer = ask_grade(scene, judged.client, cast.enterprise.facts.org or "")
    code = _code(answer)
    is_caught = answer.status_code == 403 and code == "grant-expired"
    return Verdict("grant_expired", is_caught, code, str(answer.json().get("reason", "it was answered")))


def _code(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("code", answer.status_code))
    except ValueError:
        return str(answer.status_code)
