"""What the routes about inventories give."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from carbonseal_api.inventories.comparison_schemas import MonthComparison


class Inventory(BaseModel):
    """An inventory of one civil month under one plan version."""

    month: str
    plan_digest: str
    data_size: int = Field(description="Size of the data log that it was drawn from.")
    register_size: int = Field(description="Size of the register log, which holds corrections.")
    inventory: dict[str, Any] = Field(
        description="Method, total, by_stream, by_month, trace; decimals as strings."
    )
    comparisons: list[MonthComparison] = Field(
        description="For each source stream and month what every data source gives, and which one counts."
    )
