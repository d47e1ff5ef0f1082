"""One correction travels: `travel` finds new causes, marks all that rests on them, and sees what is cured.

Each mark is a statement of the log host's party in its data log, with cause, reason and cure; nothing that
was filed is changed by it. The logs alone say what was marked already, so a second worker, a kill or a lost
database of projections makes no mark twice and loses none. Called before each epoch closes.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any, Final

from sqlalchemy import Connection, NullPool, create_engine, text

from carbonseal_api.assembly import Parts
from carbonseal_api.engagements.opinions import OpinionBook
from carbonseal_api.impacts import queries
from carbonseal_api.impacts.affected import Affected, Derivations, affected_by
from carbonseal_api.impacts.causes import EXPIRED, Cause, causes_of
from carbonseal_api.impacts.cures import Standing, cured, undone
from carbonseal_api.impacts.followups import freeze_marked, regrade_cured, regrade_marked, release_cured
from carbonseal_api.impacts.marks import Mark, marks_of_causes, marks_of_party, marks_on
from carbonseal_api.lineage.graph import Graph
from carbonseal_api.reports.wording import LANGUAGES, load_wording
from carbonseal_attest.statement import SignedStatement

_logger = logging.getLogger(__name__)
CATALOGUE: Final = "impacts/wording.json"
# Things named in one statement: the kind takes 10,000, but a content of 1 MiB has room for about 8,000.
MOST_AFFECTED: Final = 5_000
_TRAVEL_LOCK: Final = 0x_CA4B_5EA7  # advisory lock: one process looks at a time
_PATIENCE: Final = "300s"
_MAX_SENTENCE: Final = 400  # characters, as the kind has it
_ROUNDS: Final = 3  # a cured report lets an opinion count, which lets a grade count


def travel(parts: Parts, now: int) -> list[SignedStatement]:
    """Write what impacts are due since the last look, and their cures; return the impact statements.

    What follows (grades stated anew, asset records frozen) is done before this returns, or at the next look
    where a part does not answer. A grade is stated anew also where nothing is marked and its input has
    changed: by a worse opinion, code or figure, or because a body is admitted no more.

    An enterprise whose statements cannot be looked at keeps no other from being looked at: what went wrong is
    raised after all of them, and everything new is looked at again next time.

    Args:
        parts: The deployment; the log host's key must be here.
        now: When, in ms.

    Raises:
        PartMissing: The log host's key is not here.
        StatementRefused: The log refused an impact.
    """
    with _alone(parts) as connection:
        parts.projections.refresh()
        with parts.engine.connect() as reading:
            reached = queries.progress(reading)
            touched = _touched(parts, queries.fresh(reading))
        made: list[SignedStatement] = []
        problems: list[Exception] = []
        for party in sorted(touched | queries.marked_parties(parts.engine, parts.host_party)):
            try:
                made += _travel_party(parts, party, now)
                if party in touched:
                    _grade_anew(parts, party, now)
            except Exception as problem:  # noqa: BLE001 - whatever it was, the others come first
                _logger.warning("what rests on statements of %s is not marked: %s", party, problem)
                problems.append(problem)
        if problems:
            raise problems[0]
        with parts.engine.begin() as writing:
            queries.settle(writing, reached)
        connection.commit()
    return made


def open_marks(parts: Parts, digests: Collection[bytes]) -> dict[bytes, list[Mark]]:
    """Return the marks on statements or asset records that are not cured; things without one are left out.

    What `travel` has not written yet is not among them.
    """
    found = marks_on(parts, digests)
    standing = {digest: [mark for mark in marks if mark.cured_by is None] for digest, marks in found.items()}
    return {digest: marks for digest, marks in standing.items() if marks}


class _Scene:
    """What one party's reports, opinions and causes are, read anew for each round."""

    def __init__(self, parts: Parts, party: str) -> None:
        self.parts, self.party, self.graph = parts, party, Graph(parts)
        accounts = self.graph.accounts(party)
        takings = self.graph.takings_back(party)
        reports = {one.digest for one in accounts if one.kind == "emissions_report"}
        opinions = queries.opinions_on(parts.engine, reports)
        ours = {bytes(one["digest"]) for one in opinions}
        withdrawn = [
            row
            for body in sorted({one["party"] for one in opinions})
            for row in self.graph.takings_back(body)
            if bytes(row["target"]) in ours
        ]
        self.causes = causes_of(parts.engine, party, accounts, takings, withdrawn)
        self.standing = Standing(
            accounts=accounts,
            taken={bytes(row["target"]).hex() for row in takings},
            opinions=opinions,
            withdrawn={bytes(row["target"]).hex() for row in withdrawn},
            counted=cache(self._counted),
        )
        struck = {node for one in self.causes for node in one.struck}
        self._derivations = Derivations(self.graph, struck, party=party)

    @cached_property
    def _book(self) -> OpinionBook:
        return OpinionBook(self.parts)

    def _counted(self, report: str) -> frozenset[bytes]:
        return frozenset(one.digest for one in self._book.on(bytes.fromhex(report))[0])

    def cause_of(self, mark: Mark) -> Cause:
        """Return the cause of a mark; one that has ended strikes nothing."""
        digest = mark.cause_digest.hex()
        for cause in self.causes:
            if (cause.kind, cause.digest) == (mark.cause, digest):
                return cause
        return Cause(mark.cause, digest, self.party, mark.registered_at, frozenset(), {})

    def derived(self, cause: Cause) -> set[str]:
        """Return everything derived from what a cause strikes, that included."""
        return self._derivations.over(cause.struck)


