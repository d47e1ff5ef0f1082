"""What the routes about inventories give."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from carbonseal_api.inventories.comparison_schemas import MonthComparison


class Inventory(BaseModel):
    """An inventory of one civil month under one plan version."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "month": "2026-01",
                    "plan_digest": "6b" * 32,
                    "data_size": 4713,
                    "register_size": 23,
                    "inventory": {
                        "method": "GBT32150-2015@1.0.0",
                        "total": {"value": "17.2", "unit": "tCO2e"},
                    },
                    "comparisons": [],
                }
            ]
        }
    )

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
