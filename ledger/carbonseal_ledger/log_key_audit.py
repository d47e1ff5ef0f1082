"""Audits which log keys a log's row names, against what the logs themselves say.

The first key is the one that the genesis names; each later one is named by a `log_key` statement that is the
last entry of its first head. Of the log of logs, the log host's register says it. A line that was taken away
shows elsewhere: the newest key is then not the present one, and the newest checkpoint not by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, text

from carbonseal_attest.contents import Content, parse_content
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.log_keys import line_of

_ENTRY = text("SELECT raw FROM ledger_entries WHERE log_id = :log AND index = :index")
_CONTENT = text("SELECT data FROM ledger_contents WHERE digest = :digest")
_SAID = text(
    "SELECT e.raw FROM ledger_entries e JOIN ledger_kinds k ON k.id = e.kind_id"
    " JOIN ledger_logs l ON l.id = e.log_id"
    " WHERE k.name = 'log_key' AND l.log = 'register' AND l.party = :party"
)


def wrong_keys(connection: Connection, row: Any) -> Iterator[str]:
    """Yield, for each line of a row's `log_keys` that the logs do not bear out, what is wrong with it."""
    first, *later = row.log_keys
    genesis = _content(connection, _raw(connection, row.id, 0))
    if genesis is None or line_of(0, PublicKey.from_cose_key(genesis.body["log_key"])) != first:
        yield "the first log key is not the genesis'"
    for line in later:
        size, _, _ = line.partition(" ")
        if not size.isdecimal():
            yield f"log key line {line[:20]!r} has no size"
        elif row.log == "epochs":
            said = [
                _content(connection, bytes(raw))
                for raw in connection.execute(_SAID, {"party": row.party}).scalars()
            ]
            if not any(_says(content, row.origin, line) for content in said):
                yield f"the host's register does not tell of the log key from size {size}"
        elif not _says(_content(connection, _raw(connection, row.id, int(size) - 1)), row.origin, line):
            yield f"entry {int(size) - 1} does not tell of the log key from size {size}"


def _says(content: Content | None, origin: str, line: str) -> bool:
    if content is None or content.kind != "log_key" or content.body["origin"] != origin:
        return False
    return line_of(content.body["from_size"], PublicKey.from_cose_key(content.body["key"])) == line


def _raw(connection: Connection, log_id: int, index: int) -> bytes | None:
    found = connection.execute(_ENTRY, {"log": log_id, "index": index}).scalar()
    return None if found is None else bytes(found)


def _content(connection: Connection, raw: bytes | None) -> Content | None:
    if raw is None:
        return None
    try:
        payload = SignedStatement.parse(raw).payload
        data = connection.execute(_CONTENT, {"digest": payload}).scalar()
        return None if data is None else parse_content(bytes(data))
    except CarbonsealError:
        return None  # the audit of entries and contents says so
