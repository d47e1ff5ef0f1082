"""Errors of the ledger room: one root, leaves named by reason, each with a stable code.

A refusal of one statement is not raised out of a batch: it is turned into an `outcomes.Outcome` whose
problem carries the same code, field, reason and remedy.
"""

from __future__ import annotations

from carbonseal_attest.errors import CarbonsealError


class LedgerError(CarbonsealError):
    """Root of every error that the ledger raises."""

    code = "ledger-error"


class Refused(LedgerError):
    """Root of the refusals of a single statement; the leaves are the reasons of the registration policy."""

    code = "refused"


class MalformedStatement(Refused):
    """The bytes are no signed statement of our profile."""

    code = "malformed-statement"


class BodyTooLarge(Refused):
    """A statement, content or batch is larger than the policy admits."""

    code = "body-too-large"


class OriginWrong(Refused):
    """The statement was signed for another log."""

    code = "origin-wrong"


class KindUnknown(Refused):
    """No schema of that kind and version is admitted."""

    code = "kind-unknown"


class KindWrongLog(Refused):
    """The kind belongs in the party's other log."""

    code = "kind-wrong-log"


class LogReserved(Refused):
    """Only the log host itself writes here, or this kind."""

    code = "log-reserved"


class ContentMissing(Refused):
    """The policy wants the content stored before the receipt, and it was not sent."""

    code = "content-missing"


class ContentContradictsHeader(Refused):
    """Digest, kind, subject, interval or stream of content and header differ."""

    code = "content-contradicts-header"


class ContentMalformed(Refused):
    """The content is no content of its kind: the schema refuses it."""

    code = "content-invalid"


class ContentErased(Refused):
    """The content was erased on authority and may not come back."""

    code = "content-erased"


class IntervalInvalid(Refused):
    """The interval is missing, empty, too long or in the future."""

    code = "interval-invalid"


class ClockOutOfTolerance(Refused):
    """The statement says that it was issued in the future."""

    code = "clock-out-of-tolerance"


class SignatureWrong(Refused):
    """The signature does not verify under the admitted key."""

    code = "signature-invalid"


class PartyUnknown(Refused):
    """The party is not admitted by the registrar, or is suspended."""

    code = "unknown-party"


class DeviceUnknown(Refused):
    """No register log admits the signing key."""

    code = "unknown-device"


class KeyStale(Refused):
    """The key was revoked, suspended or replaced."""

    code = "key-stale"


class RoleMissing(Refused):
    """The signer holds no role that may register this kind."""

    code = "role-missing"


class SubjectNotPermitted(Refused):
    """The device is not enrolled to sign for this subject, stream or issuer."""

    code = "subject-not-permitted"


class SequenceGap(Refused):
    """Statements of the stream before this one have not arrived."""

    code = "sequence-gap"


class SequenceReused(Refused):
    """Another statement already holds this place in the stream."""

    code = "sequence-reused"


class PreviousWrong(Refused):
    """The statement does not follow the last one of its stream."""

    code = "previous-wrong"


class CheckpointContradicts(Refused):
    """The statement cites a checkpoint that this log never had: its signer was shown another history."""

    code = "checkpoint-contradicts"


class RateLimited(Refused):
    """The log takes no more for now; the stream's place stays free, and the same bytes are taken later."""

    code = "rate-limited"

    def __init__(self, field: str, reason: str, remedy: str, *, retry_after_s: int = 1) -> None:
        super().__init__(field, reason, remedy)
        self.retry_after_s = retry_after_s


class PolicyRefused(Refused):
    """A policy statement does not amend the policy in force, or is not endorsed by log host and registrar."""

    code = "policy-refused"


class ErasureRefused(Refused):
    """The content says who is who or is public: erasing it would take the ground from under others."""

    code = "erasure-refused"


class EnrolmentInvalid(Refused):
    """A device or resume statement does not fit what the register log says so far."""

    code = "enrolment-invalid"


class DatabaseUnusable(LedgerError):
    """The database cannot be opened, started or migrated."""

    code = "database-unusable"


class BackupRefused(LedgerError):
    """A backup that cannot be taken, or that is not to be believed."""

    code = "backup-refused"


class RegisterMoved(LedgerError):
    """Another process wrote the register log since it was read; internal, answered by reading it again."""

    code = "register-moved"


class LogUnknown(LedgerError):
    """No log of that origin is open here."""

    code = "log-unknown"


class EntryUnknown(LedgerError):
    """The log holds no such entry or statement digest."""

    code = "entry-unknown"


class RangeInvalid(LedgerError):
    """An index, size or range lies outside the log."""

    code = "range-invalid"


class GenesisRefused(LedgerError):
    """A log may not be opened with this genesis statement."""

    code = "genesis-refused"


class ContentUnknown(LedgerError):
    """No content is stored under that digest."""

    code = "content-unknown"


class ContentRefused(LedgerError):
    """A content cannot be stored: too large, erased, or its bytes do not give the digest."""

    code = "content-refused"


class RollbackDetected(LedgerError):
    """Database, published copy or anchored head disagree: refuse to run rather than fork a log."""

    code = "rollback-detected"


class OutsideUnreachable(LedgerError):
    """A witness or the contract, which holds a head of ours, cannot be asked or answers nonsense."""

    code = "outside-unreachable"


class WitnessPolicyInvalid(LedgerError):
    """The policy of witnesses to be asked names no quorum, a log, or a witness without an address."""

    code = "witness-policy-invalid"


class WitnessUnavailable(LedgerError):
    """A witness does not answer, or answers what cannot be believed; it is asked again."""

    code = "witness-unavailable"


class WitnessRefuses(LedgerError):
    """A witness does not follow the log of logs, or does not know its key."""

    code = "witness-refuses"


class WitnessContradicts(LedgerError):
    """A witness holds a head that ours does not extend: a second history, or lost entries."""

    code = "witness-contradicts"


class PublishedMeanwhile(RollbackDetected):
    """Another process replaced the published checkpoint first; who reads it again may go on."""


class LogKeyRetired(LedgerError):
    """This process signs with a key that is not, or no longer, the log's."""

    code = "log-key-retired"


class ClockWentBack(LedgerError):
    """The clock stands before the last registration."""

    code = "clock-went-back"


class CopyUnreachable(LedgerError):
    """The storage of the published copy does not answer: without the second failure domain nothing runs."""

    code = "copy-unreachable"


class RecoveryRefused(LedgerError):
    """A decision of two operators cannot be carried out: it is not theirs, not of this history, or over."""

    code = "recovery-refused"


class PublicationFailed(LedgerError):
    """The published copy could not be written. No receipt may leave; the batch stays in the database."""

    code = "publication-failed"


class LogDamaged(LedgerError):
    """Stored bytes no longer give the digests, roots or signatures that the log committed to."""

    code = "log-damaged"


class EpochRefused(LedgerError):
    """An epoch cannot be built: a log's head is not consistent with its head in the epoch before."""

    code = "epoch-refused"


class EpochPending(LedgerError):
    """The statement is logged, but no published epoch covers it yet."""

    code = "epoch-pending"
