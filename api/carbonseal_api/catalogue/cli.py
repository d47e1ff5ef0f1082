"""The registrar's command `industry-mean`, on the machine that holds its key file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name

UNIT: Final = "t{CO2e}/(10*4.CNY)"  # as the shipped grade rule takes it: tonnes a ten thousand yuan


def add_commands(commands: Commands) -> None:
    """Add the command to the `carbonseal` parser."""
    text = "have the registrar publish the mean intensity of an industry"
    mean = commands.add_parser("industry-mean", help=text, description=f"{text[0].upper()}{text[1:]}.")
    mean.add_argument("--data", type=Path, help="data folder (default .carbonseal)")
    mean.add_argument("--industry", required=True, help="code of GB/T 4754, such as C31")
    mean.add_argument(
        "--period", required=True, help="days of China: 2026, 2026-01 or 2026-01-01..2026-03-31"
    )
    mean.add_argument("--value", required=True, help="the mean, such as 2.5")
    mean.add_argument("--unit", default=UNIT, help=f"UCUM (default {UNIT})")
    mean.add_argument("--source", required=True, help="who computed it, from what")
    mean.set_defaults(run=_publish)


def _publish(options: argparse.Namespace) -> int:
    from carbonseal_api.catalogue.industry_means import publish_mean
    from carbonseal_api.civil_days import parse_civil_span
    from carbonseal_api.running import opened

    period = parse_civil_span(options.period, "--period")
    with opened(options.data) as parts:
        statement = publish_mean(
            parts,
            industry=options.industry,
            period=period,
            value=options.value,
            unit=options.unit,
            source=options.source,
        )
    made = {"industry": options.industry, "value": options.value, "statement": statement.digest.hex()}
    print(json.dumps(made, ensure_ascii=False, indent=2))
    return 0