def _travel_party(parts: Parts, party: str, now: int) -> list[SignedStatement]:
    scene = _Scene(parts, party)
    made = _mark(scene)
    if made:
        parts.projections.refresh()
    marks = _open_of(scene)
    if regrade_marked(parts, party, marks, now):
        parts.projections.refresh()
    freeze_marked(parts, marks)
    for _ in range(_ROUNDS):
        cures = _cure(_Scene(parts, party), now)
        if not cures:
            break
        made += cures
        parts.projections.refresh()
    release_cured(parts, _open_of(_Scene(parts, party)))
    return made


def _open_of(scene: _Scene) -> list[Mark]:
    digests = {bytes.fromhex(cause.digest) for cause in scene.causes}
    # A certificate that covers the time after all ends its cause, and the marks are then looked at once more.
    ended = marks_of_party(scene.parts, scene.party)
    digests |= {mark.cause_digest for mark in ended if mark.cause == EXPIRED}
    return [mark for mark in marks_of_causes(scene.parts, digests) if mark.cured_by is None]


def _mark(scene: _Scene) -> list[SignedStatement]:
    parts = scene.parts
    digests = [bytes.fromhex(cause.digest) for cause in scene.causes]
    stated = queries.stated(parts.engine, parts.host_party, digests)
    cured_by_cause = _cured_of(parts, digests)
    made: list[SignedStatement] = []
    for cause in scene.causes:
        place, derived = (cause.kind, bytes.fromhex(cause.digest)), scene.derived(cause)
        healed = cured_by_cause.get(place, [])
        fallen_back = undone(parts, healed, cause, derived, scene.standing, scene.party)
        known = stated.get(place, set()) - {(mark.kind, mark.digest) for mark in fallen_back}
        found = affected_by(parts, scene.graph, cause, derived, party=scene.party)
        fresh = [one for one in found if (one.kind, one.digest) not in known]
        made += [
            _issue(parts, cause, fresh[start : start + MOST_AFFECTED], cures=None)
            for start in range(0, len(fresh), MOST_AFFECTED)
        ]
    return made


def _cured_of(parts: Parts, causes: Collection[bytes]) -> dict[tuple[str, bytes], list[Mark]]:
    """Return the marks of things that are all cured, by cause: the newest one of each thing."""
    newest: dict[tuple[str, bytes, str, bytes], Mark] = {}
    open_ones: set[tuple[str, bytes, str, bytes]] = set()
    for mark in marks_of_causes(parts, causes):
        key = (mark.cause, mark.cause_digest, mark.kind, mark.digest)
        newest[key] = mark
        if mark.cured_by is None:
            open_ones.add(key)
    found: dict[tuple[str, bytes], list[Mark]] = {}
    for key, mark in newest.items():
        if key not in open_ones:
            found.setdefault(key[:2], []).append(mark)
    return found


