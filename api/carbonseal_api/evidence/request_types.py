"""Types of the fields that requests of evidence share, and the shape of a request."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, StringConstraints

Digest = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9a-f]{64}$")]
Line = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=400)]
ShortLine = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=60)]
DecimalText = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=60)]
A_DIGEST: Final = "6b" * 32  # of the examples; no statement has it


class Wish(BaseModel):
    """A request of ours: unknown members are refused."""

    model_config = ConfigDict(extra="forbid")
