"""Succession: a log host is closed at its last anchored heads, and the one that goes on names them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from carbonseal_api.assembly import Parts, system_clock
from carbonseal_api.chain_anchors import ChainAnchors
from carbonseal_api.cli import main
from carbonseal_api.deployment import (
    AdmittedParty,
    admit_enterprise,
    desk_of,
    found_deployment,
    key_folder,
    open_deployment,
)
from carbonseal_api.problems import LogHostClosed, PartMissing, RequestInvalid
from carbonseal_api.settings import Settings, load_settings
from carbonseal_api.succession.guardians import appointment, words
from carbonseal_api.succession.plan import read_plan, write_plan
from carbonseal_api.succession.service import closed_logs, found_successor, plan_of
from carbonseal_attest.contents import parse_content
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.anvil_node import AnvilNode
from carbonseal_ledger.chain_client import ChainClient
from carbonseal_ledger.log_succession import guardians_of, succession_of

DAY_S = 86_400
OLD, NEW = "log.old.example", "log.new.example"


@dataclass
class Closed:
    """A log host with one enterprise, anchored once; afterwards it registered more that no anchor covers."""

    settings: Settings
    node: AnvilNode
    admitted: AdmittedParty
    anchored: dict[str, int]
    root: Path
    database_url: str

    def successor(self) -> Settings:
        return settings_of(self.database_url, "successor", self.root / "new", self.node, NEW)


def settings_of(database_url: str, database: str, folder: Path, node: AnvilNode, name: str) -> Settings:
    server = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {database}"))
        connection.execute(text(f"CREATE DATABASE {database}"))
    server.dispose()
    url = make_url(database_url).set(database=database, drivername="postgresql")
    return load_settings(
        {},
        data_folder=folder,
        database_url=url.render_as_string(hide_password=False),
        chain_rpc_url=node.url,
        is_anvil=True,
        log_host_name=name,
    )


def anchor(parts: Parts, node: AnvilNode) -> None:
    """Close an epoch and bring its anchor to a final block."""
    record = parts.host.build_epoch()
    anchors = parts.anchors
    assert isinstance(anchors, ChainAnchors)
    for _ in range(60):
        anchors.plan_epochs(parts.host)
        anchors.step()
        if anchors.final_size() > record.entry_index:
            return
        node.mine()
    pytest.fail("the anchor does not become final")


def issue(parts: Parts, settings: Settings, party: str, origin: str, title: str) -> None:
    body = {
        "title": title, "media_type": "text/plain", "size": 1, "relates_to": [],
        "document_digest": bytes(32),
    }  # fmt: skip
    desk_of(parts, party, key_folder(settings).signer(party)).issue(origin, "document", body, subject=party)


@pytest.fixture(scope="module")
def closed(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    root = tmp_path_factory.mktemp("succession")
    with AnvilNode(started_at=system_clock() - 60_000) as node:
        settings = settings_of(database_url, "closed_host", root / "old", node, OLD)
        parts = found_deployment(settings)
        admitted = admit_enterprise(parts, {"zh": "示范厂", "en": "Example Works"})
        issue(parts, settings, admitted.party, admitted.data_origin, "before")
        anchor(parts, node)
        sizes = {log.origin: parts.host.head(log.origin).tree_size for log in parts.host.logs()}
        issue(parts, settings, admitted.party, admitted.data_origin, "after")
        parts.close()
        yield Closed(settings, node, admitted, sizes, root, database_url)


def predecessor_in(parts: Parts, origin: str) -> Any:
    genesis = SignedStatement.parse(parts.host.entry(origin, 0).raw)
    return parse_content(parts.host.contents.get(genesis.payload)).body["predecessor"]


def test_the_one_that_goes_on_names_the_last_anchored_heads_and_the_closed_one_refuses_to_open(
    closed: Closed, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(closed.settings, system_clock)
    heads = {log.origin: log for log in (plan.log_of_logs, *plan.logs)}
    data = closed.admitted.data_origin
    assert heads[data].tree_size == closed.anchored[data]  # and not what came after the anchor
    file = closed.root / "plan.json"
    file.write_bytes(write_plan(plan))
    assert read_plan(file) == plan

    new = closed.successor()
    told = found_successor(new, plan, closed.settings.data_folder / "keys", system_clock)
    assert (list(told.admitted), list(told.to_invite)) == ([closed.admitted.party], [])
    parts = open_deployment(new)
    try:
        for origin in (data, plan.log_of_logs.origin):
            named = predecessor_in(parts, origin.replace(OLD, NEW))
            head = heads[origin]
            assert named == {
                "origin": origin, "tree_size": head.tree_size, "root_hash": head.root_hash,
            }  # fmt: skip
        issue(parts, new, closed.admitted.party, data.replace(OLD, NEW), "goes on")
        kept = key_folder(closed.settings)
        assert key_folder(new).signer("log").public != kept.signer("log").public
        assert key_folder(new).secret("head") != kept.secret("head")
        anchor(parts, closed.node)
    finally:
        parts.close()
    named = {log.origin: log for log in closed_logs(new)}
    assert named[data].successor == data.replace(OLD, NEW)
    assert named.keys() == heads.keys()
    assert {log.successor for log in named.values()} >= {None}  # the old host's own logs end here

    monkeypatch.setenv("DATABASE_URL", closed.settings.database_url or "")
    out = closed.root / "again.json"
    command = ["succession", "plan", "--data", str(closed.settings.data_folder), "--out", str(out)]
    assert main([*command, "--close"]) == 0
    assert json.loads(capsys.readouterr().out)["closed"] is True
    with pytest.raises(LogHostClosed, match="succeeded"):
        open_deployment(closed.settings)
    assert plan_of(closed.settings, system_clock).logs == plan.logs


def test_two_guardians_close_the_log_of_logs_in_the_contract(closed: Closed) -> None:
    new = closed.successor()
    plan = plan_of(closed.settings, system_clock)
    shutil.rmtree(new.data_folder, ignore_errors=True)
    found_successor(new, plan, closed.settings.data_folder / "keys", system_clock)
    parts = open_deployment(new)
    anchor(parts, closed.node)
    parts.close()
    node = closed.node
    first, second = node.rpc("eth_accounts")[1:3]

    def send(sender: str, what: Any, *, at: int | None = None) -> None:
        done = node.rpc("eth_sendTransaction", {"from": sender, **what})
        node.mine(at=at)
        assert node.rpc("eth_getTransactionReceipt", done)["status"] == "0x1"

    def when() -> int:
        return int(node.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    send(first, appointment(closed.settings, [first, second]))
    said = words(closed.settings, new)
    send(second, said["first guardian"])
    send(first, said["other guardian"], at=(when() + 7 * DAY_S + 60) * 1000)
    chain = ChainClient(node.url or "")
    contract = bytes.fromhex(said["first guardian"]["to"][2:])
    assert guardians_of(chain, contract, plan.log_id) == (
        bytes.fromhex(first[2:]), bytes.fromhex(second[2:]),
    )  # fmt: skip
    closing = succession_of(chain, contract, plan.log_id)
    assert closing is not None
    assert (closing.terms.tree_size, closing.terms.root_hash) == (
        plan.log_of_logs.tree_size, plan.log_of_logs.root_hash,
    )  # fmt: skip


def test_refuses_succession_under_the_old_name_with_foreign_keys_or_without_an_anchor(
    closed: Closed, tmp_path: Path
) -> None:
    plan = plan_of(closed.settings, system_clock)
    new = settings_of(closed.database_url, "refused", tmp_path / "d", closed.node, NEW)
    keys = closed.settings.data_folder / "keys"
    with pytest.raises(RequestInvalid, match="closed log host"):
        found_successor(new.model_copy(update={"log_host_name": OLD}), plan, keys, system_clock)
    with pytest.raises(PartMissing, match=r"registrar\.key"):
        found_successor(new, plan, tmp_path, system_clock)
    with pytest.raises(PartMissing, match=r"succeeds\.json"):
        closed_logs(new)
    alone = settings_of(closed.database_url, "unanchored", tmp_path / "e", closed.node, NEW)
    alone = alone.model_copy(update={"chain_rpc_url": None})
    found_deployment(alone).close()
    with pytest.raises(PartMissing, match="without an anchor"):
        plan_of(alone, system_clock)
    with pytest.raises(RequestInvalid, match="another deployment"):
        found_successor(alone.model_copy(update={"log_host_name": NEW}), plan, keys, system_clock)


def test_refuses_to_close_a_deployment_that_still_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "running.json").write_text(json.dumps({"pids": {"supervisor": os.getpid()}}))
    out = tmp_path / "plan.json"
    assert main(["succession", "plan", "--data", str(tmp_path), "--out", str(out), "--close"]) == 2
    assert "the service runs on it" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    "text_", ["", "[]", "{}", '{"format": "carbonseal-succession/2"}', "null", "[" * 100_000]
)
def test_refuses_file_that_is_no_plan(tmp_path: Path, text_: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text_, encoding="utf-8")
    with pytest.raises(RequestInvalid, match="no succession plan"):
        read_plan(file)
