"""The only SQL of impacts: what is new since the last look, whose it is, and the rows that cures rest on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Engine, and_, func, select
from sqlalchemy.dialects.postgresql import insert

from carbonseal_api.lineage.queries import rows_of
from carbonseal_api.projections.tables import (
    ASSET_FREEZES,
    ASSET_PARTS,
    ASSET_RECORDS,
    EDGES,
    MARKS,
    PROGRESS,
    RESULTS,
    SERIES,
    SETTLED,
    STATEMENTS,
)

# What can begin, widen or cure an impact, or change the input of a grade.
WATCHED: Final = (
    *("asset_act", "business_record", "calibration", "correction", "device", "emissions_report", "grade"),
    *("impact", "industry_mean", "monitoring_plan", "party", "quality_code", "verification_report"),
    "withdrawal",
)
Row = Mapping[str, Any]


def progress(connection: Connection) -> dict[tuple[str, str], int]:
    """Return (party, log) to how far the projections have read it."""
    found: dict[tuple[str, str], int] = {}
    for row in connection.execute(select(PROGRESS)):
        _, party, log = row.origin.rsplit("/", 2)
        found[party, log] = row.next_index
    return found


def settle(connection: Connection, reached: Mapping[tuple[str, str], int]) -> None:
    """Remember how far was looked."""
    for (party, log), index in sorted(reached.items()):
        row = insert(SETTLED).values(party=party, log=log, next_index=index)
        connection.execute(
            row.on_conflict_do_update(index_elements=["party", "log"], set_={"next_index": index})
        )


def fresh(connection: Connection) -> list[Row]:
    """Return {party, kind, digest, target} of watched statements since the last look.

    `target` is the digest in hex that a correction or withdrawal takes back, or that an opinion or asset act
    is about; None for the other kinds.
    """
    of, body = RESULTS.c, RESULTS.c.body
    target = func.coalesce(
        body["withdraws"].astext,
        body["supersedes"].astext,
        body["verification_report"].astext,
        body["report_digest"].astext,
    )
    seen = and_(SETTLED.c.party == of.party, SETTLED.c.log == of.log)
    query = (
        select(
            of.party,
            of.kind,
            of.statement_digest.label("digest"),
            target.label("target"),
            body["party"].astext.label("about"),
        )
        .outerjoin(SETTLED, seen)
        .where(of.kind.in_(WATCHED), of.entry_index >= func.coalesce(SETTLED.c.next_index, 0))
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def owners(engine: Engine, digests: Collection[str]) -> dict[str, Row]:
    """Return {party, kind, report} of results by digest in hex; `report` is what an opinion is about."""
    of = RESULTS.c
    query = select(
        of.statement_digest, of.party, of.kind, of.body["report_digest"].astext.label("report")
    ).where(of.statement_digest.in_([bytes.fromhex(one) for one in digests]))
    return {bytes(row["statement_digest"]).hex(): row for row in rows_of(engine, query)}


def opinions_on(engine: Engine, reports: Collection[str]) -> list[Row]:
    """Return {digest, party, report, opinion, registered_at} of opinions on some reports, in order."""
    said = STATEMENTS.c
    query = (
        select(
            said.statement_digest.label("digest"),
            said.party,
            EDGES.c.target.label("report"),
            RESULTS.c.body["opinion"].astext.label("opinion"),
            said.registered_at,
        )
        .join(STATEMENTS, said.statement_digest == func.decode(EDGES.c.source, "hex"))
        .join(RESULTS, RESULTS.c.statement_digest == said.statement_digest)
        .where(
            EDGES.c.target.in_(list(reports)),
            EDGES.c.relation == "about_report",
            EDGES.c.source_kind == "verification_report",
        )
    )
    return rows_of(engine, query.order_by(said.registered_at, said.statement_digest))


def grades_of(engine: Engine, grader: str, party: str) -> list[Row]:
    """Return {digest, rule, grade, start, end, registered_at} of a party's grades by a grader, in order."""
    of, body = RESULTS.c, RESULTS.c.body
    query = select(
        of.statement_digest.label("digest"),
        body["rule"].astext.label("rule"),
        body["grade"].astext.label("grade"),
        body["period"].label("period"),
        of.registered_at,
    ).where(of.kind == "grade", of.party == grader, body["party"].astext == party)
    return rows_of(engine, query.order_by(of.registered_at, of.entry_index))


def graded_parties(engine: Engine, grader: str) -> set[str]:
    """Return every party that a grader ever graded."""
    of = RESULTS.c
    query = select(of.subject).where(of.kind == "grade", of.party == grader, of.log == "data").distinct()
    return {row["subject"] for row in rows_of(engine, query)}


def verified_by(engine: Engine, body: str) -> set[str]:
    """Return the operators about whose reports a party ever opined."""
    of = RESULTS.c
    operator = of.body["operator"].astext.label("operator")
    query = select(operator).where(of.party == body, of.kind == "verification_report").distinct()
    return {row["operator"] for row in rows_of(engine, query)}


def inputs_of(engine: Engine, grades: Collection[str]) -> dict[str, set[str]]:
    """Return the statements that grades rest on, by digest in hex."""
    query = select(EDGES.c.source, EDGES.c.target).where(
        EDGES.c.source.in_(list(grades)), EDGES.c.relation == "rests_on"
    )
    found: dict[str, set[str]] = {}
    for row in rows_of(engine, query):
        found.setdefault(row["source"], set()).add(row["target"])
    return found


