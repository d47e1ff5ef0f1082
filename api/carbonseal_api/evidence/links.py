"""Which statements of the same organisation a statement names, and which name it: both ends of each link.

A document and the values that rest on it, readings and their correction, a statement and its withdrawal. The
whole graph across organisations is the lineage's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.evidence import statement_queries as queries
from carbonseal_api.evidence.acts import refresh
from carbonseal_api.evidence.schemas import StatementLink
from carbonseal_ledger.outcomes import LoggedEntry

# kind -> member of its body -> what the named statement is to it, and what it is to the named one; None: the
# named one has too many of them to list.
_NAMED: Final[Mapping[str, Mapping[str, tuple[str, str | None]]]] = {
    "declared_activity": {"document_digest": ("document", "supports"), "plan_digest": ("plan", None)},
    "downgrade": {"plan_digest": ("plan", None)},
    "business_record": {"document_digest": ("document", "supports")},
    "document": {"relates_to": ("relates_to", "document")},
    "corrected_readings": {"supersedes": ("replaces", "replaced_by")},
    "correction": {
        "supersedes": ("supersedes", "superseded_by"),
        "replacement": ("puts_in_force", "put_in_force_by"),
    },
    "withdrawal": {"withdraws": ("withdraws", "withdrawn_by")},
}
_MEMBERS: Final = sorted({name for members in _NAMED.values() for name, (_, back) in members.items() if back})


def links_of(parts: Parts, party: str, entry: LoggedEntry) -> list[StatementLink]:
    """Return the links of a statement in a party's logs, first those it names, then those that name it."""
    refresh(parts, party)
    row = queries.statement(parts.engine, party, entry.digest)
    links = [] if row is None else list(_named_by(row))
    for other in queries.naming(parts.engine, party, tuple(_NAMED), _MEMBERS, entry.digest):
        for member, (_, back) in _NAMED[other["kind"]].items():
            if back is not None and entry.digest.hex() in _digests(other["body"], member):
                found = bytes(other["statement_digest"]).hex()
                links.append(StatementLink(relation=back, kind=other["kind"], statement_digest=found))
    return links


def _named_by(row: Mapping[str, Any]) -> Iterator[StatementLink]:
    for member, (relation, _) in _NAMED.get(row["kind"], {}).items():
        for digest in _digests(row["body"], member):
            yield StatementLink(relation=relation, kind=None, statement_digest=digest)


def _digests(body: Mapping[str, Any], member: str) -> list[str]:
    value = body[member]
    return value if isinstance(value, list) else [] if value is None else [value]
