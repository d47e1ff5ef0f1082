"""Every user of the service once, in a real headless Chromium, on what the demo leaves running.

Enterprise, verification body, bank, regulator and public each walk one journey, in both languages; all but
the public sign in first.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from base64 import b32decode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from carbonseal_api.accounts.one_time_codes import STEP_SECONDS, code_at
from carbonseal_api.accounts.persons import add_person
from carbonseal_api.demo.journey import run_demo
from carbonseal_api.demo.narrator import Narrator
from carbonseal_api.demo.scene import DemoOptions
from carbonseal_api.demo.stage import Stage

TOUR = Path(__file__).parents[1] / "api" / "browser" / "roles.mjs"
LANGUAGES = ("zh", "en")
EXPECTED = {
    "enterprise": ["home", "granted", "withdrawn", "lineage"],
    "verification_body": ["home", "opinion"],
    "bank": ["home", "grade"],
    "regulator": ["home", "lineage", "activity"],
    "public": ["home"],
}
NOT_GRADABLE = {"zh": "不可评定", "en": "not gradable"}


def walk(stage: Stage, folder: Path, lang: str) -> dict[str, Any]:
    node = shutil.which("node")
    assert node is not None, "node is not installed; `make setup` needs it too"
    # The bank's person signs in with password and one-time code, the others with a link that works once.
    lender = add_person(stage.parts, stage.cast.bank.facts.code, f"lender.{lang}@example.org", ["bank"])
    secret = b32decode(parse_qs(urlsplit(lender.otpauth).query)["secret"][0])
    facts = {
        "person": {
            "role": "bank",
            "login": lender.login,
            "link": urlsplit(lender.password_link).path,
            "password": "five words nobody would guess",
            "code": code_at(secret, stage.clock() // (STEP_SECONDS * 1000)),
        },
        "links": stage.page_links(),
        "credit_code": stage.cast.enterprise.facts.org,
        "bank": stage.cast.bank.facts.code,
        "body": stage.cast.verification_body.facts.code,
    }
    (folder / "links.json").write_text(json.dumps(facts), encoding="utf-8")
    ended = subprocess.run(
        [node, str(TOUR), str(folder / "links.json"), lang, str(folder)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return {**json.loads(ended.stdout), "base": stage.url}


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("users")
    seen: dict[str, Any] = {"folder": folder}

    def tour(stage: Stage) -> None:
        seen.update({lang: walk(stage, folder, lang) for lang in LANGUAGES})

    options = DemoOptions(out=folder / "out", days=2, is_serving=True)
    assert run_demo(options, Narrator("en", is_json=True, out=io.StringIO()), wait=tour)
    return seen


def steps_of(walked: dict[str, Any], lang: str, role: str) -> dict[str, Any]:
    return {step["name"]: step for step in walked[lang]["steps"] if step["role"] == role}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("role", EXPECTED)
def test_each_user_walks_one_journey(walked: dict[str, Any], lang: str, role: str) -> None:
    steps = steps_of(walked, lang, role)
    assert list(steps) == EXPECTED[role]
    assert all(step["heading"] and not step["overflow"] for step in steps.values())
    for name in steps:
        assert (walked["folder"] / f"{lang}-{role}-{name}.png").stat().st_size > 5000


@pytest.mark.parametrize("lang", LANGUAGES)
def test_enterprise_sees_grade_marks_and_who_asked_and_gives_and_withdraws_a_grant(
    walked: dict[str, Any], lang: str
) -> None:
    steps = steps_of(walked, lang, "enterprise")
    assert NOT_GRADABLE[lang] in steps["home"]["grade"]
    assert steps["home"]["marks"] == 1
    assert steps["home"]["asked"] >= 3
    assert steps["granted"]["added"] == 2
    assert steps["withdrawn"]["ended"] == 1
    assert steps["lineage"]["nodes"] > 3


@pytest.mark.parametrize("lang", LANGUAGES)
def test_verification_body_finds_its_report_its_bundle_and_its_opinion(
    walked: dict[str, Any], lang: str
) -> None:
    assert steps_of(walked, lang, "verification_body")["home"]["reports"] == 1
    assert (walked["folder"] / f"{lang}-evidence.bundle").stat().st_size > 100_000


@pytest.mark.parametrize("lang", LANGUAGES)
def test_regulator_sees_every_organisation_and_traces_one(walked: dict[str, Any], lang: str) -> None:
    steps = steps_of(walked, lang, "regulator")
    assert steps["home"]["organisations"] == 1
    assert steps["lineage"]["nodes"] > 0
    assert steps["activity"]["rows"] > 10


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_page_asks_a_third_party_or_trips_the_content_security_policy(
    walked: dict[str, Any], lang: str
) -> None:
    base = walked[lang]["base"]
    assert [address for address in walked[lang]["requests"] if not address.startswith(base)] == []
    assert walked[lang]["console"] == []
