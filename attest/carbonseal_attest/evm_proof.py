"""Proofs from an EVM chain, checked offline: RLP, block headers, Merkle-Patricia proofs (yellow paper).

Everything here reads bytes that somebody hostile may have written, so each layer has one strict reading:
RLP in its shortest form only, headers by a named profile, trie nodes that hash to what their parent names.
Absence is never taken for a value. It leaves out receipts, transactions and any notion of which block to
believe: the caller brings a trusted block hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from Crypto.Hash import keccak

from carbonseal_attest.chain_profile import EVM_RLP
from carbonseal_attest.errors import AnchorInvalid, ProofInvalid

RlpItem = bytes | list["RlpItem"]

MAX_RLP_SIZE: Final = (
    16_384  # bytes of one item; the largest header or trie node of a real chain has under 1,000
)
MAX_RLP_ITEMS: Final = 256  # strings and lists in one item; a header has about 22, a branch node 17 to 49
MAX_RLP_DEPTH: Final = 16  # nested lists; a node embedded in nodes reaches 3
MAX_PROOF_NODES: Final = 65  # a path has 64 nibbles, and each node but the last takes at least one
MAX_UINT_BYTES: Final = 32  # an EVM word

_HASH: Final = 32
_ADDRESS: Final = 20
_BRANCH_ITEMS: Final = 17


def keccak256(data: bytes) -> bytes:
    """Return the Keccak-256 digest (not SHA3-256), 32 bytes."""
    return keccak.new(digest_bits=256, data=data).digest()


# -- RLP ---------------------------------------------------------------------------------------------------


def rlp_decode(
    data: bytes,
    *,
    max_size: int = MAX_RLP_SIZE,
    max_items: int = MAX_RLP_ITEMS,
    max_depth: int = MAX_RLP_DEPTH,
) -> RlpItem:
    """Return the byte string or nested list that `data` encodes, if `data` is its one canonical encoding.

    Raises:
        ProofInvalid: too large, too many items, too deep, cut short, bytes to spare, not the shortest form.
    """
    if len(data) > max_size:
        raise _rlp_refusal(f"{len(data)} bytes, and at most {max_size} are read")
    reader = _RlpReader(data, max_items, max_depth)
    item, end = reader.item(0, len(data), 0)
    if end != len(data):
        raise _rlp_refusal("bytes after the end of the item")
    return item


def rlp_encode(item: RlpItem) -> bytes:
    """Return the canonical RLP encoding of a byte string or nested list of byte strings."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _rlp_head(0x80, len(item)) + item
    body = b"".join(rlp_encode(part) for part in item)
    return _rlp_head(0xC0, len(body)) + body


def rlp_encode_uint(value: int) -> bytes:
    """Return the big-endian bytes of a number as RLP wants them: none for zero, no leading zero."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def rlp_uint(item: RlpItem, *, field: str, max_bytes: int = MAX_UINT_BYTES) -> int:
    """Return the number that an RLP string holds.

    Raises:
        ProofInvalid: a list, longer than `max_bytes`, or with a leading zero byte.
    """
    if not isinstance(item, bytes) or len(item) > max_bytes or item[:1] == b"\x00":
        raise _refusal(field, f"not a number of at most {max_bytes} bytes without leading zeros")
    return int.from_bytes(item, "big")


class _RlpReader:
    """Reads one item with a budget of items; offsets always lie within the enclosing list."""

    def __init__(self, data: bytes, max_items: int, max_depth: int) -> None:
        self._data = data
        self._left = max_items
        self._max_depth = max_depth

    def item(self, start: int, end: int, depth: int) -> tuple[RlpItem, int]:
        if self._left == 0:
            raise _rlp_refusal("too many items")
        self._left -= 1
        if start >= end:
            raise _rlp_refusal("cut short")
        first = self._data[start]
        if first < 0x80:
            return self._data[start : start + 1], start + 1
        is_list = first >= 0xC0
        body, stop = self._span(start, end, 0xC0 if is_list else 0x80)
        if not is_list:
            text = self._data[body:stop]
            if len(text) == 1 and text[0] < 0x80:
                raise _rlp_refusal("a byte below 0x80 is written with a length")
            return text, stop
        if depth >= self._max_depth:
            raise _rlp_refusal("nested too deeply")
        parts: list[RlpItem] = []
        while body < stop:
            part, body = self.item(body, stop, depth + 1)
            parts.append(part)
        return parts, stop

    def _span(self, start: int, end: int, base: int) -> tuple[int, int]:
        """Return where the payload starts and stops; a length has one shortest form."""
        length = self._data[start] - base
        body = start + 1
        if length > 55:
            width = length - 55
            digits = self._data[body : min(body + width, end)]
            if len(digits) != width:
                raise _rlp_refusal("cut short")
            length = int.from_bytes(digits, "big")
            if digits[0] == 0 or length <= 55:
                raise _rlp_refusal("a length is not in its shortest form")
            body += width
        if length > end - body:
            raise _rlp_refusal("cut short")
        return body, body + length


def _rlp_head(base: int, length: int) -> bytes:
    if length <= 55:
        return bytes([base + length])
    digits = rlp_encode_uint(length)
    return bytes([base + 55 + len(digits)]) + digits


# -- Headers -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """What anchoring needs of a block header; `timestamp` is the block's time in seconds since 1970 UTC."""

    block_hash: bytes
    parent_hash: bytes
    state_root: bytes
    number: int
    timestamp: int


