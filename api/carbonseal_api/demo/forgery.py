"""The forger's bench of the drills: copies of a bundle that somebody with keys has changed and re-signed.

Whoever attacks here holds more than an outsider ever would: the log key, the enterprise's key and the
gateway's. What they cannot do is change what the chain already holds, and that is what the drills show.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from carbonseal_attest.bundle_layout import EvidenceBundle, LogSection
from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.contents import build_content, parse_content
from carbonseal_attest.epoch import EpochEntry, EpochMap, MapEntry
from carbonseal_attest.merkle import leaf_hash, root_of
from carbonseal_attest.signing import Signer
from carbonseal_attest.statement import SignedStatement, sign_statement


@dataclass(frozen=True, slots=True)
class Keys:
    """What the forger got hold of: the log key, other keys by key identifier, and every epoch's whole map."""

    log_key: Signer
    by_kid: Mapping[bytes, Signer]
    maps: Mapping[int, Sequence[MapEntry]]


def copy_of(bundle: EvidenceBundle) -> EvidenceBundle:
    """Return a copy whose maps and lists can be changed without touching the original."""
    made = copy.copy(bundle)
    made.logs = dict(bundle.logs)
    made.maps = {origin: dict(proofs) for origin, proofs in bundle.maps.items()}
    made.contents = dict(bundle.contents)
    made.packages = {name: dict(files) for name, files in bundle.packages.items()}
    made.log_of_logs_entries = list(bundle.log_of_logs_entries)
    return made


def find_entry(section: LogSection, kind: str, *, last: bool = False) -> int:
    """Return the position in `section.entries` of the first (or last) statement of `kind`."""
    order = range(len(section.entries))
    for at in reversed(order) if last else order:
        if SignedStatement.parse(section.entries[at]).header.kind == kind:
            return at
    raise LookupError(kind)


def with_entries(section: LogSection, entries: Sequence[bytes], key: Signer) -> LogSection:
    """Return the section with other entries and a checkpoint that the log key signed over them."""
    end = section.first + len(entries)
    root = section.prefix.extend(leaf_hash(entry) for entry in entries).root()
    note = sign_checkpoint(Checkpoint(section.origin, end, root), key)
    return replace(section, entries=tuple(entries), end=end, checkpoint=note)


def resign(statement: SignedStatement, signer: Signer, content: bytes, **changes: Any) -> SignedStatement:
    """Return `statement` signed again over `content`, with some header fields changed."""
    header = replace(statement.header, **changes)
    return sign_statement(
        signer,
        kind=header.kind,
        version=header.version,
        issuer=header.issuer,
        subject=header.subject,
        issued_at=header.issued_at,
        origin=header.origin,
        stream=header.stream,
        sequence=header.sequence,
        previous=header.previous,
        interval=header.interval,
        checkpoint=header.checkpoint,
        content=content,
    )


def rewrite_body(content: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return the content with its body changed, deterministic and admitted by its schema."""
    parsed = parse_content(content)
    body = copy.deepcopy(parsed.body)
    change(body)
    return build_content(
        parsed.kind,
        subject=parsed.subject,
        stream=parsed.stream,
        interval=parsed.interval,
        body=body,
        salt=parsed.salt,
    )


def second_history(
    bundle: EvidenceBundle, keys: Keys, origin: str, at: int, content: bytes
) -> EvidenceBundle:
    """Return a bundle in which the log `origin` says something else from entry `at` on, all re-signed.

    Every later statement is chained and signed anew, the checkpoint too, and so are every later epoch's
    map, the log of logs and its checkpoint. Only the chain's evidence stays what it is.
    """
    made = copy_of(bundle)
    section = made.logs[origin]
    entries = list(section.entries)
    renamed: dict[bytes, bytes] = {}
    for position in range(at, len(entries)):
        old = SignedStatement.parse(entries[position])
        data = content if position == at else made.contents.get(old.payload)
        changes: dict[str, Any] = {}
        if old.header.previous in renamed:
            changes["previous"] = renamed[old.header.previous or b""]
        known = old.header.checkpoint
        if known is not None and known[0] > section.first + at:
            root = section.prefix.extend(leaf_hash(e) for e in entries[: known[0] - section.first]).root()
            changes["checkpoint"] = (known[0], root)
        if position == at or changes:
            if data is None:
                raise LookupError(old.header.kind)
            new = resign(old, keys.by_kid[old.header.kid], data, **changes)
            renamed[old.digest], entries[position] = new.digest, new.raw
    made.contents = {**made.contents, hashlib.sha256(content).digest(): content}
    made.logs[origin] = with_entries(section, entries, keys.log_key)
    return _with_epochs_mended(made, keys, origin)


def _with_epochs_mended(made: EvidenceBundle, keys: Keys, origin: str) -> EvidenceBundle:
    section = made.logs[origin]
    leaves = [leaf_hash(entry) for entry in section.entries]
    for number, proofs in sorted(_by_epoch(made).items()):
        heads = {entry.origin: entry for entry in keys.maps[number]}
        held = heads.get(origin)
        if held is None or held.tree_size <= section.first:
            continue
        root = section.prefix.extend(leaves[: held.tree_size - section.first]).root()
        if root == held.root_hash:
            continue
        forged = EpochMap([*(e for e in heads.values() if e != held), MapEntry(origin, held.tree_size, root)])
        closed_at = EpochEntry.decode(made.log_of_logs_entries[number]).closed_at
        made.log_of_logs_entries[number] = forged.close(number, closed_at).encode()
        for name in proofs:
            made.maps[name][number] = forged.prove(name)
    root = root_of([leaf_hash(entry) for entry in made.log_of_logs_entries])
    name = made.log_of_logs_checkpoint.split("\n", 1)[0]
    signed = Checkpoint(name, len(made.log_of_logs_entries), root)
    made.log_of_logs_checkpoint = sign_checkpoint(signed, keys.log_key)
    return made


def _by_epoch(made: EvidenceBundle) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for name, proofs in made.maps.items():
        for number in proofs:
            found.setdefault(number, []).append(name)
    return found


def prune(made: EvidenceBundle) -> EvidenceBundle:
    """Drop the contents that no statement of the bundle names any more, as a careful forger would."""
    raws = [raw for section in made.logs.values() for raw in section.entries]
    named = {SignedStatement.parse(raw).payload for raw in [*raws, made.log_of_logs_entries[0]]}
    made.contents = {digest: data for digest, data in made.contents.items() if digest in named}
    return made


def truncated(section: LogSection, size: int, key: Signer) -> LogSection:
    """Return the section as it stood at `size`, with the checkpoint of that time."""
    return with_entries(section, section.entries[: size - section.first], key)


__all__ = [
    "Keys",
    "copy_of",
    "find_entry",
    "prune",
    "resign",
    "rewrite_body",
    "second_history",
    "truncated",
    "with_entries",
]
