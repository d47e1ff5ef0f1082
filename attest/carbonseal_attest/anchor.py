"""Offline evidence of an anchor: what a LogAnchor contract held at one block, shown without a node.

A chain of headers leads from the evidence block to a block that the trust file names; account and storage
proofs show the contract's code, the log's head and its history hash; replaying the list of all heads gives
that hash and so proves every head and its block time. The layout of storage and the history hash are those of
`contracts/src/LogAnchor.sol`. It leaves out fetching (the ledger's) and comparing with a live node (`--rpc`).
The chain id is asserted by the trust file, not proven: no header contains it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from carbonseal_attest import cbor
from carbonseal_attest.chain_profile import ChainProfile
from carbonseal_attest.errors import AnchorInvalid, EncodingError, ProofInvalid
from carbonseal_attest.evm_proof import (
    BlockHeader,
    HeaderProfileUnknown,
    keccak256,
    parse_header,
    verify_account,
    verify_storage,
)

MAX_EVIDENCE_SIZE: Final = 1 << 25  # bytes of encoded evidence
MAX_HEADERS: Final = 8_192  # from the evidence block to a trusted one; a day of blocks twelve seconds apart
MAX_ANCHORS: Final = 1 << 18  # heads since the log was opened; seven centuries of daily epochs
MAX_TREE_SIZE: Final = 1 << 48
_VERSION: Final = 1
_WORD: Final = 1 << 256
_CLOSED: Final = 1 << 55  # in the 56 bits of the size: two guardians closed the log
_STORAGE_PROOFS: Final = 3  # packed head, root, history: in the order of their slots


class AnchorMalformed(AnchorInvalid):
    """The evidence is not of the form or size that we read."""

    code = "anchor-malformed"


class AnchorOfAnotherChain(AnchorInvalid):
    """The evidence is about another chain than the profile's."""

    code = "anchor-chain-wrong"


class AnchorOfAnotherContract(AnchorInvalid):
    """The evidence is about another contract, or another log in it, than the profile's."""

    code = "anchor-contract-wrong"


class AnchorBlockUntrusted(AnchorInvalid):
    """The headers do not lead to a block that the profile names."""

    code = "anchor-block-untrusted"


class AnchorStateUnproven(AnchorInvalid):
    """An account or storage proof does not hold."""

    code = "anchor-state-unproven"


class AnchorCodeWrong(AnchorInvalid):
    """The contract's code is not the code that the profile names."""

    code = "anchor-code-wrong"


class AnchorHistoryWrong(AnchorInvalid):
    """The list of heads does not replay to the history hash that the contract held."""

    code = "anchor-history-wrong"


class AnchorHeadKeyWrong(AnchorInvalid):
    """The contract's head key is not the one that the profile names for a head of that size."""

    code = "anchor-head-key-wrong"


class AnchorHeadWrong(AnchorInvalid):
    """The contract's head is not the last head of the list."""

    code = "anchor-head-wrong"


