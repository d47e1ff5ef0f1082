"""Step signatures: every statement by a key that was admitted at its log position, for what it may sign.

Order across logs is that of epochs: an enrolment must lie in no later epoch than what the key signed, and
nothing beyond a withdrawal's last statement may lie in a later epoch than the withdrawal. Within one epoch
the order is not known; what lies beyond a withdrawal there turns the data code red (rule `withdrawn-key`).
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from carbonseal_attest.contents import KINDS
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.case import Case, LogView, PartyKeys, StepFailed, require
from carbonseal_verifier.device_keys import DeviceKey
from carbonseal_verifier.wording import counted

PROGRESS_EVERY: Final = 5000


def check_signatures(case: Case) -> str:
    """Verify every statement's signature under the key that may have made it."""
    owners = {}
    for party in case.parties.values():
        owners[party.register_origin] = owners[party.data_origin] = party
    count = 0
    register_epochs = _Epochs(case, case.operator.register_origin)
    for origin, view in case.logs.items():
        party, epochs = owners[origin], _Epochs(case, origin)
        for index, statement in enumerate(view.statements, view.section.first):
            key = _admitted_key(case, party, statement, index)
            if isinstance(key, DeviceKey):
                _check_device(key, statement, epochs.of(index), register_epochs)
                key = key.key
            try:
                statement.verify_signature(key)
            except CarbonsealError as error:
                raise StepFailed(f"entry {index} of {origin}: {error.reason}") from error
            require(statement.header.algorithm in case.trust.algorithms, "an algorithm the trust file lacks")
            count += 1
            if count % PROGRESS_EVERY == 0:
                case.progress(f"{count} signatures")
    _check_last_statements(case.operator_data(), case.devices)
    return f"{counted(count, 'statement')}, each by a key admitted and not withdrawn at its place"


class _Epochs:
    """The first epoch that covers an entry of a log, by the bundle's map proofs (proved in step epochs)."""

    def __init__(self, case: Case, origin: str) -> None:
        proofs = case.bundle.maps.get(origin, {})
        self._numbers = sorted(proofs)
        self._sizes = [proofs[number].entry.tree_size for number in self._numbers]
        require(self._sizes == sorted(self._sizes), f"the heads of {origin} shrink between epochs")

    def of(self, index: int) -> int:
        """Return the epoch of entry `index`; beyond the last one, the next."""
        position = bisect_right(self._sizes, index)
        if position < len(self._numbers):
            return self._numbers[position]
        return (self._numbers[-1] if self._numbers else 0) + 1


def _admitted_key(
    case: Case, party: PartyKeys, statement: SignedStatement, index: int
) -> PublicKey | DeviceKey:
    header = statement.header
    where = f"entry {index} of {header.origin}"
    kind = KINDS.get(header.kind)
    if kind is None or header.version != kind.version:
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


def _check_device(key: DeviceKey, statement: SignedStatement, epoch: int, register: _Epochs) -> None:
    header = statement.header
    where = f"number {header.sequence} of {header.stream}"
    require(
        register.of(key.enrolled) <= epoch, f"{where}: signed by a key of {key.device} before its enrolment"
    )
    for withdrawal in key.withdrawals:
        # A key that was admitted again counts from then on; what it signed meanwhile does not.
        is_before = epoch <= register.of(withdrawal.index)
        is_after = withdrawal.ended is not None and epoch >= register.of(withdrawal.ended)
        require(
            is_before or is_after or not withdrawal.covers(header),
            f"{where}: signed by a key of {key.device} after it was {withdrawal.status}",
        )


def _check_last_statements(data: LogView, devices: dict[bytes, DeviceKey]) -> None:
    """See that a withdrawal names the very statement that stands at its place."""
    named = {
        (kid, stream, sequence): digest
        for kid, key in devices.items()
        for withdrawal in key.withdrawals[-1:]
        for stream, (sequence, digest) in withdrawal.last.items()
    }
    for statement in data.statements if named else ():
        header = statement.header
        expected = named.get((header.kid, header.stream, header.sequence))
        require(
            expected is None or expected == statement.digest,
            f"number {header.sequence} of {header.stream} is not the one that the key's withdrawal names",
        )
