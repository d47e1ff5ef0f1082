"""Entry bundles of a log: which exist at the published head, and who may read one.

A bundle is made out of the logged entries, so that nothing beyond the published checkpoint is ever shown.
Under a grant of level evidence a bundle is shown when every entry in it that covers a time lies within a
period granted; entries that cover none (ticks, documents, reports) go along, as in an evidence bundle.
"""

from __future__ import annotations

from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.evidence import disclosure
from carbonseal_api.logs.origins import party_of
from carbonseal_api.problems import NotFound
from carbonseal_attest.errors import ProofInvalid
from carbonseal_attest.instants import Interval
from carbonseal_attest.tiles import TILE_WIDTH, TileName, encode_entries
from carbonseal_ledger.outcomes import LoggedEntry


def tile_name(path: str) -> TileName:
    """Return what a path names.

    Raises:
        NotFound: It is not the one spelling of a tile.
    """
    try:
        return TileName.parse(path)
    except ProofInvalid as problem:
        remedy = "write tile/<level>/<index> with an optional .p/<width>, as C2SP tlog-tiles has it"
        raise NotFound("tile", "is not a tile path", remedy) from problem


def bundle_name(path: str) -> TileName:
    """Return what the path below `tile/entries/` names; raises NotFound."""
    return tile_name(f"tile/entries/{path}")


def public_bundle(parts: Parts, origin: str, name: TileName) -> bytes:
    """Return an entry bundle of the log of logs.

    Raises:
        NotFound: Another log, or beyond its published head.
    """
    if origin != parts.host.log_of_logs:
        raise NotFound("origin", "is not the log of logs here", "ask for <log host>/epochs")
    return encode_entries([entry.raw for entry in _entries(parts, origin, name)])


def granted_bundle(parts: Parts, principal: Principal, origin: str, name: TileName) -> bytes:
    """Return an entry bundle of a party's log to one who may read it; others' queries are recorded.

    Raises:
        GrantMissing, GrantWithdrawn, GrantExpired, NotFound: The caller may not, or there is none.
    """
    found: list[LoggedEntry] = []

    def times() -> list[Interval]:
        found.extend(_entries(parts, origin, name))
        return [entry.interval for entry in found if entry.interval is not None]

    disclosure.require_all(parts, principal, party_of(origin), f"entries/{origin}/{name.index}", times)
    return encode_entries([entry.raw for entry in found or _entries(parts, origin, name)])


def _entries(parts: Parts, origin: str, name: TileName) -> list[LoggedEntry]:
    start = name.index * TILE_WIDTH
    if start + name.width > parts.host.head(origin).tree_size:
        raise NotFound("tile", "no such entry bundle", "ask for tiles within the published checkpoint")
    return parts.host.entries(origin, start, start + name.width)
