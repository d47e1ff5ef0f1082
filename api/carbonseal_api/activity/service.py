"""Who did what, when, for one organisation: statements by it and about it, looks at its data, its accounts.

Newest first. Pages fit together because the order at one instant is fixed: statements by party, log and
index, then looks, then accounts; a cursor says an instant and how many deeds of that instant were shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from carbonseal_api.access_records.service import list_for
from carbonseal_api.activity import queries
from carbonseal_api.activity.queries import Row, Wanted
from carbonseal_api.activity.schemas import Activity, Deed
from carbonseal_api.assembly import Parts
from carbonseal_api.lineage.identifiers import is_code
from carbonseal_api.lineage.seals import Seals
from carbonseal_api.organisations.queries import party as known_party
from carbonseal_api.problems import NotFound, RequestInvalid
from carbonseal_attest.contents import KINDS
from carbonseal_attest.instants import MAX_INSTANT, format_instant

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1_000
MAX_EXPORT: Final = 10_000  # lines of one CSV file
ACCOUNT_KINDS: Final = frozenset(
    {f"{word}_{act}" for word in ("key", "client", "person") for act in ("given", "withdrawn")}
)
ACCESS: Final = "access"
LEFT_OUT: Final = ("tick",)
_REGISTERED: Final = frozenset(kind.name for kind in KINDS.values() if not kind.is_draft)
ACTIVITY_KINDS: Final = _REGISTERED - set(LEFT_OUT) | ACCOUNT_KINDS | {ACCESS}


def activity(
    parts: Parts,
    party: str,
    *,
    kinds: Iterable[str] = (),
    by: str | None = None,
    since: int = 0,
    until: int = MAX_INSTANT,
    subject: str | None = None,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
) -> Activity:
    """Return what was done by an organisation and about it.

    Args:
        parts: The deployment.
        party: The organisation.
        kinds: Kinds of statement, `access`, or acts on accounts such as `key_given`; none: all.
        by: Only what this party did.
        since: From this instant on, in ms.
        until: Before this one.
        subject: Only what is about this code.
        limit: Deeds of a page.
        cursor: `next` of the page before.

    Raises:
        NotFound: No such organisation.
        RequestInvalid: An unknown kind, an empty time, or a cursor that is none.
    """
    wanted_kinds = frozenset(kinds)
    unknown = sorted(wanted_kinds - ACTIVITY_KINDS)
    if unknown:
        raise RequestInvalid("kind", f"{unknown[0][:40]!r} is none", "see docs/spec/contents.md, or `access`")
    if since >= until:
        raise RequestInvalid("until", "is not after `from`", "ask for a longer time")
    for field, code in (("party", by), ("subject", subject)):
        if code is not None and not is_code(code):
            raise RequestInvalid(field, f"{code[:60]!r} is no code", "copy the code again")
    if not is_code(party) or known_party(parts.engine, party) is None:
        raise NotFound("party", "no such resource for this key", "use the code of your own organisation")
    at, skipped = _place(cursor, until)
    wanted = Wanted(since, min(until, at + 1), wanted_kinds or None, subject, by)
    most = limit + skipped + 1
    found = _deeds(parts, party, wanted, most)
    fresh = found[skipped:]
    page = fresh[:limit]
    following = None
    if len(fresh) > limit:
        last = _instant(page[-1])
        seen = sum(_instant(deed) == last for deed in found[: skipped + limit])
        following = f"{last}.{seen}"
    return Activity(party=party, deeds=[deed for _, deed in page], left_out=list(LEFT_OUT), next=following)


def _instant(item: tuple[tuple[int, int, int], Deed]) -> int:
    return -item[0][0]


def _deeds(parts: Parts, party: str, wanted: Wanted, most: int) -> list[tuple[tuple[int, int, int], Deed]]:
    kinds = wanted.kinds
    found: list[tuple[tuple[int, int, int], Deed]] = []
    if kinds is None or kinds & KINDS.keys():
        rows = queries.statements(parts.engine, party, wanted, most)
        deeds = _statements(parts, rows)
        found += [
            ((-row["registered_at"], 0, at), deed)
            for at, (row, deed) in enumerate(zip(rows, deeds, strict=True))
        ]
    if (kinds is None or ACCESS in kinds) and wanted.subject is None:
        rows = list_for(parts, party, since=wanted.since, until=wanted.until, limit=most)
        found += [
            ((-row["recorded_at"], 1, at), _access(row))
            for at, row in enumerate(rows)
            if wanted.by in {None, row["party"]}
        ]
    if (kinds is None or kinds & ACCOUNT_KINDS) and wanted.subject is None and wanted.by in {None, party}:
        rows = queries.account_acts(parts.engine, party, wanted, most)
        found += [((-row["at"], 2, at), _account(party, row)) for at, row in enumerate(rows)]
    return sorted(found, key=lambda item: item[0])[:most]


def _statements(parts: Parts, rows: list[Row]) -> list[Deed]:
    seals = Seals(parts)
    classes = queries.signer_classes(parts.engine, {(row["party"], bytes(row["kid"])) for row in rows})
    states = seals.states(rows)
    made = []
    for row in rows:
        signer = KINDS[row["kind"]].signer
        fallback = "log_host" if signer == "log_host" else "party"
        digest = bytes(row["statement_digest"]).hex()
        start, end = row["interval_start"], row["interval_end"]
        made.append(
            Deed(
                at=format_instant(row["registered_at"]),
                source="statement",
                kind=row["kind"],
                by=row["party"],
                issuer=row["issuer"],
                signer_class=classes.get((row["party"], bytes(row["kid"])), fallback),
                subject=row["subject"],
                statement_digest=digest,
                entry=f"{seals.origin(row['party'], row['log'])}#{row['entry_index']}",
                start=None if start is None else format_instant(start),
                end=None if end is None else format_instant(end),
                receipt_state=states[digest],
                detail="",
            )
        )
    return made


def _access(row: Row) -> Deed:
    grant = row["grant_digest"]
    outcome = row["outcome"] if row["refusal"] is None else f"{row['outcome']}: {row['refusal']}"
    return Deed(
        at=format_instant(row["recorded_at"]),
        source=ACCESS,
        kind=row["action"],
        by=row["party"],
        issuer=None,
        signer_class=None,
        subject=row["resource"],
        statement_digest=None if grant is None else bytes(grant).hex(),
        entry=None,
        start=None,
        end=None,
        receipt_state=None,
        detail=f"{row['purpose']}; {outcome}; account {row['client']}",
    )


def _account(party: str, row: Row) -> Deed:
    label = f"; {row['label']}" if row["label"] else ""
    return Deed(
        at=format_instant(row["at"]),
        source="account",
        kind=row["kind"],
        by=party,
        issuer=None,
        signer_class=None,
        subject=row["account"],
        statement_digest=None,
        entry=None,
        start=None,
        end=None,
        receipt_state=None,
        detail=f"{', '.join(row['roles'])}{label}",
    )


def _place(cursor: str | None, until: int) -> tuple[int, int]:
    if cursor is None:
        return until - 1, 0
    at, dot, seen = cursor.partition(".")
    is_number = cursor.isascii() and at.isdigit() and seen.isdigit()
    if dot and is_number and len(at) < 16 and len(seen) < 7:
        return int(at), int(seen)
    raise RequestInvalid("cursor", "is none of this list", "take the cursor of the page before")
