"""Write `evidence.json` anew: evidence taken from a real Anvil, and one altered copy for each defect.

Run it with the project's Python from the repository's root; needs the node parts that `make setup` installs.
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from carbonseal_attest.anchor import AnchoredHead, AnchorEvidence, storage_slots
from carbonseal_attest.evm_proof import keccak256, rlp_decode, rlp_encode
from carbonseal_attest.merkle import consistency_path, leaf_hash, root_of
from carbonseal_ledger.anvil_node import AnvilNode
from carbonseal_ledger.chain_answers import Fees
from carbonseal_ledger.chain_client import ChainAccount
from carbonseal_ledger.log_anchor import CODE_HASH, LogAnchorClient
from carbonseal_ledger.log_succession import LastHead, propose_data, succeed_data

GENESIS_AT = 1_767_225_600_000  # 2026-01-01T00:00:00Z
DAY = 86_400_000
SIZES = (1, 2, 3, 7, 8, 20)
LEAVES = [leaf_hash(f"epoch {number}".encode()) for number in range(max(SIZES))]
FEES = Fees(10**10, 10**9)


def record(
    forged: int | None = None, *, stale: int = 0, is_closed: bool = False
) -> tuple[AnchorEvidence, dict[str, Any]]:
    """Deploy, open, advance five times, and return the evidence and what a trust file would say.

    `forged` is the slot of the log (0 packed head, 1 root) of which one bit is then changed in the node;
    `stale` says from how many blocks before its header the state proofs are taken. A log `is_closed` by its
    two guardians at its head of size 8, after it had gone on.
    """
    with AnvilNode(started_at=GENESIS_AT) as node:
        chain = LogAnchorClient(node.url, gas_key=b"\x11" * 32, head_key=b"\x22" * 32)
        node.fund(chain.gas_address)
        contract, log_id = chain.contract_address_for(0), chain.log_id(LEAVES[0])
        transactions = [chain.sign_deploy(0, FEES), chain.sign_open(contract, LEAVES[0], 1, FEES)]
        for old, new in pairwise(SIZES):
            step = (old, new, root_of(LEAVES[:new]))
            proof = consistency_path(
                old, new, lambda level, i: root_of(LEAVES[i << level : (i + 1) << level])
            )
            transactions.append(chain.sign_advance(contract, log_id, step, proof, len(transactions), FEES))
        for day, transaction in enumerate(transactions):
            chain.send(transaction.raw)
            node.mine(at=GENESIS_AT + day * DAY)
        if is_closed:
            close(node, chain, contract, log_id)
        if forged is not None:
            place = ("0x" + contract.hex(), "0x" + storage_slots(log_id, 0)[forged].hex())
            word = bytes.fromhex(node.rpc("eth_getStorageAt", *place, "latest")[2:])
            node.rpc("anvil_setStorageAt", *place, "0x" + flip(word).hex())
            node.mine()
        number = chain.block("latest").number
        node.mine(2)
        proof_nodes = chain.state_proof(contract, storage_slots(log_id, 0), number - stale)
        headers = [chain.header(n) for n in range(number, number + 3)]
        evidence = AnchorEvidence(
            chain_id=chain.chain_id,
            contract=contract,
            log_id=log_id,
            headers=tuple(raw for _, raw in headers),
            account_proof=proof_nodes.account_proof,
            storage_proofs=proof_nodes.storage_proofs,
            heads=tuple(mined.head for mined in chain.heads_between(contract, log_id, 0, number + 1)),
        )
        last = headers[-1][0]
    return evidence, {
        "chain_id": evidence.chain_id,
        "header_profile": "evm-rlp",
        "contract": contract.hex(),
        "code_hash": CODE_HASH.hex(),
        "log_id": log_id.hex(),
        "slot": 0,
        "head_keys": [[chain.head_address.hex(), 0, None]],
        "trusted_blocks": [[last.number, last.block_hash.hex()]],
    }


def close(node: AnvilNode, chain: LogAnchorClient, contract: bytes, log_id: bytes) -> None:
    """Let two guardians close the log, which goes on in another one that is opened first."""
    node.mine(at=GENESIS_AT + 8 * DAY)
    persons = [ChainAccount(bytes([number]) * 32) for number in (0x33, 0x44)]
    nonce = chain.next_nonce()
    guardians = (persons[0].address, persons[1].address)
    later = leaf_hash(b"genesis of the successor")
    terms = LastHead(chain.log_id(later), 8, root_of(LEAVES[:8]))
    chain.send(chain.sign_open(contract, later, nonce, FEES).raw)
    chain.send(chain.sign_appoint(contract, log_id, guardians, nonce + 1, FEES).raw)
    node.mine(at=GENESIS_AT + 9 * DAY)
    spoken = (propose_data(log_id, terms), succeed_data(log_id, terms))
    for person, data, day in zip(persons, spoken, (10, 18), strict=True):
        node.fund(person.address)
        chain.send(chain.sign(person, contract, data, nonce=0, fees=FEES, gas=200_000).raw)
        node.mine(at=GENESIS_AT + day * DAY)


def flip(data: bytes, position: int = -1) -> bytes:
    """Return `data` with the lowest bit of one byte changed."""
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


def altered_header(raw: bytes, position: int, value: bytes) -> bytes:
    """Return a header with another value in one field."""
    fields = rlp_decode(raw)
    assert isinstance(fields, list)
    fields[position] = value
    return rlp_encode(fields)


def main() -> None:
    evidence, profile = record()
    vectors: list[dict[str, Any]] = []

    def add(desc: str, error: str | None, changed: AnchorEvidence | bytes = evidence, **other: Any) -> None:
        raw = changed if isinstance(changed, bytes) else changed.to_cbor()
        vectors.append({"desc": desc, "want_error": error, "profile": profile | other, "evidence": raw.hex()})

    def with_head(index: int, **fields: Any) -> AnchorEvidence:
        heads = list(evidence.heads)
        heads[index] = replace(heads[index], **fields)
        return replace(evidence, heads=tuple(heads))

    e, heads, headers, proofs = evidence, evidence.heads, evidence.headers, evidence.storage_proofs
    number, trusted = profile["trusted_blocks"][0]
    first_hash = keccak256(headers[0]).hex()
    add("a trusted block two blocks later", None)
    one = replace(e, headers=headers[:1])
    add("the evidence block itself is trusted", None, one, trusted_blocks=[[number - 2, first_hash]])
    add("several trusted blocks", None, trusted_blocks=[[1, "00" * 32], [number, trusted]])

    add("evidence names another chain", "anchor-chain-wrong", replace(e, chain_id=1))
    add("profile names another chain", "anchor-chain-wrong", chain_id=1)
    add("evidence names another contract", "anchor-contract-wrong", replace(e, contract=b"\x01" * 20))
    add("profile names another contract", "anchor-contract-wrong", contract="01" * 20)
    add("evidence names another log", "anchor-contract-wrong", replace(e, log_id=b"\x01" * 32))
    add("profile names another log", "anchor-contract-wrong", log_id="01" * 32)
    add("profile names other code", "anchor-code-wrong", code_hash="01" * 32)
    add("profile names another slot", "anchor-state-unproven", slot=1)
    add("headers of this chain hash in an unknown way", "header-profile-unknown", header_profile="qbft")

    block = "anchor-block-untrusted"
    add("no block is trusted", block, trusted_blocks=[])
    add("trusted block of that number has another hash", block, trusted_blocks=[[number, "01" * 32]])
    add("trusted hash stands under another number", block, trusted_blocks=[[number + 1, trusted]])
    add("only the evidence block is there", block, one)
    add("no header", block, replace(e, headers=()))
    add("a header in the middle is missing", block, replace(e, headers=headers[::2]))
    add("headers run backwards", block, replace(e, headers=headers[::-1]))
    other_root = altered_header(headers[0], 3, b"\x01" * 32)
    add("evidence block with another state root", block, replace(e, headers=(other_root, *headers[1:])))
    other_time = altered_header(headers[2], 11, b"\x01")
    add("trusted block with another time", block, replace(e, headers=(*headers[:2], other_time)))
    add("a header is no header", block, replace(e, headers=(b"\xc0",)))

    state = "anchor-state-unproven"
    flipped = (flip(e.account_proof[0]), *e.account_proof[1:])
    add("account proof with a flipped bit", state, replace(e, account_proof=flipped))
    add("no account proof", state, replace(e, account_proof=()))
    add("account proof cut short", state, replace(e, account_proof=e.account_proof[:-1]))
    add("account proof with a node to spare", state, replace(e, account_proof=(*e.account_proof, b"\xc0")))
    for index, name in enumerate(("head", "root", "history")):
        nodes = (*proofs[index][:-1], flip(proofs[index][-1]))
        changed = (*proofs[:index], nodes, *proofs[index + 1 :])
        add(f"{name} proof with a flipped bit", state, replace(e, storage_proofs=changed))
    add("storage proofs in another order", state, replace(e, storage_proofs=proofs[::-1]))
    add(
        "a storage proof of another slot", state, replace(e, storage_proofs=(proofs[0], proofs[0], proofs[2]))
    )

    late, its_profile = record(stale=1)
    add("stale: the proofs are of the block before the header's", state, late, **its_profile)

    closed, its_profile = record(is_closed=True)
    add("two guardians closed the log: its heads stay proven", None, closed, **its_profile)

    history = "anchor-history-wrong"
    add("a root in the middle changed", history, with_head(2, root_hash=b"\x01" * 32))
    add("a size in the middle changed", history, with_head(3, tree_size=6))
    add(
        "a time in the middle backdated by a second",
        history,
        with_head(2, anchored_at=heads[2].anchored_at - 1000),
    )
    add("the last head left out", history, replace(e, heads=heads[:-1]))
    add("a head in the middle left out", history, replace(e, heads=heads[:2] + heads[3:]))
    more = AnchoredHead(21, b"\x01" * 32, heads[-1].anchored_at)
    add("a head too many", history, replace(e, heads=(*heads, more)))
    add("the opening has another leaf", history, with_head(0, root_hash=b"\x01" * 32))

    for slot, name in ((0, "head key"), (1, "root")):
        forged, its_profile = record(slot)
        add(f"the contract's state holds another {name}", "anchor-head-wrong", forged, **its_profile)

    (key, _, _), *_ = profile["head_keys"]
    size = heads[-1].tree_size
    wrong = "anchor-head-key-wrong"
    add("the head key is valid up to this size only just", None, head_keys=[[key, 0, size + 1]])
    add("no head key is named", wrong, head_keys=[])
    add("another head key is named", wrong, head_keys=[["01" * 20, 0, None]])
    add("the head key was retired before this size", wrong, head_keys=[[key, 0, size]])
    add("the head key is valid only from a later size", wrong, head_keys=[[key, size + 1, None]])

    form = "anchor-malformed"
    add("no heads", form, replace(e, heads=()))
    add("the list does not begin with the opening", form, replace(e, heads=heads[1:]))
    add("heads in another order", form, replace(e, heads=(heads[0], *heads[:0:-1])))
    add("a size beyond 2**48", form, with_head(-1, tree_size=(1 << 48) + 1))
    add("a time with milliseconds", form, with_head(-1, anchored_at=heads[-1].anchored_at + 1))
    add("a root of 31 bytes", form, with_head(1, root_hash=b"\x01" * 31))
    add("a contract of 19 bytes", form, replace(e, contract=b"\x01" * 19))
    add("two storage proofs", form, replace(e, storage_proofs=proofs[:2]))
    raw = e.to_cbor()
    add("cut short", form, raw[:-1])
    add("a byte to spare", form, raw + b"\x00")
    add("empty", form, b"")
    add("an array", form, b"\x80")
    add("a map of nothing", form, b"\xa0")

    path = Path(__file__).with_name("evidence.json")
    document = {
        "format": "docs/spec/anchor-evidence.md",
        "family": "anchor",
        "source": "recorded from Anvil 1.7 by tests/vectors/anchor/write_vectors.py",
        "vectors": vectors,
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
