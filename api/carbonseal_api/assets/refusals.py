"""Why an act on carbon-asset records is refused: one leaf class a reason, each with its own stable code.

Nothing is sent to the chain once one of them is raised. The contract refuses the same and more by itself;
these say it earlier, in words, and cover what a chain cannot see (opinions, withdrawals, official names).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from carbonseal_api.problems import ApiError
from carbonseal_attest.errors import CarbonsealError


class AssetRefused(ApiError):
    """Root of the refusals of acts on carbon-asset records."""

    code = "act-refused"
    status = 409


class SerialsInvalid(AssetRefused):
    """Serials are not `1 ≤ first ≤ last < 2^53`, or a split does not cut inside them."""

    code = "serials-invalid"
    status = 422


class OfficialNameInvalid(AssetRefused):
    """Registry, batch or official reference is not spelled in the one way that is taken."""

    code = "official-name-invalid"
    status = 422


class OpinionUnknown(AssetRefused):
    """No verification report of that digest stands in the data log of an admitted verification body."""

    code = "opinion-unknown"
    status = 422


class OpinionNotUnmodified(AssetRefused):
    """The opinion is modified, adverse or disclaimed."""

    code = "opinion-not-unmodified"


class OpinionWithdrawn(AssetRefused):
    """The verification body has withdrawn or superseded its verification report."""

    code = "opinion-withdrawn"


class OpinionNotCounted(AssetRefused):
    """The verification report does not count as an opinion: its own facts or its sample speak against it."""

    code = "opinion-not-counted"


class OpinionNotIndependent(AssetRefused):
    """The verification body is the operator itself, or shares its credit code or a key, now or ever."""

    code = "opinion-not-independent"


class OpinionNotAnchored(AssetRefused):
    """The verification report's entry is logged, but no anchored epoch covers it yet."""

    code = "opinion-not-anchored"


class BodyNotAdmitted(AssetRefused):
    """The verification body is suspended or removed, or was never admitted as one."""

    code = "body-not-admitted"


class ReportWithdrawn(AssetRefused):
    """The emissions report that was verified is missing, withdrawn or superseded."""

    code = "report-withdrawn"


class ReportImpacted(AssetRefused):
    """An open impact marks the emissions report or its verification report."""

    code = "report-impacted"


class DataCodeNotGreen(AssetRefused):
    """The data code of the emissions report is red or pending, was taken back, or judges something else."""

    code = "data-code-not-green"


class HolderNotOperator(AssetRefused):
    """The holder is not the operator whose report was verified."""

    code = "holder-not-operator"


class HolderNotAdmitted(AssetRefused):
    """The holder was suspended or removed: its units stay where they are."""

    code = "holder-not-admitted"


class UnitsRecorded(AssetRefused):
    """Some of these units are recorded already."""

    code = "units-recorded"


class RecordNotLive(AssetRefused):
    """The record was split, retired, surrendered or cancelled: it stays as it is."""

    code = "record-not-live"


class RecordFrozen(AssetRefused):
    """The record is frozen; the cause is named, and what would release it."""

    code = "record-frozen"


class RecordNotFrozen(AssetRefused):
    """A release was asked for of a record that is not frozen."""

    code = "record-not-frozen"


class CauseOpen(AssetRefused):
    """A frozen record cannot be released while a cause of its freeze is open."""

    code = "cause-open"


class ReferenceMissing(AssetRefused):
    """A move names no official transfer, or a retirement, surrender or cancellation no official act."""

    code = "reference-missing"
    status = 422


class TransferUsed(AssetRefused):
    """An earlier move mirrors this official transfer."""

    code = "transfer-used"


class ReceiverNotAdmitted(AssetRefused):
    """The receiving party was not admitted as an enterprise, or is the holder itself."""

    code = "receiver-not-admitted"


class SamePerson(AssetRefused):
    """One person, credential, account or party stands on both sides of an act."""

    code = "same-person"
    status = 403


class NotForHolder(AssetRefused):
    """Who proposes does not act for the record's holder."""

    code = "not-for-holder"
    status = 403


class NotRegistrar(AssetRefused):
    """Who confirms is not the registrar of this deployment."""

    code = "not-registrar"
    status = 403


class ActNotOpen(AssetRefused):
    """The act was confirmed, has failed, or its proposal has run out."""

    code = "act-not-open"


class ActsPending(AssetRefused):
    """A confirmed act waits for its mirror statement, and could not be completed just now."""

    code = "acts-pending"


class ContractRefuses(AssetRefused):
    """The contract would not do an act; code, field, reason and remedy are its own, by the ledger's words."""

    def __init__(self, refusal: CarbonsealError) -> None:
        super().__init__(refusal.field, refusal.reason, refusal.remedy)
        self.code = refusal.code  # type: ignore[misc]  # the code is the contract's, not this class's


class AssetsNotOffered(ApiError):
    """This deployment has no chain, or none of the chains on which asset records may be kept."""

    code = "assets-not-offered"
    status = 503


class ChainNotAllowed(ApiError):
    """The chain is not in the list of chains on which carbon-asset records may be kept."""

    code = "asset-chain-not-allowed"
    status = 403


class RecordsDisagree(AssetRefused):
    """Contract, database and log tell different stories: movements stop until that is resolved.

    Attributes:
        differences: what differs, as `GET /assets/agreement` shows it.
    """

    code = "records-disagree"

    def __init__(self, field: str, reason: str, remedy: str, differences: Sequence[dict[str, Any]]) -> None:
        super().__init__(field, reason, remedy)
        self.differences = list(differences)

    @property
    def members(self) -> dict[str, Any]:
        """Extension members of the problem details."""
        return {"differences": self.differences}
