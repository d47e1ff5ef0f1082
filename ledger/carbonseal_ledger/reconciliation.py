"""Whether database, published copy, checkpoints, log of logs and contract tell one story: a pure comparison.

What each of them tells is read elsewhere (`reconciliation_tellings`); what is done about a disagreement too
(`reconciliation_book`, the service). Sources are to be read in the order contract, journal of anchors,
epochs, published copy, database: each may then be ahead of the one before it, and one that is behind
disagrees. What is on its way (an entry that is not published yet, a head that is not mined yet) is no
disagreement. Entries and contents are `log_audit`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

LEDGER = "ledger"  # the area of everything that is compared here; others bring their own


class Difference(StrEnum):
    """What can differ. The names are stable; docs/how-to/operate-the-service.md has one line for each."""

    LOG_UNKNOWN = "copy-without-log"
    COPY_MISSING = "log-without-copy"
    COPY_BEHIND = "copy-behind"
    DATABASE_BEHIND = "database-behind"
    ROOTS_DIFFER = "roots-differ"
    CHECKPOINT_DIFFERS = "checkpoint-differs"
    TILES_DIFFER = "tiles-differ"
    EPOCHS_DIFFER = "epochs-differ"
    EPOCH_HEAD_DIFFERS = "epoch-head-differs"
    EPOCH_NOT_PLANNED = "epoch-not-planned"
    ANCHOR_DIFFERS = "anchor-differs"
    ANCHOR_FAILED = "anchor-failed"
    FINALITY_LOST = "finality-lost"
    CONTRACT_AHEAD = "contract-ahead"
    CONTRACT_BEHIND = "contract-behind"
    CONTRACT_HISTORY = "contract-history"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One thing that two sources do not tell alike.

    Attributes:
        area: who compared: `ledger`, `assets`, `membership`.
        code: which difference, by its stable name.
        subject: the log, record or party that it is about.
        detail: what each source says, in words; may change while the difference stays the same.
        facts: what makes it another difference when it changes, such as a contradicting root hash.
    """

    area: str
    code: str
    subject: str
    detail: str
    facts: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits of a hash over area, code, subject and facts."""
        told = "\n".join((self.area, self.code, self.subject, *self.facts))
        return hashlib.sha256(told.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class ToldHead:
    """A head as one source has it."""

    size: int
    root_hash: bytes


@dataclass(frozen=True, slots=True)
class LogTelling:
    """One log.

    Attributes:
        database: its row; None for a copy of which the database knows nothing.
        signed: the checkpoint in the database, under the log key; None when it does not open.
        was_published: a size that the copy is known to have reached.
        published: the checkpoint in the published copy, under the log key; None when there is none.
        is_copy_signed: whether that checkpoint opens under the log key.
        tiles_root: root of the published tiles at the published size; None when they do not give one.
        mapped: its head in the newest epoch's map; None when it is in none.
        mapped_root: root of the published tiles at the mapped size.
    """

    origin: str
    database: ToldHead | None
    signed: ToldHead | None
    was_published: int
    published: ToldHead | None
    is_copy_signed: bool
    tiles_root: bytes | None
    mapped: ToldHead | None
    mapped_root: bytes | None


@dataclass(frozen=True, slots=True)
class AnchorTelling:
    """One head in the journal of anchors. `losses` counts final blocks of it that the chain took back."""

    head: ToldHead
    state: str
    losses: int


@dataclass(frozen=True, slots=True)
class ContractTelling:
    """The contract's heads of the log of logs, oldest first.

    `is_history_told` says whether they give the history hash that the contract holds.
    """

    name: str
    heads: tuple[ToldHead, ...]
    newest: ToldHead
    is_history_told: bool


@dataclass(frozen=True, slots=True)
class OutsideTelling:
    """What an outsider, such as a witness, holds of a log; `root_here` is our tiles' root at its size."""

    name: str
    origin: str
    head: ToldHead
    root_here: bytes | None


