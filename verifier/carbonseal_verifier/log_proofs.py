"""Steps log-proofs and epochs: entries, checkpoints, map heads and the log of logs are one and the same tree.

Roots are recomputed from the very entries of the bundle at every size that anything relies on, so a removed,
changed or added entry, a rolled-back checkpoint and a second history all lead to another root.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from carbonseal_attest.bundle_notes import verify_bundled_note
from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.epoch import EpochEntry, MapEntry
from carbonseal_attest.merkle import Frontier, leaf_hash
from carbonseal_attest.vkey import Vkey
from carbonseal_verifier.case import Case, LogView, StepFailed, require
from carbonseal_verifier.wording import counted

# A tick may be written while an epoch is being closed, so it may state a little less than the closing time.
CLOCK_TOLERANCE_MS: Final = 600_000


def check_log_proofs(case: Case) -> str:
    """Recompute each log's root from its entries; the checkpoint must be the trusted log key's."""
    for origin, view in case.logs.items():
        section = view.section
        checkpoint = _open_checkpoint(case, section.checkpoint, origin)
        require(
            checkpoint.tree_size == section.end,
            f"{origin}: the checkpoint is of size {checkpoint.tree_size}, the entries end at {section.end}",
        )
        root = roots_at(view, [section.end])[section.end]
        require(
            root == checkpoint.root_hash, f"{origin}: the entries lead to another root than the checkpoint"
        )
        _check_known_heads(view)
    return f"{counted(len(case.logs), 'checkpoint')}; every root recomputed from the entries"


def check_epochs(case: Case) -> str:
    """Prove each relied-on log's head in every epoch of the period, and the log of logs over all epochs."""
    case.epochs, case.epoch_roots = _log_of_logs(case)
    first = _first_epoch(case.epochs, case.bundle.starts_at)
    case.heads = {}
    proofs = 0
    for origin, view in case.logs.items():
        maps = case.bundle.maps[origin]
        numbers = _expected_epochs(case, origin, view, first)
        missing = [n for n in numbers if n not in maps]
        require(not missing, f"{origin}: no map proof for epoch {missing[0] if missing else 0}")
        for number in sorted(maps):
            require(
                number <= len(case.epochs), f"{origin}: a map proof for epoch {number}, which does not exist"
            )
            maps[number].verify(case.epochs[number - 1])
            require(maps[number].entry.origin == origin, f"{origin}: a map proof of another log")
        heads = {n: maps[n].entry for n in sorted(maps)}
        sizes = [head.tree_size for head in heads.values()]
        require(sizes == sorted(sizes), f"{origin}: its heads shrink between epochs")
        within = [n for n, head in heads.items() if head.tree_size >= view.section.first]
        require(set(numbers) <= set(within), f"{origin}: the entries begin after the head of a needed epoch")
        _check_ticks(case, view, heads)
        is_register = origin in {party.register_origin for party in case.parties.values()}
        # That a register log is whole is a step of its own, which says what it means.
        reached = [n for n in within if not is_register or heads[n].tree_size <= view.section.end]
        require(
            is_register or sizes[-1] <= view.section.end,
            f"{origin}: epoch {max(heads)} holds {counted(sizes[-1], 'entry', 'entries')}, "
            f"the bundle's end at {view.section.end}",
        )
        roots = roots_at(view, [heads[n].tree_size for n in reached])
        for number in reached:
            require(
                roots[heads[number].tree_size] == heads[number].root_hash,
                f"{origin}: the head in epoch {number} is of another history than the entries",
            )
        case.heads[origin] = {n: heads[n].tree_size for n in within}
        proofs += len(maps)
    shown = f"epochs {first} to {len(case.epochs)} without a hole, {counted(proofs, 'map proof')}"
    return shown + "; log of logs recomputed"


def _open_checkpoint(case: Case, note: str, origin: str, cosigners: tuple[Vkey, ...] = ()) -> Checkpoint:
    """Open a checkpoint that the log host signed; no signature of anybody else may stand unverified on it."""
    checkpoint = case.log_host.open_checkpoint(note, origin=origin)
    log_keys = case.log_host.vkeys(origin)
    verify_bundled_note(note, origin=origin, log_keys=log_keys, cosigners=cosigners)
    return checkpoint


def roots_at(view: LogView, sizes: list[int]) -> dict[int, bytes]:
    """Return the root of a log at each size, recomputed from its entries and the frontier before them."""
    section = view.section
    frontier, at, roots = section.prefix, section.first, {}
    for size in sorted(set(sizes)):
        require(section.first <= size <= section.end, f"{section.origin}: size {size} is outside the entries")
        leaves = (leaf_hash(raw) for raw in section.entries[at - section.first : size - section.first])
        frontier, at = frontier.extend(leaves), size
        roots[size] = frontier.root()
    return roots


