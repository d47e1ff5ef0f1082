"""How far the statements of an answer have come: receipt state, epoch, anchor; few questions for many.

An epoch covers a log's beginning, so all entries between two of the same epoch are of that epoch; and every
entry has come at least as far as a later one of its log.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from carbonseal_api.assembly import Parts
from carbonseal_api.lineage.schemas import SealView
from carbonseal_ledger.outcomes import EpochRecord

Row = Mapping[str, Any]


class Seals:
    """Asks log host and chain, and remembers for one answer."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._anchors: dict[int, tuple[int | None, str | None]] = {}

    def of_statements(self, rows: Collection[Row]) -> dict[str, SealView]:
        """Return the seal of each statement row, by digest in hex."""
        by_origin: dict[str, list[Row]] = {}
        for row in rows:
            by_origin.setdefault(self.origin(row["party"], row["log"]), []).append(row)
        found: dict[str, SealView] = {}
        for origin, chosen in by_origin.items():
            states = self.states(chosen)
            epochs = self.epochs(origin, {row["entry_index"] for row in chosen})
            for row in chosen:
                digest = bytes(row["statement_digest"]).hex()
                found[digest] = self._view(states[digest], epochs.get(row["entry_index"]))
        return found

    def states(self, rows: Collection[Row]) -> dict[str, str]:
        """Return the receipt state of each statement row, by digest in hex."""
        by_origin: dict[str, list[bytes]] = {}
        for row in rows:
            origin = self.origin(row["party"], row["log"])
            by_origin.setdefault(origin, []).append(bytes(row["statement_digest"]))
        found: dict[str, str] = {}
        for origin, digests in by_origin.items():
            answers = self._parts.host.receipt_states(origin, digests)
            for digest, answer in zip(digests, answers, strict=True):
                found[digest.hex()] = str(answer.state or "logged")
        return found

    def of_entry(self, origin: str, index: int) -> SealView:
        """Return the seal of an entry."""
        host = self._parts.host
        state = host.receipt_state(origin, host.entry(origin, index).digest)
        return self._view(str(state), host.epoch_covering(origin, index + 1))

    def origin(self, party: str, log: str) -> str:
        """Return the origin of a party's log."""
        return f"{self._parts.settings.log_host_name}/{party}/{log}"

    def epochs(self, origin: str, indices: Collection[int]) -> dict[int, EpochRecord]:
        """Return the first epoch that covers each index of a log; those not covered yet are left out."""
        found: dict[int, EpochRecord] = {}
        waiting = [sorted(indices)] if indices else []
        while waiting:
            run = waiting.pop()
            first, last = (self._parts.host.epoch_covering(origin, run[end] + 1) for end in (0, -1))
            if first is None:
                continue
            if last is not None and first.epoch == last.epoch:
                found |= dict.fromkeys(run, first)
            elif len(run) <= 2:
                found |= {at: one for at, one in ((run[0], first), (run[-1], last)) if one is not None}
            else:
                middle = len(run) // 2
                waiting += [run[:middle], run[middle:]]
        return found

    def _view(self, state: str, record: EpochRecord | None) -> SealView:
        if record is None:
            return SealView(receipt_state=state, epoch=None, chain_id=None, transaction=None)
        chain, transaction = self._anchor(record)
        return SealView(receipt_state=state, epoch=record.epoch, chain_id=chain, transaction=transaction)

    def _anchor(self, record: EpochRecord) -> tuple[int | None, str | None]:
        if record.epoch not in self._anchors:
            book = self._parts.anchors
            anchor = None if book is None else book.anchor_of(record.tree_size)
            self._anchors[record.epoch] = (
                (None, None) if anchor is None else (anchor.chain_id, anchor.transaction)
            )
        return self._anchors[record.epoch]
