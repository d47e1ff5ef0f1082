"""Statements taken apart for reading: header, content, receipt, checkpoint, epoch, anchor and links.

Contents are shown as plain JSON: readings unpacked into samples, corrected ones too, instants as text, what
was signed as JSON (grades) as JSON. Nothing is left out of a body, and nothing is worked out here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.evidence.links import links_of
from carbonseal_api.evidence.schemas import AnchorView, EpochView, StatementHead, StatementView
from carbonseal_api.problems import NotFound
from carbonseal_api.projections.replay import json_value
from carbonseal_attest.contents import Content, parse_content
from carbonseal_attest.contents.readings import read_series
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import format_instant
from carbonseal_attest.quantities import format_decimal
from carbonseal_attest.receipt import Receipt
from carbonseal_attest.statement import Header, SignedStatement
from carbonseal_ledger.errors import EntryUnknown, LogUnknown
from carbonseal_ledger.outcomes import LoggedEntry

# Members of bodies that are instants, wherever they stand; shown as text.
_INSTANTS: Final = frozenset({"start", "end", "at", "as_of", "calibrated_at", "valid_until"})
_SIGNED_JSON: Final[Mapping[str, tuple[str, ...]]] = {"grade": ("input", "result")}


def find_entry(parts: Parts, party: str, digest: bytes) -> LoggedEntry:
    """Return the entry of a statement in one of a party's two logs.

    Raises:
        NotFound: Neither log holds it.
    """
    for log in ("data", "register"):
        try:
            return parts.host.find(f"{parts.settings.log_host_name}/{party}/{log}", digest)
        except (EntryUnknown, LogUnknown):
            continue
    raise NotFound("digest", "no such statement in the logs of this organisation", "copy the digest again")


def statement_view(parts: Parts, party: str, digest: bytes) -> StatementView:
    """Return a statement taken apart: header, content, receipt, checkpoint, epoch, anchor, and its links.

    Raises:
        NotFound: Neither of the party's logs holds it.
    """
    entry = find_entry(parts, party, digest)
    statement = SignedStatement.parse(entry.raw)
    head = parts.host.head(entry.origin)
    receipt = Receipt.parse(parts.host.receipt(entry.origin, digest)) if head.tree_size > 1 else None
    epoch, anchor = _epoch_and_anchor(parts, entry)
    return StatementView(
        statement_digest=digest.hex(),
        origin=entry.origin,
        entry_index=entry.index,
        registered_at=format_instant(entry.registered_at),
        receipt_state=str(parts.host.receipt_state(entry.origin, digest)),
        header=header_view(statement.header),
        content_digest=statement.payload.hex(),
        content=content_view(parts.host.contents.get_many({statement.payload}).get(statement.payload)),
        signature=statement.signature.hex(),
        receipt_size=None if receipt is None else receipt.tree_size,
        checkpoint=StatementHead(
            origin=head.origin, tree_size=head.tree_size, root_hash=head.root_hash.hex()
        ),
        epoch=epoch,
        anchor=anchor,
        links=links_of(parts, party, entry),
    )


def header_view(header: Header) -> dict[str, Any]:
    """Return a header as JSON values: instants as text, digests in hex."""
    return {
        "kind": f"{header.kind}/v{header.version}",
        "algorithm": header.algorithm,
        "kid": header.kid.hex(),
        "issuer": header.issuer,
        "subject": header.subject,
        "issued_at": format_instant(header.issued_at * 1000),
        "stream": header.stream,
        "sequence": header.sequence,
        "previous": None if header.previous is None else header.previous.hex(),
        "interval": None if header.interval is None else [format_instant(at) for at in header.interval],
        "checkpoint": None
        if header.checkpoint is None
        else {"tree_size": header.checkpoint[0], "root_hash": header.checkpoint[1].hex()},
    }


def content_view(data: bytes | None) -> dict[str, Any] | None:
    """Return a content as JSON values, readings unpacked into plain samples; None when it is not here."""
    if data is None:
        return None
    try:
        content = parse_content(data)
    except CarbonsealError as problem:
        return {"problem": str(problem)}
    if content.kind == "readings":
        return {"series": series_view(content.body)}
    if content.kind == "corrected_readings":
        rest = {key: value for key, value in content.body.items() if key != "readings"}
        return {"body": readable(rest), "series": series_view(content.body["readings"])}
    return {"body": _body_view(content)}


def series_view(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the series of a readings body, sample by sample."""
    return [
        {
            "point": series.point,
            "form": series.form,
            "unit": series.unit,
            "width_ms": series.width_ms,
            "samples": [
                {
                    "at": format_instant(sample.at),
                    "value": None if sample.value is None else format_decimal(sample.value),
                    "quality": sample.quality,
                    "source_status": sample.source_status,
                }
                for sample in series.samples()
            ],
        }
        for series in read_series(body)
    ]


def readable(value: Any, key: str = "") -> Any:
    """Return a body's value as JSON: digests in hex, instants as RFC 3339."""
    if isinstance(value, Mapping):
        return {str(name): readable(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [readable(inner) for inner in value]
    if key in _INSTANTS and type(value) is int:
        return format_instant(value)
    return json_value(value)


def _body_view(content: Content) -> dict[str, Any]:
    shown: dict[str, Any] = readable(content.body)
    for key in _SIGNED_JSON.get(content.kind, ()):
        try:
            shown[key] = json.loads(content.body[key])
        except (ValueError, RecursionError):
            continue  # it stays as hex: whoever wrote it did not write JSON
    return shown


def _epoch_and_anchor(parts: Parts, entry: LoggedEntry) -> tuple[EpochView | None, AnchorView | None]:
    record = parts.host.epoch_covering(entry.origin, entry.index + 1)
    if record is None:
        return None, None
    view = EpochView(
        epoch=record.epoch,
        map_root=record.map_root.hex(),
        origins=record.origins,
        built_at=format_instant(record.built_at),
        log_of_logs_size=record.tree_size,
        log_of_logs_root=record.root_hash.hex(),
    )
    return view, parts.anchors.anchor_of(record.tree_size) if parts.anchors is not None else None
