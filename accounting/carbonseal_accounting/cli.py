"""The `carbonseal-accounting` command: show methods and factors, write a template, compute.

It works without a server. Exit codes: 0 done; 2 bad usage or bad input, with one line on standard error
naming the field, the reason and the remedy. Output is UTF-8 JSON or plain lines; nothing is written
elsewhere unless `-o` says so.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NoReturn

from carbonseal_accounting.errors import InputInvalid
from carbonseal_accounting.factors import KINDS, find_factor_set, load_factor_sets
from carbonseal_accounting.inventory import compute_request
from carbonseal_accounting.method import Method, find_method, load_methods
from carbonseal_accounting.show import method_json, method_text
from carbonseal_accounting.stated import make_template
from carbonseal_attest.errors import CarbonsealError

MAX_INPUT: Final = 4 << 20  # bytes
_EPILOG: Final = """examples:
  carbonseal-accounting methods list
  carbonseal-accounting methods show GBT32150-2015@1.0.0
  carbonseal-accounting factors CN-GRID@1.0.0 --kind location_average
  carbonseal-accounting template GBT32150-2015@1.0.0 -o input.json
  carbonseal-accounting compute GBT32150-2015@1.0.0 input.json

exit codes: 0 done; 2 bad usage or bad input (one line on standard error: field: reason; remedy)"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except CarbonsealError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except BrokenPipeError:
        return 0
    except OSError as error:  # a full disk behind standard output
        sys.stderr.write(f"output: cannot be written: {error.strerror}; make room, or write elsewhere\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="carbonseal-accounting",
        description="Emissions under named, versioned methods, in exact decimals.",
        epilog=_EPILOG,
        formatter_class=form,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    methods = commands.add_parser("methods", help="list or show the methods at hand")
    verbs = methods.add_subparsers(required=True, metavar="list|show")
    listing = verbs.add_parser(
        "list",
        help="one line a method: ID@VERSION, status, titles",
        epilog="example: ... methods list",
        formatter_class=form,
    )
    listing.add_argument("--json", action="store_true", help="an array of {method, status, title, digest}")
    listing.set_defaults(run=_list)
    show = verbs.add_parser(
        "show",
        help="what a method counts, takes and computes",
        epilog="example: ... methods show GHGP-CORP-S12@1.0.0 --json",
        formatter_class=form,
    )
    show.add_argument("method", metavar="ID@VERSION")
    show.add_argument("--json", action="store_true", help="the whole method as JSON")
    show.set_defaults(run=_show)
    factors = commands.add_parser(
        "factors",
        help="list factor sets, or the factors of one",
        epilog="examples: ... factors; ... factors CN-GRID@1.0.0 --kind location_average",
        formatter_class=form,
    )
    factors.add_argument("set", metavar="SET@VERSION", nargs="?")
    factors.add_argument("--kind", help="only factors of this kind")
    factors.add_argument("--json", action="store_true", help="an array of factors or sets")
    factors.set_defaults(run=_factors)
    template = commands.add_parser(
        "template",
        help="write an INPUT.json to fill in",
        epilog="example: ... template GBT32150-2015@1.0.0 -o input.json",
        formatter_class=form,
    )
    template.add_argument("method", metavar="METHOD@VERSION")
    template.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="write here; refused if it exists"
    )
    template.set_defaults(run=_template)
    compute = commands.add_parser(
        "compute",
        help="compute a filled INPUT.json; prints JSON",
        epilog="example: ... compute GBT32150-2015@1.0.0 input.json > result.json",
        formatter_class=form,
    )
    compute.add_argument("method", metavar="METHOD@VERSION")
    compute.add_argument("input", metavar="INPUT.json", help="a file, or - for standard input")
    compute.add_argument("--json", action="store_true", help="on one line, for machines")
    compute.set_defaults(run=_compute)
    return parser


