"""Step parties: from the registrar key in the trust file to the parties, their roles, logs and keys.

A role counts only through this chain. Each log's genesis must be signed by its party and endorsed by the log
host's key and the registrar's key of the trust file; the registrar's register log must admit the party. What
`party`, `device` and `resume` statements may say `carbonseal_attest.identity` decides, as in the ledger.
"""

from __future__ import annotations

from typing import Any

from carbonseal_attest.contents import Content
from carbonseal_attest.endorsement import verify_endorsement
from carbonseal_attest.identity.devices import DeviceKey, DeviceKeys
from carbonseal_attest.identity.parties import PartyBook, PartyRecord
from carbonseal_attest.identity.streams import check_resume
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.trust import TrustedLogHost, TrustedRegistrar
from carbonseal_verifier.case import Case, LogView, PartyKeys, StepFailed, require
from carbonseal_verifier.wording import counted


def check_parties(case: Case) -> str:
    """Establish registrar, log host, operator and the operator's device keys."""
    bundle, trust = case.bundle, case.trust
    case.registrar = _find_registrar(trust.registrars, bundle.registrar)
    hosts = [host for host in trust.log_hosts if host.party == bundle.log_host]
    require(len(hosts) == 1, f"the trust file names no log host {bundle.log_host}")
    case.log_host = hosts[0]
    register = case.logs.get(case.registrar.register_origin)
    if register is None or register.section.first:
        raise StepFailed(f"the registrar's register log {case.registrar.register_origin} is not there whole")
    records = register_records(case, register)
    case.parties = {}
    for origin, view in case.logs.items():
        require(origin.startswith(case.log_host.origin_prefix), f"{origin} is not a log of {bundle.log_host}")
        party = _party_of(case, origin, records)
        if view.section.first == 0:
            _check_genesis(case, view.statements[0], party)
    for code, role in ((bundle.operator, "enterprise"), (bundle.log_host, "log_host")):
        require(code in records, f"the registrar has not admitted {code}")
        require(records[code].status == "admitted", f"the registrar has {records[code].status} {code}")
        require(role in records[code].roles, f"the registrar has not admitted {code} as {role}")
    case.operator = case.parties.get(bundle.operator) or _missing(bundle.operator)
    for origin in (case.operator.register_origin, case.operator.data_origin):
        require(origin in case.logs, f"the log {origin} is not in the bundle")
    require(case.operator_register().section.first == 0, "the operator's register log is not there whole")
    _check_log_of_logs_genesis(case)
    case.devices = _devices(case)
    _check_independence(case)
    names = ", ".join(sorted(case.parties))
    shown = f"registrar {bundle.registrar} admits {names}; {counted(len(case.devices), 'device key')}"
    return shown + _changes(case)


def _changes(case: Case) -> str:
    """Say which keys changed: a device's key that no predecessor vouches for rests on the party alone."""
    keys = case.devices.values()
    rotated = sum(key.predecessor is not None for key in keys)
    replaced = sorted(key.device for key in keys if key.is_replacement)
    parties = sorted(
        p.party for p in case.parties.values() if p.record is not None and len(p.record.keys) > 1
    )
    shown = f", {rotated} rotated to by the key before" if rotated else ""
    if replaced:
        shown += f", {len(replaced)} in place of a lost or revoked key, on the party's word ({replaced[0]}"
        shown += ", …)" if len(replaced) > 1 else ")"
    if parties:
        shown += f"; party key rotated: {', '.join(parties)}"
    return shown


def _check_independence(case: Case) -> None:
    """See that whoever vouches is somebody else: no key of operator or device, no log its own witness."""
    own, signer = set(case.operator.keys) | set(case.devices), case.trust.signed_by
    require(
        signer is None or signer.kid not in own,
        "the trust file is signed by the party that is checked: it was made by the enterprise",
    )
    log_keys = {row.key.kid for row in case.log_host.keys}
    require(case.registrar.key.kid not in own, "the registrar's key is a key of the party that is checked")
    require(not log_keys & own, "the log's own key is a key of the party that is checked")
    for name, vkey in case.trust.witnesses.policy.witnesses.items():
        require(vkey.key.kid not in own, f"witness {name}'s key is a key of the party that is checked")
        require(vkey.key.kid not in log_keys, f"witness {name}'s key is the log's own")


def _find_registrar(registrars: tuple[TrustedRegistrar, ...], party: str) -> TrustedRegistrar:
    found = [r for r in registrars if r.party == party]
    require(len(found) == 1, f"the trust file names no registrar {party}")
    return found[0]


def _missing(party: str) -> PartyKeys:
    raise StepFailed(f"the bundle carries no log of {party}")


def register_records(case: Case, register: LogView) -> dict[str, PartyRecord]:
    """Return the parties that the registrar's `party` statements make, each checked as the ledger does."""
    book = PartyBook(case.registrar.party, case.trust.algorithms.last_dates)
    for index, statement in enumerate(register.statements):
        if statement.header.kind == "party":
            body = _disclosed(case, statement).body
            book.check(statement.header.subject, body)
            book.apply(index, body)
    return book.records


