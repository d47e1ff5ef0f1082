"""The deployed CarbonAssets on a real node: what it refuses, by name, and what its events tell."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from eth_abi.abi import encode

from carbonseal_attest.epoch import EpochMap, MapEntry
from carbonseal_attest.evm_proof import keccak256
from carbonseal_attest.merkle import consistency_path, inclusion_path, leaf_hash, root_of
from carbonseal_ledger import carbon_assets_calls as calls
from carbonseal_ledger.anvil_node import AnvilNode
from carbonseal_ledger.asset_acts import (
    Admit,
    Cancel,
    Deploy,
    Freeze,
    Grant,
    Move,
    Pledge,
    Record,
    Release,
    Retire,
    Split,
    Surrender,
    Unpledge,
    record_id_of,
    text_id,
)
from carbonseal_ledger.asset_journal import act_hash_of
from carbonseal_ledger.asset_refusals import (
    AssetRefused,
    CauseUsed,
    ChainNotListed,
    ConfirmedByHolder,
    EpochInvalid,
    HeadMovedOn,
    LogNotOpen,
    MemberLacksRole,
    NotForHolder,
    NotMember,
    NotPledgedFor,
    NotProposed,
    PledgeUsed,
    PredecessorWrong,
    ProofLengthWrong,
    RecordFrozen,
    RecordPledged,
    ReportNotInLog,
    SamePerson,
    SerialsInvalid,
    SerialsOverlap,
    refusal_of,
)
from carbonseal_ledger.carbon_assets import AssetsNotReady, CarbonAssetsClient
from carbonseal_ledger.carbon_assets_calls import AssetState, Evidence, FreezeState
from carbonseal_ledger.chain_answers import ChainRefused, ContractWrong, Fees
from carbonseal_ledger.chain_client import ChainAccount
from carbonseal_ledger.errors import LedgerError
from carbonseal_ledger.log_anchor import LogAnchorClient

GENESIS_AT = 1_767_225_600_000  # 2026-01-01T00:00:00Z
FEES = Fees(10**11, 10**9)
ORIGIN = "log.carbonseal.example/v-body/data"
DATA = [leaf_hash(f"statement {number}".encode()) for number in range(5)]
HEADS = [MapEntry(ORIGIN, 5, root_of(DATA)), MapEntry("log.carbonseal.example/e-aa/data", 1, DATA[0])]
MAP = EpochMap(HEADS)
EPOCH = MAP.close(1, GENESIS_AT)
LOG = [leaf_hash(b"genesis"), leaf_hash(EPOCH.encode())]
EVIDENCE = Evidence(
    head_size=2,
    epoch=1,
    closed_at=GENESIS_AT,
    map_root=MAP.root,
    origins=2,
    map_index=MAP.prove(ORIGIN).index,
    data_size=5,
    data_root=root_of(DATA),
    report_index=3,
    epoch_proof=(LOG[0],),
    map_proof=MAP.prove(ORIGIN).path,
    report_proof=tuple(
        inclusion_path(3, 5, lambda level, at: root_of(DATA[at << level : (at + 1) << level]))
    ),
)
CAUSE, CURE = b"\xca" * 32, b"\xce" * 32


class Contract:
    """A CarbonAssets with a registrar, a second one, two holders and a stranger; one report is anchored."""

    def __init__(self, node: AnvilNode) -> None:
        self.node = node
        names = ("admin", "registrar", "second", "alice", "anne", "bob", "stranger")
        self.accounts = {name: ChainAccount(os.urandom(32)) for name in names}
        anchor_chain = LogAnchorClient(node.url, gas_key=os.urandom(32), head_key=b"\x42" * 32)
        for address in (anchor_chain.gas_address, *(account.address for account in self.accounts.values())):
            node.fund(address)
        anchor = anchor_chain.contract_address_for(0)
        step = (1, 2, root_of(LOG))
        proof = consistency_path(1, 2, lambda level, at: root_of(LOG[at << level : (at + 1) << level]))
        log_id = anchor_chain.log_id(LOG[0])
        self.chain = CarbonAssetsClient(node.url)
        self.deployment = Deploy(anchor, log_id, (self.chain.chain_id,))
        anchor_chain.send(anchor_chain.sign_deploy(0, FEES).raw)
        node.mine()
        with pytest.raises(LogNotOpen, match="not open"):
            self.chain.simulate_deployment(self.deployment, self.address("admin"))
        anchor_chain.send(anchor_chain.sign_open(anchor, LOG[0], 1, FEES).raw)
        anchor_chain.send(anchor_chain.sign_advance(anchor, log_id, step, proof, 2, FEES).raw)
        node.mine()
        self.chain.known_contract = self.accounts["admin"].contract_address_for(0)
        with pytest.raises(AssetsNotReady, match="not mined"):
            self.chain.check_deployed()
        with pytest.raises(ContractWrong, match="does not answer"):
            self.chain.record_of(b"\x01" * 32)
        self.send("admin", None, calls.deployment(self.deployment, self.address("admin")))
        for name, party, role in (
            ("registrar", "r-registrar", "REGISTRAR_ROLE"),
            ("second", "r-registrar", "REGISTRAR_ROLE"),
            ("alice", "e-alices", "HOLDER_ROLE"),
            ("anne", "e-alices", "REGISTRAR_ROLE"),
            ("bob", "e-bobs", "HOLDER_ROLE"),
        ):
            self.confirm("admin", Admit(self.address(name), party))
            self.confirm("admin", Grant(self.address(name), role))
        self.next_serial = 1

    def address(self, name: str) -> bytes:
        return self.accounts[name].address

    def send(self, name: str, to: bytes | None, data: bytes) -> None:
        account = self.accounts[name]
        nonce = self.chain.transaction_count(account.address)
        signed = self.chain.sign(account, to, data, nonce=nonce, fees=FEES, gas=5_000_000)
        self.chain.send(signed.raw)
        self.node.mine()
        tx_receipt = self.chain.tx_receipt(signed.transaction_hash)
        assert tx_receipt is not None
        assert tx_receipt.is_success

    def propose(self, name: str, act) -> None:
        self.send(name, self.chain.contract, calls.proposal(act))

    def confirm(self, name: str, act, proposer: str | None = None, proof=None) -> None:
        by = None if proposer is None else self.address(proposer)
        self.send(name, self.chain.contract, calls.confirmation(act, by, proof))

    def refuses(self, error: type[AssetRefused], name: str, act, proposer: str | None, proof=None, **options):
        """The contract must refuse exactly so; nothing is sent."""
        by = None if proposer is None else self.address(proposer)
        proposed = None
        if options.pop("as_proposed", False):
            proposed = (act_hash_of(act), by)
        with pytest.raises(error, **options) as refusal:
            self.chain.simulate(calls.confirmation(act, by, proof), self.address(name), proposed=proposed)
        assert type(refusal.value) is error

    def claim(self, count: int = 10, **changes) -> Record:
        first, self.next_serial = self.next_serial, self.next_serial + count
        fields = {
            "registry": "National registry", "batch": "2025/0001", "first": first, "last": first + count - 1,
            "holder": "e-alices", "origin": ORIGIN, "report": b"\x01" * 32, "report_leaf": DATA[3],
        }  # fmt: skip
        return Record(**(fields | changes))

    def proof(self, act: Record) -> tuple[int, Evidence]:
        return self.chain.predecessor_of(act.registry, act.batch, act.first), EVIDENCE

    def record(self, count: int = 10) -> Record:
        act = self.claim(count)
        self.propose("alice", act)
        self.confirm("registrar", act, "alice", self.proof(act))
        return act


@pytest.fixture(scope="module")
def contract() -> Iterator[Contract]:
    with AnvilNode(started_at=GENESIS_AT) as node:
        yield Contract(node)


def test_members_and_roles_are_as_founded(contract):
    chain = contract.chain
    assert chain.anchor() == (contract.deployment.anchor, contract.deployment.log_id)
    assert chain.anchored_head().tree_size == 2
    assert chain.party_of(contract.address("alice")) == text_id("e-alices")
    assert chain.party_of(contract.address("stranger")) == bytes(32)
    assert chain.has_role("HOLDER_ROLE", contract.address("alice"))
    assert not chain.has_role("REGISTRAR_ROLE", contract.address("alice"))
    assert chain.has_role("DEFAULT_ADMIN_ROLE", contract.address("admin"))
    assert chain.is_done(Admit(contract.address("alice"), "e-alices"))
    assert not chain.is_done(Admit(contract.address("alice"), "e-bobs"))


def test_every_act_is_done_and_told_by_its_event(contract):
    chain, start = contract.chain, contract.chain.block("latest").number + 1
    act = contract.record()
    cut = act.first + 3
    contract.propose("alice", Split(act.record, cut))
    contract.confirm("registrar", Split(act.record, cut), "alice")
    left, right = (
        record_id_of(act.registry, act.batch, *serials) for serials in ((act.first, cut), (cut + 1, act.last))
    )
    acts = [
        (Move(left, "e-bobs", "transfer 1"), "alice"),
        (Freeze(left, CAUSE), None),
        (Release(left, CAUSE, CURE), "second"),
        (Surrender(left, "surrender 1"), "bob"),
        (Cancel(right, "cancellation 1"), "second"),
    ]
    for one, proposer in acts:
        assert chain.is_done(one) is not True
        if proposer is not None:
            contract.propose(proposer, one)
        contract.confirm("registrar", one, proposer)
        assert chain.is_done(one) is not False
        event = chain.find_act(one, act_hash_of(one), start, chain.block("latest").number + 1)
        assert event is not None
        assert event.topics[1] == one.record
    told = chain.acts_between(start, chain.block("latest").number + 1)
    assert [event.act for event in told] == [
        *("record", "split", "move", "freeze", "release", "surrender", "cancel")
    ]
    recorded, split, moved, frozen, released, surrendered, _ = told
    assert (recorded.claim.origin, recorded.claim.report_leaf) == (ORIGIN, DATA[3])
    assert (recorded.claim.first, recorded.claim.last) == (act.first, act.last)
    assert (recorded.act_hash, recorded.proposer) == (act_hash_of(act), contract.address("alice"))
    assert split.parts == (left, right)
    assert (moved.from_party, moved.to_party) == (text_id("e-alices"), text_id("e-bobs"))
    assert (frozen.proposer, frozen.confirmer, frozen.cause) == (None, contract.address("registrar"), CAUSE)
    assert (released.cause, released.cure) == (CAUSE, CURE)
    assert surrendered.reference == text_id("surrender 1")
    held = chain.record_of(left)
    assert (held.lot, held.state, held.freezes) == (act.record, AssetState.SURRENDERED, 0)
    assert chain.freeze_of(left, CAUSE) == FreezeState.CURED
    assert chain.record_of(b"\x05" * 32).state == AssetState.NONE


def test_pledges_and_gives_back_and_tells_it_by_events(contract):
    chain, start = contract.chain, contract.chain.block("latest").number + 1
    act = contract.record()
    pledge = Pledge(act.record, "e-bobs", "pledge 1")
    contract.propose("alice", pledge)
    contract.confirm("registrar", pledge, "alice")
    assert chain.is_done(pledge)
    assert chain.record_of(act.record).pledgee == text_id("e-bobs")
    assert not chain.record_of(act.record).is_free
    contract.refuses(
        RecordPledged, "registrar", Retire(act.record, "retirement 9"), "alice", match="it is pledged"
    )
    back = Unpledge(act.record, "pledge 1", "official act 1")
    contract.refuses(NotForHolder, "registrar", back, "alice", as_proposed=True)
    contract.propose("bob", back)
    contract.confirm("registrar", back, "bob")
    assert chain.is_done(back)
    assert chain.record_of(act.record).is_free
    contract.refuses(PledgeUsed, "registrar", pledge, "alice", as_proposed=True)
    contract.refuses(NotPledgedFor, "registrar", back, "bob", as_proposed=True)
    _, pledged, returned = chain.acts_between(start, chain.block("latest").number + 1)
    assert (pledged.act, pledged.to_party) == ("pledge", text_id("e-bobs"))
    assert pledged.reference == text_id("pledge 1")
    assert (returned.act, returned.pledge) == ("unpledge", text_id("pledge 1"))
    assert returned.reference == text_id("official act 1")


def test_rejects_a_chain_that_is_not_listed(contract):
    elsewhere = replace(contract.deployment, chain_ids=(1, 7))
    with pytest.raises(ChainNotListed, match="chain 31337"):
        contract.chain.simulate_deployment(elsewhere, contract.address("admin"))


def test_asks_as_if_it_were_proposed_and_changes_nothing(contract):
    """What the override writes is the slot that the contract reads: its storage layout holds."""
    act = contract.claim()
    proof = contract.proof(act)
    data = calls.confirmation(act, contract.address("alice"), proof)
    contract.chain.simulate(
        data, contract.address("registrar"), proposed=(act_hash_of(act), contract.address("alice"))
    )
    contract.refuses(NotProposed, "registrar", act, "alice", proof, match="one signature instead of two")
    assert contract.chain.expiry_of(act_hash_of(act), contract.address("alice")) == 0
    contract.propose("alice", act)
    newest = contract.chain.block("latest").block_at
    assert contract.chain.expiry_of(act_hash_of(act), contract.address("alice")) == newest + 7 * 86_400_000


def test_range_is_recorded_once_and_next_to_its_neighbours(contract):
    contract.claim(1)  # a gap
    low = contract.record()
    between = contract.claim()
    high = contract.record()
    asked = {"as_proposed": True}
    shape = (contract, "registrar", "alice")
    for first, last, error in (
        (low.first, low.last, SerialsOverlap),
        (low.last, low.last + 2, SerialsOverlap),
        (between.first, high.first, SerialsOverlap),
    ):
        act = replace(between, first=first, last=last)
        predecessor = contract.chain.predecessor_of(act.registry, act.batch, first)
        shape[0].refuses(error, shape[1], act, shape[2], (predecessor, EVIDENCE), **asked)
    for wrong in (0, between.first, high.first):
        contract.refuses(PredecessorWrong, "registrar", between, "alice", (wrong, EVIDENCE), **asked)
    # Another batch, another registry: other units.
    other = replace(between, batch="2025/0002", first=low.first, last=low.last)
    data = calls.confirmation(other, contract.address("alice"), contract.proof(other))
    proposed = (act_hash_of(other), contract.address("alice"))
    contract.chain.simulate(data, contract.address("registrar"), proposed=proposed)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"head_size": 3}, HeadMovedOn),
        ({"epoch": 0}, EpochInvalid),
        ({"closed_at": GENESIS_AT + 1}, ReportNotInLog),
        ({"map_root": bytes(32)}, ReportNotInLog),
        ({"data_root": bytes(32)}, ReportNotInLog),
        ({"data_size": 6}, ReportNotInLog),
        ({"report_index": 2}, ReportNotInLog),
        ({"report_proof": EVIDENCE.report_proof[1:]}, ProofLengthWrong),
        ({"epoch_proof": ()}, ProofLengthWrong),
    ],
    ids=str,
)
def test_evidence_of_anything_else_is_refused_by_name(contract, change, error):
    act = contract.claim()
    proof = (contract.proof(act)[0], replace(EVIDENCE, **change))
    contract.refuses(error, "registrar", act, "alice", proof, as_proposed=True)


def test_report_of_another_log_or_leaf_is_refused(contract):
    for change in ({"report_leaf": DATA[2]}, {"origin": "log.carbonseal.example/e-aa/data"}):
        act = contract.claim(**change)
        proof = contract.proof(act)
        contract.refuses(ReportNotInLog, "registrar", act, "alice", proof, as_proposed=True)


def test_each_wrong_person_is_refused_by_name(contract):
    act = contract.record()
    retirement = Retire(act.record, "reference")
    asked = {"as_proposed": True}
    contract.refuses(MemberLacksRole, "alice", retirement, "alice", **asked, match="lacks REGISTRAR_ROLE")
    contract.refuses(MemberLacksRole, "stranger", retirement, "alice", **asked)
    contract.refuses(NotForHolder, "registrar", retirement, "bob", **asked)
    contract.refuses(NotForHolder, "registrar", retirement, "second", **asked)
    contract.refuses(SamePerson, "registrar", Cancel(act.record, "c"), "registrar", **asked)
    contract.refuses(ConfirmedByHolder, "anne", retirement, "alice", **asked)
    contract.refuses(NotMember, "registrar", retirement, "stranger", **asked)
    contract.refuses(MemberLacksRole, "alice", Freeze(act.record, CAUSE), None)
    with pytest.raises(NotMember, match="has not been admitted"):
        contract.chain.simulate(calls.proposal(retirement), contract.address("stranger"))


def test_frozen_record_is_refused_everything_but_its_release(contract):
    act = contract.record()
    contract.confirm("registrar", Freeze(act.record, CAUSE))
    for one in (
        Split(act.record, act.first),
        Move(act.record, "e-bobs", "t"),
        Retire(act.record, "r"),
        Surrender(act.record, "s"),
        Cancel(act.record, "c"),
    ):
        contract.refuses(RecordFrozen, "registrar", one, "alice", as_proposed=True)
    contract.refuses(CauseUsed, "registrar", Freeze(act.record, CAUSE), None)
    contract.refuses(NotProposed, "registrar", Release(act.record, CAUSE, CURE), "alice")
    contract.propose("alice", Release(act.record, CAUSE, CURE))
    contract.confirm("registrar", Release(act.record, CAUSE, CURE), "alice")
    assert contract.chain.record_of(act.record).is_free


def test_every_error_of_the_contract_has_its_own_code_and_words():
    codes = set()
    for selector, error in calls.ARTEFACT.errors().items():
        refusal = refusal_of(selector + bytes(32) * len(error["inputs"]))
        assert refusal.error == error["name"]
        assert "{" not in str(refusal)
        codes.add(refusal.code)
    assert len(codes) == len(calls.ARTEFACT.errors())
    cut_off = next(s for s, error in calls.ARTEFACT.errors().items() if error["inputs"]) + b"\x01"
    for unknown in (b"", b"\x01\x02\x03\x04", cut_off):
        assert type(refusal_of(unknown)) is AssetRefused


def test_contract_with_other_code_is_refused(contract):
    other = CarbonAssetsClient(contract.node.url, contract=contract.deployment.anchor)
    with pytest.raises(ContractWrong, match="other code than this release's CarbonAssets"):
        other.check_deployed()
    with pytest.raises((ContractWrong, ChainRefused)):
        other.record_of(b"\x01" * 32)


class BabblingNode(CarbonAssetsClient):
    """A client whose node answers everything with the same nonsense."""

    answer: object

    def _call(self, method: str, *params: object) -> object:
        return self.answer


@pytest.mark.parametrize(
    "answer", ["", "0xzz", "0x01", "nonsense", 7, True, {}, [None], [{"topics": 1}]], ids=str
)
def test_nonsense_from_a_node_is_our_error(answer):
    chain = BabblingNode("http://127.0.0.1:9", contract=b"\x01" * 20)
    chain.answer = answer
    word = b"\x01" * 32
    for ask in (
        chain.check_deployed,
        chain.anchor,
        chain.anchored_head,
        lambda: chain.record_of(word),
        lambda: chain.freeze_of(word, word),
        lambda: chain.predecessor_of("a", "b", 1),
        lambda: chain.expiry_of(word, word[:20]),
        lambda: chain.party_of(word[:20]),
        lambda: chain.acts_between(0, 1),
        lambda: chain.find_act(Freeze(word, word), word, 0, 1),
    ):
        with pytest.raises(LedgerError):
            ask()


def test_range_that_ends_before_it_begins_is_refused(contract):
    act = contract.claim()
    claim = (*calls.claim_of(act)[:3], act.first - 1, *calls.claim_of(act)[4:])
    act_hash = keccak256(encode(["uint8", calls.CLAIM], [0, claim]))
    data = calls.confirmation(act, contract.address("alice"), contract.proof(act))
    data = data.replace(act.last.to_bytes(32, "big"), (act.first - 1).to_bytes(32, "big"), 1)
    with pytest.raises(SerialsInvalid, match="no range of serials"):
        contract.chain.simulate(
            data, contract.address("registrar"), proposed=(act_hash, contract.address("alice"))
        )


def test_page_shows_the_bytes_of_an_act(repository_root: Path):
    page = (repository_root / "docs" / "spec" / "carbon-assets.md").read_text(encoding="utf-8")
    shown = re.search(r"^```\n((?:[0-9a-f]{64}\n)+)```$", page, re.MULTILINE)
    assert shown is not None
    act = Record(
        "National registry", "2025/0001", 1, 1000, "e-exampleworks", "log.example.org/v-examplebody/data",
        b"\x01" * 32, leaf_hash(b"report"),
    )  # fmt: skip
    assert bytes.fromhex(shown[1].replace("\n", "")) == calls.act_bytes(act)
    assert act_hash_of(act).hex() in page
    assert act.record.hex() in page
    assert f"storage slot {calls.EXPIRIES_SLOT}," in page


def test_readme_names_the_measured_gas_and_size(repository_root: Path):
    snapshots = repository_root / "contracts" / "snapshots"
    text = (repository_root / "contracts" / "README.md").read_text(encoding="utf-8")
    for name in ("CarbonAssets", "BareErc1155"):
        for what, gas in json.loads((snapshots / f"{name}.json").read_text()).items():
            if not what.startswith("mint"):
                assert f"{int(gas):,}" in text, what
    assert calls.ARTEFACT.code_hash.hex() in text
