"""Lists by pages: they tile the whole while rows are added; cursors of any bytes are refused or harmless."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import unquote

import pytest
from fastapi import Response
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from carbonseal_api.paging import GREATEST, Page, link_next, read_cursor, write_cursor
from carbonseal_api.problems import RequestInvalid

# Lists that have another way to be taken in parts, or are as long as a page at most.
WHOLE = {
    "/epochs": "start and end, by number",
    "/logs/{origin}/streams": "one row a stream of a key; gateways ask for theirs",
    "/organisations/{party}/inventories": "one row a month",
}


def page_of(limit: int, cursor: str | None) -> tuple[Page, Response]:
    scope = {"type": "http", "method": "GET", "path": "/x", "query_string": b"a=1&cursor=old", "headers": []}
    response = Response()
    return Page(
        Request(scope | {"server": ("host", 80), "scheme": "http"}), response, limit, cursor
    ), response


def cursor_in(link: str | None) -> str | None:
    return None if link is None else link.split("cursor=")[1].split("&")[0].split(">")[0]


@given(
    numbers=st.lists(st.integers(0, 50), unique=True, max_size=30),
    added=st.lists(st.integers(0, 50), unique=True, max_size=20),
    limit=st.integers(1, 7),
    newest_first=st.booleans(),
)
def test_pages_tile_the_list_without_doubles_while_rows_are_added(
    numbers: list[int],
    added: list[int],
    limit: int,
    newest_first: bool,  # noqa: FBT001 - drawn by Hypothesis
) -> None:
    items, waiting, seen, cursor = list(numbers), list(added), [], None
    for _ in range(60):
        page, response = page_of(limit, cursor)
        seen += page.cut(items, lambda item: (item, f"k{item}"), newest_first=newest_first)
        if waiting:
            items = list({*items, waiting.pop()})
        cursor = cursor_in(response.headers.get("link"))
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert set(numbers) <= set(seen) | (set(items) - set(numbers))
    assert set(numbers) - set(seen) == set()


@given(st.lists(st.integers(-(2**70), 2**70) | st.text(max_size=20), min_size=1, max_size=4))
def test_cursor_is_read_as_it_was_written(key: list[Any]) -> None:
    assert read_cursor(write_cursor(tuple(key))) == tuple(key)


@given(
    st.text(max_size=60) | st.binary(max_size=40).map(lambda data: base64.urlsafe_b64encode(data).decode())
)
def test_any_text_is_a_cursor_or_refused_as_one(text: str) -> None:
    try:
        found = read_cursor(text)
    except RequestInvalid as refusal:
        found = (refusal.field,)
    assert found == ("cursor",) or read_cursor(write_cursor(found)) == found


@pytest.mark.parametrize("value", [{}, [], [[]], [None], [True], [1.5], "x", 7, [{"a": 1}]])
def test_rejects_cursor_that_holds_no_key(value: Any) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    with pytest.raises(RequestInvalid, match="none of this list"):
        read_cursor(cursor)


def test_rejects_cursor_of_another_list() -> None:
    page, _ = page_of(5, write_cursor(("text",)))
    with pytest.raises(RequestInvalid, match="none of this list"):
        page.cut([1, 2], lambda item: (item,))


def test_link_keeps_the_rest_of_the_query() -> None:
    page, response = page_of(1, None)
    page.cut([1, 2], lambda item: (item,))
    link = response.headers["link"]
    assert link.startswith("</x?a=1&")
    assert link.endswith('>; rel="next"')
    assert link.count("cursor=") == 1


@pytest.mark.parametrize("path", ["/x/\U0008c56b/y", "/x/a?b=c>; rel=next", "/x/\r\nSet-Cookie: a=b"])
def test_link_takes_no_byte_of_a_path_as_it_came(path: str) -> None:
    request = Request({"type": "http", "path": path, "query_string": b"", "headers": []})
    link = link_next(request, {"cursor": "a"})
    assert link.isascii()
    assert link.isprintable()
    assert (link.count("?"), link.count(">")) == (1, 1)
    assert unquote(link[1 : link.index("?")]) == path


@pytest.mark.parametrize(
    "query", ["limit=0", f"limit={GREATEST + 1}", "limit=x", "cursor=!!", "cursor=" + "A" * 500]
)
def test_rejects_limit_or_cursor_out_of_range(site: Any, query: str) -> None:
    answer = site.client.get(f"/organisations/{site.party}/api-keys?{query}", headers=site.headers())
    assert answer.status_code == 422
    assert answer.json()["field"].split(".")[-1] in {"limit", "cursor"}


def test_cursor_of_another_organisation_shows_nothing_of_it(site: Any) -> None:
    for _ in range(3):
        site.parts.keys.issue(site.party, ["reader"], "paged")
    address = f"/organisations/{site.party}/api-keys"
    link = site.client.get(f"{address}?limit=1", headers=site.headers()).headers["link"]
    stranger = site.admit("stranger").facts.code
    theirs = f"/organisations/{stranger}/api-keys?limit=9&cursor={cursor_in(link)}"
    own = {row["key_id"] for row in site.client.get(f"{address}?limit=200", headers=site.headers()).json()}
    rows = site.client.get(theirs, headers=site.headers("stranger")).json()
    assert not own & {row["key_id"] for row in rows}
    assert (
        site.client.get(f"{address}?cursor={cursor_in(link)}", headers=site.headers("stranger")).status_code
        == 404
    )


def test_keys_are_listed_page_by_page_while_more_are_made(site: Any) -> None:
    address = f"/organisations/{site.party}/api-keys"
    there = {site.parts.keys.issue(site.party, ["reader"], "page").split("_")[1] for _ in range(7)}
    seen, following = [], f"{address}?limit=3"
    while following:
        answer = site.client.get(following, headers=site.headers())
        seen += [row["key_id"] for row in answer.json()]
        site.clock.now += 1
        site.parts.keys.issue(site.party, ["reader"], "meanwhile")
        following = answer.links["next"]["url"] if "next" in answer.links else ""
    assert len(seen) == len(set(seen))
    assert there <= set(seen)


def test_every_list_is_given_by_pages(site: Any) -> None:
    paths = site.client.get("/openapi.json").json()["paths"]
    for path, operations in paths.items():
        content = operations.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        if content.get("application/json", {}).get("schema", {}).get("type") == "array":
            names = {parameter["name"] for parameter in operations["get"].get("parameters", [])}
            assert path in WHOLE or {"limit", "cursor"} <= names, path
