"""Draws the rows about carbon-asset records from asset_act statements. Pure: a statement in, rows out.

Each statement tells the record's facts whole, so that a row is written from one statement alone, whatever
came before: replaying a log gives the same rows however it is cut into batches. `agreement` folds the log
with the very same function and compares.
"""

from __future__ import annotations

from typing import Any

from carbonseal_api.assets.acts import ENDS, FREEZE, MOVE, RELEASE, SPLIT
from carbonseal_api.projections.rows import Projected, Rows
from carbonseal_api.projections.tables import ASSET_FREEZES, ASSET_PARTS, ASSET_RECORDS


def records_of(rows: Rows, projected: Projected) -> None:
    """Add what one asset_act says about its record, and about the parts of a split."""
    body = projected.content.body
    act, record = str(body["act"]), bytes(body["record"])
    told = {"registrar": projected.party, "statement_digest": projected.entry.digest}
    if act in {FREEZE, RELEASE}:
        freeze = {"record": record, "cause": str(body["reference"]), "is_standing": act == FREEZE}
        rows.add(ASSET_FREEZES, told | freeze)
        return
    facts: dict[str, Any] = told | {
        "registry": body["registry"],
        "batch": body["batch"],
        "holder": body["to"] if act == MOVE else body["holder"],
        "verification_report": bytes(body["verification_report"]),
        "registered_at": projected.entry.registered_at,
    }
    first, last, cut = int(body["first"]), int(body["last"]), body["last_of_left"]
    state = "split" if act == SPLIT else ENDS.get(act, "live")
    rows.add(ASSET_RECORDS, facts | {"record": record, "first": first, "last": last, "state": state})
    if act != SPLIT or cut is None:
        return
    for part, (start, end) in zip(body["parts"], ((first, cut), (cut + 1, last)), strict=False):
        part_facts = {"record": bytes(part), "first": start, "last": end, "state": "live"}
        rows.add(ASSET_RECORDS, facts | part_facts)
        rows.add(ASSET_PARTS, told | {"part": bytes(part), "parent": record})
