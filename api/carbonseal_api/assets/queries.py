"""The only SQL about carbon-asset records: their projection, and who stands behind each act."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import Engine, and_, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from carbonseal_api.assets.models import AssetAct, AssetAgreement
from carbonseal_api.projections.tables import ASSET_FREEZES, ASSET_PARTS, ASSET_RECORDS, RESULTS

Row = Mapping[str, Any]
_KEPT_AGREEMENTS: Final = 1000

# -- the projection of the registrar's asset_act statements


def records(
    engine: Engine, registrar: str, *, holders: Collection[str] | None = None, after: bytes = b"", limit: int
) -> list[Row]:
    """Return records by id, beginning after one; of some holders, or all of them."""
    query = select(ASSET_RECORDS).where(
        ASSET_RECORDS.c.registrar == registrar, ASSET_RECORDS.c.record > after
    )
    if holders is not None:
        query = query.where(ASSET_RECORDS.c.holder.in_(list(holders)))
    return _rows(engine, query.order_by(ASSET_RECORDS.c.record).limit(limit))


def every_record(engine: Engine, registrar: str) -> list[Row]:
    """Return all records, for the comparison with contract and log."""
    return _rows(engine, select(ASSET_RECORDS).where(ASSET_RECORDS.c.registrar == registrar))


def record(engine: Engine, registrar: str, record_id: bytes) -> Row | None:
    """Return one record, None when there is none."""
    query = select(ASSET_RECORDS).where(
        ASSET_RECORDS.c.registrar == registrar, ASSET_RECORDS.c.record == record_id
    )
    found = _rows(engine, query)
    return found[0] if found else None


def records_of_report(engine: Engine, registrar: str, report: bytes) -> list[Row]:
    """Return the live records that rest on a verification report, parts of splits among them."""
    query = select(ASSET_RECORDS).where(
        ASSET_RECORDS.c.registrar == registrar,
        ASSET_RECORDS.c.verification_report == report,
        ASSET_RECORDS.c.state == "live",
    )
    return _rows(engine, query.order_by(ASSET_RECORDS.c.first))


def overlapping(
    engine: Engine, registrar: str, registry: str, batch: str, first: int, last: int
) -> list[Row]:
    """Return records of a batch that hold some of these serials, whatever became of them."""
    query = select(ASSET_RECORDS).where(
        ASSET_RECORDS.c.registrar == registrar,
        ASSET_RECORDS.c.registry == registry,
        ASSET_RECORDS.c.batch == batch,
        ASSET_RECORDS.c.first <= last,
        ASSET_RECORDS.c.last >= first,
    )
    return _rows(engine, query.order_by(ASSET_RECORDS.c.first))


def every_freeze(engine: Engine, registrar: str) -> list[Row]:
    """Return each record's causes, standing or cured."""
    return _rows(engine, select(ASSET_FREEZES).where(ASSET_FREEZES.c.registrar == registrar))


def standing_causes(
    engine: Engine, registrar: str, record_ids: Collection[bytes]
) -> dict[bytes, list[bytes]]:
    """Return record to the causes for which it is frozen."""
    query = select(ASSET_FREEZES.c.record, ASSET_FREEZES.c.cause).where(
        ASSET_FREEZES.c.registrar == registrar,
        ASSET_FREEZES.c.record.in_(list(record_ids)),
        ASSET_FREEZES.c.is_standing,
    )
    causes: dict[bytes, list[bytes]] = {}
    for row in _rows(engine, query.order_by(ASSET_FREEZES.c.cause)):
        causes.setdefault(bytes(row["record"]), []).append(bytes.fromhex(row["cause"]))
    return causes


def parent(engine: Engine, registrar: str, record_id: bytes) -> bytes | None:
    """Return the record from which one came by a split, None for one that was recorded as it is."""
    query = select(ASSET_PARTS.c.parent).where(
        ASSET_PARTS.c.registrar == registrar, ASSET_PARTS.c.part == record_id
    )
    found = _rows(engine, query)
    return bytes(found[0]["parent"]) if found else None


def acts_about(engine: Engine, registrar: str, subject: str) -> list[Row]:
    """Return the mirror statements about one record, oldest first."""
    query = select(RESULTS).where(
        RESULTS.c.party == registrar, RESULTS.c.kind == "asset_act", RESULTS.c.subject == subject
    )
    return _rows(engine, query.order_by(RESULTS.c.entry_index))


def every_act_row(engine: Engine, registrar: str) -> list[Row]:
    """Return what the projection says of each mirror statement."""
    query = select(RESULTS.c.statement_digest, RESULTS.c.body)
    return _rows(engine, query.where(RESULTS.c.party == registrar, RESULTS.c.kind == "asset_act"))


