"""The succession plan: what the one who goes on must name, read from the database of the one that is closed.

Only heads that a final anchor covers count: whoever holds lost keys can sign anything after it, and nothing
before it. The plan is read without the start-up comparison, because a database that is refused as too old,
or a host whose keys are in other hands, is just what it is for. It holds nothing secret and signs nothing;
its heads are held against the chain by everybody who honours it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, text

from carbonseal_api.founding import REGISTER, LastHead, PartyFacts
from carbonseal_api.problems import PartMissing, RequestInvalid
from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.contents import parse_content
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.identifiers import check_code, check_origin
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.contents_store import ContentsStore
from carbonseal_ledger.entry_reader import EntryReader

FORMAT: Final = "carbonseal-succession/1"
MAX_PLAN: Final = 64 << 20  # bytes; ten thousand parties with two logs each are about 5 MB

_ANCHOR: Final = text(
    "SELECT log_id, tree_size FROM anchoring_heads WHERE chain_id = :chain_id AND contract = :contract"
    " ORDER BY tree_size DESC LIMIT 1"
)
_EPOCH: Final = text(
    "SELECT epoch, checkpoint FROM ledger_epochs WHERE entry_index < :size ORDER BY epoch DESC LIMIT 1"
)
_HEADS: Final = text(
    "SELECT l.origin, h.tree_size, h.root_hash FROM ledger_epoch_heads h JOIN ledger_logs l"
    " ON l.id = h.log_id WHERE h.epoch = :epoch ORDER BY l.origin"
)


@dataclass(frozen=True, slots=True)
class SuccessionPlan:
    """A log host as it is closed: its last anchored heads, and who was admitted.

    `log_id` names the log of logs in the contract at `contract`, where the successor opens its own;
    `made_at` is in milliseconds since 1970 UTC.
    """

    log_host_name: str
    registrar: str
    made_at: int
    epoch: int
    contract: bytes
    log_id: bytes
    log_of_logs: LastHead
    logs: tuple[LastHead, ...]
    parties: tuple[PartyFacts, ...]

    def successors(self, name: str) -> dict[str, LastHead]:
        """Origin of each successor at the log host `name`, with the last head that its genesis names."""
        if name == self.log_host_name:
            raise RequestInvalid(
                "log_host_name", "is that of the closed log host", "give the one that goes on another name"
            )
        heads = (self.log_of_logs, *self.logs)
        return {name + head.origin.removeprefix(self.log_host_name): head for head in heads}


def make_plan(
    engine: Engine, *, log_host_name: str, registrar: str, chain: tuple[int, bytes] | None, now: int
) -> SuccessionPlan:
    """Read the plan of a deployment from its database, which may be an old backup of it.

    `chain` is the id of the chain and the address of the contract that the deployment was founded on.

    Raises:
        PartMissing: no chain, or nothing final there: without an anchor nothing of a closed log counts.
        LedgerError: a party's statement or content is damaged.
    """
    if chain is None:
        raise PartMissing("chain", "was never used", "without an anchor nothing of a closed log counts")
    where = {"chain_id": chain[0], "contract": chain[1]}
    with engine.connect() as connection:
        anchor = connection.execute(_ANCHOR, where).first()
        epoch = None if anchor is None else connection.execute(_EPOCH, {"size": anchor.tree_size}).first()
        if anchor is None or epoch is None:
            raise PartMissing("anchor", "none is final", "without an anchor nothing of a closed log counts")
        rows = connection.execute(_HEADS, {"epoch": epoch.epoch}).all()
    head = Checkpoint.of_note(epoch.checkpoint)
    logs = tuple(LastHead(row.origin, row.tree_size, bytes(row.root_hash)) for row in rows)
    return SuccessionPlan(
        log_host_name=log_host_name,
        registrar=registrar,
        made_at=now,
        epoch=epoch.epoch,
        contract=chain[1],
        log_id=bytes(anchor.log_id),
        log_of_logs=LastHead(head.origin, head.tree_size, head.root_hash),
        logs=logs,
        parties=_admitted(
            engine, f"{log_host_name}/{registrar}/{REGISTER}", {log.origin: log.tree_size for log in logs}
        ),
    )


def write_plan(plan: SuccessionPlan) -> bytes:
    """Return the plan as JSON."""
    told = {
        "format": FORMAT,
        "log_host_name": plan.log_host_name,
        "registrar": plan.registrar,
        "made_at": plan.made_at,
        "epoch": plan.epoch,
        "contract": plan.contract.hex(),
        "log_id": plan.log_id.hex(),
        "log_of_logs": _head_to_json(plan.log_of_logs),
        "logs": [_head_to_json(log) for log in plan.logs],
        "parties": [
            {
                "party": party.code,
                "name": dict(party.name),
                "roles": list(party.roles),
                "org": party.org,
                "industry": party.industry,
            }
            for party in plan.parties
        ],
    }
    return (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode()


def read_plan(file: Path) -> SuccessionPlan:
    """Return the plan of a file.

    Raises:
        RequestInvalid: it cannot be read, or is no plan; field names the place.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
        raise RequestInvalid("--plan", reason, "name the file that `succession plan` wrote") from error
    try:
        return _plan_of(data)
    except RequestInvalid:
        raise
    except (ValueError, KeyError, TypeError, RecursionError, CarbonsealError) as error:
        raise _refusal(str(error)) from error


