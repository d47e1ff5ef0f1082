"""A file that holds one statement with its content, and the receipt once there is one.

    ["carbonseal-statement/v1", statement, content, receipt or null]      deterministic CBOR

The three travel together, so that whoever gets the file can check it without asking anybody. Reading checks
the form and that the content is what was signed; whose signature it is, the reader's checks say.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from carbonseal_attest import cbor
from carbonseal_attest.contents import MAX_CONTENT, Content, check_content
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.receipt import Receipt
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.errors import StatementFileInvalid

FORMAT: Final = "carbonseal-statement/v1"
MAX_FILE: Final = MAX_CONTENT + (1 << 14)  # bytes


@dataclass(frozen=True, slots=True)
class StatementFile:
    """One statement, the bytes of its content and what they say, and its receipt."""

    statement: SignedStatement
    content_bytes: bytes
    content: Content
    receipt: bytes | None

    @classmethod
    def of(cls, statement: SignedStatement, content: bytes, receipt: bytes | None = None) -> StatementFile:
        """Return the file of a statement; `content` must be what it signs."""
        return cls(statement, content, check_content(statement, content), receipt)

    @classmethod
    def parse(cls, data: bytes, *, kinds: Collection[str]) -> StatementFile:
        """Return the file that `data` writes, of one of `kinds`.

        Raises:
            StatementFileInvalid: not our form, of another kind, or the content is not what was signed.
        """
        try:
            value = cbor.decode(data, max_size=MAX_FILE)
            match value:
                case [str(form), bytes(statement), bytes(content), receipt] if form == FORMAT and (
                    receipt is None or isinstance(receipt, bytes)
                ):
                    file = cls.of(SignedStatement.parse(statement), content, receipt)
                case _:
                    raise _refusal("file", f"not of {FORMAT}")
            if receipt is not None:
                Receipt.parse(receipt)
        except StatementFileInvalid:
            raise
        except CarbonsealError as error:
            raise _refusal(error.field, error.reason) from error
        if file.content.kind not in kinds:
            raise _refusal("file", f"holds a {file.content.kind}, not a {' or '.join(sorted(kinds))}")
        return file

    def to_bytes(self) -> bytes:
        """Return the one way to write it."""
        return cbor.encode([FORMAT, self.statement.raw, self.content_bytes, self.receipt])


def _refusal(field: str, reason: str) -> StatementFileInvalid:
    return StatementFileInvalid(field, reason, "give the file that `carbonseal-verifier` wrote")
