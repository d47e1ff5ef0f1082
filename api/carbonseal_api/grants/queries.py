"""Reads grants from the owner's register log itself, so that a withdrawal counts at the very next call.

No projection and no memory stands between: what is registered is seen. A withdrawal or correction whose
content cannot be read may have meant any grant before it, and therefore ends them all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import select

from carbonseal_api.assembly import Parts
from carbonseal_api.grants.standing import Ending, Grant
from carbonseal_api.projections.tables import PARTIES, RESULTS
from carbonseal_attest.contents import parse_content
from carbonseal_attest.errors import IdentifierInvalid
from carbonseal_attest.identifiers import check_code
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.errors import LogUnknown

_KINDS: Final = frozenset({"grant", "withdrawal", "correction"})
_NAMES: Final = {"withdrawal": "withdraws", "correction": "supersedes"}


def register_origin(parts: Parts, party: str) -> str:
    """Return the origin of a party's register log."""
    return f"{parts.settings.log_host_name}/{party}/register"


def grants_of(parts: Parts, owner: str) -> list[Grant]:
    """Return all grants that an owner ever gave, in the order of its log, with how each ended."""
    try:
        # What is no code could name another folder of the published copy.
        entries = parts.host.select(register_origin(parts, check_code(owner)), kinds=_KINDS)
    except (IdentifierInvalid, LogUnknown):
        return []
    payloads = [SignedStatement.parse(entry.raw).payload for entry in entries]
    contents = parts.host.contents.get_many(payloads)
    found = dict[bytes, Grant]()
    for entry, payload in zip(entries, payloads, strict=True):
        body = parse_content(contents[payload]).body if payload in contents else None
        if entry.kind != "grant":
            _end(found, body, entry.kind, Ending(entry.digest, entry.registered_at, _reason(body)))
        elif body is not None:
            found[entry.digest] = Grant(
                digest=entry.digest,
                grant=body["grant"],
                owner=owner,
                to=body["to"],
                purpose=body["purpose"],
                level=body["level"],
                period=(body["period"]["start"], body["period"]["end"]),
                valid=(body["valid"]["start"], body["valid"]["end"]),
                registered_at=entry.registered_at,
                entry_index=entry.index,
            )
    return list(found.values())


def owners_granting(parts: Parts, grantee: str) -> list[str]:
    """Return the parties that ever gave a grantee a grant, by code; a new one may be seconds late here."""
    query = select(RESULTS.c.party).where(RESULTS.c.kind == "grant", RESULTS.c.body["to"].astext == grantee)
    with parts.engine.connect() as connection:
        return sorted(connection.scalars(query.distinct()))


def admitted(parts: Parts, party: str, *, any_status: bool = False) -> Mapping[str, Any] | None:
    """Return a party that is admitted now, as the registrar's log says; None for every other.

    With `any_status` one that was suspended or removed is returned too.
    """
    try:
        check_code(party)
    except IdentifierInvalid:
        return None
    parts.projections.refresh_log(register_origin(parts, parts.registrar))
    query = select(PARTIES).where(PARTIES.c.party == party)
    if not any_status:
        query = query.where(PARTIES.c.status == "admitted")
    with parts.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        row = connection.execute(query).mappings().first()
        return None if row is None else dict(row)


def admitted_with(parts: Parts, org: str, roles: Collection[str]) -> list[str]:
    """Return the codes of the admitted parties with a credit code and one of some roles."""
    parts.projections.refresh_log(register_origin(parts, parts.registrar))
    query = select(PARTIES.c.party).where(
        PARTIES.c.org == org, PARTIES.c.status == "admitted", PARTIES.c.roles.overlap(list(roles))
    )
    with parts.engine.connect() as connection:
        return sorted(connection.scalars(query))


def _end(found: dict[bytes, Grant], body: Mapping[str, Any] | None, kind: str, ending: Ending) -> None:
    ended = list(found) if body is None else [body[_NAMES[kind]]]
    for digest in ended:
        if digest in found and found[digest].ending is None:
            found[digest] = replace(found[digest], ending=ending)


def _reason(body: Mapping[str, Any] | None) -> str:
    return "what ended it can no longer be read" if body is None else str(body["reason"])
