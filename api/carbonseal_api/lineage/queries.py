"""The only SQL of lineage: statements by digest, stated edges, readings grouped by point and key."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Engine, Select, and_, func, or_, select, text, tuple_

from carbonseal_api.lineage.identifiers import SeriesRange
from carbonseal_api.projections.tables import EDGES, MENTIONS, PARTIES, RESULTS, SERIES, STATEMENTS

_CHUNK: Final = 5_000  # identifiers a query
# What of a body makes an answer long and says nothing in one line.
_LONG: Final = (
    *("findings", "rules", "measurements", "source_streams", "cross_checks", "readings", "input", "result"),
    *("affected", "figures", "by_stream", "key", "subjects", "last", "endorsements", "steps", "strata"),
)
Row = Mapping[str, Any]


def rows_of(engine: Engine, query: Select[Any]) -> list[Row]:
    """Return the rows of a query."""
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def statements(engine: Engine, digests: Collection[str]) -> dict[str, Row]:
    """Return what the headers of these statements say, by digest in hex, whoever's they are."""
    found: dict[str, Row] = {}
    for chunk in _chunks(sorted(digests)):
        wanted = [bytes.fromhex(one) for one in chunk]
        for row in rows_of(engine, select(STATEMENTS).where(STATEMENTS.c.statement_digest.in_(wanted))):
            found[row["statement_digest"].hex()] = row
    return found


def stated_from(engine: Engine, sources: Collection[str]) -> list[tuple[str, str, str]]:
    """Return the stated edges (source, relation, target) that leave these nodes."""
    return _edges(engine, EDGES.c.source, sources)


def stated_to(engine: Engine, targets: Collection[str]) -> list[tuple[str, str, str]]:
    """Return the stated edges (source, relation, target) that reach these nodes."""
    return _edges(engine, EDGES.c.target, targets)


def mentioned(engine: Engine, party: str, rows: Collection[Row]) -> set[str]:
    """Return the digests of those of some statements that are about a party."""
    found: set[str] = set()
    places = {(row["party"], row["log"], row["entry_index"]): row for row in rows}
    for chunk in _chunks(sorted(places)):
        key = tuple_(MENTIONS.c.log_party, MENTIONS.c.log, MENTIONS.c.entry_index)
        query = select(MENTIONS).where(MENTIONS.c.party == party, key.in_(chunk))
        for row in rows_of(engine, query):
            place = (row["log_party"], row["log"], row["entry_index"])
            found.add(places[place]["statement_digest"].hex())
    return found


def brief_bodies(engine: Engine, digests: Collection[str]) -> dict[str, Row]:
    """Return {subject, body} of these statements by digest in hex, without the body's long parts."""
    found: dict[str, Row] = {}
    body: ColumnElement[Any] = RESULTS.c.body
    for part in _LONG:
        body = body.op("-")(part)
    for chunk in _chunks(sorted(digests)):
        query = select(RESULTS.c.statement_digest, RESULTS.c.subject, body.label("body"))
        wanted = [bytes.fromhex(one) for one in chunk]
        for row in rows_of(engine, query.where(RESULTS.c.statement_digest.in_(wanted))):
            found[row["statement_digest"].hex()] = row
    return found


def accounts(engine: Engine, *, parties: Collection[str], digests: Collection[str] = ()) -> list[Row]:
    """Return reports and data codes of parties, or some by digest, with what bounds their readings."""
    of = RESULTS.c
    query = select(
        *(of.party, of.kind, of.subject, of.entry_index, of.registered_at, of.statement_digest),
        of.body["plan_digest"].astext.label("plan_digest"),
        of.body["period"].label("period"),
        of.body["cut_off"].label("cut_off"),
    ).where(of.kind.in_(("emissions_report", "quality_code")))
    wanted = [bytes.fromhex(one) for one in digests]
    query = query.where(or_(of.party.in_(list(parties)), of.statement_digest.in_(wanted)))
    return rows_of(engine, query.order_by(of.party, of.entry_index))


def plan_points(engine: Engine, digests: Collection[str]) -> dict[str, Row]:
    """Return {party, measurements, source_streams, method, time_zone} of plans by digest in hex."""
    of = RESULTS.c
    query = select(
        of.party,
        of.statement_digest,
        of.body["measurements"].label("measurements"),
        of.body["source_streams"].label("source_streams"),
        of.body["method"].astext.label("method"),
        of.body["time_zone"].astext.label("time_zone"),
    )
    wanted = [bytes.fromhex(one) for one in digests]
    query = query.where(of.kind == "monitoring_plan", of.statement_digest.in_(wanted))
    return {row["statement_digest"].hex(): row for row in rows_of(engine, query)}


def grouped_readings(engine: Engine, ranges: Sequence[SeriesRange]) -> list[Row]:
    """Return counts of the statements within ranges that share party, times, cut and key.

    One row for each device, point, kind and signing key: statements, samples, first and last instant, least
    and greatest entry index.
    """
    one, of = ranges[0], SERIES.c
    points = [(item.device, item.point) for item in ranges]
    query = select(
        *(of.device, of.point, of.kind, of.kid),
        func.count(of.entry_index.distinct()).label("statements"),
        func.sum(of.samples).label("samples"),
        func.min(of.interval_start).label("start"),
        func.max(of.interval_end).label("end"),
        func.min(of.entry_index).label("first_index"),
        func.max(of.entry_index).label("last_index"),
    ).where(_within(one), tuple_(of.device, of.point).in_(points))
    return rows_of(engine, query.group_by(of.device, of.point, of.kind, of.kid))


