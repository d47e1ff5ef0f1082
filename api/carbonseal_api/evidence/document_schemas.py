"""What the routes and commands about documents give. Digests are 64 lower-case hexadecimal digits."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from carbonseal_api.evidence.request_types import A_DIGEST


class FiledDocument(BaseModel):
    """A file that is kept and registered."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "statement_digest": A_DIGEST,
                    "document_digest": A_DIGEST,
                    "title": "Electricity bill 2026-01",
                    "name": "bill-2026-01.pdf",
                    "media_type": "application/pdf",
                    "size": 48211,
                    "relates_to": [],
                    "is_new": True,
                }
            ]
        }
    )

    statement_digest: str = Field(description="The `document` statement: what other statements name.")
    document_digest: str = Field(description="SHA-256 of the file.")
    title: str
    name: str
    media_type: str
    size: int
    relates_to: list[str]
    is_new: bool = Field(description="False: the same file was filed before, and this is its statement.")


class DocumentStatement(BaseModel):
    """What a `document` statement says about a file."""

    statement_digest: str
    title: str
    relates_to: list[str]
    registered_at: str
    withdrawn_by: str | None


class Support(BaseModel):
    """A statement that rests on a document."""

    kind: str
    statement_digest: str
    about: str = Field(description="Source stream, business figure or meter.")
    start: str | None
    end: str | None
    withdrawn_by: str | None


class DocumentEntry(BaseModel):
    """A file of evidence with what was said about it and what rests on it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "digest": A_DIGEST,
                    "name": "bill-2026-01.pdf",
                    "media_type": "application/pdf",
                    "size": 48211,
                    "stored_at": "2026-02-03T01:00:00Z",
                    "is_kept_here": True,
                    "statements": [
                        {
                            "statement_digest": A_DIGEST,
                            "title": "Electricity bill 2026-01",
                            "relates_to": [],
                            "registered_at": "2026-02-03T01:00:00Z",
                            "withdrawn_by": None,
                        }
                    ],
                    "supports": [
                        {
                            "kind": "declared_activity",
                            "statement_digest": A_DIGEST,
                            "about": "grid",
                            "start": "2025-12-31T16:00:00Z",
                            "end": "2026-01-31T16:00:00Z",
                            "withdrawn_by": None,
                        }
                    ],
                }
            ]
        }
    )

    digest: str = Field(description="SHA-256 of the file.")
    name: str | None = Field(description="Null where the file itself is not kept here.")
    media_type: str
    size: int
    stored_at: str
    is_kept_here: bool
    statements: list[DocumentStatement]
    supports: list[Support]
