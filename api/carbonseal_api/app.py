"""The web service: routes of all domains, one handler that turns errors into problem details, OpenAPI.

Nothing is decided here. `create_app` takes the assembled parts, so that tests, the worker's host and
`carbonseal up` run the very same application.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from carbonseal_api.access_records.endpoints import router as access_records
from carbonseal_api.accounts.endpoints import router as accounts
from carbonseal_api.accounts.oauth2 import router as oauth2
from carbonseal_api.activity.endpoints import router as activity
from carbonseal_api.activity.page import router as activity_page
from carbonseal_api.assembly import Parts
from carbonseal_api.assets.endpoints import router as assets
from carbonseal_api.catalogue.endpoints import router as catalogue
from carbonseal_api.description import VERSION, describe
from carbonseal_api.devices.endpoints import router as devices
from carbonseal_api.engagements.endpoints import router as engagements
from carbonseal_api.epochs.endpoints import router as epochs
from carbonseal_api.evidence.act_endpoints import router as evidence_acts
from carbonseal_api.evidence.endpoints import router as evidence
from carbonseal_api.grades.endpoints import router as grades
from carbonseal_api.grants.endpoints import router as grants
from carbonseal_api.guard import guarded
from carbonseal_api.impacts.endpoints import router as impacts
from carbonseal_api.impacts.page import router as impacts_page
from carbonseal_api.inventories.endpoints import comparisons
from carbonseal_api.inventories.endpoints import router as inventories
from carbonseal_api.lineage.endpoints import router as lineage
from carbonseal_api.lineage.page import router as lineage_page
from carbonseal_api.logs.endpoints import router as logs
from carbonseal_api.logs.policies import router as log_policies
from carbonseal_api.logs.tile_endpoints import router as tiles
from carbonseal_api.operation.endpoints import router as service
from carbonseal_api.operation.metrics import Figures
from carbonseal_api.operation.request_log import HEADER as REQUEST_ID
from carbonseal_api.operation.request_log import RequestLog, request_id
from carbonseal_api.operation.standing_figures import StandingCollector
from carbonseal_api.organisations.endpoints import router as organisations
from carbonseal_api.permissions import shipped_table
from carbonseal_api.plans.endpoints import router as plans
from carbonseal_api.problems import (
    PROBLEM_CBOR,
    PROBLEM_JSON,
    ApiError,
    KeyUnknown,
    MethodNotAllowed,
    NotFound,
    RequestInvalid,
    ServiceUnavailable,
    problem_cbor,
    problem_json,
    status_of,
    wants_cbor,
)
from carbonseal_api.quality.endpoints import router as quality
from carbonseal_api.reconciliation.endpoints import router as reconciliation
from carbonseal_api.reports.endpoints import router as reports
from carbonseal_api.web.home_pages import router as homes
from carbonseal_api.web.pages import PAGE_PATHS, problem_page
from carbonseal_api.web.pages import router as pages
from carbonseal_api.witnesses.endpoints import router as witnesses
from carbonseal_attest.errors import CarbonsealError

_logger = logging.getLogger(__name__)


class InternalError(ApiError):
    """Something broke that is not the caller's doing."""

    code = "internal-error"
    status = 500


