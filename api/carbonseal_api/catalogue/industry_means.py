"""Industry means: the registrar's public statements with which intensities are compared.

The newest standing statement about an industry and a period counts; an older one stays visible. What is left
out: whether the mean is right. The registrar names its source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.problems import RequestInvalid
from carbonseal_api.quality.queries import results
from carbonseal_api.taken_back import taken_back
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Interval
from carbonseal_attest.quantities import parse_decimal
from carbonseal_attest.statement import SignedStatement

INDUSTRY: Final = re.compile(r"[A-T][0-9]{0,4}")  # GB/T 4754: section, division, group, class
_MAX_MEANS: Final = 10_000


def check_industry(text: str, field: str) -> str:
    """Return `text` if it has the shape of a code of GB/T 4754, such as C31.

    Raises:
        RequestInvalid: It has not.
    """
    if not INDUSTRY.fullmatch(text):
        raise RequestInvalid(field, f"{text[:40]!r} is no industry", "write a code of GB/T 4754, such as C31")
    return text


def publish_mean(
    parts: Parts, *, industry: str, period: Interval, value: str, unit: str, source: str
) -> SignedStatement:
    """Return the registrar's `industry_mean` statement, registered.

    Args:
        parts: The deployment; the registrar's key must be here.
        industry: Code of GB/T 4754.
        period: Half-open, in ms.
        value: Above zero, a plain decimal.
        unit: UCUM, such as `t{CO2e}/(10*4.CNY)`.
        source: Who computed it, from what.

    Raises:
        RequestInvalid: A value is not as documented.
        PartMissing: The registrar's key is elsewhere.
    """
    check_industry(industry, "industry")
    try:
        is_positive = parse_decimal(value, field="value") > 0
    except CarbonsealError as problem:
        raise RequestInvalid(problem.field, problem.reason, problem.remedy) from problem
    if not is_positive or not source.strip() or not unit.strip():
        raise RequestInvalid("value", "not above zero, or without unit or source", "give all three")
    body = {
        "industry": industry,
        "period": {"start": period[0], "end": period[1]},
        "quantity": {"value": value, "unit": unit},
        "source": source,
    }
    origin = f"{parts.settings.log_host_name}/{parts.registrar}/register"
    with parts.desks.desk(parts.registrar) as desk:
        statement = desk.issue(origin, "industry_mean", body)
    parts.projections.refresh_log(origin)
    return statement


def means(parts: Parts, *, industry: str | None = None) -> list[Mapping[str, Any]]:
    """Return the standing industry means, newest first: rows of the projection of results.

    Of two about the same industry and period both are listed; the first one counts.
    """
    parts.projections.refresh_log(f"{parts.settings.log_host_name}/{parts.registrar}/register")
    gone = taken_back(parts.host, parts.settings.log_host_name, parts.registrar)
    return [
        row
        for row in results(parts.engine, parts.registrar, "industry_mean", limit=_MAX_MEANS)
        if row["log"] == "register"
        and (industry is None or row["body"]["industry"] == industry)
        and gone.ending(bytes(row["statement_digest"]), row["registered_at"]) is None
    ]


def mean_for(parts: Parts, industry: str, period: Interval) -> Mapping[str, Any] | None:
    """Return the mean that counts for an industry and exactly a period, None when there is none."""
    wanted = {"start": period[0], "end": period[1]}
    found = [row for row in means(parts, industry=industry) if row["body"]["period"] == wanted]
    return found[0] if found else None
