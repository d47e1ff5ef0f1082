"""The algorithms that a trust file admits, each with its last date: they are the only ones.

What is compared with a last date is when the thing signed was anchored, never when somebody says it was
signed: a broken algorithm lets anybody sign with any date. An algorithm that nothing uses does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from carbonseal_attest.errors import AlgorithmRefused
from carbonseal_attest.instants import format_instant
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.trust.tables import Table, refusal

_NO_CLOSER = "have it signed anew by an algorithm that the trust file admits"


@dataclass(frozen=True, slots=True)
class Algorithms:
    """COSE algorithm to the last instant (ms) at which something signed with it may have been anchored."""

    last_dates: Mapping[int, int]

    @classmethod
    def read(cls, tables: list[Table]) -> Algorithms:
        """Return the table; at least one algorithm, none twice."""
        last_dates: dict[int, int] = {}
        for table in tables:
            algorithm, last = table.integer("id", -(1 << 31), -1), table.instant("last_date")
            table.close()
            if algorithm in last_dates:
                raise refusal("algorithm", f"{algorithm} stands twice")
            last_dates[algorithm] = last
        if not last_dates:
            raise refusal("algorithm", "none is admitted, so that nothing could pass")
        return cls(last_dates)

    def lines(self) -> list[str]:
        """Return the TOML lines."""
        written = []
        for algorithm, last in self.last_dates.items():
            written += ["[[algorithm]]", f"id = {algorithm}", f'last_date = "{format_instant(last)}"', ""]
        return written

    def at(self, instant: int) -> frozenset[int]:
        """Return the algorithms that count for what was anchored, or without an anchor is shown, then."""
        return frozenset(number for number, last in self.last_dates.items() if instant <= last)

    def require(self, algorithm: int, *, anchored_at: int, what: str) -> None:
        """See that something signed with `algorithm` and anchored at `anchored_at` still counts.

        Raises:
            AlgorithmRefused: the algorithm is not listed, or its last date lies before the anchor.
        """
        last = self.last_dates.get(algorithm)
        if last is None:
            raise AlgorithmRefused(what, f"algorithm {algorithm} is not admitted", _NO_CLOSER)
        if anchored_at > last:
            reason = f"algorithm {algorithm} counts until {format_instant(last)}, "
            reason += f"and this is shown only at {format_instant(anchored_at)}"
            raise AlgorithmRefused(what, reason, _NO_CLOSER)

    def require_usable(self, key: PublicKey, field: str) -> None:
        """Refuse a key in the trust file with which nothing could be signed that the file admits."""
        if key.algorithm not in self.last_dates:
            raise refusal(field, f"a key of algorithm {key.algorithm}, which the file does not admit")
