"""Uplink: brings the spool's statements to the ledger, in order, and keeps the receipts that come back.

HTTP (SCRAPI-shaped routes): `POST /logs/{origin}/entries:batch`, `PUT /contents/{digest}`, checkpoint,
receipts (RFC 9942). A time-out, a refused connection or a 5xx is never a loss: the statement stays and is
sent again, the very same bytes. A statement that the log refuses for good is replaced by a `void` in its
place; one that it refuses for now holds back its own stream only, and a log that takes no more for now is
asked again when it said. A checkpoint counts when the log's key
signed it and it is consistent with the one known before. That a receipt is *anchored* is taken from the
ledger's word; checking it against the chain is the verifier's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, cast

import httpx

from carbonseal_attest import cbor
from carbonseal_attest.checkpoint import Checkpoint, open_checkpoint
from carbonseal_attest.errors import CarbonsealError, EncodingError
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import MAX_TREE_SIZE, verify_consistency
from carbonseal_attest.receipt import Receipt
from carbonseal_attest.statement import SignedStatement
from carbonseal_collectors.errors import UplinkUnusable
from carbonseal_collectors.gateway_config import UplinkConfig
from carbonseal_collectors.plain_text import as_plain_text
from carbonseal_collectors.sealing import Sealer
from carbonseal_collectors.spool import Entry, Spool

# What no waiting will cure: the statement itself is wrong for this log.
PERMANENT: Final = frozenset(
    {
        "malformed-statement",
        "body-too-large",
        "origin-wrong",
        "kind-unknown",
        "kind-wrong-log",
        "log-reserved",
        "content-contradicts-header",
        "content-invalid",
        "content-malformed",
        "content-erased",
        "interval-invalid",
    }
)
RATE_LIMITED: Final = "rate-limited"  # for now: the stream's place stays free
FINAL_STATES: Final = frozenset({"anchored", "final"})
MAX_ANSWER: Final = 16 << 20  # bytes of one answer
_INLINE_CONTENT: Final = 512 << 10  # bytes; larger contents are put first
_RECEIPTS_AT_ONCE: Final = 500
_HASH_BYTES: Final = 32
_TIMEOUTS_AN_ANSWER: Final = 10  # one request's time-out is for a pause; so many for a whole answer
_MAX_ASKED_MS: Final = 3_600_000
_MAX_DIGITS: Final = 8
_MAX_PROBLEM: Final = 400  # characters, the content schema's limit


@dataclass(slots=True)
class DrainReport:
    """What one drain did. `failure` says why it stopped early, empty when it did not."""

    sent: int = 0
    logged: int = 0
    voided: int = 0
    receipts: int = 0
    anchored: int = 0
    failure: str = ""
    held: dict[str, str] = field(default_factory=dict)


class _Unreachable(Exception):
    """The ledger did not give a usable answer this time, and may have said when to ask again."""

    def __init__(self, reason: str, *, status: int = 0, retry_after_s: int = 0) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after_s = retry_after_s


class Uplink:
    """Talks to one ledger about one log.

    Args:
        config: address, limits, log key.
        origin: the log.
        spool: where statements wait.
        sealer: signs voids and remembers checkpoints.
        api_key: bearer token of the party, may be empty.
        client: an httpx client to use instead of one of our own (tests, in-process services).

    Raises:
        UplinkUnusable: no address or no log key: without the key no receipt could be believed.
    """

    def __init__(
        self,
        config: UplinkConfig,
        *,
        origin: str,
        spool: Spool,
        sealer: Sealer,
        api_key: str = "",
        client: httpx.Client | None = None,
    ) -> None:
        if not config.ledger_url or not config.log_key:
            raise UplinkUnusable(
                "uplink.log_key" if config.ledger_url else "uplink.ledger_url",
                "is not set",
                "write the service's address and the log key that carbonseal enrol prints into [uplink]",
            )
        self._config = config
        self._origin = origin
        self._spool = spool
        self._sealer = sealer
        self._log_key = _key_of(config.log_key, "log_key")
        self._log_keys = {self._log_key.kid: self._log_key}
        if config.next_log_key:
            announced = _key_of(config.next_log_key, "next_log_key")
            self._log_keys[announced.kid] = announced
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._is_own_client = client is None
        self._client = client or httpx.Client(timeout=config.timeout_ms / 1000, trust_env=False)
        self._has_batch_receipts = True
        self._held: set[tuple[bytes, str]] = set()
        self._most = 0  # statements a batch, once the log has refused a longer one
        self.wait_ms = 0  # how long `run` waits before it drains again; 0 after a success

    def close(self) -> None:
        """Closes the connection, if it is our own."""
        if self._is_own_client:
            self._client.close()

    def drain(self, *, max_batches: int = 10_000, with_receipts: bool = True) -> DrainReport:
        """Sends what waits, then learns the checkpoint and fetches receipts. Never raises for the line.

        Args:
            max_batches: most requests of statements.
            with_receipts: False leaves receipts for another time.
        """
        report = DrainReport()
        self._held.clear()
        try:
            for _ in range(max_batches):
                entries = self._spool.waiting(
                    limit=self._most or self._config.batch_statements,
                    max_bytes=self._config.batch_bytes,
                    without=self._held,
                )
                if not entries:
                    break
                self._send_fitting(entries, report)
            self.learn_checkpoint()
            if with_receipts:
                self.collect_receipts(report)
        except _Unreachable as exc:
            report.failure = str(exc)
            first, most = self._config.backoff_first_ms, self._config.backoff_max_ms
            self.wait_ms = min(max(self.wait_ms * 2, first), most)
            # What the log asks for counts, within reason: an answer may not silence a gateway for good.
            self.wait_ms = max(self.wait_ms, min(exc.retry_after_s * 1000, _MAX_ASKED_MS))
        else:
            self.wait_ms = 0
        return report

    def _opened(self, note: str) -> Checkpoint:
        """Returns the checkpoint that one of the log keys signed; says of the present key why it did not."""
        *others, present = reversed(self._log_keys.values())
        for key in others:
            with suppress(CarbonsealError):
                return open_checkpoint(note, origin=self._origin, key=key)
        return open_checkpoint(note, origin=self._origin, key=present)

    def learn_checkpoint(self) -> None:
        """Fetches the log's checkpoint; remembers it when signed and consistent with the one known."""
        answer = self._ask("GET", f"/logs/{self._origin}/checkpoint")
        try:
            found = self._opened(answer.text)
            known = self._sealer.known_checkpoint()
            if known is not None and known != (found.tree_size, found.root_hash):
                path: list[bytes] = []
                if known[0] < found.tree_size:
                    proof = self._ask(
                        "GET",
                        f"/logs/{self._origin}/proofs/consistency",
                        params={"old_size": known[0], "new_size": found.tree_size},
                    )
                    path = _hashes(_json(proof))
                verify_consistency(known[0], found.tree_size, known[1], found.root_hash, path)
        except (CarbonsealError, ValueError) as exc:
            raise _Unreachable(f"checkpoint of {self._origin} is not believed: {exc}") from exc
        self._sealer.learn_checkpoint(found.tree_size, found.root_hash)

    def collect_receipts(self, report: DrainReport | None = None) -> DrainReport:
        """Fetches, checks and keeps missing receipts, then lets go of anchored statements."""
        report = report or DrainReport()
        while entries := self._spool.logged(limit=_RECEIPTS_AT_ONCE, without_receipt=True):
            kept = 0
            for entry, receipt in zip(entries, self._receipts(entries), strict=True):
                kept += self._keep(entry, receipt, report)
            report.receipts += kept
            if kept < len(entries):
                break
        report.anchored += self._spool.mark_anchored(self._anchored_below())
        return report

    def _send_fitting(self, entries: Sequence[Entry], report: DrainReport) -> None:
        """Send a batch; one that is longer than the log's policy takes is halved from then on."""
        try:
            self._send(entries, report)
        except _Unreachable as exc:
            if exc.status != httpx.codes.REQUEST_ENTITY_TOO_LARGE or len(entries) == 1:
                raise
            self._most = len(entries) // 2

    def _send(self, entries: Sequence[Entry], report: DrainReport) -> None:
        body = b"".join(cbor.encode([entry.statement, self._content(entry)]) for entry in entries)
        answer = self._ask(
            "POST",
            f"/logs/{self._origin}/entries:batch",
            content=body,
            headers={"Content-Type": "application/cbor-seq"},
        )
        outcomes = _outcomes(answer.content, entries)
        self._spool.mark_sent(entries)
        report.sent += len(entries)
        logged: list[tuple[Entry, int]] = []
        refused: set[tuple[bytes, str]] = set()  # what follows one in its stream is refused because of it
        limited: Mapping[str, Any] | None = None
        for entry, outcome in zip(entries, outcomes, strict=True):
            if outcome["status"] != "refused":
                logged.append((entry, int(outcome["index"])))
            elif (entry.kid, entry.stream) not in refused:
                refused.add((entry.kid, entry.stream))
                if outcome["problem"]["code"] == RATE_LIMITED:
                    limited = limited or outcome["problem"]
                else:
                    self._refused(entry, outcome["problem"], report)
        self._spool.mark_logged(logged)
        report.logged += len(logged)
        if limited is not None:
            said = as_plain_text(f"{RATE_LIMITED}: {limited.get('reason', '')}", _MAX_PROBLEM)
            raise _Unreachable(said, retry_after_s=_seconds(limited.get("retry_after_s")))

    def _refused(self, entry: Entry, problem: Mapping[str, Any], report: DrainReport) -> None:
        code = str(problem.get("code", "refused"))
        said = f"{code}: {problem.get('field', '')}: {problem.get('reason', '')}; {problem.get('remedy', '')}"
        said = as_plain_text(said, _MAX_PROBLEM)
        if code in PERMANENT and entry.kind != "void":
            self._sealer.void(entry, said)
            report.voided += 1
            return
        # Held: the stream waits for whoever can cure it; the other streams go on.
        self._spool.note_problem(entry, said)
        report.held[entry.stream] = said
        self._held.add((entry.kid, entry.stream))

    def _content(self, entry: Entry) -> bytes | None:
        if len(entry.content) <= _INLINE_CONTENT:
            return entry.content
        digest = SignedStatement.parse(entry.statement).payload.hex()
        self._ask("PUT", f"/contents/{digest}", params={"origin": self._origin}, content=entry.content)
        return None

    def _receipts(self, entries: Sequence[Entry]) -> list[bytes | None]:
        if self._has_batch_receipts:
            body = cbor.encode([entry.digest for entry in entries])
            answer = self._ask(
                "POST",
                f"/logs/{self._origin}/receipts:batch",
                content=body,
                headers={"Content-Type": "application/cbor"},
                may_lack=True,
            )
            if answer.status_code < httpx.codes.BAD_REQUEST:
                return [_bytes_or_none(item.get("receipt")) for item in _array(answer.content, len(entries))]
            self._has_batch_receipts = False
        found: list[bytes | None] = []
        for entry in entries:
            answer = self._ask("GET", f"/logs/{self._origin}/receipts/{entry.digest.hex()}", may_lack=True)
            found.append(answer.content if answer.status_code == httpx.codes.OK else None)
        return found

    def _keep(self, entry: Entry, data: bytes | None, report: DrainReport) -> int:
        if data is None:
            # The log does not know what it accepted: sent again, the same bytes.
            self._spool.requeue(entry, "the log has no receipt for it")
            return 0
        try:
            receipt = Receipt.parse(data)
            key = self._log_keys.get(receipt.kid, self._log_key)
            receipt.verify(entry.statement, origin=self._origin, key=key)
        except CarbonsealError as exc:
            report.failure = f"receipt of {entry.stream}/{entry.sequence} is not believed: {exc}"
            self._spool.note_problem(entry, report.failure)
            return 0
        self._spool.keep_receipt(entry, data, index=receipt.index, tree_size=receipt.tree_size)
        return 1

    def _anchored_below(self) -> int:
        """The entry index from which on nothing is known to be anchored; a log is anchored by prefix."""
        entries = self._spool.receipted()
        low, high = 0, len(entries)
        while low < high:
            middle = (low + high) // 2
            if self._is_anchored(entries[middle][1]):
                low = middle + 1
            else:
                high = middle
        return entries[low - 1][0] + 1 if low else 0

    def _is_anchored(self, digest: bytes) -> bool:
        answer = self._ask("GET", f"/logs/{self._origin}/receipts/{digest.hex()}/state", may_lack=True)
        if answer.status_code != httpx.codes.OK:
            return False
        value = _json(answer)
        return isinstance(value, dict) and value.get("state") in FINAL_STATES

    def _ask(self, method: str, path: str, *, may_lack: bool = False, **more: Any) -> httpx.Response:
        headers = {"Accept-Encoding": "identity"} | self._headers | more.pop("headers", {})
        url = self._config.ledger_url + path
        try:
            with self._client.stream(method, url, headers=headers, **more) as stream:
                answer = self._whole(stream, f"{method} {path}")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
            raise _Unreachable(
                f"{method} {path}: {type(exc).__name__} at {_address(self._config.ledger_url)}"
            ) from exc
        if answer.is_success or (may_lack and answer.status_code in {404, 405, 501}):
            return answer
        detail = ""
        if "json" in answer.headers.get("content-type", "") and isinstance(value := _json(answer), dict):
            detail = as_plain_text(f" {value.get('code', '')} {value.get('detail', '')}", 200)
        raise _Unreachable(
            f"{method} {path}: {answer.status_code}{detail}",
            status=answer.status_code,
            retry_after_s=_seconds(answer.headers.get("retry-after")),
        )

    def _whole(self, stream: httpx.Response, what: str) -> httpx.Response:
        """Read an answer, bounded in size as it comes and in time as a whole; never unpack one."""
        if stream.headers.get("content-encoding", "identity") != "identity":
            raise _Unreachable(f"{what}: the answer is packed, and was asked for plain")
        deadline = time.monotonic() + self._config.timeout_ms * _TIMEOUTS_AN_ANSWER / 1000
        data = bytearray()
        for chunk in stream.iter_bytes():
            data += chunk
            if len(data) > MAX_ANSWER:
                raise _Unreachable(f"{what}: the answer is larger than {MAX_ANSWER} bytes")
            if time.monotonic() > deadline:
                raise _Unreachable(f"{what}: the answer does not come to an end")
        kept = {name: stream.headers.get(name, "") for name in ("content-type", "retry-after")}
        return httpx.Response(stream.status_code, headers=kept, content=bytes(data))