def readings_in(engine: Engine, one: SeriesRange) -> list[str]:
    """Return the digests in hex of the statements within a range, in log order."""
    of = SERIES.c
    query = select(of.entry_index, of.statement_digest).where(_within(one)).distinct()
    query = query.where(of.device == one.device, of.point == one.point).order_by(of.entry_index)
    return [row["statement_digest"].hex() for row in rows_of(engine, query)]


def points_of(engine: Engine, rows: Collection[Row]) -> list[Row]:
    """Return {party, entry_index, device, point, interval_start, interval_end} of readings statements."""
    of = SERIES.c
    found: list[Row] = []
    for chunk in _chunks(sorted((row["party"], row["entry_index"]) for row in rows)):
        query = select(
            of.party, of.entry_index, of.device, of.point, of.interval_start, of.interval_end
        ).where(tuple_(of.party, of.entry_index).in_(chunk))
        found += rows_of(engine, query.distinct())
    return found


def ranges_of_device(engine: Engine, party: str, device: str) -> list[Row]:
    """Return the points of a meter with first and last instant of their readings."""
    of = SERIES.c
    query = select(
        of.point, func.min(of.interval_start).label("start"), func.max(of.interval_end).label("end")
    )
    query = query.where(of.party == party, of.device == device)
    return rows_of(engine, query.group_by(of.point).order_by(of.point))


def ranges_of_keys(engine: Engine, party: str, kids: Collection[bytes]) -> list[Row]:
    """Return the points for which some keys signed, with first and last instant."""
    of = SERIES.c
    query = select(
        *(of.device, of.point, of.kid),
        func.min(of.interval_start).label("start"),
        func.max(of.interval_end).label("end"),
    ).where(of.party == party, of.kid.in_(list(kids)))
    query = query.group_by(of.device, of.point, of.kid).order_by(of.device, of.point, of.kid)
    return rows_of(engine, query)


def of_kinds(engine: Engine, party: str, kinds: Collection[str]) -> list[Row]:
    """Return a party's results of some kinds in log order, with short bodies whole."""
    query = select(RESULTS).where(RESULTS.c.party == party, RESULTS.c.kind.in_(list(kinds)))
    return rows_of(engine, query.order_by(RESULTS.c.log, RESULTS.c.entry_index))


def takings_back(engine: Engine, party: str) -> list[Row]:
    """Return a party's corrections and withdrawals of its own statements, in register order.

    Each row: {index, digest, kind, registered_at} of the act, {target, target_kind, subject, start, end,
    target_index, target_log} of what it takes back, and `replacement`, a statement digest in hex or None. Of
    several acts on one statement the first counts.
    """
    query = text(
        "SELECT c.entry_index AS index, c.statement_digest AS digest, c.kind, t.statement_digest AS target,"
        " c.party, t.kind AS target_kind, t.subject, t.interval_start AS start, t.interval_end AS end,"
        " t.entry_index AS target_index, t.log AS target_log, c.registered_at, r.target AS replacement"
        " FROM projection_edges e"
        " LEFT JOIN projection_edges r ON r.source = e.source AND r.relation = 'replaces_by'"
        " JOIN projection_statements t ON t.statement_digest = decode(e.target, 'hex') AND t.party = e.party"
        " JOIN projection_statements c ON c.statement_digest = decode(e.source, 'hex') AND c.party = e.party"
        " WHERE e.party = :party AND e.relation IN ('corrects', 'withdraws')"
        " AND e.source_kind IN ('correction', 'withdrawal') AND c.log = 'register' ORDER BY c.entry_index"
    )
    with engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(query, {"party": party}).mappings()]
    first: dict[bytes, Row] = {}
    for row in rows:
        first.setdefault(bytes(row["target"]), row)
    return list(first.values())


def party_of_org(engine: Engine, org: str) -> str | None:
    """Return the party with a credit code, None when nobody has it."""
    with engine.connect() as connection:
        return connection.execute(select(PARTIES.c.party).where(PARTIES.c.org == org)).scalar()


def parties(engine: Engine) -> list[str]:
    """Return the codes of all parties."""
    with engine.connect() as connection:
        return list(connection.execute(select(PARTIES.c.party).order_by(PARTIES.c.party)).scalars())


def known_nodes(engine: Engine, nodes: Collection[str]) -> set[str]:
    """Return those of some identifiers that a stated edge leaves or reaches."""
    found: set[str] = set()
    for chunk in _chunks(sorted(nodes)):
        for column in (EDGES.c.source, EDGES.c.target):
            found |= {
                row["id"] for row in rows_of(engine, select(column.label("id")).where(column.in_(chunk)))
            }
    return found


def _within(one: SeriesRange) -> ColumnElement[bool]:
    of = SERIES.c
    narrow = and_(
        of.party == one.party,
        # A reading at the very end closes a register's last difference; other forms end before it.
        or_(of.interval_start < one.end, and_(of.interval_start == one.end, of.form == "register")),
        of.interval_end > one.start,
        of.entry_index < one.cut,
    )
    return narrow if one.kid is None else and_(narrow, of.kid == bytes.fromhex(one.kid))


def _edges(engine: Engine, column: ColumnElement[str], nodes: Collection[str]) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    for chunk in _chunks(sorted(nodes)):
        query = select(EDGES.c.source, EDGES.c.relation, EDGES.c.target).where(column.in_(chunk))
        with engine.connect() as connection:
            found += [(row.source, row.relation, row.target) for row in connection.execute(query)]
    return found


def _chunks(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[at : at + _CHUNK] for at in range(0, len(items), _CHUNK)]
