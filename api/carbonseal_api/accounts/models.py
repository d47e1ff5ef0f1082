"""The tables of accounts: OAuth2 clients and their tokens, persons, their links and their failed attempts.

Nothing here is a projection, and nothing of it ever enters a statement: a person's login name stands in
`api_persons` alone, everything else names the opaque account code. Secrets are kept as hashes; the secret of
one-time codes, which must be computed with, is sealed (`sealing`).
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from carbonseal_api.database import Base


class Client(Base):
    """A program of a party that signs in by OAuth2 client credentials."""

    __tablename__ = "api_clients"
    __table_args__ = (Index("api_clients_party", "party"),)

    client_id: Mapped[str] = mapped_column(Text, primary_key=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary, doc="SHA-256 of 32 random bytes")
    party: Mapped[str] = mapped_column(Text)
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    label: Mapped[str] = mapped_column(Text)
    created_at: Mapped[int] = mapped_column(BigInteger, doc="ms since 1970 UTC")
    withdrawn_at: Mapped[int | None] = mapped_column(BigInteger)


class AccessToken(Base):
    """A bearer token of a client, for a quarter of an hour; only its hash is kept."""

    __tablename__ = "api_tokens"
    __table_args__ = (Index("api_tokens_client", "client_id"),)

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    client_id: Mapped[str] = mapped_column(Text)
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    expires_at: Mapped[int] = mapped_column(BigInteger)


class Person(Base):
    """A person of a party, who signs in with password and one-time code."""

    __tablename__ = "api_persons"
    __table_args__ = (
        Index("api_persons_party", "party"),
        # Unique among those who may sign in: a name is free again once its person has left.
        Index("api_persons_login", "login", unique=True, postgresql_where=text("withdrawn_at IS NULL")),
    )

    person_id: Mapped[str] = mapped_column(Text, primary_key=True)
    party: Mapped[str] = mapped_column(Text)
    login: Mapped[str] = mapped_column(Text, doc="lower case; personal data")
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    password: Mapped[str | None] = mapped_column(Text, doc="Argon2id as a PHC string; none until first set")
    code_secret: Mapped[bytes] = mapped_column(LargeBinary, doc="sealed")
    last_step: Mapped[int] = mapped_column(BigInteger, doc="time step of the last code taken; none before it")
    created_at: Mapped[int] = mapped_column(BigInteger)
    withdrawn_at: Mapped[int | None] = mapped_column(BigInteger)


class PasswordLink(Base):
    """A link that sets a person's password, once; only its token's hash is kept."""

    __tablename__ = "api_password_links"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    person_id: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[int] = mapped_column(BigInteger)


class SignInAttempts(Base):
    """Attempts to sign in under one login name, whether or not anybody has it."""

    __tablename__ = "api_sign_in_attempts"

    login_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    ends_at: Mapped[int] = mapped_column(BigInteger, doc="when the count begins anew")


class KeptAnswer(Base):
    """The answer to a write that carried an `Idempotency-Key`, for a day."""

    __tablename__ = "api_kept_answers"
    __table_args__ = (Index("api_kept_answers_expiry", "expires_at"),)

    account: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary, doc="SHA-256 of method, target and body")
    expires_at: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[int | None] = mapped_column(Integer, doc="none while the first call is under way")
    headers: Mapped[str | None] = mapped_column(Text, doc="JSON; content type and location")
    body: Mapped[bytes | None] = mapped_column(LargeBinary, doc="none when the answer held a secret")
