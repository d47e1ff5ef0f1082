"""Chain profiles of a trust file, read and written; `carbonseal_attest.chain_profile` says what they mean."""

from __future__ import annotations

from carbonseal_attest.chain_profile import ChainProfile, HeadKey, TrustedBlock
from carbonseal_attest.merkle import MAX_TREE_SIZE
from carbonseal_attest.trust.tables import Table, check_spans, plain, refusal


def read_chain(table: Table) -> ChainProfile:
    """Return the chain profile of a table."""
    blocks = []
    for entry in table.tables("trusted_block"):
        number, block_hash = entry.integer("number", 0, 1 << 53), entry.octets("hash", 32)
        blocks.append(TrustedBlock(number, block_hash, entry.text("source")))
        entry.close()
    keys = []
    for entry in table.tables("head_key"):
        until = entry.integer("until_size", 1, MAX_TREE_SIZE) if "until_size" in entry else None
        keys.append(HeadKey(entry.octets("address", 20), entry.integer("from_size", 0, MAX_TREE_SIZE), until))
        entry.close()
    result = ChainProfile(
        chain_id=table.integer("chain_id", 1, (1 << 53) - 1),
        header_profile=table.text("header_profile"),
        contract=table.octets("contract", 20),
        code_hash=table.octets("code_hash", 32),
        log_id=table.octets("log_id", 32),
        slot=table.integer("slot", 0, 1 << 16),
        head_keys=tuple(keys),
        trusted_blocks=tuple(blocks),
    )
    table.close()
    return result


def format_chain(chain: ChainProfile) -> str:
    """Return the TOML tables of a chain profile."""
    lines = [
        "[[chain]]",
        f"chain_id = {chain.chain_id}",
        f'header_profile = "{plain(chain.header_profile, "chain.header_profile")}"',
        f'contract = "{chain.contract.hex()}"',
        f'code_hash = "{chain.code_hash.hex()}"',
        f'log_id = "{chain.log_id.hex()}"',
        f"slot = {chain.slot}",
        *([] if chain.head_keys else ["head_key = []"]),
        *([] if chain.trusted_blocks else ["trusted_block = []"]),
    ]
    for key in chain.head_keys:
        lines += ["[[chain.head_key]]", f'address = "{key.address.hex()}"', f"from_size = {key.from_size}"]
        lines += [] if key.until_size is None else [f"until_size = {key.until_size}"]
    for block in chain.trusted_blocks:
        lines += ["[[chain.trusted_block]]", f"number = {block.number}", f'hash = "{block.block_hash.hex()}"']
        lines += [f'source = "{plain(block.source, "chain.trusted_block.source")}"']
    return "\n".join(lines) + "\n"


def check_chains(chains: tuple[ChainProfile, ...], *, is_anchor_required: bool) -> None:
    """Refuse one log of logs on one chain told twice, and a required anchor without a chain."""
    contracts = [(chain.chain_id, chain.log_id) for chain in chains]
    if len(set(contracts)) != len(contracts):
        raise refusal("chain", "one log on one chain stands twice")
    for chain in chains:
        check_spans([(key.from_size, key.until_size) for key in chain.head_keys], "chain.head_key")
    if is_anchor_required and not chains:
        raise refusal("chain", "an anchor is required, but no chain is named")