def asset_records(engine: Engine, registrar: str, records: Collection[bytes]) -> dict[bytes, Row]:
    """Return what the registrar's acts say of asset records, by id."""
    query = select(ASSET_RECORDS).where(
        ASSET_RECORDS.c.registrar == registrar, ASSET_RECORDS.c.record.in_(list(records))
    )
    return {bytes(row["record"]): row for row in rows_of(engine, query)}


def parents_of(engine: Engine, registrar: str, parts: Collection[bytes]) -> dict[bytes, bytes]:
    """Return from which record each came by a split, as the registrar's acts say."""
    query = select(ASSET_PARTS.c.part, ASSET_PARTS.c.parent).where(
        ASSET_PARTS.c.registrar == registrar, ASSET_PARTS.c.part.in_(list(parts))
    )
    return {bytes(row["part"]): bytes(row["parent"]) for row in rows_of(engine, query)}


def freezes(engine: Engine, registrar: str, records: Collection[bytes]) -> dict[tuple[bytes, str], bool]:
    """Return (record, cause in hex) to whether the record is frozen for it still."""
    query = select(ASSET_FREEZES).where(
        ASSET_FREEZES.c.registrar == registrar, ASSET_FREEZES.c.record.in_(list(records))
    )
    return {(bytes(row["record"]), row["cause"]): row["is_standing"] for row in rows_of(engine, query)}


def stated(
    engine: Engine, party: str, causes: Collection[bytes]
) -> dict[tuple[str, bytes], set[tuple[str, bytes]]]:
    """Return what the impacts in a party's log say already: (kind, digest) by (cause, its digest)."""
    query = select(MARKS.c.cause, MARKS.c.cause_digest, MARKS.c.kind, MARKS.c.digest).where(
        MARKS.c.issuer == party, MARKS.c.state == "open", MARKS.c.cause_digest.in_(list(causes))
    )
    found: dict[tuple[str, bytes], set[tuple[str, bytes]]] = {}
    for row in rows_of(engine, query):
        place = (row["cause"], bytes(row["cause_digest"]))
        found.setdefault(place, set()).add((row["kind"], bytes(row["digest"])))
    return found


def opinions_cured(engine: Engine, party: str, impacts: Collection[bytes]) -> dict[bytes, bytes]:
    """Return of some open impacts the cured one, in a party's log, that names an opinion of theirs."""
    query = (
        select(MARKS.c.cures, MARKS.c.impact_digest)
        .where(
            MARKS.c.issuer == party,
            MARKS.c.state == "cured",
            MARKS.c.kind == "verification_report",
            MARKS.c.cures.in_(list(impacts)),
        )
        .order_by(MARKS.c.registered_at, MARKS.c.impact_digest)
    )
    return {bytes(row["cures"]): bytes(row["impact_digest"]) for row in rows_of(engine, query)}


def marked_parties(engine: Engine, issuer: str, impacts: Collection[bytes] | None = None) -> set[str]:
    """Return the parties of what an issuer's impacts name: some impacts, or every one not cured whole."""
    ours = MARKS.c.issuer == issuer
    if impacts is not None:
        query = select(MARKS.c.party).where(ours, MARKS.c.impact_digest.in_(list(impacts))).distinct()
        return {row["party"] for row in rows_of(engine, query)}
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
    query = select(MARKS.c.party).where(ours, MARKS.c.state == "open", ~is_cured).distinct()
    return {row["party"] for row in rows_of(engine, query)}


def revoked_readings(engine: Engine, party: str, kid: bytes) -> list[Row]:
    """Return {entry_index, digest, stream, sequence, device, point, start, end} of what a key sealed."""
    same = and_(
        STATEMENTS.c.party == SERIES.c.party,
        STATEMENTS.c.log == "data",
        STATEMENTS.c.entry_index == SERIES.c.entry_index,
    )
    query = (
        select(
            SERIES.c.entry_index,
            SERIES.c.statement_digest.label("digest"),
            STATEMENTS.c.stream,
            STATEMENTS.c.sequence,
            SERIES.c.device,
            SERIES.c.point,
            SERIES.c.interval_start.label("start"),
            SERIES.c.interval_end.label("end"),
        )
        .join(STATEMENTS, same)
        .where(SERIES.c.party == party, SERIES.c.kid == kid)
    )
    return rows_of(engine, query.order_by(SERIES.c.entry_index))


def calibrations(engine: Engine, party: str) -> list[Row]:
    """Return {index, digest, device, start, end, certificate} of a party's calibrations in register order."""
    of, body = RESULTS.c, RESULTS.c.body
    query = select(
        of.entry_index.label("index"),
        of.statement_digest.label("digest"),
        of.registered_at,
        body["device"].astext.label("device"),
        body["certificate"].astext.label("certificate"),
        body["calibrated_at"].astext.cast(BigInteger).label("start"),
        body["valid_until"].astext.cast(BigInteger).label("end"),
    ).where(of.party == party, of.kind == "calibration")
    return rows_of(engine, query.order_by(of.entry_index))


def revocations(engine: Engine, party: str) -> list[Row]:
    """Return the results of a party's device statements that revoke, in register order."""
    of = RESULTS.c
    query = select(RESULTS).where(
        of.party == party, of.kind == "device", of.body["action"].astext == "revoke"
    )
    return rows_of(engine, query.order_by(of.entry_index))
