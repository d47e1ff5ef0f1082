"""`monitor`: follows a log host from outside, and ends with 1 and an evidence file on any inconsistency."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

from carbonseal_attest.errors import PolicyInvalid
from carbonseal_attest.instants import format_instant
from carbonseal_attest.note import MAX_NOTE
from carbonseal_attest.tlog_policy import MAX_POLICY, TlogPolicy
from carbonseal_attest.vkey import COSIGNATURES
from carbonseal_verifier.errors import UsageInvalid
from carbonseal_verifier.examined import now, read_file
from carbonseal_verifier.monitor.inconsistency import Finding
from carbonseal_verifier.monitor.kept import Kept
from carbonseal_verifier.monitor.log_keys import GivenKeys, LogKeys, TrustedKeys
from carbonseal_verifier.monitor.log_reader import LogReader
from carbonseal_verifier.monitor.rounds import Monitor, Round
from carbonseal_verifier.paths import read_trust
from carbonseal_verifier.service_client import TOKEN, ServiceUnreachable
from carbonseal_verifier.witness_cli import parse_vkey

Subparsers = argparse._SubParsersAction  # noqa: SLF001 - argparse gives its return type no public name
_EXAMPLES: Final = """examples:
  {0} monitor https://log.example --trust trust.toml --state followed
  {0} monitor https://log.example --log VKEY --witnesses witnesses.policy --state followed --every 60
