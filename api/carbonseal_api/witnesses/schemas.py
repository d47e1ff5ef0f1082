"""What the route about witnesses gives."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Witness(BaseModel):
    """One witness that this service asks."""

    name: str = Field(description="In the policy; the name in cosignatures is the verifier key's.")
    vkey: str = Field(description="Verifier key (C2SP signed-note).")
    url: str = Field(description="Where it answers (C2SP tlog-witness).")
    cosigned_size: int = Field(description="Of the newest head of the log of logs that it cosigned here.")
    asked_at: str | None = Field(description="When it was last asked.")
    failures: int = Field(description="Since it last cosigned.")
    problem: str | None = Field(description="Code of what was wrong when it was last asked.")


class WitnessView(BaseModel):
    """Who witnesses the log of logs, and how far they have come."""

    origin: str = Field(description="Of the log of logs.")
    log_vkey: str = Field(description="Its verifier key: what a witness or monitor of it needs.")
    tree_size: int = Field(description="Of the newest published head.")
    witnessed_size: int = Field(description="Of the newest head that the quorum cosigned; 0: none.")
    is_witnessed: bool = Field(default=False, description="Whether the newest head has the quorum.")
    quorum: str | None = Field(default=None, description="Its name in the policy; null: nobody is asked.")
    policy: str | None = Field(default=None, description="Whom this service asks, as C2SP tlog-policy.")
    witnesses: list[Witness]
