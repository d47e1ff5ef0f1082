"""Renders the templates: everything escaped, unknown names refused, strict security headers on every page.

No script runs on any page, nothing is loaded from another origin, no page can be framed.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from carbonseal_accounting.units import parse_unit
from carbonseal_api.reports.wording import Wording, load_wording
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import format_instant, parse_instant

CATALOGUE: Final = "web/wording.json"
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class PageWording:
    """The sentences of the pages, with those of the reports behind them: one word for one thing."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self._own, self._reports = load_wording(lang, CATALOGUE), load_wording(lang)

    def __call__(self, key: str, **values: object) -> str:
        """Return a sentence; see `Wording`."""
        return self._of(key)(key, **values)

    def term(self, family: str, code: str) -> str:
        """Return the word for a code; see `Wording.term`."""
        return self._of(f"{family}.{code}").term(family, code)

    def name(self, names: Any, fallback: str = "") -> str:
        """Return the name in this language; see `Wording.name`."""
        return self._own.name(names, fallback)

    def has(self, key: str) -> bool:
        """Whether there is such a sentence."""
        return self._own.has(key) or self._reports.has(key)

    def _of(self, key: str) -> Wording:
        return self._own if self._own.has(key) else self._reports


def page(request: Request, template: str, *, lang: str, status: int = 200, **context: Any) -> Response:
    """Return a page.

    Args:
        request: The request; its path and query make the link to the other language.
        template: File name in `templates`.
        lang: `zh` or `en`.
        status: HTTP status.
        **context: What the template shows.
    """
    words = PageWording(lang)
    other = "en" if lang == "zh" else "zh"
    html = (
        _environment()
        .get_template(template)
        .render(
            words=words,
            lang=lang,
            other_lang=other,
            other_url=str(request.url.include_query_params(lang=other).replace(scheme="", netloc="")),
            **context,
        )
    )
    response = Response(html, status, HEADERS, media_type="text/html; charset=utf-8")
    if request.query_params.get("lang") == lang:
        response.set_cookie("carbonseal_lang", lang, max_age=31_536_000, samesite="lax", httponly=True)
    return response


def page_language(request: Request) -> str:
    """Return the page's language: the query's, the last one chosen, the browser's wish, or Chinese."""
    for wish in (request.query_params.get("lang"), request.cookies.get("carbonseal_lang")):
        if wish in {"zh", "en"}:
            return wish
    return "en" if request.headers.get("accept-language", "").lower().startswith("en") else "zh"


def civil(instant: str, time_zone: str, *, with_time: bool = True) -> str:
    """Return an RFC 3339 instant as the site's civil date and time."""
    moment = (_EPOCH + timedelta(milliseconds=parse_instant(instant))).astimezone(ZoneInfo(time_zone))
    return moment.strftime("%Y-%m-%d %H:%M" if with_time else "%Y-%m-%d")


def age(seconds: int, words: PageWording) -> str:
    """Return an age in words, in its largest unit, rounded down."""
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= length:
            return words(f"age.{unit}", count=seconds // length)
    return words("age.seconds", count=seconds)


def last_day(end: str, time_zone: str) -> str:
    """Return the last civil day of a period by its exclusive end."""
    return civil(format_instant(parse_instant(end) - 1), time_zone, with_time=False)


def rounded(value: str, places: int) -> str:
    """Return a decimal string with a number of places, half up; for showing only."""
    return format(Decimal(value).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP), "f")


def unit_name(code: str) -> str:
    """Return the common name of a UCUM unit, or the code itself."""
    try:
        return parse_unit(code).name
    except CarbonsealError:
        return code


def pretty(value: Any) -> str:
    """Return JSON values indented for reading."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def short(digest: str) -> str:
    """Return a digest's first characters; the full one stands in the link's title."""
    return f"{digest[:12]}…"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("carbonseal_api.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "civil": civil,
        "age": age,
        "short": short,
        "last_day": last_day,
        "rounded": rounded,
        "unit": unit_name,
        "pretty": pretty,
    }
    return environment