def _list(options: argparse.Namespace) -> int:
    methods = [load_methods()[name] for name in sorted(load_methods())]
    if options.json:
        _print_json([_row(method) for method in methods], is_compact=False)
        return 0
    for method in methods:
        _print(f"{method.name}  {method.status}  {method.title['zh']}  {method.title['en']}")
    return 0


def _show(options: argparse.Namespace) -> int:
    method = find_method(options.method)
    if options.json:
        _print_json(method_json(method), is_compact=False)
    else:
        _print(method_text(method))
    return 0


def _factors(options: argparse.Namespace) -> int:
    if options.set is None:
        sets = load_factor_sets().values()
        rows = [{"set": item.name, "digest": item.digest.hex(), "title": dict(item.title)} for item in sets]
        lines = [f"{item.name}  {item.title['zh']}  {item.title['en']}" for item in sets]
    else:
        if options.kind is not None and options.kind not in KINDS:
            raise InputInvalid("--kind", f"unknown kind {options.kind[:40]!r}", f"use {', '.join(KINDS)}")
        factors = find_factor_set(options.set).factors.values()
        chosen = [factor for factor in factors if options.kind in (None, factor.kind)]
        rows = [factor.to_json() for factor in chosen]
        lines = [
            f"{item.key}  {item.value:f} {item.unit.name}  {item.kind}  {item.certainty}  {item.name['zh']}"
            for item in chosen
        ]
    if options.json:
        _print_json(rows, is_compact=False)
    else:
        _print("\n".join(lines))
    return 0


def _template(options: argparse.Namespace) -> int:
    text = json.dumps(make_template(find_method(options.method)), ensure_ascii=False, indent=2)
    if options.output is None:
        _print(text)
        return 0
    try:
        with options.output.open("x", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        raise InputInvalid(
            "output", f"cannot write {options.output.name}: {error.strerror}", "name a new file"
        ) from error
    return 0


def _compute(options: argparse.Namespace) -> int:
    method = find_method(options.method)
    document = _read_json(options.input)
    if not isinstance(document, dict):
        raise InputInvalid("input", "not an object", "fill in what `template` writes")
    stated = document.setdefault("method", method.name)
    if stated != method.name:
        raise InputInvalid(
            "method", f"the input is for {str(stated)[:60]}", f"compute {str(stated)[:60]}, or change it"
        )
    _print_json(compute_request(document).to_json(), is_compact=options.json)
    return 0


def _read_json(name: str) -> Any:
    try:
        data = sys.stdin.buffer.read(MAX_INPUT + 1) if name == "-" else _read_file(Path(name))
    except OSError as error:
        raise InputInvalid(
            "input", f"cannot read {name[:80]}: {error.strerror}", "name a readable file"
        ) from error
    if len(data) > MAX_INPUT:
        raise InputInvalid("input", f"over {MAX_INPUT} bytes", "split the input")
    try:
        return json.loads(
            data.decode("utf-8-sig"),
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except json.JSONDecodeError as error:
        raise InputInvalid(
            f"input line {error.lineno} column {error.colno}", f"not JSON: {error.msg}", "mend it there"
        ) from error
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise InputInvalid("input", "not JSON in UTF-8, or nested too deep", "mend the file") from error


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_INPUT + 1)


def _refuse_constant(name: str) -> NoReturn:
    raise InputInvalid("input", f"{name} is not a number of an inventory", "write a decimal")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InputInvalid(twice[:60], "stands twice in one object", "keep one")
    return made


def _row(method: Method) -> dict[str, Any]:
    return {
        "method": method.name,
        "status": method.status,
        "title": dict(method.title),
        "digest": method.digest.hex(),
    }


def _print_json(value: Any, *, is_compact: bool) -> None:
    _print(json.dumps(value, ensure_ascii=False, indent=None if is_compact else 2))


def _print(text: str) -> None:
    sys.stdout.buffer.write(f"{text}\n".encode())
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
