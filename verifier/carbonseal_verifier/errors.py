"""Refusals of the verifier room: bad input to a tool. A failed check is not an error but a step's outcome."""

from __future__ import annotations

from carbonseal_accounting.errors import AccountingError
from carbonseal_attest.errors import CarbonsealError


class VerifierError(CarbonsealError):
    """Root of all refusals of this room."""

    code = "verifier-error"


class ProfileInvalid(VerifierError):
    """A quality profile has an unknown key, a missing limit, or a value out of bounds."""

    code = "profile-invalid"


class CatalogueInvalid(VerifierError):
    """The rule catalogue contradicts itself, or names a rule that no code implements."""

    code = "catalogue-invalid"


class SeriesInvalid(VerifierError):
    """A readings content or a CSV series cannot be indexed."""

    code = "series-invalid"


class PlanUnusable(VerifierError):
    """A monitoring plan declares something the rules cannot read."""

    code = "plan-unusable"


class CorrectionRefused(VerifierError):
    """A correction of readings leads to something that cannot stand in their place."""

    code = "correction-refused"


class UnknownRule(VerifierError):
    """No rule of that name exists in the catalogue."""

    code = "unknown-rule"


class PackageUnusable(VerifierError):
    """A method, factor or profile package is of no known kind, or is not the one it claims to be."""

    code = "package-unusable"


class UsageInvalid(VerifierError):
    """A path or an option of the command cannot be used."""

    code = "usage-invalid"


class GradeRuleInvalid(VerifierError, AccountingError):
    """A grade rule's package is malformed; also accounting's, whose readers of packages raise it."""

    code = "grade-rule-invalid"


class GradeRuleUnknown(VerifierError):
    """No grade rule of that name is at hand."""

    code = "grade-rule-unknown"


class GradeInputInvalid(VerifierError, AccountingError):
    """An input to a grade rule is malformed, has an unknown key, or a unit that the rule does not take."""

    code = "grade-input-invalid"


class GradeStatementRefused(VerifierError):
    """A grade statement is malformed, not proved, or carries another input or result."""

    code = "grade-statement-refused"


class BodyKeyRefused(VerifierError):
    """The key file of a verification body cannot be made or opened."""

    code = "body-key-refused"


class InvitationInvalid(VerifierError):
    """An invitation is malformed, or names keys, logs or a policy that its reader should not sign."""

    code = "invitation-invalid"


class OutboxRefused(VerifierError):
    """What a verification body has signed cannot be stored, or contradicts what the log holds."""

    code = "outbox-refused"


class ServiceRefused(VerifierError):
    """The log host refuses, does not answer, or answers what cannot be believed."""

    code = "service-refused"


class SamplingRefused(VerifierError):
    """A sample cannot be committed to or drawn: commitment, nonce, block or bundle do not fit together."""

    code = "sampling-refused"


class TranscriptInvalid(VerifierError):
    """A sampling transcript is malformed, or drawing again gives another one."""

    code = "transcript-invalid"


class FindingsInvalid(VerifierError):
    """A file of findings has an unknown key, a missing text or a malformed figure."""

    code = "findings-invalid"


class OpinionRefused(VerifierError):
    """An opinion must not be given: its own facts, its signer's role or its independence speak against it."""

    code = "opinion-refused"


class StatementFileInvalid(VerifierError):
    """A file does not hold one statement with its content, and a receipt if it has one."""

    code = "statement-file-invalid"


class VectorInvalid(VerifierError):
    """A vector file cannot be read: too large, malformed, or of no shape that its family reads."""

    code = "vector-invalid"


class WitnessStateRefused(VerifierError):
    """The file of what a witness cosigned is missing, damaged, another key's, or cannot be written."""

    code = "witness-state-refused"


class MonitorStateRefused(VerifierError):
    """What a monitor kept of a log cannot be read or written, or is another log's."""

    code = "monitor-state-refused"
