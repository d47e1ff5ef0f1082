"""What the routes about organisations take and give."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from carbonseal_api.accounts.schemas import Label, Roles


class Organisation(BaseModel):
    """A party as the registrar's newest statement about it says."""

    party: str = Field(description="Opaque party code.")
    status: str = Field(description="admitted, suspended or removed")
    roles: list[str]
    name: dict[str, str] = Field(description="zh and en")
    org: str | None = Field(description="Unified social credit code, outside China the LEI, if there is one.")
    register_origin: str
    data_origin: str
    statement_digest: str = Field(description="The registrar's statement, hex.")


class KeyRequest(BaseModel):
    """A new API key."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"roles": ["reader"], "label": "grade queries"}]}
    )

    roles: Roles
    label: Label


class IssuedKey(BaseModel):
    """A new API key; shown this once."""

    key: str
    party: str
    roles: list[str]
    label: str


class KeyDescription(BaseModel):
    """An API key without its secret."""

    key_id: str
    roles: list[str]
    label: str
    created_at: str
    withdrawn_at: str | None
