"""Reads the schemas of the kinds as tables of (field, type), to hold docs/spec/contents.md to the code.

It reads the source rather than the running checks, which are functions and don't say what they admit.
`readings` has a reader of its own and is left out.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, Final

import carbonseal_attest.contents as package

Rows = list[tuple[str, str]]
_FOLDER: Final = Path(package.__file__).parent
_MODULES: Final = ("disclosing", "holding", "identity", "judging", "measuring", "reporting", "upkeep")
_NAMED: Final = {
    "digest": "bytes, 32",
    "boolean": "bool",
    "cose_key": "COSE_Key",
    "credit_code": "credit code",
    "anything": "map",
}
_NUMBERS: Final = {
    2**53: "2^53",
    2**53 - 1: "2^53−1",
    2**48: "2^48",
    2**40: "2^40",
    2**24: "2^24",
    400 * 86_400_000: "400 days",
}
_FORMS: Final = ("register", "interval", "instant")


def tables() -> dict[str, Rows]:
    """The rows of each kind's body: path of the field, and its type in words."""
    schemas = _schemas()
    found: dict[str, Rows] = {}
    for kind, place in _places().items():
        module, name = place.split(".")
        if module != "readings":
            # A kind that is checked by a function of its own names its schema after a leading underscore.
            private = f"_{name.removeprefix('monitoring_').removesuffix('_readings')}"
            node = schemas.get((module, name)) or schemas[module, private]
            merged: dict[str, list[str]] = {}
            for path, text in _Reader(module, schemas).read(node)[1]:
                merged.setdefault(path.removeprefix("."), []).append(text)
            found[kind] = [(path, " or ".join(dict.fromkeys(texts))) for path, texts in merged.items()]
    return found


def _places() -> dict[str, str]:
    tree = ast.parse((_FOLDER / "__init__.py").read_text(encoding="utf-8"))
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "Kind"]
    return {ast.literal_eval(call.args[0]): ast.unparse(call.args[3]) for call in calls if len(call.args) > 3}


def _schemas() -> dict[tuple[str, str], ast.expr]:
    found: dict[tuple[str, str], ast.expr] = {}
    for module in _MODULES:
        for node in ast.parse((_FOLDER / f"{module}.py").read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found[module, node.targets[0].id] = node.value
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
                found[module, node.target.id] = node.value
    return found


class _Reader:
    def __init__(self, module: str, schemas: dict[tuple[str, str], ast.expr]) -> None:
        self._module = module
        self._schemas = schemas

    def read(self, node: ast.expr) -> tuple[str, Rows]:
        """The type in words, and the rows of what lies inside."""
        if isinstance(node, ast.Name):
            return self.read(self._schemas[self._module, node.id])
        if isinstance(node, ast.Attribute):
            return _NAMED.get(node.attr, node.attr), []
        assert isinstance(node, ast.Call)
        assert isinstance(node.func, ast.Attribute)
        result: tuple[str, Rows] = getattr(self, f"_{node.func.attr}")(*node.args, **_keywords(node))
        return result

    def _text(self, limit: ast.expr) -> tuple[str, Rows]:
        return f"text ≤ {_number(limit)}", []

    def _integer(self, low: ast.expr, high: ast.expr) -> tuple[str, Rows]:
        return f"int {_number(low)} to {_number(high)}", []

    def _one_of_integers(self, *values: ast.expr) -> tuple[str, Rows]:
        return f"int, one of {', '.join(map(ast.unparse, values))}", []

    def _octets(self, low: ast.expr, high: ast.expr | None = None) -> tuple[str, Rows]:
        return f"bytes, {_number(low)}" + (f" to {_number(high)}" if high else ""), []

    def _one_of(self, *values: ast.expr) -> tuple[str, Rows]:
        words: list[str] = []
        for value in values:
            if not isinstance(value, ast.Starred):
                words.append(ast.literal_eval(value))
            elif (named := self._schemas.get((self._module, ast.unparse(value.value)))) is not None:
                words.extend(ast.literal_eval(named))
            else:
                words.extend(_FORMS)
        return "one of " + ", ".join(f"`{word}`" for word in words), []

    def _nullable(self, inner: ast.expr) -> tuple[str, Rows]:
        text, rows = self.read(inner)
        return f"{text} or null", rows

    def _ordered(self, inner: ast.expr) -> tuple[str, Rows]:
        text, rows = self.read(inner)
        return f"{text}, start before end", rows

    def _array(self, inner: ast.expr, limit: ast.expr, least: ast.expr | None = None) -> tuple[str, Rows]:
        text, rows = self.read(inner)
        low = "0" if least is None else _number(least)
        span = low if low == _number(limit) else f"{low} to {_number(limit)}"
        return f"array of {span}: {text}", [(f"[]{path}", inside) for path, inside in rows]

    def _table(self, inner: ast.expr, limit: ast.expr) -> tuple[str, Rows]:
        text, rows = self.read(inner)
        return f"map of at most {_number(limit)} text keys: {text}", [(f".*{p}", t) for p, t in rows]

    def _either(self, *choices: ast.expr) -> tuple[str, Rows]:
        read = [self.read(choice)[1] for choice in choices]
        return f"one of {len(choices)} maps", [row for rows in read for row in rows]

    def _record(self, fields: ast.expr, optional: ast.expr | None = None) -> tuple[str, Rows]:
        rows: Rows = []
        for group in (fields, optional):
            if group is None:
                continue
            assert isinstance(group, ast.Dict)
            mark = "" if group is fields else ", may be left out"
            for key, value in zip(group.keys, group.values, strict=True):
                assert isinstance(key, ast.Constant)
                text, inside = self.read(value)
                rows += [(f".{key.value}", text + mark), *((f".{key.value}{path}", t) for path, t in inside)]
        return "map", rows


def _keywords(node: ast.Call) -> dict[str, Any]:
    return {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}


def _number(node: ast.expr) -> str:
    value = eval(compile(ast.Expression(node), "schema", "eval"), {})  # noqa: S307 - our own source
    return _NUMBERS.get(value, str(value))
