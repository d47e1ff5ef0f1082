"""A verification body with its own key on its own machine, against a running service with database and chain.

It joins, is granted a report, checks it, commits to a sample, draws it after the anchor, signs, withdraws.
Then everything that the service wrote anywhere is searched for the body's secret.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from carbonseal_api.admitting import invite_party
from carbonseal_api.assembly import system_clock
from carbonseal_api.catalogue.service import files_for_plan, publish_packages, shipped_packages
from carbonseal_api.demo.cast import HOST_NAME, Cast, enrol_gateway, file_calibrations
from carbonseal_api.demo.stage import Stage
from carbonseal_api.engagements.service import opinions_on
from carbonseal_api.filing.service import FilingRequest, file_report, render_and_register
from carbonseal_api.founding import seal
from carbonseal_api.grants.service import give
from carbonseal_api.operation.request_log import JsonLines
from carbonseal_api.trust_files import own_trust_file
from carbonseal_attest.anchor import AnchorEvidence
from carbonseal_attest.bundle_reading import read_bundle
from carbonseal_attest.contents.readings import Sample, Series, readings_body
from carbonseal_attest.instants import parse_instant
from carbonseal_attest.key_file import decrypt_key_file
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.trust import TrustedRegistrar
from carbonseal_ledger.outcomes import Submission
from carbonseal_verifier.cli import main
from carbonseal_verifier.errors import SamplingRefused
from carbonseal_verifier.sample_block import DrawBlock, compare_with_node
from carbonseal_verifier.transcript import parse_transcript

DAY, HOUR, STEP = 86_400_000, 3_600_000, 900_000
METER, METHOD, PROFILE = "m-main", "GBT32150-2015@1.0.0", "default@1"
PASSPHRASE = "only on the body's machine"
BLOCKS_AFTER = 3


@dataclass
class Engagement:
    """A service with one filed report, and a body's machine: a folder that the service knows nothing of."""

    stage: Stage
    cast: Cast
    home: Path
    report: bytes
    log: io.StringIO
    party: str = ""
    token: str = ""
    bundle_path: str = ""
    seen: dict[str, Any] = field(default_factory=dict)

    def run(self, *words: str) -> int:
        """A command on the body's machine."""
        before = Path.cwd()
        os.chdir(self.home)
        try:
            return main([*words])
        finally:
            os.chdir(before)

    def get(self, path: str, token: str | None = None) -> bytes:
        request = urllib.request.Request(
            self.stage.url + path, headers={"Authorization": f"Bearer {token or self.token}"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def fetch(self, trusted_block: int | None = None) -> None:
        """Download the bundle as the grant allows it, and write the body's own trust file for it."""
        query = "" if trusted_block is None else f"?trusted_block={trusted_block}"
        data = self.get(self.bundle_path + query)
        (self.home / "evidence.bundle").write_bytes(data)
        evidence = AnchorEvidence.from_cbor(read_bundle(io.BytesIO(data)).anchor or b"")
        registrar = self.cast.registrar
        trust = own_trust_file(
            publisher="Surveyors", label="what we believe",
            registrar=TrustedRegistrar(
                registrar.facts.code, registrar.register_origin, registrar.signer.public
            ),
            log_host=self.cast.log_host.facts.code, log_host_name=HOST_NAME, log_key=self.cast.log_key.public,
            chain=self.stage.chain.profile(evidence), at=system_clock(), profile=PROFILE,
            signer=self.cast.publisher,
        )  # fmt: skip
        (self.home / "trust.toml").write_bytes(trust)

    def anchor(self) -> int:
        """Close an epoch, anchor it until that is final, and return the number of the anchor's block."""
        self.stage.host.build_epoch()
        record = self.stage.chain.anchor_epoch(self.stage.host)
        assert record.block_number is not None
        return record.block_number


def plan_body(start: int) -> dict[str, Any]:
    return {
        "plan": "p-works", "plan_version": 1, "name": {"zh": "厂区", "en": "Works"},
        "time_zone": "Asia/Shanghai",
        "effective": {"start": start - 30 * DAY, "end": None}, "method": METHOD,
        "measurements": [{
            "id": "main", "device": METER, "point": "active", "quantity": "active_energy", "form": "interval",
            "unit": "kW.h", "step_ms": STEP, "name": {"zh": "进线", "en": "incoming"},
            "register_modulus": None, "capacity_per_hour": None,
            "calibration": {"required": True, "cycle_days": 730},
        }],
        "source_streams": [{
            "id": "grid", "type": "purchased_electricity", "name": {"zh": "外购电力", "en": "electricity"},
            "activity": [{"measurement": "main", "sign": 1}], "unit": "kW.h",
            "factors": {"grid_factor": {"set": "CN-GRID@1.0.0", "key": "CN.location_average.2023"}},
        }],
        "cross_checks": [], "quality_profile": PROFILE,
    }  # fmt: skip


def file_a_day(stage: Stage, cast: Cast) -> bytes:
    """Measure yesterday, file it, render and register the PDF; returns the report's digest."""
    host, enterprise = stage.host, cast.enterprise
    end = (system_clock() + 8 * HOUR) // DAY * DAY - 8 * HOUR  # midnight in Shanghai
    start = end - DAY
    assert cast.registrar.desk is not None
    assert enterprise.desk is not None
    publish_packages(host, cast.registrar.desk, cast.registrar.register_origin, shipped_packages())
    enrol_gateway(cast, [METER])
    plan = enterprise.issue(
        enterprise.register_origin, "monitoring_plan", plan_body(start), subject="i-works"
    )
    file_calibrations(cast, [METER], start - 30 * DAY)
    samples = [Sample(start + i * STEP, Decimal(1000 + 37 * i % 91) / 10) for i in range(96)]
    series = Series.of("active", "interval", "kW.h", samples, width_ms=STEP)
    statement, content = seal(
        cast.gateway, "readings", readings_body([series]), party=enterprise.facts.code, subject=METER,
        origin=enterprise.data_origin, stream=f"readings/{METER}", interval=(start, end), is_public=False,
        issued_at=system_clock() // 1000,
    )  # fmt: skip
    (outcome,) = host.register(enterprise.data_origin, [Submission(statement.raw, content)])
    assert outcome.problem is None
    request = FilingRequest(
        operator=enterprise.facts.code, installation="i-works", register_origin=enterprise.register_origin,
        data_origin=enterprise.data_origin, plan_digest=plan.digest, period=(start, end),
        packages=files_for_plan({"method": METHOD, "quality_profile": PROFILE}),
        parties={"operator": {"party": enterprise.facts.code, "name": dict(enterprise.facts.name)}},
    )  # fmt: skip
    filed = file_report(host, enterprise.desk, request, clock=system_clock)
    host.build_epoch()
    stage.chain.anchor_epoch(host)
    render_and_register(stage.parts, enterprise.desk, filed, language="en")
    give(stage.parts, enterprise.facts.code, _grant(cast.verification_body.facts.code, (start, end)))
    return filed.report.digest


def _grant(to: str, period: tuple[int, int]) -> dict[str, Any]:
    now = system_clock()
    return {
        "to": to, "purpose": "verification", "level": "evidence",
        "period": {"start": period[0], "end": period[1]}, "valid": {"start": now, "end": now + DAY},
    }  # fmt: skip


@pytest.fixture(scope="module")
def engagement(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engagement]:
    """Everything that happened, told once: the tests below look at it from several sides."""
    patch, log = pytest.MonkeyPatch(), io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(JsonLines())  # as the service writes them, fields and all
    logging.getLogger().addHandler(handler)
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.DEBUG)
    home, cast = tmp_path_factory.mktemp("body"), Cast()
    patch.setenv("CARBONSEAL_PASSPHRASE", PASSPHRASE)
    try:
        with Stage(cast, system_clock) as stage:
            made = Engagement(stage, cast, home, file_a_day(stage, cast), log)
            tell(made, patch)
            yield made
    finally:
        patch.undo()
        logging.getLogger().setLevel(level)
        logging.getLogger().removeHandler(handler)


def tell(story: Engagement, patch: pytest.MonkeyPatch) -> None:
    """The body's whole story."""
    stage, cast, home = story.stage, story.cast, story.home
    command = [sys.executable, "-m", "carbonseal_verifier.cli", "key", "--out", "body.key"]
    made = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=60, check=True)
    key = PublicKey.from_text(made.stdout.strip())
    name = {"zh": "独立核查机构", "en": "Independent Surveyors"}
    facts = cast.host_facts(stage.chain.facts)
    invited = invite_party(stage.parts, facts, key, name, roles=["verification_body"])
    story.party, story.token = invited.party, invited.api_key
    patch.setenv("CARBONSEAL_TOKEN", invited.api_key)
    (home / "invitation.json").write_bytes(invited.invitation)
    fingerprints = [
        "--registrar-key",
        cast.registrar.signer.public.raw.hex(),
        "--log-key",
        cast.log_key.public.raw.hex(),
    ]
    service, keyed = ["--service", stage.url], ["--key", "body.key"]
    assert story.run("join", "invitation.json", *keyed, *service, *fingerprints) == 0
    start = stage.host.find(cast.enterprise.data_origin, story.report).interval
    assert start is not None
    give(stage.parts, cast.enterprise.facts.code, _grant(story.party, start))
    story.anchor()
    (row,) = json.loads(story.get("/engagements"))
    story.bundle_path = row["bundle"]
    story.fetch()
    judged = ["evidence.bundle", "--trust", "trust.toml"]
    assert story.run("check", *judged, "--json", "check.json") == 0
    epoch = ["--epoch", str(len(stage.host.epochs()) + 1), "--blocks-after", str(BLOCKS_AFTER)]
    assert story.run("sample", "commit", *judged, *keyed, *service, *epoch) == 0
    block = story.anchor()
    story.fetch(block + BLOCKS_AFTER)
    story.seen["anchor_block"] = block
    assert story.run("sample", "draw", *judged) == 0
    assert story.run("sample", "transcript", *judged, *service) == 0
    node = ["--rpc", stage.chain._node.url]
    assert story.run("sample", "check", "transcript.json", "--bundle", *judged, *node) == 0
    opinion = ["--opinion", "unmodified", "--level", "reasonable", "--materiality", "5"]
    sign = [*opinion, "--transcript", "transcript.json"]
    assert story.run("sign", *judged, *keyed, *service, *sign) == 0
    story.anchor()
    assert story.run("submit", "verification.statement", "--trust", "trust.toml", *service) == 0
    check = [
        "verification.statement",
        "--bundle",
        *judged,
        "--transcript",
        "transcript.json",
        "--json",
        "opinion.json",
    ]
    assert story.run("opinion", "check", *check) == 0
    reports = f"/organisations/{cast.enterprise.facts.code}/reports/{story.report.hex()}/opinions"
    story.seen["in force"] = json.loads(story.get(reports, stage.api_key))
    digest = story.seen["in force"]["opinions"][0]["statement_digest"]
    reason = ["--reason", "a site visit showed otherwise"]
    assert story.run("withdraw", digest, *reason, *keyed, *service, "--trust", "trust.toml") == 0
    story.seen["withdrawn"] = json.loads(story.get(reports, stage.api_key))


