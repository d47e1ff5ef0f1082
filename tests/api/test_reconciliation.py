"""Reconciliation through the service: a disagreement is shown, held against what is new, and looked at."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cbor2
import pytest
from asset_house import House, open_house
from eth_abi.abi import encode
from pydantic import TypeAdapter
from sqlalchemy import text

from carbonseal_api import worker
from carbonseal_api.assembly import Parts
from carbonseal_api.assets import service as assets
from carbonseal_api.assets.service import Actor
from carbonseal_api.assets.wishes import AnyWish
from carbonseal_api.cli import main
from carbonseal_api.deployment import found_deployment, open_deployment
from carbonseal_api.reconciliation import service
from carbonseal_api.reconciliation.holding import Holding, ReconciliationOpen
from carbonseal_api.settings import load_settings
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.chain_client import ChainAccount, ChainClient
from carbonseal_ledger.contract_artefacts import load_artefact
from carbonseal_ledger.outcomes import Submission
from carbonseal_ledger.reconciliation import Disagreement

WISH: TypeAdapter[Any] = TypeAdapter(AnyWish)
MADE_UP = Disagreement("membership", "member-differs", "e-someone", "the contract says otherwise")


@pytest.fixture(scope="module")
def house(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(database_url, "reconciled", tmp_path_factory.mktemp("reconciled")) as made:
        made.anchor()
        yield made


@pytest.fixture
def held(house: House) -> Iterator[str]:
    """A made-up disagreement that nobody has looked at."""
    book = house.parts.holding.book
    book.note([MADE_UP], areas=["membership"])
    forget(house)
    yield MADE_UP.id
    if any(one.id == MADE_UP.id for one in book.blocking()):
        book.acknowledge(MADE_UP.id, person="Test", reason="the end of a test")
    book.note([], areas=["membership"])
    forget(house)


def forget(house: House) -> None:
    """Let the memories of two and five seconds be over."""
    house.parts.holding._seen = (float("-inf"), False)
    house.parts.health.forget()


def shown(house: House) -> dict[str, Any]:
    answer = house.client.get("/reconciliation", headers=house.headers("operator"))
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def said(house: House) -> tuple[str, str]:
    """State and code of the component, as the health book asks for it."""
    (check,) = [one.check for one in house.parts.health.components() if one.name == "reconciliation"]
    found = check()
    return str(found.state), found.code


def test_changed_row_is_found_shown_and_held_until_somebody_has_looked(house: House) -> None:
    assert said(house) == ("degraded", "not-reconciled-yet")
    run = service.run(house.parts)
    assert (run.present, run.missing) == (0, ())
    assert said(house)[0] == "ok"

    change = "UPDATE ledger_epoch_heads SET root_hash = :new WHERE root_hash = :old"
    with house.parts.engine.begin() as connection:
        old = connection.execute(text("SELECT root_hash FROM ledger_epoch_heads LIMIT 1")).scalar_one()
        connection.execute(text(change), {"new": bytes(32), "old": bytes(old)})
    assert service.run(house.parts).present > 0
    found = shown(house)
    assert found["is_held"]
    assert {(one["code"], one["blocks"]) for one in found["disagreements"]} == {("epoch-head-differs", True)}
    assert said(house) == ("down", "reconciliation-open")
    states = {one["name"]: one["state"] for one in house.client.get("/status").json()["components"]}
    assert states["reconciliation"] == "down"
    figures = house.client.get("/metrics").text
    assert f"carbonseal_reconciliation_blocking {float(len(found['disagreements']))}" in figures
    assert "carbonseal_reconciliation_age_seconds" in figures

    with house.parts.engine.begin() as connection:
        connection.execute(text(change), {"new": bytes(old), "old": bytes(32)})
    assert service.run(house.parts).present == 0
    assert shown(house)["is_held"], "it went away by itself, and nobody has looked"
    for one in found["disagreements"]:
        house.parts.holding.book.acknowledge(one["id"], person="Li Na", reason="row put right from the log")
    assert not shown(house)["is_held"]
    assert said(house)[0] == "ok"
    assert shown(house)["disagreements"][0]["looks"][0]["person"] == "Li Na"


def test_what_was_looked_at_and_is_still_there_is_said_on_the_status_page(house: House, held: str) -> None:
    house.parts.holding.book.acknowledge(held, person="Li Na", reason="waits for the registrar")
    assert said(house) == ("degraded", "disagreements-acknowledged")


def test_chain_that_is_away_makes_a_run_incomplete_and_nothing_disagree(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from carbonseal_ledger.chain_answers import ChainUnreachable
    from carbonseal_ledger.chain_client import ChainClient

    def away(*_: object) -> None:
        raise ChainUnreachable("chain", "no answer", "wait")

    with monkeypatch.context() as patch:
        patch.setattr(ChainClient, "_ask_node", away)
        run = service.run(house.parts)
    assert run.present == 0
    assert [one.split(" ")[0] for one in run.missing] == ["contract", "carbon-asset"]
    assert said(house) == ("degraded", "reconciliation-incomplete")
    assert not shown(house)["is_held"]
    assert service.run(house.parts).missing == ()


def upload(house: House, item: SignedStatement, *, batch: bool) -> Any:
    origin, headers = item.header.origin, house.headers("enterprise")
    if batch:
        body = cbor2.dumps([item.raw, None])
        kind, path = "application/cbor-seq", f"/logs/{origin}/entries:batch"
    else:
        body, kind, path = item.raw, "application/cose", f"/logs/{origin}/entries"
    return house.client.post(path, content=body, headers=headers | {"content-type": kind})


@pytest.mark.parametrize("batch", [False, True])
def test_upload_of_a_report_is_held_and_of_anything_else_is_not(
    house: House, held: str, *, batch: bool
) -> None:
    report = house.report()  # logged already: sent again, it would be a duplicate
    answer = upload(house, report, batch=batch)
    assert (answer.status_code, answer.json()["code"]) == (503, "reconciliation-open")
    assert int(answer.headers["retry-after"]) > 0
    assert upload(house, house.data_code(house.cast.enterprise, "green"), batch=batch).status_code < 400
    house.parts.holding.book.acknowledge(held, person="Li Na", reason="looked into it, all is well")
    forget(house)
    assert upload(house, report, batch=batch).status_code < 400


def test_movements_are_held_and_freezes_are_not(house: House) -> None:
    parts, book = house.parts, house.parts.holding.book
    opinion = house.opinion()
    house.anchor()
    waiting = assets.propose(parts, house.person(), WISH.validate_python(house.wish(opinion)))
    book.note([MADE_UP], areas=["membership"])
    for act in (
        lambda: assets.propose(parts, house.person(), WISH.validate_python(house.wish(opinion))),
        lambda: assets.confirm(parts, house.registrar, waiting.act_id),
    ):
        with pytest.raises(ReconciliationOpen):
            act()
    book.acknowledge(MADE_UP.id, person="Li Na", reason="the registrar's page was out of date")
    record = assets.confirm(parts, house.registrar, waiting.act_id).record
    book.note([], areas=["membership"])
    book.note([MADE_UP], areas=["membership"])
    cause = house.impact(opinion.digest, b"\x01" * 32)
    assert assets.freeze_for(parts, opinion.digest, cause.digest) == [record]
    book.acknowledge(MADE_UP.id, person="Li Na", reason="the registrar's page was out of date")
    book.note([], areas=["membership"])


def test_confirmed_act_that_was_not_signed_yet_waits_while_something_is_held(house: House) -> None:
    parts, book = house.parts, house.parts.holding.book
    opinion = house.opinion()
    house.anchor()
    row = assets.propose(parts, house.person(), WISH.validate_python(house.wish(opinion)))
    actor = Actor(parts.registrar, "person-registrar")
    from carbonseal_api.assets import queries

    queries.confirmed_by(parts.engine, row.act_id, actor.party, actor.credential, parts.clock())
    book.note([MADE_UP], areas=["membership"])
    for _ in range(3):
        assets.step(parts)
        house.desk.mine()
    chain = assets.chain_of(parts)
    assert chain.act(row.act_id).state not in assets.DONE
    book.acknowledge(MADE_UP.id, person="Li Na", reason="looked into it, all is well")
    book.note([], areas=["membership"])
    for _ in range(4):
        assets.step(parts)
        house.desk.mine()
    assert chain.act(row.act_id).state in assets.DONE


def test_only_who_runs_and_who_supervises_sees_what_disagrees(house: House) -> None:
    for role, status in (("operator", 200), ("registrar", 200), ("enterprise", 403), ("reader", 403)):
        assert house.client.get("/reconciliation", headers=house.headers(role)).status_code == status
    assert house.client.get("/reconciliation").status_code == 401


def test_memory_of_the_door_is_two_seconds_and_fails_closed(house: House) -> None:
    now = [0.0]
    holding = Holding(house.parts.engine, house.parts.clock, ticks=lambda: now[0])
    assert not holding.is_holding()
    holding.book.note([MADE_UP], areas=["membership"])
    assert not holding.is_holding()
    now[0] = 2.0
    assert holding.is_holding()
    with pytest.raises(ReconciliationOpen):
        holding.refuse_reports([Submission(house.report().raw)])
    holding.refuse_reports([Submission(b"no statement")])
    holding.book.acknowledge(MADE_UP.id, person="Li Na", reason="the end of a test")
    holding.book.note([], areas=["membership"])


def test_job_compares_everything(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_parts", lambda: house.parts)
    assert worker.reconcile() is True
    assert "reconcile" in {work.__name__ for work in worker.JOBS}


def test_parties_that_the_membership_contract_does_not_know_are_found(house: House) -> None:
    code, first = load_artefact("Membership"), ChainAccount(b"\x21" * 32)
    chain = ChainClient(house.desk.url)
    registrars = [first.address.hex(), "22" * 20]
    founding = code.bytecode + encode(["address", "address", "bytes32[2][]"], [*registrars, []])
    house.desk._node.fund(first.address)
    chain.send(chain.sign(first, None, founding, nonce=0, fees=chain.suggest_fees(), gas=5_000_000).raw)
    house.desk.mine()
    contract = "0x" + first.contract_address_for(0).hex()

    def parts_with(address: str) -> Parts:
        named = {"chain_rpc_url": house.desk.url, "membership_contract": address}
        return replace(house.parts, settings=house.parts.settings.model_copy(update=named))

    run = service.run(parts_with("0x" + "77" * 20))
    assert run.missing == (f"membership 0x{'77' * 20}: holds no code",)
    assert run.present == 0
    assert service.run(parts_with(contract)).present == len(house.host.parties()) > 2
    book = house.parts.holding.book
    assert {one.code for one in book.blocking()} == {"member-not-on-chain"}
    for one in book.blocking():
        book.acknowledge(one.id, person="Li Na", reason="the contract is founded next week")
    book.note([], areas=["membership"])


# -- the commands


@pytest.fixture(scope="module")
def data(database_url: str) -> Iterator[Path]:
    folder = Path(tempfile.gettempdir(), f"cs-reconcile-{id(object())}")
    settings = load_settings({}, data_folder=folder, database_url=_database(database_url))
    (folder).mkdir()
    (folder / "carbonseal.toml").write_text(f'database_url = "{settings.database_url}"\n')
    found_deployment(settings).close()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _database(url: str) -> str:
    from sqlalchemy import create_engine, make_url

    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE reconcile_commands"))
    server.dispose()
    return make_url(url).set(database="reconcile_commands").render_as_string(hide_password=False)


def command(data: Path, *given: str) -> int:
    return main(["reconcile", *given, "--data", str(data)])


def test_commands_run_show_and_acknowledge(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(data, "show") == 0
    assert "no reconciliation ran yet" in capsys.readouterr().out
    assert command(data, "run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["newest"]["present"] == 0

    tiles = [one for one in (data / "published").rglob("000.p/*") if "register" in str(one)]
    tile = max(tiles, key=lambda one: int(one.name))
    kept = tile.read_bytes()
    tile.write_bytes(bytes([kept[0] ^ 1]) + kept[1:])
    assert command(data, "run") == 1  # the service itself would not start
    told = capsys.readouterr()
    assert "tiles-differ" in told.out
    assert "the service refuses to start" in told.err
    tile.write_bytes(kept)
    assert command(data, "run") == 0
    assert "gone by itself, nobody has looked" in capsys.readouterr().out
    assert command(data, "show", "--json") == 1
    found = json.loads(capsys.readouterr().out)["disagreements"]
    for one in found:
        assert command(data, "acknowledge", one["id"], "--by", "x", "--reason", "too short") == 2
        assert command(data, "acknowledge", one["id"], "--by", "Li Na", "--reason", "tile restored") == 0
    assert "nothing is held any more" in capsys.readouterr().out
    assert command(data, "show") == 0
    assert command(data, "acknowledge", "0" * 16, "--by", "Li Na", "--reason", "tile restored") == 2
    parts = open_deployment(load_settings({}, data_folder=data))
    assert not parts.holding.book.is_blocking()
    parts.close()


def test_commands_show_a_failed_head_and_plan_it_anew(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from carbonseal_api import without_service

    @contextmanager
    def here(_settings: object) -> Iterator[Any]:
        yield house.desk

    monkeypatch.setattr(without_service, "opened_anchors", here)
    state = (
        "UPDATE anchoring_steps SET state = :new, problem = 'reverted: words of the chain' WHERE new_size = 2"
    )
    with house.parts.engine.begin() as connection:
        connection.execute(text(state), {"new": "failed"})
    assert main(["anchoring", "show"]) == 1
    assert "words of the chain" in capsys.readouterr().out
    assert main(["anchoring", "retry", "--json"]) == 0
    assert [one["state"] for one in json.loads(capsys.readouterr().out)] == ["planned"]
    house.desk.anchorer.step()  # it finds the head in the contract
    for _ in range(3):
        house.desk.mine()
    house.desk.anchorer.step()
    assert main(["anchoring", "show", "--unfinished"]) == 0
