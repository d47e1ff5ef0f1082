"""The only SQL about grades and what they are made of. Rows are of the projection of results."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Engine, Select, select

from carbonseal_api.projections.tables import PARTIES, RESULTS

Row = Mapping[str, Any]
_MAX_ROWS = 10_000


def results_about(
    engine: Engine,
    kind: str,
    *,
    party: str | None = None,
    subject: str | None = None,
    log: str = "data",
) -> list[Row]:
    """Return results of one kind, the last registered first; of one party's log, about one subject."""
    query = select(RESULTS).where(RESULTS.c.kind == kind, RESULTS.c.log == log)
    if party is not None:
        query = query.where(RESULTS.c.party == party)
    if subject is not None:
        query = query.where(RESULTS.c.subject == subject)
    order = (RESULTS.c.registered_at.desc(), RESULTS.c.party, RESULTS.c.entry_index.desc())
    return _rows(engine, query.order_by(*order).limit(_MAX_ROWS))


def newest_about(
    engine: Engine, kind: str, subjects: Collection[str], *, party: str, log: str
) -> dict[str, Row]:
    """Return the newest result of one kind in one log about each of some subjects."""
    query = select(RESULTS).where(RESULTS.c.party == party, RESULTS.c.kind == kind, RESULTS.c.log == log)
    rows = _rows(engine, query.where(RESULTS.c.subject.in_(list(subjects))).order_by(RESULTS.c.entry_index))
    return {row["subject"]: row for row in rows}  # later ones replace earlier ones


def results_naming(engine: Engine, kind: str, key: str, value: str) -> list[Row]:
    """Return results of one kind over all parties whose body has this text under a key, newest first."""
    query = select(RESULTS).where(RESULTS.c.kind == kind, RESULTS.c.body[key].astext == value)
    order = (RESULTS.c.registered_at.desc(), RESULTS.c.party, RESULTS.c.entry_index.desc())
    return _rows(engine, query.order_by(*order).limit(_MAX_ROWS))


def grades_about(engine: Engine, grader: str, party: str) -> list[Row]:
    """Return what orders the grades of a party in the grader's log, newest first; no input, no result."""
    body = RESULTS.c.body
    columns = (
        RESULTS.c.entry_index,
        RESULTS.c.statement_digest,
        RESULTS.c.content_digest,
        RESULTS.c.registered_at,
        body["rule"].astext.label("rule"),
        body["grade"].astext.label("grade"),
        body["as_of"].label("as_of"),
        body["period"].label("period"),
    )
    query = select(*columns).where(
        RESULTS.c.party == grader, RESULTS.c.kind == "grade", RESULTS.c.subject == party
    )
    return _rows(engine, query.where(RESULTS.c.log == "data").order_by(RESULTS.c.entry_index.desc()))


def enterprise_with(engine: Engine, org: str) -> Row | None:
    """Return the enterprise of a credit code, one that is admitted before one that is not; None: nobody."""
    query = select(PARTIES).where(PARTIES.c.org == org, PARTIES.c.roles.contains(["enterprise"]))
    found = _rows(engine, query.order_by(PARTIES.c.status != "admitted", PARTIES.c.party).limit(1))
    return found[0] if found else None


def party(engine: Engine, code: str) -> Row | None:
    """Return one party as the registrar's newest statement has it, or None."""
    found = _rows(engine, select(PARTIES).where(PARTIES.c.party == code))
    return found[0] if found else None


def _rows(engine: Engine, query: Select[Any]) -> list[Row]:
    # One statement needs no transaction around it: that saves two round trips each.
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
