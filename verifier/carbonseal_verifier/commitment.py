"""A commitment to a sample: what it must be about, who may sign it, and the proof that it was logged in time.

The body logs it before the block that decides the draw exists. The proof ties it to the epoch that it names:
inclusion in the body's data log at the epoch's head, and that head in the epoch's map, which the bundle's log
of logs has. Left out: the draw itself (`drawing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest.epoch import MapProof
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.merkle import leaf_hash, root_from_inclusion
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.admissions import PartyFacts, admissions_in, check_independence_in
from carbonseal_verifier.case import Case
from carbonseal_verifier.errors import SamplingRefused
from carbonseal_verifier.sample_grid import expected_slots
from carbonseal_verifier.statement_file import StatementFile

KIND: Final = "sampling_commitment"


@dataclass(frozen=True, slots=True)
class LoggedProof:
    """Proof that the commitment stood in the body's data log when an epoch was closed."""

    index: int
    path: tuple[bytes, ...]
    head: MapProof

    def verify(self, case: Case, statement: SignedStatement, epoch: int) -> None:
        """Check the proof against the bundle's epoch.

        Raises:
            SamplingRefused: the epoch does not hold the commitment.
        """
        entry = self.head.entry
        try:
            self.head.verify(case.epochs[epoch - 1])
            root = root_from_inclusion(self.index, entry.tree_size, leaf_hash(statement.raw), self.path)
        except CarbonsealError as error:
            raise _refusal("proof", f"does not hold: {error.reason}") from error
        if entry.origin != statement.header.origin or root != entry.root_hash:
            raise _refusal("proof", f"epoch {epoch} does not hold this commitment")

    def to_json(self) -> dict[str, Any]:
        """Return the proof as it stands in a transcript."""
        return {
            "entry_index": self.index,
            "tree_size": self.head.entry.tree_size,
            "root_hash": self.head.entry.root_hash.hex(),
            "path": [node.hex() for node in self.path],
            "map_index": self.head.index,
            "map_path": [node.hex() for node in self.head.path],
        }

    @classmethod
    def from_json(cls, origin: str, value: Mapping[str, Any]) -> LoggedProof:
        """Return the proof that a transcript writes for the log `origin`."""
        map_path = [bytes.fromhex(one) for one in value["map_path"]]
        head = [value["tree_size"], bytes.fromhex(value["root_hash"]), value["map_index"], map_path]
        path = tuple(bytes.fromhex(one) for one in value["path"])
        return cls(value["entry_index"], path, MapProof.from_value(origin, head))


@dataclass(frozen=True, slots=True)
class Engagement:
    """What a draw starts from: the commitment, the nonce, and the proof that it was logged in time."""

    commitment: StatementFile
    nonce: bytes
    logged: LoggedProof | None


def check_commitment(case: Case, file: StatementFile) -> PartyFacts:
    """Return the body that signed a commitment; it must be about this bundle's report and plan.

    Raises:
        SamplingRefused: of another report, other strata, or not as it was signed.
        OpinionRefused: its signer is not admitted as a verification body, or not independent.
    """
    statement, body = file.statement, file.content.body
    facts = admissions_in(case).body_of(statement.header.kid)
    check_independence_in(case, facts)
    try:
        statement.verify_signature(facts.key, admitted=case.trust.algorithms.last_dates)
    except CarbonsealError as error:
        raise _refusal("commitment", error.reason) from error
    header = statement.header
    if file.content.kind != KIND or (header.issuer, header.origin) != (facts.party, facts.data_origin):
        raise _refusal("commitment", f"is not a {KIND} in the data log of {facts.party}")
    if body["report_digest"] != case.about.digest:
        raise _refusal("commitment", "is about another report than the bundle")
    expected = expected_slots(case.prepared)
    if {row["id"]: row["expected"] for row in body["strata"]} != expected or len(body["strata"]) != len(
        expected
    ):
        raise _refusal("strata", "are not the plan's measurements with their slots in the period")
    return facts


def _refusal(field: str, reason: str) -> SamplingRefused:
    return SamplingRefused(field, reason, "draw with what was committed to, on a bundle of that report")
