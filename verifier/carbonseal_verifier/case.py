"""The case under check: what was given, and what the steps so far have established about it.

Attributes below the line are set by the step named beside them; a step runs only when the steps it depends on
have passed, so it never reads what nobody established. A bundle may carry several reports: what concerns all
of them is established once, and then each has a case of its own, which shares that and is `about` it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from carbonseal_attest.anchor import AnchoredHeads
from carbonseal_attest.bundle_layout import BundledReport, EvidenceBundle, LogSection
from carbonseal_attest.bundle_reading import MemberReader
from carbonseal_attest.contents import Content, check_content
from carbonseal_attest.epoch import EpochEntry
from carbonseal_attest.identity.devices import DeviceKey
from carbonseal_attest.identity.parties import PartyRecord
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.trust import TrustedLogHost, TrustedRegistrar, TrustFile
from carbonseal_verifier.quality.inputs import LoggedStatement
from carbonseal_verifier.quality.profile import Profile
from carbonseal_verifier.recompute import PackageSet, Prepared, Recomputed

Progress = Callable[[str], None]


class StepFailed(Exception):
    """A step found that something does not hold; the text says what, on one line."""


@dataclass(frozen=True, slots=True)
class PartyKeys:
    """A party relied upon: its logs and the keys that may, or might once, write there.

    `record` says when each counts, by the registrar's register; None for the registrar itself, whose key the
    trust file names.
    """

    party: str
    roles: frozenset[str]
    register_origin: str
    data_origin: str
    keys: Mapping[bytes, PublicKey]
    record: PartyRecord | None


@dataclass(frozen=True, slots=True)
class LogView:
    """One log of the bundle: its section, its statements, and after `contents` their contents."""

    section: LogSection
    statements: tuple[SignedStatement, ...]
    logged: list[LoggedStatement] = field(default_factory=list)

    def find(self, digest: bytes) -> LoggedStatement | None:
        """Return the entry of a statement digest, or None; after `contents`."""
        return next((entry for entry in self.logged if entry.statement.digest == digest), None)


@dataclass(slots=True)
class Case:
    """Everything about one check, or about one report of it."""

    trust: TrustFile
    stream: BinaryIO
    at: int
    rpc_url: str | None
    progress: Progress
    # ---
    refused: Exception | None = None  # container: what is wrong with a member
    reader: MemberReader = field(init=False)  # container
    bundle: EvidenceBundle = field(init=False)  # members
    logs: dict[str, LogView] = field(init=False)  # members
    registrar: TrustedRegistrar = field(init=False)  # parties
    log_host: TrustedLogHost = field(init=False)  # parties
    parties: dict[str, PartyKeys] = field(init=False)  # parties
    operator: PartyKeys = field(init=False)  # parties
    devices: dict[bytes, DeviceKey] = field(init=False)  # parties: the operator's
    epochs: list[EpochEntry] = field(init=False)  # epochs
    epoch_roots: list[bytes] = field(init=False)  # epochs: root of the log of logs at each size from 1
    heads: dict[str, dict[int, int]] = field(init=False)  # epochs: origin -> epoch -> tree size
    anchored: AnchoredHeads | None = field(init=False)  # anchor
    anchored_epoch: int = field(init=False)  # anchor: the last epoch that counts
    anchored_at: int = field(init=False)  # anchor: when it was anchored
    is_final: bool = field(init=False)  # anchor: in, or below, a block that the trust file believes
    is_witnessed: bool = field(init=False)  # witnesses: a quorum was asked for, and is met
    # --- one case a report
    about: BundledReport = field(init=False)
    report: LoggedStatement = field(init=False)  # filed
    quality: LoggedStatement = field(init=False)  # filed
    profile: Profile = field(init=False)  # packages
    packages: PackageSet = field(init=False)  # packages
    prepared: Prepared = field(init=False)  # completeness
    recomputed: Recomputed = field(init=False)  # recompute
    _contents: dict[bytes, Content] = field(default_factory=dict)

    def on(self, report: BundledReport) -> Case:
        """Return the case of one report; it shares what was established for all of them."""
        made = copy.copy(self)
        made.about = report
        return made

    def content(self, statement: SignedStatement) -> Content | None:
        """Return the checked content of a statement, None where it is not disclosed.

        Raises:
            ContentInvalid: what is disclosed is not what was signed, or contradicts the header.
        """
        found = self._contents.get(statement.digest)
        if found is None:
            data = self.bundle.contents.get(statement.payload)
            if data is None:
                return None
            found = self._contents[statement.digest] = check_content(statement, data)
        return found

    def kind_of(self, digest: bytes) -> str:
        """Return the kind of a statement in the operator's data log, empty if it is not there."""
        found = (s.header.kind for s in self.operator_data().statements if s.digest == digest)
        return next(found, "")

    def operator_register(self) -> LogView:
        """Return the operator's register log."""
        return self.logs[self.operator.register_origin]

    def operator_data(self) -> LogView:
        """Return the operator's data log."""
        return self.logs[self.operator.data_origin]


def require(holds: bool, reason: str) -> None:  # noqa: FBT001 - reads as an assertion
    """Fail the step with `reason` unless `holds`."""
    if not holds:
        raise StepFailed(reason)
