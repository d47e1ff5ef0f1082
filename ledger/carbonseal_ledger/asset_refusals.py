"""What the contract CarbonAssets refuses, by the name of its error: ours, with field, reason and remedy.

Every error in the contract's ABI has a class here, so a reason can be shown, told apart and tested for by its
stable code. It leaves out when something is asked (`carbon_assets`) and what then happens (`asset_machine`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from carbonseal_ledger.carbon_assets_calls import ARTEFACT, AssetState, role_id
from carbonseal_ledger.contract_artefacts import type_of
from carbonseal_ledger.errors import LedgerError


class AssetRefused(LedgerError):
    """The contract does not do an act. The leaves are its reasons.

    Attributes:
        error: the name of the contract's error.
        says: what it means; names in braces are the error's arguments.
        arguments: their values.
    """

    code = "asset-refused"
    error: ClassVar[str] = ""
    place: ClassVar[str] = "act"
    says: ClassVar[str] = "the contract refuses it without a reason that this release knows"
    cure: ClassVar[str] = "compare the contract's release with this one"

    def __init__(self, arguments: Mapping[str, Any] | None = None) -> None:
        self.arguments = dict(arguments or {})
        shown = {name: _shown(name, value) for name, value in self.arguments.items()}
        super().__init__(self.place, self.says.format(**shown), self.cure)


class SerialsOverlap(AssetRefused):
    """Recording twice, or a range that meets another one."""

    code, error, place = "asset-serials-overlap", "CarbonAssetsOverlap", "serials"
    says = "serials {recordedFirst} to {recordedLast} of the batch are recorded already"
    cure = "record other serials; what was recorded once is never free again"


class SerialsInvalid(AssetRefused):
    """No range."""

    code, error, place = "asset-serials-invalid", "CarbonAssetsInvalidSerials", "serials"
    says = "{first} to {last} is no range of serials of a batch"
    cure = "name registry and batch, begin at 1 or later, end no earlier"


class PredecessorWrong(AssetRefused):
    """Another range came between."""

    code, error, place = "asset-predecessor-wrong", "CarbonAssetsInvalidPredecessor", "predecessor"
    says = "{predecessor} is not where the nearest range below begins"
    cure = "ask the contract for the predecessor again"


class HeadMovedOn(AssetRefused):
    """The evidence was made for an earlier head."""

    code, error, place = "asset-head-moved-on", "CarbonAssetsHeadSizeMismatch", "evidence"
    says = "it leads to size {headSize} of the log of logs, and {anchoredSize} is anchored"
    cure = "make the evidence for the anchored head"


class EpochInvalid(AssetRefused):
    """Epoch 0 is the genesis."""

    code, error, place = "asset-epoch-invalid", "CarbonAssetsInvalidEpoch", "evidence"
    says = "{epoch} is no epoch"
    cure = "make the evidence for the anchored head"


class ReportNotInLog(AssetRefused):
    """The proofs do not lead from the report to the head."""

    code, error, place = "asset-report-not-in-log", "Rfc9162RootMismatch", "evidence"
    says = "it does not lead from the verification report to the anchored head"
    cure = "name a verification report that the log has, and the log that has it"


class ProofLengthWrong(ReportNotInLog):
    """A proof is longer or shorter than its tree."""

    code, error = "asset-proof-length-wrong", "Rfc9162ProofLengthMismatch"
    says = "a proof has {given} hashes where the tree has {expected}"


class IndexBeyondTree(ReportNotInLog):
    """A proof of something that the tree does not have yet."""

    code, error = "asset-index-beyond-tree", "Rfc9162IndexOutOfRange"
    says = "entry {index} is not among {size}"
    cure = "wait until the report's epoch is anchored"


class HashUnavailable(AssetRefused):
    """A chain without SHA-256."""

    code, error, place = "asset-hash-unavailable", "Rfc9162HashUnavailable", "chain"
    says = "it has no SHA-256"
    cure = "use a chain with the precompiled contract at address 2"


class RecordUnknown(AssetRefused):
    """No such record."""

    code, error, place = "asset-record-unknown", "CarbonAssetsUnknownRecord", "record"
    says = "there is no record {recordId}"
    cure = "record the units first"


class RecordNotLive(AssetRefused):
    """Split, retired, surrendered or cancelled."""

    code, error, place = "asset-record-not-live", "CarbonAssetsNotLive", "record"
    says = "it is {state}, and that is final"
    cure = "act on a live record; a split one lives on in its parts"


class RecordFrozen(AssetRefused):
    """A cause stands against it."""

    code, error, place = "asset-record-frozen", "CarbonAssetsFrozen", "record"
    says = "it is frozen, and {freezes} causes stand"
    cure = "cure every cause and have two persons release it"


class CauseUsed(AssetRefused):
    """Frozen for that already."""

    code, error, place = "asset-cause-used", "CarbonAssetsCauseUsed", "cause"
    says = "the record is or was frozen for it"
    cure = "name the statement of the new cause"


class NotFrozenFor(AssetRefused):
    """Nothing to release."""

    code, error, place = "asset-not-frozen-for", "CarbonAssetsNotFrozenFor", "cause"
    says = "the record is not frozen for it"
    cure = "name a cause that stands"


class SplitInvalid(AssetRefused):
    """A part would be empty."""

    code, error, place = "asset-split-invalid", "CarbonAssetsInvalidSplit", "last_of_left"
    says = "{lastOfLeft} leaves a part without serials"
    cure = "end the left part within the record, before its last serial"


class AlreadyHolds(AssetRefused):
    """A move to oneself."""

    code, error, place = "asset-already-holds", "CarbonAssetsAlreadyHolds", "to"
    says = "that party holds it already"
    cure = "name another party"


class PartyUnknown(AssetRefused):
    """Nobody acts for the new holder."""

    code, error, place = "asset-party-unknown", "CarbonAssetsUnknownParty", "to"
    says = "no account is a member for that party"
    cure = "have the registrar admit one"


class TransferUsed(AssetRefused):
    """An official transfer serves once."""

    code, error, place = "asset-transfer-used", "CarbonAssetsTransferUsed", "transfer"
    says = "another move mirrors that official transfer"
    cure = "name the transfer of these units"


class RecordPledged(AssetRefused):
    """A pledge stands."""

    code, error, place = "asset-record-pledged", "CarbonAssetsPledged", "record"
    says = "it is pledged"
    cure = "have the pledgee give the pledge back"


class PledgeUsed(AssetRefused):
    """Pledged under that already."""

    code, error, place = "asset-pledge-used", "CarbonAssetsPledgeUsed", "pledge"
    says = "the record is or was pledged under that registration"
    cure = "name the registration of the new pledge"


class NotPledgedFor(AssetRefused):
    """Nothing to give back."""

    code, error, place = "asset-not-pledged-for", "CarbonAssetsNotPledgedFor", "pledge"
    says = "the record is not pledged under that registration"
    cure = "name the registration that stands"


class ConfirmedByPledgee(AssetRefused):
    """Two persons of which one receives."""

    code, error, place = "asset-confirmed-by-pledgee", "CarbonAssetsConfirmedByPledgee", "confirmer"
    says = "who confirms is of the pledgee's party"
    cure = "have a registrar of another party confirm it"


class PartyNotActive(AssetRefused):
    """Suspended, removed or out of its period, as Membership has it."""

    code, error, place = "asset-party-not-active", "CarbonAssetsPartyNotActive", "party"
    says = "party {party} does not take part now"
    cure = "have two registrars lift its suspension or renew it"


class ChainNotListed(AssetRefused):
    """A chain on which no records may be kept."""

    code, error, place = "asset-chain-not-listed", "CarbonAssetsChainNotAllowed", "chain"
    says = "records may not be kept on chain {chainId}"
    cure = "deploy on one of the chains that are listed"


class LogClosed(AssetRefused):
    """The log of logs was succeeded."""

    code, error, place = "asset-log-closed", "CarbonAssetsLogClosed", "log"
    says = "the log of logs was closed and goes on in {successor}"
    cure = "have the admin follow it there"


class LogNotSucceeded(AssetRefused):
    """Nothing to follow."""

    code, error, place = "asset-log-not-succeeded", "CarbonAssetsLogNotSucceeded", "log"
    says = "the log of logs is open"
    cure = "go on with it"


class ReferenceMissing(AssetRefused):
    """Nothing official is named."""

    code, error, place = "asset-reference-missing", "CarbonAssetsInvalidReference", "reference"
    says = "an official act, a cause or a cure must be named"
    cure = "name it"


class NotProposed(AssetRefused):
    """One signature instead of two."""

    code, error, place = "asset-not-proposed", "CarbonAssetsNotProposed", "proposer"
    says = "nobody has proposed this act: one signature instead of two"
    cure = "have the holder's member propose it, word for word"


class ProposalExpired(AssetRefused):
    """Proposed too long ago."""

    code, error, place = "asset-proposal-expired", "CarbonAssetsProposalExpired", "proposer"
    says = "the proposal was open for seven days"
    cure = "propose it again"


class AlreadyProposed(AssetRefused):
    """Proposed and open."""

    code, error, place = "asset-already-proposed", "CarbonAssetsAlreadyProposed", "proposer"
    says = "the same member has proposed it, and it is open"
    cure = "have a registrar confirm it"


class SamePerson(AssetRefused):
    """One person twice."""

    code, error, place = "asset-same-person", "CarbonAssetsSamePerson", "confirmer"
    says = "who proposed it cannot confirm it"
    cure = "have another registrar confirm it"


class ConfirmedByHolder(AssetRefused):
    """Two persons of one party."""

    code, error, place = "asset-confirmed-by-holder", "CarbonAssetsConfirmedByHolder", "confirmer"
    says = "who confirms is of the holder's party"
    cure = "have a registrar of another party confirm it"


class NotForHolder(AssetRefused):
    """A stranger's proposal."""

    code, error, place = "asset-not-for-holder", "CarbonAssetsNotForHolder", "proposer"
    says = "{proposer} may not act for the holder"
    cure = "have a member of the holder's party propose it"


