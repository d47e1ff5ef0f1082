"""Draws what impact statements mark: one row for each thing that is affected, or cured."""

from __future__ import annotations

from carbonseal_api.projections.rows import Projected, Rows
from carbonseal_api.projections.tables import MARKS


def marks_of(rows: Rows, one: Projected) -> None:
    """Add the rows of one impact statement."""
    body = one.content.body
    for position, affected in enumerate(body["affected"]):
        rows.add(
            MARKS,
            {
                "impact_digest": one.entry.digest,
                "position": position,
                "issuer": one.party,
                "state": body["state"],
                "cause": body["cause"],
                "cause_digest": body["cause_digest"],
                "cures": body["cures"],
                "kind": affected["kind"],
                "party": affected["party"],
                "digest": affected["digest"],
                "registered_at": one.entry.registered_at,
            },
        )
