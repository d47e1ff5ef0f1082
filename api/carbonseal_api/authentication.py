"""Who calls: API keys and access tokens, stored hashed, compared in constant time, refused by default.

A key reads `csk_<id>_<secret>`, a token `cst_<secret>`, the secret being 32 random bytes, so that a plain
SHA-256 of it is stored: there is no dictionary to try. A program with an OAuth2 client (`accounts.clients`)
and a person (`accounts.persons`) end in the same `Principal`.

Which route takes which roles stands in the permission table (`permissions.toml`); there is no default. A
caller sees its own organisation's resources, and all of them in a role that reaches everywhere. A foreign
resource answers like a missing one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from carbonseal_api.accounts.models import AccessToken, Client, Person
from carbonseal_api.database import ApiKey
from carbonseal_api.problems import (
    KeyMissing,
    KeyUnknown,
    NotFound,
    PartyNotAdmitted,
    RequestInvalid,
    RoleMissing,
)
from carbonseal_api.standing import Standing
from carbonseal_attest.instants import Clock

# What each role is for. `operator` is the log host's own staff, not the emitting enterprise.
ROLES: Final[dict[str, str]] = {
    "gateway": "uploads statements and contents of its organisation",
    "enterprise": "reads and writes everything of its organisation",
    "reader": "reads everything of its organisation",
    "operator": "runs the log host: organisations, keys, epochs",
    "verification_body": "verifies reports: reads under grants, writes to its own logs",
    "bank": "asks for grades, under grants",
    "regulator": "reads every organisation",
    "registrar": "admits parties, and reads who they are",
    "laboratory": "files laboratory reports in its own logs",
}
_KEY: Final = re.compile(r"csk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_TOKEN: Final = re.compile(r"cst_([A-Za-z0-9_-]{43})")
# A withdrawn account works at most this long; the hot routes would ask the database each time.
_CACHE_SECONDS: Final = 2.0
_CACHE_SIZE: Final = 4096
_REMEDY: Final = "send `Authorization: Bearer` with an API key or an access token of your organisation"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: an account of a party, with roles.

    Attributes:
        key_id: The account: an API key, an OAuth2 client (`c-…`) or a person (`p-…`). It says nothing else.
        party: Code of the party whose account it is.
        roles: What the account may do, within what its party was admitted for.
        everywhere: Roles that reach every organisation; the guard sets it from the row of the route.
    """

    key_id: str
    party: str
    roles: frozenset[str]
    everywhere: frozenset[str] = frozenset({"operator"})

    @property
    def sees_all(self) -> bool:
        """Whether one of the roles reaches every organisation."""
        return not self.everywhere.isdisjoint(self.roles)

    def require(self, allowed: Iterable[str]) -> None:
        """Refuse unless the caller has one of the roles.

        Raises:
            RoleMissing: None of them.
        """
        wanted = set(allowed)
        if not self.roles & wanted:
            raise RoleMissing(
                "authorization",
                f"this call takes one of the roles {', '.join(sorted(wanted))}",
                "use a key with such a role, or ask the log host for one",
            )

    def require_party(self, party: str, field: str = "party") -> None:
        """Refuse unless the caller belongs to the party, or has a role that reaches every organisation.

        Raises:
            NotFound: The party is another one; whether it exists is not said.
        """
        if self.party != party and not self.sees_all:
            raise NotFound(field, "no such resource for this key", "use the code of your own organisation")


