"""Acts upon carbon-asset records, in the words of the people who do them, and the ids that the chain knows.

An act names registry, batch, party and official reference by their text; the chain holds keccak256 of the
UTF-8 bytes instead (`docs/spec/carbon-assets.md`). One text has one spelling here (Unicode NFC, no spaces
around it), since another one would be another id for the same thing; that a registry is always named alike is
for the service to see to. It leaves out calldata (`carbon_assets_calls`) and who may do what (the contract).
"""

from __future__ import annotations

import dataclasses
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final, Protocol, TypeAlias

from eth_abi.abi import encode

from carbonseal_attest.evm_proof import keccak256
from carbonseal_attest.identifiers import check_code, check_origin, is_plain_text
from carbonseal_attest.merkle import leaf_hash
from carbonseal_ledger.errors import LedgerError
from carbonseal_ledger.outcomes import LoggedEntry

MAX_SERIAL: Final = (
    1 << 53
) - 1  # what a content of kind asset_act can say; the contract itself takes 64 bits
NO_MEMBERSHIP: Final = bytes(20)
_MAX_NAME, _MAX_REFERENCE = 80, 120  # characters, as in asset_act


class ActInvalid(LedgerError):
    """An act is not one that could ever be done: its parts are malformed."""

    code = "asset-act-invalid"


class ActKind(StrEnum):
    """What an act does; the last three are the admin's, who founds the contract and admits its members.

    WITHDRAW takes a proposal back and touches no record.
    """

    RECORD = "record"
    SPLIT = "split"
    MOVE = "move"
    RETIRE = "retire"
    SURRENDER = "surrender"
    CANCEL = "cancel"
    RELEASE = "release"
    PLEDGE = "pledge"
    UNPLEDGE = "unpledge"
    FREEZE = "freeze"
    WITHDRAW = "withdraw"
    DEPLOY = "deploy"
    ADMIT = "admit"
    GRANT = "grant"


ADMIN_KINDS: Final = frozenset({ActKind.DEPLOY, ActKind.ADMIT, ActKind.GRANT})
SINGLE_KINDS: Final = ADMIN_KINDS | {ActKind.FREEZE, ActKind.WITHDRAW}  # one person is enough


class FindsEntries(Protocol):
    """What `Record.of` asks of a log host."""

    def find(self, origin: str, digest: bytes) -> LoggedEntry:
        """Return the entry of a statement digest."""


@dataclass(frozen=True, slots=True)
class Record:
    """Units that an official registry issued become a record.

    Attributes:
        registry, batch: as the official registry names itself and the batch.
        first, last: serials, both included.
        holder: code of the party that holds the units.
        origin: of the data log that has the verification report.
        report: its statement digest, by which the log host finds it.
        report_leaf: RFC 9162 leaf hash of its signed statement, which is what the chain sees.
    """

    kind: ClassVar[ActKind] = ActKind.RECORD
    registry: str
    batch: str
    first: int
    last: int
    holder: str
    origin: str
    report: bytes
    report_leaf: bytes

    def __post_init__(self) -> None:
        _check_text("registry", self.registry, _MAX_NAME)
        _check_text("batch", self.batch, _MAX_NAME)
        if not 1 <= self.first <= self.last <= MAX_SERIAL:
            reason = f"{self.first} to {self.last} is no range of serials"
            raise ActInvalid("serials", reason, "begin at 1 or later and end no earlier than you begin")
        check_code(self.holder, field="holder")
        check_origin(self.origin)
        _check_digest("report", self.report)
        _check_digest("report_leaf", self.report_leaf)

    @classmethod
    def of(
        cls,
        host: FindsEntries,
        *,
        registry: str,
        batch: str,
        first: int,
        last: int,
        holder: str,
        origin: str,
        report: bytes,
    ) -> Record:
        """Return the act whose verification report is the statement `report` in the log `origin`.

        Raises:
            EntryUnknown: that log holds no such statement.
        """
        leaf = leaf_hash(host.find(origin, report).raw)
        return cls(registry, batch, first, last, holder, origin, report, leaf)

    @property
    def record(self) -> bytes:
        """The id that the record gets, 32 bytes."""
        return record_id_of(self.registry, self.batch, self.first, self.last)


