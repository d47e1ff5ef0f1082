"""Pages of a list: how many at once, and the `Link` header that tells where the next one begins (RFC 8288).

A cursor is the place of the last item that was shown, so that what is registered meanwhile moves nothing.
"""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Query, Request, Response

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 200
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items on one page.")]
Cursor = Annotated[
    int | None, Query(ge=0, le=(1 << 53) - 1, description="From the `Link` header of the page before.")
]
FileCursor = Annotated[
    str | None,
    Query(pattern=r"^[0-9]{1,15}-[0-9a-f]{64}$", description="From the `Link` header of the page before."),
]


def link_next(request: Request, response: Response, limit: int, cursor: int | str | None) -> None:
    """Tell where the next page begins; nothing on the last one."""
    if cursor is not None:
        query = urlencode({"limit": limit, "cursor": cursor})
        response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
