"""A small but real log behind real HTTP, for uplink tests: Merkle tree, signed checkpoints, signed receipts.

It registers what `docs/spec/statement.md` admits (Streams: one statement a place, chained, a void continues
for what it stands for) and can be told to be down, to lose its answers, to refuse, and to lie.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import cbor2

from carbonseal_attest import cbor
from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.contents import check_content
from carbonseal_attest.merkle import consistency_path, inclusion_path, leaf_hash, root_of
from carbonseal_attest.receipt import make_receipt
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.statement import SignedStatement

ORIGIN = "log.test.example/e-party/data"
GENESIS = b"genesis of a test log"


class LogServer:
    """One log. `mode`: ok, down (503), lost (registers and drops the answer), silent (answers late)."""

    def __init__(self) -> None:
        self.key = Ed25519Signer.from_seed(b"\x07" * 32)
        self.leaves: list[bytes] = [GENESIS]
        self.index: dict[bytes, int] = {}
        self.statements: list[SignedStatement] = []
        self.contents: dict[str, bytes] = {}
        self.heads: dict[tuple[bytes, str], tuple[int, set[bytes]]] = {}
        self.anchored_below = 0
        self.mode = "ok"
        self.most = 10_000  # statements of one batch
        self.has_batch_receipts = True
        self.refuse: Callable[[SignedStatement], dict[str, Any] | None] = lambda _: None
        self.requests: list[str] = []
        self.lock = threading.RLock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                server.handle(self)

            do_GET = do_POST = do_PUT = handle_one  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(10)

    def checkpoint(self) -> str:
        hashes = [leaf_hash(leaf) for leaf in self.leaves]
        return sign_checkpoint(Checkpoint(ORIGIN, len(hashes), root_of(hashes)), self.key)

    def receipt(self, digest: bytes) -> bytes | None:
        if digest not in self.index:
            return None
        hashes = [leaf_hash(leaf) for leaf in self.leaves]
        index = self.index[digest]
        path = inclusion_path(index, len(hashes), self._node(hashes))
        return make_receipt(
            self.key, log_host="e-loghost", origin=ORIGIN, tree_size=len(hashes),
            index=index, path=path,
            root=root_of(hashes),
        )  # fmt: skip

    def register(self, statement_bytes: bytes, content: bytes | None) -> dict[str, object]:
        statement = SignedStatement.parse(statement_bytes)
        header = statement.header
        if statement.digest in self.index:
            return self._answer("duplicate", statement)
        if (problem := self.refuse(statement)) is not None:
            return {"status": "refused", "index": None, "digest": statement.digest, "problem": problem}
        stored = content if content is not None else self.contents.get(statement.payload.hex())
        assert stored is not None
        parsed = check_content(statement, stored)
        sequence, may_follow = self.heads.get((header.kid, header.stream), (-1, {None}))
        if header.sequence != sequence + 1 or header.previous not in may_follow:
            code = "sequence-reused" if header.sequence <= sequence else "sequence-gap"
            problem = {
                "code": code,
                "field": "header.sequence",
                "reason": "does not follow",
                "remedy": "wait",
            }
            return {"status": "refused", "index": None, "digest": statement.digest, "problem": problem}
        follows = {statement.digest} | ({parsed.body["digest"]} if parsed.kind == "void" else set())
        self.heads[header.kid, header.stream] = (header.sequence, follows)
        self.index[statement.digest] = len(self.leaves)
        self.leaves.append(statement_bytes)
        self.statements.append(statement)
        return self._answer("accepted", statement)

    def _answer(self, status: str, statement: SignedStatement) -> dict[str, object]:
        return {
            "status": status,
            "index": self.index[statement.digest],
            "digest": statement.digest,
            "problem": None,
        }

    @staticmethod
    def _node(hashes: list[bytes]) -> Callable[[int, int], bytes]:
        return lambda level, at: root_of(hashes[at << level : (at + 1) << level])

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.requests.append(f"{request.command} {request.path}")
        if self.mode == "down":
            self._reply(request, 503, b"{}", "application/problem+json")
            return
        if self.mode == "silent":
            request.close_connection = True
            threading.Event().wait(0.6)
            return
        with self.lock:
            status, data, kind = self._route(request.command, unquote(request.path), body)
        if self.mode == "lost":
            request.close_connection = True
            return
        self._reply(request, status, data, kind)

    def _route(self, method: str, target: str, body: bytes) -> tuple[int, bytes, str]:
        url = urlsplit(target)
        path, query = url.path, parse_qs(url.query)
        base = f"/logs/{ORIGIN}"
        if path == f"{base}/entries:batch":
            items, offset = [], 0
            while offset < len(body):
                item = cbor2.loads(body[offset:])
                items.append(item)
                offset += len(cbor.encode(item))
            if len(items) > self.most:
                return 413, b"{}", "application/problem+json"
            return 200, cbor.encode([self.register(*item) for item in items]), "application/cbor"
        if path == f"{base}/checkpoint":
            return 200, self.checkpoint().encode(), "text/plain"
        if path == f"{base}/proofs/consistency":
            hashes = [leaf_hash(leaf) for leaf in self.leaves]
            found = consistency_path(int(query["old_size"][0]), int(query["new_size"][0]), self._node(hashes))
            return 200, json.dumps({"path": [item.hex() for item in found]}).encode(), "application/json"
        if path == f"{base}/receipts:batch" and self.has_batch_receipts:
            found_receipts = [
                {"receipt": self.receipt(digest), "state": "logged"} for digest in cbor.decode(body)
            ]
            return 200, cbor.encode(found_receipts), "application/cbor"
        if path.startswith(f"{base}/receipts/"):
            digest = bytes.fromhex(path.removeprefix(f"{base}/receipts/").removesuffix("/state"))
            if path.endswith("/state"):
                known = self.index.get(digest)
                state = "anchored" if known is not None and known < self.anchored_below else "logged"
                return 200, json.dumps({"state": state}).encode(), "application/json"
            data = self.receipt(digest)
            return (200, data, "application/cose") if data else (404, b"{}", "application/problem+json")
        if method == "PUT" and path.startswith("/contents/"):
            self.contents[path.removeprefix("/contents/")] = body
            return 204, b"", "text/plain"
        return 404, b"{}", "application/problem+json"

    @staticmethod
    def _reply(request: BaseHTTPRequestHandler, status: int, data: bytes, kind: str) -> None:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)
