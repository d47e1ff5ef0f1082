"""Commands of the enterprise's desk: `enrol`, `plan`, `calibrate`, `report` and evidence; and `publish`.

They run on the machine that holds the deployment's data folder, beside the running service. Each prints one
JSON object. Exit codes: 0 done, 2 refused, with one line on standard error.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from carbonseal_api.desk.evidence_cli import add_commands as add_evidence

if TYPE_CHECKING:
    from carbonseal_api.assembly import Parts

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name

OUTPUTS: Final = ("report.json", "report.pdf", "evidence.bundle", "trust.toml")  # of `report`


def add_commands(commands: Commands) -> None:
    """Add the desk's commands to the `carbonseal` parser."""
    enrol = _command(commands, "enrol", "enrol a gateway's key for the meters of its file", _enrol)
    enrol.epilog = "example: carbonseal enrol --party e-7k2mq5xw3ztbn4pr site/gateway.toml"
    enrol.add_argument("gateway", type=Path, help="gateway file; its key file proves possession")
    plan = _command(commands, "plan", "file a monitoring plan", _plan)
    plan.epilog = "example: carbonseal plan --party e-7k2mq5xw3ztbn4pr site/plan.toml"
    plan.add_argument("file", type=Path, help="plan file")
    calibrate = _command(commands, "calibrate", "register a meter's calibration", _calibrate)
    calibrate.epilog = (
        "example: carbonseal calibrate --party e-7k2mq5xw3ztbn4pr --meter m-q4zt7wx2kb5n3mpr "
        "--certificate 2026-0117 --laboratory 'Example laboratory' --accuracy-class 0.5S "
        "--on 2026-01-05 --until 2027-01-04"
    )
    for name, text in (
        ("meter", "code of the meter"),
        ("certificate", "number of the certificate"),
        ("laboratory", "who calibrated"),
        ("accuracy-class", "accuracy class, such as 0.5S"),
    ):
        calibrate.add_argument(f"--{name}", required=True, help=text)
    calibrate.add_argument("--on", required=True, type=_day, help="day of calibration")
    calibrate.add_argument("--until", required=True, type=_day, help="last day of validity")
    add_evidence(commands)
    report = _command(commands, "report", "file a report, anchor it, and write its bundle", _report)
    report.epilog = (
        "example: carbonseal report --party e-7k2mq5xw3ztbn4pr "
        "--first 2026-01-01 --last 2026-01-31 --out january"
    )
    report.add_argument("--first", required=True, type=_day, help="first day, such as 2026-01-01")
    report.add_argument("--last", required=True, type=_day, help="last day, included")
    report.add_argument(
        "--out", required=True, type=Path, help="folder for report, PDF, bundle and trust file"
    )
    report.add_argument("--lang", choices=("en", "zh"), default="en", help="language of the PDF")
    publish = commands.add_parser("publish", help="have the registrar publish this version's packages")
    publish.add_argument("--data", type=Path, help="data folder (default .carbonseal)")
    publish.set_defaults(run=_publish)


def _command(
    commands: Commands, name: str, text: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("--data", type=Path, help="data folder (default .carbonseal)")
    parser.add_argument("--party", required=True, help="party code, as `carbonseal admit` printed it")
    parser.set_defaults(run=run)
    return parser


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a civil day has no zone yet
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write one such as 2026-01-31") from None


@contextmanager
def _parts(options: argparse.Namespace) -> Iterator[Parts]:
    from carbonseal_api.deployment import open_deployment
    from carbonseal_api.running import settings_beside

    parts = open_deployment(settings_beside(options.data))
    try:
        yield parts
    finally:
        parts.close()


def _enrol(options: argparse.Namespace) -> int:
    from carbonseal_api.desk.service import Desk
    from carbonseal_collectors.gateway_config import load_gateway_config
    from carbonseal_collectors.sealing import load_signer

    config = load_gateway_config(options.gateway)
    with _parts(options) as parts:
        statement = Desk(parts, options.party).enrol(config, load_signer(config, os.environ))
        return _print(
            {
                "device": config.id,
                "meters": sorted(config.meters()),
                "statement": statement.digest.hex(),
                "log_key": parts.log_key.text(),
            }
        )


def _plan(options: argparse.Namespace) -> int:
    from carbonseal_api.desk.service import Desk
    from carbonseal_collectors.plan_file import load_plan

    plan = load_plan(options.file)
    with _parts(options) as parts:
        statement = Desk(parts, options.party).file_plan(plan)
    return _print({"plan": plan.body["plan"], "statement": statement.digest.hex()})


def _calibrate(options: argparse.Namespace) -> int:
    from carbonseal_api.desk.service import Desk, civil_period

    start, end = civil_period(options.on, options.until, "UTC")
    body = {
        "device": options.meter,
        "certificate": options.certificate,
        "laboratory": options.laboratory,
        "accuracy_class": options.accuracy_class,
        "calibrated_at": start,
        "valid_until": end,
        "document_digest": None,
    }
    with _parts(options) as parts:
        statement = Desk(parts, options.party).file_calibration(options.meter, body)
    return _print({"meter": options.meter, "statement": statement.digest.hex()})


def _report(options: argparse.Namespace) -> int:
    from carbonseal_api.desk.service import Desk, settle_epoch
    from carbonseal_api.desk.trust import pilot_trust_file
    from carbonseal_api.output_folder import make_output_folder

    make_output_folder(options.out, OUTPUTS)
    with _parts(options) as parts:
        desk = Desk(parts, options.party)
        closed = desk.report(
            options.first, options.last, language=options.lang, settle=lambda: settle_epoch(parts)
        )
        trust = pilot_trust_file(parts, closed.bundle)
    for name, data in zip(OUTPUTS, (closed.filed.report_json, closed.pdf, closed.bundle, trust), strict=True):
        (options.out / name).write_bytes(data)
    totals = closed.filed.recomputed.inventory.to_json()["total"]
    quality = closed.filed.recomputed.quality_body
    return _print(
        {
            "report": closed.filed.report.digest.hex(),
            "total": {"value": totals["value"], "unit": totals["unit"]},
            "data_code": quality["code"],
            "reasons": [
                {name: one[name] for name in ("rule", "subject", "severity", "count", "observed")}
                for one in quality["findings"]
            ],
            "files": [str(options.out / name) for name in OUTPUTS],
        }
    )


def _publish(options: argparse.Namespace) -> int:
    from carbonseal_api.catalogue.service import publish_packages, shipped_packages
    from carbonseal_api.deployment import desk_of, key_folder

    with _parts(options) as parts:
        desk = desk_of(parts, parts.registrar, key_folder(parts.settings).signer("registrar"))
        origin = f"{parts.settings.log_host_name}/{parts.registrar}/register"
        count = publish_packages(parts.host, desk, origin, shipped_packages())
    return _print({"published": count})


def _print(value: dict[str, Any]) -> int:
    print(json.dumps(value, ensure_ascii=False, indent=2))
    return 0
