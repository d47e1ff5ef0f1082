"""`carbonseal log-key`: show the log keys by tree size, and rotate the present one.

It runs where the log key is, with the service stopped: a process that kept the old key is refused from the
first head that the new one signs, and must be restarted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name

EXAMPLES: Final = """examples:
  carbonseal log-key show                      every log, its keys and from which size each signs
  carbonseal log-key rotate --reason "yearly"  with the service stopped; start it again afterwards
"""
_SAY_EVERY_S: Final = 1.0


def add_commands(commands: Commands) -> None:
    """Add `log-key` to the `carbonseal` command."""
    log_key = commands.add_parser(
        "log-key",
        help="show the log keys by tree size, or rotate the present one",
        description="The key that signs checkpoints and receipts: which signs which sizes, and its rotation.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    acts = log_key.add_subparsers(title="acts", required=True, metavar="ACT")
    shown = acts.add_parser("show", help="list each log with its keys and the sizes from which they sign")
    _add_options(shown)
    shown.set_defaults(run=_show)
    rotated = acts.add_parser(
        "rotate",
        help="put a new log key in the place of the present one; the service must be stopped",
        description="Gives every log its first head under a new key, signed by both, and says so in each "
        "log. Interrupted, it goes on where it was when run again. Tell gateways, witnesses and the "
        "publishers of trust files the new key before they next ask.",
    )
    _add_options(rotated)
    rotated.add_argument("--reason", required=True, help="why; stands in every log (at most 400 characters)")
    rotated.set_defaults(run=_rotate)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="data folder (default .carbonseal)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _show(options: argparse.Namespace) -> int:
    from carbonseal_api.running import opened

    with opened(options.data) as parts:
        spans = {log.origin: parts.host.log_key_spans(log.origin) for log in parts.host.logs()}
        present = parts.log_key
    if options.json:
        logs: dict[str, Any] = {
            origin: [{"from_size": size, "public": key.text(), "kid": key.kid.hex()} for size, key in keys]
            for origin, keys in spans.items()
        }
        print(json.dumps({"present": present.text(), "logs": logs}))
        return 0
    print(f"present log key {present.text()}")
    for origin, keys in spans.items():
        for size, key in keys:
            print(f"{origin} from size {size}: {key.text()}")
    return 0


def _rotate(options: argparse.Namespace) -> int:
    from carbonseal_api.deployment import rotate_log_key
    from carbonseal_api.problems import RequestInvalid
    from carbonseal_api.running import refuse_while_running, settings_beside

    settings = settings_beside(options.data)
    refuse_while_running(settings)
    if not 0 < len(options.reason.strip()) <= 400:
        raise RequestInvalid("--reason", "is empty or longer than 400 characters", "say why in a sentence")
    said = [0.0]

    def progress(done: int, of: int) -> None:
        now = time.monotonic()
        if now - said[0] >= _SAY_EVERY_S or done == of:
            said[0] = now
            print(f"{done} of {of} logs", file=sys.stderr, flush=True)

    change = rotate_log_key(settings, options.reason.strip(), progress)
    if options.json:
        print(json.dumps({"old": change.old.text(), "new": change.new.text(), "logs": change.logs}))
        return 0
    print(f"log key {change.old.text()} was rotated to {change.new.text()} in {change.logs} logs")
    print("start the service again; tell gateways, witnesses and the publishers of trust files the new key")
    return 0
