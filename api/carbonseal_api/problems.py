"""Errors of the service, and their form over HTTP: problem details of RFC 9457.

Every refusal names a stable code, the place (`field`), the reason and the remedy. Errors of the other
rooms pass through with their own codes; the table below gives their HTTP status. Unknown exceptions stay
500s and say nothing about the inside. For SCRAPI clients that ask for it the same problem is answered as
CBOR (concise problem details, RFC 9290).
"""

from __future__ import annotations

import json
from typing import Any, Final

from carbonseal_attest import cbor
from carbonseal_attest.errors import CarbonsealError

PROBLEM_JSON: Final = "application/problem+json"
PROBLEM_CBOR: Final = "application/concise-problem-details+cbor"
TYPE_PREFIX: Final = "urn:carbonseal:problem:"


class ApiError(CarbonsealError):
    """Root of this room's errors."""

    code = "api-error"
    status = 400


class WordingMissing(ApiError):
    """A sentence or a language is not in the catalogue."""

    code = "wording-missing"
    status = 400


class FontMissing(ApiError):
    """The typeface with Chinese characters is not installed."""

    code = "font-missing"
    status = 503


class ReportInvalid(ApiError):
    """A report's inputs contradict each other, or a report.json is not one of ours."""

    code = "report-invalid"
    status = 422


class SettingsInvalid(ApiError):
    """A setting is unknown or out of range."""

    code = "settings-invalid"
    status = 500


class KeyMissing(ApiError):
    """The call carries no credential."""

    code = "api-key-missing"
    status = 401


class KeyUnknown(ApiError):
    """The API key or access token is not one of ours, ended, or was withdrawn."""

    code = "api-key-unknown"
    status = 401


class RoleMissing(ApiError):
    """The key's role does not allow the call, or the resource belongs to another organisation."""

    code = "role-missing"
    status = 403


class PartyNotAdmitted(ApiError):
    """The account's party is not admitted, or was suspended or removed: its accounts do not work."""

    code = "party-not-admitted"
    status = 403


class PermissionMissing(ApiError):
    """A route stands in no row of the permission table; nobody may call it."""

    code = "permission-missing"
    status = 403


class BodyTooLarge(ApiError):
    """A request body is larger than its route takes."""

    code = "body-too-large"
    status = 413


class RequestInvalid(ApiError):
    """A path, query or body does not have the documented shape."""

    code = "request-invalid"
    status = 422


class MediaTypeRefused(ApiError):
    """The content type of a body is not the one that the route takes."""

    code = "media-type-refused"
    status = 415


class NotFound(ApiError):
    """There is no such resource for this caller."""

    code = "not-found"
    status = 404


class MethodNotAllowed(ApiError):
    """The route exists, the method does not."""

    code = "method-not-allowed"
    status = 405


class ServiceUnavailable(ApiError):
    """A part that the call needs (database, chain, queue) does not answer."""

    code = "service-unavailable"
    status = 503


class LogHostClosed(ApiError):
    """The log host of this data folder was closed, and another one goes on."""

    code = "log-host-closed"
    status = 503


class PartMissing(ApiError):
    """A program that `carbonseal up` starts is not installed or did not come up."""

    code = "part-missing"
    status = 503


# The status of the other rooms' refusals by their stable code. Anything else that is our error is a 400:
# the caller sent something that a room refused.
STATUS_BY_CODE: Final[dict[str, int]] = {
    "body-too-large": 413,
    "unknown-party": 403,
    "unknown-device": 403,
    "key-stale": 403,
    "role-missing": 403,
    "subject-not-permitted": 403,
    "log-reserved": 403,
    "sequence-gap": 409,
    "sequence-reused": 409,
    "previous-wrong": 409,
    "policy-refused": 409,
    "erasure-refused": 403,
    "rate-limited": 429,
    "epoch-refused": 409,
    "epoch-pending": 409,
    "genesis-refused": 409,
    "anchor-not-ready": 409,
    "content-missing": 422,
    "content-contradicts-header": 422,
    "content-erased": 410,
    "log-unknown": 404,
    "entry-unknown": 404,
    "content-unknown": 404,
    "method-unknown": 404,
    "grade-rule-unknown": 404,
    "asset-act-invalid": 422,
    "asset-conflict": 409,
    "asset-member-key-missing": 503,
    "assets-not-ready": 503,
    "chain-refused": 503,
    "chain-unreachable": 503,
    "database-unusable": 503,
    "clock-went-back": 503,
    "log-key-retired": 503,
    "publication-failed": 503,
    "rollback-detected": 503,
    "copy-unreachable": 503,
    "outside-unreachable": 503,
    "log-damaged": 500,
}


def status_of(error: CarbonsealError) -> int:
    """Return the HTTP status of an error: its own, or the one of its code, else 400."""
    if isinstance(error, ApiError):
        return error.status
    return STATUS_BY_CODE.get(error.code, 400)


def problem_body(error: CarbonsealError, instance: str) -> dict[str, Any]:
    """Return the problem details of an error as RFC 9457 members plus `code`, `field`, `reason`, `remedy`.

    An error that has `members` adds them as extension members.
    """
    return {
        **getattr(error, "members", {}),
        "type": TYPE_PREFIX + error.code,
        "title": error.code.replace("-", " "),
        "status": status_of(error),
        "detail": str(error),
        "instance": instance,
        "code": error.code,
        "field": error.field,
        "reason": error.reason,
        "remedy": error.remedy,
    }


def wants_cbor(accept: str) -> bool:
    """Return whether a caller's `Accept` asks for CBOR: of the problem itself, or of whatever is answered.

    SCRAPI clients name `application/cose` or `application/cbor`; who names a JSON type too gets JSON.
    """
    named = {one.partition(";")[0].strip().lower() for one in accept.split(",")}
    return PROBLEM_CBOR in named or (
        bool(named & {"application/cose", "application/cbor"})
        and not named & {"application/json", PROBLEM_JSON}
    )


def problem_cbor(error: CarbonsealError, instance: str) -> bytes:
    """Return the concise problem details (RFC 9290): title, detail, instance, status; ours under our URI."""
    ours = {"code": error.code, "field": error.field, "reason": error.reason, "remedy": error.remedy}
    return cbor.encode(
        {
            -1: error.code.replace("-", " "),
            -2: str(error),
            -3: instance,
            -4: status_of(error),
            TYPE_PREFIX + error.code: ours,
        }
    )


def problem_json(error: CarbonsealError, instance: str) -> bytes:
    """Return the problem details as JSON bytes."""
    return json.dumps(problem_body(error, instance), ensure_ascii=False, separators=(",", ":")).encode()
