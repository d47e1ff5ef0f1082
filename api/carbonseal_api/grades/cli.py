"""The log host's command `grade`, on the machine that holds its key file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name


def add_commands(commands: Commands) -> None:
    """Add the command to the `carbonseal` parser."""
    text = "grade an enterprise now; a statement is made where something has changed"
    grade = commands.add_parser("grade", help=text, description=f"{text[0].upper()}{text[1:]}.")
    grade.add_argument("--data", type=Path, help="data folder (default .carbonseal)")
    grade.add_argument("--party", required=True, help="party code, as `carbonseal admit` printed it")
    grade.add_argument("--rule", metavar="ID@VERSION", help="as `carbonseal-verifier grades list` prints it")
    grade.epilog = "example: carbonseal grade --party e-7k2mq5xw3ztbn4pr"
    grade.set_defaults(run=_grade)


def _grade(options: argparse.Namespace) -> int:
    from carbonseal_api.grades import service
    from carbonseal_api.running import opened

    rule = options.rule or service.DEFAULT_RULE
    with opened(options.data) as parts:
        is_new = service.require_graded(parts, options.party, at=parts.clock(), rule=rule)
        answer = service.grade_as_of(parts, options.party, rule, parts.clock())
    result = json.loads(answer.result)
    made = {
        "is_new": is_new,
        "grade": result["grade"],
        "label": result["label"],
        "period": result["period"],
        "reasons": result["reasons"],  # code, and the words in both languages: they name what is missing
        "pcaf_score": result["pcaf_score"],
        "statement": answer.proof.statement.digest.hex(),
        "receipt_state": answer.proof.state,
    }
    print(json.dumps(made, ensure_ascii=False, indent=2))
    return 0