def is_transfer_used(engine: Engine, registrar: str, registry: str, reference: str) -> bool:
    """Return whether a move of this registry mirrors an official transfer already."""
    named = {"act": "move", "registry": registry, "reference": reference}
    query = select(RESULTS.c.entry_index).where(
        RESULTS.c.party == registrar, RESULTS.c.kind == "asset_act", RESULTS.c.body.contains(named)
    )
    return bool(_rows(engine, query.limit(1)))


def cause_cured_by(engine: Engine, host_party: str, cure: bytes) -> bytes | None:
    """Return the open impact that an impact statement of the log host says is cured, None if it says none."""
    query = select(RESULTS.c.body["cures"].astext.label("cures")).where(
        RESULTS.c.party == host_party, RESULTS.c.kind == "impact", RESULTS.c.statement_digest == cure
    )
    found = _rows(engine, query)
    return bytes.fromhex(found[0]["cures"]) if found and found[0]["cures"] else None


# -- who stands behind each act


def add_act(engine: Engine, row: AssetAct) -> AssetAct:
    """Store an act's words and proposer, or return the one under its id unless that one came to nothing."""
    values = {column.name: getattr(row, column.name) for column in AssetAct.__table__.columns}
    query = insert(AssetAct).values(values)
    with Session(engine, expire_on_commit=False) as session, session.begin():
        session.execute(
            query.on_conflict_do_update(
                index_elements=["act_id"], set_=values, where=AssetAct.failure.is_not(None)
            )
        )
        return session.get_one(AssetAct, row.act_id)


def act(engine: Engine, act_id: str) -> AssetAct | None:
    """Return one act, None when there is none."""
    with Session(engine, expire_on_commit=False) as session:
        return session.get(AssetAct, act_id)


def acts(
    engine: Engine, *, holders: Collection[str] | None = None, unmirrored: bool = False
) -> list[AssetAct]:
    """Return acts, newest first; of some holders' records, or those that still want a mirror statement."""
    query = select(AssetAct).order_by(AssetAct.proposed_at.desc(), AssetAct.act_id.desc())
    if holders is not None:
        # The receiver of a move sees it too: the units become its own.
        query = query.where(or_(AssetAct.holder.in_(holders), AssetAct.act["to"].astext.in_(holders)))
    if unmirrored:
        query = query.where(AssetAct.statement_digest.is_(None), AssetAct.failure.is_(None))
    with Session(engine, expire_on_commit=False) as session:
        return list(session.scalars(query))


def confirmed_by(engine: Engine, act_id: str, party: str, credential: str, at: int) -> AssetAct:
    """Note who confirms an act, unless somebody has; return it as it then stands."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        session.execute(
            update(AssetAct)
            .where(and_(AssetAct.act_id == act_id, AssetAct.confirmer_party.is_(None)))
            .values(confirmer_party=party, confirmer_credential=credential, confirmed_at=at)
        )
        return session.get_one(AssetAct, act_id)


def unconfirmed(engine: Engine, act_id: str) -> None:
    """Forget who confirmed an act: it has to be confirmed anew."""
    nobody = {"confirmer_party": None, "confirmer_credential": None, "confirmed_at": None}
    with Session(engine) as session, session.begin():
        session.execute(update(AssetAct).where(AssetAct.act_id == act_id).values(nobody))


def failed(engine: Engine, act_id: str, reason: str) -> None:
    """Note that an act came to nothing."""
    with Session(engine) as session, session.begin():
        session.execute(update(AssetAct).where(AssetAct.act_id == act_id).values(failure=reason))


def mirrored_by(engine: Engine, act_id: str, digest: bytes) -> None:
    """Note the mirror statement of an act."""
    with Session(engine) as session, session.begin():
        session.execute(update(AssetAct).where(AssetAct.act_id == act_id).values(statement_digest=digest))


def keep_agreement(engine: Engine, at: int, view: dict[str, Any], *, is_agreed: bool) -> None:
    """Keep what a comparison found, and forget the oldest."""
    values = {"checked_at": at, "is_agreed": is_agreed, "view": view}
    query = insert(AssetAgreement).values(values)
    newest = select(AssetAgreement.checked_at).order_by(AssetAgreement.checked_at.desc())
    with Session(engine) as session, session.begin():
        session.execute(query.on_conflict_do_update(index_elements=["checked_at"], set_=values))
        session.execute(
            delete(AssetAgreement).where(AssetAgreement.checked_at.not_in(newest.limit(_KEPT_AGREEMENTS)))
        )


def newest_agreement(engine: Engine) -> dict[str, Any] | None:
    """Return what the newest comparison found, None before the first."""
    query = select(AssetAgreement.view).order_by(AssetAgreement.checked_at.desc()).limit(1)
    with Session(engine) as session:
        return session.scalars(query).first()


def _rows(engine: Engine, query: Any) -> list[Row]:
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
