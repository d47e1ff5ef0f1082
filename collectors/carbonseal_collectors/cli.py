"""`carbonseal-collector`: runs a gateway, checks its file, makes its key, shows its spool, plays a plant.

Exit codes: 0 done; 1 something is wrong at run time with --once (a source gave nothing good, statements are
held, ledger not reached); 2 bad usage, configuration, key or source file, said in one line that names place
and remedy.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import format_instant
from carbonseal_collectors.adapter import open_adapters
from carbonseal_collectors.agent import Agent
from carbonseal_collectors.clock import system_clock
from carbonseal_collectors.errors import ConfigInvalid
from carbonseal_collectors.gateway_config import GatewayConfig
from carbonseal_collectors.gateway_options import add_overrides, config_of
from carbonseal_collectors.key_cli import add_commands as add_key_commands
from carbonseal_collectors.plain_text import counted
from carbonseal_collectors.plan_file import check_against_gateway, load_plan
from carbonseal_collectors.pymodbus_log import send_to_debug
from carbonseal_collectors.register_map import RegisterMap
from carbonseal_collectors.sealing import load_signer
from carbonseal_collectors.simulators.modbus_server import PlantServer
from carbonseal_collectors.simulators.plant import SLOT_MS, Plant
from carbonseal_collectors.spool import Spool
from carbonseal_collectors.spool_lock import SpoolLock
from carbonseal_collectors.spool_metrics import spool_metrics

_SIMULATED_BEFORE_MS: Final = 86_400_000  # so that a clock set back a little still finds the plant there
_EXAMPLES: Final = """examples:
  carbonseal-collector key new gateway.key --passphrase-env CARBONSEAL_GATEWAY_PASSPHRASE
  carbonseal-collector key request gateway.toml > request.csv
  carbonseal-collector check gateway.toml
  carbonseal-collector run gateway.toml --once --json
  carbonseal-collector run gateway.toml
  carbonseal-collector spool status gateway.toml
  carbonseal-collector spool status gateway.toml --metrics > /var/lib/node-exporter/gateway.prom
  carbonseal-collector simulate --port 15020

