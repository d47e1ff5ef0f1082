"""How a command finds the deployment that runs on its data folder: by what `carbonseal up` wrote there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from carbonseal_api.settings import Settings, load_settings
from carbonseal_api.up import RUNNING


def settings_beside(data_folder: Path | None) -> Settings:
    """Return the settings of a command that works beside a running deployment, its chain included.

    Where nothing runs, or the file is being written, they are those of the folder and the environment alone.
    """
    settings = load_settings(data_folder=data_folder)
    if settings.chain_rpc_url is not None:
        return settings
    try:
        running: dict[str, Any] = json.loads((settings.data_folder / RUNNING).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return settings
    return load_settings(data_folder=data_folder, chain_rpc_url=running.get("chain_rpc_url"))
