"""What some bytes are, in words and as exact JSON: a statement, content, receipt, statement file or value.

Reading is all that happens: no signature, proof or time is looked at, and whatever is shown says so. Bytes
that are nothing of ours but still our CBOR are shown as a value, and text as text; COSE messages and receipts
of others are shown as what they are (`foreign_view`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from carbonseal_attest import cbor
from carbonseal_attest.contents import KINDS, MAX_CONTENT, parse_content
from carbonseal_attest.cose import Sign1
from carbonseal_attest.cose_receipt import CoseReceipt
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.json_view import to_json_view
from carbonseal_attest.receipt import ConsistencyReceipt, Receipt
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.transparent_statement import TransparentStatement
from carbonseal_verifier.errors import UsageInvalid
from carbonseal_verifier.foreign_view import message_header, receipt_header
from carbonseal_verifier.statement_file import FORMAT, StatementFile

MAX_SHOWN: Final = MAX_CONTENT + (1 << 14)  # bytes of one thing; a statement file is the largest
UNCHECKED: Final = "Shown as it stands: no signature, proof or time was checked."
_SIGNED: Final = b"\xd2"  # CBOR tag 18, COSE_Sign1


@dataclass(frozen=True, slots=True)
class Shown:
    """What the bytes are.

    Attributes:
        what: statement, receipt, content, statement file, value or text.
        kind: of a statement or content, None for other things.
        version: of the kind.
        digest: a statement's digest, a content's SHA-256; None for other things.
        header: what a statement or receipt says about itself, as JSON view.
        view: JSON view of what it says: a content's envelope, a value, or a text; None for a bare header.
        content: a statement file's content.
        receipt: a statement file's receipt.
        receipts: those of a transparent statement.
    """

    what: str
    kind: str | None = None
    version: int | None = None
    digest: bytes | None = None
    header: Any = None
    view: Any = None
    content: Shown | None = None
    receipt: Shown | None = None
    receipts: tuple[Shown, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, without what it does not have."""
        inner = {"content": self.content, "receipt": self.receipt}
        parts = {
            "what": self.what,
            "kind": self.kind,
            "version": self.version,
            "digest": None if self.digest is None else self.digest.hex(),
            "header": self.header,
            "view": self.view,
            **{name: None if part is None else part.to_json() for name, part in inner.items()},
            "receipts": [part.to_json() for part in self.receipts] or None,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def to_text(self) -> str:
        """Return it in lines; whatever the bytes smuggled in is written with escapes."""
        name = "" if self.kind is None else f" {self.kind} v{self.version}"
        lines = [f"{self.what}{name}{' (draft)' if self.kind and KINDS[self.kind].is_draft else ''}"]
        if self.digest is not None:
            lines.append(f"digest {self.digest.hex()}")
        lines += [
            f"{title}\n{_json(part)}"
            for title, part in (("header", self.header), ("view", self.view))
            if part is not None
        ]
        lines += [part.to_text() for part in (self.content, self.receipt, *self.receipts) if part is not None]
        return "\n".join(lines)


def show(data: bytes) -> Shown:
    """Return what `data` is.

    Raises:
        UsageInvalid: too large, or nothing that can be shown; the reason is that of the nearest reader.
    """
    if len(data) > MAX_SHOWN:
        raise _refusal(f"more than {MAX_SHOWN} bytes")
    if data[:1] == _SIGNED:
        return _signed(data)
    try:
        value = cbor.decode(data, max_size=MAX_SHOWN)
    except CarbonsealError as error:
        return _text(data, error)
    try:
        if isinstance(value, list) and value[:1] == [FORMAT]:
            return _statement_file(data)
        if isinstance(value, dict) and value.keys() >= {"kind", "body", "salt"}:
            return _content(data)
    except CarbonsealError as error:
        raise _refusal(f"{error.field}: {error.reason}") from error
    return Shown("value", view=to_json_view(value))


def _signed(data: bytes) -> Shown:
    refusals = []
    for read in _READERS:
        try:
            return read(data)
        except CarbonsealError as error:
            refusals.append(f"no {read.__name__[1:]} ({error.field}: {error.reason})")
    raise _refusal("; ".join(refusals))


def _statement(data: bytes) -> Shown:
    statement = SignedStatement.parse(data)
    header = statement.header
    return Shown(
        "statement",
        kind=header.kind if header.kind in KINDS else None,
        version=header.version if header.kind in KINDS else None,
        digest=statement.digest,
        header=_view({**asdict(header), "payload": statement.payload}),
    )


def _receipt(data: bytes) -> Shown:
    receipt = asdict(Receipt.parse(data))
    return Shown(
        "receipt", header=_view({k: v for k, v in receipt.items() if k not in {"protected", "signature"}})
    )


def _consistency_receipt(data: bytes) -> Shown:
    receipt = asdict(ConsistencyReceipt.parse(data))
    header = {k: v for k, v in receipt.items() if k not in {"protected", "signature"}}
    return Shown("consistency receipt", header=_view(header))


def _transparent_statement(data: bytes) -> Shown:
    made = TransparentStatement.parse(data)
    return replace(
        _statement(made.statement.raw),
        what="transparent statement",
        receipts=tuple(_signed(receipt) for receipt in made.receipts),
    )


def _cose_receipt(data: bytes) -> Shown:
    return Shown("COSE receipt", header=receipt_header(CoseReceipt.parse(data)))


def _cose_sign1(data: bytes) -> Shown:
    return Shown("COSE_Sign1", header=message_header(Sign1.parse(data)))


def _content(data: bytes) -> Shown:
    content = parse_content(data)
    digest = hashlib.sha256(data).digest()
    return Shown("content", content.kind, content.version, digest, view=to_json_view(cbor.decode(data)))


def _statement_file(data: bytes) -> Shown:
    file = StatementFile.parse(data, kinds=KINDS)
    receipt = None if file.receipt is None else _receipt(file.receipt)
    return replace(
        _statement(file.statement.raw),
        what="statement file",
        content=_content(file.content_bytes),
        receipt=receipt,
    )


_READERS: Final = (
    _statement,
    _receipt,
    _consistency_receipt,
    _transparent_statement,
    _cose_receipt,
    _cose_sign1,
)


def _text(data: bytes, error: CarbonsealError) -> Shown:
    try:
        return Shown("text", view=data.decode())
    except UnicodeDecodeError:
        raise _refusal(error.reason) from error


def _view(fields: Mapping[str, Any]) -> Any:
    return to_json_view(
        {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
    )


def _json(view: Any) -> str:
    return json.dumps(view, indent=2)  # in ASCII, whatever characters the bytes smuggled in


def _refusal(reason: str) -> UsageInvalid:
    return UsageInvalid(
        "file", reason, "give a statement, a content, a receipt, a statement file, or a bundle and --member"
    )