exit codes: 0 done; 1 a source gave nothing good, statements are held or the ledger was not reached; 2 bad
usage, configuration, key or file
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except CarbonsealError as exc:
        print(exc, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="carbonseal-collector",
        description="Reads meters, signs at the source, and brings the statements to the ledger.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="poll, seal and upload until stopped")
    run.add_argument("gateway", type=Path, metavar="GATEWAY.TOML")
    run.add_argument(
        "--once", action="store_true", help="one round: poll, seal what is due, upload; then stop"
    )
    run.add_argument(
        "--offline", action="store_true", help="only with --once: leave the statements in the spool"
    )
    run.add_argument(
        "--json", action="store_true", help="print JSON instead of text; without --once one object a line"
    )
    add_overrides(run)
    run.set_defaults(command=_run)

    check = commands.add_parser("check", help="check a gateway file, its register map and its plan")
    check.add_argument("gateway", type=Path, metavar="GATEWAY.TOML")
    check.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    add_overrides(check)
    check.set_defaults(command=_check)

    add_key_commands(commands)

    simulate = commands.add_parser("simulate", help="play a small plant's seven meters over Modbus TCP")
    simulate.add_argument(
        "--port",
        type=int,
        default=15020,
        help="loopback port to listen on; 0 takes a free one (default 15020)",
    )
    simulate.add_argument(
        "--map",
        type=Path,
        default=Path("docs/examples/plant/registers.toml"),
        metavar="FILE",
        help="register map of the meters (default %(default)s)",
    )
    simulate.set_defaults(command=_simulate)

    spool = commands.add_parser("spool", help="look at the spool; resume after it was lost").add_subparsers(
        required=True, metavar="COMMAND"
    )
    status = spool.add_parser("status", help="how many statements are in which state, and what is wrong")
    status.add_argument("gateway", type=Path, metavar="GATEWAY.TOML")
    form = status.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    form.add_argument(
        "--metrics", action="store_true", help="print the figures in the Prometheus text format"
    )
    add_overrides(status)
    status.set_defaults(command=_spool_status)
    resume = spool.add_parser("resume", help="go on after a lost spool, where the party's resume says")
    resume.add_argument("gateway", type=Path, metavar="GATEWAY.TOML")
    resume.add_argument("file", type=Path, metavar="FILE", help="what carbonseal devices resume printed")
    add_overrides(resume)
    resume.set_defaults(command=_spool_resume)
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.offline and not options.once:
        raise ConfigInvalid(
            "--offline", "is for one round only; without --once the gateway goes online", "add --once"
        )
    config = config_of(options)
    signer = load_signer(config, os.environ)
    api_key = os.environ.get(config.uplink.api_key_env, "") if config.uplink.api_key_env else ""
    agent = Agent(config, signer=signer, api_key=api_key)
    try:
        if options.once:
            return _run_once(agent, options)
        agent.uplink()  # refuses here what could not be uploaded later
        stop = _until_signalled()
        agent.run(stop, tell=_telling(agent, as_json=options.json))
    finally:
        agent.close()
    return 0


def _telling(agent: Agent, *, as_json: bool) -> Callable[[str], None]:
    """Prints what `run` says, each line with its instant, at once even into a pipe."""

    def tell(line: str) -> None:
        at = format_instant(agent.clock() // 1000 * 1000)
        said = json.dumps({"at": at, "said": line}, ensure_ascii=False) if as_json else f"{at} {line}"
        sys.stdout.write(f"{said}\n")  # in one piece: sealing and uplink speak from threads of their own
        sys.stdout.flush()

    return tell


def _run_once(agent: Agent, options: argparse.Namespace) -> int:
    polled = agent.poll_once()
    sealed = agent.seal_due()
    result: dict[str, Any] = {
        "samples": polled.samples,
        "bad": polled.bad,
        "troubles": polled.troubles,
        "known": polled.known,
        "files": [{"name": item.name, "rows": item.rows} for item in polled.files],
        "set_aside": [{"file": row.file, "line": row.line, "reason": row.reason} for row in polled.set_aside],
        "refused": [str(refusal) for refusal in polled.refused],
        "notes": polled.notes,
        "readings": len(sealed.readings),
        "gaps": len(sealed.gaps),
    }
    failure = ""
    if not options.offline:
        drained = agent.drain()
        failure = drained.failure or "; ".join(drained.held.values())
        result |= {"logged": drained.logged, "voided": drained.voided, "receipts": drained.receipts}
    result["statements"] = agent.spool.counts()
    result["failure"] = failure
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        for line in polled.lines():
            print(line)
        print(f"known {polled.known}, set aside {len(polled.set_aside)}")
        print(sealed.line())
        print("spool " + ", ".join(f"{state} {count}" for state, count in result["statements"].items()))
        for line in [
            *(f"set aside: {r.file} line {r.line}: {r.reason}" for r in polled.set_aside),
            *polled.notes,
        ]:
            print(line)
    for refusal in polled.refused:
        print(refusal, file=sys.stderr)
    if failure:
        print(f"uplink: {failure}", file=sys.stderr)
    if polled.refused:
        return 2
    return 1 if failure or polled.fruitless else 0


def _check(options: argparse.Namespace) -> int:
    config = config_of(options)
    for adapter in open_adapters(config).values():
        adapter.close()
    if config.plan_file is not None:
        check_against_gateway(load_plan(config.plan_file), config)
    points = sum(len(meter.points) for meter in config.meters().values())
    result = {
        "gateway": config.id,
        "sources": len(config.sources),
        "meters": len(config.meters()),
        "points": points,
        "missing": _missing(config),
    }
    if options.json:
        print(json.dumps(result))
    else:
        numbers = ((len(config.sources), "source"), (len(config.meters()), "meter"), (points, "point"))
        print(f"{config.file}: " + ", ".join(counted(number, word) for number, word in numbers))
        for line in _missing(config):
            print(f"not yet: {line}")
    return 0


def _missing(config: GatewayConfig) -> list[str]:
    """What a right file still needs before `run`, each with where it comes from."""
    uplink, lines = config.uplink, []
    if isinstance(config.key, Path) and not config.key.exists():
        lines.append("gateway.key_file: there is no such file; make it with carbonseal-collector key new")
    if not uplink.ledger_url:
        lines.append("uplink.ledger_url: is not set; carbonseal up prints the service's address")
    if not uplink.log_key:
        lines.append("uplink.log_key: is not set; carbonseal enrol prints it")
    lines += [
        f"{key}: the environment has no {name}; set it before run"
        for key, name in (
            ("gateway.passphrase_env", config.passphrase_env),
            ("uplink.api_key_env", uplink.api_key_env),
        )
        if name and not os.environ.get(name)
    ]
    return lines


def _simulate(options: argparse.Namespace) -> int:
    send_to_debug()
    now = system_clock()
    plant = Plant(seed=1, start=now - now % SLOT_MS - _SIMULATED_BEFORE_MS)
    stop = _until_signalled()
    with PlantServer(plant, RegisterMap.load(options.map), system_clock, port=options.port) as server:
        print(f"plant at 127.0.0.1:{server.port}, seven meters; Ctrl-C stops it", flush=True)
        stop.wait()
    return 0


def _until_signalled() -> threading.Event:
    """An event that SIGINT and SIGTERM set."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _spool_status(options: argparse.Namespace) -> int:
    config = config_of(options)
    spool = Spool(
        config.spool_folder, gateway=config.id, origin=config.log_origin, max_bytes=config.spool_max_bytes
    )
    try:
        counts, problems = spool.counts(), spool.problems()
        until = {code: spool.resume_from(code) for code in config.meters()}
        oldest = spool.oldest_waiting()
    finally:
        spool.close()
    if options.metrics:
        print(spool_metrics(config.id, counts, oldest, len(problems), system_clock()), end="")
        return 0
    if options.json:
        print(json.dumps({"statements": counts, "problems": problems, "sealed_until": until}))
        return 0
    for state, count in counts.items():
        print(f"{state:10} {count}")
    for code, instant in until.items():
        print(f"{code} sealed until {'-' if instant is None else format_instant(instant)}")
    for problem in problems:
        print(f"{problem['state']}: {problem['stream']}/{problem['sequence']}: {problem['problem']}")
    return 0


def _spool_resume(options: argparse.Namespace) -> int:
    config = config_of(options)
    kid = load_signer(config, os.environ).public.kid
    try:
        places = [json.loads(line) for line in options.file.read_text("utf-8").splitlines() if line.strip()]
        found = [
            (str(one["stream"]), int(one["next_sequence"]), bytes.fromhex(one["previous"]))
            for one in places
            if bytes.fromhex(one["kid"]) == kid
        ]
    except (OSError, ValueError, TypeError, KeyError) as exc:
        raise ConfigInvalid(
            str(options.file), "holds no resumes", "give what carbonseal devices resume printed"
        ) from exc
    if len(found) != len(places) or any(len(digest) != 32 or number < 1 for _, number, digest in found):
        raise ConfigInvalid(str(options.file), "is of another key, or damaged", "have it printed again")
    spool = Spool(
        config.spool_folder, gateway=config.id, origin=config.log_origin, max_bytes=config.spool_max_bytes
    )
    lock = SpoolLock(config.spool_folder)
    try:
        with spool.transaction():
            for place in found:
                spool.resume(kid, *place)
    finally:
        lock.close()
        spool.close()
    print(f"{counted(len(found), 'stream')} resumed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