@dataclass(frozen=True, slots=True)
class Tellings:
    """What all sources tell. `contract` is None where there is none or it could not be asked.

    `missing` names the sources that could not be asked: nothing about them was compared.
    """

    log_of_logs: str
    logs: tuple[LogTelling, ...]
    epochs: tuple[ToldHead, ...]
    anchors: tuple[AnchorTelling, ...] = ()
    contract: ContractTelling | None = None
    outside: tuple[OutsideTelling, ...] = ()
    missing: tuple[str, ...] = ()


def disagreements(told: Tellings) -> list[Disagreement]:
    """Return every disagreement; an empty list when all that was asked tells one story."""
    sizes = {log.origin: log.database.size for log in told.logs if log.database is not None}
    found = [one for log in told.logs for one in _log(log)]
    found += _epochs(told, sizes.get(told.log_of_logs, 0))
    found += _anchors(told)
    if told.contract is not None:
        found += _contract(told, told.contract, sizes.get(told.log_of_logs, 0))
    for view in told.outside:
        found += _outside(view, sizes.get(view.origin, 0))
    return list({one.id: one for one in found}.values())


def _log(log: LogTelling) -> Iterator[Disagreement]:
    row, copy = log.database, log.published
    if row is None:
        yield _about(
            Difference.LOG_UNKNOWN, log.origin, "a published copy exists, and no row in the database"
        )
        return
    if log.signed != row:
        shown = "is not the log key's" if log.signed is None else f"says {_head(log.signed)}"
        detail = f"the row says {_head(row)}, its checkpoint {shown}"
        yield _about(Difference.CHECKPOINT_DIFFERS, log.origin, detail, _head(row))
    if copy is None:
        if log.was_published or log.is_copy_signed is False:
            detail = (
                "no checkpoint is published" if log.is_copy_signed else "its checkpoint is not the log key's"
            )
            yield _about(Difference.COPY_MISSING, log.origin, detail)
    else:
        yield from _copy(log, row, copy)
    if log.mapped is not None:
        yield from _mapped(log, row, log.mapped)


def _copy(log: LogTelling, row: ToldHead, copy: ToldHead) -> Iterator[Disagreement]:
    if copy.size < log.was_published:
        detail = f"it shows {copy.size} entries where {log.was_published} were published"
        yield _about(Difference.COPY_BEHIND, log.origin, detail)
    if copy.size > row.size:
        detail = f"it has {row.size} entries where the published copy has {copy.size}"
        yield _about(Difference.DATABASE_BEHIND, log.origin, detail, "published copy")
    if copy.size == row.size and copy.root_hash != row.root_hash:
        detail = f"database {_head(row)}, published copy {_head(copy)}"
        yield _about(Difference.ROOTS_DIFFER, log.origin, detail, _head(row), _head(copy))
    if log.tiles_root != copy.root_hash:
        given = "nothing" if log.tiles_root is None else f"root {log.tiles_root.hex()}"
        yield _about(Difference.TILES_DIFFER, log.origin, f"published tiles give {given} for {_head(copy)}")


def _mapped(log: LogTelling, row: ToldHead, mapped: ToldHead) -> Iterator[Disagreement]:
    if mapped.size > row.size:
        detail = f"it has {row.size} entries where the newest epoch's map has {mapped.size}"
        yield _about(Difference.DATABASE_BEHIND, log.origin, detail, "epoch")
    elif log.mapped_root != mapped.root_hash:
        given = "nothing" if log.mapped_root is None else f"root {log.mapped_root.hex()}"
        detail = f"the newest epoch maps {_head(mapped)}, and the published tiles give {given} there"
        yield _about(Difference.EPOCH_HEAD_DIFFERS, log.origin, detail, _head(mapped))


def _epochs(told: Tellings, size: int) -> Iterator[Disagreement]:
    """One entry an epoch, after the genesis; and each epoch's own head, where tiles can tell."""
    expected = [1 + at for at in range(1, len(told.epochs) + 1)]
    if [epoch.size for epoch in told.epochs] != expected or (size and size != len(told.epochs) + 1):
        detail = f"{len(told.epochs)} epochs stand beside a log of logs of {size} entries"
        yield _about(Difference.EPOCHS_DIFFER, told.log_of_logs, detail)
    row = next((log.database for log in told.logs if log.origin == told.log_of_logs), None)
    if told.epochs and row is not None and row.size == told.epochs[-1].size and row != told.epochs[-1]:
        detail = f"the newest epoch says {_head(told.epochs[-1])}, the log's row {_head(row)}"
        yield _about(Difference.EPOCHS_DIFFER, told.log_of_logs, detail, _head(row))


