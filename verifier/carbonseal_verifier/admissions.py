"""Who is who by the registrar's register: whose key it is, in which roles, and who is independent of whom.

Pure: `party` bodies in log order in, facts out. The verifier reads them from a bundle, the service from its
own log, so that both decide alike. Left out: whether the register is whole and signed; the check shows that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from carbonseal_attest.keys import PublicKey
from carbonseal_verifier.case import Case
from carbonseal_verifier.errors import OpinionRefused
from carbonseal_verifier.quality.inputs import disclosed

ROLE: Final = "verification_body"


@dataclass(frozen=True, slots=True)
class PartyFacts:
    """A party as one statement of the registrar has it."""

    party: str
    status: str
    roles: frozenset[str]
    key: PublicKey
    register_origin: str
    data_origin: str
    name: Mapping[str, str]
    org: str | None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> PartyFacts:
        """Return the facts of a `party` statement's body."""
        return cls(
            body["party"],
            body["status"],
            frozenset(body["roles"]),
            PublicKey.from_cose_key(body["key"]),
            body["register_origin"],
            body["data_origin"],
            dict(body["name"]),
            body["org"],
        )


@dataclass(frozen=True, slots=True)
class Admissions:
    """Every statement of one registrar about parties, in log order."""

    history: list[PartyFacts] = field(default_factory=list)

    @classmethod
    def of(cls, bodies: Iterable[Mapping[str, Any]]) -> Admissions:
        """Return the admissions that these bodies of `party` statements make."""
        return cls([PartyFacts.of(body) for body in bodies])

    def newest(self, party: str) -> PartyFacts | None:
        """Return the newest statement about a party, None if there is none."""
        return next((facts for facts in reversed(self.history) if facts.party == party), None)

    def body_of(self, kid: bytes, *, is_logged: bool = False) -> PartyFacts:
        """Return the verification body whose key this is now.

        Args:
            kid: of the key.
            is_logged: what it signed stands in the body's log, which admits no key before or after its time:
                then a key that was rotated since counts as well.

        Raises:
            OpinionRefused: no party has this key, or it is not admitted as a verification body.
        """
        codes = {facts.party for facts in self.history if facts.key.kid == kid}
        newest = [facts for code in sorted(codes) if (facts := self.newest(code))]
        found = [facts for facts in newest if is_logged or facts.key.kid == kid]
        if len(found) != 1:
            raise OpinionRefused(
                "key",
                f"the registrar has admitted {'no' if not found else 'more than one'} party with "
                f"key {kid.hex()[:16]}",
                "have the registrar admit the verification body with this key",
            )
        (facts,) = found
        if facts.status != "admitted" or ROLE not in facts.roles:
            state = (
                facts.status
                if facts.status != "admitted"
                else f"admitted as {', '.join(sorted(facts.roles))}"
            )
            raise OpinionRefused(
                "role", f"{facts.party} is {state}, not admitted as {ROLE}", "ask the registrar for the role"
            )
        return facts

    def check_independent(self, body: str, operator: str, *, kids: Collection[bytes] = ()) -> None:
        """Refuse a body that is, or ever was, one with the enterprise: by party, credit code or key.

        `kids` are further keys of the enterprise, those of its devices.

        Raises:
            OpinionRefused: they share something; it is named.
        """
        if body == operator:
            raise _dependent("party", f"{body} is the party whose report this is")
        own, other = self._shared(body), self._shared(operator)
        if own[0] & (other[0] | set(kids)):
            raise _dependent("key", f"{body} and {operator} have, or had, one key")
        if own[1] & other[1]:
            raise _dependent("org", f"{body} and {operator} have, or had, one credit code")

    def _shared(self, party: str) -> tuple[set[bytes], set[str]]:
        """Return every key and credit code that the registrar ever named for a party."""
        facts = [facts for facts in self.history if facts.party == party]
        return {one.key.kid for one in facts}, {one.org for one in facts if one.org is not None}


def admissions_in(case: Case) -> Admissions:
    """Return what the registrar's register in a bundle says; its contents have been checked."""
    entries = case.logs[case.registrar.register_origin].logged
    return Admissions.of(content.body for _, content in disclosed(entries, "party"))


def check_independence_in(case: Case, body: PartyFacts) -> None:
    """Refuse a body that shares party, credit code or any key with the bundle's operator.

    Raises:
        OpinionRefused: they share something.
    """
    admissions_in(case).check_independent(body.party, case.operator.party, kids=set(case.devices))


def _dependent(field_name: str, reason: str) -> OpinionRefused:
    return OpinionRefused(field_name, reason, "have an independent verification body give the opinion")
