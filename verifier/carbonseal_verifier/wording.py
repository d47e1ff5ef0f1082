"""Numbers with their nouns, in reasons that people read: `1 statement`, `2 statements`.

In a rule's message `{count:reading|readings}` writes the number and the word that fits it. English only:
Chinese nouns do not change with the number.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from typing import Any, Final

_CHOICE: Final = re.compile(r"\{([a-z_]+):[^{}|]*\|([^{}|]*)\}")


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return the number and the noun; without `many` an s makes the plural."""
    return f"{count} {one if count == 1 else many or one + 's'}"


class _Formatter(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        one, bar, many = format_spec.partition("|")
        if not bar:
            return str(super().format_field(value, format_spec))
        return f"{value} {one if str(value) == '1' else many}"


def fill(template: str, facts: Mapping[str, str]) -> str:
    """Return a message's template filled with facts; of two words the one that fits the number."""
    return _Formatter().vformat(template, (), facts)


def in_plural(template: str) -> str:
    """Return a template as people read it unfilled: `{count:reading|readings}` as `{count} readings`."""
    return _CHOICE.sub(r"{\1} \2", template)