def parse_header(raw: bytes, *, header_profile: str) -> BlockHeader:
    """Return the header that `raw` encodes, read and hashed as `header_profile` says.

    Raises:
        HeaderProfileUnknown: headers of such a chain cannot be checked offline.
        ProofInvalid: not a header of that form.
    """
    parse = _HEADER_PROFILES.get(header_profile)
    if parse is None:
        raise HeaderProfileUnknown(
            "header_profile",
            f"{header_profile[:40]!r} is not one that can be checked offline",
            "check the anchor online with --rpc",
        )
    return parse(raw)


class HeaderProfileUnknown(AnchorInvalid):
    """The chain's headers hash in a way that is not known here: the anchor can be checked online only."""

    code = "header-profile-unknown"


def _parse_rlp_header(raw: bytes) -> BlockHeader:
    """Read an Ethereum header: keccak256 over the RLP list; forks only ever appended fields."""
    fields = rlp_decode(raw)
    if not isinstance(fields, list) or not 15 <= len(fields) <= 32:
        raise _refusal("header", "not a list of 15 to 32 fields")
    strings = [field for field in fields if isinstance(field, bytes)]
    if len(strings) != len(fields):
        raise _refusal("header", "a field is a list")
    lengths = {0: 32, 1: 32, 2: 20, 3: 32, 4: 32, 5: 32, 6: 256, 13: 32, 14: 8}
    for position, length in lengths.items():
        if len(strings[position]) != length:
            raise _refusal("header", f"field {position} is not {length} bytes")
    return BlockHeader(
        block_hash=keccak256(raw),
        parent_hash=strings[0],
        state_root=strings[3],
        number=rlp_uint(strings[8], field="header.number", max_bytes=8),
        timestamp=rlp_uint(strings[11], field="header.timestamp", max_bytes=8),
    )


_HEADER_PROFILES: Final[dict[str, Callable[[bytes], BlockHeader]]] = {EVM_RLP: _parse_rlp_header}


# -- Merkle-Patricia proofs --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
    """An account's state: transaction count, balance in wei, root of its storage trie, hash of its code."""

    nonce: int
    balance: int
    storage_root: bytes
    code_hash: bytes


def verify_account(state_root: bytes, address: bytes, proof: Sequence[bytes]) -> Account:
    """Return the account that `proof` shows under `state_root`.

    Raises:
        ProofInvalid: the proof does not hold, or shows that there is no such account.
    """
    if len(address) != _ADDRESS:
        raise _refusal("account proof", "the address is not 20 bytes")
    fields = rlp_decode(trie_value(state_root, address, proof, field="account proof"))
    if not isinstance(fields, list) or len(fields) != 4:
        raise _refusal("account proof", "the value is not an account")
    nonce, balance, storage_root, code_hash = fields
    for value in (storage_root, code_hash):
        if not isinstance(value, bytes) or len(value) != _HASH:
            raise _refusal("account proof", "a hash is not 32 bytes")
    return Account(
        nonce=rlp_uint(nonce, field="account proof", max_bytes=8),
        balance=rlp_uint(balance, field="account proof"),
        storage_root=bytes(storage_root),  # type: ignore[arg-type]  # shown to be bytes just above
        code_hash=bytes(code_hash),  # type: ignore[arg-type]
    )