def _refusal(why: str) -> RequestInvalid:
    return RequestInvalid(
        "--plan", f"is no succession plan ({why[:200]})", "use what `succession plan` wrote"
    )


def _plan_of(data: bytes) -> SuccessionPlan:
    if len(data) > MAX_PLAN:
        raise _refusal(f"{len(data)} bytes")
    told = json.loads(data)
    if told["format"] != FORMAT:
        raise _refusal(f"of format {str(told['format'])[:40]}")
    return SuccessionPlan(
        log_host_name=str(told["log_host_name"]),
        registrar=check_code(told["registrar"]),
        made_at=int(told["made_at"]),
        epoch=int(told["epoch"]),
        contract=bytes.fromhex(told["contract"]),
        log_id=bytes.fromhex(told["log_id"]),
        log_of_logs=_head_of(told["log_of_logs"]),
        logs=tuple(map(_head_of, told["logs"])),
        parties=tuple(map(_party_of, told["parties"])),
    )


def _admitted(engine: Engine, origin: str, sizes: Mapping[str, int]) -> tuple[PartyFacts, ...]:
    """The parties that the registrar's register has as admitted, within its last head."""
    entries, store = EntryReader(engine), ContentsStore(engine, lambda: 0)
    found: dict[str, PartyFacts] = {}
    terms = entries.terms(origin)
    for entry in entries.select(terms, start=0, end=sizes.get(origin, 0), kinds={"party"}):
        body = parse_content(store.get(SignedStatement.parse(entry.raw).payload)).body
        found.pop(body["party"], None)
        if body["status"] == "admitted":
            found[body["party"]] = PartyFacts(
                body["party"], body["name"], tuple(body["roles"]), body["org"], body.get("industry")
            )
    return tuple(found.values())


def _head_to_json(head: LastHead) -> dict[str, Any]:
    return {"origin": head.origin, "tree_size": head.tree_size, "root_hash": head.root_hash.hex()}


def _head_of(told: Mapping[str, Any]) -> LastHead:
    size, root = told["tree_size"], bytes.fromhex(told["root_hash"])
    if type(size) is not int or not 1 <= size <= 1 << 48 or len(root) != 32:
        raise _refusal(f"the head of {told['origin']}")
    return LastHead(check_origin(told["origin"]), size, root)


def _party_of(told: Mapping[str, Any]) -> PartyFacts:
    names = {language: str(told["name"][language]) for language in ("zh", "en")}
    roles = tuple(map(str, told["roles"]))
    return PartyFacts(check_code(told["party"]), names, roles, told["org"], told["industry"])
