"""Writes the mirror statement of each act that the chain has: one asset_act a contract event, never two.

What the chain holds as hashes the statement says in words, and it names transaction and block. It is written
under the registrar's desk lock after a look into the log itself, so that a process killed between the log and
its own note, or two at once, cannot write a second one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from carbonseal_api.assembly import Parts
from carbonseal_api.assets import acts, queries
from carbonseal_api.assets.acts import Act
from carbonseal_api.assets.chain import DONE, AssetChain
from carbonseal_api.founding import DATA
from carbonseal_api.problems import PartMissing
from carbonseal_attest.contents import Content, parse_content
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.asset_acts import record_id_of
from carbonseal_ledger.asset_book import ActRecord
from carbonseal_ledger.outcomes import LoggedEntry


def mirror_confirmed(parts: Parts, chain: AssetChain) -> list[str]:
    """Write what is missing, in the order of the chain, and return the acts that could not be mirrored.

    They stay confirmed where the registrar's key is elsewhere: it writes its own log there.
    """
    done = [(row, chain.act(row.act_id)) for row in queries.acts(parts.engine, unmirrored=True)]
    waiting = [(row.act_id, Act.from_json(row.act), told) for row, told in done if told.state in DONE]
    waiting.sort(key=lambda one: (one[2].block_number or 0, one[2].log_index or 0))
    if not waiting:
        return []
    try:
        for act_id, act, told in waiting:
            digest = _mirrored(parts, chain, act, told)
            queries.mirrored_by(parts.engine, act_id, digest)
    except PartMissing:
        return [act_id for act_id, _, _ in waiting]
    parts.projections.refresh_log(data_origin(parts))
    return []


@dataclass(frozen=True, slots=True)
class MirrorStatement:
    """One asset_act of the registrar, from its log."""

    entry: LoggedEntry
    statement: SignedStatement
    content: Content

    @property
    def body(self) -> dict[str, Any]:
        """What it says."""
        return self.content.body

    @property
    def key(self) -> tuple[bytes, bytes, str]:
        """The contract event that it mirrors: transaction, record and act."""
        return bytes(self.body["chain"]["transaction"]), bytes(self.body["record"]), str(self.body["act"])


def mirror_statements(parts: Parts, subject: str | None = None) -> list[MirrorStatement]:
    """Return the registrar's asset_act statements in log order, from the log itself."""
    entries = parts.host.select(data_origin(parts), kinds={"asset_act"}, subject=subject)
    statements = [SignedStatement.parse(entry.raw) for entry in entries]
    contents = parts.host.contents.get_many({one.payload for one in statements})
    return [
        MirrorStatement(entry, one, parse_content(contents[one.payload]))
        for entry, one in zip(entries, statements, strict=True)
        if one.payload in contents
    ]


def data_origin(parts: Parts) -> str:
    """Return the origin of the registrar's data log, where acts are mirrored."""
    return f"{parts.settings.log_host_name}/{parts.registrar}/{DATA}"


def _mirrored(parts: Parts, chain: AssetChain, act: Act, told: ActRecord) -> bytes:
    body = _body(chain, act, told)
    key = (told.transaction_hash, act.record, act.kind)
    with parts.desks.desk(parts.registrar) as desk:
        for known in mirror_statements(parts, act.subject):
            if known.key == key:
                return known.entry.digest
        return desk.issue(data_origin(parts), "asset_act", body, subject=act.subject).digest


def _parts_of(act: Act) -> list[bytes]:
    cut = act.last_of_left or 0
    bounds = ((act.first, cut), (cut + 1, act.last))
    return [record_id_of(act.registry, act.batch, first, last) for first, last in bounds]


def _body(chain: AssetChain, act: Act, told: ActRecord) -> dict[str, Any]:
    is_one_person = act.kind == acts.FREEZE
    confirmer = told.confirmer or chain.registrar_address
    return {
        "act": act.kind,
        "record": act.record,
        "registry": act.registry,
        "batch": act.batch,
        "first": act.first,
        "last": act.last,
        "holder": act.holder,
        "verification_report": act.verification_report,
        "reference": act.reference,
        "to": act.to,
        "last_of_left": act.last_of_left,
        "parts": [] if act.kind != acts.SPLIT else _parts_of(act),
        "proposed_by": confirmer if is_one_person else told.proposer,
        "confirmed_by": confirmer,
        "chain": {
            "chain_id": chain.chain_id,
            "contract": chain.contract,
            "transaction": told.transaction_hash,
            "block": told.block_number,
            "block_hash": told.block_hash,
            "log_index": told.log_index,
        },
    }
