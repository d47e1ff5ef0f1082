"""What statements say: a registry of kinds, and the envelope that every content shares.

A content is one deterministic CBOR map: kind, version, subject, stream and interval (which must equal the
header that signs it), a salt against guessing (empty for public kinds) and a body that its kind's schema
admits. A new kind is a new line in `KINDS`; the ledger needs no code for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest import cbor
from carbonseal_attest.contents import (
    disclosing,
    holding,
    identity,
    judging,
    measuring,
    mirroring,
    readings,
    reporting,
    upkeep,
    verifying,
)
from carbonseal_attest.contents import schema as s
from carbonseal_attest.contents.schema import Schema
from carbonseal_attest.errors import ContentContradictsHeader, ContentInvalid, EncodingError
from carbonseal_attest.instants import Interval
from carbonseal_attest.statement import SignedStatement

SALT_SIZE: Final = 16
DRAFT: Final = 0  # version of a kind that nothing uses yet: its schema may still change
MAX_CONTENT: Final = 1 << 20  # bytes; a day of one meter at five-second readings is about 100 kB


@dataclass(frozen=True, slots=True)
class Kind:
    """What the registry knows of a kind.

    `log` is where it is written (register or data); `signer` who signs it (party, device, log_host or
    registrar); `role` the role that the party of that log must have been admitted with, None for any;
    `is_public` kinds carry no salt; a content must be stored before the receipt unless it `may_follow` and
    the log's registration policy lets it. Version 0 is a draft: its contents can be made and read, but no log
    registers them.
    """

    name: str
    log: str
    signer: str
    schema: Schema
    version: int = 1
    is_public: bool = False
    may_follow: bool = False
    has_interval: bool = False
    role: str | None = None

    @property
    def is_draft(self) -> bool:
        """Whether its schema may still change: then no log registers it, and no check admits it."""
        return self.version == DRAFT


KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("genesis", "any", "party", identity.genesis, is_public=True),
        Kind("policy", "register", "party", identity.policy, is_public=True),
        Kind("tick", "any", "log_host", upkeep.tick, is_public=True),
        Kind("log_key", "any", "log_host", upkeep.log_key, is_public=True),
        Kind("void", "data", "device", upkeep.void),
        Kind("equivocation", "any", "log_host", upkeep.equivocation, is_public=True),
        Kind("erasure", "register", "party", upkeep.erasure),
        Kind("recovery", "register", "log_host", upkeep.recovery, is_public=True),
        Kind("party", "register", "registrar", identity.party, is_public=True),
        Kind("device", "register", "party", identity.device),
        Kind("resume", "register", "party", identity.resume),
        Kind("monitoring_plan", "register", "party", measuring.monitoring_plan),
        Kind("method", "register", "registrar", reporting.method, is_public=True),
        Kind("rule_profile", "register", "registrar", reporting.rule_profile, version=DRAFT, is_public=True),
        Kind("readings", "data", "device", readings.readings, has_interval=True),
        Kind("gap", "data", "device", measuring.gap, has_interval=True),
        Kind("calibration", "register", "party", measuring.calibration, may_follow=True),
        Kind("document", "data", "party", reporting.document, may_follow=True),
        Kind("emissions_report", "data", "party", reporting.emissions_report, has_interval=True),
        Kind("quality_code", "data", "party", reporting.quality_code, has_interval=True),
        Kind("correction", "register", "party", reporting.correction),
        Kind("withdrawal", "register", "party", reporting.withdrawal),
        Kind("corrected_readings", "data", "party", measuring.corrected_readings, has_interval=True),
        Kind("declared_activity", "data", "party", measuring.declared_activity, has_interval=True),
        Kind("downgrade", "data", "party", measuring.downgrade, has_interval=True),
        Kind(
            "business_record", "data", "party", reporting.business_record, has_interval=True, may_follow=True
        ),
        Kind("industry_mean", "register", "registrar", judging.industry_mean, is_public=True),
        Kind("grant", "register", "party", disclosing.grant),
        Kind("sampling_commitment", "data", "party", judging.sampling_commitment, role="verification_body"),
        Kind("engagement", "data", "party", verifying.engagement, version=DRAFT, role="verification_body"),
        Kind("finding", "data", "party", verifying.finding, version=DRAFT),
        Kind("explanation", "data", "party", verifying.explanation, version=DRAFT),
        Kind("verification_report", "data", "party", judging.verification_report, role="verification_body"),
        Kind("grade", "data", "party", judging.grade, role="log_host"),
        Kind("impact", "data", "party", judging.impact, role="log_host"),
        Kind("chain_event", "register", "registrar", mirroring.chain_event, is_public=True),
        Kind("asset_act", "data", "party", holding.asset_act, role="registrar"),
    )
}


@dataclass(frozen=True, slots=True)
class Content:
    """A content that its kind's schema has admitted."""

    kind: str
    version: int
    subject: str
    stream: str
    interval: Interval | None
    salt: bytes
    body: dict[str, Any]


