"""A log host that publishes several logs over HTTP as static files, honest until a test changes a file."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from witness_world import SigningLog

from carbonseal_attest import cbor
from carbonseal_attest.epoch import EpochMap, MapEntry
from carbonseal_attest.merkle import leaf_hash
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.tiles import TILE_WIDTH, encode_entries, entries_path, grown_tiles, tile_path

NAME = "log.example.org"
TOKEN = "reader-of-maps"


@dataclass
class LogHostWorld:
    """Logs under one key, an epoch at a time, as files by path; `requests` are the paths that were asked."""

    signer: Ed25519Signer = field(default_factory=Ed25519Signer.generate)
    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    maps: dict[int, list[MapEntry]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.epochs = SigningLog(f"{NAME}/epochs", [b"genesis"], self.signer)
        self.logs = {
            name: SigningLog(
                f"{NAME}/{name}/data", [b"%s %d" % (name.encode(), at) for at in range(900)], self.signer
            )
            for name in ("e-one", "e-two", "e-three")
        }
        self.sizes = dict.fromkeys(self.logs, 0)
        world = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_GET(self) -> None:
                world.requests.append(self.path)
                data = world.files.get(self.path)
                status = 200 if data is not None else 404
                if (
                    self.path.startswith("/epochs/")
                    and self.headers.get("Authorization") != f"Bearer {TOKEN}"
                ):
                    status, data = 401, None
                self.send_response(status)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def publish(self, log: SigningLog, size: int, *, root: bytes | None = None) -> None:
        """Write checkpoint and tiles of a log at a size; partial tiles of before stay."""
        hashes = [leaf_hash(leaf) for leaf in log.leaves[:size]]
        for tile, data in grown_tiles(0, hashes, lambda *_: b"").items():
            self.files[f"/logs/{log.origin}/{tile_path(*tile)}"] = data
        self.files[f"/logs/{log.origin}/checkpoint"] = log.note(size, root)

    def publish_epochs(self) -> None:
        log, size = self.epochs, len(self.epochs.leaves)
        self.publish(log, size)
        for index in range(-(-size // TILE_WIDTH)):
            entries = log.leaves[index * TILE_WIDTH : (index + 1) * TILE_WIDTH]
            self.files[f"/logs/{log.origin}/{entries_path(index, len(entries))}"] = encode_entries(entries)

    def grow(self, **sizes: int) -> None:
        """Publish data logs at new sizes."""
        for name, size in sizes.items():
            key = name.replace("_", "-")
            self.sizes[key] = size
            self.publish(self.logs[key], size)

    def heads(self) -> list[MapEntry]:
        return [
            MapEntry(self.logs[name].origin, size, self.logs[name].root(size))
            for name, size in self.sizes.items()
            if size
        ]

    def close_epoch(self, heads: list[MapEntry] | None = None, *, number: int | None = None) -> int:
        """Close an epoch over heads, the logs' own by default."""
        entries = self.heads() if heads is None else heads
        epoch = len(self.epochs.leaves)
        made = EpochMap(entries)
        self.epochs.leaves.append(made.close(number or epoch, 1000 * epoch).encode())
        self.files[f"/epochs/{epoch}/map"] = cbor.encode([entry.encode() for entry in made.entries])
        self.publish_epochs()
        return epoch

    def change(self, path: str, at: int = -1) -> None:
        """Flip one bit of a published file."""
        data = bytearray(self.files[path])
        data[at] ^= 1
        self.files[path] = bytes(data)
