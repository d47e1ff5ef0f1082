"""Continuity of streams: each statement follows the one before it, without holes, doubles or forks.

Pure rules over a stream's head (`docs/spec/statement.md`, Streams): the next statement has sequence + 1 and
names the last digest as its previous; after a `void` the digest of the refused statement that it stands for
continues as well; after a `resume` the stream goes on where the party said. A key that was withdrawn may
only deliver a chain that ends in the statement that its withdrawal named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from carbonseal_attest.identity.streams import GAP, Restart, misfit
from carbonseal_attest.statement import Header, SignedStatement
from carbonseal_ledger.admission import AdmittedKey
from carbonseal_ledger.errors import KeyStale, PreviousWrong, SequenceGap


@dataclass(slots=True)
class StreamCursor:
    """A stream's head while a batch is worked in; `sequence` is -1 before the first statement.

    `stream_id` is the row; None for a stream that has none yet. `void_digest` also continues the stream.
    """

    stream_id: int | None
    sequence: int
    digest: bytes | None
    void_digest: bytes | None = None

    def check_next(self, header: Header, resumes: Sequence[Restart]) -> None:
        """Check that a statement with a sequence above the head's may come next.

        Raises:
            SequenceGap: statements before it are missing.
            PreviousWrong: it follows another statement than the last one.
        """
        wanted = self.sequence + 1
        found = misfit(header, self.sequence, {self.digest, self.void_digest or self.digest}, resumes)
        if found == GAP:
            raise SequenceGap(
                "header.sequence",
                f"{header.sequence} arrived where {wanted} of stream {header.stream} is next",
                f"send the statements from {wanted} on first, in order",
            )
        if found is not None:
            raise PreviousWrong(
                "header.previous",
                f"it does not name the last statement of stream {header.stream}",
                "sign a void for this place, or have the party resume the stream",
            )

    def advance(self, statement: SignedStatement, void_digest: bytes | None) -> None:
        """Make a statement the head; `void_digest` is what it stands for when it is a void."""
        self.sequence = statement.header.sequence
        self.digest = statement.digest
        self.void_digest = void_digest


def check_backfill(chain: Sequence[SignedStatement], admitted: AdmittedKey) -> None:
    """Check that what a withdrawn key still delivers in one batch hash-chains to its named last statement.

    Args:
        chain: the batch's statements of one stream of that key, in sequence order, not yet registered.
        admitted: the key, rotated, suspended or revoked.

    Raises:
        KeyStale: the chain is broken or does not end in the named statement.
    """
    header = chain[-1].header
    withdrawal = None if admitted.device is None else admitted.device.withdrawal
    last = None if withdrawal is None else withdrawal.last.get(header.stream)
    is_chained = all(
        later.header.sequence == earlier.header.sequence + 1 and later.header.previous == earlier.digest
        for earlier, later in pairwise(chain)
    )
    if last is None or not is_chained or (header.sequence, chain[-1].digest) != last:
        raise KeyStale(
            "header.kid",
            f"the key is {admitted.status}, and these do not lead to the last statement that its"
            f" withdrawal names",
            "send everything that is left of the stream in one batch",
        )