def _check_known_heads(view: LogView) -> None:
    """See that every head which a signer says to have known is a head of these entries, and older than it.

    Another root is a signer's evidence of a second history; a size not yet reached is a false lower bound.
    Heads from before the bundle's first entry cannot be recomputed.
    """
    origin, first = view.section.origin, view.section.first
    cited = [(i, s.header.checkpoint) for i, s in enumerate(view.statements, first) if s.header.checkpoint]
    for index, (size, _) in cited:
        require(size <= index, f"entry {index} of {origin} claims to have known a head of size {size}")
    within = [(index, size, root) for index, (size, root) in cited if size >= first]
    roots = roots_at(view, [size for _, size, _ in within])
    for index, size, root in within:
        require(roots[size] == root, f"entry {index} of {origin} knew a head of another history at {size}")


def _log_of_logs(case: Case) -> tuple[list[EpochEntry], list[bytes]]:
    bundle, host = case.bundle, case.log_host
    entries = bundle.log_of_logs_entries
    checkpoint = _open_checkpoint(case, bundle.log_of_logs_checkpoint, host.log_of_logs, bundle.cosigners)
    require(
        checkpoint.tree_size == len(entries),
        f"the log of logs' checkpoint is of size {checkpoint.tree_size}, its entries are {len(entries)}",
    )
    frontier, roots = Frontier(), []
    for raw in entries:
        frontier = frontier.extend((leaf_hash(raw),))
        roots.append(frontier.root())
    require(
        roots[-1] == checkpoint.root_hash, "the log of logs' entries lead to another root than its checkpoint"
    )
    epochs = [EpochEntry.decode(raw) for raw in entries[1:]]
    require(bool(epochs), "the log of logs holds no epoch")
    for number, epoch in enumerate(epochs, 1):
        require(epoch.epoch == number, f"entry {number} of the log of logs is epoch {epoch.epoch}")
    for before, after in pairwise(epochs):
        require(
            before.closed_at <= after.closed_at, f"epoch {after.epoch} was closed before epoch {before.epoch}"
        )
        require(before.origins <= after.origins, f"epoch {after.epoch} holds fewer logs than the one before")
    return epochs, roots


def _first_epoch(epochs: list[EpochEntry], start: int) -> int:
    """Return the last epoch closed before the period, where evidence has to begin; else 1."""
    earlier = [epoch.epoch for epoch in epochs if epoch.closed_at <= start]
    return earlier[-1] if earlier else 1


def _expected_epochs(case: Case, origin: str, view: LogView, first: int) -> list[int]:
    """Return the epochs in which a log must have a head: all from `first` on, or from its opening.

    A log that is there whole may have been opened later. Then no tick of it may be older than the end of the
    last epoch that is said not to have known it, or that epoch would have had to map it.
    """
    numbers = sorted(case.bundle.maps[origin])
    if not numbers:
        raise StepFailed(f"{origin}: no map proofs")
    begins = first
    if view.section.first == 0 and numbers[0] > first:
        begins = numbers[0]
        before = case.epochs[begins - 2].closed_at if begins <= len(case.epochs) else 0
        ticks = _ticks(case, view)
        require(
            not ticks or ticks[0][1] >= before,
            f"{origin}: it had ticks before epoch {begins - 1} was closed, and no map proof for that epoch",
        )
    return list(range(begins, len(case.epochs) + 1))


def _check_ticks(case: Case, view: LogView, heads: dict[int, MapEntry]) -> None:
    """See that an epoch's ticks lie between the closing of the one before and its own."""
    ticks = _ticks(case, view)
    at = latest = 0
    for number, head in heads.items():
        before = case.epochs[number - 2].closed_at if number - 1 in heads else 0
        while at < len(ticks) and ticks[at][0] < head.tree_size:
            index, said = ticks[at]
            require(
                number - 1 not in heads
                or index < heads[number - 1].tree_size
                or said >= before - CLOCK_TOLERANCE_MS,
                f"{view.section.origin}: a tick in epoch {number} states a time before epoch {number - 1} "
                "was closed",
            )
            latest = max(latest, said)
            at += 1
        require(
            latest <= case.epochs[number - 1].closed_at,
            f"{view.section.origin}: epoch {number} holds a tick from after its own closing time",
        )


def _ticks(case: Case, view: LogView) -> list[tuple[int, int]]:
    found = []
    for index, statement in enumerate(view.statements, view.section.first):
        content = case.content(statement) if statement.header.kind == "tick" else None
        if content is not None:
            found.append((index, content.body["at"]))
    return found
