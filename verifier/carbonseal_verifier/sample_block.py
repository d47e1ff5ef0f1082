"""Which block a draw takes: the one `blocks_after` blocks after the anchor of the epoch committed to.

Nobody could know its hash when the commitment was logged. Where the headers of the bundle's anchor evidence
hold a block, its number, time and hash are proved up to the trusted block; else somebody states them, and the
transcript says so. The evidence proves when an epoch was anchored, not in which block: the anchor's block is
proved only where its header is there, and a stated one must at least fit the times of the headers that are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import httpx

from carbonseal_attest.anchor import AnchorEvidence
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.evm_proof import BlockHeader, parse_header
from carbonseal_attest.instants import format_instant
from carbonseal_verifier.case import Case, StepFailed
from carbonseal_verifier.errors import SamplingRefused
from carbonseal_verifier.node_answers import NODE_TIMEOUT_S, ask_node

EVIDENCE: Final = "evidence"
STATED: Final = "stated"


@dataclass(frozen=True, slots=True)
class DrawBlock:
    """The block of a draw; `anchored_at` (ms) is None where nothing was anchored.

    `anchor_block_from` and `hash_from` say where number and hash come from: `evidence` or `stated`.
    """

    epoch: int
    anchored_at: int | None
    anchor_block: int
    anchor_block_from: str
    blocks_after: int
    block_hash: bytes
    hash_from: str

    @property
    def number(self) -> int:
        """The block's number."""
        return self.anchor_block + self.blocks_after


def find_block(
    case: Case, *, epoch: int, blocks_after: int, anchor_block: int | None, block_hash: bytes | None
) -> DrawBlock:
    """Return the block of a draw.

    Args:
        case: a bundle whose anchor step has passed.
        epoch: the epoch that the commitment names.
        blocks_after: how many blocks after its anchor.
        anchor_block: number of the anchor's block as somebody states it, None to take it from the evidence.
        block_hash: hash of the draw's block as somebody states it, None likewise.

    Raises:
        SamplingRefused: the epoch is not anchored in this bundle, something is neither proved nor stated, or
            what is stated contradicts what is proved.
    """
    anchored_at, headers = _anchored(case, epoch)
    proved = [h.number for h in headers if h.timestamp * 1000 == anchored_at]
    if len(proved) == 1:
        number, number_from = proved[0], EVIDENCE
        if anchor_block not in {None, number}:
            raise _refusal("--anchor-block", f"is {anchor_block}, and the evidence proves block {number}")
    elif anchor_block is None:
        raise SamplingRefused(
            "--anchor-block",
            "the evidence does not hold the header of the anchor's block",
            "state its number; GET /epochs and any node name it",
        )
    else:
        number, number_from = anchor_block, STATED
        _check_times(number, anchored_at, headers)
    drawn = next((h for h in headers if h.number == number + blocks_after), None)
    if drawn is not None:
        if block_hash not in {None, drawn.block_hash}:
            raise _refusal("--block-hash", f"differs from block {drawn.number} in the evidence")
        found, hash_from = drawn.block_hash, EVIDENCE
    elif block_hash is None:
        raise SamplingRefused(
            "--block-hash",
            f"the evidence does not hold the header of block {number + blocks_after}",
            "ask for the bundle with trusted_block of that number, or state the hash",
        )
    else:
        found, hash_from = block_hash, STATED
    return DrawBlock(epoch, anchored_at, number, number_from, blocks_after, found, hash_from)


def compare_with_node(url: str, block: DrawBlock) -> None:
    """See that a live node has these very blocks: the anchor's time and the draw's hash.

    Raises:
        SamplingRefused: it does not answer, or has others.
    """
    try:
        with httpx.Client(timeout=NODE_TIMEOUT_S) as client:
            anchor, drawn = (
                ask_node(client, url, "eth_getBlockByNumber", [hex(number), False])
                for number in (block.anchor_block, block.number)
            )
    except StepFailed as error:
        raise _refusal("--rpc", str(error)) from error
    if _field(drawn, "hash") != f"0x{block.block_hash.hex()}":
        raise _refusal("--rpc", f"the node has another block {block.number}")
    if block.anchored_at is not None and _field(anchor, "timestamp") != hex(block.anchored_at // 1000):
        raise _refusal("--rpc", f"the node's block {block.anchor_block} is not of the anchor's time")


def _anchored(case: Case, epoch: int) -> tuple[int | None, list[BlockHeader]]:
    """Return when the epoch was anchored, and the headers of the evidence, both proved."""
    if case.anchored is None or case.bundle.anchor is None:
        if not 1 <= epoch <= len(case.epochs):
            raise _refusal("bundle", f"holds no epoch {epoch}; take one made after it was closed")
        return None, []
    head = case.anchored.covering(epoch + 1)  # entry 0 of the log of logs is its genesis
    if head is None:
        raise _refusal("bundle", f"epoch {epoch} is not anchored in it; take one made after its anchor")
    evidence = AnchorEvidence.from_cbor(case.bundle.anchor)
    profiles = [profile for profile in case.trust.chains if profile.chain_id == evidence.chain_id]
    try:
        parsed = [parse_header(raw, header_profile=profiles[0].header_profile) for raw in evidence.headers]
    except (CarbonsealError, IndexError) as error:
        raise _refusal("bundle", "the headers of its evidence can't be read") from error
    return head.anchored_at, parsed


def _check_times(number: int, anchored_at: int | None, headers: list[BlockHeader]) -> None:
    for header in headers:
        at = header.timestamp * 1000
        if anchored_at is not None and ((at <= anchored_at) != (header.number <= number)):
            shown = format_instant(at)
            raise _refusal(
                "--anchor-block", f"can't be {number}: block {header.number} is of {shown} by the evidence"
            )


def _field(block: Any, name: str) -> str | None:
    value = block.get(name) if isinstance(block, dict) else None
    return value.lower() if isinstance(value, str) else None


def _refusal(field: str, reason: str) -> SamplingRefused:
    return SamplingRefused(field, reason, "draw from the block that the commitment names")
