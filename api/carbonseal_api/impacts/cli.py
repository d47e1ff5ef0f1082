"""The command `impacts`: what no longer stands, why, and what would cure it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name


def add_commands(commands: Commands) -> None:
    """Add the command to the `carbonseal` parser."""
    text = "list what no longer stands, why, and what would cure it"
    impacts = commands.add_parser("impacts", help=text, description=f"{text[0].upper()}{text[1:]}.")
    impacts.add_argument("--data", type=Path, help="data folder (default .carbonseal)")
    impacts.add_argument("--party", help="party code; left out: every organisation")
    impacts.add_argument("--all", action="store_true", help="those that are cured whole too")
    impacts.add_argument("--look", action="store_true", help="look for new ones first, as the worker does")
    impacts.add_argument("--lang", choices=("en", "zh"), default="en", help="of the text")
    impacts.add_argument("--json", action="store_true", help="print JSON")
    impacts.epilog = "example: carbonseal impacts --party e-7k2mq5xw3ztbn4pr"
    impacts.set_defaults(run=_impacts)


def _impacts(options: argparse.Namespace) -> int:
    from carbonseal_api.impacts.listing import impacts
    from carbonseal_api.impacts.service import CATALOGUE, travel
    from carbonseal_api.reports.wording import load_wording
    from carbonseal_api.running import opened

    with opened(options.data) as parts:
        if options.look:
            travel(parts, parts.clock())
        parts.projections.refresh()
        found = impacts(parts, options.party, only_open=not options.all)
    if options.json:
        print(json.dumps([one.model_dump() for one in found], ensure_ascii=False, indent=2))
        return 0
    words = load_wording(options.lang, CATALOGUE)
    for one in found:
        print(f"{one.registered_at}  {words.term('cause', one.cause)}  {one.impact}")
        print(f"  {one.reason[options.lang]}")
        print(f"  {one.cure[options.lang]}")
        for thing in one.affected:
            done = "" if thing.cured_by is None else f"  ({words('cured')} {thing.cured_by[:12]}…)"
            print(f"  - {words.term('kind', thing.kind)}  {thing.party}  {thing.digest}{done}")
    if not found:
        print(words("none"))
    return 0