"""


def add_monitor(commands: Subparsers[argparse.ArgumentParser], program: str) -> None:
    """Add `monitor`."""
    monitor = commands.add_parser(
        "monitor",
        help="follow a log host from outside and report any inconsistency",
        description="Fetches the checkpoint of the log of logs, re-hashes every new tile, reads the epochs "
        f"and, with a token in {TOKEN} that may, each epoch's map with all logs' successive heads; compares "
        "with what witnesses show. Exit 0: all is consistent with everything seen before; 1: it is not, and "
        "the evidence is written; 2: bad usage, or the log host cannot be read.",
        epilog=_EXAMPLES.format(program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    monitor.add_argument("url", help="address of the log host's service, without a path")
    monitor.add_argument(
        "--state", type=Path, required=True, metavar="FOLDER", help="what it saw, kept for good"
    )
    monitor.add_argument(
        "--trust", type=Path, metavar="FILE", help="trust file: log keys by size, and witnesses"
    )
    monitor.add_argument(
        "--log", action="append", default=[], metavar="VKEY", help="instead: verifier key of the log of logs"
    )
    monitor.add_argument(
        "--origin", action="append", default=[], help="one more log of the host whose tiles are re-hashed"
    )
    monitor.add_argument(
        "--witnesses", type=Path, metavar="FILE", help="tlog-policy with witnesses' addresses"
    )
    monitor.add_argument(
        "--note",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="checkpoint that somebody holds",
    )
    monitor.add_argument(
        "--every", type=int, metavar="SECONDS", help="go on, a round every so often (at least 5)"
    )
    monitor.add_argument("--json", action="store_true", help="one JSON line a round")
    monitor.set_defaults(run=run_monitor)


def run_monitor(arguments: argparse.Namespace) -> int:
    """Look once, or until a signal or an inconsistency."""
    if arguments.every is not None and arguments.every < 5:
        raise UsageInvalid("--every", "is below 5 seconds", "leave the log host time")
    keys, log_of_logs, policy = _whom(arguments)
    if arguments.witnesses is not None:
        policy = _policy(arguments.witnesses)
    notes = {str(path): _note(path) for path in arguments.note}
    kept = Kept(arguments.state, log_of_logs)
    ended = threading.Event()
    if arguments.every is not None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
    try:
        with LogReader(arguments.url, token=os.environ.get(TOKEN, "")) as reader:
            monitor = Monitor(
                reader,
                keys,
                kept,
                now,
                log_of_logs=log_of_logs,
                origins=arguments.origin,
                policy=policy,
                notes=notes,
                progress=_progress,
            )
            while True:
                code = _round(monitor, keys, arguments, goes_on=arguments.every is not None)
                if code or arguments.every is None or ended.wait(arguments.every):
                    return code
    finally:
        kept.close()


def _round(monitor: Monitor, keys: LogKeys, arguments: argparse.Namespace, *, goes_on: bool) -> int:
    try:
        done = monitor.look()
    except ServiceUnreachable as error:
        if not goes_on:
            raise
        print(f"{format_instant(now())} {error}", file=sys.stderr, flush=True)
        return 0
    at = now()
    files = [str(one.write(arguments.state, keys.vkeys(one.origin), at)) for one in done.findings]
    if arguments.json:
        print(json.dumps(_round_json(done, files, at), ensure_ascii=False), flush=True)
    else:
        _tell(done, files, at)
    return 1 if done.findings else 0


def _tell(done: Round, files: list[str], at: int) -> None:
    print(f"{format_instant(at)} looked at {len(done.heads)} logs")
    for origin, size in done.heads.items():
        print(f"  {origin}: {size} entries, every new tile re-hashed")
    if done.maps_read:
        print(f"  {done.maps_read} epoch maps with {done.map_heads} heads, each grown from the one before")
    elif not done.are_maps_readable:
        print(f"  epoch maps not read: no token in {TOKEN} that may")
    for name, held in done.witnesses.items():
        print(f"  witness {name}: " + ("shows nothing yet" if held is None else f"holds {held} entries"))
    if done.cosigned_by:
        print(f"  the newest head is cosigned by {', '.join(done.cosigned_by)}")
    for place, reason in done.unreachable.items():
        print(f"  NOT ASKED: {place}: {_clean(reason)}")
    for finding, file in zip(done.findings, files, strict=True):
        proof = "; the notes in it prove it" if finding.is_proof else ""
        print(f"  INCONSISTENT: {finding.origin}: {_clean(finding.reason)}\n    evidence: {file}{proof}")
    sys.stdout.flush()


def _round_json(done: Round, files: list[str], at: int) -> dict[str, Any]:
    return {
        "looked_at": format_instant(at),
        "is_consistent": not done.findings,
        "heads": done.heads,
        "epoch_maps_read": done.maps_read,
        "map_heads_checked": done.map_heads,
        "are_epoch_maps_readable": done.are_maps_readable,
        "witness_sizes": done.witnesses,
        "cosigned_by": done.cosigned_by,
        "not_asked": done.unreachable,
        "findings": [_finding_json(*one) for one in zip(done.findings, files, strict=True)],
    }


def _finding_json(finding: Finding, file: str) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "origin": finding.origin,
        "reason": finding.reason,
        "is_proof": finding.is_proof,
        "evidence": file,
    }


def _whom(arguments: argparse.Namespace) -> tuple[LogKeys, str, TlogPolicy | None]:
    """Return whose signatures count, the log of logs, and the witnesses that a trust file names."""
    if bool(arguments.log) == (arguments.trust is not None):
        raise UsageInvalid("--trust", "stands with --log, or both are missing", "give one of the two")
    if arguments.trust is None:
        vkeys = [parse_vkey(text, "--log") for text in arguments.log]
        origins = {vkey.name for vkey in vkeys}
        if len(origins) != 1 or any(vkey.signature_type in COSIGNATURES for vkey in vkeys):
            raise UsageInvalid("--log", "is not the keys of one log", "give the log of logs' own keys")
        return GivenKeys(vkeys), origins.pop(), None
    trust = read_trust(arguments.trust)
    if len(trust.log_hosts) != 1:
        raise UsageInvalid("--trust", f"names {len(trust.log_hosts)} log hosts", "give --log instead")
    host = trust.log_hosts[0]
    return TrustedKeys(host), host.log_of_logs, trust.witnesses.policy


def _policy(path: Path) -> TlogPolicy:
    try:
        return TlogPolicy.from_bytes(read_file(path, "--witnesses", MAX_POLICY))
    except PolicyInvalid as error:
        raise UsageInvalid(f"--witnesses: {error.field}", error.reason, error.remedy) from error


def _note(path: Path) -> str:
    try:
        return read_file(path, "--note", MAX_NOTE).decode()
    except UnicodeDecodeError as error:
        raise UsageInvalid("--note", "is no text", "give a checkpoint as it was served") from error


def _progress(words: str) -> None:
    if sys.stderr.isatty():
        print(f"  … {words}", end="\r", file=sys.stderr, flush=True)


def _clean(text: str) -> str:
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)[:300]
