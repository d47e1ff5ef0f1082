"""Gathers the pages of supervisors (regulator, registrar, log host) and of the public; no SQL, no HTML."""

from __future__ import annotations

from typing import Any

from carbonseal_api.assembly import Parts
from carbonseal_api.assets.agreement import newest
from carbonseal_api.assets.schemas import AgreementView
from carbonseal_api.authentication import Principal
from carbonseal_api.organisations import service as organisations
from carbonseal_api.overview import service as overview
from carbonseal_api.quality import queries as results
from carbonseal_api.web.disclosures import published_rows
from carbonseal_attest.instants import format_instant
from carbonseal_ledger.chain_answers import ChainUnreachable


def supervision_page(parts: Parts, party: str, principal: Principal) -> dict[str, Any]:
    """Return what a supervisor sees: where every organisation stands, and whether the records agree.

    A registrar that is no regulator admits organisations, and sees none of their figures.
    """
    standings = overview.standings(parts) if principal.sees_all else []
    return {
        "organisation": organisations.organisation(parts, party),
        "standings": standings,
        "red": sum(1 for row in standings if row.code == "red"),
        "marked": sum(1 for row in standings if row.open_marks),
        "institutions": overview.institutions(parts),
        "agreement": _agreement(parts, principal),
        "reconciliation": parts.holding.book.standing(),
    }


def public_page(parts: Parts) -> dict[str, Any]:
    """Return what everybody may see: heads, anchor, packages, means, institutions, and what was published."""
    parts.projections.refresh()
    head = parts.host.head(parts.host.log_of_logs)
    epochs = parts.host.epochs(max(1, head.tree_size - 1))
    anchor = None
    if parts.anchors is not None and epochs:
        anchor = parts.anchors.anchor_of(epochs[-1].tree_size)
    return {
        "head": head,
        "anchor": anchor,
        "emitters": len(overview.standings(parts)),
        "published": published_rows(parts),
        "packages": [_package(row) for row in results.results(parts.engine, parts.registrar, "method")],
        "means": [_mean(row) for row in results.results(parts.engine, parts.registrar, "industry_mean")],
        "institutions": overview.institutions(parts),
    }


def _agreement(parts: Parts, principal: Principal) -> AgreementView | None:
    """Return the newest comparison of the asset records, None where none are kept or the chain is away."""
    if parts.assets is None:
        return None
    try:
        return newest(parts, parts.assets, principal)
    except ChainUnreachable:
        return None


def _package(row: Any) -> dict[str, str]:
    body = row["body"]
    return {
        "id": body["id"],
        "type": body["type"],
        "status": body["status"],
        "since": format_instant(body["effective"]["start"]),
        "digest": body["package_digest"],
    }


def _mean(row: Any) -> dict[str, str]:
    body = row["body"]
    return {
        "industry": body["industry"],
        "start": format_instant(body["period"]["start"]),
        "end": format_instant(body["period"]["end"]),
        "value": body["quantity"]["value"],
        "unit": body["quantity"]["unit"],
        "source": body["source"],
    }
