"""The registration policy over HTTP and by command, and a gateway's spool against a log that refuses."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import cbor2
import pytest
from sqlalchemy import create_engine, make_url, select, text

from carbonseal_api.cli import main
from carbonseal_api.deployment import admit_enterprise, found_deployment
from carbonseal_api.founding import seal as founding_seal
from carbonseal_api.projections.tables import RESULTS
from carbonseal_api.settings import load_settings
from carbonseal_attest.contents.readings import Sample, Series, readings_body
from carbonseal_attest.statement import SignedStatement
from carbonseal_collectors.batching import Batch
from carbonseal_collectors.gateway_config import UplinkConfig
from carbonseal_collectors.sealing import Sealer
from carbonseal_collectors.spool import Spool
from carbonseal_collectors.uplink import Uplink

HOUR = 3_600_000
START = 1_767_196_800_000
METER = "m-electricity1"


@pytest.fixture(scope="module")
def made(
    open_site: Callable[..., Any], database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    with open_site(database_url, "policy", tmp_path_factory.mktemp("policy")) as site:
        yield site


@pytest.fixture(autouse=True)
def usual_policy(made: Any) -> Iterator[None]:
    """Each test begins with the policy of the genesis, and a log that is not full."""
    first = made.host.policies(made.party).spans[0].policy.value
    yield
    made.clock.now += 86_400_000  # the bytes of the day
    made.amend_policy(**first)


def post(site: Any, statement: SignedStatement, content: bytes, **more: str) -> Any:
    headers = site.headers("gateway", **{"Content-Type": "application/cbor"}, **more)
    body = cbor2.dumps([statement.raw, content])
    return site.client.post(f"/logs/{site.origin}/entries", content=body, headers=headers)


def seal(site: Any, **changes: Any) -> tuple[SignedStatement, bytes]:
    """One reading of the hour that has just ended."""
    site.clock.now = max(site.clock.now, START) + HOUR
    sealed: tuple[SignedStatement, bytes] = site.seal_readings(
        ["1"], start_ms=site.clock.now - HOUR, **changes
    )
    return sealed


def test_a_full_log_answers_429_says_when_and_takes_the_same_bytes_later(made: Any) -> None:
    made.amend_policy(statements_per_second=1, max_batch_statements=1)
    made.clock.now += HOUR
    assert post(made, *seal(made)).status_code == 201
    statement, content = made.seal_readings(["1"], start_ms=made.clock.now - HOUR)
    answer = post(made, statement, content)
    assert (answer.status_code, answer.json()["code"]) == (429, "rate-limited")
    wait = int(answer.headers["retry-after"])
    assert wait == 1
    made.clock.now += wait * 1000
    assert post(made, statement, content).status_code == 201
    assert post(made, statement, content).status_code == 303, "and once there it is answered, full or not"


def test_a_batch_says_of_each_statement_how_long_to_wait(made: Any) -> None:
    made.amend_policy(statements_per_second=1, max_batch_statements=2)
    made.clock.now += 10 * HOUR
    items = []
    first, content = made.seal_readings(["1"], start_ms=made.clock.now - 3 * HOUR)
    items.append([first.raw, content])
    follows = {"sequence": first.header.sequence + 1, "previous": first.digest}
    second, content = made.seal_readings(["1"], start_ms=made.clock.now - 2 * HOUR, **follows)
    items.append([second.raw, content])
    headers = made.headers("gateway", **{"Content-Type": "application/cbor-seq"})
    address = f"/logs/{made.origin}/entries:batch"
    body = b"".join(map(cbor2.dumps, items))
    outcomes = cbor2.loads(made.client.post(address, content=body, headers=headers).content)
    assert [one["status"] for one in outcomes] == ["accepted", "accepted"]
    follows = {"sequence": second.header.sequence + 1, "previous": second.digest}
    third, content = made.seal_readings(["1"], start_ms=made.clock.now - HOUR, **follows)
    body = cbor2.dumps([third.raw, content])
    (outcome,) = cbor2.loads(made.client.post(address, content=body, headers=headers).content)
    assert outcome["problem"]["code"] == "rate-limited"
    assert outcome["problem"]["retry_after_s"] == 1
    three = made.client.post(address, content=body * 3, headers=headers)
    assert (three.status_code, three.json()["code"]) == (413, "body-too-large")


def test_contents_without_statements_are_held_to_the_bytes_of_the_day(made: Any) -> None:
    made.amend_policy(bytes_per_day=1 << 20)
    made.clock.now += 86_400_000
    answers = []
    for fill in (b"\x01", b"\x02"):
        data = fill * 700_000
        address = f"/contents/{hashlib.sha256(data).hexdigest()}"
        answers.append(
            made.client.put(
                address, params={"origin": made.origin}, content=data, headers=made.headers("gateway")
            )
        )
    assert [answer.status_code for answer in answers] == [201, 429]
    assert 0 < int(answers[1].headers["retry-after"]) <= 86_400


def test_the_policy_is_public_with_every_one_before_it(made: Any) -> None:
    before = made.client.get(f"/logs/{made.origin}/policy").json()
    statement = made.amend_policy(late_after_ms=HOUR)
    register = made.cast.enterprise.register_origin
    for origin in (made.origin, register):
        found = made.client.get(f"/logs/{origin}/policy").json()
        assert found["register_origin"] == register
        assert found["in_force"]["policy"]["late_after_ms"] == HOUR
        assert found["in_force"]["statement_digest"] == statement.digest.hex()
        assert len(found["policies"]) == len(before["policies"]) + 1
        assert found["policies"][0]["reason"] == ""
    index = found["in_force"]["entry_index"]
    assert made.host.entry(register, index).digest == statement.digest


@pytest.mark.parametrize(
    "origin", ["log.carbonseal.example/e-nobody/data", "x", "log.carbonseal.example/epochs"]
)
def test_a_log_that_there_is_not_has_no_policy(made: Any, origin: str) -> None:
    assert made.client.get(f"/logs/{origin}/policy").status_code in {400, 404}


def test_what_comes_late_is_accepted_and_says_so_wherever_it_is_asked_for(made: Any) -> None:
    timely, content = seal(made)
    answer = post(made, timely, content)
    assert (answer.status_code, answer.headers["carbonseal-lateness"]) == (201, "timely")
    late, content = seal(made)
    made.clock.now += 40 * HOUR
    assert post(made, late, content).headers["carbonseal-lateness"] == "late"
    past, content = made.seal_readings(["1"], start_ms=made.clock.now - 39 * HOUR)
    assert post(made, past, content).headers["carbonseal-lateness"] == "imported late"
    address = f"/logs/{made.origin}/receipts/{past.digest.hex()}/state"
    assert made.client.get(address, headers=made.headers()).json()["lateness"] == "imported late"


def test_a_content_that_follows_its_receipt_is_drawn_as_a_replay_would_draw_it(made: Any) -> None:
    kinds = {"document": {"signer": "party", "content_first": False}}
    made.amend_policy(kinds=kinds)
    body = {
        "title": "bill.pdf", "media_type": "application/pdf", "size": 5, "document_digest": bytes(32),
        "relates_to": [],
    }  # fmt: skip
    party = made.cast.enterprise
    heads = made.host.stream_heads(made.origin, kid=party.signer.public.kid)
    place = {h.stream: {"sequence": h.sequence + 1, "previous": h.digest} for h in heads}.get("document", {})
    statement, content = founding_seal(
        party.signer, "document", body, party=made.party, subject=made.party, origin=made.origin,
        issued_at=made.clock() // 1000, is_public=False, **place,
    )  # fmt: skip
    headers = made.headers("enterprise", **{"Content-Type": "application/cose"})
    address = f"/logs/{made.origin}/entries"
    assert made.client.post(address, content=statement.raw, headers=headers).status_code == 201
    made.parts.projections.refresh()
    digest = hashlib.sha256(content).digest()
    query = select(RESULTS).where(RESULTS.c.content_digest == digest)
    with made.parts.engine.connect() as connection:
        assert connection.execute(query).first() is None
    put = made.client.put(
        f"/contents/{digest.hex()}", params={"origin": made.origin}, content=content, headers=made.headers()
    )
    assert put.status_code == 201
    with made.parts.engine.connect() as connection:
        late = connection.execute(query).one()
    made.parts.projections.replay()
    made.parts.projections.refresh()
    with made.parts.engine.connect() as connection:
        assert connection.execute(query).one() == late


def test_single_uploads_that_arrive_together_are_no_batch(made: Any) -> None:
    made.amend_policy(max_batch_statements=1, statements_per_second=1_000_000)
    made.clock.now += 20 * HOUR
    sealed = [
        made.seal_readings(
            ["1"],
            start_ms=made.clock.now - (at + 2) * HOUR,
            stream=f"readings/{at}",
            sequence=0,
            previous=None,
        )
        for at in range(12)
    ]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda item: post(made, *item), sealed))
    assert {answer.status_code for answer in answers} <= {201, 429}, [answer.text for answer in answers]


def test_what_stands_behind_a_single_upload_is_refused(made: Any) -> None:
    statement, content = seal(made)
    headers = made.headers("gateway", **{"Content-Type": "application/cbor"})
    body = cbor2.dumps([statement.raw, content]) + b"more"
    answer = made.client.post(f"/logs/{made.origin}/entries", content=body, headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (422, "body")


# -- the spool of a gateway --------------------------------------------------------------------------


class Gateway:
    """A real spool and uplink of the site's gateway, to the service itself."""

    def __init__(self, site: Any, folder: Path) -> None:
        self.site = site
        self.spool = Spool(folder, gateway="g-test", origin=site.origin)
        signer = site.cast.gateway
        self.sealer = Sealer(
            signer, issuer=site.party, origin=site.origin, spool=self.spool, clock=site.clock
        )
        for head in site.host.stream_heads(site.origin, kid=signer.public.kid):
            self.spool.resume(signer.public.kid, head.stream, head.sequence + 1, head.digest)
        site.headers("gateway")
        self.uplink = Uplink(
            UplinkConfig(
                ledger_url="http://testserver", api_key_env="", log_key=site.cast.log_key.public.text(),
                batch_statements=3, batch_bytes=1 << 20, timeout_ms=30_000, backoff_first_ms=100,
                backoff_max_ms=1000,
            ),
            origin=site.origin, spool=self.spool, sealer=self.sealer, api_key=site.keys["gateway"],
            client=site.client,
        )  # fmt: skip

    def measure(self, *, count: int = 1) -> SignedStatement:
        """The hour that has just ended, with `count` readings."""
        self.site.clock.now += HOUR
        start = self.site.clock.now - HOUR
        step = HOUR // count
        samples = [Sample(start + at * step, Decimal(at * at + 1)) for at in range(count)]
        body = readings_body([Series.of("active", "interval", "kW.h", samples, width_ms=step)])
        return self.sealer.seal(Batch("readings", METER, (start, start + HOUR), body, samples))


