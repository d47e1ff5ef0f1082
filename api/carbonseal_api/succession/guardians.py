"""What is sent to LogAnchor about a succession: who the guardians are, and their two words.

Address and data of transactions, for whatever wallet holds the account; nothing is signed here but the
appointment, by the head key, and nothing is sent. What the contract asks of them: decision 0031.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from carbonseal_api.deployment import SUCCEEDS, Identity, key_folder, read_identity
from carbonseal_api.founding import EPOCHS, Chain
from carbonseal_api.problems import PartMissing, RequestInvalid
from carbonseal_api.settings import Settings
from carbonseal_api.succession.plan import read_plan
from carbonseal_attest.anchor import log_id_of
from carbonseal_attest.merkle import leaf_hash
from carbonseal_ledger.database import open_database
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.log_anchor import LogAnchorClient
from carbonseal_ledger.log_succession import (
    LOCK_MS,
    WINDOW_MS,
    LastHead,
    appoint_data,
    propose_data,
    succeed_data,
)

_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_DAY_MS: Final = 86_400_000


def appointment(settings: Settings, guardians: Sequence[str]) -> dict[str, str]:
    """Return contract and data of the transaction that names a log's two guardians; anybody may send it.

    Raises:
        RequestInvalid: not two addresses. PartMissing: the deployment has no chain.
    """
    for address in guardians:
        if not _ADDRESS.fullmatch(address):
            raise RequestInvalid("guardian", f"{address[:50]} is no address", "write 0x and 40 digits")
    first, second = (bytes.fromhex(address[2:]) for address in guardians)
    identity = read_identity(settings)
    chain, log_id = _log_of(settings, identity)
    keys = key_folder(settings)
    client = LogAnchorClient(
        settings.chain_rpc_url or "",
        gas_key=keys.secret("gas"),
        head_key=keys.secret("head"),
        chain_id=chain.chain_id,
    )
    signature = client.sign_appointment(chain.contract, log_id, (first, second))
    return _sent(chain.contract, appoint_data(log_id, (first, second), signature))


def words(old: Settings, new: Settings) -> Mapping[str, Any]:
    """Return what the two guardians send, one after the other, to have `new` go on for `old`.

    Raises:
        PartMissing: one has no chain, or `new` goes on for another log host.
        RequestInvalid: they are anchored in different contracts.
    """
    plan_file = new.data_folder / SUCCEEDS
    if not plan_file.exists():
        raise PartMissing(SUCCEEDS, "is not in the successor's folder", "found it with `succession found`")
    plan = read_plan(plan_file)
    if plan.log_host_name != read_identity(old).log_host_name:
        raise PartMissing(SUCCEEDS, f"is of {plan.log_host_name}", "name the log host that is closed")
    (chain, old_id), (other, new_id) = (_log_of(each, read_identity(each)) for each in (old, new))
    if (chain.chain_id, chain.contract) != (other.chain_id, other.contract):
        raise RequestInvalid("--successor", "is anchored in another contract", "found it on the same one")
    terms = LastHead(new_id, plan.log_of_logs.tree_size, plan.log_of_logs.root_hash)
    return {
        "first guardian": _sent(chain.contract, propose_data(old_id, terms)),
        "other guardian": _sent(chain.contract, succeed_data(old_id, terms)),
        "not_before_days": LOCK_MS // _DAY_MS,
        "within_days": (LOCK_MS + WINDOW_MS) // _DAY_MS,
    }


def _log_of(settings: Settings, identity: Identity) -> tuple[Chain, bytes]:
    chain = identity.chain_facts()
    if chain is None:
        raise PartMissing("chain", "was never used here", "name a deployment that is anchored")
    engine = open_database(settings.database_url, settings.data_folder / "pg")
    try:
        (genesis,) = EntryReader(engine).raws(f"{identity.log_host_name}/{EPOCHS}", 0, 1)
    finally:
        engine.dispose()
    return chain, log_id_of(leaf_hash(genesis), chain.head_key)


def _sent(contract: bytes, data: bytes) -> dict[str, str]:
    return {"to": f"0x{contract.hex()}", "data": f"0x{data.hex()}"}
