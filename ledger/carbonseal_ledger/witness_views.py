"""What the witnesses hold of the log of logs, as start-up asks it (`outside_heads`).

The witnesses of a policy are one outsider: a head counts as witnessed when the quorum cosigned it, so enough
of them have been asked when those that did not answer could not be a quorum alone. The highest head that
any of them shows counts, with the log's own signature on it: a witness cannot invent one.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.cosignature import verify_signatures
from carbonseal_attest.errors import NoteInvalid
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.vkey import ED25519_NOTE, Vkey
from carbonseal_ledger.errors import LedgerError, OutsideUnreachable
from carbonseal_ledger.outside_heads import OutsideHead
from carbonseal_ledger.witness_client import WitnessClient
from carbonseal_ledger.witnessing import Witnessing


class WitnessView:
    """One witness's view of one log."""

    def __init__(self, client: WitnessClient, origin: str, log_keys: Sequence[PublicKey]) -> None:
        self._client = client
        self._origin = origin
        self._keys = [Vkey(origin, ED25519_NOTE, key) for key in log_keys]

    @property
    def name(self) -> str:
        """How messages name it."""
        return f"witness {self._client.vkey.name}"

    def head(self, origin: str) -> OutsideHead | None:
        """The newest head that it cosigned; None for another log, or where it saw nothing.

        Raises:
            OutsideUnreachable: it does not answer, or shows what the log's key did not sign.
        """
        if origin != self._origin:
            return None
        try:
            note = self._client.checkpoint(origin)
            if note is None:
                return None
            if verify_signatures(note, self._keys):
                head = Checkpoint.parse(note.text)
                return OutsideHead(head.tree_size, head.root_hash)
        except (LedgerError, NoteInvalid) as error:
            raise self._unreachable(error.reason) from error
        raise self._unreachable("shows a head that the log's key did not sign")

    def _unreachable(self, reason: str) -> OutsideUnreachable:
        return OutsideUnreachable(self.name, reason, "start again when it answers")


class WitnessesView:
    """The view of all witnesses of a policy, as one outsider."""

    def __init__(self, witnessing: Witnessing, log_keys: Sequence[PublicKey]) -> None:
        self._policy = witnessing.policy
        self._origin = witnessing.origin
        self._views = {
            name: WitnessView(client, witnessing.origin, log_keys)
            for name, client in witnessing.clients.items()
        }

    @property
    def name(self) -> str:
        """How messages and decisions name it."""
        return f"witnesses of {self._policy.quorum}"

    def head(self, origin: str) -> OutsideHead | None:
        """The highest head that any witness shows; None for another log, or where none saw anything.

        Raises:
            OutsideUnreachable: those that did not answer could be a quorum alone.
        """
        if origin != self._origin:
            return None
        silent: dict[str, str] = {}
        heads: list[OutsideHead] = []
        with ThreadPoolExecutor(len(self._views)) as pool:
            asked = {name: pool.submit(view.head, origin) for name, view in self._views.items()}
            for name, future in asked.items():
                try:
                    head = future.result()
                except OutsideUnreachable as error:
                    silent[name] = error.reason
                else:
                    heads += [] if head is None else [head]
        if self._policy.is_met(silent):
            words = "; ".join(f"{name} {reason}" for name, reason in sorted(silent.items()))
            raise OutsideUnreachable(
                self.name,
                f"too few can be asked: {words}",
                "start again when they answer, or have two persons approve the start without them",
            )
        return max(heads, key=lambda head: head.size, default=None)
