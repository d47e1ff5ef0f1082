"""The `carbonseal` command: `up`, `worker`, and the commands of parties, accounts, desk, assets and demo.

Exit codes: 0 done, 2 bad usage or a refused input, with one line on standard error that names place and
remedy. Each subcommand imports what it needs when it runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from carbonseal_api.accounts.cli import add_commands as add_accounts
from carbonseal_api.activity.cli import add_commands as add_activity
from carbonseal_api.anchoring_cli import add_commands as add_anchoring
from carbonseal_api.assets.cli import add_commands as add_assets
from carbonseal_api.audit.cli import add_commands as add_audit
from carbonseal_api.backups.cli import add_commands as add_backups
from carbonseal_api.catalogue.cli import add_commands as add_catalogue
from carbonseal_api.desk.cli import add_commands
from carbonseal_api.desk.devices_cli import add_commands as add_devices
from carbonseal_api.grades.cli import add_commands as add_grades
from carbonseal_api.grants.cli import add_commands as add_grants
from carbonseal_api.impacts.cli import add_commands as add_impacts
from carbonseal_api.lineage.cli import add_commands as add_lineage
from carbonseal_api.log_key_cli import add_commands as add_log_key
from carbonseal_api.parties_cli import add_commands as add_parties
from carbonseal_api.policy_cli import add_commands as add_policies
from carbonseal_api.reconciliation.cli import add_commands as add_reconciliation
from carbonseal_api.recovering.cli import add_commands as add_recover
from carbonseal_api.succession.cli import add_commands as add_succession
from carbonseal_attest.errors import CarbonsealError
from carbonseal_verifier.monitor_cli import add_monitor
from carbonseal_verifier.witness_cli import add_witness

EXAMPLES = """examples:
  carbonseal up                          the service on this machine; data in .carbonseal
  carbonseal up --port 0 --data /srv/cs  another folder and a free port
  carbonseal admit --name-zh 示范厂 --name-en "Example Works"
  carbonseal demo --out demo-out         the whole journey, with its drills
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["demo"]:
        # The demo has options of its own; it is imported only when asked for.
        from carbonseal_api.demo.cli import main as demo

        return int(demo(given[1:]))
    options = _parser().parse_args(given)
    try:
        code = int(options.run(options))
        sys.stdout.flush()
    except CarbonsealError as refusal:
        return _refused(str(refusal))
    except BrokenPipeError:
        # The reader has closed its end, as `head` does; what was to be done is done.
        _end_output()
        return 0
    except OSError as error:
        place, remedy = error.filename or "output", "see to its place and rights, then run it again"
        return _refused(f"{place}: {error.strerror or error}; {remedy}; what was registered stays")
    return code


def _refused(words: str) -> int:
    print(words, file=sys.stderr)
    _end_output()
    return 2


def _end_output() -> None:
    """Let go of what nobody can be told any more, or the interpreter's last flush would fail over it."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="carbonseal",
        description="Signed meter readings to emissions reports that anybody can recompute.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"carbonseal {version('carbonseal-api')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_up(commands)
    _add_worker(commands)
    add_parties(commands)
    add_policies(commands)
    add_accounts(commands)
    add_commands(commands)
    add_devices(commands)
    add_grants(commands)
    add_recover(commands)
    add_catalogue(commands)
    add_grades(commands)
    add_assets(commands)
    add_lineage(commands)
    add_activity(commands)
    add_impacts(commands)
    add_audit(commands)
    add_backups(commands)
    add_log_key(commands)
    add_anchoring(commands)
    add_reconciliation(commands)
    add_succession(commands)
    add_witness(commands, "carbonseal")
    add_monitor(commands, "carbonseal")
    commands.add_parser("demo", help="the whole journey on simulated or real meters", add_help=False)
    return parser


def _add_up(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    up = commands.add_parser(
        "up", help="run the service, its database, queue, worker and chain on this machine"
    )
    _add_data(up)
    up.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    up.add_argument("--port", type=int, help="port to listen on; 0 takes a free one (default 8440)")
    up.add_argument("--epoch-seconds", type=int, help="time between epochs (default 3600)")
    up.add_argument("--replicas", type=int, help="web processes on the one port (default 1)")
    up.add_argument("--workers", type=int, help="background workers (default 1)")
    up.add_argument("--no-chain", action="store_true", help="start no local chain: nothing is anchored")
    up.add_argument("--json", action="store_true", help="print addresses and process ids as one JSON line")
    up.set_defaults(run=_up)


def _add_worker(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    worker = commands.add_parser(
        "worker", help="run one more background worker against an existing deployment"
    )
    _add_data(worker)
    worker.set_defaults(run=_worker)


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="data folder (default .carbonseal)")


def _up(options: argparse.Namespace) -> int:
    from carbonseal_api.settings import load_settings
    from carbonseal_api.up import run

    settings = load_settings(
        data_folder=options.data,
        host=options.host,
        port=options.port,
        epoch_seconds=options.epoch_seconds,
        replicas=options.replicas,
        workers=options.workers,
    )
    return run(settings, is_json=options.json, with_chain=not options.no_chain)


def _worker(options: argparse.Namespace) -> int:
    import tempfile

    from carbonseal_api.settings import load_settings

    folder = load_settings(data_folder=options.data).data_folder
    os.environ["CARBONSEAL_DATA_FOLDER"] = str(folder)  # its tasks run in processes of their own
    from carbonseal_api.worker_app import app

    with tempfile.TemporaryDirectory() as kept:
        beat = ["--beat", "--schedule", str(Path(kept) / "beat")]
        app.worker_main(["worker", *beat, "--concurrency", "1", "--loglevel", "INFO"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
