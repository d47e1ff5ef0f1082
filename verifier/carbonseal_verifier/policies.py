"""Step policies: every entry is one that the registration policy in force admits, and which policies held.

A party's policy stands in its register log, which is there whole: its genesis, then each `policy` statement,
judged by the function that the ledger calls. Entries of the register are held to the policy before them.
Across logs the order is that of epochs, and an entry may be on its way while a policy is logged: in the epoch
of a policy and the next one, a data entry is admitted by either. What a policy says of rates is not checked,
since nobody can see what was refused; nor its clock tolerance, since a signer's clock is a claim that the
data code judges (rule `clock-offset`), and ticks are held against the chain by step `times`.
"""

from __future__ import annotations

from collections.abc import Sequence

from carbonseal_attest.errors import IdentityInvalid
from carbonseal_attest.identity.policies import Misfit, PolicyHistory, PolicySpan, RegistrationPolicy
from carbonseal_verifier.case import Case, LogView, PartyKeys, StepFailed, require
from carbonseal_verifier.log_order import LogOrder
from carbonseal_verifier.logged import LoggedStatement
from carbonseal_verifier.wording import counted


def check_policies(case: Case) -> str:
    """Fold every party's policies, and hold every entry of its logs against them."""
    shown = []
    for party in sorted(case.parties.values(), key=lambda one: one.party):
        register, data = (case.logs.get(origin) for origin in (party.register_origin, party.data_origin))
        if register is None or register.section.first:
            raise StepFailed(f"the register log of {party.party}, which has its policy, is not there whole")
        history = _fold(case, party, register)
        _check_register(case, history, register)
        held: Sequence[PolicySpan] = ()
        if data is not None:
            held = _check_data(case, party, history, data)
        if len(history.spans) > 1:
            places = ", ".join(str(span.start - 1) for span in history.spans[1:])
            used = f", of which the data log shows {len(held)}" if data is not None else ""
            shown.append(f"{party.party} under {len(history.spans)} policies (amended at {places}){used}")
    count = len(case.parties)
    parties = counted(count, "party is under its policy", "parties are each under their policy")
    return "; ".join((parties, *shown))


def _fold(case: Case, party: PartyKeys, register: LogView) -> PolicyHistory:
    history = PolicyHistory(party.register_origin, party.party)
    for entry in register.logged:
        content, header = entry.content, entry.statement.header
        if content is None or header.kind not in {"genesis", "policy"}:
            continue
        try:
            if header.kind == "genesis":
                require(entry.index == 0, f"{party.register_origin} has a second genesis")
                history.open(entry.statement.digest, content.body)
                continue
            history.check(
                header.subject,
                content.body,
                log_key=case.log_host.key_for(party.register_origin, entry.index + 1),
                registrar_keys=[case.registrar.key],
                admitted=case.trust.algorithms.last_dates,
            )
            history.apply(entry.index, entry.statement.digest, content.body)
        except IdentityInvalid as error:
            where = f"entry {entry.index} of {party.register_origin}"
            raise StepFailed(f"{where}: {error.field} {error.reason}") from error
    require(bool(history.spans), f"{party.register_origin} does not begin with a policy")
    return history


def _check_register(case: Case, history: PolicyHistory, view: LogView) -> None:
    for entry in view.logged:
        _refuse(entry, _misfit(case, history.at(entry.index), entry))


def _check_data(case: Case, party: PartyKeys, history: PolicyHistory, view: LogView) -> Sequence[PolicySpan]:
    """Hold the entries of a data log against the policies that may have been in force; return those."""
    order, register = LogOrder(case, party.data_origin), LogOrder(case, party.register_origin)
    starts = [0, *(register.epoch_of(span.start - 1) for span in history.spans[1:])]
    held: set[int] = set()
    for entry in view.logged:
        epoch = order.epoch_of(entry.index)
        newest = max(number for number, start in enumerate(starts) if start <= epoch)
        oldest = max(number for number, start in enumerate(starts) if start < epoch - 1 or number == 0)
        candidates = range(newest, oldest - 1, -1)
        misfits = [_misfit(case, history.spans[number].policy, entry) for number in candidates]
        if None not in misfits:
            _refuse(entry, misfits[0])
        held.add(candidates[misfits.index(None)])
        if entry.statement.header.kind == "genesis" and entry.content is not None:
            stated = entry.content.body["policy"]
            known = any(history.spans[number].policy.value == stated for number in candidates)
            require(known, f"the genesis of {party.data_origin} states another policy than the register")
    return [history.spans[number] for number in sorted(held)]


def _misfit(case: Case, policy: RegistrationPolicy, entry: LoggedStatement) -> Misfit | None:
    content = case.bundle.contents.get(entry.statement.payload)
    return policy.misfit(
        entry.statement.header,
        statement_bytes=len(entry.statement.raw),
        content_bytes=None if content is None else len(content),
        registered_by=None,
    )


def _refuse(entry: LoggedStatement, misfit: Misfit | None) -> None:
    if misfit is not None:
        where = f"entry {entry.index} of {entry.statement.header.origin}, {entry.statement.header.kind}"
        raise StepFailed(f"{where}: {misfit.field}: {misfit.reason}, which its policy does not admit")
