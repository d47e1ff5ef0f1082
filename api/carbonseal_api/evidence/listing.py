"""Pages of lists that the database cuts: only what one page needs is read, see `carbonseal_api.paging`."""

from __future__ import annotations

import re
from typing import Final, TypeVar

from carbonseal_api.paging import Key, Page
from carbonseal_api.problems import RequestInvalid
from carbonseal_attest.instants import MAX_INSTANT

Item = TypeVar("Item")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
Keyed = list[tuple[Key, Item]]  # newest first, each with what orders it


def before_entry(page: Page) -> int | None:
    """Return the entry index before which a page goes on, None for the first page.

    Raises:
        RequestInvalid: The cursor is of another list.
    """
    match page.after:
        case None:
            return None
        case (int(index),) if 0 <= index <= MAX_INSTANT:
            return index
    raise _of_another_list()


def before_file(page: Page) -> tuple[int, str] | None:
    """Return the (ms, SHA-256 in hex) before which a page of files goes on, None for the first page.

    Raises:
        RequestInvalid: The cursor is of another list.
    """
    match page.after:
        case None:
            return None
        case (int(at), str(digest)) if 0 <= at <= MAX_INSTANT and _DIGEST.fullmatch(digest):
            return at, digest
    raise _of_another_list()


def cut(page: Page, found: Keyed[Item]) -> list[Item]:
    """Return a page of what was found for it, one item more than it holds where there are more."""
    return [item for _, item in page.cut(found, lambda pair: pair[0], newest_first=True)]


def _of_another_list() -> RequestInvalid:
    return RequestInvalid("cursor", "is none of this list", "follow the Link header of the page before")