def _seconds(value: object) -> int:
    """Whole seconds that an answer asks to wait, 0 where it says nothing that we read."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < _MAX_DIGITS else 0


def _address(url: str) -> str:
    """The ledger's address for a message, without a name and password that may stand in it."""
    return re.sub(r"//[^/]*@", "//", url)


def _outcomes(data: bytes, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """The answers of a batch, checked to be about the very statements that were sent."""
    outcomes = _array(data, len(entries))
    for entry, outcome in zip(entries, outcomes, strict=True):
        match outcome:
            case {"status": "accepted" | "duplicate", "index": int(index), "digest": bytes(digest)} if (
                digest == entry.digest and type(index) is int and 0 <= index < MAX_TREE_SIZE
            ):
                pass
            case {"status": "refused", "problem": {"code": str()}}:
                pass
            case _:
                raise _Unreachable("the ledger's answer is not about what was sent")
    return outcomes


def _array(data: bytes, count: int) -> list[dict[str, Any]]:
    try:
        value = cbor.decode(data, max_size=MAX_ANSWER)
    except EncodingError as exc:
        raise _Unreachable(f"the ledger's answer is not CBOR ({exc.reason})") from exc
    if (
        not isinstance(value, list)
        or len(value) != count
        or not all(isinstance(item, dict) for item in value)
    ):
        raise _Unreachable("the ledger's answer has another number of items than were sent")
    return value


def _json(answer: httpx.Response) -> object:
    try:
        return cast("Callable[[], object]", answer.json)()
    except (ValueError, RecursionError) as exc:
        raise _Unreachable("the ledger's answer is not JSON") from exc


def _hashes(value: object) -> list[bytes]:
    path = value.get("path") if isinstance(value, dict) else value
    if not isinstance(path, list) or not all(isinstance(item, str) for item in path):
        raise ValueError("not a list of hashes")
    hashes = [bytes.fromhex(item) for item in path]
    if any(len(item) != _HASH_BYTES for item in hashes):
        raise ValueError("not 32-byte hashes")
    return hashes


def _bytes_or_none(value: object) -> bytes | None:
    return value if isinstance(value, bytes) else None


def _key_of(text: str, name: str) -> PublicKey:
    try:
        return PublicKey.from_text(text)
    except CarbonsealError as exc:
        raise UplinkUnusable(f"uplink.{name}", exc.reason, exc.remedy) from exc
