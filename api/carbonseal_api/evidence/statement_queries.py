"""The only SQL about statements beside readings: which stand, which name which.

Rows are those of the projection of results; bodies there are JSON with digests in hex, and are asked in hex.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Engine, Select, and_, false, or_, select

from carbonseal_api.projections.tables import RESULTS

Row = Mapping[str, Any]
# Kinds that name a document by the digest of its statement, and those that name the file's own SHA-256.
SUPPORTED: Final = ("declared_activity", "business_record")
SUPPORTED_BY_FILE: Final = ("calibration",)


def statements(engine: Engine, party: str, kinds: Collection[str], **body: str) -> list[Row]:
    """Return a party's statements of some kinds whose body has these texts, oldest first."""
    query = select(RESULTS).where(RESULTS.c.party == party, RESULTS.c.kind.in_(list(kinds)))
    for key, value in body.items():
        query = query.where(RESULTS.c.body[key].astext == value)
    return _rows(engine, query.order_by(RESULTS.c.registered_at, RESULTS.c.log, RESULTS.c.entry_index))


def document_statements(engine: Engine, party: str, files: Collection[str]) -> list[Row]:
    """Return a party's document statements about these files, given by SHA-256 in hex, oldest first."""
    named = RESULTS.c.body["document_digest"].astext
    query = select(RESULTS).where(
        RESULTS.c.party == party, RESULTS.c.kind == "document", named.in_(list(files))
    )
    return _rows(engine, query.order_by(RESULTS.c.entry_index))


def newest(
    engine: Engine,
    party: str,
    kind: str,
    *,
    limit: int,
    before: int | None,
    periods: Collection[tuple[int, int]] | None = None,
) -> list[Row]:
    """Return a party's statements of one kind before an entry index, newest first, at most `limit`.

    With `periods` only statements within one of them, in ms.
    """
    query = select(RESULTS).where(RESULTS.c.party == party, RESULTS.c.kind == kind)
    if before is not None:
        query = query.where(RESULTS.c.entry_index < before)
    if periods is not None:
        within = [
            and_(RESULTS.c.interval_start >= start, RESULTS.c.interval_end <= end) for start, end in periods
        ]
        query = query.where(or_(false(), *within))
    return _rows(engine, query.order_by(RESULTS.c.entry_index.desc()).limit(limit))


def overlapping(engine: Engine, party: str, kinds: Collection[str], interval: tuple[int, int]) -> list[Row]:
    """Return a party's statements of some kinds whose interval overlaps [start, end) in ms, oldest first."""
    query = select(RESULTS).where(
        RESULTS.c.party == party,
        RESULTS.c.kind.in_(list(kinds)),
        RESULTS.c.interval_start < interval[1],
        RESULTS.c.interval_end > interval[0],
    )
    return _rows(engine, query.order_by(RESULTS.c.log, RESULTS.c.entry_index))


def statement(engine: Engine, party: str, digest: bytes) -> Row | None:
    """Return one statement of a party, or None."""
    query = select(RESULTS).where(RESULTS.c.party == party, RESULTS.c.statement_digest == digest)
    return next(iter(_rows(engine, query)), None)


def signing(engine: Engine, party: str, content: bytes) -> list[bytes]:
    """Return the digests of a party's statements that signed a content."""
    query = select(RESULTS).where(RESULTS.c.party == party, RESULTS.c.content_digest == content)
    return [bytes(row["statement_digest"]) for row in _rows(engine, query)]


def endings(engine: Engine, party: str, digests: Collection[bytes]) -> dict[bytes, Row]:
    """Return, by digest, the first withdrawal or correction in the party's register log of each statement."""
    wanted = [digest.hex() for digest in digests]
    taken_back, superseded = RESULTS.c.body["withdraws"].astext, RESULTS.c.body["supersedes"].astext
    query = select(RESULTS).where(
        RESULTS.c.party == party,
        RESULTS.c.log == "register",
        or_(
            (RESULTS.c.kind == "withdrawal") & taken_back.in_(wanted),
            (RESULTS.c.kind == "correction") & superseded.in_(wanted),
        ),
    )
    found: dict[bytes, Row] = {}
    for row in _rows(engine, query.order_by(RESULTS.c.entry_index)):
        named = row["body"].get("withdraws") or row["body"]["supersedes"]
        found.setdefault(bytes.fromhex(named), row)
    return found


def naming_documents(
    engine: Engine, party: str, *, statements: Collection[str], files: Collection[str]
) -> list[Row]:
    """Return what rests on documents: by the digest of their statement, calibrations by that of the file.

    Digests in hex.
    """
    document = RESULTS.c.body["document_digest"].astext
    cases: list[ColumnElement[bool]] = [
        RESULTS.c.kind.in_(SUPPORTED) & document.in_(list(statements)),
        RESULTS.c.kind.in_(SUPPORTED_BY_FILE) & document.in_(list(files)),
    ]
    query = select(RESULTS).where(RESULTS.c.party == party, or_(*cases))
    return _rows(engine, query.order_by(RESULTS.c.log, RESULTS.c.entry_index))


def naming(
    engine: Engine, party: str, kinds: Collection[str], members: Collection[str], digest: bytes
) -> list[Row]:
    """Return a party's statements whose body names `digest` in one of `members`, alone or in a list."""
    wanted = digest.hex()
    cases = [
        or_(RESULTS.c.body[name].astext == wanted, RESULTS.c.body[name].contains([wanted]))
        for name in members
    ]
    query = select(RESULTS).where(RESULTS.c.party == party, RESULTS.c.kind.in_(list(kinds)), or_(*cases))
    return _rows(engine, query.order_by(RESULTS.c.log, RESULTS.c.entry_index))


def _rows(engine: Engine, query: Select[Any]) -> list[Row]:
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
