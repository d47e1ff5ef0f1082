"""The equation language of methods: small, total, and checked for dimensions before a number is seen.

An expression has decimal literals, names, `+ - * /`, parentheses, `min(a, b, ...)`, `max(a, b, ...)` and
`sum(name)` over a name that stands for many quantities (the streams of a type). No recursion, no
assignment, no input or output; length, depth and size are bounded, so parsing and evaluating always end.
Arithmetic is that of `arithmetic`: exact but for quotients. Left out, until a method needs them: tables and
piecewise functions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from carbonseal_accounting.arithmetic import add, divide, multiply, scale_by, subtract
from carbonseal_accounting.errors import ExpressionInvalid, UnitMismatch
from carbonseal_accounting.units import Dimension, Unit, describe

MAX_TEXT: Final = 1000  # characters
MAX_DEPTH: Final = 20  # nested parentheses, calls and signs
MAX_NODES: Final = 300
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>[0-9]+(?:\.[0-9]+)?)|(?P<name>[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?)|(?P<sign>[-+*/(),]))"
)
_FUNCTIONS: Final = ("min", "max", "sum")
_ONE: Final = Fraction(1)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A decimal in a unit of the given exact factor and dimension."""

    value: Decimal
    factor: Fraction
    dimension: Dimension

    @classmethod
    def of(cls, value: Decimal, unit: Unit) -> Quantity:
        """Return `value` in `unit`."""
        return cls(value, unit.factor, unit.dimension)


Value = Quantity | Sequence[Quantity]


@dataclass(frozen=True, slots=True)
class _Number:
    value: Decimal


@dataclass(frozen=True, slots=True)
class _Name:
    name: str


@dataclass(frozen=True, slots=True)
class _Call:
    function: str  # min, max, sum, or one of + - * / and the unary "neg"
    arguments: tuple[_Node, ...]


