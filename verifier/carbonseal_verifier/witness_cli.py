"""`witness key | run | status`: a small witness of transparency logs (C2SP tlog-witness 1.0.0).

Needs no server's parts: whoever witnesses a log should run as little of that log's software as possible.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

from carbonseal_attest.algorithms import algorithm_named
from carbonseal_attest.errors import KeyRefused
from carbonseal_attest.instants import format_instant
from carbonseal_attest.vkey import KEY_NAME, Vkey
from carbonseal_verifier.body_key import make_key, open_key
from carbonseal_verifier.errors import UsageInvalid
from carbonseal_verifier.examined import now, read_file
from carbonseal_verifier.witness.cosigner import Witness, cosigner_key
from carbonseal_verifier.witness.heads import CosignedHead, CosignedHeads, RefusedHead
from carbonseal_verifier.witness.serving import WitnessServer

Subparsers = argparse._SubParsersAction  # noqa: SLF001 - argparse gives its return type no public name
PORT: Final = 8441
MAX_NAME: Final = 255  # bytes; what an ML-DSA-44 cosignature can state
_MAX_LOGS: Final = 262_144  # bytes of a file of logs
_EXAMPLES: Final = """examples:
  {0} witness key --name witness.example/w1 --out witness.key
  {0} witness run --key witness.key --logs logs.txt --port 8441
  {0} witness status --state witness.key.state