def create_app(parts: Parts) -> FastAPI:
    """Return the application over assembled parts."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        parts.registration_pool.shutdown(wait=False, cancel_futures=True)

    app = FastAPI(
        title="Carbonseal",
        version=VERSION,
        docs_url=None,  # the bundled pages load scripts from a third party
        redoc_url=None,
        redirect_slashes=False,  # one address a resource; another one is refused like any that is not there
        lifespan=lifespan,
        separate_input_output_schemas=False,
        # Requests are counted and logged by `operation`, which never shows what a body held. Left on, the
        # framework's own telemetry looks for a collector at each request, a sixth of a single upload's time.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.parts = parts
    app.state.figures = Figures(parts.health, [StandingCollector(parts.standing_figures, VERSION)])
    app.add_middleware(RequestLog, observe=app.state.figures.observe)
    routes = [*app.router.routes]
    for router in (
        service,
        tiles,  # before the logs' other routes, one of which ends in entries/{digest} too
        logs,
        log_policies,
        evidence,
        evidence_acts,
        organisations,
        accounts,
        oauth2,
        devices,
        plans,
        inventories,
        comparisons,
        quality,
        reports,
        engagements,
        epochs,
        witnesses,
        grants,
        access_records,
        catalogue,
        grades,
        assets,
        lineage,
        activity,
        impacts,
        reconciliation,
        lineage_page,
        activity_page,
        impacts_page,
        pages,
        homes,
    ):
        routes += router.routes
    # A tuple: nothing can be added later, beside the guard.
    app.router.routes = tuple(guarded(routes, shipped_table()))  # type: ignore[assignment]
    app.add_exception_handler(CarbonsealError, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(OperationalError, _on_database)
    app.add_exception_handler(Exception, _on_unknown)
    app.openapi = partial(_described, app)  # type: ignore[method-assign]
    return app


def _on_refusal(request: Request, error: Exception) -> Response:
    if not isinstance(error, CarbonsealError):
        return _on_unknown(request, error)
    figures: Figures = request.app.state.figures
    figures.refuse(error.code)
    if PAGE_PATHS.fullmatch(request.url.path) or _is_lost_browser(request, error):
        return problem_page(request, error)
    status = status_of(error)
    known = ' error="invalid_token"' if isinstance(error, KeyUnknown) else ""
    headers = {"WWW-Authenticate": f"Bearer{known}"} if status == 401 else {}
    if isinstance(wait := getattr(error, "retry_after_s", None), int):
        headers["Retry-After"] = str(wait)
    if wants_cbor(request.headers.get("accept", "")):
        concise = problem_cbor(error, request.url.path)
        return Response(concise, status, headers, media_type=PROBLEM_CBOR)
    return Response(problem_json(error, request.url.path), status, headers, media_type=PROBLEM_JSON)


def _is_lost_browser(request: Request, error: CarbonsealError) -> bool:
    """Whether somebody typed or followed a wrong address: no route of ours, and a page is what is wanted."""
    is_unknown = isinstance(error, NotFound) and error.field == "path"
    return is_unknown and "text/html" in request.headers.get("accept", "")


def _on_invalid(request: Request, error: Exception) -> Response:
    first: dict[str, Any] = error.errors()[0] if isinstance(error, RequestValidationError) else {}
    place = ".".join(str(part) for part in first.get("loc", ("request",)))
    reason = str(first.get("msg", "is not of the documented shape"))
    return _on_refusal(request, RequestInvalid(place, reason, "see /openapi.json for the shape"))


def _on_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        refusal: CarbonsealError = MethodNotAllowed(
            "method", f"{request.method} is not offered", "see /openapi.json"
        )
    elif status == 404:
        remedy = "begin at / for the pages, or see /openapi.json for the routes"
        refusal = NotFound("path", "no such route", remedy)
    else:
        refusal = RequestInvalid("request", f"refused with {status}", "see /openapi.json")
    response = _on_refusal(request, refusal)
    if status == 405:  # RFC 9110 §15.5.6: what the path does offer
        response.headers["Allow"] = ", ".join(_methods_of(request))
    return response


def _methods_of(request: Request) -> list[str]:
    app: FastAPI = request.app
    found = [route for route in app.routes if isinstance(route, Route)]
    matching = [route for route in found if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in matching for method in route.methods or ()})


def _on_database(request: Request, error: Exception) -> Response:
    _logger.error("database does not answer: %s", str(error).splitlines()[0])
    refusal = ServiceUnavailable("database", "does not answer", "send the same bytes again in a moment")
    response = _on_refusal(request, refusal)
    response.headers["Retry-After"] = "1"
    return response


def _on_unknown(request: Request, error: Exception) -> Response:
    known = request_id(request)
    fields = {"request_id": known}
    _logger.error("unexpected error on %s", request.url.path, exc_info=error, extra={"fields": fields})
    remedy = "try again; the operator has the details in the log"
    response = _on_refusal(request, InternalError("service", "an unexpected error", remedy))
    # Answered outside of everything else, the request log included.
    response.headers.setdefault(REQUEST_ID, known)
    return response


def _described(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        parts: Parts = app.state.parts
        app.openapi_schema = describe(app, shipped_table(), parts.settings.address)
    return app.openapi_schema
