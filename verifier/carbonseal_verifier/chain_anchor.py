"""Steps anchor and freshness: what the chain held, when, and whether that is recent enough.

Offline the evidence is checked under the chain profile of the trust file; `--rpc` compares it with a live
node through plain JSON-RPC besides. The chain's heads must be heads of the bundle's log of logs: a bundle
whose log of logs is behind the chain, or another one, fails.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from carbonseal_attest.anchor import (
    AnchoredHeads,
    AnchorEvidence,
    PackedHead,
    storage_slots,
    verify_anchor_evidence,
)
from carbonseal_attest.chain_profile import EVM_RLP, ChainProfile
from carbonseal_attest.instants import format_instant
from carbonseal_verifier.case import Case, StepFailed, require
from carbonseal_verifier.log_proofs import CLOCK_TOLERANCE_MS
from carbonseal_verifier.mirrored_events import compare_membership
from carbonseal_verifier.node_answers import NODE_TIMEOUT_S, ask_node, quantity, word
from carbonseal_verifier.online_anchor import check_online
from carbonseal_verifier.wording import counted


def check_anchor(case: Case) -> str:
    """Verify the chain's evidence and tie its heads to the log of logs recomputed before."""
    if case.bundle.anchor is None:
        # Step members has made sure that the trust file does not require one.
        case.anchored, case.is_final = None, False
        case.anchored_epoch, case.anchored_at = len(case.epochs), case.epochs[-1].closed_at
        return "not required by the trust file, and none carried; times are the log host's word"
    evidence = AnchorEvidence.from_cbor(case.bundle.anchor)
    profile = _profile(case.trust.chains, evidence)
    is_offline = profile.header_profile == EVM_RLP and bool(profile.trusted_blocks)
    if is_offline:
        anchored = verify_anchor_evidence(evidence, profile=profile)
        how = "; the chain id is asserted"
    elif case.rpc_url is not None:
        anchored = check_online(case.rpc_url, evidence, profile)
        how = "; anchor checked online only: all of this is the node's word, and nothing is final"
    else:
        why = "names no block to believe" if profile.header_profile == EVM_RLP else "can't read its headers"
        raise StepFailed(
            f"the anchor on chain {profile.chain_id} can be checked online only, since the trust file {why}: "
            "give --rpc and a node that you believe"
        )
    last = anchored.heads[-1]
    _check_heads(case, anchored)
    if is_offline and case.rpc_url is not None:
        how += "; " + compare_with_node(case.rpc_url, profile, anchored)
    if case.rpc_url is not None:
        how += compare_membership(case, case.rpc_url)
    case.anchored, case.anchored_epoch, case.anchored_at = anchored, last.tree_size - 1, last.anchored_at
    case.is_final = is_offline  # its headers lead to a block that the trust file believes
    heads = counted(len(anchored.heads), "head")
    return (
        f"{heads} on chain {profile.chain_id} up to size {last.tree_size}, anchored "
        f"{format_instant(last.anchored_at)} in block {anchored.block_number} at the latest{how}"
        + ("; the contract says that the log is closed" if anchored.is_closed else "")
    )


def check_freshness(case: Case) -> str:
    """Compare the anchored head's age with what the trust file allows, and say what it covers."""
    limits, at = case.trust.limits, case.anchored_at
    size = case.heads[case.operator.register_origin].get(case.anchored_epoch)
    if size is None:
        raise StepFailed(f"the operator's register log has no head in epoch {case.anchored_epoch}")
    # A head from the future would stay fresh for as long as its maker likes.
    require(
        at <= case.at + CLOCK_TOLERANCE_MS,
        f"the newest anchored head is of {format_instant(at)}, after the instant of the check, "
        f"{format_instant(case.at)}",
    )
    if limits.max_age_ms is not None:
        hours = limits.max_age_ms // 3_600_000
        require(
            case.at - at <= limits.max_age_ms,
            f"the newest anchored head is of {format_instant(at)}, more than "
            f"{counted(hours, 'hour')} before the check",
        )
    if limits.not_before is not None:
        require(
            at >= limits.not_before,
            f"the newest anchored head, {format_instant(at)}, is too old for the trust file",
        )
    register = case.operator_register().logged[:size]
    kinds = [e.content for e in register if e.content is not None]
    withdrawn = sum(c.kind == "device" and c.body["action"] in {"suspend", "revoke"} for c in kinds)
    withdrawn += sum(c.kind in {"withdrawal", "correction"} for c in kinds)
    what = "nothing" if not withdrawn else counted(withdrawn, "statement")
    return f"{what} revoked, corrected or withdrawn up to size {size}, anchored at {format_instant(at)}"


