"""Commands of the desk about evidence: `document`, `declare`, `downgrade`, `value`, `correct`, `withdraw`.

They run on the machine that holds the deployment's data folder, beside the running service. Each signs with
the party's key and prints one JSON object. Exit codes: 0 done, 2 refused, with one line on standard error.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from carbonseal_api.problems import RequestInvalid

if TYPE_CHECKING:
    from carbonseal_api.assembly import Parts

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name

Model = TypeVar("Model", bound=BaseModel)
PERIOD: Final = "whole civil months of the site: 2026-01, 2026, 2026-01..2026-03"
EXAMPLES: Final = {
    "document": """\
  carbonseal document bill-2026-01.pdf --party e-… --title "Electricity bill 2026-01"
  carbonseal document plate.jpg --party e-… --title 电表铭牌 --relates-to STATEMENT

A file is a PDF, a PNG or JPEG picture, CSV or XLSX. It is kept here for its owner as it is; the log gets its
SHA-256. Other commands name the statement that is printed, not the file.""",
    "declare": """\
  carbonseal declare --party e-… --stream grid --period 2026-01 --source bill --value 200.5 --unit MW.h \\
      --document STATEMENT""",
    "downgrade": """\
  carbonseal downgrade --party e-… --stream grid --period 2026-01 --from meter --to bill \\
      --reason "meter replaced on 12 January"

The value of the later source is declared first, for exactly that month.""",
    "value": """\
  carbonseal value --party e-… --record value_added --period 2026 --value 30000 --unit 10*4.CNY \\
      --source "annual accounts 2026, income method" """,
    "correct": """\
  carbonseal correct STATEMENT --party e-… --file corrected.csv --reason "phase wired the wrong way round"

corrected.csv holds the readings that change; every other reading of the statement stays as it was:

  point,at,value
  active,2026-01-03T00:15:00Z,20.4
  active,2026-01-03T08:30:00+08:00,

Times are those of the statement (of an interval, its start). An empty value says that there is none. Columns
quality (good, uncertain, bad), form and unit may be added; units are not converted.
JSON: [{"point": "active", "at": "2026-01-03T00:15:00Z", "value": "20.4"}]""",
    "withdraw": """\
  carbonseal withdraw STATEMENT --party e-… --role operator --reason "bill of another site"

