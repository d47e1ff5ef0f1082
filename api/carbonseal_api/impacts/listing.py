"""Lists impacts for an organisation, or for all: each with what it names and what of that is cured."""

from __future__ import annotations

from collections.abc import Sequence

from carbonseal_api.assembly import Parts
from carbonseal_api.impacts.marks import Mark, all_marks, marks_of_party
from carbonseal_api.impacts.schemas import AffectedView, Impact
from carbonseal_api.lineage.identifiers import is_code
from carbonseal_api.problems import NotFound
from carbonseal_attest.instants import format_instant


def impacts(parts: Parts, party: str | None, *, only_open: bool = True) -> list[Impact]:
    """Return impacts, newest first; `party` None: on whatever organisation's things.

    An impact is open while anything that it names for the party is; then all of that is listed, cured or not.

    Raises:
        NotFound: No code of a party.
    """
    if party is not None and not is_code(party):
        raise NotFound("party", "no such resource for this key", "use the code of your own organisation")
    marks = (
        all_marks(parts, only_open=False) if party is None else marks_of_party(parts, party, only_open=False)
    )
    by_impact: dict[bytes, list[Mark]] = {}
    for mark in marks:
        by_impact.setdefault(mark.impact, []).append(mark)
    origin = f"{parts.settings.log_host_name}/{parts.host_party}/data"
    chosen = [
        group for group in by_impact.values() if not only_open or any(mark.cured_by is None for mark in group)
    ]
    states = parts.host.receipt_states(origin, [group[0].impact for group in chosen])
    made = [
        _shown(group, str(answer.state or "logged")) for group, answer in zip(chosen, states, strict=True)
    ]
    return made[::-1]


def _shown(group: Sequence[Mark], state: str) -> Impact:
    first = group[0]
    return Impact(
        impact=first.impact.hex(),
        cause=first.cause,
        cause_digest=first.cause_digest.hex(),
        registered_at=format_instant(first.registered_at),
        receipt_state=state,
        is_open=any(mark.cured_by is None for mark in group),
        reason=dict(first.reason),
        cure=dict(first.cure),
        affected=[
            AffectedView(
                kind=mark.kind,
                party=mark.party,
                digest=mark.digest.hex(),
                state=mark.state,
                cured_by=None if mark.cured_by is None else mark.cured_by.hex(),
            )
            for mark in group
        ],
    )
