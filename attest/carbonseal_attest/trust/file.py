"""The trust file: what a relying party believes before it opens a bundle.

TOML, published by somebody other than the party checked, best signed by its publisher. Each part has a module
of this package. Nothing has a default: a missing part is refused with what to write. `check` prints
publisher, label and digest first and ignores any policy inside a bundle.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Final

from carbonseal_attest.chain_profile import ChainProfile
from carbonseal_attest.errors import CarbonsealError, TrustInvalid
from carbonseal_attest.instants import format_instant
from carbonseal_attest.keys import MAX_KEY_TEXT, PublicKey
from carbonseal_attest.signing import Signer
from carbonseal_attest.trust.algorithms import Algorithms
from carbonseal_attest.trust.chains import check_chains, format_chain, read_chain
from carbonseal_attest.trust.limits import Limits
from carbonseal_attest.trust.log_hosts import ClosedLog, TrustedLogHost, check_closed_logs
from carbonseal_attest.trust.registrars import TrustedRegistrar, check_registrars
from carbonseal_attest.trust.signature import SIGNATURE, key_text, verify_publisher, with_signature
from carbonseal_attest.trust.tables import Table, plain, read_toml, refusal
from carbonseal_attest.trust.witnesses import Witnesses

FORMAT: Final = "carbonseal-trust/v1"
_PUBLISHER_KEY: Final = re.compile(r'^publisher_key = "[^"\n]*"$', re.MULTILINE)
# What to write where a part is missing: there is no default, so the refusal says how to decide.
_TO_WRITE: Final = {
    "publisher": 'write publisher = "…", who answers for the file',
    "publisher_key": 'write publisher_key = "…", the key that signs the file, or "none" if nobody does',
    "label": 'write label = "…", what the file was made for',
    "published_at": 'write published_at = "2026-01-31T00:00:00Z", the day of publication',
    "freshness": "write [freshness] with max_age_hours, not_before or both",
    "requirements": 'write [requirements] with anchor = "required" or "optional"',
    "requirements.anchor": 'write anchor = "required" or "optional"',
    "commit_delay": "write [commit_delay] with limit_hours, the most that a rule profile may allow",
    "commit_delay.limit_hours": "write limit_hours, the most that a rule profile may allow",
    "profiles": 'write [profiles] with rule = ["default@1"] and grade = [] or the grade rules that count',
    "profiles.rule": 'write rule = ["default@1"], or the rule profiles that count',
    "profiles.grade": "write grade = [], or the grade rules that count",
    "witnesses": 'write [witnesses] with policy = "quorum none\\n", or a tlog-policy with witnesses',
    "witnesses.policy": 'write policy = "quorum none\\n", or a tlog-policy with witnesses',
    "witnesses.retired": "write retired = [], or one [[witnesses.retired]] with name and until_size for each",
    "algorithm": "write one [[algorithm]] with id and last_date for each algorithm that counts",
    "algorithm.last_date": "write last_date, until when anchors count for the algorithm",
    "registrar": "write one [[registrar]] with party, register_origin and key for each that you believe",
    "log_host": "write one [[log_host]] with party, origin_prefix, log_of_logs and its keys",
    "log_host.key": "write one [[log_host.key]] with public and from_size for each key of the host",
    "chain": "write chain = [], or one [[chain]] for each chain that you believe",
    "chain.head_key": "write one [[chain.head_key]] with address and from_size for each head key",
    "chain.trusted_block": "write trusted_block = [], or one for each that you believe",
    "closed_log": "write closed_log = [], or one [[closed_log]] for each log that was compromised",
    "closed_log.successor": 'write successor = "none", or the origin of the log that goes on',
}


@dataclass(frozen=True, slots=True)
class TrustFile:
    """A parsed trust file. `digest` is the SHA-256 of its bytes, `signed_by` the key under it, if any."""

    publisher: str
    label: str
    published_at: int
    digest: bytes
    signed_by: PublicKey | None
    registrars: tuple[TrustedRegistrar, ...]
    log_hosts: tuple[TrustedLogHost, ...]
    closed_logs: tuple[ClosedLog, ...]
    witnesses: Witnesses
    chains: tuple[ChainProfile, ...]
    algorithms: Algorithms
    limits: Limits

    @classmethod
    def parse(cls, data: bytes) -> TrustFile:
        """Return the trust file that `data` writes.

        Raises:
            TrustInvalid: not TOML, an unknown or missing key, a malformed value, or a signature that fails.
        """
        try:
            return cls._read(Table("", read_toml(data), _TO_WRITE), data)
        except TrustInvalid:
            raise
        except CarbonsealError as error:
            raise refusal(error.field, error.reason) from error

    @classmethod
    def _read(cls, root: Table, data: bytes) -> TrustFile:
        if root.text("format") != FORMAT:
            raise refusal("format", f"not {FORMAT}")
        result = cls(
            publisher=root.text("publisher"),
            label=root.text("label"),
            published_at=root.instant("published_at"),
            digest=hashlib.sha256(data).digest(),
            signed_by=verify_publisher(data, root.text("publisher_key", most=MAX_KEY_TEXT)),
            registrars=tuple(map(TrustedRegistrar.read, root.tables("registrar"))),
            log_hosts=tuple(map(TrustedLogHost.read, root.tables("log_host"))),
            closed_logs=tuple(map(ClosedLog.read, root.tables("closed_log"))),
            witnesses=Witnesses.read(root.table("witnesses")),
            chains=tuple(map(read_chain, root.tables("chain"))),
            algorithms=Algorithms.read(root.tables("algorithm")),
            limits=Limits.read(root),
        )
        root.close()
        result._check_no_contradiction()
        return result

    def host_of(self, origin: str) -> TrustedLogHost | None:
        """Return the log host that may keep the log `origin`, None where the file names none."""
        return next((host for host in self.log_hosts if origin.startswith(host.origin_prefix)), None)

    def require_open(self, origin: str) -> None:
        """Refuse a log that was closed where no anchor is shown: its keys sign receipts at any size.

        Raises:
            TrustInvalid: the log was closed.
        """
        if any(log.origin == origin for log in self.closed_logs):
            raise refusal("closed_log", f"{origin} was closed: without an anchor nothing of it counts")

    def _check_no_contradiction(self) -> None:
        """Refuse a file in which one question has two answers: the order of tables must decide nothing."""
        check_registrars(self.registrars)
        prefixes = [host.origin_prefix for host in self.log_hosts]
        if any(a.startswith(b) for a, b in permutations(prefixes, 2)):
            raise refusal("log_host.origin_prefix", "one lies inside another")
        check_closed_logs(self.closed_logs)
        check_chains(self.chains, is_anchor_required=self.limits.is_anchor_required)
        for registrar in self.registrars:
            self.algorithms.require_usable(registrar.key, f"registrar {registrar.party}: key")
        for host in self.log_hosts:
            for entry in host.keys:
                self.algorithms.require_usable(entry.key, f"log_host {host.party}: key")
        for name, vkey in self.witnesses.policy.witnesses.items():
            self.algorithms.require_usable(vkey.key, f"witness {name}: key")


def sign_trust_file(trust: TrustFile, signer: Signer) -> bytes:
    """Return `trust` as a file that names the signer's key as its publisher's, and carries its signature."""
    return with_signature(format_trust_file(replace(trust, signed_by=signer.public)), signer)


def sign_trust_text(text: str, signer: Signer) -> bytes:
    """Return a trust file that somebody wrote by hand, comments and all, with the signer as its publisher.

    An earlier signature is replaced.

    Raises:
        TrustInvalid: it is no trust file, or has no line `publisher_key = "…"` of its own.
    """
    whole, found = _PUBLISHER_KEY.subn(
        f'publisher_key = "{signer.public.text()}"', text.partition(SIGNATURE)[0], 1
    )
    if not found:
        raise refusal("publisher_key", "is missing", _TO_WRITE["publisher_key"])
    signed = with_signature(whole if whole.endswith("\n") else f"{whole}\n", signer)
    TrustFile.parse(signed)
    return signed


def format_trust_file(trust: TrustFile) -> str:
    """Return `trust` as TOML text without the signature; reading it again, signed, gives the same facts."""
    lines = [
        f'format = "{FORMAT}"',
        f'publisher = "{plain(trust.publisher, "publisher")}"',
        f'publisher_key = "{key_text(trust.signed_by)}"',
        f'label = "{plain(trust.label, "label")}"',
        f'published_at = "{format_instant(trust.published_at)}"',
    ]
    # Empty arrays stand before the first table: after it, TOML would read them as keys of that table.
    lines += [] if trust.closed_logs else ["closed_log = []"]
    lines += [] if trust.chains else ["chain = []"]
    lines += ["", *trust.limits.lines(), *trust.witnesses.lines(), *trust.algorithms.lines()]
    for registrar in trust.registrars:
        lines += registrar.lines()
    for host in trust.log_hosts:
        lines += host.lines()
    for closed in trust.closed_logs:
        lines += closed.lines()
    return "\n".join(lines) + "\n" + "\n".join(format_chain(chain) for chain in trust.chains)
