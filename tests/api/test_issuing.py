"""Two desks of one key take turns; neither signs a place that the other one took."""

from __future__ import annotations

from typing import Any


def test_desks_of_one_key_that_take_turns_leave_no_equivocation(site: Any) -> None:
    member, parts = site.cast.enterprise, site.parts
    body = {
        "title": "a file",
        "media_type": "application/pdf",
        "document_digest": bytes(32),
        "size": 1,
        "relates_to": [],
    }
    numbers = []
    for turn in range(4):
        if turn % 2:
            with parts.desks.desk(site.party) as desk:
                numbers.append(desk.issue(site.origin, "document", body).header.sequence)
        else:
            numbers.append(member.issue(site.origin, "document", body).header.sequence)
    assert numbers == list(range(numbers[0], numbers[0] + 4))
    assert site.host.select(site.origin, kinds={"equivocation"}) == []