# -- the story ----------------------------------------------------------------------------------------


def test_the_opinion_is_shown_in_force_with_its_receipt_and_then_withdrawn(engagement: Engagement) -> None:
    (first,) = engagement.seen["in force"]["opinions"]
    assert (first["body"], first["opinion"], first["level_of_assurance"]) == (
        engagement.party,
        "unmodified",
        "reasonable",
    )
    assert (first["standing"], first["receipt_state"]) == ("in_force", "final")
    (second,) = engagement.seen["withdrawn"]["opinions"]
    assert (second["standing"], second["withdrawn_reason"]) == ("withdrawn", "a site visit showed otherwise")
    assert engagement.seen["withdrawn"]["refused"] == []
    (known,) = opinions_on(engagement.stage.parts, engagement.report)
    assert known.standing == "withdrawn"


def test_the_draw_rests_on_the_bundles_own_evidence(engagement: Engagement) -> None:
    transcript = parse_transcript((engagement.home / "transcript.json").read_bytes())
    block = transcript.value["block"]
    assert block["anchor_block"] == engagement.seen["anchor_block"]
    assert (block["hash_from"], block["anchor_block_from"]) == ("evidence", "evidence")
    assert block["block"] == block["anchor_block"] + BLOCKS_AFTER
    assert transcript.is_proved_in_time
    assert (transcript.drawn, transcript.answered) == (59, 59)


