"""The witness quorum of a trust file, as a C2SP tlog-policy.

Without `log` lines: who keeps which log, and under which keys, the file says elsewhere. That nobody outside
confirms heads is written out, as `quorum none`.
"""

from __future__ import annotations

from dataclasses import dataclass

from carbonseal_attest.trust.tables import Table, refusal

NONE = "quorum none\n"


@dataclass(frozen=True, slots=True)
class Witnesses:
    """The quorum that must have cosigned the checkpoint of the log of logs."""

    policy: str

    @classmethod
    def read(cls, table: Table) -> Witnesses:
        """Return the witnesses of a table."""
        policy = table.lines("policy")
        table.close()
        if policy != NONE:
            raise refusal("witnesses.policy", "not `quorum none`, and other policies are not read yet")
        return cls(policy)

    def lines(self) -> list[str]:
        """Return the TOML lines."""
        return ["[witnesses]", 'policy = """', *self.policy.splitlines(), '"""', ""]
