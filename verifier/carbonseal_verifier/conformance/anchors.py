"""Family anchor: evidence of a chain's anchors against a profile, and EVM proofs of one block; ours only."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from carbonseal_attest.anchor import AnchorEvidence, verify_anchor_evidence
from carbonseal_attest.chain_profile import EVM_RLP, ChainProfile, HeadKey, TrustedBlock
from carbonseal_attest.evm_proof import keccak256, parse_header, verify_account, verify_storage
from carbonseal_verifier.conformance import ours
from carbonseal_verifier.conformance.case import ACCEPTED, REFUSED, Case, Meaning
from carbonseal_verifier.conformance.fields import Fields
from carbonseal_verifier.conformance.shape import Shape, has
from carbonseal_verifier.conformance.vector_file import Source

_ZERO: Final = bytes(32)


def _evidence(fields: Fields) -> Meaning:
    profile = _profile(fields.within("profile"))
    proven = verify_anchor_evidence(AnchorEvidence.from_cbor(fields.hex("evidence")), profile=profile)
    return {"tree_size": proven.heads[-1].tree_size, "root_hash": proven.heads[-1].root_hash}


def _profile(fields: Fields) -> ChainProfile:
    blocks = []
    for item in fields.items("trusted_blocks"):
        if not isinstance(item, list) or len(item) != 2:
            raise fields.refusal("trusted_blocks", "not pairs of number and hash")
        block = Fields({"number": item[0], "hash": item[1]}, f"{fields.name}, trusted_blocks")
        blocks.append(TrustedBlock(block.whole("number"), block.hex("hash"), "vector"))
    keys = []
    for item in fields.items("head_keys"):
        if not isinstance(item, list) or len(item) != 3:
            raise fields.refusal("head_keys", "not triples of address, first size and size after the last")
        entry = Fields({"address": item[0], "from_size": item[1]}, f"{fields.name}, head_keys")
        until = item[2] if type(item[2]) is int else None
        keys.append(HeadKey(entry.hex("address"), entry.whole("from_size"), until))
    return ChainProfile(
        chain_id=fields.whole("chain_id"),
        header_profile=fields.text("header_profile"),
        contract=fields.hex("contract"),
        code_hash=fields.hex("code_hash"),
        log_id=fields.hex("log_id"),
        slot=fields.whole("slot"),
        head_keys=tuple(keys),
        trusted_blocks=tuple(blocks),
    )


def _block(document: Any, source: Source) -> Iterable[Case]:
    """Yield the header, the accounts and the storage slots that a node showed of one block."""
    fields = Fields(document, source.name)
    raw, root = fields.hex("header"), fields.hex("state_root")
    account = fields.hex("account"), fields.hexes("account_proof")
    absent = fields.hex("absent_account"), fields.hexes("absent_account_proof")
    wanted = {"block_hash": fields.hex("block_hash"), "parent_hash": fields.hex("parent_hash")}
    wanted_times = {
        "state_root": root,
        "number": fields.whole("number"),
        "timestamp": fields.whole("timestamp"),
    }
    yield Case(f"{source.prefix}header", ACCEPTED, partial(_header, raw), meaning=wanted | wanted_times)
    code_hash = keccak256(fields.hex("code"))
    run = partial(_account, root, *account)
    yield Case(f"{source.prefix}account", ACCEPTED, run, meaning={"code_hash": code_hash})
    yield Case(f"{source.prefix}absent account", REFUSED, partial(_account, root, *absent))
    for item in fields.items("storage"):
        slot = Fields(item, "storage")
        number, word, proof = slot.whole("slot"), slot.hex("word"), slot.hexes("proof")
        if not 0 <= number < 1 << 256:
            raise slot.refusal("slot", "not a slot")
        run = partial(_word, root, account, number.to_bytes(32, "big"), proof)
        want = REFUSED if word == _ZERO else ACCEPTED  # absence is never taken for a value
        meaning = {"word": word} if want == ACCEPTED else {}
        yield Case(f"{source.prefix}slot {number}", want, run, meaning=meaning)


def _header(raw: bytes) -> Meaning:
    block = parse_header(raw, header_profile=EVM_RLP)
    names = ("block_hash", "parent_hash", "state_root", "number", "timestamp")
    return {name: getattr(block, name) for name in names}


def _account(root: bytes, address: bytes, proof: list[bytes]) -> Meaning:
    return {"code_hash": verify_account(root, address, proof).code_hash}


def _word(root: bytes, account: tuple[bytes, list[bytes]], slot: bytes, proof: list[bytes]) -> Meaning:
    return {"word": verify_storage(verify_account(root, *account).storage_root, slot, proof)}


ANCHOR = (
    ours.shape("anchor", _evidence),
    Shape(
        "EVM proofs",
        "ours: a block's header, account and storage proofs (tests/vectors/evm)",
        has("header", "account_proof", "absent_account_proof", "storage"),
        _block,
    ),
)
