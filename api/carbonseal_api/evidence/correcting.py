"""Corrections of readings: what the party says a meter should have shown, and the act that makes it count.

Two statements: `corrected_readings` in the data log, then `correction` in the register log, which names both.
A command that ended between the two is finished by the next one with the same rows. The meter's own readings
stay where they are, provable as before. To change a correction, its corrected readings are corrected in turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.evidence import statement_queries as queries
from carbonseal_api.evidence.acts import open_desk, origins, plain_text, refresh
from carbonseal_api.evidence.corrected_rows import corrected_body
from carbonseal_api.evidence.correction_schemas import Correction, CorrectionEntry, CorrectionWish
from carbonseal_api.evidence.errors import CorrectedAlready, CorrectionUnfit, StatementUnknown
from carbonseal_api.evidence.listing import Keyed
from carbonseal_api.issuing import Issuer
from carbonseal_api.projections.replay import json_value
from carbonseal_attest.contents import Content, parse_content
from carbonseal_attest.instants import format_instant
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.errors import ContentUnknown, EntryUnknown, LogUnknown

Row = Mapping[str, Any]
CORRECTABLE: Final = ("readings", "corrected_readings")
_NEVER_USED: Final = "never put in force; replaced by another correction of the same readings"


def correct(parts: Parts, party: str, wish: CorrectionWish) -> Correction:
    """Return the registered correction of one readings statement, or of an earlier correction of it.

    Raises:
        StatementUnknown: the party's data log holds no such statement.
        CorrectionUnfit: it is no readings, its content is not here, or the rows do not fit it.
        CorrectedAlready: it was corrected or taken out before; names what stands in its place.
        KeyElsewhere, StatementRefused: nobody can sign here, or the log refused it.
    """
    plain_text(wish.reason, 400, field="reason")
    plain_text(wish.role, 60, field="role")
    digest = bytes.fromhex(wish.readings_digest)
    with open_desk(parts, party) as issuer:
        content = _correctable(parts, party, digest)
        interval = content.interval or (0, 0)
        before = content.body if content.kind == "readings" else content.body["readings"]
        readings, changed = corrected_body(before, wish.readings, interval)
        body = {"supersedes": digest, "reason": wish.reason, "readings": readings}
        corrected, idle = _dangling(parts, party, digest, body)
        register, data = origins(parts, party)
        if corrected is None:
            statement = issuer.issue(
                data, "corrected_readings", body, subject=content.subject, interval=interval
            )
            corrected = statement.digest
        act = _put_in_force(issuer, register, digest, corrected, wish)
        for one in idle:
            # Corrected readings that no correction names would keep the period from being computed.
            gone = {"supersedes": one, "replacement": None, "role": wish.role, "reason": _NEVER_USED}
            issuer.issue(register, "correction", gone, subject=content.subject)
    refresh(parts, party)
    return Correction(
        correction_digest=act.digest.hex(),
        corrected_digest=corrected.hex(),
        readings_digest=digest.hex(),
        meter=content.subject,
        start=format_instant(interval[0]),
        end=format_instant(interval[1]),
        changed=changed,
        reason=wish.reason,
        role=wish.role,
    )


def corrections(parts: Parts, party: str, **page: Any) -> Keyed[CorrectionEntry]:
    """Return an organisation's corrections, newest first; `page` is that of `statement_queries.newest`."""
    refresh(parts, party)
    return [
        (
            (row["entry_index"],),
            CorrectionEntry(
                correction_digest=bytes(row["statement_digest"]).hex(),
                supersedes=row["body"]["supersedes"],
                replacement=row["body"]["replacement"],
                role=row["body"]["role"],
                reason=row["body"]["reason"],
                registered_at=format_instant(row["registered_at"]),
            ),
        )
        for row in queries.newest(parts.engine, party, "correction", **page)
    ]


def _put_in_force(
    issuer: Issuer, register: str, digest: bytes, corrected: bytes, wish: CorrectionWish
) -> SignedStatement:
    body = {"supersedes": digest, "replacement": corrected, "role": wish.role, "reason": wish.reason}
    return issuer.issue(register, "correction", body)


def _correctable(parts: Parts, party: str, digest: bytes) -> Content:
    try:
        entry = parts.host.find(origins(parts, party)[1], digest)
    except (EntryUnknown, LogUnknown) as unknown:
        raise StatementUnknown(
            "readings_digest", "no such statement in the data log of this organisation", "copy it again"
        ) from unknown
    if entry.kind not in CORRECTABLE:
        raise CorrectionUnfit(
            "readings_digest", f"is of kind {entry.kind}", "name a readings statement; others are withdrawn"
        )
    ended = queries.endings(parts.engine, party, [digest]).get(digest)
    if ended is not None:
        by = bytes(ended["statement_digest"]).hex()
        instead = ended["body"].get("replacement")
        remedy = f"correct {instead} instead" if instead else "deliver the readings again, if they are wanted"
        raise CorrectedAlready("readings_digest", f"was replaced or taken out by {by}", remedy)
    if entry.kind == "corrected_readings" and not _is_in_force(parts, party, digest):
        reason = "are corrected readings that no correction has put in force"
        raise CorrectionUnfit("readings_digest", reason, "correct the meter's readings")
    try:
        return parse_content(parts.host.contents.get(SignedStatement.parse(entry.raw).payload))
    except ContentUnknown as gone:
        raise CorrectionUnfit("readings_digest", "its content is not here", "upload the content") from gone


def _is_in_force(parts: Parts, party: str, digest: bytes) -> bool:
    return bool(queries.statements(parts.engine, party, ["correction"], replacement=digest.hex()))


def _dangling(
    parts: Parts, party: str, digest: bytes, body: Mapping[str, Any]
) -> tuple[bytes | None, list[bytes]]:
    """Return what a cut-off act left: corrected readings equal to `body`, and others; none is in force."""
    wanted = json_value(body)["readings"]
    rows = queries.statements(parts.engine, party, ["corrected_readings"], supersedes=digest.hex())
    same: bytes | None = None
    others = list[bytes]()
    ended = queries.endings(parts.engine, party, [bytes(row["statement_digest"]) for row in rows])
    for row in rows:
        found = bytes(row["statement_digest"])
        if found in ended or _is_in_force(parts, party, found):
            continue
        if same is None and row["body"]["readings"] == wanted:
            same = found
        else:
            others.append(found)
    return same, others
