"""The digest of a package (a method, factor set, rule profile or grade rule): the same for everybody.

SHA-256 over the sorted lines `sha256  path`, each ended by a line feed: what `sha256sum` prints for the files
of a folder, sorted, hashed once more. It is unsalted, as the kinds are that name it. What the files say is
left to their readers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final

from carbonseal_attest.errors import PackageInvalid

# Relative, plain and short. A line feed in a path would let one package write the lines of another.
_PATH: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}){0,3}")


def package_digest(files: Mapping[str, bytes]) -> bytes:
    """Return the digest (32 bytes) of a package's files by path.

    Raises:
        PackageInvalid: no file at all, or a path that is not plain and relative.
    """
    check_paths(files)
    lines = sorted(f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in files.items())
    return hashlib.sha256("".join(lines).encode()).digest()


def check_paths(paths: Iterable[str]) -> None:
    """Refuse paths that no package has.

    Raises:
        PackageInvalid: there are none, or one is not plain and relative.
    """
    found = list(paths)
    if not found:
        raise PackageInvalid("package", "has no files", "name the folder that holds them")
    for path in found:
        if not _PATH.fullmatch(path):
            raise PackageInvalid(
                "package", f"odd path {path[:60]!r}", "use plain relative paths of at most four parts"
            )