Reports, grants, calibrations, declared values, downgrades, business figures and documents are withdrawn;
readings are corrected.""",
}


def add_commands(commands: Commands) -> None:
    """Add the commands about evidence to the `carbonseal` parser."""
    document = _command(commands, "document", "keep a file and register its digest", _document)
    document.add_argument("file", type=Path, metavar="FILE", help="PDF, PNG, JPEG, CSV or XLSX")
    document.add_argument("--title", required=True, help="what it is, in at most 200 characters")
    document.add_argument(
        "--relates-to",
        nargs="+",
        action="extend",
        default=[],
        metavar="DIGEST",
        help="statements that it is about",
    )
    declare = _command(commands, "declare", "declare an amount that a document states", _declare)
    _stream(declare)
    declare.add_argument("--source", required=True, help="bill, ledger or laboratory, as the plan lists them")
    _quantity(declare)
    declare.add_argument("--document", required=True, metavar="DIGEST", help="statement of the document")
    downgrade = _command(commands, "downgrade", "let a later data source count in one month", _downgrade)
    _stream(downgrade)
    downgrade.add_argument("--from", required=True, dest="from_source", help="the source that counts now")
    downgrade.add_argument("--to", required=True, dest="to_source", help="a later one in the plan's order")
    downgrade.add_argument("--reason", required=True, help="why")
    value = _command(commands, "value", "state a figure of the business", _value)
    value.add_argument("--record", required=True, help="value_added, output or revenue")
    value.add_argument("--period", required=True, help=PERIOD)
    _quantity(value)
    value.add_argument("--source", required=True, help="where the figure comes from")
    value.add_argument("--document", metavar="DIGEST", help="statement of the document that shows it")
    correct = _command(commands, "correct", "correct readings", _correct)
    correct.add_argument("digest", metavar="DIGEST", help="statement of the readings, or of their correction")
    correct.add_argument("--file", required=True, type=Path, help="the readings that change, CSV or JSON")
    correct.add_argument("--reason", required=True, help="what was wrong")
    correct.add_argument("--role", default="operator", help="by what right (default operator)")
    withdraw = _command(commands, "withdraw", "take a statement back", _withdraw)
    withdraw.add_argument("digest", metavar="DIGEST", help="the statement")
    withdraw.add_argument("--role", required=True, help="by what right")
    withdraw.add_argument("--reason", required=True, help="why")


def _command(
    commands: Commands, name: str, text: str, run: Callable[[Parts, argparse.Namespace], BaseModel]
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=f"examples:\n{EXAMPLES[name]}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, help="data folder (default .carbonseal)")
    parser.add_argument("--party", required=True, help="party code, as `carbonseal admit` printed it")
    parser.set_defaults(run=lambda options: _run(options, run))
    return parser


def _stream(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stream", required=True, help="id of the source stream in the plan")
    parser.add_argument("--period", required=True, help=PERIOD)
    parser.add_argument("--plan", help="code of the plan, where several have the stream")


def _quantity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--value", required=True, help="a decimal, such as 200.5")
    parser.add_argument("--unit", required=True, help="such as MW.h, t or 10*4.CNY")


def _run(options: argparse.Namespace, act: Callable[[Parts, argparse.Namespace], BaseModel]) -> int:
    from carbonseal_api.desk.service import require_party_here
    from carbonseal_api.running import opened

    with opened(options.data) as parts:
        require_party_here(parts, options.party)
        made = act(parts, options)
    print(json.dumps(made.model_dump(by_alias=True), ensure_ascii=False, indent=2))
    return 0


def _document(parts: Parts, options: argparse.Namespace) -> BaseModel:
    from carbonseal_api.evidence.documents import file_document
    from carbonseal_api.evidence.media_types import type_of_name
    from carbonseal_api.incoming import parse_digest

    media_type = type_of_name(options.file.name)
    return file_document(
        parts,
        options.party,
        _read(options.file, parts.settings.max_document_bytes, "FILE"),
        name=options.file.name,
        media_type=media_type,
        title=options.title,
        relates_to=[parse_digest(one, "--relates-to") for one in options.relates_to],
    )


def _declare(parts: Parts, options: argparse.Namespace) -> BaseModel:
    from carbonseal_api.evidence.declaring import declare
    from carbonseal_api.evidence.stated_schemas import DeclareWish

    return declare(parts, options.party, _wish(DeclareWish, options))


def _downgrade(parts: Parts, options: argparse.Namespace) -> BaseModel:
    from carbonseal_api.evidence.declaring import downgrade
    from carbonseal_api.evidence.stated_schemas import DowngradeWish

    return downgrade(parts, options.party, _wish(DowngradeWish, options))


def _value(parts: Parts, options: argparse.Namespace) -> BaseModel:
    from carbonseal_api.evidence.declaring import record_business
    from carbonseal_api.evidence.stated_schemas import BusinessWish

    return record_business(parts, options.party, _wish(BusinessWish, options))


def _correct(parts: Parts, options: argparse.Namespace) -> BaseModel:
    from carbonseal_api.evidence.corrected_rows import MAX_FILE, read_rows
    from carbonseal_api.evidence.correcting import correct
    from carbonseal_api.evidence.correction_schemas import CorrectionWish

    is_json = options.file.suffix.lower() == ".json"
    rows = read_rows(_read(options.file, MAX_FILE, "--file"), is_json=is_json)
    wish = _wish(CorrectionWish, options, readings_digest=options.digest, readings=rows)
    return correct(parts, options.party, wish)


def _withdraw(parts: Parts, options: argparse.Namespace) -> BaseModel:
    from carbonseal_api.evidence.correction_schemas import WithdrawalWish
    from carbonseal_api.evidence.withdrawing import withdraw

    return withdraw(parts, options.party, _wish(WithdrawalWish, options, statement_digest=options.digest))


def _wish(model: type[Model], options: argparse.Namespace, **more: Any) -> Model:
    """Return a request made of the options of its members' names."""
    given = {field.alias or name: getattr(options, name, None) for name, field in model.model_fields.items()}
    try:
        return model.model_validate({key: value for key, value in given.items() if value is not None} | more)
    except ValidationError as problem:
        first = problem.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "options"
        raise RequestInvalid(f"--{place}", str(first["msg"]), "see --help for an example") from problem


def _read(path: Path, limit: int, place: str) -> bytes:
    """Return a regular file's bytes; one longer than `limit` is refused before it is read."""
    try:
        if not path.is_file():
            raise RequestInvalid(place, f"{path.name!r} is no file", "name a file that is there")
        size = path.stat().st_size
        if size > limit:
            raise RequestInvalid(place, f"has {size} bytes", f"give at most {limit} bytes")
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as problem:
        reason = f"cannot be read: {problem.strerror}"
        raise RequestInvalid(place, reason, "name a file that is there") from problem
