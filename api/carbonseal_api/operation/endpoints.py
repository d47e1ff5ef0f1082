"""Routes for whoever runs the service: alive, ready, metrics, status."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from carbonseal_api.description import VERSION
from carbonseal_api.documented import answers, problems
from carbonseal_api.health import HealthBook, State, worst
from carbonseal_api.incoming import parts_of
from carbonseal_api.operation.metrics import CONTENT_TYPE, Figures
from carbonseal_api.problems import ApiError
from carbonseal_api.web.rendering import page, page_language

router = APIRouter(tags=["service"])
_FRESH: Final = {"Cache-Control": "no-store"}


class Health(BaseModel):
    """That the process answers."""

    status: str = Field(description="ok; a process that cannot say so is to be restarted", examples=["ok"])
    version: str


class Component(BaseModel):
    """How one part of the service does."""

    name: str = Field(description="Stable name.", examples=["database"])
    state: State = Field(description="off (not part of this deployment), ok, degraded or down")
    is_needed: bool = Field(description="Whether a replica takes no calls while it is down.")
    code: str = Field(description="Stable name of the reason, empty when all is well.")
    reason: str = Field(description="The reason in words, empty when all is well.")


class ServiceStatus(BaseModel):
    """How the service does, part by part; at most a few seconds old."""

    state: State = Field(description="The worst state of all components.")
    is_ready: bool = Field(description="Whether this replica takes calls.")
    version: str
    components: list[Component]


class NotReady(ApiError):
    """A needed component is down: this replica takes no calls until it is back."""

    code = "not-ready"
    status = 503

    def __init__(self, found: ServiceStatus) -> None:
        down = [one.name for one in found.components if one.is_needed and one.state is State.DOWN]
        super().__init__(", ".join(down), "down", "ask another replica; docs/how-to/operate-the-service.md")
        self.members = {"components": [one.model_dump(mode="json") for one in found.components]}


@router.get("/health", summary="Whether the process answers")
async def get_health() -> Health:
    """Answer whenever the process runs; nothing else is asked, so that a lost database restarts nobody."""
    return Health(status="ok", version=VERSION)


@router.get(
    "/ready",
    summary="Whether this replica takes calls",
    responses=problems(503),
)
async def get_readiness(request: Request) -> ServiceStatus:
    """Answer while no needed component is down, refuse else; for load balancers and supervisors."""
    found = await run_in_threadpool(_status, parts_of(request).health)
    if not found.is_ready:
        raise NotReady(found)
    return JSONResponse(found.model_dump(mode="json"), headers=_FRESH)  # type: ignore[return-value]


@router.get(
    "/status",
    summary="How the service does, part by part",
    responses={200: {"content": {"text/html": {}}, "description": "JSON, or a page for a browser."}},
)
async def get_status(request: Request) -> ServiceStatus:
    """Return the state of each component with its reason; a browser gets a page. Public."""
    found = await run_in_threadpool(_status, parts_of(request).health)
    if "text/html" in request.headers.get("accept", ""):
        return page(request, "status.html.j2", lang=page_language(request), status_of_service=found)  # type: ignore[return-value]
    return JSONResponse(found.model_dump(mode="json"), headers=_FRESH)  # type: ignore[return-value]


@router.get(
    "/metrics",
    summary="Metrics",
    responses=answers("text/plain", "The Prometheus text format."),
    response_class=Response,
)
async def get_metrics(request: Request) -> Response:
    """Return counters and the deployment's standing in the Prometheus text format; no label names a party."""
    figures: Figures = request.app.state.figures
    return Response(await run_in_threadpool(figures.text), headers=_FRESH, media_type=CONTENT_TYPE)


def _status(book: HealthBook) -> ServiceStatus:
    seen = book.look()
    components = [
        Component(
            name=one.name,
            state=seen[one.name].state,
            is_needed=one.is_needed,
            code=seen[one.name].code,
            reason=seen[one.name].reason,
        )
        for one in book.components()
        if one.name in seen
    ]
    is_ready = not any(one.is_needed and one.state is State.DOWN for one in components)
    return ServiceStatus(state=worst(seen), is_ready=is_ready, version=VERSION, components=components)
