"""What the routes about accounts take and give."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from carbonseal_api.authentication import ROLES
from carbonseal_attest.identifiers import is_plain_text


def _plain(value: str) -> str:
    if not is_plain_text(value):
        raise ValueError("holds characters that cannot be seen")
    return value


Label = Annotated[
    str,
    AfterValidator(_plain),
    Field(min_length=1, max_length=80, description="What it is for.", examples=["grade queries"]),
]
# Told as a choice; a role that nobody has is refused by its own reason.
Role = Annotated[str, Field(json_schema_extra={"enum": list(ROLES)})]
Roles = Annotated[list[Role], Field(min_length=1, max_length=len(ROLES), description="Roles of the account.")]


class TokenAnswer(BaseModel):
    """An access token (RFC 6749 §5.1)."""

    access_token: str = Field(description="Opaque; send it as `Authorization: Bearer …`.")
    token_type: str
    expires_in: int = Field(description="seconds")
    scope: str = Field(description="The roles that the token carries.")


class OAuthError(BaseModel):
    """A refused token request (RFC 6749 §5.2)."""

    error: str
    error_description: str


class ClientRequest(BaseModel):
    """A new OAuth2 client."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"roles": ["bank"], "label": "grade queries"}]}
    )

    roles: Roles
    label: Label


class IssuedClient(BaseModel):
    """A new OAuth2 client; its secret is shown this once."""

    client_id: str
    client_secret: str
    party: str
    roles: list[str]
    label: str


class ClientDescription(BaseModel):
    """An OAuth2 client without its secret."""

    client_id: str
    roles: list[str]
    label: str
    created_at: str
    withdrawn_at: str | None


class PersonRequest(BaseModel):
    """A new person."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"login": "li.wei@example.org", "roles": ["reader"]}]}
    )

    login: str = Field(
        min_length=3,
        max_length=120,
        description="Name to sign in with, in the form of an e-mail address.",
        examples=["li.wei@example.org"],
    )
    roles: Roles


class NewPerson(BaseModel):
    """A new person; link and code secret are shown this once, for the person's eyes."""

    person_id: str
    party: str
    login: str
    roles: list[str]
    otpauth: str = Field(description="For the person's authenticator (RFC 6238), usually shown as a QR code.")
    password_link: str = Field(description="Sets the password, once, within three days.")


class PersonDescription(BaseModel):
    """A person who may sign in, or might."""

    person_id: str
    login: str
    roles: list[str]
    has_password: bool
    created_at: str
    withdrawn_at: str | None
