"""Audits the epochs: each row against its entry in the log of logs, and its map made again from its heads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, text

from carbonseal_attest.epoch import EpochEntry, EpochMap, MapEntry
from carbonseal_attest.errors import CarbonsealError
from carbonseal_ledger.audit_report import AuditReport, Damage
from carbonseal_ledger.log_keys import LogKeySpan, open_note

_MEND: Final = "restore its rows; the log of logs is right"
_EPOCHS: Final = text("SELECT * FROM ledger_epochs ORDER BY entry_index, epoch")
_HEADS: Final = text(
    "SELECT l.origin, h.log_id, h.tree_size, h.root_hash FROM ledger_epoch_heads h"
    " LEFT JOIN ledger_logs l ON l.id = h.log_id WHERE h.epoch = :epoch ORDER BY h.log_id"
)
_LOGGED: Final = text(
    "SELECT index AS place, raw FROM ledger_entries WHERE log_id = :log_id AND index > 0 ORDER BY index"
)
_STRAYS: Final = text(
    "SELECT h.epoch, h.log_id FROM ledger_epoch_heads h LEFT JOIN ledger_epochs e ON e.epoch = h.epoch"
    " WHERE e.epoch IS NULL ORDER BY h.epoch, h.log_id"
)


def audit_epochs(
    connection: Connection, origin: str, log_id: int, spans: Sequence[LogKeySpan], report: AuditReport
) -> Iterator[Damage]:
    """Audit every epoch of the log of logs: entries have `log_id`, `spans` say who signs which size."""
    logged = {row.place: bytes(row.raw) for row in connection.execute(_LOGGED, {"log_id": log_id})}
    rows = connection.execute(_EPOCHS).all()
    for missing in sorted(logged.keys() - {row.entry_index for row in rows}):
        yield Damage(f"epoch {missing}", "no row names its entry in the log of logs", _MEND)
    for row in rows:
        report.epochs += 1
        where = f"epoch {row.epoch}"
        if row.epoch != row.entry_index:
            what = f"entry_index is {row.entry_index}, and the entry of an epoch has its number"
            yield Damage(where, what, _MEND)
        yield from _audit_row(where, row, logged.get(row.entry_index))
        yield from _audit_checkpoint(where, row, origin, spans)
        yield from _audit_map(connection, where, row)
    for stray in connection.execute(_STRAYS):
        where = f"epoch {stray.epoch}"
        yield Damage(where, f"there is none, and log {stray.log_id} has a head in it", _MEND)


def _audit_row(where: str, row: Any, raw: bytes | None) -> Iterator[Damage]:
    if raw is None:
        yield Damage(where, "it has no entry in the log of logs", _MEND)
        return
    try:
        entry = EpochEntry.decode(raw)
    except CarbonsealError as error:
        yield Damage(where, f"its entry in the log of logs: {error.field} {error.reason}", "see that log")
        return
    for column, stored, said in (
        ("epoch", row.epoch, entry.epoch),
        ("map_root", bytes(row.map_root), entry.map_root),
        ("origins", row.origins, entry.origins),
        ("built_at", row.built_at, entry.closed_at),
    ):
        if stored != said:
            yield Damage(where, f"{column} differs from its entry in the log of logs", _MEND)


def _audit_checkpoint(where: str, row: Any, origin: str, spans: Sequence[LogKeySpan]) -> Iterator[Damage]:
    try:
        head = open_note(row.checkpoint, origin, spans)
    except CarbonsealError as error:
        yield Damage(where, f"its checkpoint {error.reason}", _MEND)
        return
    if head.tree_size != row.entry_index + 1:
        yield Damage(where, f"its checkpoint is of size {head.tree_size}, not {row.entry_index + 1}", _MEND)


def _audit_map(connection: Connection, where: str, row: Any) -> Iterator[Damage]:
    heads = connection.execute(_HEADS, {"epoch": row.epoch}).all()
    for head in heads:
        if head.origin is None:
            yield Damage(where, f"its map holds a head of log {head.log_id}, which there is not", _MEND)
    entries = [MapEntry(head.origin, head.tree_size, bytes(head.root_hash)) for head in heads if head.origin]
    try:
        made = EpochMap(entries)
    except CarbonsealError as error:
        yield Damage(where, f"its map: {error.reason}", _MEND)
        return
    if (made.root, len(entries)) != (bytes(row.map_root), row.origins):
        yield Damage(where, f"its {len(entries)} heads do not give its map root", _MEND)
