"""What two operators decided about a ledger that refuses to run: a `recovery` content's body, signed twice.

Both sign one and the same body with keys of their own (`endorsement`), each in the role of its place in
`operators`; order does not matter. A decision names the head that is believed and ends at an instant, so that
it can neither be used on another history nor kept in a drawer. `docs/spec/log.md`, Recovery by two persons,
is the normative text. What an act does is the ledger's; who the operators are, the reader's to say.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any, Final

from carbonseal_attest.algorithms import ADMITTED
from carbonseal_attest.contents.upkeep import recovery
from carbonseal_attest.endorsement import endorse, verify_endorsement
from carbonseal_attest.errors import DecisionInvalid
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import Signer

KIND: Final = "recovery"
ROLES: Final = ("first_operator", "second_operator")
LONGEST_MS: Final = 7 * 86_400_000  # from the decision to its end


def approve(signer: Signer, host: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return `body` with the endorsement of one of its operators added, or made anew.

    Args:
        signer: of an operator whom the body names.
        host: party code of the log host.
        body: of a recovery content; its `endorsements` may still lack one or both.

    Raises:
        DecisionInvalid: the signer is none of the two operators.
    """
    role = ROLES[_place(signer.public, body)]
    others = [e for e in body["endorsements"] if e["role"] != role]
    made = [*others, endorse(signer, KIND, host, role, body)]
    return {**body, "endorsements": sorted(made, key=lambda e: ROLES.index(e["role"]))}


def check_decision(
    body: Mapping[str, Any],
    host: str,
    operators: Sequence[PublicKey],
    *,
    admitted: Container[int] = ADMITTED,
) -> None:
    """Check that two different ones of `operators` signed this body, and that its form is whole.

    Raises:
        ContentInvalid: the schema refuses it.
        DecisionInvalid: one key twice, a key that is no operator's, or an end too far off.
        SignatureInvalid, CoseInvalid, AlgorithmRefused: an endorsement is missing or does not verify.
    """
    recovery(dict(body), "decision")
    keys = [PublicKey.from_cose_key(key) for key in body["operators"]]
    known = {key.kid for key in operators}
    if keys[0].kid == keys[1].kid:
        raise _refusal("operators", "names one key twice", "have another person decide too")
    for key in keys:
        if key.kid not in known:
            raise _refusal(
                "operators", f"{key.kid.hex()[:16]} is no operator's key here", "name it in the settings"
            )
    if not body["decided_at"] < body["until"] <= body["decided_at"] + LONGEST_MS:
        raise _refusal("until", "does not lie within seven days of the decision", "decide it again")
    if (body["view"] is None) != (body["act"] != "start_without"):
        raise _refusal("view", "stands exactly in start_without", "decide it again")
    for role, key in zip(ROLES, keys, strict=True):
        verify_endorsement(KIND, host, role, body, key, admitted=admitted)


def _place(key: PublicKey, body: Mapping[str, Any]) -> int:
    for place, named in enumerate(body["operators"]):
        if PublicKey.from_cose_key(named).kid == key.kid:
            return place
    raise _refusal("operators", "the decision does not name this key", "propose it with this operator's key")


def _refusal(field: str, reason: str, remedy: str) -> DecisionInvalid:
    return DecisionInvalid(f"decision.{field}", reason, remedy)
