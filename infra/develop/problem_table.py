"""Writes the tables of docs/spec/problems.md from the classes of the refusals: code, HTTP status, meaning.

The service's own refusals are the leaves of `ApiError`, wherever they stand in its room. Of the rooms below,
those of their `errors` modules and those to which the service gives a status are listed.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from carbonseal_api.problems import STATUS_BY_CODE, ApiError, status_of
from carbonseal_attest.errors import CarbonsealError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "spec" / "problems.md"
ROOMS = ("attest", "accounting", "ledger", "verifier", "api")
_LEFT_OUT = re.compile(r"\.(migrations|__main__)(\.|$)")
_TABLE = re.compile(r"(<!-- problems: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def refusals() -> list[type[CarbonsealError]]:
    """The classes of refusals with a code of their own; roots, under which others stand, are left out."""
    for room in ROOMS:
        package = importlib.import_module(f"carbonseal_{room}")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not _LEFT_OUT.search(found.name):
                importlib.import_module(found.name)
    every = set(_below(CarbonsealError))
    return sorted(
        (one for one in every if "code" in vars(one) and not (one.__doc__ or "").startswith("Root")),
        key=lambda one: (one.code, one.__module__),
    )


def of_the_service() -> list[type[CarbonsealError]]:
    """What the service itself refuses."""
    return [one for one in refusals() if issubclass(one, ApiError)]


def of_the_rooms() -> list[type[CarbonsealError]]:
    """What the rooms below refuse and the service passes on."""
    return [
        one
        for one in refusals()
        if not issubclass(one, ApiError)
        and (one.code in STATUS_BY_CODE or one.__module__.endswith(".errors"))
        and one.__module__.startswith(tuple(f"carbonseal_{room}." for room in ROOMS))
    ]


def status(refusal: type[CarbonsealError]) -> int:
    """The HTTP status with which the service answers a refusal."""
    return status_of(refusal.__new__(refusal))


def meaning(refusal: type[CarbonsealError]) -> str:
    """The first paragraph of what its class says, on one line."""
    return " ".join((refusal.__doc__ or "").split("\n\n", 1)[0].split())


def table(rows: Iterable[type[CarbonsealError]]) -> str:
    """A Markdown table; a code that two rooms raise stands once, with what each says about it."""
    meanings: dict[tuple[str, int], dict[str, None]] = {}
    for one in rows:
        meanings.setdefault((one.code, status(one)), {})[meaning(one)] = None
    lines = [f"| `{code}` | {number} | {' '.join(texts)} |" for (code, number), texts in meanings.items()]
    return "\n".join(["| code | status | meaning |", "|---|---|---|", *lines])


def page(text: str) -> str:
    """The page with its tables as the classes stand now."""
    tables = {"service": of_the_service, "rooms": of_the_rooms}
    return _TABLE.sub(lambda match: match[1] + "\n" + table(tables[match[2]]()) + "\n\n" + match[3], text)


def _below(root: type[CarbonsealError]) -> Iterator[type[CarbonsealError]]:
    for one in root.__subclasses__():
        yield one
        yield from _below(one)


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
