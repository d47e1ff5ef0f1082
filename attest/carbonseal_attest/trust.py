"""The trust file: what a relying party believes before it opens a bundle.

TOML, published by somebody other than the party checked. It names registrar keys, log hosts with their keys
by tree size, chain profiles, algorithms with last dates, freshness and the quality profile. `check` prints
its publisher, label and digest first and ignores any policy inside a bundle. A last line

    # signature <hex of the raw public key> <hex of the signature>

signs all bytes before it; whose key that is, the reader must know. Witness quorums come with witnesses.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise, permutations
from typing import Any, Final

from carbonseal_attest.chain_profile import EVM_RLP, ChainProfile, TrustedBlock
from carbonseal_attest.errors import CarbonsealError, TrustInvalid
from carbonseal_attest.identifiers import check_code, check_origin, is_plain_text
from carbonseal_attest.instants import format_instant, parse_instant
from carbonseal_attest.keys import ED25519, PublicKey
from carbonseal_attest.merkle import MAX_TREE_SIZE
from carbonseal_attest.signing import Signer

FORMAT: Final = "carbonseal-trust/v1"
MAX_TRUST_FILE: Final = 1 << 18  # bytes
_MAX_LINE: Final = 1000  # bytes; the TOML reader takes quadratic time over a long dotted key
_SIGNATURE: Final = re.compile(rb"(?<=\n)# signature ([0-9a-f]{64}) ([0-9a-f]{128})\n\Z")
_PREFIX: Final = re.compile(r"[a-z0-9][a-z0-9./-]{0,100}/")


@dataclass(frozen=True, slots=True)
class TrustedRegistrar:
    """A registrar whose admissions count, with the key of its register log."""

    party: str
    register_origin: str
    key: PublicKey


@dataclass(frozen=True, slots=True)
class LogKey:
    """A log key and the tree sizes for which it signs: [from_size, until_size)."""

    key: PublicKey
    from_size: int
    until_size: int | None


@dataclass(frozen=True, slots=True)
class TrustedLogHost:
    """A log host: the origins it may sign for, its log of logs, and its keys."""

    party: str
    origin_prefix: str
    log_of_logs: str
    keys: tuple[LogKey, ...]

    def key_for(self, origin: str, tree_size: int) -> PublicKey:
        """Return the key that signs checkpoints of `origin` at `tree_size`.

        Raises:
            TrustInvalid: the origin is not this host's, or no key is named for that size.
        """
        if not origin.startswith(self.origin_prefix):
            raise _refusal("log_host", f"{origin} is outside {self.origin_prefix}")
        for entry in self.keys:
            if entry.from_size <= tree_size and (entry.until_size is None or tree_size < entry.until_size):
                return entry.key
        raise _refusal("log_host.key", f"no key for tree size {tree_size}")


@dataclass(frozen=True, slots=True)
class TrustFile:
    """A parsed trust file.

    Freshness: the anchored head must not be older than `max_age_ms` at the time of the check, nor than
    `not_before`; at least one of them stands in the file. `last_dates` maps an algorithm to the instant after
    which anchors no longer count for it.
    """

    publisher: str
    label: str
    published_at: int
    digest: bytes
    signed_by: PublicKey | None
    registrars: tuple[TrustedRegistrar, ...]
    log_hosts: tuple[TrustedLogHost, ...]
    chains: tuple[ChainProfile, ...]
    is_anchor_required: bool
    max_age_ms: int | None
    not_before: int | None
    last_dates: Mapping[int, int]
    quality_profile: str

    @classmethod
    def parse(cls, data: bytes) -> TrustFile:
        """Return the trust file that `data` writes.

        Raises:
            TrustInvalid: not TOML, an unknown or missing key, a malformed value, or a signature that fails.
        """
        if len(data) > MAX_TRUST_FILE or any(len(line) > _MAX_LINE for line in data.split(b"\n")):
            raise _refusal("trust file", "too large, or a line is too long")
        try:
            root = _Table("", tomllib.loads(data.decode()))
            return cls._read(root, data)
        except (
            ValueError,
            RecursionError,
        ) as error:  # not TOML or UTF-8, or a number of many thousand digits
            raise _refusal("trust file", f"not TOML ({error})") from error
        except TrustInvalid:
            raise
        except CarbonsealError as error:
            raise _refusal(error.field, error.reason) from error

    @classmethod
    def _read(cls, root: _Table, data: bytes) -> TrustFile:
        if root.text("format") != FORMAT:
            raise _refusal("format", f"not {FORMAT}")
        freshness, requirements = root.table("freshness"), root.table("requirements")
        max_age = freshness.integer("max_age_hours", 1, 1_000_000) if "max_age_hours" in freshness else None
        not_before = freshness.instant("not_before") if "not_before" in freshness else None
        if max_age is None and not_before is None:
            raise _refusal("freshness", "names neither max_age_hours nor not_before")
        anchor = requirements.text("anchor")
        if anchor not in {"required", "optional"}:
            raise _refusal("requirements.anchor", "neither required nor optional")
        quality = root.table("quality")
        result = cls(
            publisher=root.text("publisher"),
            label=root.text("label"),
            published_at=root.instant("published_at"),
            digest=hashlib.sha256(data).digest(),
            signed_by=_verify_signature(data),
            registrars=tuple(_registrar(t) for t in root.tables("registrar")),
            log_hosts=tuple(_log_host(t) for t in root.tables("log_host")),
            chains=tuple(_chain(t) for t in (root.tables("chain") if "chain" in root else [])),
            is_anchor_required=anchor == "required",
            max_age_ms=None if max_age is None else max_age * 3_600_000,
            not_before=not_before,
            last_dates=_algorithms(root.tables("algorithm")),
            quality_profile=quality.text("profile"),
        )
        for table in (freshness, requirements, quality, root):
            table.close()
        if result.is_anchor_required and not result.chains:
            raise _refusal("chain", "an anchor is required, but no chain is named")
        _check_no_contradiction(result)
        return result


def sign_trust_file(text: str, signer: Signer) -> bytes:
    """Return the trust file `text` (ending in a newline) with the publisher's signature as its last line."""
    data = text.encode()
    return data + f"# signature {signer.public.raw.hex()} {signer.sign(data).hex()}\n".encode()


