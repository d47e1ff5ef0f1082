"""When which opinion may be given: one set of rules for whoever signs, checks or lists opinions.

Misstatements are the differences between what was reported and what the body computed again, stream by
stream, and those of open findings. They are compared with materiality, a share of the body's own total. Pure:
a `verification_report` body in, nothing or a refusal out. What its facts are worth, the bundle's check says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from carbonseal_attest.quantities import format_decimal, parse_decimal
from carbonseal_verifier.case import Case
from carbonseal_verifier.errors import OpinionRefused
from carbonseal_verifier.findings_file import EXACT, quantity_difference

TOTAL: Final = "total"
STREAM: Final = "stream/"  # before the id of a source stream that would be taken for something else
FINDING: Final = "finding/"  # before the name of a finding with an amount

# Beyond it nobody may call a report fair: 5 is customary (ISO 14064-3), and a body that could choose 100
# would find no error material.
MOST_MATERIAL: Final = Decimal(10)  # percent

Figures = dict[str, dict[str, dict[str, str]]]


def figures_of(case: Case) -> Figures:
    """Return what the operator reported and what was computed again: the total and every source stream.

    Empty where the check did not come as far as computing. A stream that only one of the two sides has is
    compared with nothing, 0.
    """
    again = getattr(case, "recomputed", None)
    if again is None or case.report.content is None:
        return {}
    inventory, signed = again.inventory.to_json(), case.report.content.body
    ours = {name: row["emissions"] for name, row in inventory["by_stream"].items()}
    theirs = {name: row["emissions"] for name, row in signed["by_stream"].items()}
    figures = {TOTAL: _compared(signed["totals"].get("total"), inventory["total"])}
    for name in sorted(ours.keys() | theirs.keys()):
        figures[_stream_key(name)] = _compared(theirs.get(name), ours.get(name))
    return figures


def misstatements(body: Mapping[str, Any]) -> Decimal:
    """Return the sum of all differences that stand, signs left away, in the unit of the total.

    Differences between streams that cancel out in the total count; a difference in the total alone does too.
    Those of closed findings do not.

    Raises:
        OpinionRefused: a difference is not what the two figures give, or in another unit than the total.
    """
    figures = body["figures"]
    if not figures:
        return Decimal(0)
    if TOTAL not in figures:
        raise _refusal("figures", "have no total")
    unit = figures[TOTAL]["verification_body"]["unit"]
    is_open = {f"{FINDING}{row['finding']}": row["state"] == "open" for row in body["findings"]}
    by_stream = by_finding = total = Decimal(0)
    for name, row in figures.items():
        amount = abs(_difference(name, row, unit))
        if name == TOTAL:
            total = amount
        elif name.startswith(FINDING):
            if name not in is_open:
                raise _refusal(f"figures.{name}", "belongs to no finding")
            by_finding = EXACT.add(by_finding, amount if is_open[name] else Decimal(0))
        else:
            by_stream = EXACT.add(by_stream, amount)
    return EXACT.add(max(by_stream, total), by_finding)


def threshold(body: Mapping[str, Any]) -> Decimal:
    """Return the materiality: the stated share of the body's own total, in its unit."""
    if TOTAL not in body["figures"]:
        return Decimal(0)
    total = abs(parse_decimal(body["figures"][TOTAL]["verification_body"]["value"]))
    share = parse_decimal(body["materiality_percent"], field="materiality_percent")
    if not 0 <= share <= 100:
        raise _refusal("materiality_percent", f"{body['materiality_percent']} is not between 0 and 100")
    return EXACT.divide(EXACT.multiply(total, share), Decimal(100))


def check_opinion(body: Mapping[str, Any], *, is_required: Callable[[str], bool]) -> None:
    """Refuse a verification report whose own facts forbid its opinion.

    Args:
        body: of a `verification_report`.
        is_required: whether the check must pass a step, by name, under the reader's trust file.

    Raises:
        OpinionRefused: a drawn slot without an answer and no finding about it, or an unmodified opinion
            although a required step did not pass, misstatements exceed materiality, a critical finding or one
            about unanswered slots is open, or nothing was computed again.
    """
    found, most = misstatements(body), threshold(body)
    sampling = body["sampling"]
    is_short = sampling is not None and sampling["answered"] < sampling["drawn"]
    about_slots = [
        row
        for row in body["findings"]
        if sampling is not None and sampling["transcript_digest"] in row["digests"]
    ]
    if sampling is not None and sampling["answered"] > sampling["drawn"]:
        raise _refusal("sampling", "has more answers than slots")
    if is_short and not about_slots:
        missing = sampling["drawn"] - sampling["answered"]
        raise _refusal("sampling", f"{missing} drawn slots have no answer, and no finding accounts for them")
    if body["opinion"] != "unmodified":
        return
    failed = [name for name, outcome in body["steps"].items() if outcome != "passed" and is_required(name)]
    if failed or not body["steps"]:
        raise _refusal(
            "opinion", f"an unmodified one is not open: step {failed[0] if failed else '(none)'} did not pass"
        )
    if not body["figures"]:
        raise _refusal("opinion", "an unmodified one needs figures that were computed again")
    if parse_decimal(body["materiality_percent"]) > MOST_MATERIAL:
        raise _refusal(
            "materiality_percent", f"an unmodified one takes at most {MOST_MATERIAL} per cent as immaterial"
        )
    if found > most:
        unit = body["figures"][TOTAL]["verification_body"]["unit"]
        shown = f"{format_decimal(found)} {unit} misstated, and {format_decimal(most)} {unit} is material"
        raise _refusal("opinion", f"an unmodified one is not open: {shown}")
    critical = [
        row["finding"] for row in body["findings"] if row["state"] == "open" and row["severity"] == "critical"
    ]
    if critical:
        raise _refusal(
            "opinion", f"an unmodified one is not open: the critical finding {critical[0]} is open"
        )
    if is_short and any(row["state"] == "open" for row in about_slots):
        raise _refusal("opinion", "an unmodified one is not open while a finding about unanswered slots is")


def _compared(
    reported: Mapping[str, str] | None, again: Mapping[str, str] | None
) -> dict[str, dict[str, str]]:
    unit = (again or reported or {"unit": ""})["unit"]
    own = "0" if again is None else again["value"]
    # A figure in another unit is not the same quantity: it is compared as if nothing had been reported.
    told = "0" if reported is None or reported["unit"] != unit else reported["value"]
    return quantity_difference(told, own, unit)


def _stream_key(name: str) -> str:
    is_clear = name != TOTAL and not name.startswith((STREAM, FINDING))
    return name if is_clear else STREAM + name


def _difference(name: str, row: Mapping[str, Mapping[str, str]], unit: str) -> Decimal:
    if {quantity["unit"] for quantity in row.values()} != {unit}:
        raise _refusal(f"figures.{name}", f"is not in {unit} as the total is")
    told, own, said = (
        parse_decimal(row[key]["value"]) for key in ("operator", "verification_body", "difference")
    )
    if EXACT.subtract(told, own) != said:
        raise _refusal(f"figures.{name}", "its difference is not what the two figures give")
    return said


def _refusal(field: str, reason: str) -> OpinionRefused:
    return OpinionRefused(field, reason, "give another opinion, or close what speaks against this one")