class NotMember(AssetRefused):
    """Not admitted, or dismissed."""

    code, error, place = "asset-not-member", "CarbonAssetsNotMember", "member"
    says = "{account} has not been admitted"
    cure = "have the registrar admit it"


class MemberInvalid(AssetRefused):
    """Nobody."""

    code, error, place = "asset-member-invalid", "CarbonAssetsInvalidMember", "member"
    says = "the zero address or the zero party is nobody"
    cure = "name an account and a party"


class ActLengthInvalid(AssetRefused):
    """Too long to be an act."""

    code, error, place = "asset-act-length-invalid", "CarbonAssetsInvalidActLength", "act"
    says = "{length} bytes are no act"
    cure = "propose the bytes of one act"


class LogNotOpen(AssetRefused):
    """No log of logs."""

    code, error, place = "asset-log-not-open", "CarbonAssetsUnknownLog", "log"
    says = "the log of logs is not open in LogAnchor"
    cure = "wait until its opening is mined"


class MemberLacksRole(AssetRefused):
    """A right is missing."""

    code, error, place = "asset-role-missing", "AccessControlUnauthorizedAccount", "member"
    says = "{account} lacks {neededRole}"
    cure = "have the admin grant it"


class RenouncedForAnother(AssetRefused):
    """A role can be given up for oneself only."""

    code, error, place = "asset-role-of-another", "AccessControlBadConfirmation", "member"
    says = "a role is given up by who has it"
    cure = "send it from that account"