@dataclass(frozen=True, slots=True)
class Split:
    """A record is divided into [first, last_of_left] and what is left of it."""

    kind: ClassVar[ActKind] = ActKind.SPLIT
    record: bytes
    last_of_left: int

    def __post_init__(self) -> None:
        _check_digest("record", self.record)
        if not 1 <= self.last_of_left <= MAX_SERIAL:
            raise ActInvalid(
                "last_of_left", f"{self.last_of_left} is no serial", "name a serial of the record"
            )


@dataclass(frozen=True, slots=True)
class Move:
    """A record goes to another holder, `to`, as the official transfer `transfer` had its units go."""

    kind: ClassVar[ActKind] = ActKind.MOVE
    record: bytes
    to: str
    transfer: str

    def __post_init__(self) -> None:
        _check_digest("record", self.record)
        check_code(self.to, field="to")
        _check_text("transfer", self.transfer, _MAX_REFERENCE)


@dataclass(frozen=True, slots=True)
class _End:
    """An act that ends a record and names the official act, `reference`, that it mirrors."""

    record: bytes
    reference: str

    def __post_init__(self) -> None:
        _check_digest("record", self.record)
        _check_text("reference", self.reference, _MAX_REFERENCE)


@dataclass(frozen=True, slots=True)
class Retire(_End):
    """A record's units are used up for a voluntary claim."""

    kind: ClassVar[ActKind] = ActKind.RETIRE


@dataclass(frozen=True, slots=True)
class Surrender(_End):
    """A record's units are used up against an obligation."""

    kind: ClassVar[ActKind] = ActKind.SURRENDER


@dataclass(frozen=True, slots=True)
class Cancel(_End):
    """A record's units are gone, and nobody may claim them."""

    kind: ClassVar[ActKind] = ActKind.CANCEL


@dataclass(frozen=True, slots=True)
class Freeze:
    """A record may not change while `cause` stands: digest of the statement that says why."""

    kind: ClassVar[ActKind] = ActKind.FREEZE
    record: bytes
    cause: bytes

    def __post_init__(self) -> None:
        _check_digest("record", self.record)
        _check_digest("cause", self.cause)


@dataclass(frozen=True, slots=True)
class Release:
    """A cause no longer stands against a record: `cure` is the digest of the statement that says so."""

    kind: ClassVar[ActKind] = ActKind.RELEASE
    record: bytes
    cause: bytes
    cure: bytes

    def __post_init__(self) -> None:
        for field in ("record", "cause", "cure"):
            _check_digest(field, getattr(self, field))


@dataclass(frozen=True, slots=True)
class Pledge:
    """A record is pledged to the party `to`, under the official registration `pledge`."""

    kind: ClassVar[ActKind] = ActKind.PLEDGE
    record: bytes
    to: str
    pledge: str

    def __post_init__(self) -> None:
        _check_digest("record", self.record)
        check_code(self.to, field="to")
        _check_text("pledge", self.pledge, _MAX_REFERENCE)


