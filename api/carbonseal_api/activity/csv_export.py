"""A list of deeds as CSV (RFC 4180), UTF-8 with a byte order mark so that a spreadsheet reads it right.

A cell that a spreadsheet would take for a formula is written with an apostrophe before it: labels and reasons
are texts that other people chose.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final

from carbonseal_api.activity.schemas import Deed

MEDIA_TYPE: Final = "text/csv"
COLUMNS: Final = (
    *("at", "source", "kind", "by", "issuer", "signer_class", "subject", "statement_digest", "entry"),
    *("start", "end", "receipt_state", "detail"),
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_BOM: Final = "\ufeff"


def deeds_csv(deeds: Sequence[Deed]) -> bytes:
    """Return a header line and one line a deed; CRLF line ends."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for deed in deeds:
        writer.writerow([safe_cell(getattr(deed, column)) for column in COLUMNS])
    return (_BOM + out.getvalue()).encode()


def safe_cell(value: str | None) -> str:
    """Return a cell that no spreadsheet evaluates."""
    text = "" if value is None else value
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) or text.startswith(_FORMULA) else text
