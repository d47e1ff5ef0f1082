"""Requests of devices to be enrolled: a line of CSV each, as the device makes and its party takes it.

`docs/spec/identity.md`, Requests, has the columns. A line holds everything that the device has endorsed, so
that the party's desk builds the same body again; whoever changes a cell on the way breaks the proof. A line
that cannot be read is returned with its reason rather than raised: one bad line must not keep ten thousand
others out. CSV is RFC 4180 in UTF-8 with a header; signing and sending are left to the desk.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest.contents.identity import device as schema
from carbonseal_attest.errors import AttestError, IdentityInvalid
from carbonseal_attest.identity.device_statements import unendorsed
from carbonseal_attest.instants import format_instant, parse_instant
from carbonseal_attest.keys import PublicKey

REQUIRED: Final = ("party", "device", "public_key", "proof")
OPTIONAL: Final = (
    "action",
    "class",
    "key_storage",
    "name_zh",
    "name_en",
    "subjects",
    "valid_from",
    "expires",
    "last",
    "reason",
    "predecessor_proof",
)
COLUMNS: Final = (*REQUIRED, *OPTIONAL)
MAX_REQUESTS: Final = 100_000  # lines of a file; a party with more makes two files
MAX_CELL: Final = 131_072  # characters, Python's own limit; a thousand meters fit several times


@dataclass(frozen=True, slots=True)
class Request:
    """One line: the body that the party is asked to sign, or why there is none. `line` is its last line."""

    line: int
    device: str
    body: Mapping[str, Any] | None
    problem: AttestError | None = None


def read_requests(lines: Iterable[str]) -> Iterator[Request]:
    """Yield the requests of a CSV file, in order.

    Raises:
        IdentityInvalid: the file itself cannot be used: no header, a column that is missing, unknown or
            twice, too many lines, or a quote that never ends.
    """
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, None)
        columns = _columns(header)
        count = 0
        for cells in reader:
            if not cells:
                continue
            count += 1
            if count > MAX_REQUESTS:
                raise _refusal("file", f"more than {MAX_REQUESTS} lines", "split it")
            yield _request(reader.line_num, columns, cells)
    except csv.Error as error:
        raise _refusal(f"line {reader.line_num}", str(error), "write CSV as RFC 4180 has it") from error


def write_request(body: Mapping[str, Any], *, with_header: bool = True) -> str:
    """Return the line, under a header where wanted, that asks for `body`, which is endorsed already."""
    proofs = {endorsement["role"]: endorsement["signature"].hex() for endorsement in body["endorsements"]}
    row = {
        "party": body["party"],
        "device": body["device"],
        "public_key": PublicKey.from_cose_key(body["key"]).text(),
        "proof": proofs["device"],
        "action": body["action"],
        "class": body["class"],
        "key_storage": body["key_storage"],
        "name_zh": body["name"]["zh"],
        "name_en": body["name"]["en"],
        "subjects": " ".join(body["subjects"]),
        "valid_from": _instant(body["valid_from"]),
        "expires": _instant(body["expires"]),
        "last": " ".join(f"{x['stream']}:{x['sequence']}:{x['digest'].hex()}" for x in body["last"]),
        "reason": body["reason"],
        "predecessor_proof": proofs.get("predecessor", ""),
    }
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    if with_header:
        writer.writeheader()
    writer.writerow(row)
    return text.getvalue()


def _columns(header: list[str] | None) -> list[str]:
    named = [] if header is None else [name.strip().removeprefix("\ufeff") for name in header]
    remedy = f"write a first line of {', '.join(REQUIRED)} and any of {', '.join(OPTIONAL)}"
    for problem, names in (
        ("has no column", [name for name in REQUIRED if name not in named]),
        ("has an unknown column", [name for name in named if name not in COLUMNS]),
        ("has a column twice:", [name for name, count in Counter(named).items() if count > 1]),
    ):
        if names:
            raise _refusal("header", f"{problem} {names[0][:40]!r}", remedy)
    return named


def _request(line: int, columns: list[str], cells: list[str]) -> Request:
    row = dict(zip(columns, cells, strict=False))
    device = row.get("device", "")[:60]
    try:
        if len(cells) != len(columns):
            raise _refusal("line", f"{len(cells)} cells under {len(columns)} columns", "write one cell each")
        body = _body({name: value.strip() for name, value in row.items()})
        schema(body, "device")
    except AttestError as error:
        return Request(line, device, None, error)
    return Request(line, device, body)


def _body(row: Mapping[str, str]) -> dict[str, Any]:
    """Return the body of a row; an empty or missing cell says the usual: enrol a gateway's key in a file."""
    body = unendorsed(
        row["party"],
        row["device"],
        PublicKey.from_text(row["public_key"]),
        row.get("action") or "enrol",
        name={"zh": row.get("name_zh") or row["device"], "en": row.get("name_en") or row["device"]},
        subjects=row.get("subjects", "").split(),
        device_class=row.get("class") or "gateway",
        key_storage=row.get("key_storage") or "file",
        valid_from=_read_instant(row, "valid_from"),
        expires=_read_instant(row, "expires"),
        last=[_place(text) for text in row.get("last", "").split()],
        reason=row.get("reason", ""),
    )
    proofs = [("device", row["proof"], "proof")]
    if row.get("predecessor_proof"):
        proofs.append(("predecessor", row["predecessor_proof"], "predecessor_proof"))
    body["endorsements"] = [
        {"role": role, "signature": _octets(text, column)} for role, text, column in proofs
    ]
    return body


def _place(text: str) -> tuple[str, int, bytes]:
    stream, _, rest = text.partition(":")
    sequence, _, digest = rest.partition(":")
    if not (sequence.isascii() and sequence.isdigit() and len(sequence) <= 16):
        raise _refusal("last", f"{text[:60]!r} names no place", "write stream:sequence:digest, space between")
    return stream, int(sequence), _octets(digest, "last")


def _octets(text: str, column: str) -> bytes:
    try:
        return bytes.fromhex(text) if text.isascii() else b""
    except ValueError as error:
        raise _refusal(column, "is not hexadecimal", "copy the line that the device made") from error


def _read_instant(row: Mapping[str, str], column: str) -> int | None:
    text = row.get(column, "")
    return parse_instant(text, field=column) if text else None


def _instant(value: int | None) -> str:
    return "" if value is None else format_instant(value)


def _refusal(field: str, reason: str, remedy: str) -> IdentityInvalid:
    return IdentityInvalid(field, reason, remedy)
