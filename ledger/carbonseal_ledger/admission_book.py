"""Keeps the registers of all parties in memory, up to date with the stored register logs before each use.

The logs stay the source of truth: this is a projection that is dropped with the process. Contents that were
erased, or do not parse any more, are passed over, which can only withhold rights and never give them;
`log_audit` reports them.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Container, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, text

from carbonseal_attest.contents import KINDS, check_content
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.identity.parties import PartyBook, PartyRecord
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.admission import FOLDED_KINDS, Endorsers, Register, admit_signer
from carbonseal_ledger.errors import EnrolmentInvalid, LogDamaged, LogUnknown, Refused
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.registration import Candidate, LogTerms

_PAGE: Final = 5_000  # register entries read at a time
_HEADS: Final = text("SELECT origin, id, size FROM ledger_logs WHERE origin IN (:own, :registrar)")
_ENTRIES: Final = text(
    "SELECT e.index, n.name, e.raw FROM ledger_entries e JOIN ledger_kinds n ON n.id = e.kind_id"
    " WHERE e.log_id = :log_id AND e.index >= :start AND e.index < :end AND n.name = ANY(:kinds) ORDER BY"
    " e.index"
)
_CONTENTS: Final = text("SELECT digest, data FROM ledger_contents WHERE digest = ANY(:digests)")


class AdmissionBook:
    """The registers of one log host's parties. Safe to use from many threads."""

    def __init__(
        self,
        engine: Engine,
        published: PublishedCopy,
        name: str,
        registrar: str,
        endorsers: Endorsers,
        algorithms: Container[int],
    ) -> None:
        self.algorithms = algorithms
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._published = published
        self._name = name
        self._registrar = registrar
        self._endorsers = endorsers
        self._registrar_kids = frozenset(key.kid for key in endorsers.registrar_keys)
        self._held: dict[str, Register] = {}
        self._seen: dict[str, str | None] = {}
        self._lock = threading.Lock()

    def register_origin(self, party: str) -> str:
        """The origin of a party's register log."""
        return f"{self._name}/{party}/register"

    def registers(self, party: str, *, is_exact: bool = False) -> tuple[Register, Register]:
        """The present registers of a party and of the registrar.

        Args:
            party: whose register.
            is_exact: with what is committed and not published yet; the sequencer of a register needs it.

        Raises:
            LogUnknown: one of the two register logs is not open.
            LogDamaged: a content that says who is who is missing or changed.
        """
        own, registrar = self.register_origin(party), self.register_origin(self._registrar)
        held = self._present((own, registrar), is_exact=is_exact)
        return held[own], held[registrar]

    def record_of(self, party: str) -> PartyRecord | None:
        """The party as the registrar's register has it now; None where it was never admitted.

        Raises:
            LogDamaged: see `registers`.
        """
        try:
            return self.book().records.get(party)
        except LogUnknown:
            return None  # the registrar's own register is opened first of all

    def book(self) -> PartyBook:
        """The parties of the registrar, as its register has them now.

        Raises:
            LogUnknown, LogDamaged: see `registers`.
        """
        origin = self.register_origin(self._registrar)
        return self._present((origin,), is_exact=True)[origin].book.copy()

    def _present(self, origins: Sequence[str], *, is_exact: bool) -> Mapping[str, Register]:
        # A register counts from its publication on, which is when its sender is answered. The published heads
        # are read before the database is asked, so that what is published meanwhile is asked for next time.
        heads = {origin: self._published.checkpoint(origin) for origin in origins}
        if not is_exact and all(head and self._seen.get(origin) == head for origin, head in heads.items()):
            return self._held
        with self._lock, self._engine.connect() as connection:
            query = {"own": origins[0], "registrar": origins[-1]}
            sizes = {row.origin: (row.id, row.size) for row in connection.execute(_HEADS, query)}
            for origin in origins:
                if origin not in sizes:
                    raise LogUnknown("origin", f"the register log {origin} is not open here", "open it first")
                self._follow(connection, origin, *sizes[origin])
            self._seen |= heads
            return self._held

    def _follow(self, connection: Connection, origin: str, log_id: int, size: int) -> None:
        register = self._held.get(origin)
        if register is None or register.size > size:
            register = self._held[origin] = Register(origin, self.algorithms, self._endorsers)
        while register.size < size:
            end = min(size, register.size + _PAGE)
            query = {"log_id": log_id, "start": register.size, "end": end, "kinds": sorted(FOLDED_KINDS)}
            found = [
                (row[0], row.name, SignedStatement.parse(bytes(row.raw)))
                for row in connection.execute(_ENTRIES, query)
            ]
            digests = [statement.payload for _, _, statement in found]
            contents = {
                bytes(row.digest): bytes(row.data)
                for row in connection.execute(_CONTENTS, {"digests": digests})
            }
            for index, kind, statement in found:
                try:
                    data = contents.get(statement.payload, b"")
                    register.apply(index, statement.digest, check_content(statement, data))
                except CarbonsealError as error:
                    # It may be the revocation of the very key that asks: without it nobody is admitted.
                    del self._held[origin]
                    what = f"{kind} {statement.digest.hex()[:16]}"
                    raise LogDamaged(
                        "register",
                        f"the content of {what} in {origin} is missing or changed",
                        "restore the content from its owner",
                    ) from error
            register.size = end

    def admit(self, terms: LogTerms, candidates: Collection[Candidate]) -> Register:
        """Find the key that may sign each open candidate, or note the refusal; returns the party's register.

        Raises:
            LogUnknown: a register log is missing.
        """
        register, registrar = self.registers(terms.party, is_exact=terms.log == "register")
        record = registrar.book.records.get(terms.party)
        register.party_kids = frozenset(() if record is None else (span.key.kid for span in record.keys))
        for candidate in candidates:
            statement = candidate.statement
            if statement is None or statement.header.kind not in KINDS:
                continue
            try:
                admitted = admit_signer(
                    statement.header,
                    register,
                    registrar,
                    registrar_party=self._registrar,
                    registrar_kids=self._registrar_kids,
                )
                candidate.admitted = admitted
                if statement.header.kind == "party" and candidate.content is not None:
                    self._check_no_devices(candidate.content.body)
            except Refused as refusal:
                candidate.refusal = candidate.refusal or refusal
        return register

    def _check_no_devices(self, body: Mapping[str, Any]) -> None:
        """Refuse a party key that one of the party's devices has: it would sign for the device alone."""
        try:
            devices = self.registers(body["party"], is_exact=True)[0].devices
        except LogUnknown:
            return  # before its logs are open a party has no devices
        held = devices.keys.get(PublicKey.from_cose_key(body["key"]).kid)
        if held is not None:
            raise EnrolmentInvalid(
                "content.body.key", f"is or was a key of {held.device}", "make a new key pair for the party"
            )
