"""The kind by which an enterprise lets another party see what is its own: grant (in its register log).

A grant is ended early by a `withdrawal` of its statement. Both stand in the register log, so that whoever has
that log whole knows that nothing was withdrawn.
"""

from __future__ import annotations

from typing import Final

from carbonseal_attest.contents import schema as s

# Each level includes the ones before it: the grade with its reasons; the report and its PDF; the evidence
# bundle and every statement of the period.
LEVELS: Final = ("grade", "report", "evidence")
PURPOSES: Final = ("loan", "verification", "disclosure", "research")

grant = s.record(
    {
        "grant": s.code,
        "to": s.code,
        "purpose": s.one_of(*PURPOSES),
        "level": s.one_of(*LEVELS),
        "period": s.span,
        "valid": s.span,
    }
)
