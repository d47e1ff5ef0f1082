"""OAuth2 clients of parties and their access tokens (RFC 6749 §4.4, RFC 6750).

A client's secret and its tokens are 32 random bytes; only SHA-256 hashes are stored. A token carries no data:
it is looked up at each call, so withdrawing its client ends it, within the two seconds that a process
remembers. Leaves out the form of the token request, which is `oauth2`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from carbonseal_api.accounts.models import AccessToken, Client
from carbonseal_api.assembly import Parts
from carbonseal_api.problems import ApiError, NotFound

TOKEN_SECONDS: Final = 900  # a stolen token is worth a quarter of an hour
_CLIENT_ID: Final = re.compile(r"c-[0-9a-f]{16}")


class ClientUnknown(ApiError):
    """No such client, a wrong secret, or it was withdrawn: all three look alike."""

    code = "client-unknown"
    status = 401


@dataclass(frozen=True, slots=True)
class NewClient:
    """A client that was just made; the secret is shown this once."""

    client_id: str
    client_secret: str
    party: str
    roles: list[str]


def add_client(parts: Parts, party: str, roles: Iterable[str], label: str) -> NewClient:
    """Make a client of a party.

    Raises:
        RequestInvalid: A role is unknown, or there is none.
        PartyNotAdmitted, RoleMissing: The party was not admitted for the roles.
    """
    chosen = parts.keys.check_roles(party, roles)
    made = NewClient(f"c-{secrets.token_hex(8)}", secrets.token_urlsafe(32), party, chosen)
    with Session(parts.engine) as session, session.begin():
        session.add(
            Client(
                client_id=made.client_id,
                secret_hash=_hash(made.client_secret),
                party=party,
                roles=chosen,
                label=label,
                created_at=parts.clock(),
                withdrawn_at=None,
            )
        )
    return made


def withdraw_client(parts: Parts, client_id: str, party: str | None = None) -> None:
    """Make a client useless from now on, and its tokens with it.

    Raises:
        NotFound: No such client, or of another party than the one given.
    """
    wanted = update(Client).where(Client.client_id == client_id, Client.withdrawn_at.is_(None))
    if party is not None:
        wanted = wanted.where(Client.party == party)
    with Session(parts.engine) as session, session.begin():
        changed = session.execute(wanted.values(withdrawn_at=parts.clock()).returning(Client.client_id)).all()
        session.execute(delete(AccessToken).where(AccessToken.client_id.in_([row[0] for row in changed])))
    if not changed:
        raise NotFound("client_id", "no such client", "list the clients of the organisation")
    parts.keys.forget()


def clients_of(parts: Parts, party: str) -> list[Client]:
    """Return the clients of a party, newest first."""
    query = select(Client).where(Client.party == party)
    with Session(parts.engine) as session:
        return list(session.scalars(query.order_by(Client.created_at.desc(), Client.client_id)))


def authenticate_client(parts: Parts, client_id: str, secret: str) -> Client:
    """Return the client that knows its secret.

    Raises:
        ClientUnknown: No such client, withdrawn, or the secret is wrong.
    """
    row: Client | None = None
    if _CLIENT_ID.fullmatch(client_id):
        with Session(parts.engine) as session:
            row = session.get(Client, client_id)
    # The comparison runs whether or not there is such a client, so that time does not tell.
    stored = row.secret_hash if row is not None else bytes(32)
    if not hmac.compare_digest(stored, _hash(secret)) or row is None or row.withdrawn_at is not None:
        raise ClientUnknown("client_id", "client or secret are not known here", "ask for the client anew")
    return row


def issue_token(parts: Parts, client: Client, roles: Iterable[str]) -> str:
    """Return a new access token of a client with some of its roles, good for `TOKEN_SECONDS`."""
    token, now = f"cst_{secrets.token_urlsafe(32)}", parts.clock()
    with Session(parts.engine) as session, session.begin():
        session.execute(delete(AccessToken).where(AccessToken.expires_at < now))
        session.add(
            AccessToken(
                token_hash=_hash(token),
                client_id=client.client_id,
                roles=sorted(set(roles)),
                expires_at=now + TOKEN_SECONDS * 1000,
            )
        )
    return token


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
