"""Witnesses in the service: job, route, health, bundles and trust file; and how settings open them."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from carbonseal_api.filing.service import render_and_register
from carbonseal_api.health import State
from carbonseal_api.problems import SettingsInvalid
from carbonseal_api.reports.bundle_files import bundle_file
from carbonseal_api.settings import load_settings
from carbonseal_api.trust_files import own_trust_file
from carbonseal_api.witnesses import service
from carbonseal_api.witnesses.opening import open_witnesses, read_policy
from carbonseal_api.witnesses.states import component_state, state_of
from carbonseal_attest import cbor
from carbonseal_attest.bundle_reading import read_bundle
from carbonseal_attest.cosignature import open_by_policy
from carbonseal_attest.epoch import EpochEntry, EpochMap
from carbonseal_attest.note import SignedNote
from carbonseal_attest.tlog_policy import TlogPolicy
from carbonseal_attest.trust import TrustedRegistrar, TrustFile, Witnesses
from carbonseal_ledger.witnessing import Witnessed, Witnessing, WitnessStanding
from carbonseal_verifier.check import run_check
from carbonseal_verifier.monitor.kept import Kept
from carbonseal_verifier.monitor.log_keys import GivenKeys
from carbonseal_verifier.monitor.log_reader import LogReader
from carbonseal_verifier.monitor.rounds import Monitor
from witness_house import WitnessHouse


@dataclass
class Watched:
    """A site with a filed January, whose log of logs two of three witnesses must cosign."""

    filed: Any
    house: WitnessHouse
    parts: Any
    ones: list[Any]
    policy: TlogPolicy

    @property
    def site(self) -> Any:
        return self.filed.site

    def epoch(self) -> int:
        self.site.clock.now += 60_000
        self.house.now = self.site.clock.now
        return int(self.site.host.build_epoch().tree_size)

    def bundle(self) -> bytes:
        with bundle_file(self.parts, self.site.party, [self.filed.report.report.digest]) as file:
            return file.read()

    def check(self, data: bytes, witnesses: Witnesses | None = None) -> Any:
        cast = self.site.cast
        trust = own_trust_file(
            publisher="the test",
            label="made by the test",
            registrar=TrustedRegistrar(
                cast.registrar.facts.code, cast.registrar.register_origin, cast.registrar.signer.public
            ),
            log_host=cast.log_host.facts.code,
            log_host_name=self.parts.settings.log_host_name,
            log_key=self.parts.log_key,
            chain=None,
            at=self.site.clock(),
            profile="default@1",
            signer=cast.registrar.signer,
            witnesses=witnesses or Witnesses.of(self.policy),
        )
        return run_check(io.BytesIO(data), trust=TrustFile.parse(trust), at=self.site.clock() + 1000)

    def step(self, data: bytes) -> tuple[str, str]:
        result = self.check(data)
        (step,) = [step for step in result.steps if step.name == "witnesses"]
        return str(step.outcome), step.reason


@pytest.fixture(scope="module")
def watched(
    database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    open_site: Callable[..., Any],
    file_january: Callable[[Any], Any],
) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("witnesses")
    with open_site(database_url, "witnesses", folder) as site:
        filed = file_january(site)
        render_and_register(site.parts, site.cast.enterprise.desk, filed.report, language="en")
        house = WitnessHouse(site.host.log_of_logs, site.parts.log_key, folder, site.clock.now)
        ones = [house.witness(name) for name in "abc"]
        policy = house.policy(*ones, threshold=2)
        file = folder / "witnesses.policy"
        file.write_bytes(bytes(policy))
        settings = load_settings({}, data_folder=folder, witness_policy=file)
        witnessing = open_witnesses(settings, site.parts.engine, site.clock, site.host.log_of_logs)
        assert witnessing is not None
        witnessing._grace_s = 5
        site.host._witnesses = site.host._desk.witnesses = witnessing
        parts = replace(site.parts, witnesses=witnessing)
        site.client.app.state.parts = parts
        yield Watched(filed, house, parts, ones, policy)
        house.stop()
        witnessing.close()


def test_job_gathers_and_the_published_checkpoint_then_carries_the_cosignatures(watched: Watched) -> None:
    size = watched.epoch()
    assert service.gather(watched.parts) == size
    note = watched.parts.published.checkpoint(watched.site.host.log_of_logs)
    assert note == watched.site.host.checkpoint(watched.site.host.log_of_logs)
    shown = watched.site.client.get(f"/logs/{watched.site.host.log_of_logs}/checkpoint").content
    policy = TlogPolicy.parse(f"log {watched.house.log}\n{watched.policy.text}")
    for data in (shown, note.encode()):
        head, times = open_by_policy(SignedNote.parse(data), policy)
        assert (head.tree_size, len(times)) == (size, 3)
    assert service.gather(watched.parts) == size, "again, it changes nothing"
    assert watched.site.host.publish_cosignatures() is False
    assert watched.epoch() == size + 1, "and the next epoch is published over it"


def test_route_names_the_log_s_key_and_how_each_witness_stands(watched: Watched) -> None:
    size = watched.epoch()
    watched.ones[2].stop()
    service.gather(watched.parts)
    shown = watched.site.client.get("/witnesses").json()
    watched.ones[2].start()
    assert shown["log_vkey"] == str(watched.house.log)
    assert (shown["tree_size"], shown["witnessed_size"], shown["is_witnessed"]) == (size, size, True)
    assert [one["problem"] for one in shown["witnesses"]] == [None, None, "witness-unavailable"]
    assert TlogPolicy.parse(shown["policy"]) == watched.policy


def test_whole_map_of_an_epoch_is_for_those_who_see_every_log(watched: Watched) -> None:
    number = watched.epoch() - 1
    keys, client = watched.site.keys, watched.site.client
    ask = f"/epochs/{number}/map"
    assert client.get(ask).status_code == 401
    reader = {"Authorization": f"Bearer {keys['reader']}"}
    assert client.get(ask, headers=reader).status_code == 403
    operator = {"Authorization": f"Bearer {keys['operator']}"}
    answer = client.get(ask, headers=operator)
    entry = EpochEntry.decode(watched.site.host.entry(watched.site.host.log_of_logs, number).raw)
    leaves = cbor.decode(answer.content)
    assert EpochMap.parse(leaves, entry).entries == watched.site.host.epoch_map(number).entries
    assert client.get("/epochs/999/map", headers=operator).status_code == 404


def test_bundle_carries_the_cosignatures_and_passes_under_the_service_s_own_trust_file(
    watched: Watched,
) -> None:
    watched.epoch()
    service.gather(watched.parts)
    data = watched.bundle()
    assert len(read_bundle(io.BytesIO(data)).cosigners) == 3
    assert passed(watched, data)
    assert "3 witnesses" in watched.step(data)[1]


def test_bundle_made_before_the_cosignatures_came_ends_at_the_epoch_before(watched: Watched) -> None:
    size = watched.epoch()
    service.gather(watched.parts)
    watched.epoch()
    bundle = read_bundle(io.BytesIO(watched.bundle()))
    assert len(bundle.log_of_logs_entries) == size
    assert passed(watched, watched.bundle())


def test_bundle_without_a_quorum_is_still_made_and_fails_the_named_step(watched: Watched) -> None:
    """Witnesses are down and the report is in an epoch that nobody but the log host has signed."""
    for one in watched.ones[:2]:
        one.stop()
    watched.house.now = watched.site.clock.now
    with watched.site.parts.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE kept AS SELECT * FROM ledger_cosignatures")
        connection.exec_driver_sql("DELETE FROM ledger_cosignatures")
    held, watched.parts.witnesses._met = watched.parts.witnesses._met, 0
    watched.epoch()
    service.gather(watched.parts)
    outcome, reason = watched.step(watched.bundle())
    assert (outcome, "not met" in reason) == ("failed", True)
    assert component_state(watched.parts.witnesses, watched.site.host).code == "witnesses-behind"
    with watched.site.parts.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO ledger_cosignatures SELECT * FROM kept")
    watched.parts.witnesses._met = held
    for one in watched.ones[:2]:
        one.start()
    service.gather(watched.parts)
    assert component_state(watched.parts.witnesses, watched.site.host).state is State.OK


def passed(watched: Watched, data: bytes) -> bool:
    """Whether the step passes, and every other one as under a trust file that asks for no witness."""
    with_quorum, without = (
        {step.name: (step.outcome, step.reason) for step in watched.check(data, witnesses).steps}
        for witnesses in (None, Witnesses.none())
    )
    step = with_quorum.pop("witnesses")
    without.pop("witnesses")
    return step[0] == "passed" and {n: o for n, (o, _) in with_quorum.items()} == {
        n: o for n, (o, _) in without.items()
    }


def test_monitor_follows_the_service_from_outside(watched: Watched, tmp_path: Path) -> None:
    """Checkpoints, tiles, bundles of the log of logs and whole maps as the service serves them."""
    watched.epoch()
    service.gather(watched.parts)
    host, key = watched.site.host, watched.site.keys["operator"]
    reader = LogReader("http://localhost", token=key, client=watched.site.client)
    with closing(Kept(tmp_path, host.log_of_logs)) as kept:
        monitor = Monitor(
            reader,
            GivenKeys([watched.house.log]),
            kept,
            watched.site.clock,
            log_of_logs=host.log_of_logs,
            origins=[log.origin for log in host.logs() if log.log != "epochs"],
            policy=TlogPolicy.parse(re.sub(r" http://\S+", "", watched.policy.text)),
        )
        first = monitor.look()
        assert (first.findings, first.cosigned_by) == ([], ["w1", "w2", "w3"])
        assert first.maps_read == first.heads[host.log_of_logs] - 1
        assert (first.unreachable, first.witnesses) == ({}, {}), "without addresses nobody is asked"
        watched.epoch()
        again = monitor.look()
        assert (again.findings, again.maps_read) == ([], 1)


def standing(size: int, code: str = "") -> WitnessStanding:
    return WitnessStanding("w", "v", "u", size, 1, 1 if code else 0, code, code)


@pytest.mark.parametrize(
    ("found", "state", "code"),
    [
        (Witnessed("o", 5, 5, True, "q", (standing(5),)), State.OK, ""),
        (Witnessed("o", 6, 5, False, "q", (standing(5),)), State.OK, ""),  # just closed
        (Witnessed("o", 1, 0, False, "q", (standing(0),)), State.OK, ""),  # no epoch yet
        (Witnessed("o", 7, 5, False, "q", (standing(5),)), State.DEGRADED, "witnesses-behind"),
        (
            Witnessed("o", 6, 5, False, "q", (standing(5, "witness-refuses"),)),
            State.DEGRADED,
            "witnesses-behind",
        ),
        (
            Witnessed("o", 5, 5, True, "q", (standing(5), standing(4, "witness-unavailable"))),
            State.DEGRADED,
            "witness-failing",
        ),
        (
            Witnessed("o", 5, 5, True, "q", (standing(5), standing(4, "witness-contradicts"))),
            State.DOWN,
            "witness-contradicts",
        ),
    ],
)
def test_state_says_what_a_standing_means(found: Witnessed, state: State, code: str) -> None:
    assert (state_of(found).state, state_of(found).code) == (state, code)


@pytest.mark.parametrize(
    "text", ["", "quorum none\n", "witness a b\nquorum a\n", "garbage\n", '# "\nquorum none\n']
)
def test_policy_file_that_cannot_be_used_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "policy"
    file.write_text(text)
    with pytest.raises(SettingsInvalid, match="witness_policy"):
        read_policy(load_settings({}, witness_policy=file))
    with pytest.raises(SettingsInvalid, match="witness_policy"):
        read_policy(load_settings({}, witness_policy=tmp_path / "nowhere"))


def test_no_policy_asks_nobody(site: Any) -> None:
    assert service.gather(site.parts) == 0
    assert component_state(None, site.host).state is State.OFF
    assert site.client.get("/witnesses").json()["quorum"] is None
    assert isinstance(site.parts.witnesses, Witnessing | None)
