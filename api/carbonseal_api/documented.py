"""OpenAPI pieces that routes share: the problem details of each status, and bodies that are not JSON."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from carbonseal_api.problems import PROBLEM_JSON

MEANING: Final[dict[int, str]] = {
    400: "The input was refused; code, field, reason and remedy say why.",
    401: "No API key, or one that is not known.",
    403: "The key's role, or the statement's signer, may not do this.",
    404: "No such resource for this caller.",
    409: "It contradicts what is already logged.",
    410: "It was erased on authority.",
    413: "The body is longer than this route takes.",
    415: "The media type is not taken here.",
    422: "The input does not have the documented shape, or contradicts itself.",
    429: "The log takes no more for now; `Retry-After` says when it will. Nothing was kept.",
    503: "A part that the call needs does not answer.",
}
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
COSE_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {"application/cose": _BINARY, "application/cbor": _BINARY},
}
CBOR_BODY: Final[dict[str, Any]] = {"required": True, "content": {"application/cbor-seq": _BINARY}}
ANY_BODY: Final[dict[str, Any]] = {"required": True, "content": {"application/octet-stream": _BINARY}}


class ProblemDetails(BaseModel):
    """Problem details (RFC 9457) with the members that every refusal of ours has."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="`urn:carbonseal:problem:<code>`")
    title: str
    status: int
    detail: str = Field(description="field: reason; remedy")
    instance: str = Field(description="The path that was called.")
    code: str = Field(description="Stable, for programs.")
    field: str = Field(description="The place.")
    reason: str
    remedy: str = Field(description="What to do about it.")


Responses = dict[int | str, dict[str, Any]]


def answers(media_type: str, description: str, *statuses: int) -> Responses:
    """Return the OpenAPI responses of a route that answers 200 with bytes of a media type, and its errors."""
    made: Responses = {200: {"content": {media_type: {}}, "description": description}}
    return made | problems(*statuses)


def problems(*statuses: int) -> Responses:
    """Return the OpenAPI responses of the given error statuses."""
    reference = {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
    return {
        status: {"description": MEANING[status], "content": {PROBLEM_JSON: reference}} for status in statuses
    }
