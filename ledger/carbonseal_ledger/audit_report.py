"""What an audit found: each damaged place, what is wrong there and how to mend it; and what was covered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

Progress = Callable[[str, int, int], None]
"""What is being audited, how much of it is done, and how much there is."""


def silent(_what: str, _done: int, _of: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One place where what is stored is not what was signed: where, what, and how to mend it."""

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"


@dataclass(slots=True)
class AuditReport:
    """What an audit covered and found; `damages` stands in the order in which it was found."""

    logs: int = 0
    entries: int = 0
    tiles: int = 0
    contents: int = 0
    epochs: int = 0
    rows: int = 0
    is_cut_off: bool = False
    damages: list[Damage] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """True when nothing was found."""
        return not self.damages

    @property
    def first(self) -> Damage | None:
        """The first damaged place."""
        return self.damages[0] if self.damages else None

    def to_json(self) -> dict[str, Any]:
        """Return {sound, cut_off, logs, entries, tiles, contents, epochs, rows, damages}."""
        shown = asdict(self)
        damages, is_cut_off = shown.pop("damages"), shown.pop("is_cut_off")
        return {"sound": self.is_sound, "cut_off": is_cut_off, **shown, "damages": damages}
