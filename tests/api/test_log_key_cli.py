"""`carbonseal log-key`: what it refuses, an interruption, and that what is from before and after checks."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from carbonseal_api import deployment as deployments
from carbonseal_api.cli import main
from carbonseal_api.deployment import (
    admit_enterprise,
    found_deployment,
    key_folder,
    open_deployment,
    read_identity,
)
from carbonseal_api.filing.service import render_and_register
from carbonseal_api.problems import PartMissing
from carbonseal_api.reports.bundle_files import bundle_file
from carbonseal_api.running import opened
from carbonseal_api.settings import load_settings
from carbonseal_api.trust_files import changed_log_keys, own_trust_file
from carbonseal_attest import cbor
from carbonseal_attest.receipt import Receipt
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.trust import TrustedRegistrar, TrustFile
from carbonseal_ledger.log_host import LogHost
from carbonseal_verifier.check import run_check


@dataclass(frozen=True)
class Deployment:
    data: Path

    @property
    def settings(self) -> Any:
        return load_settings({}, data_folder=self.data)

    def run(self, *arguments: str) -> int:
        return main(["log-key", arguments[0], "--data", str(self.data), *arguments[1:]])


@pytest.fixture(scope="module")
def deployment(database_url: str) -> Iterator[Deployment]:
    data = Path(tempfile.mkdtemp(prefix="cs-log-key-"))
    server = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE log_key_cli"))
    server.dispose()
    url = make_url(database_url).set(database="log_key_cli", drivername="postgresql")
    (data / "carbonseal.toml").write_text(f'database_url = "{url.render_as_string(hide_password=False)}"\n')
    made = Deployment(data)
    parts = found_deployment(made.settings)
    admit_enterprise(parts, {"zh": "示范厂", "en": "Example Works"})
    parts.host.build_epoch()
    parts.close()
    yield made
    shutil.rmtree(data, ignore_errors=True)


def test_refuses_beside_a_running_service_and_without_a_reason(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    running = deployment.data / "running.json"
    running.write_text(json.dumps({"pids": {"supervisor": os.getpid()}}))
    assert deployment.run("rotate", "--reason", "yearly") == 2
    assert "the service runs on it" in capsys.readouterr().err
    running.unlink()
    for reason in (" ", "x" * 401):
        assert deployment.run("rotate", "--reason", reason) == 2
        assert "--reason" in capsys.readouterr().err
    assert len(key_folder(deployment.settings).names() & {"log", "log-next"}) == 1


def test_an_interrupted_rotation_opens_for_nothing_else_and_is_finished(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(Exception):
        pass

    def gone(*_: Any) -> None:
        raise Gone

    before = read_identity(deployment.settings).log_key
    monkeypatch.setattr(deployments.KeyFolder, "take_the_place", gone)
    with pytest.raises(Gone):
        deployment.run("rotate", "--reason", "yearly")
    monkeypatch.undo()
    with pytest.raises(PartMissing, match="not finished"):
        open_deployment(deployment.settings)
    capsys.readouterr()
    assert deployment.run("rotate", "--reason", "yearly", "--json") == 0
    out, err = capsys.readouterr()
    said = json.loads(out)
    assert (said["old"], said["logs"]) == (before, 0)
    assert "logs" in err
    assert read_identity(deployment.settings).log_key == said["new"] != before
    retired = [path.name for path in (deployment.data / "keys").glob("log.*.retired")]
    assert len(retired) == 1
    with opened(deployment.data) as parts:
        assert [key.text() for key in parts.host.log_keys()] == [said["new"], before]
        parts.host.build_epoch()


def test_shows_which_key_signs_from_which_size(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deployment.run("show", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert all(keys[0]["from_size"] == 0 for keys in shown["logs"].values())
    assert all(keys[-1]["public"] == shown["present"] for keys in shown["logs"].values())
    assert deployment.run("show") == 0
    assert f"present log key {shown['present']}" in capsys.readouterr().out


@pytest.fixture(scope="module")
def rotated(
    open_site: Any, file_january: Any, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """A site that filed January, then rotated its log key, with a receipt of before."""
    with open_site(database_url, "rotated", tmp_path_factory.mktemp("rotated")) as site:
        filed = file_january(site)
        render_and_register(site.parts, site.cast.enterprise.desk, filed.report, language="en")
        site.clock.now += 60_000
        site.host.build_epoch()
        site.parts.projections.refresh()
        old_receipt = site.host.receipt(site.origin, filed.report.report.digest)
        old, new = site.cast.log_key, Ed25519Signer.generate()
        host = LogHost(
            site.parts.engine,
            site.parts.published,
            new,
            site.clock,
            name=site.parts.settings.log_host_name,
            party=site.cast.log_host.facts.code,
            registrar=site.cast.registrar.facts.code,
            registrar_keys=[site.cast.registrar.signer.public],
            retiring=old,
        )
        host.rotate_log_key("yearly")
        site.clock.now += 60_000
        host.build_epoch()
        yield replace(filed, site=site), host, new, old_receipt
        host.close()


def trust_of(filed: Any, host: LogHost, new: Any, **changes: Any) -> TrustFile:
    site, cast = filed.site, filed.site.cast
    registers = [log.origin for log in host.logs()]
    values = {
        "publisher": "the test",
        "label": "made by the test",
        "registrar": TrustedRegistrar(
            cast.registrar.facts.code, cast.registrar.register_origin, cast.registrar.signer.public
        ),
        "log_host": cast.log_host.facts.code,
        "log_host_name": site.parts.settings.log_host_name,
        "log_key": new.public,
        "changed_keys": changed_log_keys(host, registers),
        "chain": None,
        "at": site.clock(),
        "profile": "default@1",
        "signer": cast.registrar.signer,
    }
    return TrustFile.parse(own_trust_file(**(values | changes)))


def bundle_of(filed: Any, host: LogHost) -> io.BytesIO:
    parts = replace(filed.site.parts, host=host)
    with bundle_file(parts, filed.site.party, [filed.report.report.digest]) as bundle:
        return io.BytesIO(bundle.read())


def test_a_bundle_over_a_rotation_passes_the_check(rotated: Any) -> None:
    filed, host, new, _ = rotated
    result = run_check(bundle_of(filed, host), trust=trust_of(filed, host, new), at=filed.site.clock() + 1000)
    # The fixture's report.json names an organisation code that its desk would leave out; all else passes.
    assert [step.name for step in result.steps if step.outcome != "passed"] == ["report"]


def test_a_trust_file_that_does_not_know_the_rotation_fails_it(rotated: Any) -> None:
    filed, host, new, _ = rotated
    for key in (new.public, filed.site.cast.log_key.public):
        trust = trust_of(filed, host, new, changed_keys=(), log_key=key)
        assert not run_check(bundle_of(filed, host), trust=trust, at=filed.site.clock() + 1000).has_passed


def test_old_receipts_verify_under_the_key_that_is_still_served(rotated: Any) -> None:
    filed, host, new, old_receipt = rotated
    site = filed.site
    receipt = Receipt.parse(old_receipt)
    known = trust_of(filed, host, new).log_hosts[0].key_for(site.origin, receipt.tree_size)
    statement = host.find(site.origin, filed.report.report.digest).raw
    receipt.verify(statement, origin=site.origin, key=known)
    site.client.app.state.parts = replace(site.parts, host=host)
    listed = cbor.decode(site.client.get("/.well-known/scitt-keys").content)
    assert [key[2] for key in listed] == [new.public.kid, known.kid]


def test_a_process_with_the_old_key_says_that_it_must_be_restarted(rotated: Any) -> None:
    filed, _, _, _ = rotated
    site = filed.site
    site.client.app.state.parts = site.parts
    answer = site.client.get(
        f"/logs/{site.origin}/receipts/{filed.report.report.digest.hex()}", headers=site.headers()
    )
    assert (answer.status_code, answer.json()["code"]) == (503, "log-key-retired")