_PARENTS: Final[tuple[type[AssetRefused], ...]] = (AssetRefused, ReportNotInLog)
_CLASSES: Final[Mapping[str, type[AssetRefused]]] = {
    leaf.error: leaf for parent in _PARENTS for leaf in (parent, *parent.__subclasses__()) if leaf.error
}
_ERRORS: Final = ARTEFACT.errors()
_ROLES: Final = {role_id(name): name for name in ("REGISTRAR_ROLE", "HOLDER_ROLE", "DEFAULT_ADMIN_ROLE")}


def refusal_of(data: bytes) -> AssetRefused:
    """Return what the bytes say with which the contract reverted."""
    error = _ERRORS.get(data[:4])
    refusal = _CLASSES.get(error["name"]) if error is not None else None
    if error is None or refusal is None:
        return AssetRefused()
    try:
        values = decode([type_of(argument) for argument in error["inputs"]], data[4:])
    except (DecodingError, ValueError):
        return AssetRefused()
    return refusal({argument["name"]: value for argument, value in zip(error["inputs"], values, strict=True)})


def _shown(name: str, value: object) -> str:
    if name == "state" and isinstance(value, int):
        return AssetState(value).name.lower()
    if isinstance(value, bytes):
        return _ROLES.get(value, "0x" + value.hex())
    return str(value)