def verify_storage(storage_root: bytes, slot: bytes, proof: Sequence[bytes]) -> bytes:
    """Return the 32-byte word that `proof` shows at the 32-byte `slot`; never zero, since zero is absence.

    Raises:
        ProofInvalid: the proof does not hold, or shows that the slot is empty.
    """
    if len(slot) != _HASH:
        raise _refusal("storage proof", "the slot is not 32 bytes")
    value = rlp_decode(trie_value(storage_root, slot, proof, field="storage proof"))
    number = rlp_uint(value, field="storage proof")
    if number == 0:
        raise _refusal("storage proof", "holds a zero, which a trie never stores")
    return number.to_bytes(_HASH, "big")


def trie_value(root: bytes, key: bytes, proof: Sequence[bytes], *, field: str) -> bytes:
    """Return the value that a Merkle-Patricia trie with `root` holds at keccak256(key).

    `proof` holds the RLP of the nodes from the root down, embedded ones left out, none to spare.

    Raises:
        ProofInvalid: a node is malformed, missing, superfluous or does not hash to its reference, or the path
            ends in absence.
    """
    if not 1 <= len(proof) <= MAX_PROOF_NODES:
        raise _refusal(field, f"not between 1 and {MAX_PROOF_NODES} nodes")
    path = keccak256(key).hex()
    waiting = iter(proof)
    reference: RlpItem = root
    while True:
        node = _resolve(reference, waiting, field)
        if len(node) == _BRANCH_ITEMS:
            # All keys of these tries have one length, so a value can't sit in a branch.
            if not path or node[16] != b"":
                raise _refusal(field, "a branch where the path has ended")
            reference, path = node[int(path[0], 16)], path[1:]
            if reference == b"":
                raise _refusal(field, "shows that the key is absent")
            continue
        nibbles, is_leaf = _compact_path(node[0], field)
        if not path.startswith(nibbles) or (is_leaf and path != nibbles):
            raise _refusal(field, "shows that the key is absent")
        path = path[len(nibbles) :]
        if is_leaf:
            break
        if not nibbles:
            raise _refusal(field, "an extension that takes no step")
        reference = node[1]
    value = node[1]
    if not isinstance(value, bytes) or not value:
        raise _refusal(field, "a leaf without a value")
    if next(waiting, None) is not None:
        raise _refusal(field, "nodes to spare")
    return value


def referenced_nodes(proof: Sequence[bytes]) -> list[bytes]:
    """Return a node's `eth_getProof` answer as `trie_value` wants it: without the nodes embedded in others.

    Some servers list those a second time (alloy does, geth does not); only the root may be short.
    """
    return [node for index, node in enumerate(proof) if index == 0 or len(node) >= _HASH]


def _resolve(reference: RlpItem, waiting: Iterator[bytes], field: str) -> list[RlpItem]:
    """Return the node that a reference names: the next of the proof by its hash, or one embedded."""
    if isinstance(reference, list):
        # Only what is shorter than a hash is embedded; anything else would be a second way to write the trie.
        if len(rlp_encode(reference)) >= _HASH:
            raise _refusal(field, "an embedded node that should have been named by its hash")
        node: RlpItem = reference
    else:
        if len(reference) != _HASH:
            raise _refusal(field, "a reference is not a hash of 32 bytes")
        raw = next(waiting, None)
        if raw is None:
            raise _refusal(field, "a node is missing")
        if keccak256(raw) != reference:
            raise _refusal(field, "a node does not hash to its reference")
        node = rlp_decode(raw)
    if not isinstance(node, list) or len(node) not in {2, _BRANCH_ITEMS}:
        raise _refusal(field, "a node has neither 2 nor 17 items")
    return node


def _compact_path(item: RlpItem, field: str) -> tuple[str, bool]:
    """Return the nibbles of a hex-prefix encoded path, as hex digits, and whether it ends in a leaf."""
    if not isinstance(item, bytes) or not 1 <= len(item) <= _HASH + 1:
        raise _refusal(field, "a node's path is malformed")
    flag, digits = item[0] >> 4, item.hex()
    if flag > 3 or (not flag & 1 and digits[1] != "0"):
        raise _refusal(field, "a node's path is malformed")
    return digits[1 if flag & 1 else 2 :], flag >= 2


def _refusal(field: str, reason: str) -> ProofInvalid:
    return ProofInvalid(
        field, reason, "fetch the evidence again from a node of the chain that the trust file names"
    )


def _rlp_refusal(reason: str) -> ProofInvalid:
    return _refusal("rlp", reason)
