"""Step signatures: every statement by a key that was admitted at its log position, for what it may sign.

Order across logs is that of epochs: an admission or enrolment must lie in no later epoch than what the key
signed, and nothing beyond a withdrawal's last statement, and nothing by a party key that was replaced or of a
party that was suspended, may lie in a later epoch than that. Within one epoch the order is not known; what a
device key signed beyond its withdrawal there turns the data code red (rule `withdrawn-key`). A device key's
effective times are held against the interval and against the tick that bounds the registration.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from carbonseal_attest.contents import KINDS
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.identity.devices import DeviceKey
from carbonseal_attest.identity.parties import PartyRecord
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.case import Case, LogView, PartyKeys, StepFailed, require
from carbonseal_verifier.log_handovers import check_handovers
from carbonseal_verifier.log_order import LogOrder
from carbonseal_verifier.tick_timeline import TickTimeline
from carbonseal_verifier.wording import counted

PROGRESS_EVERY: Final = 5000
Places = Mapping[tuple[bytes, str, int], bytes]  # key id, stream, sequence: statement digest


def check_signatures(case: Case) -> str:
    """Verify every statement's signature under the key that may have made it."""
    owners = {}
    for party in case.parties.values():
        owners[party.register_origin] = owners[party.data_origin] = party
    count = 0
    enrolments = LogOrder(case, case.operator.register_origin)
    places = _places(case.operator_data())
    admissions = LogOrder(case, case.registrar.register_origin)
    for origin, view in case.logs.items():
        party, order = owners[origin], LogOrder(case, origin)
        is_limited = any(
            key.valid_from is not None or key.expires is not None for key in case.devices.values()
        )
        timeline = _timeline(case, view) if is_limited and party is case.operator else TickTimeline((), ())
        for index, statement in enumerate(view.statements, view.section.first):
            key, epoch = _admitted_key(case, party, statement, index), order.epoch_of(index)
            if KINDS[statement.header.kind].signer != "log_host" and party.record is not None:
                _check_party(party.record, statement, index, epoch, admissions)
            if isinstance(key, DeviceKey):
                _check_device(key, statement, epoch, enrolments, places)
                try:
                    key.check_times(statement.header.interval, timeline.registered_by(index))
                except CarbonsealError as error:
                    raise StepFailed(f"entry {index} of {origin}: {error.reason}") from error
                key = key.key
            try:
                statement.verify_signature(key, admitted=case.trust.algorithms.last_dates)
            except CarbonsealError as error:
                raise StepFailed(f"entry {index} of {origin}: {error.reason}") from error
            count += 1
            if count % PROGRESS_EVERY == 0:
                case.progress(f"{count} signatures")
    _check_last_statements(places, case.devices)
    check_handovers(case)
    return f"{counted(count, 'statement')}, each by a key admitted and not withdrawn at its place"


def _timeline(case: Case, view: LogView) -> TickTimeline:
    """Return the ticks of a log; a tick that is withheld bounds nothing, and step contents refuses it."""
    ticks = []
    for index, statement in enumerate(view.statements, view.section.first):
        if statement.header.kind == "tick":
            content = case.content(statement)
            if content is not None:
                ticks.append((index, content.body["at"]))
    return TickTimeline.of(ticks)


def _admitted_key(
    case: Case, party: PartyKeys, statement: SignedStatement, index: int
) -> PublicKey | DeviceKey:
    header = statement.header
    where = f"entry {index} of {header.origin}"
    kind = KINDS.get(header.kind)
    if kind is None or header.version != kind.version or kind.is_draft:
        raise StepFailed(f"{where}: kind {header.kind} v{header.version} is not in the registry")
    log = "register" if header.origin == party.register_origin else "data"
    require(kind.log in {"any", log}, f"{where}: the {header.kind} statement does not belong in a {log} log")
    if kind.signer == "log_host":
        key = case.log_host.key_for(header.origin, index + 1)
        require(header.kid == key.kid, f"{where}: the {header.kind} statement is not signed by the log host")
        return key
    device = case.devices.get(header.kid) if party is case.operator else None
    if header.kid in party.keys and (kind.signer != "device" or header.kind == "void"):
        require(
            kind.signer != "registrar" or header.origin == case.registrar.register_origin,
            f"{where}: only the registrar signs {header.kind} statements",
        )
        require(header.issuer == party.party, f"{where}: issued in another party's name")
        return party.keys[header.kid]
    if device is not None and kind.signer == "device":
        require(header.issuer in {party.party, device.device}, f"{where}: issued in another's name")
        require(
            header.subject in device.subjects,
            f"{where}: {device.device} is not enrolled to sign for {header.subject}",
        )
        return device
    raise StepFailed(
        f"{where}: the {header.kind} statement is signed by key {header.kid.hex()[:16]}, "
        "which is not admitted for it"
    )


