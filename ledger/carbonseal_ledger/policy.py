"""The registration policy of a log, as its genesis states it (`docs/spec/contents.md`, genesis).

Policy is data that party, log host and registrar signed. The ledger may be stricter (its own ceilings
below), never laxer. Amending `policy` statements come with later work; until then the genesis' policy holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest import cbor
from carbonseal_attest.contents import KINDS
from carbonseal_attest.statement import MAX_STATEMENT
from carbonseal_ledger.contents_store import MAX_CONTENT
from carbonseal_ledger.errors import KindUnknown

MAX_BATCH: Final = 10_000  # statements a call; bounds memory and the time that a log's row stays locked


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits and admitted kinds of one log.

    `kinds` maps a kind to who may sign it. An empty table means the registry's own assignment; a table with
    entries closes the log to every other kind.
    """

    kinds: Mapping[str, str]
    max_statement_bytes: int
    max_content_bytes: int
    clock_tolerance_ms: int
    epoch_ms: int

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Policy:
        """The policy that an admitted genesis body states."""
        return cls(
            dict(value["kinds"]),
            min(value["max_statement_bytes"], MAX_STATEMENT),
            min(value["max_content_bytes"], MAX_CONTENT),
            value["clock_tolerance_ms"],
            value["epoch_ms"],
        )

    @classmethod
    def decode(cls, data: bytes) -> Policy:
        """The policy stored with a log."""
        return cls.of(cbor.decode(data))

    def signer_of(self, kind: str) -> str:
        """Who may sign a kind in this log: party, device, log_host or registrar.

        Raises:
            KindUnknown: no such kind, or the log's policy leaves it out.
        """
        if kind not in KINDS:
            raise KindUnknown(
                "header.content_type", f"{kind} is not in the registry", "use a registered kind"
            )
        if not self.kinds or kind in {"tick", "equivocation"}:
            return KINDS[kind].signer
        if kind not in self.kinds:
            raise KindUnknown(
                "header.content_type", f"the log's policy leaves {kind} out", "register it in another log"
            )
        return self.kinds[kind]
