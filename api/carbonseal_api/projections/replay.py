"""Turns log entries and their contents into projection rows. Pure: entries in, rows out; no database.

A content that is not here (withheld, erased, not uploaded) leaves no row: it cannot be projected, and
completeness shows it as missing. Statements were checked by the ledger at registration; nothing is
re-checked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from carbonseal_api.activity.projector import mentions_of, statement_row
from carbonseal_api.assets.projector import records_of
from carbonseal_api.impacts.projector import marks_of
from carbonseal_api.lineage.projector import edges_of
from carbonseal_api.projections.rows import Projected, Rows
from carbonseal_attest.contents import KINDS, Content, parse_content
from carbonseal_attest.contents.readings import Series, read_series
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.quantities import format_decimal
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.outcomes import LoggedEntry

RESULT_KINDS: Final = frozenset(
    {"quality_code", "emissions_report", "document", "calibration", "correction", "withdrawal", "method"}
    | {"corrected_readings", "declared_activity", "downgrade", "business_record", "industry_mean", "grant"}
    | {"sampling_commitment", "verification_report", "grade", "impact", "asset_act"}
    | {"party", "device", "monitoring_plan"}  # besides the table of their newest state
)
PROJECTED: Final = RESULT_KINDS | {"readings", "gap"}

# What domains draw from a kind besides its row in `projection_results`: functions that add rows with
# `rows.add(TABLE, row)`. A row must follow from entry and content alone, whatever was read before them.
Projector = Callable[[Rows, Projected], None]
_OF_ONE_KIND: Final[Mapping[str, tuple[Projector, ...]]] = {
    "impact": (marks_of,),
    "asset_act": (records_of,),
}
PROJECTORS: Final[Mapping[str, tuple[Projector, ...]]] = {
    kind: (edges_of, mentions_of, *_OF_ONE_KIND.get(kind, ())) for kind in RESULT_KINDS
}


def wanted_contents(entries: list[LoggedEntry]) -> dict[bytes, bytes]:
    """Return statement digest to content digest of the entries that are projected."""
    return {
        entry.digest: SignedStatement.parse(entry.raw).payload for entry in entries if entry.kind in PROJECTED
    }


def project(party: str, entries: list[LoggedEntry], contents: Mapping[bytes, bytes]) -> Rows:
    """Return the rows of some entries of one party's log.

    Args:
        party: Party code of the log.
        entries: In index order.
        contents: Content digest to content, where it is stored.
    """
    rows = Rows()
    for entry in entries:
        if entry.kind == "tick" or entry.kind not in KINDS:
            continue
        statement = SignedStatement.parse(entry.raw)
        statement_row(rows, party, entry, statement)
        data = contents.get(statement.payload) if entry.kind in PROJECTED else None
        if data is None:
            continue
        content = parse_content(data)
        _project_one(rows, party, entry, statement, content)
        for projector in PROJECTORS.get(entry.kind, ()):
            projector(rows, Projected(party, entry, statement, content))
    return rows


def json_value(value: Any) -> Any:
    """Return a content's value as JSON: byte strings in hex, integer keys as text."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(key): json_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(inner) for inner in value]
    return value


def _project_one(
    rows: Rows, party: str, entry: LoggedEntry, statement: SignedStatement, content: Content
) -> None:
    body, digest = content.body, entry.digest
    if entry.kind == "party":
        rows.parties[body["party"]] = {
            "party": body["party"],
            "status": body["status"],
            "roles": list(body["roles"]),
            "name": json_value(body["name"]),
            "org": body["org"],
            "register_origin": body["register_origin"],
            "data_origin": body["data_origin"],
            "statement_digest": digest,
        }
    elif entry.kind == "device":
        rows.devices[party, body["device"]] = {
            "party": party,
            "device": body["device"],
            "class": body["class"],
            "action": body["action"],
            "key_storage": body["key_storage"],
            "kid": PublicKey.from_cose_key(body["key"]).kid,
            "name": json_value(body["name"]),
            "subjects": list(body["subjects"]),
            "statement_digest": digest,
            "registered_at": entry.registered_at,
        }
    elif entry.kind == "monitoring_plan":
        rows.plans[party, body["plan"], body["plan_version"]] = {
            "party": party,
            "plan": body["plan"],
            "plan_version": body["plan_version"],
            "statement_digest": digest,
            "effective_start": body["effective"]["start"],
            "effective_end": body["effective"]["end"],
            "body": json_value(body),
        }
    if entry.kind in {"readings", "gap"}:
        _project_series(rows, party, entry, statement, content)
    else:
        rows.results.append(
            {
                "party": party,
                "log": entry.origin.rsplit("/", 1)[1],
                "entry_index": entry.index,
                "kind": entry.kind,
                "subject": content.subject,
                "interval_start": content.interval[0] if content.interval else None,
                "interval_end": content.interval[1] if content.interval else None,
                "statement_digest": digest,
                "content_digest": statement.payload,
                "registered_at": entry.registered_at,
                "body": json_value(body),
            }
        )


def _project_series(
    rows: Rows, party: str, entry: LoggedEntry, statement: SignedStatement, content: Content
) -> None:
    start, end = content.interval or (0, 0)
    for position, (point, form, unit, samples, series) in enumerate(_points(content)):
        rows.series.append(
            {
                "party": party,
                "entry_index": entry.index,
                "position": position,
                "kind": entry.kind,
                "device": content.subject,
                "point": point,
                "form": form,
                "unit": unit,
                "interval_start": start,
                "interval_end": end,
                "samples": samples,
                "statement_digest": entry.digest,
                "content_digest": statement.payload,
                "kid": statement.header.kid,
                "registered_at": entry.registered_at,
            }
        )
        if series is not None:
            _keep_last(rows, party, entry.digest, content.subject, series)


def _points(content: Content) -> Iterator[tuple[str, str, str, int, Series | None]]:
    if content.kind == "gap":
        for point in content.body["points"]:
            yield point, "", "", 0, None
    else:
        for series in read_series(content.body):
            yield series.point, series.form, series.unit, len(series.times), series


def _keep_last(rows: Rows, party: str, digest: bytes, device: str, series: Series) -> None:
    last = max(series.samples(), key=lambda sample: sample.at, default=None)
    if last is None:
        return
    key = (party, device, series.point)
    known = rows.last_readings.get(key)
    if known is None or last.at >= known["measured_at"]:
        rows.last_readings[key] = {
            "party": party,
            "device": device,
            "point": series.point,
            "measured_at": last.at,
            "value": None if last.value is None else format_decimal(last.value),
            "unit": series.unit,
            "quality": last.quality,
            "statement_digest": digest,
        }