@dataclass(frozen=True, slots=True)
class AnchoredHead:
    """A head of the log of logs, and the time of the block that anchored it (ms since 1970 UTC)."""

    tree_size: int
    root_hash: bytes
    anchored_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorEvidence:
    """What a node said about one final block, kept because nodes forget old proofs.

    Attributes:
        chain_id: the chain's EIP-155 id, asserted.
        contract: address of the LogAnchor, 20 bytes.
        log_id: the log's id in it, 32 bytes.
        headers: encoded headers, from the evidence block up to a trusted one, each the parent of the next.
        account_proof: trie nodes from the evidence block's state root to the contract.
        storage_proofs: trie nodes from the contract's storage root to packed head, root hash and history.
        heads: every head since the log was opened, in order; the first has size 1.
    """

    chain_id: int
    contract: bytes
    log_id: bytes
    headers: tuple[bytes, ...]
    account_proof: tuple[bytes, ...]
    storage_proofs: tuple[tuple[bytes, ...], ...]
    heads: tuple[AnchoredHead, ...]

    def to_cbor(self) -> bytes:
        """Return the one encoding: a map with text keys, heads as [size, root, anchored_at]."""
        return cbor.encode(
            {
                "version": _VERSION,
                "chain_id": self.chain_id,
                "contract": self.contract,
                "log_id": self.log_id,
                "headers": list(self.headers),
                "account_proof": list(self.account_proof),
                "storage_proofs": [list(proof) for proof in self.storage_proofs],
                "heads": [[head.tree_size, head.root_hash, head.anchored_at] for head in self.heads],
            }
        )

    @classmethod
    def from_cbor(cls, data: bytes) -> AnchorEvidence:
        """Return the evidence that `data` encodes; its form is checked, nothing is proved yet.

        Raises:
            AnchorMalformed: not the deterministic encoding of evidence within our limits.
        """
        try:
            value = cbor.decode(data, max_size=MAX_EVIDENCE_SIZE, max_depth=3)
        except EncodingError as error:
            raise _malformed(error.reason) from error
        names = {*("version", "chain_id", "contract", "log_id"), *("headers", "account_proof")}
        if not isinstance(value, dict) or set(value) != names | {"storage_proofs", "heads"}:
            raise _malformed("not a map of the eight members")
        if (type(value["version"]), value["version"], type(value["chain_id"])) != (int, _VERSION, int):
            raise _malformed(f"not version {_VERSION}, or without a chain id")
        storage = value["storage_proofs"]
        if not isinstance(storage, list) or len(storage) != _STORAGE_PROOFS:
            raise _malformed(f"not {_STORAGE_PROOFS} storage proofs")
        return cls(
            chain_id=value["chain_id"],
            contract=_fixed_bytes(value["contract"], 20),
            log_id=_fixed_bytes(value["log_id"], 32),
            headers=_byte_strings(value["headers"], MAX_HEADERS),
            account_proof=_byte_strings(value["account_proof"], 65),
            storage_proofs=tuple(_byte_strings(proof, 65) for proof in storage),
            heads=_heads(value["heads"]),
        )


@dataclass(frozen=True, slots=True)
class AnchoredHeads:
    """What checked evidence proves: all heads in order, as the contract knew them at one block.

    `block_at` is that block's time (ms); `head_key` is the address whose signature moved every head.
    `is_closed` says that the contract lets the log go no further; where its heads end to count, and which log
    goes on, is the trust file's to say (`closed_log`).
    """

    heads: tuple[AnchoredHead, ...]
    block_number: int
    block_hash: bytes
    block_at: int
    head_key: bytes
    is_closed: bool

    def covering(self, tree_size: int) -> AnchoredHead | None:
        """Return the first head of at least `tree_size`: its time is the upper bound for what it covers."""
        return next((head for head in self.heads if head.tree_size >= tree_size), None)


@dataclass(frozen=True, slots=True)
class PackedHead:
    """The word in a log's first slot in LogAnchor: time (40 bits), closed (1), size (55), head key (160)."""

    anchored_at: int
    tree_size: int
    head_key: bytes
    is_closed: bool

    @classmethod
    def from_word(cls, word: bytes) -> PackedHead:
        """Split the 32-byte word; the time becomes ms since 1970 UTC."""
        sized = int.from_bytes(word[5:12], "big")
        seconds = int.from_bytes(word[:5], "big")
        return cls(seconds * 1000, sized & ~_CLOSED, word[12:], sized & _CLOSED != 0)


def log_id_of(genesis_leaf_hash: bytes, head_key: bytes) -> bytes:
    """Return keccak256(abi.encode(genesis_leaf_hash, head_key)), the id that `open` gives a log."""
    return keccak256(genesis_leaf_hash + bytes(12) + head_key)