def compare_with_node(url: str, profile: ChainProfile, anchored: AnchoredHeads) -> str:
    """Compare proven heads with a live node: chain id, trusted blocks, and the contract's present head."""
    with httpx.Client(timeout=NODE_TIMEOUT_S) as client:
        chain_id = quantity(ask_node(client, url, "eth_chainId", []))
        require(chain_id == profile.chain_id, f"the node is of chain {chain_id}, not {profile.chain_id}")
        for block in profile.trusted_blocks:
            answer = ask_node(client, url, "eth_getBlockByNumber", [hex(block.number), False])
            found = answer.get("hash") if isinstance(answer, dict) else None
            require(found == f"0x{block.block_hash.hex()}", f"the node has another block {block.number}")
        packed, root, history = storage_slots(profile.log_id, profile.slot)
        words = []
        for slot in (packed, root, history):
            place = [f"0x{profile.contract.hex()}", f"0x{slot.hex()}", "latest"]
            words.append(word(ask_node(client, url, "eth_getStorageAt", place)))
    live, last = PackedHead.from_word(words[0]), anchored.heads[-1]
    require(
        live.tree_size >= last.tree_size, f"the node's head is of size {live.tree_size}, before the evidence"
    )
    if live.tree_size == last.tree_size:
        require(words[1] == last.root_hash, "the node has another root at the same size")
    closed = ", and the log is closed there" if live.is_closed else ""
    return f"the node agrees, its head is of size {live.tree_size}{closed}"


def _profile(chains: tuple[ChainProfile, ...], evidence: AnchorEvidence) -> ChainProfile:
    """Return the profile of the evidence's log; of another log on that chain the check then says so."""
    on_chain = [profile for profile in chains if profile.chain_id == evidence.chain_id]
    if not on_chain:
        raise StepFailed(f"the trust file has no profile of chain {evidence.chain_id}")
    return next((one for one in on_chain if one.log_id == evidence.log_id), on_chain[0])


def _check_heads(case: Case, anchored: AnchoredHeads) -> None:
    sizes = len(case.epoch_roots)
    for head in anchored.heads:
        require(
            head.tree_size <= sizes,
            f"the chain holds a head of size {head.tree_size}, the bundle's log of logs ends at {sizes}",
        )
        require(
            case.epoch_roots[head.tree_size - 1] == head.root_hash,
            f"the head anchored at size {head.tree_size} is of another log of logs",
        )
    require(anchored.heads[-1].tree_size > 1, "no epoch was anchored yet")
    for number, anchored_at in anchored_epochs(case, anchored):
        closed_at = case.epochs[number - 1].closed_at
        require(
            closed_at <= anchored_at + CLOCK_TOLERANCE_MS,
            f"epoch {number} says it was closed at {format_instant(closed_at)}, after it was anchored",
        )


def check_anchored_in_time(case: Case, limit_ms: int) -> None:
    """See that the chain confirms the closing times of the epochs that hold the operator's statements.

    Ticks and closing times are the log host's word; only the block bounds them. An epoch that was anchored
    later than the commit delay allows proves nothing about being on time. Without an anchor nothing is said.
    """
    if case.anchored is None:
        return
    sizes, before = case.heads[case.operator.data_origin], 0
    for number, anchored_at in anchored_epochs(case, case.anchored):
        size = sizes.get(number, before)
        wait = anchored_at - case.epochs[number - 1].closed_at
        require(
            size == before or wait <= limit_ms,
            f"epoch {number} was anchored {wait // 3_600_000} hours after the log host says it was closed: "
            "its times are not confirmed within the commit delay",
        )
        before = size


def anchored_epochs(case: Case, anchored: AnchoredHeads) -> Iterator[tuple[int, int]]:
    """Yield each epoch that an anchored head covers, with the time of the first such head."""
    number = 1
    for head in anchored.heads:
        while number < head.tree_size and number <= len(case.epochs):
            yield number, head.anchored_at
            number += 1