def _check_party(
    record: PartyRecord, statement: SignedStatement, index: int, epoch: int, admissions: LogOrder
) -> None:
    """See that the party was admitted at that place, and with that key where it signed itself."""
    where = f"entry {index} of {statement.header.origin}"
    if statement.header.kind == "genesis" and record.holds(statement.header.kid) == record.keys[0]:
        return  # a register log is opened before its party is admitted, or after
    require(
        admissions.epoch_of(record.keys[0].start) <= epoch,
        f"{where}: logged before {record.party} was admitted",
    )
    role = KINDS[statement.header.kind].role
    require(
        role is None or _had_role(record, role, epoch, admissions),
        f"{where}: only a party admitted as {role} writes {statement.header.kind}",
    )
    for pause in record.pauses:
        is_before = epoch <= admissions.epoch_of(pause.start)
        is_after = pause.end is not None and epoch >= admissions.epoch_of(pause.end)
        require(is_before or is_after, f"{where}: logged after {record.party} was {pause.status}")
    span = record.holds(statement.header.kid)
    if span is None:
        return
    require(
        admissions.epoch_of(span.start) <= epoch,
        f"{where}: signed by a key of {record.party} before the registrar admitted it",
    )
    require(
        span.end is None or epoch <= admissions.epoch_of(span.end),
        f"{where}: signed by a key of {record.party} after it was rotated",
    )


def _had_role(record: PartyRecord, role: str, epoch: int, admissions: LogOrder) -> bool:
    """Whether a party may have had a role in an epoch: from a statement that names it until the next one."""
    starts = [admissions.epoch_of(index) for index, _ in record.terms]
    spans = zip(record.terms, starts, [*starts[1:], epoch], strict=True)
    return any(role in roles and start <= epoch <= end for (_, roles), start, end in spans)


def _places(data: LogView) -> Places:
    """Return the statements of a data log by their places in streams."""
    headers = ((statement.header, statement.digest) for statement in data.statements)
    return {(header.kid, header.stream, header.sequence): digest for header, digest in headers}


def _check_device(
    key: DeviceKey, statement: SignedStatement, epoch: int, enrolments: LogOrder, places: Places
) -> None:
    header = statement.header
    where = f"number {header.sequence} of {header.stream}"
    require(
        enrolments.epoch_of(key.enrolled) <= epoch,
        f"{where}: signed by a key of {key.device} before its enrolment",
    )
    for withdrawal in key.withdrawals:
        # A key that was admitted again counts from then on; what it signed meanwhile does not.
        is_before = epoch <= enrolments.epoch_of(withdrawal.index)
        is_after = withdrawal.ended is not None and epoch >= enrolments.epoch_of(withdrawal.ended)
        if is_before or is_after:
            continue
        require(
            not withdrawal.covers(header),
            f"{where}: signed by a key of {key.device} after it was {withdrawal.status}",
        )
        # Whoever stole the key could begin what was left to deliver, and stop before the named statement.
        sequence, _ = withdrawal.last[header.stream]
        require(
            (header.kid, header.stream, sequence) in places,
            f"{where}: delivered after a key of {key.device} was {withdrawal.status}, and the stream does "
            "not reach the statement that the withdrawal names",
        )


def _check_last_statements(places: Places, devices: dict[bytes, DeviceKey]) -> None:
    """See that a withdrawal names the very statement that stands at its place."""
    for kid, key in devices.items():
        for withdrawal in key.withdrawals:
            for stream, (sequence, digest) in withdrawal.last.items():
                require(
                    places.get((kid, stream, sequence), digest) == digest,
                    f"number {sequence} of {stream} is not the one that the key's withdrawal names",
                )