def _party_of(case: Case, origin: str, records: dict[str, PartyRecord]) -> PartyKeys:
    registrar = case.registrar
    if origin == registrar.register_origin:
        keys = {registrar.key.kid: registrar.key}
        own = records.get(registrar.party)
        data_origin = "" if own is None else own.data_origin
        party = PartyKeys(registrar.party, frozenset({"registrar"}), origin, data_origin, keys, None)
    else:
        record = next((r for r in records.values() if origin in (r.register_origin, r.data_origin)), None)
        if record is None:
            raise StepFailed(f"{origin} is the log of no party that the registrar admits")
        keys = {span.key.kid: span.key for span in record.keys}
        origins = record.register_origin, record.data_origin
        party = PartyKeys(record.party, record.roles, *origins, keys, record)
    return case.parties.setdefault(party.party, party)


def _check_genesis(case: Case, statement: SignedStatement, party: PartyKeys) -> None:
    header, origin = statement.header, statement.header.origin
    require(header.kind == "genesis" and header.sequence == 0, f"{origin} does not begin with a genesis")
    body = _disclosed(case, statement).body
    key = PublicKey.from_cose_key(body["party_key"])
    require(
        body["origin"] == origin and body["party"] == party.party,
        f"the genesis of {origin} names another log",
    )
    # The genesis is where a party shows that it holds the key that the registrar admitted first.
    is_own = key.kid in party.keys
    if party.record is not None and origin == party.register_origin:
        is_own = key.kid == party.record.keys[0].key.kid
    require(is_own, f"the genesis of {origin} names another party key than its admission")
    _check_host(case.log_host, origin, body)
    statement.verify_signature(key, admitted=case.trust.algorithms.last_dates)
    host_key, admitted = case.log_host.key_for(origin, 1), case.trust.algorithms.last_dates
    verify_endorsement("genesis", header.subject, "log_host", body, host_key, admitted=admitted)
    verify_endorsement("genesis", header.subject, "registrar", body, case.registrar.key, admitted=admitted)
    _check_chain(case, origin, body["chain"])


def _check_chain(case: Case, origin: str, chain: dict[str, Any] | None) -> None:
    """See that a genesis names contract and head key as some chain profile of the trust file does."""
    known = [one for one in case.trust.chains if chain is not None and one.chain_id == chain["chain_id"]]
    if chain is None or not known:
        return
    same = [one for one in known if one.contract == chain["contract"]]
    require(bool(same), f"the genesis of {origin} names another contract")
    keys = {key.address for one in same for key in one.head_keys}
    require(chain["head_key"] in keys, f"the genesis of {origin} names another head key")


def _check_host(host: TrustedLogHost, origin: str, body: dict[str, Any]) -> None:
    log_key = PublicKey.from_cose_key(body["log_key"])
    holds = (
        body["log_host"] == host.party
        and body["log_of_logs"] == host.log_of_logs
        and log_key.kid == host.key_for(origin, 1).kid
    )
    require(holds, f"the genesis of {origin} names another log host, log key or log of logs")


def _check_log_of_logs_genesis(case: Case) -> None:
    statement = SignedStatement.parse(case.bundle.log_of_logs_entries[0])
    header, host = statement.header, case.log_host
    require(
        header.kind == "genesis" and header.origin == host.log_of_logs and header.issuer == host.party,
        "the log of logs does not begin with the log host's genesis",
    )
    body = _disclosed(case, statement).body
    require(
        body["origin"] == host.log_of_logs and body["party"] == host.party, "the log of logs is another's"
    )
    _check_host(host, host.log_of_logs, body)
    party_key = PublicKey.from_cose_key(body["party_key"])
    statement.verify_signature(party_key, admitted=case.trust.algorithms.last_dates)
    key = host.key_for(host.log_of_logs, 1)
    admitted = case.trust.algorithms.last_dates
    verify_endorsement("genesis", header.subject, "log_host", body, key, admitted=admitted)
    verify_endorsement("genesis", header.subject, "registrar", body, case.registrar.key, admitted=admitted)


def _devices(case: Case) -> dict[bytes, DeviceKey]:
    """Return the operator's device keys, each statement checked as the ledger checks it before it admits."""
    folded = DeviceKeys(case.operator.party, case.trust.algorithms.last_dates)
    for at, statement in enumerate(case.operator_register().statements):
        kind, subject = statement.header.kind, statement.header.subject
        if kind == "device":
            body = _disclosed(case, statement).body
            kid = PublicKey.from_cose_key(body["key"]).kid
            require(kid not in case.operator.keys, f"device statement {at} names the party's own key")
            folded.check(subject, body)
            folded.apply(at, body)
        elif kind == "resume":
            check_resume(subject, _disclosed(case, statement).body, folded)
    return folded.keys


def _disclosed(case: Case, statement: SignedStatement) -> Content:
    content = case.content(statement)
    if content is None:
        header = statement.header
        raise StepFailed(
            f"the content of the {header.kind} statement in {header.origin} is withheld; it must be there"
        )
    return content
