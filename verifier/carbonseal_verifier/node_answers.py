"""Questions to a live node by plain JSON-RPC: bounded in time and size, and any answer gives an outcome."""

from __future__ import annotations

from typing import Any, Final

import httpx

from carbonseal_verifier.case import StepFailed

NODE_TIMEOUT_S: Final = 20
MAX_ANSWER: Final = 1 << 20  # bytes


def ask_node(client: httpx.Client, url: str, method: str, params: list[Any]) -> Any:
    """Return the result of one JSON-RPC call; what does not answer, or refuses, fails the step."""
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    try:
        answer = client.post(url, json=request)
        body = answer.raise_for_status().content
        value = answer.json() if len(body) <= MAX_ANSWER else {}
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise StepFailed(f"the node does not answer {method} ({type(error).__name__})") from error
    if not isinstance(value, dict) or "result" not in value:
        raise StepFailed(f"the node refuses {method}")
    return value["result"]


def quantity(value: Any) -> int:
    """Return a number of an answer; what is none fails the step."""
    try:
        return int(value, 16)
    except (TypeError, ValueError) as error:
        raise StepFailed("the node's answer is no number") from error


def word(value: Any) -> bytes:
    """Return a 32-byte word of an answer; what is none fails the step."""
    try:
        return bytes.fromhex(value.removeprefix("0x")).rjust(32, b"\0")
    except (AttributeError, ValueError) as error:
        raise StepFailed("the node's answer is no storage word") from error