def format_chain(chain: ChainProfile) -> str:
    """Return the TOML tables of a chain profile."""
    lines = [
        "[[chain]]",
        f"chain_id = {chain.chain_id}",
        f'header_profile = "{_plain(chain.header_profile, "chain.header_profile")}"',
        f'contract = "{chain.contract.hex()}"',
        f'code_hash = "{chain.code_hash.hex()}"',
        f'log_id = "{chain.log_id.hex()}"',
        f"slot = {chain.slot}",
    ]
    for block in chain.trusted_blocks:
        lines += ["[[chain.trusted_block]]", f"number = {block.number}", f'hash = "{block.block_hash.hex()}"']
        lines += [f'source = "{_plain(block.source, "chain.trusted_block.source")}"']
    return "\n".join(lines) + "\n"


def format_trust_file(trust: TrustFile) -> str:
    """Return `trust` as TOML text, unsigned; reading it again gives the same facts."""
    lines = [
        f'format = "{FORMAT}"',
        f'publisher = "{_plain(trust.publisher, "publisher")}"',
        f'label = "{_plain(trust.label, "label")}"',
        f'published_at = "{format_instant(trust.published_at)}"',
        "",
        "[freshness]",
    ]
    if trust.max_age_ms is not None:
        lines.append(f"max_age_hours = {trust.max_age_ms // 3_600_000}")
    if trust.not_before is not None:
        lines.append(f'not_before = "{format_instant(trust.not_before)}"')
    lines += ["", "[requirements]", f'anchor = "{"required" if trust.is_anchor_required else "optional"}"']
    lines += ["", "[quality]", f'profile = "{_plain(trust.quality_profile, "quality.profile")}"', ""]
    for algorithm, last in trust.last_dates.items():
        lines += ["[[algorithm]]", f"id = {algorithm}", f'last_date = "{format_instant(last)}"', ""]
    for registrar in trust.registrars:
        lines += ["[[registrar]]", f'party = "{registrar.party}"']
        lines += [
            f'register_origin = "{registrar.register_origin}"',
            f'key = "{registrar.key.raw.hex()}"',
            "",
        ]
    for host in trust.log_hosts:
        lines += ["[[log_host]]", f'party = "{host.party}"', f'origin_prefix = "{host.origin_prefix}"']
        lines += [f'log_of_logs = "{host.log_of_logs}"']
        for entry in host.keys:
            lines += [
                "[[log_host.key]]",
                f'public = "{entry.key.raw.hex()}"',
                f"from_size = {entry.from_size}",
            ]
            if entry.until_size is not None:
                lines.append(f"until_size = {entry.until_size}")
        lines.append("")
    return "\n".join(lines) + "\n".join(format_chain(chain) for chain in trust.chains)


