"""Refusals of evidence: what an enterprise states beside its readings, and how it takes statements back.

Each is raised before anything is signed, unless it says otherwise.
"""

from __future__ import annotations

from carbonseal_api.problems import ApiError


class KeyElsewhere(ApiError):
    """The party's signing key is not in this deployment, so nothing can be signed for it here."""

    code = "key-elsewhere"
    status = 409


class FileRefused(ApiError):
    """A file is empty, has a name that could be misread, or is longer than the service takes."""

    code = "file-refused"
    status = 422


class MediaTypeContradicted(ApiError):
    """The bytes of a file are not of the media type that was stated for it."""

    code = "media-type-contradicted"
    status = 422


class DocumentDiffers(ApiError):
    """The same file stands already in a document statement that says something else about it."""

    code = "document-differs"
    status = 409


class DocumentUnknown(ApiError):
    """A document statement is named that the organisation has not filed, or has withdrawn."""

    code = "document-unknown"
    status = 422


class StatementUnknown(ApiError):
    """A statement is named that the organisation's logs do not hold."""

    code = "statement-unknown"
    status = 422


class PlanMissing(ApiError):
    """No monitoring plan of the organisation covers the period, or several do."""

    code = "plan-missing"
    status = 422


class StreamUnknown(ApiError):
    """A source stream is named that the monitoring plan does not have."""

    code = "stream-unknown"
    status = 422


class SourceUnknown(ApiError):
    """A data source is named that the plan does not list for the source stream, or in another order."""

    code = "source-unknown"
    status = 422


class DowngradeIdle(ApiError):
    """A downgrade would lead to a source that has no value for the month."""

    code = "downgrade-idle"
    status = 422


class MonthsNotWhole(ApiError):
    """A period is not made of whole civil months of the plan's time zone, or has not ended."""

    code = "months-not-whole"
    status = 422


class ValueRefused(ApiError):
    """A stated value is below zero where nothing can be."""

    code = "value-refused"
    status = 422


class StatedAlready(ApiError):
    """The same thing was stated for the period, or a part of it, and stands."""

    code = "stated-already"
    status = 409


class CorrectionUnfit(ApiError):
    """A correction names what cannot be corrected, or readings that do not fit it."""

    code = "correction-unfit"
    status = 422


class CorrectedAlready(ApiError):
    """The readings were corrected before: a second correction would never count."""

    code = "corrected-already"
    status = 409


class WithdrawalRefused(ApiError):
    """A statement of this kind is not taken back here, or another one rests on it."""

    code = "withdrawal-refused"
    status = 422


class WithdrawnAlready(ApiError):
    """The statement was taken back or replaced before."""

    code = "withdrawn-already"
    status = 409
