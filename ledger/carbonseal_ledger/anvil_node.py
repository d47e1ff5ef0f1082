"""A real EVM node on this machine for the demo and the tests: Anvil, driven by our clock.

The binary from the npm package is run itself, not through `npx`, whose shim would stay behind as a parent. It
listens on a free loopback port and is ended by its own process id. This leaves out everything that a chain
with other people on it has; production names a JSON-RPC address instead.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

from carbonseal_ledger.errors import LedgerError

CHAIN_ID: Final = 31_337  # Anvil's own; nobody's real chain
SLOTS_IN_AN_EPOCH: Final = 2  # `safe` lies two blocks and `finalized` four blocks behind the newest
BLOCKS_TO_FINALITY: Final = 2 * SLOTS_IN_AN_EPOCH
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 20.0  # with a state file it writes the whole chain down before it ends
_LISTENING: Final = re.compile(rb"Listening on (127\.0\.0\.1:\d+)")
_ARCHITECTURES: Final = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class AnvilUnavailable(LedgerError):
    """The node is not installed or does not start."""

    code = "anvil-unavailable"


class AnvilNode:
    """One Anvil process.

    Attributes:
        url: its JSON-RPC address; empty until started.

    Args:
        started_at: instant of the genesis block, ms since 1970 UTC (whole seconds count).
        state_path: file from which the chain is read and to which it is written on stop; None forgets it.
        is_auto_mining: True mines a block for each transaction, False only on `mine`.
        chain_id: the chain id that transactions and signatures bind.
        hardfork: rules of another time, such as `berlin`, which knows no base fee; None takes the newest.
        port: where it listens; 0 takes a free one, and keeps it when it is started again.
    """

    def __init__(
        self,
        *,
        started_at: int,
        state_path: Path | None = None,
        is_auto_mining: bool = False,
        chain_id: int = CHAIN_ID,
        hardfork: str | None = None,
        port: int = 0,
    ) -> None:
        self.url = ""
        self._port = port
        self._arguments = [
            *("--host", "127.0.0.1", "--chain-id", str(chain_id)),
            *([] if hardfork is None else ["--hardfork", hardfork]),
            *("--timestamp", str(started_at // 1000), "--slots-in-an-epoch", str(SLOTS_IN_AN_EPOCH)),
            *([] if is_auto_mining else ["--no-mining"]),
        ]
        if state_path is not None:
            self._arguments += ["--state", str(state_path), "--preserve-historical-states"]
        self._process: subprocess.Popen[bytes] | None = None
        self._request_id = 0

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The node's own process id.

        Raises:
            AnvilUnavailable: it does not run.
        """
        if self._process is None:
            raise AnvilUnavailable("anvil", "it has not been started", "call start() first")
        return self._process.pid

    def start(self) -> Self:
        """Start the node and return it once it answers.

        Raises:
            AnvilUnavailable: not installed, or it ended or stayed silent while starting.
        """
        binary = find_anvil()
        with tempfile.TemporaryFile() as output:
            # Its output goes to a file: a pipe that nobody reads would one day block it.
            self._process = subprocess.Popen(
                [str(binary), *self._arguments, "--port", str(self._port)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            deadline = time.monotonic() + _START_SECONDS
            while time.monotonic() < deadline:
                text = os.pread(output.fileno(), 65_536, 0)
                if listening := _LISTENING.search(text):
                    self.url = f"http://{listening[1].decode()}"
                    self._port = int(self.url.rpartition(":")[2])
                    return self
                if self._process.poll() is not None:
                    break
                time.sleep(0.02)
        self.stop()
        last = text.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise AnvilUnavailable("anvil", f"it did not start: {last[0]}", "run make setup, then try again")

    def stop(self) -> None:
        """End the node by its process id; a state file is written first."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process, self.url = None, ""

    def rpc(self, method: str, *params: object) -> Any:
        """Return the result of a JSON-RPC call, for the node's own methods (`anvil_…`, `evm_…`).

        Raises:
            AnvilUnavailable: it answers with an error, or not at all.
        """
        self._request_id += 1
        body = {"jsonrpc": "2.0", "id": self._request_id, "method": method, "params": list(params)}
        request = urllib.request.Request(  # noqa: S310 - the loopback address that the node itself printed
            self.url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - same
                result = json.load(answer)
        except (OSError, ValueError) as error:
            raise AnvilUnavailable("anvil", f"{method}: {error}", "start the node again") from error
        if "error" in result:
            raise AnvilUnavailable("anvil", f"{method}: {result['error']}", "read Anvil's documentation")
        return result["result"]

    def set_next_block_time(self, at: int) -> int:
        """Give the next block the time `at` (ms; whole seconds count), and return the one it gets, in ms.

        Blocks must grow younger, so a block never gets a time at or before the newest one's: it gets one
        second more.
        """
        newest = int(self.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        seconds = max(at // 1000, newest + 1)
        self.rpc("evm_setNextBlockTimestamp", seconds)
        return seconds * 1000

    def mine(self, count: int = 1, *, at: int | None = None) -> None:
        """Mine blocks a second apart, the first at `at` (ms) if given, else a second after the newest."""
        self.set_next_block_time(0 if at is None else at)
        self.rpc("anvil_mine", hex(count), "0x1")

    def fund(self, address: bytes, wei: int = 10**20) -> None:
        """Give an address a balance in wei (default 100 ether), as a faucet would."""
        self.rpc("anvil_setBalance", "0x" + address.hex(), hex(wei))


def find_anvil() -> Path:
    """Return the path of the Anvil binary in the project's node parts, or else on the search path.

    `CARBONSEAL_NODE_MODULES` names the folder; without it the nearest `node_modules` above the working folder
    and above this package is looked at. Whoever sets it decides which program plays the chain.

    Raises:
        AnvilUnavailable: there is none.
    """
    machine = _ARCHITECTURES.get(platform.machine(), platform.machine())
    package = f"anvil-{platform.system().lower()}-{machine}"
    for folder in _node_modules():
        binary = folder / "@foundry-rs" / package / "bin" / "anvil"
        if binary.is_file():
            return binary
    found = shutil.which("anvil")
    if found is not None:
        return Path(found)
    raise AnvilUnavailable(
        "anvil", f"no {package} in node_modules", "run make setup, or set CARBONSEAL_NODE_MODULES"
    )


def _node_modules() -> Iterator[Path]:
    named = os.environ.get("CARBONSEAL_NODE_MODULES")
    if named:
        yield Path(named)
        return
    for start in (Path.cwd(), Path(__file__).resolve().parent):
        for folder in (start, *start.parents):
            yield folder / "node_modules"
