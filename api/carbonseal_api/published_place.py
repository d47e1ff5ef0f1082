"""Opens the published copy where the settings say: a folder, or a bucket of S3-compatible storage.

Two places, because two publics: checkpoints and hash tiles are anybody's, entry bundles need a grant. It
refuses a place of entry bundles inside the public one.
"""

from __future__ import annotations

from pathlib import Path

from carbonseal_api.problems import SettingsInvalid
from carbonseal_api.settings import Settings
from carbonseal_ledger.object_store import ObjectStore
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.s3_store import open_s3_store


def open_published(settings: Settings) -> PublishedCopy:
    """Return the published copy of a deployment.

    Raises:
        SettingsInvalid: A folder and a bucket for the same files, or entry bundles inside the public place.
        PublicationFailed: The storage cannot be used, or overlooks conditional writes.
    """
    place = _place(settings, "published", settings.published_folder, settings.published_bucket)
    entries = _place(settings, "entries", settings.entries_folder, settings.entries_bucket)
    if _is_inside(settings.entries_folder, None if settings.published_bucket else settings.published) or (
        settings.entries_bucket is not None
        and settings.published_bucket is not None
        and _slashed(settings.entries_bucket).startswith(_slashed(settings.published_bucket))
    ):
        raise SettingsInvalid(
            "entries_folder" if settings.entries_folder else "entries_bucket",
            "lies inside the public copy",
            "keep entry bundles where no web server shows them",
        )
    return PublishedCopy(place or settings.published, entries=entries)


def _place(
    settings: Settings, name: str, folder: Path | None, bucket: str | None
) -> Path | ObjectStore | None:
    if bucket is None:
        return folder
    if folder is not None:
        raise SettingsInvalid(f"{name}_bucket", f"stands beside {name}_folder", "name one of the two")
    return open_s3_store(bucket, endpoint=settings.s3_endpoint, region=settings.s3_region)


def _is_inside(inner: Path | None, outer: Path | None) -> bool:
    return inner is not None and outer is not None and inner.resolve().is_relative_to(outer.resolve())


def _slashed(address: str) -> str:
    return address.rstrip("/") + "/"