_envelope = s.record(
    {
        "kind": s.one_of(*KINDS),
        "version": s.integer(0, 999),
        "subject": s.code,
        "stream": s.name,
        "interval": s.nullable(s.interval),
        "salt": s.octets(0, SALT_SIZE),
        "body": s.anything,
    }
)


def build_content(
    kind: str, *, subject: str, stream: str, interval: Interval | None, body: dict[str, Any], salt: bytes
) -> bytes:
    """Return the bytes of a content of `kind`.

    `interval` is half-open, in milliseconds, for kinds that cover time, and None for the others; `salt` is 16
    fresh random bytes, and empty for public kinds; `body` is what the kind's schema admits.

    Raises:
        ContentInvalid: the kind's schema refuses the body, or salt or interval do not fit the kind.
    """
    if kind not in KINDS:
        raise s.refuse("kind", f"{kind[:40]!r} is not in the registry")
    value = {
        "kind": kind,
        "version": KINDS[kind].version,
        "subject": subject,
        "stream": stream,
        "interval": None if interval is None else list(interval),
        "salt": salt,
        "body": body,
    }
    _check(value)
    return cbor.encode(value)


def parse_content(data: bytes) -> Content:
    """Return the content that `data` encodes, checked by its kind's schema.

    Raises:
        ContentInvalid: not deterministic CBOR, not an envelope, or refused by the schema.
    """
    try:
        value = cbor.decode(data, max_size=MAX_CONTENT)
    except EncodingError as error:
        raise s.refuse("content", error.reason) from error
    _check(value)
    start_end = value["interval"]
    return Content(
        value["kind"],
        value["version"],
        value["subject"],
        value["stream"],
        None if start_end is None else (start_end[0], start_end[1]),
        value["salt"],
        value["body"],
    )


def check_content(statement: SignedStatement, data: bytes) -> Content:
    """Return the content of `statement`, if `data` is what it signed and says what its header says.

    Raises:
        ContentInvalid: another digest, or refused by the schema.
        ContentContradictsHeader: kind, version, subject, stream, interval or what they cover differ.
    """
    if hashlib.sha256(data).digest() != statement.payload:
        raise ContentContradictsHeader(
            "content", "is not what the statement signed", "send the very bytes that were signed"
        )
    content, header = parse_content(data), statement.header
    for field in ("kind", "version", "subject", "stream", "interval"):
        if getattr(content, field) != getattr(header, field):
            raise ContentContradictsHeader(
                f"content.{field}",
                "differs from the signed header",
                "sign the statement again from its content",
            )
    return content


def _check(value: Any) -> None:
    _envelope(value, "content")
    kind = KINDS[value["kind"]]
    if value["version"] != kind.version:
        raise s.refuse("content.version", f"not version {kind.version} of {kind.name}")
    if len(value["salt"]) != (0 if kind.is_public else SALT_SIZE):
        raise s.refuse("content.salt", "must be empty for public kinds and 16 bytes otherwise")
    if (value["interval"] is None) == kind.has_interval:
        raise s.refuse("content.interval", "must stand exactly in kinds that cover time")
    kind.schema(value["body"], "content.body")
    if kind.name in {"readings", "corrected_readings"}:
        body = value["body"]
        start, end = readings.span(body if kind.name == "readings" else body["readings"])
        if start < value["interval"][0] or end > value["interval"][1]:
            raise ContentContradictsHeader(
                "content.interval",
                "does not hold all its readings",
                "seal the readings with the window they cover",
            )


__all__ = ["KINDS", "Content", "ContentInvalid", "Kind", "build_content", "check_content", "parse_content"]
