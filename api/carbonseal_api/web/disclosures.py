"""Gathers what a party is shown under grants, and what an enterprise shows to others; no SQL, no HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.grants import service as grants
from carbonseal_api.grants.standing import STANDING, Grant
from carbonseal_api.organisations import queries as organisations
from carbonseal_api.quality import queries as results
from carbonseal_attest.instants import format_instant

PUBLIC: Final = "p-public"  # a grant to it shows something to everybody


def received_rows(parts: Parts, grantee: str) -> list[dict[str, Any]]:
    """Return the grants that name a party, newest first, each with its owner's name."""
    names = _names(parts)
    return [_row(parts, grant, names) for grant in grants.given_to(parts, grantee)]


def given_rows(parts: Parts, owner: str) -> list[dict[str, Any]]:
    """Return the grants that an owner gave, newest first, each with its grantee's name."""
    names = _names(parts)
    return [_row(parts, grant, names) for grant in grants.given_by(parts, owner)]


def published_rows(parts: Parts) -> list[dict[str, Any]]:
    """Return what enterprises show to everybody."""
    names = _names(parts)
    return [
        {**_row(parts, grant, names), "links": _public_links(names[grant.owner]["org"], grant)}
        for grant in grants.given_to(parts, PUBLIC)
        if grant.state(parts.clock()) == STANDING
    ]


def reports_to_verify(parts: Parts, body: str) -> list[dict[str, Any]]:
    """Return the reports that a verification body may see now, each with the opinions it gave on it."""
    given = results.results(parts.engine, body, "verification_report")
    names, seen = _names(parts), dict[str, dict[str, Any]]()
    for grant in grants.given_to(parts, body):
        if grant.purpose != "verification" or grant.state(parts.clock()) != STANDING:
            continue
        for row in results.results(parts.engine, grant.owner, "emissions_report"):
            digest = row["statement_digest"].hex()
            start, end = row["interval_start"], row["interval_end"]
            if digest in seen or not (grant.period[0] <= start and end <= grant.period[1]):
                continue
            seen[digest] = {
                "party": grant.owner,
                "name": names[grant.owner]["name"],
                "org": names[grant.owner]["org"],
                "digest": digest,
                "level": grant.level,
                "start": format_instant(start),
                "end": format_instant(end),
                "total": row["body"]["totals"]["total"],
                "opinions": [
                    {"opinion": one["body"]["opinion"], "digest": one["statement_digest"].hex()}
                    for one in given
                    if one["body"]["report_digest"] == digest
                ],
            }
    return list(seen.values())


def _names(parts: Parts) -> dict[str, Mapping[str, Any]]:
    return {row["party"]: row for row in organisations.all_parties(parts.engine)}


def _row(parts: Parts, grant: Grant, names: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    owner, grantee = names.get(grant.owner, {}), names.get(grant.to, {})
    return {
        "digest": grant.digest.hex(),
        "party": grant.owner,
        "name": owner.get("name"),
        "org": owner.get("org"),
        "to": grant.to,
        "to_name": grantee.get("name"),
        "purpose": grant.purpose,
        "level": grant.level,
        "start": format_instant(grant.period[0]),
        "end": format_instant(grant.period[1]),
        "valid_until": format_instant(grant.valid[1]),
        "state": grant.state(parts.clock()).replace(" ", "_"),
    }


def _public_links(org: str | None, grant: Grant) -> list[dict[str, str]]:
    del grant
    return [] if org is None else [{"href": f"/published/{org}/grade", "text": "grade.noun"}]