def _plain(value: str, field: str) -> str:
    """Return `value` if it can stand between quotes as it is, on paper and in TOML."""
    if not value or len(value) > 300 or not is_plain_text(value) or '"' in value or "\\" in value:
        raise _refusal(field, "empty, too long, or not plain text")
    return value


class _Table:
    """A TOML table whose keys must all be read: what is left at `close` is unknown and refused."""

    def __init__(self, path: str, value: object) -> None:
        if not isinstance(value, dict):
            raise _refusal(path, "not a table")
        self._path = path
        self._rest: dict[str, Any] = dict(value)

    def __contains__(self, key: str) -> bool:
        return key in self._rest

    def _take(self, key: str, kind: type) -> Any:
        if key not in self._rest:
            raise _refusal(f"{self._path}{key}", "is missing")
        value = self._rest.pop(key)
        if type(value) is not kind:
            raise _refusal(f"{self._path}{key}", f"not of type {kind.__name__}")
        return value

    def text(self, key: str) -> str:
        value: str = self._take(key, str)
        return _plain(value, f"{self._path}{key}")

    def integer(self, key: str, low: int, high: int) -> int:
        value: int = self._take(key, int)
        if not low <= value <= high:
            raise _refusal(f"{self._path}{key}", f"not from {low} to {high}")
        return value

    def octets(self, key: str, size: int) -> bytes:
        text = self.text(key)
        if not re.fullmatch(rf"(0x)?[0-9a-f]{{{2 * size}}}", text):
            raise _refusal(f"{self._path}{key}", f"not {size} bytes in lower-case hex")
        return bytes.fromhex(text.removeprefix("0x"))

    def instant(self, key: str) -> int:
        return parse_instant(self.text(key), field=f"{self._path}{key}")

    def named(self, key: str, check: Callable[..., str]) -> str:
        return check(self.text(key), field=f"{self._path}{key}")

    def table(self, key: str) -> _Table:
        return _Table(f"{self._path}{key}.", self._take(key, dict))

    def tables(self, key: str) -> list[_Table]:
        return [_Table(f"{self._path}{key}[{at}].", item) for at, item in enumerate(self._take(key, list))]

    def close(self) -> None:
        if self._rest:
            raise _refusal(f"{self._path}{min(self._rest)}", "is not known")


def _registrar(table: _Table) -> TrustedRegistrar:
    result = TrustedRegistrar(
        table.named("party", check_code),
        table.named("register_origin", check_origin),
        PublicKey(ED25519, table.octets("key", 32)),
    )
    table.close()
    return result