def history_link(previous: bytes, head: AnchoredHead) -> bytes:
    """Return the history hash after `head`; before the opening it is 32 zero bytes."""
    size, seconds = head.tree_size.to_bytes(32, "big"), (head.anchored_at // 1000).to_bytes(32, "big")
    return keccak256(previous + size + head.root_hash + seconds)


def storage_slots(log_id: bytes, slot: int) -> tuple[bytes, bytes, bytes]:
    """Return the slots of packed head, root hash and history of a log in the mapping at `slot`."""
    first = int.from_bytes(keccak256(log_id + slot.to_bytes(32, "big")), "big")
    packed, root, history = (((first + offset) % _WORD).to_bytes(32, "big") for offset in range(3))
    return packed, root, history


def verify_anchor_evidence(evidence: AnchorEvidence, *, profile: ChainProfile) -> AnchoredHeads:
    """Return the heads that the evidence proves under what the trust file says of the chain.

    Raises:
        HeaderProfileUnknown: headers of this chain can't be checked offline; say "checked online only".
        AnchorInvalid: by its leaf: malformed, of another chain or contract, no trusted block, a proof that
            does not hold, other code, a history that does not replay, a head that is not the list's last.
    """
    _check_subject(evidence, profile)
    block = _evidence_block(evidence.headers, profile)
    packed, root, history = _proven_words(evidence, block, profile)

    replayed = bytes(32)
    for head in evidence.heads:
        replayed = history_link(replayed, head)
    if replayed != history:
        raise _refusal(AnchorHistoryWrong, "heads", "don't replay to the history hash of the contract")
    last = evidence.heads[-1]
    if (packed.tree_size, packed.anchored_at, root) != (last.tree_size, last.anchored_at, last.root_hash):
        raise _refusal(AnchorHeadWrong, "heads", "the last one is not the head that the contract held")
    if log_id_of(evidence.heads[0].root_hash, packed.head_key) != evidence.log_id:
        raise _refusal(AnchorHeadWrong, "heads", "the first one and the head key don't give the log's id")
    if not any(k.address == packed.head_key and k.covers(last.tree_size) for k in profile.head_keys):
        reason = f"is 0x{packed.head_key.hex()}, which the trust file does not name for size {last.tree_size}"
        raise _refusal(AnchorHeadKeyWrong, "head key", reason)
    return AnchoredHeads(
        heads=evidence.heads,
        block_number=block.number,
        block_hash=block.block_hash,
        block_at=block.timestamp * 1000,
        head_key=packed.head_key,
        is_closed=packed.is_closed,
    )


def _check_subject(evidence: AnchorEvidence, profile: ChainProfile) -> None:
    if evidence.chain_id != profile.chain_id:
        reason = f"is about chain {evidence.chain_id}, not {profile.chain_id}"
        raise _refusal(AnchorOfAnotherChain, "chain_id", reason)
    if evidence.contract != profile.contract:
        raise _refusal(AnchorOfAnotherContract, "contract", "is not the one that the trust file names")
    if evidence.log_id != profile.log_id:
        raise _refusal(AnchorOfAnotherContract, "log_id", "is not the one that the trust file names")
    # Built in memory, evidence has passed no decoder: what the replay relies on is checked for both.
    _check_heads(evidence.heads)


def _evidence_block(headers: Sequence[bytes], profile: ChainProfile) -> BlockHeader:
    """Return the first header, once the last one is found to be a trusted block."""
    if not 1 <= len(headers) <= MAX_HEADERS:
        reason = f"{len(headers)}, not between 1 and {MAX_HEADERS}"
        raise _refusal(AnchorBlockUntrusted, "headers", reason)
    try:
        blocks = [parse_header(raw, header_profile=profile.header_profile) for raw in headers]
    except ProofInvalid as error:
        raise _refusal(AnchorBlockUntrusted, error.field, error.reason) from error
    for parent, child in pairwise(blocks):
        if child.parent_hash != parent.block_hash or child.number != parent.number + 1:
            reason = f"block {child.number} does not name block {parent.number} as its parent"
            raise _refusal(AnchorBlockUntrusted, "headers", reason)
    last = blocks[-1]
    trusted = {(block.number, block.block_hash) for block in profile.trusted_blocks}
    if (last.number, last.block_hash) not in trusted:
        reason = f"end at block {last.number} {last.block_hash.hex()}, which the trust file does not name"
        raise _refusal(AnchorBlockUntrusted, "headers", reason)
    return blocks[0]


def _proven_words(
    evidence: AnchorEvidence, block: BlockHeader, profile: ChainProfile
) -> tuple[PackedHead, bytes, bytes]:
    """Return packed head, root hash and history as the evidence block's state has them."""
    if len(evidence.storage_proofs) != _STORAGE_PROOFS:
        raise _malformed(f"not {_STORAGE_PROOFS} storage proofs")
    try:
        account = verify_account(block.state_root, profile.contract, evidence.account_proof)
        if account.code_hash != profile.code_hash:
            reason = f"is {account.code_hash.hex()}, not the one that the trust file names"
            raise _refusal(AnchorCodeWrong, "code hash", reason)
        slots = storage_slots(profile.log_id, profile.slot)
        packed, root, history = (
            verify_storage(account.storage_root, slot, proof)
            for slot, proof in zip(slots, evidence.storage_proofs, strict=True)
        )
    except ProofInvalid as error:
        raise _refusal(AnchorStateUnproven, error.field, error.reason) from error
    return PackedHead.from_word(packed), root, history


def _heads(value: Any) -> tuple[AnchoredHead, ...]:
    if not isinstance(value, list) or len(value) > MAX_ANCHORS:
        raise _malformed(f"heads are not a list of at most {MAX_ANCHORS}")
    heads = []
    for item in value:
        if not isinstance(item, list) or [type(part) for part in item] != [int, bytes, int]:
            raise _malformed("a head is not [size, root, anchored_at]")
        heads.append(AnchoredHead(*item))
    return _check_heads(tuple(heads))


def _check_heads(heads: tuple[AnchoredHead, ...]) -> tuple[AnchoredHead, ...]:
    if not heads or heads[0].tree_size != 1:
        raise _malformed("heads do not begin with the opening, size 1")
    for head in heads:
        is_time = head.anchored_at % 1000 == 0 and 0 <= head.anchored_at < 1000 << 40
        if not is_time or len(head.root_hash) != 32 or not 1 <= head.tree_size <= MAX_TREE_SIZE:
            raise _malformed("a head's size, root or time is out of bounds; block times are whole seconds")
    for earlier, later in pairwise(heads):
        if later.tree_size <= earlier.tree_size or later.anchored_at < earlier.anchored_at:
            raise _malformed("heads do not grow in size and time")
    return heads


def _byte_strings(value: Any, most: int) -> tuple[bytes, ...]:
    if not isinstance(value, list) or len(value) > most or not all(type(item) is bytes for item in value):
        raise _malformed(f"a member is not a list of at most {most} byte strings")
    return tuple(value)


def _fixed_bytes(value: Any, length: int) -> bytes:
    if type(value) is not bytes or len(value) != length:
        raise _malformed(f"a member is not {length} bytes")
    return value


def _malformed(reason: str) -> AnchorMalformed:
    return AnchorMalformed("anchor", reason, "ask the log host for the evidence again")


def _refusal(leaf: type[AnchorInvalid], field: str, reason: str) -> AnchorInvalid:
    return leaf(f"anchor {field}", reason, "ask for evidence of the anchor that the trust file names")


__all__ = [
    "AnchorEvidence",
    "AnchorInvalid",
    "AnchoredHead",
    "AnchoredHeads",
    "ChainProfile",
    "HeaderProfileUnknown",
    "PackedHead",
    "history_link",
    "log_id_of",
    "storage_slots",
    "verify_anchor_evidence",
]
