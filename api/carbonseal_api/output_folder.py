"""The folder that a command writes its results to: it holds nothing but such results, or the run is refused.

Asked before the work begins, so that nothing is filed that could then not be written.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

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