def _cure(scene: _Scene, now: int) -> list[SignedStatement]:
    parts = scene.parts
    by_impact: dict[bytes, list[Mark]] = {}
    for mark in _open_of(scene):
        by_impact.setdefault(mark.impact, []).append(mark)
    made: list[SignedStatement] = []
    for impact, marks in by_impact.items():
        cause = scene.cause_of(marks[0])
        healed = cured(parts, marks, cause, scene.derived(cause), scene.standing, scene.party)
        if not healed:
            continue
        affected = sorted(Affected(mark.kind, mark.party, mark.digest) for mark in healed)
        made.append(_issue(parts, cause, affected, cures=impact))
        parts.projections.refresh()
        ended = {(mark.kind, mark.digest) for mark in healed}
        left = [mark for mark in marks if (mark.kind, mark.digest) not in ended]
        if any(mark.kind == "grade" for mark in left):
            _grade_again(parts, scene.party, left, now)
    return made


def _grade_again(parts: Parts, party: str, marks: Sequence[Mark], now: int) -> None:
    marked = {mark.digest for mark in marks}
    rules = {
        str(row["rule"])
        for row in queries.grades_of(parts.engine, parts.host_party, party)
        if bytes(row["digest"]) in marked
    }
    regrade_cured(parts, party, rules, now)


def _grade_anew(parts: Parts, party: str, now: int) -> None:
    rows = queries.grades_of(parts.engine, parts.host_party, party)
    if rows:
        regrade_cured(parts, party, {str(row["rule"]) for row in rows}, now)


def _issue(
    parts: Parts, cause: Cause, affected: Sequence[Affected], *, cures: bytes | None
) -> SignedStatement:
    told = "cured" if cures is not None else cause.kind
    body: dict[str, Any] = {
        "state": "open" if cures is None else "cured",
        "cause": cause.kind,
        "cause_digest": bytes.fromhex(cause.digest),
        "cures": cures,
        "affected": [{"kind": one.kind, "party": one.party, "digest": one.digest} for one in affected],
        "reason": _sentence(f"{told}.reason", cause.told),
        "cure": _sentence(f"{told}.cure", cause.told),
    }
    origin = f"{parts.settings.log_host_name}/{parts.host_party}/data"
    with parts.desks.desk(parts.host_party) as desk:
        return desk.issue(origin, "impact", body)


def _sentence(key: str, told: Mapping[str, str]) -> dict[str, str]:
    return {lang: load_wording(lang, CATALOGUE)(key, **told)[:_MAX_SENTENCE] for lang in LANGUAGES}


def _touched(parts: Parts, fresh: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the enterprises that new statements may concern."""
    engine = parts.engine
    named = queries.owners(engine, {row["target"] for row in fresh if row["target"] is not None})
    reports = {row["report"] for row in named.values() if row["report"] is not None}
    owners = queries.owners(engine, reports)
    found: set[str] = set()
    for row in fresh:
        target = named.get(row["target"]) if row["target"] is not None else None
        if row["kind"] == "grade":
            found.add(row["about"])
        elif row["kind"] == "party":
            found |= {row["about"], *queries.verified_by(engine, row["about"])}
        elif "industry_mean" in {row["kind"], target and target["kind"]}:
            found |= queries.graded_parties(engine, parts.host_party)
        elif target is None:
            found.add(row["party"])
        elif target["report"] is None:
            found.add(target["party"])
        elif target["report"] in owners:
            found.add(owners[target["report"]]["party"])
    impacts = [bytes(row["digest"]) for row in fresh if row["kind"] == "impact"]
    return found | (queries.marked_parties(engine, parts.host_party, impacts) if impacts else set())


@contextmanager
def _alone(parts: Parts) -> Iterator[Connection]:
    """Hold the lock under which one process at a time looks, on a connection outside the pool."""
    engine = create_engine(
        parts.engine.url, poolclass=NullPool, connect_args={"options": f"-c lock_timeout={_PATIENCE}"}
    )
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _TRAVEL_LOCK})
        yield connection
