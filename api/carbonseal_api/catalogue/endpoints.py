"""Public routes of the catalogue: what the registrar published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from carbonseal_api.assembly import Parts
from carbonseal_api.catalogue import service
from carbonseal_api.catalogue.industry_means import check_industry, means
from carbonseal_api.catalogue.schemas import IndustryMean, PublishedPackage
from carbonseal_api.documented import problems
from carbonseal_api.incoming import parts_of
from carbonseal_api.paging import Paging
from carbonseal_attest.instants import format_instant

router = APIRouter(prefix="/catalogue", tags=["catalogue"])

Industry = Annotated[str | None, Query(max_length=5, description="GB/T 4754, such as C31.")]


@router.get("/packages", summary="Published packages", responses=problems(422))
async def list_packages(request: Request, page: Paging) -> list[PublishedPackage]:
    """Return the methods, factor sets, quality profiles and grade rules, newest statement first."""
    rows = await run_in_threadpool(service.published_packages, parts_of(request))
    return [_package(row) for row in page.cut(rows, _order, newest_first=True)]


@router.get("/industry-means", summary="Industry means", responses=problems(422))
async def list_industry_means(
    request: Request, page: Paging, industry: Industry = None
) -> list[IndustryMean]:
    """Return the standing industry means, newest first; of two about the same period the first one counts."""
    parts: Parts = parts_of(request)
    if industry is not None:
        check_industry(industry, "industry")
    rows = await run_in_threadpool(means, parts, industry=industry)
    return [_mean(row) for row in page.cut(rows, _order, newest_first=True)]


def _order(row: Mapping[str, Any]) -> tuple[int, int]:
    return row["registered_at"], row["entry_index"]


def _package(row: Mapping[str, Any]) -> PublishedPackage:
    body = row["body"]
    end = body["effective"]["end"]
    return PublishedPackage(
        id=body["id"],
        type=body["type"],
        package_digest=body["package_digest"],
        status=body["status"],
        effective_start=format_instant(body["effective"]["start"]),
        effective_end=None if end is None else format_instant(end),
        statement_digest=row["statement_digest"].hex(),
        registered_at=format_instant(row["registered_at"]),
    )


def _mean(row: Mapping[str, Any]) -> IndustryMean:
    body = row["body"]
    return IndustryMean(
        industry=body["industry"],
        start=format_instant(body["period"]["start"]),
        end=format_instant(body["period"]["end"]),
        value=body["quantity"]["value"],
        unit=body["quantity"]["unit"],
        source=body["source"],
        statement_digest=row["statement_digest"].hex(),
        registered_at=format_instant(row["registered_at"]),
    )
