"""`POST /oauth2/token`: the client credentials grant, RFC 6749 §4.4, with its own errors (§5.2).

Client authentication by `client_secret_basic` or `client_secret_post`, never both; roles are the scopes
(§3.3); `resource` (RFC 8707) names this service or is left out. The answer is not to be stored. Leaves out
every other grant, refresh tokens and metadata.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from carbonseal_api.accounts import clients
from carbonseal_api.accounts.clients import TOKEN_SECONDS, ClientUnknown
from carbonseal_api.accounts.schemas import OAuthError, TokenAnswer
from carbonseal_api.assembly import Parts
from carbonseal_api.documented import problems
from carbonseal_api.incoming import parts_of, read_body
from carbonseal_api.problems import ApiError, PartyNotAdmitted

router = APIRouter(tags=["accounts"])

MAX_FORM: Final = 4096  # bytes of a token request
_MAX_FIELDS: Final = 16
_FORM: Final = "application/x-www-form-urlencoded"
_HEADERS: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_TOKEN_FORM: Final = {
    "type": "object",
    "required": ["grant_type"],
    "properties": {
        "grant_type": {"type": "string", "const": "client_credentials"},
        "scope": {
            "type": "string",
            "description": "Roles, separated by spaces; left out: all of the client.",
        },
        "resource": {"type": "string", "description": "The address of this service, or left out."},
        "client_id": {"type": "string", "description": "Without HTTP Basic authentication."},
        "client_secret": {"type": "string", "format": "password"},
    },
    "examples": [{"grant_type": "client_credentials", "scope": "bank"}],
}


class TokenRefused(ApiError):
    """A token request was refused; `error` is the code of RFC 6749 §5.2 or RFC 8707."""

    code = "token-refused"

    def __init__(self, error: str, reason: str, *, status: int = 400, asks_basic: bool = False) -> None:
        super().__init__("form", reason, "see RFC 6749, section 4.4")
        self.error, self.asks_basic = error, asks_basic
        self.answer_status = status


@dataclass(frozen=True, slots=True)
class _Asked:
    client_id: str
    secret: str
    is_basic: bool
    form: dict[str, str]


@router.post(
    "/oauth2/token",
    summary="Access token for client credentials",
    response_model=TokenAnswer,
    responses={
        400: {"model": OAuthError, "description": "Refused; `error` says why (RFC 6749 §5.2)."},
        401: {"model": OAuthError, "description": "Client or secret are not known."},
        **problems(413, 503),
    },
    openapi_extra={
        "requestBody": {"required": True, "content": {_FORM: {"schema": _TOKEN_FORM}}},
        "security": [],
    },
)
async def issue_token(request: Request) -> Response:
    """Give an access token for a quarter of an hour to a client that knows its secret (RFC 6749 §4.4)."""
    try:
        body = await read_body(request, MAX_FORM, what="form")
        asked = _read(request, body)
        answer = await run_in_threadpool(_grant, parts_of(request), asked)
    except TokenRefused as refusal:
        request.app.state.figures.refuse(refusal.code)
        headers = dict(_HEADERS)
        if refusal.asks_basic:
            headers["WWW-Authenticate"] = 'Basic realm="carbonseal", charset="UTF-8"'
        told = {"error": refusal.error, "error_description": refusal.reason}
        return _json(told, refusal.answer_status, headers)
    return _json(answer, 200, _HEADERS)


def _grant(parts: Parts, asked: _Asked) -> dict[str, object]:
    try:
        client = clients.authenticate_client(parts, asked.client_id, asked.secret)
        standing = parts.keys.within(client.party, client.roles)
    except (ClientUnknown, PartyNotAdmitted) as refusal:
        raise _unknown(asks_basic=asked.is_basic) from refusal
    if asked.form.get("grant_type") != "client_credentials":
        wrong = "unsupported_grant_type" if asked.form.get("grant_type") else "invalid_request"
        raise TokenRefused(wrong, "grant_type must be client_credentials")
    resource = asked.form.get("resource")
    if resource is not None and resource.rstrip("/") != parts.settings.address:
        raise TokenRefused("invalid_target", "this service gives no tokens for that resource")
    roles = frozenset(asked.form["scope"].split(" ")) if "scope" in asked.form else standing
    if not roles or not roles <= standing:
        raise TokenRefused("invalid_scope", "the client has not got every role that was asked for")
    return {
        "access_token": clients.issue_token(parts, client, roles),
        "token_type": "Bearer",
        "expires_in": TOKEN_SECONDS,
        "scope": " ".join(sorted(roles)),
    }


def _read(request: Request, body: bytes) -> _Asked:
    stated = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if stated != _FORM or request.url.query:
        raise TokenRefused("invalid_request", f"send a form as {_FORM}, and nothing in the address")
    try:
        pairs = parse_qsl(body.decode("ascii"), errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError as problem:
        raise TokenRefused("invalid_request", "the form cannot be read") from problem
    form = dict(pairs)
    if len(form) != len(pairs):
        raise TokenRefused("invalid_request", "a parameter stands twice")
    sent = request.headers.getlist("authorization")
    if sent and ("client_secret" in form or len(sent) > 1):
        raise TokenRefused("invalid_request", "the client authenticates in more than one way")
    if sent:
        client_id, secret = _basic(sent[0])
        if form.get("client_id", client_id) != client_id:
            raise TokenRefused("invalid_request", "two clients are named")
        return _Asked(client_id, secret, is_basic=True, form=form)
    if "client_id" not in form or "client_secret" not in form:
        raise _unknown(asks_basic=True)
    return _Asked(form["client_id"], form["client_secret"], is_basic=False, form=form)


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise _unknown(asks_basic=True)
        client_id, colon, secret = (
            base64.b64decode(encoded.strip(), validate=True).decode("ascii").partition(":")
        )
    except (binascii.Error, UnicodeDecodeError) as problem:
        raise _unknown(asks_basic=True) from problem
    if not colon:
        raise _unknown(asks_basic=True)
    return unquote_plus(client_id), unquote_plus(secret)  # RFC 6749 §2.3.1: encoded as in a form


def _unknown(*, asks_basic: bool) -> TokenRefused:
    return TokenRefused(
        "invalid_client", "client or secret are not known here", status=401, asks_basic=asks_basic
    )


def _json(value: Mapping[str, object], status: int, headers: dict[str, str]) -> Response:
    return Response(json.dumps(value), status, headers, media_type="application/json")