class KeyRing:
    """The API keys of one database, with a short-lived memory of the ones seen.

    Shared by all threads; `_seen` is guarded by `_lock`. `standing` says what parties were admitted for.
    """

    def __init__(
        self, engine: Engine, clock: Clock, standing: Standing, *, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine, self._clock, self._ticks = engine, clock, ticks
        self.standing = standing
        self._lock = threading.Lock()
        self._seen: dict[bytes, tuple[float, Principal]] = {}

    def issue(self, party: str, roles: Iterable[str], label: str) -> str:
        """Make a key and return it; it is not kept and cannot be shown again.

        Raises:
            RequestInvalid: A role is unknown, or there is none.
            PartyNotAdmitted, RoleMissing: The party was not admitted for the roles.
        """
        chosen = self.check_roles(party, roles)
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        with Session(self._engine) as session, session.begin():
            session.add(
                ApiKey(
                    key_id=key_id,
                    secret_hash=hashlib.sha256(secret.encode()).digest(),
                    party=party,
                    roles=chosen,
                    label=label,
                    created_at=self._clock(),
                    withdrawn_at=None,
                )
            )
        return f"csk_{key_id}_{secret}"

    def check_roles(self, party: str, roles: Iterable[str]) -> list[str]:
        """Return the roles, sorted, if an account of the party may have them.

        Raises:
            RequestInvalid: A role is unknown, or there is none.
            PartyNotAdmitted: The party is not admitted now.
            RoleMissing: The party was not admitted for one of them.
        """
        chosen = sorted(set(roles))
        unknown = [role for role in chosen if role not in ROLES]
        if unknown or not chosen:
            raise RequestInvalid("roles", f"{unknown or 'none given'}", f"choose from {', '.join(ROLES)}")
        excess = sorted(set(chosen) - self.within(party, chosen))
        if excess:
            raise RoleMissing(
                "roles",
                f"{party} was not admitted for {', '.join(excess)}",
                "ask the registrar to admit it so",
            )
        return chosen

    def within(self, party: str, roles: Iterable[str]) -> frozenset[str]:
        """Return those of the roles that the party is admitted for now.

        Raises:
            PartyNotAdmitted: The party is not admitted now.
        """
        admitted = self.standing.account_roles(party)
        if admitted is None:
            raise PartyNotAdmitted(
                "authorization", "the account's party is not admitted", "ask the registrar about the party"
            )
        return frozenset(roles) & admitted

    def withdraw(self, key_id: str, party: str | None = None) -> None:
        """Make a key useless from now on.

        Raises:
            NotFound: No such key, or of another party than the one given.
        """
        wanted = update(ApiKey).where(ApiKey.key_id == key_id, ApiKey.withdrawn_at.is_(None))
        if party is not None:
            wanted = wanted.where(ApiKey.party == party)
        with Session(self._engine) as session, session.begin():
            changed = session.execute(
                wanted.values(withdrawn_at=self._clock()).returning(ApiKey.key_id)
            ).all()
        if not changed:
            raise NotFound("key_id", "no such key", "list the keys of the organisation")
        self.forget()

    def forget(self) -> None:
        """Forget whom this process has seen: an account was withdrawn, or a party's standing changed."""
        with self._lock:
            self._seen.clear()

    def keys_of(self, party: str) -> list[ApiKey]:
        """Return the keys of a party, newest first; secrets are not among it."""
        with Session(self._engine) as session:
            return list(
                session.scalars(
                    select(ApiKey).where(ApiKey.party == party).order_by(ApiKey.created_at.desc())
                )
            )

    def remembered(self, authorization: str | None) -> Principal | None:
        """Return the principal if this very key was checked moments ago; asks no database."""
        if authorization is None:
            return None
        found = self._seen.get(hashlib.sha256(authorization.encode("latin-1", "replace")).digest())
        return found[1] if found is not None and found[0] > self._ticks() else None

    def authenticate(self, authorization: str | None) -> Principal:
        """Return who an `Authorization` header stands for.

        Raises:
            KeyMissing: No header, or not a bearer credential.
            KeyUnknown: Malformed, unknown, expired, withdrawn, or the secret is wrong: all look alike.
            PartyNotAdmitted: The credential is good, but its party was suspended or removed.
        """
        if not authorization:
            raise KeyMissing("authorization", "the call carries no credential", _REMEDY)
        known = self.remembered(authorization)
        if known is not None:
            return known
        scheme, _, credential = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise KeyMissing("authorization", "is not a bearer credential", _REMEDY)
        credential = credential.strip()
        principal = self._by_token(credential) if _TOKEN.fullmatch(credential) else self._by_key(credential)
        with self._lock:
            if len(self._seen) >= _CACHE_SIZE:
                self._seen.clear()
            digest = hashlib.sha256(authorization.encode("latin-1", "replace")).digest()
            self._seen[digest] = (self._ticks() + _CACHE_SECONDS, principal)
        return principal

    def principal_of(self, account: str) -> Principal | None:
        """Return who an API key's id or a person's code stands for; None when it was withdrawn.

        None too when its party is not admitted now. A client has no sessions and is not asked for here.
        """
        row: ApiKey | Person | None
        with Session(self._engine) as session:
            is_person = account.startswith("p-")
            row = session.get(Person, account) if is_person else session.get(ApiKey, account)
        if row is None or row.withdrawn_at is not None:
            return None
        try:
            return self._principal(account, row.party, row.roles)
        except PartyNotAdmitted:
            return None

    def _by_key(self, key: str) -> Principal:
        match = _KEY.fullmatch(key)
        row = self._row(match.group(1)) if match else None
        # The comparison runs whether or not there is such a key, so that time does not tell.
        stored = row.secret_hash if row is not None else bytes(32)
        offered = hashlib.sha256((match.group(2) if match else "").encode()).digest()
        if not hmac.compare_digest(stored, offered) or row is None or row.withdrawn_at is not None:
            raise KeyUnknown("authorization", "the API key is not known or was withdrawn", _REMEDY)
        return self._principal(row.key_id, row.party, row.roles)

    def _by_token(self, token: str) -> Principal:
        # Found by the hash of the whole secret: there is nothing left to compare.
        digest = hashlib.sha256(token.encode()).digest()
        query = (
            select(Client.client_id, Client.party, Client.roles, AccessToken.roles.label("scope"))
            .join(AccessToken, AccessToken.client_id == Client.client_id)
            .where(AccessToken.token_hash == digest, AccessToken.expires_at > self._clock())
            .where(Client.withdrawn_at.is_(None))
        )
        with Session(self._engine) as session:
            row = session.execute(query).first()
        if row is None:
            raise KeyUnknown("authorization", "the access token is not known, or ended", "ask for a new one")
        return self._principal(row.client_id, row.party, set(row.roles) & set(row.scope))

    def _principal(self, account: str, party: str, roles: Iterable[str]) -> Principal:
        return Principal(account, party, self.within(party, roles))

    def _row(self, key_id: str) -> ApiKey | None:
        with Session(self._engine) as session:
            return session.get(ApiKey, key_id)
