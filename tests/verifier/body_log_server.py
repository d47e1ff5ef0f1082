"""A log host over HTTP for one verification body: the calls that its machine makes, on a BodyWorld's logs.

It speaks what docs/spec/log.md and the service's routes say, signs real checkpoints and receipts, and can be
told to misbehave. It decides about statements as a log does: same place, same bytes; another one, refused.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from body_world import BodyWorld
from bundle_factory import LOG_HOST, MemoryLog

from carbonseal_attest import cbor
from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.merkle import consistency_path, inclusion_path, leaf_hash, root_of
from carbonseal_attest.receipt import make_receipt
from carbonseal_attest.statement import SignedStatement

_CALL = re.compile(
    r"/logs/(?P<origin>[a-z0-9./-]+?)/(?P<what>entries|streams|checkpoint|proofs/\w+|receipts/\w+)"
)


@dataclass
class Asked:
    """One call as it came: method, path, bearer token and body."""

    method: str
    path: str
    token: str
    body: bytes


@dataclass
class BodyLogServer:
    """Serves a world on loopback, for a `with` block.

    Attributes:
        asked: every call, in order.
        failures: status codes to answer with before anything is looked at, one a call.
        loses_answers: takes statements in, and answers 503 all the same, so many times.
        receipt_key: who signs receipts.
        garbles: what to answer to every call instead of what was asked for.
    """

    world: BodyWorld
    asked: list[Asked] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    loses_answers: int = 0
    receipt_key: str = "log"
    garbles: bytes | None = None

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()

    def answer(self, call: Asked) -> tuple[int, bytes, dict[str, str]]:
        self.asked.append(call)
        if self.failures:
            return self.failures.pop(0), b"", {}
        if self.garbles is not None:
            return 200, self.garbles, {}
        parts = urlsplit(call.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path == "/logs":
            return self._open(call.body)
        if parts.path == "/epochs":
            return self._epochs(query)
        match = _CALL.fullmatch(parts.path)
        if match is None or match["origin"] not in self.world.logs:
            return self._problem(404, "origin", "no such log for this key")
        log = self.world.logs[match["origin"]]
        what, _, rest = match["what"].partition("/")
        if what == "entries":
            return self._register(log, call.body)
        if what == "receipts":
            return self._receipt(log, rest)
        return 200, self._read(log, what, rest, query), {}

    def _read(self, log: MemoryLog, what: str, rest: str, query: dict[str, str]) -> bytes:
        if what == "checkpoint":
            return sign_checkpoint(
                Checkpoint(log.origin, len(log.entries), log.root()), self.world.keys["log"]
            ).encode()
        value: Any
        if what == "streams":
            rows = [
                (kid.hex(), stream, *at)
                for (kid, stream), at in log.streams.items()
                if kid.hex() == query["kid"]
            ]
            value = [{"kid": k, "stream": s, "sequence": n, "digest": d.hex()} for k, s, n, d in rows]
        elif rest == "consistency":
            old, new = int(query["old_size"]), int(query["new_size"])
            value = {"path": [node.hex() for node in consistency_path(old, new, _nodes(log, new))]}
        elif rest == "inclusion":
            size = int(query["tree_size"])
            value = {
                "path": [node.hex() for node in inclusion_path(int(query["index"]), size, _nodes(log, size))]
            }
        else:
            head = self.world.epochs[int(query["epoch"]) - 1][1].prove(log.origin)
            value = {
                "tree_size": head.entry.tree_size,
                "root_hash": head.entry.root_hash.hex(),
                "index": head.index,
                "path": [node.hex() for node in head.path],
            }
        return json.dumps(value).encode()

    def _open(self, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        raw, content = cbor.decode(body)
        statement = SignedStatement.parse(raw)
        origin = statement.header.origin
        log = self.world.logs.setdefault(origin, MemoryLog(origin))
        if log.entries and log.entries[0] != raw:
            return self._problem(409, "origin", f"{origin} is open with another genesis")
        status = "duplicate" if log.entries else "accepted"
        if not log.entries:
            self._append(log, statement, content)
        return 200, json.dumps({"origin": origin, "status": status}).encode(), {}

    def _register(self, log: MemoryLog, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        raw, content = cbor.decode(body)
        statement = SignedStatement.parse(raw)
        header = statement.header
        sequence, digest = log.streams.get((header.kid, header.stream), (-1, None))
        if raw in log.entries:
            return 303, b"", {"Location": "/"}
        if header.sequence != sequence + 1 or header.previous != digest:
            return self._problem(409, "header.sequence", "does not follow the last one of its stream")
        self._append(log, statement, content)
        if self.loses_answers:
            self.loses_answers -= 1
            return 503, b"", {}
        return 201, b"", {}

    def _append(self, log: MemoryLog, statement: SignedStatement, content: bytes) -> None:
        log.entries.append(statement.raw)
        log.streams[statement.header.kid, statement.header.stream] = (
            statement.header.sequence,
            statement.digest,
        )
        self.world.contents[statement.payload] = content

    def _receipt(self, log: MemoryLog, digest: str) -> tuple[int, bytes, dict[str, str]]:
        found = [
            at for at, raw in enumerate(log.entries) if SignedStatement.parse(raw).digest.hex() == digest
        ]
        if not found:
            return self._problem(404, "digest", "the log holds no such statement")
        size = len(log.entries)
        data = make_receipt(
            self.world.keys[self.receipt_key], log_host=LOG_HOST, origin=log.origin, tree_size=size,
            index=found[0], path=inclusion_path(found[0], size, _nodes(log, size)), root=log.root(),
        )  # fmt: skip
        return 200, data, {"Carbonseal-Receipt-State": "logged"}

    def _epochs(self, query: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        start = int(query["start"])
        end = int(query.get("end", 10**9))
        rows = [{"epoch": e.epoch, "anchor": None} for e, _ in self.world.epochs if start <= e.epoch < end]
        return 200, json.dumps(rows).encode(), {}

    def _problem(self, status: int, place: str, reason: str) -> tuple[int, bytes, dict[str, str]]:
        problem = {"code": "refused", "field": place, "reason": reason, "remedy": "look again"}
        return status, json.dumps(problem).encode(), {}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
                status, data, headers = outer.answer(Asked(self.command, self.path, token, body))
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = _serve  # noqa: N815 - the names that http.server asks for

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        return Handler


def _nodes(log: MemoryLog, size: int) -> Any:
    leaves = [leaf_hash(raw) for raw in log.entries[:size]]
    return lambda level, at: root_of(leaves[at << level : (at + 1) << level])
