"""The only SQL of "who did what": statements of and about an organisation, and acts on its accounts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, and_, func, literal, or_, select, union_all

from carbonseal_api.accounts.models import Client, Person
from carbonseal_api.database import ApiKey
from carbonseal_api.projections.tables import DEVICES, EDGES, MENTIONS, STATEMENTS

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: [since, until) in ms, kinds, subject, and who did it; None: any."""

    since: int
    until: int
    kinds: frozenset[str] | None = None
    subject: str | None = None
    by: str | None = None


def statements(engine: Engine, party: str, wanted: Wanted, limit: int) -> list[Row]:
    """Return statements in a party's own logs, and those of others about it, newest first."""
    of = STATEMENTS.c
    place = and_(
        of.party == MENTIONS.c.log_party, of.log == MENTIONS.c.log, of.entry_index == MENTIONS.c.entry_index
    )
    own = _narrowed(select(STATEMENTS).where(of.party == party), wanted, limit)
    about = _narrowed(
        select(STATEMENTS)
        .join(MENTIONS, place)
        .where(MENTIONS.c.party == party, MENTIONS.c.registered_at < wanted.until),
        wanted,
        limit,
    )
    # A sampling commitment names a report and nobody; whose report that is says whom it is about.
    reports = STATEMENTS.alias("reports")
    drawn = _narrowed(
        select(STATEMENTS)
        .join(EDGES, func.decode(EDGES.c.source, "hex") == of.statement_digest)
        .join(reports, func.decode(EDGES.c.target, "hex") == reports.c.statement_digest)
        .where(
            EDGES.c.source_kind == "sampling_commitment",
            EDGES.c.relation == "about_report",
            reports.c.party == party,
            of.party != party,
        ),
        wanted,
        limit,
    )
    found = union_all(own, about, drawn).subquery()
    query = select(found).order_by(*_newest_first(found.c)).limit(limit)
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def account_acts(engine: Engine, party: str, wanted: Wanted, limit: int) -> list[Row]:
    """Return {at, kind, account, roles, label} of accounts given and withdrawn, newest first."""
    parts = []
    for table, name, label in (
        (ApiKey, ApiKey.key_id, ApiKey.label),
        (Client, Client.client_id, Client.label),
        (Person, Person.person_id, literal("")),
    ):
        word = {ApiKey: "key", Client: "client", Person: "person"}[table]
        for at, act in ((table.created_at, "given"), (table.withdrawn_at, "withdrawn")):
            kind = literal(f"{word}_{act}")
            part = select(
                at.label("at"),
                kind.label("kind"),
                name.label("account"),
                table.roles.label("roles"),
                label.label("label"),
            )
            parts.append(part.where(table.party == party, at >= wanted.since, at < wanted.until))
    found = union_all(*parts).subquery()
    query = select(found).order_by(found.c.at.desc(), found.c.kind, found.c.account)
    if wanted.kinds is not None:
        query = query.where(found.c.kind.in_(sorted(wanted.kinds)))
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query.limit(limit)).mappings()]


def signer_classes(engine: Engine, keys: Collection[tuple[str, bytes]]) -> dict[tuple[str, bytes], str]:
    """Return the class of the devices that hold some parties' keys; keys of no device are left out."""
    targets = {f"key:{kid.hex()}" for _, kid in keys}
    query = (
        select(EDGES.c.target, DEVICES.c.party, DEVICES.c["class"].label("signer_class"))
        .join(
            DEVICES,
            EDGES.c.source == literal("device:").concat(DEVICES.c.party).concat("/").concat(DEVICES.c.device),
        )
        .where(
            EDGES.c.target.in_(targets),
            EDGES.c.relation == "holds_key",
            DEVICES.c.party.in_({party for party, _ in keys}),
        )
    )
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    return {(row.party, bytes.fromhex(row.target.partition(":")[2])): row.signer_class for row in rows}


def _narrowed(query: Select[Any], wanted: Wanted, limit: int) -> Select[Any]:
    of = STATEMENTS.c
    query = query.where(of.registered_at >= wanted.since, of.registered_at < wanted.until)
    if wanted.kinds is not None:
        query = query.where(of.kind.in_(sorted(wanted.kinds)))
    if wanted.subject is not None:
        query = query.where(of.subject == wanted.subject)
    if wanted.by is not None:
        query = query.where(or_(of.party == wanted.by, of.issuer == wanted.by))
    return query.order_by(*_newest_first(of)).limit(limit)


def _newest_first(of: Any) -> tuple[ColumnElement[Any], ...]:
    return of.registered_at.desc(), of.party.desc(), of.log.desc(), of.entry_index.desc()