@pytest.fixture
def gateway(made: Any, tmp_path: Path) -> Iterator[Gateway]:
    made.clock.now = max(made.clock.now, START)
    gateway = Gateway(made, tmp_path / "spool")
    yield gateway
    gateway.spool.close()


def logged(gateway: Gateway, since: int) -> list[str]:
    site = gateway.site
    found = site.host.select(site.origin, kinds={"readings", "void"}, start=since)
    return [entry.kind for entry in found]


def test_a_statement_refused_for_good_becomes_a_void_and_the_spool_goes_on(
    made: Any, gateway: Gateway
) -> None:
    """One window is larger than the log takes: a void takes its place, and what follows chains on."""
    made.amend_policy(max_content_bytes=1024)
    since = made.host.head(made.origin).tree_size
    for count in (1, 600, 1, 1):
        gateway.measure(count=count)
    report = gateway.uplink.drain()
    assert report.failure == ""
    assert (report.voided, report.held) == (1, {})
    assert logged(gateway, since) == ["readings", "void", "readings", "readings"]
    counts = gateway.spool.counts()
    assert (counts["queued"], counts["sent"], counts["voided"], counts["logged"]) == (0, 0, 1, 4)
    assert "body-too-large" in str(gateway.spool.problems()[0]["problem"])


