"""The command `lineage`, for whoever holds the machine: nothing is hidden from it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name

    from carbonseal_api.lineage.schemas import Lineage

FORMATS = ("text", "json", "prov", "svg")


def add_commands(commands: Commands) -> None:
    """Add the command to the `carbonseal` parser."""
    text = "trace a figure, statement, device or asset record to what made it, or to what used it"
    lineage = commands.add_parser("lineage", help=text, description=f"{text[0].upper()}{text[1:]}.")
    lineage.epilog = (
        "examples: carbonseal lineage figure:e-7k2mq5xw3ztbn4pr/2026-01/total/total ; "
        "carbonseal lineage device:e-7k2mq5xw3ztbn4pr/m-q4zt7wx2kb5n3mpr --up"
    )
    lineage.add_argument(
        "id",
        metavar="ID",
        help="a statement digest, figure:REPORT/total/total, figure:PARTY/2026-01/total/total, asset:RECORD,"
        " package:ID@VERSION, device:PARTY/CODE, or the code of a party or device",
    )
    lineage.add_argument("--up", action="store_true", help="to what rests on it, instead of what it rests on")
    lineage.add_argument(
        "--depth", type=int, default=20, metavar="N", help="links away (default 20, the most)"
    )
    lineage.add_argument("--limit", type=int, default=200, metavar="N", help="nodes listed (default 200)")
    lineage.add_argument("--format", choices=FORMATS, default="text", help="what is printed (default text)")
    lineage.add_argument("--lang", choices=("en", "zh"), default="en", help="of text and graph")
    lineage.add_argument("--data", type=Path, help="data folder (default .carbonseal)")
    lineage.set_defaults(run=_lineage)


def _lineage(options: argparse.Namespace) -> int:
    from carbonseal_api.lineage.service import lineage
    from carbonseal_api.running import opened

    with opened(options.data) as parts:
        parts.projections.refresh()
        found = lineage(
            parts,
            None,
            options.id,
            direction="up" if options.up else "down",
            depth=options.depth,
            limit=options.limit,
        )
    print(_written(found, options.format, options.lang), end="")
    return 0


def _written(found: Lineage, form: str, lang: str) -> str:
    from carbonseal_api.lineage.drawing import graph_svg
    from carbonseal_api.lineage.prov import prov_json
    from carbonseal_api.lineage.text_tree import text_tree

    if form == "text":
        return text_tree(found, lang)
    if form == "svg":
        return f"{graph_svg(found, lang)}\n"
    value = prov_json(found, lang) if form == "prov" else found.model_dump()
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
