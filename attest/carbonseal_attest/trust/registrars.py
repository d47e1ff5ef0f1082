"""Registrars of a trust file, whose admissions count: every role rests on a chain to one of them."""

from __future__ import annotations

from dataclasses import dataclass

from carbonseal_attest.identifiers import check_code, check_origin
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.trust.tables import Table, refusal


@dataclass(frozen=True, slots=True)
class TrustedRegistrar:
    """A registrar whose admissions count, with the key of its register log."""

    party: str
    register_origin: str
    key: PublicKey

    @classmethod
    def read(cls, table: Table) -> TrustedRegistrar:
        """Return the registrar of a table."""
        party, origin = table.named("party", check_code), table.named("register_origin", check_origin)
        result = cls(party, origin, table.public_key("key"))
        table.close()
        return result

    def lines(self) -> list[str]:
        """Return the TOML lines."""
        return [
            "[[registrar]]",
            f'party = "{self.party}"',
            f'register_origin = "{self.register_origin}"',
            f'key = "{self.key.text()}"',
            "",
        ]


def check_registrars(registrars: tuple[TrustedRegistrar, ...]) -> None:
    """Refuse a file that trusts nobody, or names one registrar twice."""
    parties = [registrar.party for registrar in registrars]
    if not parties or len(set(parties)) != len(parties):
        raise refusal("registrar", "none is named, or one stands twice")