def test_a_kind_that_the_policy_shuts_out_blocks_nothing_and_comes_back_with_the_policy(
    made: Any, gateway: Gateway
) -> None:
    since = made.host.head(made.origin).tree_size
    made.amend_policy(kinds={"gap": {"signer": "device", "content_first": True}})
    gateway.measure()
    gateway.measure()
    assert gateway.uplink.drain().voided == 2
    made.amend_policy(kinds={})
    gateway.measure()
    assert gateway.uplink.drain().logged == 1
    assert logged(gateway, since) == ["void", "void", "readings"]


def test_a_full_log_costs_a_spool_nothing_but_time(made: Any, gateway: Gateway) -> None:
    made.amend_policy(statements_per_second=1, max_batch_statements=2)
    made.clock.now += HOUR
    since = made.host.head(made.origin).tree_size
    sealed = [gateway.measure() for _ in range(5)]
    for _ in range(12):
        report = gateway.uplink.drain()
        if not report.failure:
            break
        made.clock.now += max(gateway.uplink.wait_ms, 1000)
    assert report.failure == ""
    found = made.host.select(made.origin, kinds={"readings", "void"}, start=since)
    assert [entry.raw for entry in found] == [statement.raw for statement in sealed]


# -- commands ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deployment(database_url: str) -> Iterator[tuple[Path, str]]:
    data = Path(tempfile.mkdtemp(prefix="cs-policy-"))
    server = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE policy_cli"))
    server.dispose()
    url = make_url(database_url).set(database="policy_cli", drivername="postgresql")
    written = url.render_as_string(hide_password=False)
    (data / "carbonseal.toml").write_text(f'database_url = "{written}"\n')
    parts = found_deployment(load_settings({}, data_folder=data))
    admitted = admit_enterprise(parts, {"zh": "示范厂", "en": "Example Works"})
    parts.close()
    yield data, admitted.party
    shutil.rmtree(data, ignore_errors=True)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("statements_per_second = 0\n", "statements_per_second"),
        ("statements_a_second = 5\n", "statements_a_second"),
        ("[kinds]\nfictions = true\n", "kinds.fictions"),
        ("[kinds]\nreadings = 'first'\n", "kinds.readings"),
        ("[kinds]\nreadings = false\n", "kinds.readings"),
        ("kinds = 7\n", "kinds"),
        ("not toml", "policy.toml"),
        ("\x00", "policy.toml"),
    ],
    ids=lambda value: value.strip()[:24],
)
def test_command_refuses_a_file_that_is_no_policy_and_names_the_place(
    deployment: tuple[Path, str], tmp_path: Path, capsys: Any, written: str, said: str
) -> None:
    data, party = deployment
    file = tmp_path / "policy.toml"
    file.write_text(written)
    arguments = ["policy", "amend", "--data", str(data), "--party", party, "--reason", "r", str(file)]
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_command_amends_what_the_file_says_and_shows_it(
    deployment: tuple[Path, str], tmp_path: Path, capsys: Any
) -> None:
    data, party = deployment
    file = tmp_path / "policy.toml"
    file.write_text("statements_per_second = 20\n[kinds]\nreadings = true\ndocument = false\n")
    about = ["--data", str(data), "--party", party]
    assert main(["policy", "amend", *about, "--reason", "a pilot", "--dry-run", str(file)]) == 0
    assert "statement" not in json.loads(capsys.readouterr().out)
    assert main(["policy", "amend", *about, "--reason", "a pilot", str(file)]) == 0
    digest = json.loads(capsys.readouterr().out)["statement"]
    assert main(["policy", "show", *about]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [one["reason"] for one in shown["policies"]] == ["", "a pilot"]
    assert shown["in_force"]["statement_digest"] == digest
    assert shown["in_force"]["policy"]["statements_per_second"] == 20
    assert shown["in_force"]["policy"]["kinds"]["document"] == {"signer": "party", "content_first": False}
    assert shown["in_force"]["policy"]["bytes_per_day"] == shown["policies"][0]["policy"]["bytes_per_day"]
