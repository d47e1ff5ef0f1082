"""Packages: folders of data files with one digest that is the same for everybody (`attest.packages`).

Packages come from this distribution, or as files out of a bundle.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

from carbonseal_accounting.errors import AccountingError
from carbonseal_attest.errors import PackageInvalid
from carbonseal_attest.packages import check_paths

MAX_FILES: Final = 64
MAX_BYTES: Final = 4 << 20  # of all files of a package
MAX_LINE: Final = 4_000  # bytes of a line of TOML; a long text in two languages has hundreds
MAX_DOTS: Final = 64  # in a line of TOML: reading a dotted key takes time by the square of its parts
IDENTITY: Final = re.compile(
    r"(?P<id>[A-Z][A-Za-z0-9-]{1,39})@(?P<version>[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4})"
)

Refusal = type[AccountingError]


def check_files(files: Mapping[str, bytes], refusal: Refusal) -> None:
    """Refuse a package with odd paths, too many files or too many bytes."""
    if not 0 < len(files) <= MAX_FILES or sum(map(len, files.values())) > MAX_BYTES:
        raise refusal(
            "package", f"empty, more than {MAX_FILES} files, or over {MAX_BYTES} bytes", "split the package"
        )
    try:
        check_paths(files)
    except PackageInvalid as error:
        raise refusal(error.field, error.reason, error.remedy) from error


def read_toml(files: Mapping[str, bytes], path: str, refusal: Refusal) -> dict[str, Any]:
    """Return the tables of a package's TOML file; its numbers with a point are refused where they matter."""
    if path not in files:
        raise refusal(path, "missing from the package", f"add {path}")
    if is_slow_toml(files[path]):
        raise refusal(path, f"a line over {MAX_LINE} bytes, or of over {MAX_DOTS} dots", "break the line")
    try:
        return tomllib.loads(files[path].decode())
    except (ValueError, RecursionError) as error:
        raise refusal(path, "not TOML in UTF-8", "mend the file") from error


def is_slow_toml(data: bytes) -> bool:
    """Say whether reading `data` as TOML could take far more time than its size; no key spans two lines."""
    return any(len(line) > MAX_LINE or line.count(b".") > MAX_DOTS for line in data.split(b"\n"))


def check_keys(
    table: object, known: set[str], needed: set[str], field: str, refusal: Refusal
) -> dict[str, Any]:
    """Return `table` if it is a map with all `needed` and no unknown keys."""
    if not isinstance(table, dict):
        raise refusal(field, "not a table", "write it as a table")
    for key in sorted(needed - set(table)):
        raise refusal(f"{field}.{key}", "missing", "add it")
    for key in sorted(set(table) - known - needed):
        raise refusal(f"{field}.{key}", "unknown key", f"use {', '.join(sorted(known | needed))}")
    return table


def check_identity(name: object, field: str, refusal: Refusal) -> str:
    """Return `name` if it is an `ID@VERSION`."""
    if not isinstance(name, str) or not IDENTITY.fullmatch(name):
        raise refusal(field, f"{str(name)[:60]!r} is not ID@VERSION", "write for example GBT32150-2015@1.0.0")
    return name


def check_bilingual(value: object, field: str, refusal: Refusal) -> dict[str, str]:
    """Return `value` if it is a text in Chinese and English."""
    table = check_keys(value, {"zh", "en"}, {"zh", "en"}, field, refusal)
    if not all(isinstance(text, str) and text for text in table.values()):
        raise refusal(field, "an empty text", "write it in Chinese and English")
    return table


@lru_cache(maxsize=4)
def shipped(kind: str) -> Mapping[str, Mapping[str, bytes]]:
    """Return the files of every shipped package of `kind` (methods, factor_sets), by ID@VERSION."""
    root = resources.files("carbonseal_accounting") / kind
    found = dict[str, Mapping[str, bytes]]()
    for package in sorted(_folders(root), key=lambda item: item.name):
        for version in sorted(_folders(package), key=lambda item: item.name):
            found[f"{package.name}@{version.name}"] = dict(_files(version, ""))
    return found


def _folders(root: Traversable) -> Iterator[Traversable]:
    return (item for item in root.iterdir() if item.is_dir() and not item.name.startswith(("_", ".")))


def _files(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for item in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if item.name.startswith(("_", ".")):
            continue  # caches of editors and interpreters
        if item.is_dir():
            yield from _files(item, f"{prefix}{item.name}/")
        else:
            yield f"{prefix}{item.name}", item.read_bytes()
