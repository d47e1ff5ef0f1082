"""The only SQL over all organisations at once: newest results, grades, open marks, records held."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Engine, distinct, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from carbonseal_api.projections.tables import ASSET_RECORDS, MARKS, RESULTS


def newest_results(engine: Engine, kinds: Collection[str]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return the newest result of each (party, kind)."""
    query = select(RESULTS).where(RESULTS.c.kind.in_(list(kinds)))
    query = query.ext(distinct_on(RESULTS.c.party, RESULTS.c.kind))
    query = query.order_by(RESULTS.c.party, RESULTS.c.kind, RESULTS.c.entry_index.desc())
    with engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    return {(row["party"], row["kind"]): row for row in rows}


def newest_grades(engine: Engine, grader: str) -> dict[str, Mapping[str, Any]]:
    """Return the newest grade of each organisation among those in the grader's log."""
    graded = RESULTS.c.body["party"].astext
    query = select(RESULTS).where(RESULTS.c.kind == "grade", RESULTS.c.party == grader)
    query = query.ext(distinct_on(graded)).order_by(graded, RESULTS.c.entry_index.desc())
    with engine.connect() as connection:
        return {row["body"]["party"]: dict(row) for row in connection.execute(query).mappings()}


def open_mark_counts(engine: Engine, issuer: str) -> dict[str, int]:
    """Return how many things of each organisation bear a mark of an issuer that is not cured."""
    cured = MARKS.alias("cured")
    is_cured = (
        select(cured.c.impact_digest)
        .where(
            cured.c.issuer == issuer,
            cured.c.state == "cured",
            cured.c.cures == MARKS.c.impact_digest,
            cured.c.kind == MARKS.c.kind,
            cured.c.digest == MARKS.c.digest,
        )
        .exists()
    )
    query = select(MARKS.c.party, func.count(distinct(MARKS.c.digest))).where(
        MARKS.c.issuer == issuer, MARKS.c.state == "open", ~is_cured
    )
    with engine.connect() as connection:
        rows = connection.execute(query.group_by(MARKS.c.party)).all()
    return {row[0]: row[1] for row in rows}


def live_record_counts(engine: Engine, registrar: str) -> dict[str, int]:
    """Return how many live asset records each organisation holds."""
    query = select(ASSET_RECORDS.c.holder, func.count())
    query = query.where(ASSET_RECORDS.c.registrar == registrar, ASSET_RECORDS.c.state == "live")
    with engine.connect() as connection:
        rows = connection.execute(query.group_by(ASSET_RECORDS.c.holder)).all()
    return {row[0]: row[1] for row in rows}
