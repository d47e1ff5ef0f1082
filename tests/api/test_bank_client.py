"""The bank's client of docs/how-to, against the service over a real socket; what it must not believe."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import uvicorn
from neighbours import (
    admit,
    credit_code,
    issue_grant,
    issue_opinion,
    issue_report,
    issue_value_added,
    take_back,
)

from carbonseal_api.accounts.clients import add_client
from carbonseal_api.app import create_app
from carbonseal_api.demo.cast import HOST_NAME
from carbonseal_api.grades import service as grades
from carbonseal_api.trust_files import own_trust_file
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.trust import TrustedRegistrar, TrustFile

CODE, OTHER = credit_code(11), credit_code(12)
Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def client(repository_root: Path) -> ModuleType:
    found = importlib.util.spec_from_file_location(
        "bank_client", repository_root / "docs" / "how-to" / "bank_client.py"
    )
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def place(market: Any) -> Any:
    return market


@pytest.fixture(scope="module")
def owner(place: Any) -> Any:
    found = {}
    for code in (CODE, OTHER):
        found[code] = admit(place, "enterprise", org=code, industry="C31")
        report = issue_report(found[code])
        issue_value_added(found[code])
        if code == CODE:
            issue_opinion(place.cast.verification_body, found[code], report)
        assert grades.regrade(place.parts, found[code].facts.code, at=place.clock())
    return found


@pytest.fixture(scope="module")
def address(place: Any) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(place.parts), log_level="warning", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(20)
    listener.close()


@pytest.fixture
def bank(place: Any) -> Any:
    return admit(place, "bank")


def trust_text(place: Any, registrar_key: Ed25519Signer | None = None) -> bytes:
    cast = place.cast
    key = (registrar_key or cast.registrar.signer).public
    return own_trust_file(
        publisher="Province",
        label="of a test",
        registrar=TrustedRegistrar(cast.registrar.facts.code, cast.registrar.register_origin, key),
        log_host=cast.log_host.facts.code,
        log_host_name=HOST_NAME,
        log_key=cast.log_key.public,
        chain=None,
        at=place.clock(),
        profile="default@1",
        signer=cast.publisher,
    )


@pytest.fixture
def run(
    place: Any,
    address: str,
    bank: Any,
    client: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    made = add_client(place.parts, bank.facts.code, ["bank"], "test")
    monkeypatch.setenv("CARBONSEAL_CLIENT_ID", made.client_id)
    monkeypatch.setenv("CARBONSEAL_CLIENT_SECRET", made.client_secret)
    trust = tmp_path / "trust.toml"
    trust.write_bytes(trust_text(place))

    def ask(code: str = CODE, *more: str) -> tuple[int, str]:
        exit_code = client.main([address, code, "--trust", str(trust), *more])
        printed = capsys.readouterr()
        return exit_code, printed.out + printed.err

    return ask


def test_a_bank_starts_with_one_file(
    place: Any, owner: Any, bank: Any, run: Run, address: str, tmp_path: Path, repository_root: Path
) -> None:
    issue_grant(place, owner[CODE], bank.facts.code)
    found = subprocess.run(
        [
            sys.executable,
            repository_root / "docs" / "how-to" / "bank_client.py",
            *(address, CODE, "--trust", str(tmp_path / "trust.toml"), "--as-of", "2027-03-01"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        env=dict(os.environ),
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert "低碳等级：中绿 / low-carbon grade: mid green, PCAF score 1" in found.stdout
    assert "proved: entry " in found.stdout
    assert f"of {place.cast.log_host.data_origin} at size" in found.stdout


def test_says_not_gradable_and_why(place: Any, owner: Any, bank: Any, run: Run) -> None:
    issue_grant(place, owner[OTHER], bank.facts.code)
    code, printed = run(OTHER)
    assert code == 1
    assert "not-verified" in printed


def test_each_refusal_of_a_grant_has_its_advice(place: Any, owner: Any, bank: Any, run: Run) -> None:
    assert run() == (
        3,
        "grant-missing: ask the enterprise for a grant: purpose loan, level grade, the period you need\n",
    )
    grant = issue_grant(place, owner[CODE], bank.facts.code)
    assert run()[0] == 0
    take_back(owner[CODE], grant)
    code, printed = run()
    assert (code, printed.split(":")[0]) == (3, "grant-withdrawn")
    issue_grant(place, owner[CODE], bank.facts.code)
    place.clock.now += 3_600_000
    code, printed = run()
    assert (code, printed.split(":")[0]) == (3, "grant-expired")


@pytest.mark.parametrize(
    ("code", "more", "words"),
    [
        ("91990000000000100X", (), "credit-code-invalid"),
        (CODE, ("--as-of", "2999-01-01"), "as-of-in-future"),
    ],
)
def test_other_refusals_are_told_by_their_code(
    run: Run, owner: Any, code: str, more: tuple[str, ...], words: str
) -> None:
    exit_code, printed = run(code, *more)
    assert exit_code == 2
    assert printed.startswith(words)


def test_a_wrong_secret_is_refused(run: Run, owner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARBONSEAL_CLIENT_SECRET", "0" * 43)
    exit_code, printed = run()
    assert exit_code == 2
    assert printed.startswith("invalid_client")


def test_sends_no_secret_in_clear_text(client: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        client.main(["http://service.example", CODE, "--trust", str(tmp_path / "trust.toml")])
    assert ended.value.code == 2


# -- a service that lies --


@pytest.fixture(scope="module")
def answers(place: Any, owner: Any, address: str, client: ModuleType) -> dict[str, bytes]:
    bank = admit(place, "bank")
    made = add_client(place.parts, bank.facts.code, ["bank"], "test")
    token = client.access_token(address, made.client_id, made.client_secret)
    for code in (CODE, OTHER):
        issue_grant(place, owner[code], bank.facts.code)
    return {code: client.ask(address, token, code, None) for code in (CODE, OTHER)}


def test_the_grade_of_another_organisation_is_not_believed(
    place: Any, answers: dict[str, bytes], client: ModuleType
) -> None:
    trust = TrustFile.parse(trust_text(place))
    assert client.prove(answers[CODE], trust, CODE)[0].grade == "mid"
    with pytest.raises(client.Refused, match=f"the grade is about {OTHER}"):
        client.prove(answers[OTHER], trust, CODE)


def test_the_answers_own_words_count_for_nothing(
    place: Any, answers: dict[str, bytes], client: ModuleType
) -> None:
    told = json.loads(answers[OTHER]) | {"grade": "deep", "gradable": True, "credit_code": CODE}
    trust = TrustFile.parse(trust_text(place))
    assert client.prove(json.dumps(told).encode(), trust, OTHER)[0].grade == "not_gradable"


def test_a_registrar_that_the_bank_does_not_trust_proves_nothing(
    place: Any, answers: dict[str, bytes], client: ModuleType
) -> None:
    trust = TrustFile.parse(trust_text(place, Ed25519Signer.generate()))
    with pytest.raises(CarbonsealError, match=r"header\.kid"):
        client.prove(answers[CODE], trust, CODE)


@pytest.mark.parametrize("part", ["statement", "content", "receipt"])
@pytest.mark.parametrize("whom", ["grade", "log_host", "party"])
def test_a_flipped_bit_anywhere_in_the_proof_is_refused(
    place: Any, answers: dict[str, bytes], client: ModuleType, whom: str, part: str
) -> None:
    told = json.loads(answers[CODE])
    held = told["proof"] if whom == "grade" else told["proof"][whom]
    data = bytearray(base64.b64decode(held[part]))
    data[len(data) // 2] ^= 1
    held[part] = base64.b64encode(bytes(data)).decode()
    with pytest.raises(CarbonsealError, match=r": .+; "):
        client.prove(json.dumps(told).encode(), TrustFile.parse(trust_text(place)), CODE)
