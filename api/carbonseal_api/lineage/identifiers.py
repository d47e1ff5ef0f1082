"""Identifiers of everything that lineage can be asked for; `docs/spec/lineage.md` is the normative text.

A bare digest of 64 hexadecimal digits is a signed statement, whatever its kind. Everything else has a prefix.
Device codes and source points belong to a party, so its code stands before them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from carbonseal_api.problems import RequestInvalid
from carbonseal_attest.identifiers import is_org

PREFIXES: Final = ("asset", "device", "factor", "figure", "file", "head", "package", "party", "series")
MAX_ID: Final = 400  # characters
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_CODE: Final = re.compile(r"[a-z]{1,3}-[a-z0-9][a-z0-9-]{1,46}")
_PACKAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9._-]+")
_SERIES: Final = re.compile(
    r"(?P<party>[^/]+)/(?P<device>[^/]+)/(?P<start>\d{1,15})-(?P<end>\d{1,15})-(?P<cut>\d{1,15})"
    r"(?:-(?P<kid>[0-9a-f]{64}))?/(?P<point>.+)"
)


@dataclass(frozen=True, slots=True)
class SeriesRange:
    """The statements of one point of one meter whose interval touches [start, end], in ms.

    `cut` is the size of the data log up to which they count; `kid` narrows them to one key.
    """

    party: str
    device: str
    point: str
    start: int
    end: int
    cut: int
    kid: str | None = None

    @property
    def id(self) -> str:
        """The identifier."""
        kid = "" if self.kid is None else f"-{self.kid}"
        return f"series:{self.party}/{self.device}/{self.start}-{self.end}-{self.cut}{kid}/{self.point}"


def statement_id(digest: bytes) -> str:
    """Return the identifier of a statement."""
    return digest.hex()


def asset_id(record: bytes) -> str:
    """Return the identifier of a carbon-asset record."""
    return f"asset:{record.hex()}"


def device_id(party: str, device: str) -> str:
    """Return the identifier of a device of a party."""
    return f"device:{party}/{device}"


def factor_id(factor_set: str, key: str) -> str:
    """Return the identifier of a factor of a published set."""
    return f"factor:{factor_set}/{key}"


def file_id(digest: bytes) -> str:
    """Return the identifier of a file by its SHA-256."""
    return f"file:{digest.hex()}"


def key_id(kid: bytes) -> str:
    """Return the identifier of a device's key, which stands in edges alone."""
    return f"key:{kid.hex()}"


def package_id(name: str) -> str:
    """Return the identifier of a published package, `ID@VERSION`."""
    return f"package:{name}"


def party_id(code: str) -> str:
    """Return the identifier of a party."""
    return f"party:{code}"


def head_id(origin: str, tree_size: int) -> str:
    """Return the identifier of a head of a log."""
    return f"head:{origin}@{tree_size}"


def figure_id(place: str, figure: str) -> str:
    """Return the identifier of a figure.

    Args:
        place: digest of the report that states it, or `PARTY/2026-01` for a month's inventory.
        figure: its name in the trace, such as `total/total` or `grid/emissions/2026-01`.
    """
    return f"figure:{place}/{figure}"


def is_statement(node: str) -> bool:
    """Whether an identifier is a statement's digest."""
    return _DIGEST.fullmatch(node) is not None


def prefix_of(node: str) -> str:
    """Return the prefix of an identifier, `statement` for a bare digest."""
    return "statement" if is_statement(node) else node.partition(":")[0]


def rest_of(node: str) -> str:
    """Return an identifier without its prefix."""
    return node if is_statement(node) else node.partition(":")[2]


def series_range(node: str) -> SeriesRange:
    """Return what a series identifier names.

    Raises:
        RequestInvalid: it is none.
    """
    match = _SERIES.fullmatch(rest_of(node))
    if prefix_of(node) != "series" or match is None:
        raise _malformed(node)
    part = match.groupdict()
    return SeriesRange(
        part["party"],
        part["device"],
        part["point"],
        int(part["start"]),
        int(part["end"]),
        int(part["cut"]),
        part["kid"],
    )


def parse_id(text: str) -> str:
    """Return an identifier as asked for, in the one way to write it; short forms keep what they lack.

    A bare `ID@VERSION` is a package. A bare party, device or credit code stays bare: the service decides
    whose device or which party that is.

    Raises:
        RequestInvalid: no identifier of ours.
    """
    if not 0 < len(text) <= MAX_ID or not text.isprintable():
        raise _malformed(text)
    prefix, colon, rest = text.partition(":")
    if not colon:
        if _DIGEST.fullmatch(text) or _CODE.fullmatch(text) or is_org(text):
            return text
        if _PACKAGE.fullmatch(text):
            return package_id(text)
        raise _malformed(text)
    if prefix not in PREFIXES or not rest:
        raise _malformed(text)
    if prefix in {"asset", "file"} and not _DIGEST.fullmatch(rest):
        raise _malformed(text)
    if prefix == "series":
        series_range(text)
    if prefix in {"device", "factor", "figure"} and "/" not in rest.strip("/"):
        raise _malformed(text)
    return text


def is_code(text: str) -> bool:
    """Whether a text is a party or device code."""
    return _CODE.fullmatch(text) is not None


def _malformed(text: str) -> RequestInvalid:
    return RequestInvalid(
        "id",
        f"{text[:60]!r} is no identifier of lineage",
        "give a statement digest, figure:REPORT/total/total, asset:RECORD, package:ID@VERSION, or the code of"
        " a device or party; see docs/spec/lineage.md",
    )
