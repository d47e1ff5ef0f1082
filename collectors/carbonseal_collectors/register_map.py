"""Modbus register maps: which register of a meter model holds what, as a TOML file of its own.

Modbus Application Protocol 1.1b3. A map lists models; a model lists registers with address (from 0, as on
the wire), function code, type, word and byte order, decimal scale, UCUM unit and form. Scale registers, BCD
and bit fields are left out so far.

A float32 is read as the shortest decimal that gives the same 32 bits back: `49.9`, not
49.90000152587890625. Nothing is lost (the bits can be recovered) and no digit is shown that the meter did
not mean.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from pathlib import Path
from typing import Final

from carbonseal_collectors.errors import RegisterMapInvalid
from carbonseal_collectors.gateway_config import FORMS
from carbonseal_collectors.toml_table import Table, read_toml

WORDS: Final[Mapping[str, int]] = {
    "int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "int64": 4, "uint64": 4, "float32": 2,
}  # fmt: skip
HOLDING: Final = 3
INPUT: Final = 4
MAX_BLOCK: Final = 125  # registers of one read, Modbus Application Protocol 6.3
_MAX_ADDRESS: Final = 0xFFFF
_ORDERS: Final = ("big", "little")
_NAME: Final = r"[a-z][a-z0-9_]{0,62}"
_EXACT: Final = Context(prec=120, traps=[Inexact])


@dataclass(frozen=True, slots=True)
class Register:
    """One figure in a meter's registers.

    Attributes:
        function: 3 (holding registers) or 4 (input registers).
        word_order, byte_order: `big` as the standard has it, or `little`; bytes are swapped within each
            word.
        scale: factor from the raw number to `unit`, exact.
        interval_ms: for interval forms: the register holds the amount of the last complete slot of this
            length.
        not_available: raw number by which the meter says that it has no value, or None.
    """

    name: str
    address: int
    function: int
    type: str
    word_order: str
    byte_order: str
    scale: Decimal
    unit: str
    form: str
    interval_ms: int
    not_available: int | None

    @property
    def words(self) -> int:
        """How many 16-bit registers it takes."""
        return WORDS[self.type]

    def decode(self, words: Sequence[int]) -> Decimal | None:
        """The scaled figure in `words`, or None when the meter says that it has none (also not-a-number).

        Args:
            words: exactly `self.words` numbers from 0 to 65535, in the order of their addresses.
        """
        data = self._bytes(words)
        raw = int.from_bytes(data, "big", signed=self.type.startswith("int"))
        if self.not_available is not None and raw == self.not_available:
            return None
        if self.type == "float32":
            number = decimal_of_float32(data)
            return None if number is None else _EXACT.multiply(number, self.scale)
        return _EXACT.multiply(Decimal(raw), self.scale)

    def encode(self, raw: int) -> list[int]:
        """The words that hold a raw integer (for float32: the nearest float), as a meter sends them."""
        size = 2 * self.words
        if self.type == "float32":
            data = struct.pack(">f", raw)
        else:
            data = raw.to_bytes(size, "big", signed=self.type.startswith("int"))
        words = [data[at : at + 2] for at in range(0, size, 2)]
        if self.byte_order == "little":
            words = [word[::-1] for word in words]
        if self.word_order == "little":
            words.reverse()
        return [int.from_bytes(word, "big") for word in words]

    def _bytes(self, words: Sequence[int]) -> bytes:
        if len(words) != self.words:
            raise ValueError(f"{self.name} takes {self.words} registers, not {len(words)}")
        ordered = list(words) if self.word_order == "big" else list(reversed(words))
        pieces = [word.to_bytes(2, "big") for word in ordered]
        return b"".join(piece if self.byte_order == "big" else piece[::-1] for piece in pieces)


@dataclass(frozen=True, slots=True)
class RegisterMap:
    """The models of one register-map file, each a mapping from register name to register."""

    file: str
    models: Mapping[str, Mapping[str, Register]]

    @classmethod
    def load(cls, path: Path) -> RegisterMap:
        """The map in the file `path`. Raises RegisterMapInvalid naming place and remedy."""
        top = Table(read_toml(path, error=RegisterMapInvalid), file=path.name, error=RegisterMapInvalid)
        models_table = top.table("models")
        models = {name: _model(models_table.table(name)) for name in models_table}
        models_table.finish()
        top.finish()
        return cls(path.name, models)


def _model(table: Table) -> dict[str, Register]:
    registers: dict[str, Register] = {}
    for entry in table.tables("registers", maximum=2_000):
        register = _register(entry)
        if register.name in registers:
            entry.refuse("name", f"{register.name} is used twice", "give each register its own name")
        registers[register.name] = register
    table.finish()
    return registers


def _register(table: Table) -> Register:
    kind = table.text("type", choices=tuple(WORDS))
    form = table.text("form", choices=FORMS)
    interval = table.duration("interval", None, minimum=1_000, maximum=86_400_000)
    if (interval is None) == (form == "interval"):
        table.refuse("interval", "must stand exactly where the form is interval", "correct form or interval")
    sentinel = table.integer("not_available", -1, minimum=-(2**63), maximum=2**64 - 1)
    register = Register(
        name=table.text("name", pattern=_NAME),
        address=table.integer("address", maximum=_MAX_ADDRESS + 1 - WORDS[kind]),
        function=table.integer("function", HOLDING, minimum=HOLDING, maximum=INPUT),
        type=kind,
        word_order=table.text("word_order", "big", choices=_ORDERS),
        byte_order=table.text("byte_order", "big", choices=_ORDERS),
        scale=table.decimal("scale", "1"),
        unit=table.text("unit", pattern=r"[!-~]{1,40}"),
        form=form,
        interval_ms=interval or 0,
        not_available=sentinel if "not_available" in table else None,
    )
    if register.scale == 0:
        table.refuse("scale", "is zero", "give the factor from the raw number to the unit")
    table.finish()
    return register


def decimal_of_float32(data: bytes) -> Decimal | None:
    """The shortest decimal that reads back as the big-endian float32 in `data`; None if it is no number."""
    number = struct.unpack(">f", data)[0]
    if not math.isfinite(number):
        return None
    for digits in range(1, 10):
        text = f"{number:.{digits}g}"
        if struct.pack(">f", float(text)) == data:
            return Decimal(text)
    raise AssertionError("nine digits always tell a float32")


def plan_blocks(registers: Sequence[Register], *, max_words: int, max_gap: int) -> list[list[Register]]:
    """Groups registers into the reads that fetch them: of one function, at most `max_gap` words apart.

    Args:
        registers: any order; overlapping ones are allowed.
        max_words: most words of one read.
        max_gap: unused words that one read may carry along between two registers.
    """
    blocks: list[list[Register]] = []
    end = 0
    for register in sorted(registers, key=lambda item: (item.function, item.address)):
        block = blocks[-1] if blocks else []
        fits = (
            block
            and block[0].function == register.function
            and register.address - end <= max_gap
            and max(end, register.address + register.words) - block[0].address <= max_words
        )
        if fits:
            block.append(register)
            end = max(end, register.address + register.words)
        else:
            blocks.append([register])
            end = register.address + register.words
    return blocks
