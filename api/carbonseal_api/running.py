"""How a command finds the deployment that runs on its data folder: by what `carbonseal up` wrote there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from carbonseal_api.problems import RequestInvalid
from carbonseal_api.settings import Settings, load_settings
from carbonseal_api.up import RUNNING

if TYPE_CHECKING:
    from carbonseal_api.assembly import Parts


def refuse_while_running(settings: Settings) -> None:
    """Refuse what must not be done beside a running deployment.

    Raises:
        RequestInvalid: `carbonseal up` runs on the data folder.
    """
    try:
        running: dict[str, Any] = json.loads((settings.data_folder / RUNNING).read_text(encoding="utf-8"))
        pid = int(running["pids"]["supervisor"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    if psutil.pid_exists(pid):
        raise RequestInvalid(
            "data", f"the service runs on it (process {pid})", "stop the service and its workers first"
        )


def settings_beside(data_folder: Path | None) -> Settings:
    """Return the settings of a command beside a running deployment, its chain and address included.

    Where nothing runs, or the file is being written, they are those of the folder and the environment alone.
    """
    settings = load_settings(data_folder=data_folder)
    try:
        running: dict[str, Any] = json.loads((settings.data_folder / RUNNING).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return settings
    return load_settings(
        data_folder=data_folder,
        chain_rpc_url=settings.chain_rpc_url or running.get("chain_rpc_url"),
        public_url=settings.public_url or running.get("address"),
    )


@contextmanager
def opened(data_folder: Path | None) -> Iterator[Parts]:
    """Yield the parts of the deployment of a data folder, for use in a `with` block of a command."""
    from carbonseal_api.deployment import open_deployment

    parts = open_deployment(settings_beside(data_folder))
    try:
        yield parts
    finally:
        parts.close()