def _log_host(table: _Table) -> TrustedLogHost:
    prefix = table.text("origin_prefix")
    if not _PREFIX.fullmatch(prefix):
        raise _refusal("log_host.origin_prefix", "not a host name ending in a slash")
    keys = []
    for entry in table.tables("key"):
        until = entry.integer("until_size", 1, 1 << 48) if "until_size" in entry else None
        keys.append(
            LogKey(
                PublicKey(ED25519, entry.octets("public", 32)), entry.integer("from_size", 0, 1 << 48), until
            )
        )
        entry.close()
    result = TrustedLogHost(
        table.named("party", check_code), prefix, table.named("log_of_logs", check_origin), tuple(keys)
    )
    table.close()
    return result


def _chain(table: _Table) -> ChainProfile:
    blocks = []
    for entry in table.tables("trusted_block"):
        blocks.append(
            TrustedBlock(entry.integer("number", 0, 1 << 53), entry.octets("hash", 32), entry.text("source"))
        )
        entry.close()
    result = ChainProfile(
        chain_id=table.integer("chain_id", 1, (1 << 53) - 1),
        header_profile=table.text("header_profile"),
        contract=table.octets("contract", 20),
        code_hash=table.octets("code_hash", 32),
        log_id=table.octets("log_id", 32),
        slot=table.integer("slot", 0, 1 << 16),
        trusted_blocks=tuple(blocks),
    )
    table.close()
    return result


def _algorithms(tables: list[_Table]) -> dict[int, int]:
    last_dates: dict[int, int] = {}
    for table in tables:
        algorithm, last = table.integer("id", -1000, -1), table.instant("last_date")
        table.close()
        if algorithm in last_dates:
            raise _refusal("algorithm", f"{algorithm} stands twice")
        last_dates[algorithm] = last
    return last_dates


def _check_no_contradiction(trust: TrustFile) -> None:
    """Refuse a file in which one question has two answers, since the order of tables must decide nothing."""
    parties = [registrar.party for registrar in trust.registrars]
    if not parties or len(set(parties)) != len(parties):
        raise _refusal("registrar", "none is named, or one stands twice")
    prefixes = [host.origin_prefix for host in trust.log_hosts]
    if any(a.startswith(b) for a, b in permutations(prefixes, 2)):
        raise _refusal("log_host.origin_prefix", "one lies inside another")
    for host in trust.log_hosts:
        if not host.log_of_logs.startswith(host.origin_prefix):
            raise _refusal("log_host.log_of_logs", f"is outside {host.origin_prefix}")
        spans = sorted((key.from_size, key.until_size or MAX_TREE_SIZE + 1) for key in host.keys)
        if any(start >= end for start, end in spans) or any(a[1] > b[0] for a, b in pairwise(spans)):
            raise _refusal("log_host.key", "sizes of keys overlap, or are empty")
    contracts = [(chain.chain_id, chain.log_id) for chain in trust.chains]
    if len(set(contracts)) != len(contracts):
        raise _refusal("chain", "one log on one chain stands twice")


def _verify_signature(data: bytes) -> PublicKey | None:
    found = _SIGNATURE.search(data)
    if data.count(b"# signature") != (0 if found is None else 1):
        raise _refusal("signature", "malformed, doubled, or not the last line")
    if found is None:
        return None
    key = PublicKey(ED25519, bytes.fromhex(found[1].decode()))
    key.verify(bytes.fromhex(found[2].decode()), data[: found.start()])
    return key


def _refusal(field: str, reason: str) -> TrustInvalid:
    return TrustInvalid(
        field,
        reason,
        "get the trust file again from its publisher, or write it as docs/spec/trust-file.md has it",
    )


__all__ = [
    "EVM_RLP",
    "ChainProfile",
    "LogKey",
    "TrustFile",
    "TrustedBlock",
    "TrustedLogHost",
    "TrustedRegistrar",
]
__all__ += ["format_chain", "format_trust_file", "sign_trust_file"]
