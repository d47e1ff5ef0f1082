"""What the generators of vectors share: the form of a file, where the files lie, and how to write all anew.

`python tests/vectors/vector_files.py` writes the files of every family, `python
tests/vectors/FAMILY/write_vectors.py` those of one. Everything is fixed (keys, salts, instants), so that a
second run writes the same bytes; a test compares. Each file has `format` (the page of docs/spec that defines
it), `family`, `source` and `vectors`, each with `desc`, `want_error` (null, or the stable code of the
refusal), the input and, where it is good, what it means. Bytes are hex. What needs a node (anchor, evm) or
another room (verifier) is written by its own script.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parent
RECORDED: Final = frozenset({"anchor", "evm", "verifier"})
Vector = dict[str, Any]


def document(script: str, page: str, vectors: list[Vector]) -> str:
    """The text of a file of vectors, written by `script` in the folder of its family."""
    family = Path(script).resolve().parent.name
    source = f"made by tests/vectors/{family}/write_vectors.py from the attest room; keys are public examples"
    whole = {"format": f"docs/spec/{page}", "family": family, "source": source, "vectors": vectors}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def write(script: str, files: dict[str, str]) -> None:
    """Store `files` beside the script that made them."""
    for name, text in files.items():
        Path(script).resolve().with_name(name).write_text(text, encoding="utf-8")


def read_vectors(family: str, name: str | None = None) -> list[Vector]:
    """The vectors of one file (`FAMILY.json` unless named), as it is stored."""
    path = FOLDER / family / (name or f"{family}.json")
    stored: list[Vector] = json.loads(path.read_text(encoding="utf-8"))["vectors"]
    return stored


def families() -> list[str]:
    """Every family whose files are made by a generator here, without a node."""
    scripts = sorted(FOLDER.glob("*/write_vectors.py"))
    return [script.parent.name for script in scripts if script.parent.name not in RECORDED]


def generate(family: str) -> dict[str, str]:
    """What the family's generator writes: text by name of the file."""
    script = FOLDER / family / "write_vectors.py"
    spec = importlib.util.spec_from_file_location(f"write_{family.replace('-', '_')}_vectors", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: dict[str, str] = module.files()
    return made


if __name__ == "__main__":
    sys.path.insert(0, str(FOLDER))
    for each in families():
        write(str(FOLDER / each / "write_vectors.py"), generate(each))
