"""What the routes about epochs give."""

from __future__ import annotations

from pydantic import BaseModel, Field

from carbonseal_api.evidence.schemas import AnchorView


class Epoch(BaseModel):
    """One epoch and its anchor."""

    epoch: int
    entry_index: int = Field(description="In the log of logs.")
    map_root: str
    origins: int
    built_at: str
    tree_size: int = Field(description="Of the log of logs just after it.")
    root_hash: str
    anchor: AnchorView | None


class QueuedJob(BaseModel):
    """A background job that was queued."""

    job: str = Field(description="Its id in the queue.")
    task: str
