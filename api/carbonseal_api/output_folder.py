"""Where a command writes its results: a folder that holds nothing but such results, or a new file.

Asked before the work begins, so that nothing is filed that could then not be written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from carbonseal_api.problems import RequestInvalid


def make_output_folder(out: Path, names: Collection[str]) -> None:
    """Make the folder `out`; what an earlier run left there under `names` is kept.

    Raises:
        RequestInvalid: it holds anything else, is not a folder, or cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        foreign = sorted(path.name for path in out.iterdir() if path.name not in names)
    except OSError as problem:
        reason = f"cannot be used as a folder: {problem.strerror}"
        raise RequestInvalid("--out", reason, "name a new or an empty folder of yours") from problem
    if foreign:
        raise RequestInvalid("--out", f"the folder holds {foreign[0]}", "name a new or an empty folder")


@contextmanager
def new_output_file(out: Path) -> Iterator[BinaryIO]:
    """Yield the new file `out`, for use in a `with` block; it is taken away where that fails.

    Raises:
        RequestInvalid: something is there already, or it cannot be made.
    """
    try:
        file = out.open("xb")
    except FileExistsError as problem:
        raise RequestInvalid("out", f"{out} is there already", "name another file") from problem
    except OSError as problem:
        reason = f"{out} cannot be written ({problem.strerror})"
        raise RequestInvalid("out", reason, "name a new file in a folder of yours") from problem
    try:
        with file:
            yield file
    except BaseException:
        out.unlink(missing_ok=True)
        raise