def _anchors(told: Tellings) -> Iterator[Disagreement]:
    """Exactly one head in the journal for each epoch, up to the newest planned one."""
    roots = {epoch.size: epoch.root_hash for epoch in told.epochs}
    planned = {anchor.head.size for anchor in told.anchors}
    for anchor in told.anchors:
        head, subject = anchor.head, f"{told.log_of_logs} at {anchor.head.size}"
        if head.size > 1 and roots.get(head.size) != head.root_hash:
            detail = f"planned {_head(head)}, and no epoch has that head"
            yield _about(Difference.ANCHOR_DIFFERS, subject, detail, _head(head))
        if anchor.state == "failed":
            detail = "its transactions reverted: no head is anchored for it or any later epoch"
            yield _about(Difference.ANCHOR_FAILED, subject, detail)
        if anchor.losses:
            detail = f"{anchor.losses} blocks of it were final and are in the chain no more"
            yield _about(Difference.FINALITY_LOST, subject, detail, str(anchor.losses))
    for size in sorted(set(roots) - planned):
        if planned and size < max(planned):
            detail = "a later epoch is planned to be anchored, and this one is not"
            yield _about(Difference.EPOCH_NOT_PLANNED, f"{told.log_of_logs} at {size}", detail)


def _contract(told: Tellings, contract: ContractTelling, size: int) -> Iterator[Disagreement]:
    subject = told.log_of_logs
    ours = {anchor.head for anchor in told.anchors}
    for head in contract.heads:
        if head not in ours:
            detail = f"{contract.name} holds {_head(head)}, which the journal of anchors did not plan"
            yield _about(Difference.CONTRACT_AHEAD, subject, detail, _head(head))
    if contract.newest.size > size:
        detail = f"it has {size} entries where {contract.name} holds {contract.newest.size}"
        yield _about(Difference.DATABASE_BEHIND, subject, detail, contract.name)
    for anchor in told.anchors:
        if anchor.state == "final" and anchor.head not in contract.heads:
            detail = f"the journal says that {_head(anchor.head)} is final, and {contract.name} lacks it"
            yield _about(Difference.CONTRACT_BEHIND, subject, detail, _head(anchor.head))
    last = contract.heads[-1] if contract.heads else ToldHead(0, bytes(32))
    if contract.newest != last or not contract.is_history_told:
        detail = f"{contract.name} holds {_head(contract.newest)}; its events tell {_head(last)}"
        if contract.newest == last:
            detail = f"the events of {contract.name} do not give its history hash"
        yield _about(Difference.CONTRACT_HISTORY, subject, detail)
    if len({head.size for head in contract.heads}) != len(contract.heads):
        yield _about(Difference.CONTRACT_HISTORY, subject, f"{contract.name} holds a size twice", "twice")


def _outside(view: OutsideTelling, size: int) -> Iterator[Disagreement]:
    if view.head.size > size:
        detail = f"it has {size} entries where {view.name} holds {view.head.size}"
        yield _about(Difference.DATABASE_BEHIND, view.origin, detail, view.name)
    elif view.root_here != view.head.root_hash:
        given = "nothing" if view.root_here is None else f"root {view.root_here.hex()}"
        detail = f"{view.name} holds {_head(view.head)}, and the published tiles give {given} there"
        yield _about(Difference.ROOTS_DIFFER, view.origin, detail, view.name, _head(view.head))


def _about(code: Difference, subject: str, detail: str, *facts: str) -> Disagreement:
    return Disagreement(LEDGER, code, subject, detail, facts)


def _head(head: ToldHead) -> str:
    return f"size {head.size} root {head.root_hash.hex()}"


def confirmed(first: Sequence[Disagreement], second: Sequence[Disagreement]) -> list[Disagreement]:
    """Return what two comparisons in a row both found: what passes by itself is no disagreement."""
    ids = {one.id for one in first}
    return [one for one in second if one.id in ids]
