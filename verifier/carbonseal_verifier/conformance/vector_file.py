"""A vector file within limits: plain or gzip by content, JSON by content, or raw bytes of one format.

An array of {path, vector} is taken apart here, so that whoever reads a shape sees one upstream vector. The
limits come before the work: a file must not be able to fill the memory or hold the command up.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, BinaryIO, Final

from carbonseal_verifier.errors import VectorInvalid

MAX_RAW: Final = 64 << 20  # bytes of one raw input, unpacked
MAX_JSON: Final = 16 << 20  # bytes of JSON, unpacked; the largest public file of signatures has 3 million
MAX_ITEMS: Final = 1_000_000  # values in the JSON; an empty array is two bytes to send and sixty to hold
MAX_DEPTH: Final = 48  # nested arrays and objects
MAX_CASES: Final = 100_000
MAX_PATH: Final = 500  # characters
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Source:
    """Where one upstream vector came from.

    `name` is what a case is called that has no name of its own, `prefix` goes before names that it has;
    `path` is the path of the file as given; `keys` are the verifier keys of the command line.
    """

    name: str
    path: str
    prefix: str = ""
    keys: Sequence[str] = field(default=())


def read_input(stream: BinaryIO) -> bytes:
    """Return the bytes of a vector file, unpacked if it is gzip.

    Raises:
        VectorInvalid: too large, or broken gzip.
    """
    data = stream.read(MAX_RAW + 1)
    if data[:2] == _GZIP:
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
                data = packed.read(MAX_RAW + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise refusal("file", f"broken gzip ({type(error).__name__})") from error
    if len(data) > MAX_RAW:
        raise refusal("file", f"more than {MAX_RAW} bytes", "split the file")
    return data


def parse_document(data: bytes) -> Any:
    """Return the JSON that `data` writes, or `data` itself when it does not begin as an array or object.

    Raises:
        VectorInvalid: JSON that is malformed, too large, too deep, or writes a key twice.
    """
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start not in (b"{", b"["):
        return data
    if len(data) > MAX_JSON:
        raise refusal("file", f"JSON of more than {MAX_JSON} bytes", "split the file")
    if data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_ITEMS:
        raise refusal("file", f"JSON of more than {MAX_ITEMS} values", "split the file")
    try:
        value = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=_once,
            parse_float=Decimal,
            parse_constant=_no_constant,
        )
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise refusal("file", f"not JSON in UTF-8 ({type(error).__name__})") from error
    _check_depth(value)
    return value


def take_apart(document: Any, source: Source) -> list[tuple[Any, Source]]:
    """Return the upstream vectors of an array of {path, vector}, or the document itself as the only one.

    A vector that is a text is the raw text of a note or proof.
    """
    if not isinstance(document, list) or not document:
        return [(document, source)]
    found: list[tuple[Any, Source]] = []
    for item in document:
        if (
            not isinstance(item, dict)
            or not {"path", "vector"} <= item.keys()
            or not isinstance(item["path"], str)
        ):
            if found:
                raise refusal("file", "an item of the array is no {path, vector} as the others are")
            return [(document, source)]
        name, vector = item["path"], item["vector"]
        if len(name) > MAX_PATH:  # it stands before the name of each of the vector's cases
            raise refusal("file", f"a path of more than {MAX_PATH} characters", "shorten the path")
        raw = vector.encode("utf-8", "surrogatepass") if isinstance(vector, str) else vector
        found.append((raw, Source(name, name, f"{name} ", source.keys)))
    return found


def refusal(
    place: str, reason: str, remedy: str = "give a vector file of a shape in --list"
) -> VectorInvalid:
    """Return the refusal of a vector file."""
    return VectorInvalid(place, reason, remedy)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise refusal("file", "a key stands twice in one object of the JSON")
    return made


def _no_constant(text: str) -> Any:
    raise refusal("file", f"{text} is no number of JSON")


def _check_depth(value: Any) -> None:
    pending = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if not isinstance(item, list | dict):
            continue
        if depth > MAX_DEPTH:
            raise refusal("file", f"JSON nested more than {MAX_DEPTH} deep")
        inside = item if isinstance(item, list) else item.values()
        pending += [(part, depth + 1) for part in inside if isinstance(part, list | dict)]
