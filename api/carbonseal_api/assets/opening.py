"""Opens the chain side of carbon-asset records of a deployment on disk, where it may have one."""

from __future__ import annotations

import logging
import time
from typing import Final

from sqlalchemy import Engine

from carbonseal_api.anchor_book import AnchorBook
from carbonseal_api.assets.chain import AssetChain
from carbonseal_api.chain_anchors import ChainAnchors, pay_on_anvil
from carbonseal_api.key_files import KeyFolder
from carbonseal_api.settings import Settings
from carbonseal_attest.instants import Clock
from carbonseal_ledger.carbon_assets import CarbonAssetsClient
from carbonseal_ledger.log_host import LogHost

_logger = logging.getLogger(__name__)
_WAIT_SECONDS: Final = 0.5  # between two looks whether a block has come


def open_assets(
    settings: Settings,
    engine: Engine,
    host: LogHost,
    anchors: AnchorBook | None,
    registrar: str,
    clock: Clock,
) -> AssetChain | None:
    """Return the chain side of carbon-asset records; None where none may be kept here.

    None without a chain, on a chain that is not in the list, and where the registrar's key is elsewhere.
    """
    url = settings.chain_rpc_url
    if url is None or not isinstance(anchors, ChainAnchors):
        return None
    keys = KeyFolder(settings.data_folder / "keys", settings.passphrase)
    client = CarbonAssetsClient(url, chain_id=anchors.chain_id)
    if client.chain_id not in settings.asset_chain_ids:
        _logger.warning("no carbon-asset records on chain %s: not in asset_chain_ids", client.chain_id)
        return None
    if "registrar" not in keys.names():
        return None
    return AssetChain(
        engine,
        clock,
        client=client,
        host=host,
        registrar=registrar,
        secrets=keys,
        allowed=settings.asset_chain_ids,
        bound_to=anchors.bound_to,
        is_open=lambda: anchors.anchored_size() > 0,
        wait=lambda: time.sleep(_WAIT_SECONDS),
        fund=(lambda address: pay_on_anvil(url, address)) if settings.is_anvil else None,
    )