def test_a_node_contradicts_another_block_and_another_anchor(engagement: Engagement) -> None:
    block = parse_transcript((engagement.home / "transcript.json").read_bytes()).value["block"]
    at = parse_instant(block["anchored_at"])
    told = DrawBlock(
        block["epoch"],
        at,
        block["anchor_block"],
        "stated",
        BLOCKS_AFTER,
        bytes.fromhex(block["block_hash"]),
        "stated",
    )
    url = engagement.stage.chain._node.url
    compare_with_node(url, told)
    for lie, why in (
        (replace(told, block_hash=bytes(32)), "another block"),
        (
            replace(told, anchor_block=told.anchor_block - 1, blocks_after=BLOCKS_AFTER + 1),
            "not of the anchor's time",
        ),
        (replace(told, blocks_after=10_000), "another block"),
    ):
        with pytest.raises(SamplingRefused, match=why):
            compare_with_node(url, lie)
    with pytest.raises(SamplingRefused, match="does not answer"):
        compare_with_node("http://127.0.0.1:9", told)


def test_anybody_re_performs_the_opinion(engagement: Engagement) -> None:
    result = json.loads((engagement.home / "opinion.json").read_text(encoding="utf-8"))
    assert result["holds"]
    assert {step["outcome"] for step in result["steps"]} == {"passed"}
    report = json.loads((engagement.home / "verification.json").read_text(encoding="utf-8"))
    assert report["verification_body"]["name"]["zh"] == "独立核查机构"
    assert report["figures"]["total"]["difference"]["value"] == "0"
    text_report = (engagement.home / "verification.md").read_text(encoding="utf-8")
    assert "无保留意见 / unmodified" in text_report


