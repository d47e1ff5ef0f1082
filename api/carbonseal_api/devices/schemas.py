"""What the routes about devices give."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Device(BaseModel):
    """A device as the newest statement about it says."""

    device: str
    device_class: str = Field(description="meter, gateway or person")
    state: str = Field(description="The newest action: enrol, rotate, suspend or revoke.")
    key_storage: str
    kid: str = Field(description="Thumbprint of its key, hex.")
    name: dict[str, str]
    subjects: list[str] = Field(description="Meters it may sign for.")
    statement_digest: str
    registered_at: str


class MeterReading(BaseModel):
    """The last reading of one point of a meter."""

    device: str
    point: str
    name: dict[str, str] | None = Field(description="From the monitoring plan in force.")
    measured_at: str
    age_seconds: int = Field(description="Between measurement and now; by the service's clock.")
    value: str | None
    unit: str
    quality: str
    statement_digest: str


class CurvePoint(BaseModel):
    """One step of a load curve."""

    start: str
    value: str | None = Field(description="Mean over the step in `unit`; null where nothing was measured.")


class LoadCurve(BaseModel):
    """Mean load over time, with its extremes. Derived for showing; no figure of an inventory."""

    device: str
    point: str
    unit: str = Field(description="kW for kWh meters, otherwise the meter's unit an hour.")
    points: list[CurvePoint]
    maximum: str | None
    minimum: str | None
    mean: str | None
