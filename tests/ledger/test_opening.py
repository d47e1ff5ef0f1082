"""A log is opened on purpose, by party, log host and registrar together."""

from __future__ import annotations

import pytest

from carbonseal_attest.signing import Ed25519Signer
from carbonseal_ledger.errors import CarbonsealError, GenesisRefused, LogUnknown
from carbonseal_ledger.outcomes import Status, Submission

NAME = "log.carbonseal.example"
ORIGIN = f"{NAME}/e-enterprise/register"


@pytest.fixture
def new_world(make_world):
    world = make_world()
    world.open(world.registrar, "r-registrar", "register")
    return world


def open_log(world, item: Submission):
    return world.host.open_log(item.statement, item.content)


def test_opens_with_the_endorsements_of_log_host_and_registrar(new_world):
    item = new_world.genesis(new_world.enterprise, "e-enterprise", ORIGIN)
    assert open_log(new_world, item).status is Status.ACCEPTED
    head = new_world.host.head(ORIGIN)
    assert head.tree_size == 1
    (log,) = [log for log in new_world.host.logs() if log.origin == ORIGIN]
    assert (log.party, log.log, log.tree_size) == ("e-enterprise", "register", 1)


def test_opening_again_with_the_same_genesis_changes_nothing(new_world):
    item = new_world.genesis(new_world.enterprise, "e-enterprise", ORIGIN)
    open_log(new_world, item)
    assert open_log(new_world, item).status is Status.DUPLICATE
    assert new_world.host.head(ORIGIN).tree_size == 1


def test_refuses_second_genesis_for_one_origin(new_world):
    open_log(new_world, new_world.genesis(new_world.enterprise, "e-enterprise", ORIGIN))
    with pytest.raises(GenesisRefused, match="open with another genesis"):
        open_log(new_world, new_world.genesis(Ed25519Signer.generate(), "e-enterprise", ORIGIN))


@pytest.mark.parametrize("role", ["log_host", "registrar"])
def test_refuses_genesis_endorsed_by_a_stranger(new_world, role):
    real = new_world.log_key if role == "log_host" else new_world.registrar
    stranger = Ed25519Signer.generate()
    if role == "log_host":
        new_world.log_key = stranger
        item = new_world.genesis(new_world.enterprise, "e-enterprise", ORIGIN, log_key=real.public.cose_key())
        new_world.log_key = real
    else:
        new_world.registrar = stranger
        item = new_world.genesis(new_world.enterprise, "e-enterprise", ORIGIN)
        new_world.registrar = real
    with pytest.raises(GenesisRefused, match=f"endorsement by {role}"):
        open_log(new_world, item)


@pytest.mark.parametrize(
    "origin",
    [f"{NAME}/e-other/register", f"{NAME}/e-enterprise/ledger", "log.other.example/e-enterprise/data"],
)
def test_refuses_origin_that_is_not_the_partys_own(new_world, origin):
    with pytest.raises(GenesisRefused, match="origin"):
        open_log(new_world, new_world.genesis(new_world.enterprise, "e-enterprise", origin))


def test_refuses_log_of_logs_opened_by_somebody_else(new_world):
    with pytest.raises(GenesisRefused, match="log host's own"):
        open_log(new_world, new_world.genesis(new_world.enterprise, "e-enterprise", f"{NAME}/epochs"))


def test_refuses_genesis_that_names_another_log_key(new_world):
    other = Ed25519Signer.generate().public.cose_key()
    with pytest.raises(GenesisRefused, match="log_key"):
        open_log(new_world, new_world.genesis(new_world.enterprise, "e-enterprise", ORIGIN, log_key=other))


def test_refuses_log_key_as_party_key(new_world):
    with pytest.raises(GenesisRefused, match="is the log key"):
        open_log(new_world, new_world.genesis(new_world.log_key, "e-enterprise", ORIGIN))


def test_refuses_registrar_register_signed_by_a_stranger(make_world):
    world = make_world()
    with pytest.raises(GenesisRefused, match="not a key of the registrar"):
        world.open(world.enterprise, "r-registrar", "register")


def test_refuses_data_log_before_the_register_log(new_world):
    with pytest.raises(LogUnknown, match="register log"):
        new_world.open(new_world.enterprise, "e-enterprise", "data")


def test_refuses_data_log_with_another_party_key_than_the_register(new_world):
    new_world.open(new_world.enterprise, "e-enterprise", "register")
    with pytest.raises(GenesisRefused, match="is not the key that the registrar admitted"):
        new_world.open(Ed25519Signer.generate(), "e-enterprise", "data")


def test_refuses_what_is_no_genesis(world):
    item = world.readings(world.main)
    with pytest.raises(GenesisRefused, match="not a genesis"):
        open_log(world, item)
    with pytest.raises(CarbonsealError):
        world.host.open_log(b"junk", b"")
