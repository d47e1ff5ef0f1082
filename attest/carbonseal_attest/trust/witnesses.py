"""The witness quorum of a trust file: a C2SP tlog-policy, and from which size on a witness no longer counts.

The policy has no `log` lines: who keeps which log, and under which keys, the file says elsewhere. That nobody
outside confirms heads is written out, as `quorum none`. A witness is retired by tree size of the log of logs,
never by date: whoever holds its key afterwards can name any time, but not undo a head that was anchored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.cosignature import verify_cosignatures
from carbonseal_attest.errors import PolicyInvalid
from carbonseal_attest.identifiers import is_plain_text
from carbonseal_attest.merkle import MAX_TREE_SIZE
from carbonseal_attest.note import SignedNote
from carbonseal_attest.tlog_policy import NONE, TlogPolicy
from carbonseal_attest.trust.tables import Table, refusal


@dataclass(frozen=True, slots=True)
class Witnesses:
    """The quorum that must have cosigned a checkpoint of the log of logs.

    `retired` maps a witness's name in the policy to the size from which its cosignatures no longer count.
    """

    policy: TlogPolicy
    retired: Mapping[str, int]

    @classmethod
    def none(cls) -> Witnesses:
        """Return the quorum of nobody, which a file must state in so many words."""
        return cls(TlogPolicy.parse("quorum none\n"), {})

    @classmethod
    def of(cls, policy: TlogPolicy) -> Witnesses:
        """Return the quorum of a policy, nobody of it retired.

        Raises:
            TrustInvalid: it has log lines, or text that a trust file cannot hold.
        """
        _check_writable(policy)
        return cls(policy, {})

    @classmethod
    def read(cls, table: Table) -> Witnesses:
        """Return the witnesses of a table."""
        try:
            policy = TlogPolicy.parse(table.lines("policy"))
        except PolicyInvalid as error:
            raise refusal(f"witnesses.{error.field}", error.reason, error.remedy) from error
        _check_writable(policy)
        retired: dict[str, int] = {}
        for entry in table.tables("retired"):
            name, until = entry.text("name"), entry.integer("until_size", 1, MAX_TREE_SIZE)
            entry.close()
            if name not in policy.witnesses or name in retired:
                raise refusal("witnesses.retired", f"{name} is no witness of the policy, or stands twice")
            retired[name] = until
        table.close()
        return cls(policy, MappingProxyType(retired))

    def lines(self) -> list[str]:
        """Return the TOML lines."""
        text = self.policy.text.rstrip("\n")
        written = ["[witnesses]", 'policy = """', *text.split("\n"), '"""']
        written += [] if self.retired else ["retired = []"]
        for name, until in self.retired.items():
            written += ["[[witnesses.retired]]", f'name = "{name}"', f"until_size = {until}"]
        return [*written, ""]

    @property
    def asks_nobody(self) -> bool:
        """Whether no cosignature is needed: `quorum none`."""
        return self.policy.quorum == NONE

    def cosigned(self, note: bytes) -> dict[str, int]:
        """Return the witnesses whose cosignatures of a checkpoint count, each with the time it states (s).

        Raises:
            NoteInvalid: no checkpoint, or a signature of a witness of the policy does not verify.
        """
        signed = SignedNote.parse(note)
        size = Checkpoint.parse(signed.text).tree_size
        times = verify_cosignatures(signed, self.policy)
        return {name: at for name, at in times.items() if size < self.retired.get(name, size + 1)}


def _check_writable(policy: TlogPolicy) -> None:
    if policy.logs:
        raise refusal("witnesses.policy", "has log lines; keys of logs stand under log_host")
    if '"' in policy.text or "\\" in policy.text or not all(map(is_plain_text, policy.text.split("\n"))):
        raise refusal("witnesses.policy", "holds a quote, a backslash or a tab, or is not plain text")
