"""Parties of one registrar, folded out of its register log: admitted, suspended, removed, with which key.

`docs/spec/identity.md` has the rules. A party shows that it holds its first key by signing the genesis of
its register log, or by an endorsement in the `party` statement; a later key is endorsed by the old one and
by itself, and the registrar signs. The old key counts before that entry, the new one after. Which legal
person a party is stands in the statement alone: codes are made from keys, because a code made from a credit
code could be found by trying all of them.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Any

from carbonseal_attest.algorithms import ADMITTED
from carbonseal_attest.endorsement import verify_endorsement
from carbonseal_attest.errors import AttestError, IdentityInvalid
from carbonseal_attest.keys import PublicKey


@dataclass(frozen=True, slots=True)
class KeySpan:
    """A party key and the entries of the registrar's register between which it counts: [start, end)."""

    key: PublicKey
    start: int
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """A suspension or removal: from entry `start` of the registrar's register on, until entry `end`."""

    status: str
    start: int
    end: int | None = None


@dataclass(frozen=True, slots=True)
class PartyRecord:
    """A party as the registrar's statements have it; `keys`, `pauses` and `terms` stand in log order.

    `terms` holds the roles that each statement named, from that entry on until the next one's.
    """

    party: str
    status: str
    roles: frozenset[str]
    register_origin: str
    data_origin: str
    name: Mapping[str, str]
    org: str | None
    keys: tuple[KeySpan, ...]
    pauses: tuple[Pause, ...] = ()
    terms: tuple[tuple[int, frozenset[str]], ...] = ()

    @property
    def key(self) -> PublicKey:
        """The key that counts now."""
        return self.keys[-1].key

    def holds(self, kid: bytes) -> KeySpan | None:
        """Return the span of a key that is or was this party's."""
        return next((span for span in self.keys if span.key.kid == kid), None)


class PartyBook:
    """The parties of one registrar after some entries of its register log.

    `admitted` are the algorithms under which a proof of possession counts.
    """

    def __init__(self, registrar: str, admitted: Container[int] = ADMITTED) -> None:
        self.registrar = registrar
        self.admitted = admitted
        self.records: dict[str, PartyRecord] = {}

    def copy(self) -> PartyBook:
        """Return a copy that further statements may be tried on."""
        made = PartyBook(self.registrar, self.admitted)
        made.records = dict(self.records)
        return made

    def by_org(self, org: str) -> list[PartyRecord]:
        """Return the parties, not removed, of the legal person `org` (credit code or LEI), by code."""
        found = (r for r in self.records.values() if r.org == org and r.status != "removed")
        return sorted(found, key=lambda record: record.party)

    def check(self, subject: str, body: Mapping[str, Any]) -> None:
        """Check that a `party` statement may follow what the register says so far.

        Raises:
            IdentityInvalid: about another party, other logs than before, or another key without both proofs.
        """
        party, key, standing = (
            body["party"],
            PublicKey.from_cose_key(body["key"]),
            self.records.get(body["party"]),
        )
        roles = sorted(e["role"] for e in body["endorsements"])
        if subject != party:
            raise _refusal("header.subject", "is not the party", "sign with the party as subject")
        origins = (body["register_origin"], body["data_origin"])
        if standing is None:
            self._check_first(party, origins, roles)
        elif origins != (standing.register_origin, standing.data_origin):
            raise _refusal("content.body.register_origin", "are not the party's logs", "keep both origins")
        elif key.kid == standing.key.kid:
            if roles:
                raise _refusal("content.body.endorsements", "the key stays", "leave them empty")
        else:
            self._check_rotation(standing, key, roles)
            self._check_endorsed(
                body, "predecessor", standing.key, "the old key does not vouch for the new one"
            )
        if "party" in roles:
            self._check_endorsed(body, "party", key, "no proof that the party holds the key")

    def _check_endorsed(self, body: Mapping[str, Any], role: str, key: PublicKey, what: str) -> None:
        try:
            verify_endorsement("party", body["party"], role, body, key, admitted=self.admitted)
        except AttestError as error:
            remedy = "have that key endorse this very body"
            raise _refusal("content.body.endorsements", f"{what} ({error.reason})", remedy) from error

    def _check_first(self, party: str, origins: tuple[str, str], roles: list[str]) -> None:
        taken = {o for r in self.records.values() for o in (r.register_origin, r.data_origin)}
        if taken & set(origins) or origins[0] == origins[1]:
            raise _refusal(
                "content.body.register_origin", "are another party's logs", f"name those of {party}"
            )
        if roles not in ([], ["party"]):
            raise _refusal("content.body.endorsements", "a first key has no predecessor", "leave it out")

    def _check_rotation(self, standing: PartyRecord, key: PublicKey, roles: list[str]) -> None:
        if standing.party == self.registrar:
            raise _refusal(
                "content.body.key",
                "the registrar's key stands in trust files",
                "publish a trust file with the new key instead",
            )
        if standing.holds(key.kid) is not None:
            raise _refusal("content.body.key", "was this party's before", "make a new key pair")
        if roles != ["party", "predecessor"]:
            raise _refusal(
                "content.body.endorsements",
                "another key needs the old key's word and its own",
                "endorse as predecessor with the old key and as party with the new one; if the old key is"
                " lost, remove the party and admit a new one whose logs name these as predecessors",
            )

    def apply(self, index: int, body: Mapping[str, Any]) -> None:
        """Add entry `index` of the register log, a `party` statement that `check` has let pass."""
        key, standing = PublicKey.from_cose_key(body["key"]), self.records.get(body["party"])
        keys = (KeySpan(key, index),) if standing is None else standing.keys
        if standing is not None and key.kid != standing.key.kid:
            keys = (*keys[:-1], replace(keys[-1], end=index), KeySpan(key, index))
        pauses = () if standing is None else standing.pauses
        if pauses and pauses[-1].end is None:
            pauses = (*pauses[:-1], replace(pauses[-1], end=index))
        if body["status"] != "admitted":
            pauses = (*pauses, Pause(body["status"], index))
        self.records[body["party"]] = PartyRecord(
            body["party"],
            body["status"],
            frozenset(body["roles"]),
            body["register_origin"],
            body["data_origin"],
            dict(body["name"]),
            body["org"],
            keys,
            pauses,
            (*(() if standing is None else standing.terms), (index, frozenset(body["roles"]))),
        )


def _refusal(field: str, reason: str, remedy: str) -> IdentityInvalid:
    return IdentityInvalid(field, reason, remedy)
