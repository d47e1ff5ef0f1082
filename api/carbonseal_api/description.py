"""The OpenAPI description (3.1): what is drawn from the routes, completed by what all of them have in common.

Each route says its own parameters, bodies, answers and refusals. What the permission table, the guard and the
handlers add to every route is added here, once: who may call, the refusals that any call can meet, stable
names of operations, the address of the service, the licence. Pages are not described.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel

from carbonseal_api.authentication import ROLES
from carbonseal_api.documented import ProblemDetails, problems
from carbonseal_api.guard import takes_key
from carbonseal_api.permissions import PermissionTable, Rule

VERSION: Final = "0.1.0"
DESCRIPTION: Final = (
    "Signed statements in append-only logs, receipts and proofs; organisations, devices, inventories, data "
    "codes and emissions reports drawn from them, and what others may see of it. Errors are problem details "
    "(RFC 9457) with code, field, reason and remedy; docs/spec/problems.md lists the codes. How to begin: "
    "docs/how-to/use-the-api.md."
)
LICENCE: Final = {"name": "Apache License 2.0", "identifier": "Apache-2.0"}
TAGS: Final[dict[str, str]] = {
    "logs": "Registering signed statements; receipts, checkpoints, tiles and proofs.",
    "evidence": "Contents, documents, stated values, corrections, withdrawals, statements taken apart.",
    "organisations": "Parties as the registrar admitted them, and their API keys.",
    "accounts": "OAuth2 clients, access tokens, persons.",
    "devices": "Enrolled devices, meters, load curves.",
    "plans": "Monitoring plans.",
    "inventories": "Monthly inventories; declared values beside metered ones.",
    "quality": "Data codes (数据红绿码).",
    "reports": "Emissions reports: figures, report.json, PDF, evidence bundle.",
    "engagements": "What a verification body may verify, and opinions on reports.",
    "epochs": "Epochs with their anchors, and jobs of the service.",
    "grants": "Who may see what of an organisation, and what is shown to everybody.",
    "access records": "Who asked for what of an organisation.",
    "catalogue": "What the registrar published: packages and industry means.",
    "grades": "Low-carbon grades (低碳等级) with their proof.",
    "assets": "Carbon-asset records, which are not tokens, and the acts on them.",
    "lineage": "What a figure rests on, and what rests on it.",
    "impacts": "What no longer stands, and what made it stand again.",
    "activity": "Who did what, and when.",
    "service": "The service itself.",
}
IDEMPOTENCY_KEY: Final[dict[str, Any]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": r"^[\x21\x23-\x7e]+$"},
    "description": "Sent again with the same request within a day, it gives the first answer once more.",
}
_NEXT_PAGE: Final[dict[str, Any]] = {
    "description": 'Where the next page is, `<…>; rel="next"` (RFC 8288); none on the last page.',
    "schema": {"type": "string"},
}
_UNSAID: Final = "Successful Response"  # what FastAPI writes where a route says nothing
_TOKEN: Final = "/oauth2/token"  # noqa: S105 - a path; its errors are those of RFC 6749 §5.2


def describe(app: FastAPI, table: PermissionTable, address: str) -> dict[str, Any]:
    """Return the description of an application, whose guard follows `table`, at an address without a path."""
    routes = [route for route in app.routes if isinstance(route, APIRoute) and route.include_in_schema]
    described = get_openapi(
        title=app.title,
        version=VERSION,
        description=DESCRIPTION,
        license_info=LICENCE,
        servers=[{"url": address}],
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        routes=routes,
    )
    schemas = described.setdefault("components", {}).setdefault("schemas", {})
    schemas["ProblemDetails"] = ProblemDetails.model_json_schema()
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own shape of a 422
        schemas.pop(unused, None)
    _restore_examples(schemas)
    described["components"]["securitySchemes"] = _security_schemes(address)
    for route in routes:
        for method in route.methods or ():
            operation = described["paths"][route.path_format][method.lower()]
            rule = table.rule(method, route.path)
            operation |= {"operationId": route.name, "security": _security(rule)}
            if route.path != _TOKEN:
                _complete(operation, rule, is_repeatable=takes_key(route, rule))
    return described


def _restore_examples(schemas: dict[str, Any]) -> None:
    # FastAPI leaves out every null of the description, those of the examples too, which then fit no more.
    waiting: list[type[BaseModel]] = BaseModel.__subclasses__()
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        shown = model.model_config.get("json_schema_extra")
        is_ours = model.__module__.startswith("carbonseal_api.") and model.__name__ in schemas
        if is_ours and isinstance(shown, dict) and "examples" in shown:
            schemas[model.__name__]["examples"] = shown["examples"]


def _security_schemes(address: str) -> dict[str, Any]:
    flow = {"tokenUrl": f"{address}{_TOKEN}", "scopes": ROLES}
    return {
        "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key of your organisation."},
        "clientCredentials": {
            "type": "oauth2",
            "description": "An access token for a quarter of an hour; its scopes are roles.",
            "flows": {"clientCredentials": flow},
        },
    }


def _security(rule: Rule | None) -> list[dict[str, list[str]]]:
    """Return the alternatives by which an operation may be called: an API key, or a token with a role."""
    if rule is None or rule.is_public:
        return []
    return [{"apiKey": []}, *({"clientCredentials": [role]} for role in sorted(rule.roles))]


def _complete(operation: dict[str, Any], rule: Rule | None, *, is_repeatable: bool) -> None:
    """Add what every route has: refusals, the key of a repeated write, the link to the next page."""
    answers: dict[str, Any] = operation["responses"]
    parameters: list[dict[str, Any]] = operation.get("parameters", [])
    added = {503}  # the database, whatever the route does
    if rule is None or not rule.is_public:
        added |= {401, 403}
    if "application/json" in operation.get("requestBody", {}).get("content", {}):
        added |= {413, 422}
    if is_repeatable:
        operation["parameters"] = [*parameters, IDEMPOTENCY_KEY]
        added |= {409, 422}
    for status, answer in answers.items():
        if status.startswith("2") and answer["description"] == _UNSAID:
            answer["description"] = f"{operation['summary']}."
    if {"limit", "cursor"} <= {parameter["name"] for parameter in parameters}:
        answers["200"]["headers"] = {"Link": _NEXT_PAGE}
    if "422" in answers:  # FastAPI documents its own shape; ours is a problem like any other
        del answers["422"]
        added.add(422)
    known: dict[str, Any] = {str(status): answer for status, answer in problems(*added).items()}
    operation["responses"] = dict(sorted((known | answers).items()))