_Node = _Number | _Name | _Call


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed equation."""

    text: str
    names: frozenset[str]  # used as single quantities
    summed: frozenset[str]  # used under sum()
    _root: _Node

    @classmethod
    def parse(cls, text: object, *, field: str = "equation") -> Expression:
        """Return the expression that `text` writes.

        Raises:
            ExpressionInvalid: not in the language, or beyond its bounds.
        """
        if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT:
            raise ExpressionInvalid(field, f"not text of 1 to {MAX_TEXT} characters", "write one equation")
        parser = _Parser(text, field)
        root = parser.parse()
        both = parser.names & parser.summed
        if both:
            raise ExpressionInvalid(
                field, f"{min(both)} is used alone and under sum()", "sum over many, or use one"
            )
        return cls(text.strip(), frozenset(parser.names), frozenset(parser.summed), root)

    def check(self, units: Mapping[str, Unit], want: Unit, *, field: str = "equation") -> None:
        """Check that every name is declared, and that the dimensions agree and give that of `want`.

        Raises:
            ExpressionInvalid: a name has no unit.
            UnitMismatch: dimensions of a sum, comparison or of the result differ.
        """
        dimension = _dimension(self._root, units, field)
        if dimension != want.dimension:
            raise UnitMismatch(
                field,
                f"{self.text!r} gives {describe(dimension)}, not {want.name} ({describe(want.dimension)})",
                "mend the equation or the unit of its result",
            )

    def evaluate(self, values: Mapping[str, Value], want: Unit, *, field: str = "equation") -> Decimal:
        """Return the value in `want`; an empty sum is zero."""
        result = _evaluate(self._root, values, field)
        if result is None:
            return Decimal(0)
        if result.dimension != want.dimension:
            raise UnitMismatch(
                field, f"{self.text!r} does not give {want.name}", "mend the units of its inputs"
            )
        return scale_by(result.value, result.factor / want.factor)


class _Parser:
    def __init__(self, text: str, field: str) -> None:
        self.field = field
        self.text = text
        self.tokens = list(self._scan())
        self.at = 0
        self.nodes = 0
        self.names = set[str]()
        self.summed = set[str]()

    def parse(self) -> _Node:
        node = self._sum(0)
        if self.at != len(self.tokens):
            raise self._refuse(f"unexpected {self.tokens[self.at]!r}")
        return node

    def _scan(self) -> list[str]:
        tokens, position, text = list[str](), 0, self.text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if not match:
                raise self._refuse(f"unexpected {text[position:].strip()[:1]!r}")
            tokens.append(match.group(0).strip())
            position = match.end()
        return tokens

    def _sum(self, depth: int) -> _Node:
        node = self._product(depth)
        while self._peek() in {"+", "-"}:
            sign = self._take()
            node = self._node(_Call(sign, (node, self._product(depth))))
        return node

    def _product(self, depth: int) -> _Node:
        node = self._primary(depth)
        while self._peek() in {"*", "/"}:
            sign = self._take()
            node = self._node(_Call(sign, (node, self._primary(depth))))
        return node

    def _primary(self, depth: int) -> _Node:
        if depth > MAX_DEPTH:
            raise self._refuse(f"nested deeper than {MAX_DEPTH}")
        token = self._take()
        if token == "-":  # noqa: S105 - a sign, not a secret
            return self._node(_Call("neg", (self._primary(depth + 1),)))
        if token == "(":  # noqa: S105
            node = self._sum(depth + 1)
            self._expect(")")
            return node
        if token[0].isdigit():
            return self._node(_Number(Decimal(token)))
        if token in _FUNCTIONS:
            return self._call(token, depth)
        if token[0].isalpha():
            self.names.add(token)
            return self._node(_Name(token))
        raise self._refuse(f"unexpected {token!r}")

    def _call(self, function: str, depth: int) -> _Node:
        self._expect("(")
        if function == "sum":
            name = self._take()
            if not name[0].isalpha() or name in _FUNCTIONS:
                raise self._refuse("sum() takes one name")
            self._expect(")")
            self.summed.add(name)
            return self._node(_Call("sum", (_Name(name),)))
        arguments = [self._sum(depth + 1)]
        while self._peek() == ",":
            self._take()
            arguments.append(self._sum(depth + 1))
        self._expect(")")
        if len(arguments) < 2:
            raise self._refuse(f"{function}() takes two or more")
        return self._node(_Call(function, tuple(arguments)))

    def _node(self, node: _Node) -> _Node:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self._refuse(f"more than {MAX_NODES} terms")
        return node

    def _peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        if not token:
            raise self._refuse("ends too early")
        self.at += 1
        return token

    def _expect(self, token: str) -> None:
        if self._peek() != token:
            raise self._refuse(f"{token!r} is missing")
        self.at += 1

    def _refuse(self, reason: str) -> ExpressionInvalid:
        return ExpressionInvalid(
            self.field, f"{self.text[:60]!r}: {reason}", "use decimals, names, + - * /, min, max, sum(name)"
        )


def _dimension(node: _Node, units: Mapping[str, Unit], field: str) -> Dimension:
    if isinstance(node, _Number):
        return ()
    if isinstance(node, _Name):
        if node.name not in units:
            raise ExpressionInvalid(field, f"{node.name} is not declared", "declare it with its unit")
        return units[node.name].dimension
    parts = [_dimension(argument, units, field) for argument in node.arguments]
    if node.function in {"*", "/"}:
        return _joined(parts[0], parts[1], 1 if node.function == "*" else -1)
    for other in parts[1:]:
        if other != parts[0]:
            raise UnitMismatch(
                field,
                f"{node.function!r} joins {describe(parts[0])} and {describe(other)}",
                "bring both sides to one dimension",
            )
    return parts[0]


def _evaluate(node: _Node, values: Mapping[str, Value], field: str) -> Quantity | None:
    """Return the value of `node`; None is the empty sum, zero of whatever dimension stands beside it."""
    if isinstance(node, _Number):
        return Quantity(node.value, _ONE, ())
    if isinstance(node, _Name):
        value = values.get(node.name)
        if not isinstance(value, Quantity):
            raise ExpressionInvalid(field, f"{node.name} has no value", "give it one")
        return value
    if node.function == "sum":
        return _total(values.get(node.arguments[0].name, ()), field)  # type: ignore[union-attr] # a _Name
    parts = [_evaluate(argument, values, field) for argument in node.arguments]
    if node.function == "neg":
        return None if parts[0] is None else _scaled(parts[0], Decimal(-1))
    if node.function in {"*", "/"}:
        return _product_of(node.function, parts[0], parts[1], field)
    if node.function in {"+", "-"}:
        left, right = parts
        if left is None:
            return right if right is None or node.function == "+" else _scaled(right, Decimal(-1))
        return left if right is None else _combined(node.function, left, right, field)
    return _extreme(node.function, parts, field)


def _total(values: Value, field: str) -> Quantity | None:
    if isinstance(values, Quantity):
        raise ExpressionInvalid(field, "sum() over a single quantity", "use the name alone")
    total: Quantity | None = None
    for value in values:
        total = value if total is None else _combined("+", total, value, field)
    return total


def _product_of(function: str, left: Quantity | None, right: Quantity | None, field: str) -> Quantity | None:
    if right is None and function == "/":
        raise ExpressionInvalid(field, "divides by an empty sum", "give the sum a member")
    if left is None or right is None:
        return None
    if function == "*":
        return Quantity(
            multiply(left.value, right.value),
            left.factor * right.factor,
            _joined(left.dimension, right.dimension, 1),
        )
    return Quantity(
        divide(left.value, right.value),
        left.factor / right.factor,
        _joined(left.dimension, right.dimension, -1),
    )


def _combined(function: str, left: Quantity, right: Quantity, field: str) -> Quantity:
    operate = add if function == "+" else subtract
    return Quantity(operate(left.value, _aligned(left, right, field)), left.factor, left.dimension)


def _extreme(function: str, parts: Sequence[Quantity | None], field: str) -> Quantity:
    known = [part for part in parts if part is not None]
    if len(known) != len(parts):
        raise ExpressionInvalid(field, f"{function}() of an empty sum", "give the sum a member")
    best = known[0]
    for other in known[1:]:
        value = _aligned(best, other, field)
        if (value < best.value) == (function == "min") and value != best.value:
            best = Quantity(value, best.factor, best.dimension)
    return best


def _aligned(left: Quantity, right: Quantity, field: str) -> Decimal:
    if left.dimension != right.dimension:
        raise UnitMismatch(
            field,
            f"{describe(left.dimension)} beside {describe(right.dimension)}",
            "bring both to one dimension",
        )
    return right.value if left.factor == right.factor else scale_by(right.value, right.factor / left.factor)


def _scaled(quantity: Quantity, by: Decimal) -> Quantity:
    return Quantity(multiply(quantity.value, by), quantity.factor, quantity.dimension)


def _joined(left: Dimension, right: Dimension, sign: int) -> Dimension:
    powers = dict(left)
    for base, power in right:
        powers[base] = powers.get(base, 0) + sign * power
    return tuple(sorted((base, power) for base, power in powers.items() if power))
