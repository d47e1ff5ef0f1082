"""What a period's activity data are made of, as both logs stood: readings, corrections, stated values.

The readings come from the series index, what replaces or moves them from the statements of both logs, by the
same rules as a filed report (`carbonseal_verifier.corrections`). Lateness is judged by the registration time
that the log host noted; the filed code judges it by ticks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_accounting.activity import ActivityData, SourceContent, derive_activity
from carbonseal_api.assembly import Parts
from carbonseal_api.devices import queries as series_queries
from carbonseal_api.founding import DATA, REGISTER
from carbonseal_attest.contents import parse_content
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.outcomes import LoggedEntry
from carbonseal_verifier.corrections import TakingBack, acts_by_statement, correction_of, touches
from carbonseal_verifier.logged import LoggedStatement

LATE_AFTER_MS: Final = 26 * 3_600_000  # of default@1; the filed code judges by its own profile
_STATED: Final = ("declared_activity", "downgrade")


@dataclass(frozen=True, slots=True)
class CutOff:
    """Sizes of a party's two logs: what is registered later does not count."""

    data_size: int
    register_size: int


def cut_off_now(parts: Parts, party: str) -> CutOff:
    """Return where a party's logs stand. The register is read first: a correction follows what it names."""
    register, data = (_origin(parts, party, log) for log in (REGISTER, DATA))
    register_size = parts.host.head(register).tree_size
    return CutOff(parts.host.head(data).tree_size, register_size)


def period_activity(
    parts: Parts, party: str, plan: Mapping[str, Any], start_ms: int, end_ms: int, cut_off: CutOff
) -> ActivityData:
    """Return the activity data of [start_ms, end_ms) under a plan row, as both logs stood at a cut-off.

    Raises:
        AccountingError: The plan, the readings or a downgrade cannot be computed.
        CorrectionRefused: A correction leads to something that cannot stand in the readings' place.
    """
    digest = bytes(plan["statement_digest"])
    sources = period_sources(parts, party, digest, start_ms, end_ms, cut_off)
    return derive_activity(plan["body"], sources, start_ms=start_ms, end_ms=end_ms)


def period_sources(
    parts: Parts, party: str, plan_digest: bytes, start_ms: int, end_ms: int, cut_off: CutOff
) -> list[SourceContent]:
    """Return the contents that make the activity data of [start_ms, end_ms), in the order of the data log.

    Raises:
        CorrectionRefused: a correction leads to something that cannot stand in the readings' place.
    """
    period = (start_ms, end_ms)
    taking_back = {"correction", "withdrawal"}
    register = _logged(
        parts,
        parts.host.select(_origin(parts, party, REGISTER), kinds=taking_back, end=cut_off.register_size),
    )
    acts = acts_by_statement(register)
    return [
        *_readings(parts, party, period, acts, cut_off),
        *_stated(parts, party, plan_digest, period, acts, cut_off),
    ]


def _readings(
    parts: Parts,
    party: str,
    period: tuple[int, int],
    acts: Mapping[bytes, Sequence[TakingBack]],
    cut_off: CutOff,
) -> Iterator[SourceContent]:
    # The reading at the end closes the last interval of a register.
    rows = series_queries.series(parts.engine, party, start_ms=period[0], end_ms=period[1] + 1)
    rows = [
        row for row in rows if row["entry_index"] < cut_off.data_size and row["registered_at"] >= period[0]
    ]
    contents = parts.host.contents.get_many({bytes(row["content_digest"]) for row in rows})
    replacements = _replacements(parts, party, acts, cut_off)
    seen: set[bytes] = set()
    for row in rows:
        digest, data = bytes(row["statement_digest"]), contents.get(bytes(row["content_digest"]))
        if data is None or digest in seen:
            continue
        seen.add(digest)
        interval = (row["interval_start"], row["interval_end"])
        is_late = row["registered_at"] - row["interval_end"] > LATE_AFTER_MS
        if digest not in acts:
            body = parse_content(data).body
            yield SourceContent(row["kind"], digest, row["device"], interval, body, is_late)
            continue
        entry = parts.host.entry(_origin(parts, party, DATA), row["entry_index"])
        (logged,) = _logged(parts, [entry])
        correction = correction_of(logged, acts, replacements, period=period)
        new = None if correction is None else correction.replacement
        if new is not None and new.content is not None and new.content.interval is not None:
            header = new.statement.header
            if touches(new.content.interval, period):
                yield SourceContent(
                    "readings",
                    new.statement.digest,
                    header.subject,
                    header.interval,
                    new.content.body["readings"],
                    is_late,
                    is_corrected=True,
                )


def _replacements(
    parts: Parts, party: str, acts: Mapping[bytes, Sequence[TakingBack]], cut_off: CutOff
) -> dict[bytes, LoggedStatement]:
    """Return the entries of the data log that corrections put in the place of others."""
    named = {act.replacement for some in acts.values() for act in some if act.replacement is not None}
    if not named:
        return {}
    corrected = parts.host.select(
        _origin(parts, party, DATA), kinds={"corrected_readings"}, end=cut_off.data_size
    )
    wanted = [entry for entry in corrected if entry.digest in named]
    return {one.statement.digest: one for one in _logged(parts, wanted)}


def _stated(
    parts: Parts,
    party: str,
    plan_digest: bytes,
    period: tuple[int, int],
    acts: Mapping[bytes, Sequence[TakingBack]],
    cut_off: CutOff,
) -> Iterator[SourceContent]:
    """Yield the declared values and downgrades that stand, under this plan, of this period."""
    entries = parts.host.select(
        _origin(parts, party, DATA), kinds=set(_STATED), overlapping=period, end=cut_off.data_size
    )
    for entry, one in zip(entries, _logged(parts, entries), strict=True):
        content = one.content
        if content is None or entry.digest in acts or entry.registered_at < period[0]:
            continue
        if content.body["plan_digest"] == plan_digest:
            yield SourceContent(content.kind, entry.digest, content.subject, content.interval, content.body)


def _logged(parts: Parts, entries: Sequence[LoggedEntry]) -> list[LoggedStatement]:
    statements = [SignedStatement.parse(entry.raw) for entry in entries]
    contents = parts.host.contents.get_many({statement.payload for statement in statements})
    return [
        LoggedStatement(
            entry.index,
            statement,
            parse_content(contents[statement.payload]) if statement.payload in contents else None,
        )
        for entry, statement in zip(entries, statements, strict=True)
    ]


def _origin(parts: Parts, party: str, log: str) -> str:
    return f"{parts.settings.log_host_name}/{party}/{log}"
