"""Builds real offline evidence of a LogAnchor: headers, tries and heads. No node is involved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from carbonseal_attest.anchor import (
    AnchoredHead,
    AnchorEvidence,
    history_link,
    log_id_of,
    storage_slots,
)
from carbonseal_attest.chain_profile import EVM_RLP, ChainProfile, HeadKey, TrustedBlock
from carbonseal_attest.evm_proof import keccak256, rlp_encode, rlp_encode_uint

CHAIN_ID = 31_337
CONTRACT = bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3")
CODE = b"LogAnchor runtime code"
CODE_HASH = keccak256(CODE)
HEAD_KEY = bytes(range(20))
SLOT = 0


def _nibbles(key: bytes) -> list[int]:
    return [n for byte in key for n in (byte >> 4, byte & 15)]


def _compact(path: Sequence[int], *, is_leaf: bool) -> bytes:
    flag = 2 if is_leaf else 0
    digits = [flag + 1, *path] if len(path) % 2 else [flag, 0, *path]
    return bytes(digits[i] * 16 + digits[i + 1] for i in range(0, len(digits), 2))


class Trie:
    """A Merkle-Patricia trie over keccak256(key), and proofs from it."""

    def __init__(self, items: Mapping[bytes, bytes]) -> None:
        self._nodes: dict[bytes, bytes] = {}
        self._node = self._build([(_nibbles(keccak256(k)), v) for k, v in sorted(items.items())])
        self.root = keccak256(rlp_encode(self._node))

    def _build(self, items):
        if len(items) == 1:
            path, value = items[0]
            return [_compact(path, is_leaf=True), value]
        shared = 0
        while len({tuple(path[: shared + 1]) for path, _ in items}) == 1:
            shared += 1
        if shared:
            rest = self._build([(path[shared:], value) for path, value in items])
            return [_compact(items[0][0][:shared], is_leaf=False), self._reference(rest)]
        branch = []
        for digit in range(16):
            below = [(path[1:], value) for path, value in items if path[0] == digit]
            branch.append(self._reference(self._build(below)) if below else b"")
        return [*branch, b""]

    def _reference(self, node):
        raw = rlp_encode(node)
        if len(raw) < 32:
            return node
        self._nodes[keccak256(raw)] = raw
        return keccak256(raw)

    def prove(self, key: bytes) -> tuple[bytes, ...]:
        path, node, proof = _nibbles(keccak256(key)), self._node, [rlp_encode(self._node)]
        while True:
            if len(node) == 17:
                child, path = node[path[0]], path[1:]
            else:
                prefix = _nibbles(node[0])
                if prefix[0] >= 2:
                    return tuple(proof)
                path = path[len(prefix) - (1 if prefix[0] % 2 else 2) :]
                child = node[1]
            if isinstance(child, bytes):
                raw = self._nodes[child]
                proof.append(raw)
                node = _decode(raw)
            else:
                node = child


def _decode(raw: bytes):
    from carbonseal_attest.evm_proof import rlp_decode

    return rlp_decode(raw)


@dataclass
class TestChain:
    """A chain whose only contract is a LogAnchor with one log."""

    __test__ = False
    genesis_leaf: bytes
    opened_at: int
    heads: list[AnchoredHead] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.heads.append(AnchoredHead(1, self.genesis_leaf, self.opened_at))
        self.log_id = log_id_of(self.genesis_leaf, HEAD_KEY)

    def advance(self, size: int, root: bytes, at: int) -> None:
        self.heads.append(AnchoredHead(size, root, at // 1000 * 1000))

    def evidence(self) -> AnchorEvidence:
        last, history = self.heads[-1], bytes(32)
        for head in self.heads:
            history = history_link(history, head)
        packed = (last.anchored_at // 1000).to_bytes(5, "big") + last.tree_size.to_bytes(7, "big") + HEAD_KEY
        slots = storage_slots(self.log_id, SLOT)
        words = (packed, last.root_hash, history)
        storage = Trie(
            {slot: rlp_encode(word.lstrip(b"\0")) for slot, word in zip(slots, words, strict=True)}
        )
        account = rlp_encode([b"\x01", b"", storage.root, CODE_HASH])
        state = Trie({CONTRACT: account, b"another": rlp_encode([b"", b"\x01", bytes(32), bytes(32)])})
        first = self._header(bytes(32), 10, state.root)
        second = self._header(keccak256(first), 11, bytes(32))
        return AnchorEvidence(
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            log_id=self.log_id,
            headers=(first, second),
            account_proof=state.prove(CONTRACT),
            storage_proofs=tuple(storage.prove(slot) for slot in slots),
            heads=tuple(self.heads),
        )

    def profile(self) -> ChainProfile:
        trusted = self.evidence().headers[-1]
        return ChainProfile(
            chain_id=CHAIN_ID,
            header_profile=EVM_RLP,
            contract=CONTRACT,
            code_hash=CODE_HASH,
            log_id=self.log_id,
            slot=SLOT,
            head_keys=(HeadKey(HEAD_KEY, 0, None),),
            trusted_blocks=(TrustedBlock(11, keccak256(trusted), "made by the test"),),
        )

    def _header(self, parent: bytes, number: int, state_root: bytes) -> bytes:
        word, stamp = bytes(32), rlp_encode_uint(self.heads[-1].anchored_at // 1000)
        fields = [parent, word, bytes(20), state_root, word, word, bytes(256), b"", rlp_encode_uint(number),
                  b"", b"", stamp, b"", word, bytes(8)]  # fmt: skip
        return rlp_encode(fields)
