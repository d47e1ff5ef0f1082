"""What a relying party says about one chain: which contract it believes, and by which blocks.

The trust file carries one profile a chain; `anchor` checks evidence against it. The chain id is asserted by
whoever publishes the profile, not proven: a block header does not contain it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

EVM_RLP: Final = "evm-rlp"  # header = keccak256 of the RLP list; QBFT and FISCO BCOS hash differently


@dataclass(frozen=True, slots=True)
class TrustedBlock:
    """A block hash that the publisher of the trust file vouches for, and where it was seen."""

    number: int
    block_hash: bytes
    source: str


@dataclass(frozen=True, slots=True)
class HeadKey:
    """The address (20 bytes) whose signature moves heads, for the log of logs' sizes [from_size, until_size).

    It is another key than the log's and than the one that pays for gas. By size, as log keys are.
    """

    address: bytes
    from_size: int
    until_size: int | None

    def covers(self, tree_size: int) -> bool:
        """Whether the key signs heads of that size."""
        return self.from_size <= tree_size and (self.until_size is None or tree_size < self.until_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainProfile:
    """One chain: its id, header form, the LogAnchor's address (20 bytes), code hash and storage slot.

    `slot` is the base slot of the contract's per-log mapping; `log_id` names the log of logs in it.
    """

    chain_id: int
    header_profile: str
    contract: bytes
    code_hash: bytes
    log_id: bytes
    slot: int
    head_keys: tuple[HeadKey, ...]
    trusted_blocks: tuple[TrustedBlock, ...]