# -- the key -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Secret:
    """What must be nowhere, and what must be somewhere, or the search finds nothing at all."""

    hidden: list[bytes]
    known: list[bytes]


@pytest.fixture(scope="module")
def secret(engagement: Engagement) -> Secret:
    file = (engagement.home / "body.key").read_bytes()
    signer = decrypt_key_file(file, PASSPHRASE)
    return Secret([*_spelled(signer.seed), *_spelled(file), PASSPHRASE.encode()], _spelled(signer.public.raw))


def _spelled(data: bytes) -> list[bytes]:
    """Bytes as they are, in hex and in base64, at each of its three alignments."""
    shifted = [base64.b64encode(bytes(shift) + data)[4 if shift else 0 : -4] for shift in range(3)]
    safe = [base64.urlsafe_b64encode(bytes(shift) + data)[4 if shift else 0 : -4] for shift in range(3)]
    return [data, data.hex().encode(), data.hex().upper().encode(), *shifted, *safe]


def _found(data: bytes, wanted: list[bytes]) -> list[int]:
    return [at for at, one in enumerate(wanted) if one in data]


def test_no_file_of_the_service_holds_the_bodys_secret(engagement: Engagement, secret: Secret) -> None:
    with engagement.stage.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("CHECKPOINT"))
    files = [path for path in engagement.stage.folder.rglob("*") if path.is_file()]
    folders = {path.relative_to(engagement.stage.folder).parts[0] for path in files}
    assert {"pg", "published"} <= folders
    assert any("pg_wal" in path.parts for path in files)
    where_public_is = []
    for path in files:
        data = path.read_bytes()
        assert _found(data, secret.hidden) == [], path
        if _found(data, secret.known):
            where_public_is.append(path)
    # The public half is in tables and in the write-ahead log: such a search finds what is there.
    assert any("base" in path.parts for path in where_public_is)
    assert any("pg_wal" in path.parts for path in where_public_is)
    assert any(engagement.party in path.parts for path in files)


def test_no_table_of_the_database_holds_the_bodys_secret(engagement: Engagement, secret: Secret) -> None:
    tables = text(
        "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    dump = bytearray()
    raw = engagement.stage.engine.raw_connection()
    try:
        with engagement.stage.engine.connect() as connection:
            names = list(connection.scalars(tables))
        cursor = raw.cursor()
        for name in names:
            out = io.BytesIO()
            cursor.copy_expert(
                f"COPY {name} TO STDOUT", out
            )  # bytea comes out as hex, whatever TOAST does with it
            dump += out.getvalue()
    finally:
        raw.close()
    assert len(names) > 20
    assert _found(bytes(dump), secret.hidden) == []
    assert _found(bytes(dump), secret.known)


def test_no_log_line_and_no_answer_holds_the_bodys_secret(engagement: Engagement, secret: Secret) -> None:
    handled = engagement.log.getvalue().encode()
    assert handled.count(b'"path"') + handled.count(b'"route"') > 10
    assert _found(handled, secret.hidden) == []
    answers = [
        engagement.get(path)
        for path in (
            "/engagements",
            f"/logs/{HOST_NAME}/{engagement.party}/data/entries?start=0&end=3",
            "/metrics",
        )
    ]
    for answer in answers:
        assert _found(answer, secret.hidden) == []


def test_no_desk_of_the_service_signs_for_the_body(engagement: Engagement) -> None:
    from carbonseal_api.problems import PartMissing

    with pytest.raises(PartMissing, match="is not here"), engagement.stage.parts.desks.desk(engagement.party):
        pass


def test_the_bodys_outbox_holds_what_the_logs_hold_and_no_secret(
    engagement: Engagement, secret: Secret
) -> None:
    state = engagement.home / "body.key.state"
    kept = [path.read_bytes() for path in sorted(state.glob("*.statement"))]
    assert len(kept) == 5  # two genesis, commitment, opinion, withdrawal
    assert [_found(data, secret.hidden) for data in kept] == [[]] * 5
    host, body = engagement.stage.host, f"{HOST_NAME}/{engagement.party}"
    logged = {entry.raw for log in ("register", "data") for entry in host.select(f"{body}/{log}")}
    assert all(any(raw in data for raw in logged) for data in kept)
