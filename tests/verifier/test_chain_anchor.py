"""`--rpc`: a live node is asked over real HTTP, and what it answers is compared, never believed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from bundle_factory import HOUR, caught, honest, reason, to_bytes
from chain_evidence import CHAIN_ID, CODE, HEAD_KEY

from carbonseal_attest.anchor import history_link, storage_slots
from carbonseal_attest.trust import format_trust_file


class Node:
    """A JSON-RPC node on loopback with the methods that the check asks; its answers can be changed."""

    def __init__(self, world) -> None:
        head, profile = world.chain.heads[-1], world.chain.profile()
        slots = storage_slots(profile.log_id, profile.slot)
        history = bytes(32)
        for one in world.chain.heads:
            history = history_link(history, one)
        packed = (head.anchored_at // 1000).to_bytes(5, "big") + head.tree_size.to_bytes(7, "big") + HEAD_KEY
        self.words = {f"0x{slots[0].hex()}": packed, f"0x{slots[1].hex()}": head.root_hash,
                      f"0x{slots[2].hex()}": history}  # fmt: skip
        self.answers = {
            "eth_chainId": hex(CHAIN_ID),
            "eth_getBlockByNumber": {
                "hash": f"0x{profile.trusted_blocks[0].block_hash.hex()}",
                "number": "0xb",
                "timestamp": hex(head.anchored_at // 1000),
            },
            "eth_getCode": "0x" + CODE.hex(),
        }
        self.raw: bytes | None = None
        node = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = node.raw if node.raw is not None else json.dumps(node.answer(request)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request):
        method = request["method"]
        if method == "eth_getStorageAt":
            word = self.words.get(request["params"][1], bytes(32))
            return {"jsonrpc": "2.0", "id": 1, "result": f"0x{word.hex()}"}
        return {"jsonrpc": "2.0", "id": 1, "result": self.answers[method]}


@pytest.fixture(scope="module")
def world():
    return honest()


@pytest.fixture
def node(world):
    node = Node(world)
    yield node
    node.server.shutdown()
    node.server.server_close()


def check(world, node):
    return world.check(rpc_url=node.url, at=world.now + HOUR)


def test_passes_when_the_node_agrees(world, node):
    result = check(world, node)
    assert result.has_passed
    assert "the node agrees" in reason(result, "anchor")


def test_passes_when_the_chain_has_gone_on(world, node):
    slot = next(iter(node.words))
    size = world.chain.heads[-1].tree_size + 5
    node.words[slot] = node.words[slot][:5] + size.to_bytes(7, "big") + HEAD_KEY
    assert check(world, node).has_passed


def test_catches_a_node_of_another_chain(world, node):
    node.answers["eth_chainId"] = "0x1"
    assert caught(check(world, node)) == "anchor"


def test_catches_a_trusted_block_that_the_node_does_not_know(world, node):
    node.answers["eth_getBlockByNumber"] = None
    assert caught(check(world, node)) == "anchor"


def test_catches_a_node_whose_head_is_behind_the_evidence(world, node):
    slot = next(iter(node.words))
    node.words[slot] = node.words[slot][:5] + (1).to_bytes(7, "big") + HEAD_KEY
    assert caught(check(world, node)) == "anchor"


def test_catches_a_node_with_another_root_at_the_same_size(world, node):
    node.words[list(node.words)[1]] = b"\x01" * 32
    assert caught(check(world, node)) == "anchor"


@pytest.mark.parametrize(
    "raw", [b"", b"noise", b"[]", b'{"error": 1}', b'{"result": 7}', b'{"result": "0xzz"}']
)
def test_any_answer_of_a_node_gives_an_outcome(world, node, raw):
    node.raw = raw
    assert caught(check(world, node)) == "anchor"


# -- chains whose headers nobody here can read -----------------------------------------------------


def online(world, **changes):
    profile = replace(world.chain.profile(), header_profile="qbft", **changes)
    return world.trust(chains=(profile,))


def test_a_chain_with_unknown_headers_is_checked_online_only_and_never_called_final(world, node):
    result = world.check(rpc_url=node.url, trust=online(world))
    assert result.has_passed
    assert "anchor checked online only: all of this is the node's word" in reason(result, "anchor")
    assert "logged, anchored; not witnessed and final" in reason(result, "cut-off")


def test_without_a_node_such_an_anchor_is_not_taken_on_faith(world):
    for trust in (online(world), world.trust(chains=(replace(world.chain.profile(), trusted_blocks=()),))):
        result = world.check(trust=trust)
        assert caught(result) == "anchor"
        assert "online only" in reason(result, "anchor")
        assert "--rpc" in reason(result, "anchor")


def test_catches_online_a_contract_with_other_code_head_history_or_key(world, node):
    honest_words, honest_code = dict(node.words), node.answers["eth_getCode"]
    for at in range(3):
        node.words = dict(honest_words)
        node.words[list(honest_words)[at]] = bytes(31) + b"\x01"
        assert caught(world.check(rpc_url=node.url, trust=online(world))) == "anchor"
    node.words, node.answers["eth_getCode"] = honest_words, "0x00"
    assert caught(world.check(rpc_url=node.url, trust=online(world))) == "anchor"
    node.answers["eth_getCode"] = honest_code
    assert caught(world.check(rpc_url=node.url, trust=online(world, head_keys=()))) == "anchor"
    assert caught(world.check(rpc_url=node.url, trust=online(world, contract=bytes(20)))) == "anchor"
    assert world.check(rpc_url=node.url, trust=online(world)).has_passed


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"result": 7}', b'{"result": "0xzz"}', b'{"result": null}'])
def test_any_answer_of_a_node_gives_an_outcome_online_too(world, node, raw):
    node.raw = raw
    assert caught(world.check(rpc_url=node.url, trust=online(world))) == "anchor"


# -- without a node --------------------------------------------------------------------------------

OFFLINE = """
import io, socket, sys

for name in ("web3", "eth_account", "eth_abi", "hexbytes", "requests", "aiohttp"):
    sys.modules[name] = None  # any import of it fails

def refuse(*_):
    raise OSError("no network in this test")

socket.socket.connect = socket.getaddrinfo = refuse

from carbonseal_attest.trust import TrustFile
from carbonseal_verifier.check import run_check

trust = TrustFile.parse(open(sys.argv[2], "rb").read())
with open(sys.argv[1], "rb") as bundle:
    result = run_check(bundle, trust=trust, at=int(sys.argv[3]))
assert result.has_passed, [step for step in result.steps if step.outcome != "passed"]
loaded = {name.split(".")[0] for name, module in sys.modules.items() if module is not None}
assert not loaded & {"web3", "eth_account", "eth_utils", "rlp"}
"""


def test_an_anchor_is_checked_without_web3_and_without_any_network(world, tmp_path):
    bundle, trust = tmp_path / "evidence.bundle", tmp_path / "trust.toml"
    bundle.write_bytes(to_bytes(world.bundle()))
    trust.write_text(format_trust_file(world.trust()))
    arguments = [str(bundle), str(trust), str(world.now + HOUR)]
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