"""


def add_witness(commands: Subparsers[argparse.ArgumentParser], program: str) -> None:
    """Add `witness` and its commands."""
    witness = commands.add_parser(
        "witness",
        help="cosign the heads of logs that prove their growth (C2SP tlog-witness)",
        description="Runs a witness: it cosigns a log's head only when that is proved to extend every head "
        "that it cosigned before.",
        epilog=_EXAMPLES.format(program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = witness.add_subparsers(title="commands", required=True, metavar="COMMAND")
    key = actions.add_parser(
        "key",
        help="make a witness's key and the file of what it cosigned",
        description="Writes an encrypted key file and, beside it, FILE.state; prints the verifier key that "
        "logs and relying parties need. The pass phrase is asked for, or taken from CARBONSEAL_PASSPHRASE.",
    )
    key.add_argument("--name", required=True, help="name in the cosignatures, such as witness.example/w1")
    key.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new file")
    key.add_argument(
        "--algorithm", choices=("ed25519", "ml-dsa-44"), default="ed25519", help="default ed25519"
    )
    key.set_defaults(run=run_key)
    run = actions.add_parser(
        "run",
        help="answer over HTTP until it is stopped",
        description="POST /add-checkpoint for logs, GET /<origin hash>/checkpoint for monitors. TLS is the "
        "business of a proxy in front.",
    )
    run.add_argument("--key", type=Path, required=True, metavar="FILE", help="key file of the witness")
    _add_state(run, is_required=False)
    run.add_argument("--log", action="append", default=[], metavar="VKEY", help="verifier key of a log")
    run.add_argument("--logs", type=Path, metavar="FILE", help="more of them, one a line; # begins a comment")
    run.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    run.add_argument("--port", type=int, default=PORT, help=f"port; 0 takes a free one (default {PORT})")
    run.add_argument("--json", action="store_true", help="print address and keys as one JSON line")
    run.set_defaults(run=run_run)
    status = actions.add_parser(
        "status",
        help="show what was cosigned, and heads that contradict it",
        description="Exit 0: no log signed two heads of one size; 1: one did, and both notes are shown.",
    )
    _add_state(status, is_required=True)
    status.add_argument("--json", action="store_true", help="as JSON, notes included")
    status.set_defaults(run=run_status)


def _add_state(parser: argparse.ArgumentParser, *, is_required: bool) -> None:
    words = "file of what was cosigned" + (
        "" if is_required else " (default: the key file's name and .state)"
    )
    parser.add_argument("--state", type=Path, required=is_required, metavar="FILE", help=words)


def run_key(arguments: argparse.Namespace) -> int:
    """Make key and state."""
    state = state_of(arguments.out)
    if state.exists():
        raise UsageInvalid("--out", f"{str(state)!r:.120} exists already", "name another file")
    if not KEY_NAME.fullmatch(arguments.name) or len(arguments.name.encode()) > MAX_NAME:
        reason = f"is empty, longer than {MAX_NAME} bytes, or holds a space or a plus"
        raise UsageInvalid("--name", reason, "give a name such as witness.example/w1")
    signer = make_key(arguments.out, algorithm_named(arguments.algorithm).id)
    vkey = cosigner_key(arguments.name, signer.public)
    CosignedHeads.create(state, [vkey])
    print(vkey)
    return 0


def run_run(arguments: argparse.Namespace) -> int:
    """Serve until a signal."""
    heads = CosignedHeads(arguments.state or state_of(arguments.key))
    logs = [parse_vkey(text, "--log") for text in arguments.log]
    if arguments.logs is not None:
        logs += read_logs(arguments.logs)
    if not logs:
        raise UsageInvalid("--log", "names no log", "give the verifier key of a log, or a file of them")
    witness = Witness([open_key(arguments.key)], logs, heads, now)
    try:
        server = WitnessServer(arguments.host, arguments.port, witness)
    except (OSError, OverflowError) as error:
        raise UsageInvalid(
            "--port", f"can't be listened on: {error}", "give another address or port"
        ) from error
    if arguments.json:
        facts = {
            "url": server.url,
            "pid": os.getpid(),
            "vkeys": [str(vkey) for vkey in heads.keys],
            "logs": sorted(witness.logs),
        }
        print(json.dumps(facts, ensure_ascii=False), flush=True)
    else:
        print(f"witness at {server.url}, as {', '.join(vkey.name for vkey in heads.keys)}")
        for origin in sorted(witness.logs):
            print(f"  follows {origin}")
        sys.stdout.flush()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    threading.Thread(target=server.serve_forever, name="witness", daemon=True).start()
    ended.wait()
    server.shutdown()
    server.server_close()
    return 0


def run_status(arguments: argparse.Namespace) -> int:
    """Show the heads and what speaks against them."""
    heads = CosignedHeads(arguments.state)
    held, refused = heads.all(), heads.refused()
    conflicts = [one for one in refused if one.is_conflict]
    if arguments.json:
        found = {
            "vkeys": [str(vkey) for vkey in heads.keys],
            "heads": [_head_json(head) for head in held],
            "refused": [_refused_json(one) for one in refused],
        }
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        for vkey in heads.keys:
            print(vkey)
        for head in held:
            at = format_instant(head.cosigned_at * 1000)
            print(f"{head.origin}: {head.tree_size} leaves, root {head.root_hash.hex()}, cosigned {at}")
        for one in refused:
            what = "CONTRADICTS what was cosigned" if one.is_conflict else "was not proved to extend it"
            print(f"{one.origin}: a head of {one.tree_size} leaves, root {one.root_hash.hex()}, {what}")
    return 1 if conflicts else 0


def state_of(key: Path) -> Path:
    """Return where the state of a key file is kept."""
    return key.with_name(f"{key.name}.state")


def read_logs(path: Path) -> list[Vkey]:
    """Return the verifier keys of a file, one a line; lines that begin with # are comments."""
    try:
        lines = read_file(path, "--logs", _MAX_LOGS).decode().splitlines()
    except UnicodeDecodeError as error:
        raise UsageInvalid("--logs", "is not UTF-8", "write one verifier key a line") from error
    return [
        parse_vkey(line.strip(), f"--logs line {number}")
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.strip().startswith("#")
    ]


def parse_vkey(text: str, field: str) -> Vkey:
    """Return the verifier key that an option names.

    Raises:
        UsageInvalid: it is none; names the option.
    """
    try:
        return Vkey.parse(text)
    except KeyRefused as error:
        raise UsageInvalid(field, error.reason, error.remedy) from error


def _head_json(head: CosignedHead) -> dict[str, Any]:
    return {
        "origin": head.origin,
        "tree_size": head.tree_size,
        "root_hash": head.root_hash.hex(),
        "cosigned_at": format_instant(head.cosigned_at * 1000),
        "note": head.note.decode(),
    }


def _refused_json(one: RefusedHead) -> dict[str, Any]:
    return {
        "origin": one.origin,
        "tree_size": one.tree_size,
        "root_hash": one.root_hash.hex(),
        "is_conflict": one.is_conflict,
        "refused_at": format_instant(one.refused_at * 1000),
        "held": one.held.decode(),
        "note": one.note.decode(),
    }