@dataclass(frozen=True, slots=True)
class Unpledge:
    """The pledgee gives a pledge back; `reference` is the official act that says so."""

    kind: ClassVar[ActKind] = ActKind.UNPLEDGE
    record: bytes
    pledge: str
    reference: str

    def __post_init__(self) -> None:
        _check_digest("record", self.record)
        _check_text("pledge", self.pledge, _MAX_REFERENCE)
        _check_text("reference", self.reference, _MAX_REFERENCE)


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The first person takes a proposal back; `expires_at`, ms, tells it from a later one of the same act."""

    kind: ClassVar[ActKind] = ActKind.WITHDRAW
    act_hash: bytes
    expires_at: int


@dataclass(frozen=True, slots=True)
class Deploy:
    """The contract is created beside `anchor`, a LogAnchor in which the log of logs `log_id` is open.

    `membership` is the contract that says who takes part, 20 zero bytes where none does; `chain_ids` are the
    chains on which records may be kept: on another one the contract refuses to be deployed.
    """

    kind: ClassVar[ActKind] = ActKind.DEPLOY
    anchor: bytes
    log_id: bytes
    chain_ids: tuple[int, ...]
    membership: bytes = NO_MEMBERSHIP


@dataclass(frozen=True, slots=True)
class Admit:
    """An account becomes a member for a party."""

    kind: ClassVar[ActKind] = ActKind.ADMIT
    member: bytes
    party: str

    def __post_init__(self) -> None:
        check_code(self.party, field="party")


@dataclass(frozen=True, slots=True)
class Grant:
    """A member gets a role: `REGISTRAR_ROLE` or `HOLDER_ROLE`."""

    kind: ClassVar[ActKind] = ActKind.GRANT
    member: bytes
    role: str


RecordAct: TypeAlias = (
    Record | Split | Move | Retire | Surrender | Cancel | Freeze | Release | Pledge | Unpledge
)
Act: TypeAlias = RecordAct | Withdraw | Deploy | Admit | Grant
_CLASSES: Final[Mapping[str, type[Any]]] = {
    ActKind.RECORD: Record,
    ActKind.SPLIT: Split,
    ActKind.MOVE: Move,
    ActKind.RETIRE: Retire,
    ActKind.SURRENDER: Surrender,
    ActKind.CANCEL: Cancel,
    ActKind.FREEZE: Freeze,
    ActKind.RELEASE: Release,
    ActKind.PLEDGE: Pledge,
    ActKind.UNPLEDGE: Unpledge,
    ActKind.WITHDRAW: Withdraw,
    ActKind.DEPLOY: Deploy,
    ActKind.ADMIT: Admit,
    ActKind.GRANT: Grant,
}


def text_id(text: str) -> bytes:
    """Return the id under which the chain knows a text: keccak256 of its UTF-8 bytes."""
    return keccak256(text.encode())


def record_id_of(registry: str, batch: str, first: int, last: int) -> bytes:
    """Return the id of a record: keccak256 of the ABI encoding of registry id, batch id and both serials."""
    types = ["bytes32", "bytes32", "uint64", "uint64"]
    return keccak256(encode(types, [text_id(registry), text_id(batch), first, last]))


def to_parameters(act: Act) -> str:
    """Return what the journal stores of an act, as JSON; bytes in hexadecimal."""
    values = {field.name: getattr(act, field.name) for field in dataclasses.fields(act)}
    return json.dumps({n: v.hex() if isinstance(v, bytes) else v for n, v in values.items()}, sort_keys=True)


def from_parameters(kind: str, parameters: str) -> Act:
    """Return the act that the journal stores."""
    values = json.loads(parameters)
    act_class = _CLASSES[kind]
    for field in dataclasses.fields(act_class):
        if field.type == "bytes":
            values[field.name] = bytes.fromhex(values[field.name])
        elif isinstance(values[field.name], list):
            values[field.name] = tuple(values[field.name])
    act: Act = act_class(**values)
    return act


def _check_digest(field: str, value: bytes) -> None:
    if len(value) != 32 or value == bytes(32):
        raise ActInvalid(field, "not a hash of 32 bytes", "give the digest itself, in bytes")


def _check_text(field: str, value: str, longest: int) -> None:
    if not 0 < len(value) <= longest or not is_plain_text(value) or value != value.strip():
        reason = f"empty, longer than {longest} characters, or not plain text"
        raise ActInvalid(field, reason, "write it as the official registry does, without spaces around it")
    if unicodedata.normalize("NFC", value) != value:
        raise ActInvalid(field, "its characters are taken apart", "write it in Unicode's composed form, NFC")
