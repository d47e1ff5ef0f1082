"""Lists by pages: `?limit=` and an opaque `cursor`, the next page in a `Link` header (RFC 8288, rel="next").

A cursor says after which item to go on, by the item's own key, not at which place: what is added meanwhile
moves nothing, so that pages tile the list as it stood, each item once. It names nothing that its reader has
not seen and gives no right: every page is asked for, and refused, like the first.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import quote, urlencode

from fastapi import Depends, Query, Request, Response

from carbonseal_api.problems import RequestInvalid

DEFAULT: Final = 50
GREATEST: Final = 200
_MAX_CURSOR: Final = 400  # characters
_T = TypeVar("_T")
Key = tuple[str | int, ...]


class Page:
    """The part of a list that a caller asked for; endpoints take it as a `Paging` parameter."""

    def __init__(
        self,
        request: Request,
        response: Response,
        limit: Annotated[int, Query(ge=1, le=GREATEST, description="Items on a page.")] = DEFAULT,
        cursor: Annotated[
            str | None, Query(max_length=_MAX_CURSOR, description="From the `Link` of the page before.")
        ] = None,
    ) -> None:
        self._request, self._response = request, response
        self.limit = limit
        self.after = None if cursor is None else read_cursor(cursor)

    def cut(self, items: Iterable[_T], key: Callable[[_T], Key], *, newest_first: bool = False) -> list[_T]:
        """Return the page of a list, and say in the answer's `Link` where the next one begins.

        Args:
            items: The whole list as it stands now.
            key: What orders it; no two items may share one, and none may change.
            newest_first: From the greatest key down.

        Raises:
            RequestInvalid: The cursor is not one of this list.
        """
        ordered = sorted(items, key=key, reverse=newest_first)
        after = self.after
        if after is not None:
            try:
                ordered = [
                    item for item in ordered if (key(item) < after if newest_first else key(item) > after)
                ]
            except TypeError as problem:
                raise _not_ours() from problem
        shown = ordered[: self.limit]
        if len(ordered) > self.limit:
            query = {"limit": str(self.limit), "cursor": write_cursor(key(shown[-1]))}
            self._response.headers["Link"] = link_next(self._request, query)
        return shown


Paging = Annotated[Page, Depends(Page)]


def link_next(request: Request, query: Mapping[str, str]) -> str:
    """Return the `Link` header that leads to the next page: the same request with `query` changed.

    The path is written anew, percent-encoded: what a caller put into it does not go into a header as it came.
    """
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in query]
    path = quote(request.scope["path"], safe="/:@!$&'()*+,;=")
    return f'<{path}?{urlencode([*kept, *query.items()])}>; rel="next"'


def write_cursor(key: Key) -> str:
    """Return the cursor after an item."""
    data = json.dumps(list(key), separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def read_cursor(cursor: str) -> Key:
    """Return the key that a cursor holds.

    Raises:
        RequestInvalid: It is none of ours.
    """
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        value: Any = json.loads(data)
    except (binascii.Error, ValueError, RecursionError) as problem:
        raise _not_ours() from problem
    if not isinstance(value, list) or not value or not all(type(part) in {str, int} for part in value):
        raise _not_ours()
    return tuple(value)


def _not_ours() -> RequestInvalid:
    return RequestInvalid("cursor", "is none of this list", "follow the Link header of the page before")
