"""A trust file in words: what somebody who relies on it agrees to, part by part, and the same as JSON.

Written for a reader who signs loans, not code: each part says what it lets happen and what it refuses. Keys
and digests stand in full, since an abbreviation can be matched by an attacker.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from carbonseal_attest.algorithms import ALGORITHMS
from carbonseal_attest.chain_profile import EVM_RLP, ChainProfile, HeadKey
from carbonseal_attest.instants import format_instant
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.tlog_policy import Group
from carbonseal_attest.trust import LogKey, TrustedLogHost, TrustFile, spoken
from carbonseal_verifier.wording import counted

HOUR: Final = 3_600_000
Section = tuple[str, list[str]]


def sections(trust: TrustFile) -> list[Section]:
    """Return the parts of a trust file as (heading, sentences), in the order a reader needs them."""
    return [
        ("Who says so", list(_publisher(trust))),
        ("Who admits parties", list(_registrars(trust))),
        ("Who keeps the logs", [line for host in trust.log_hosts for line in _host(host)]),
        ("Logs closed after a compromise", list(_closed(trust))),
        ("Who else must have confirmed the heads", list(_witnesses(trust))),
        ("Chains", [line for chain in trust.chains for line in _chain(chain)] or ["None is believed."]),
        ("How fresh, how late", list(_limits(trust))),
        ("What signatures count", list(_algorithms(trust))),
        ("Whose rules", list(_profiles(trust))),
    ]


def to_text(trust: TrustFile) -> str:
    """Return the sections as text, one sentence a line."""
    parts = [f"{title}\n" + "".join(f"  {line}\n" for line in lines) for title, lines in sections(trust)]
    return "\n".join(parts)


def to_json(trust: TrustFile) -> dict[str, Any]:
    """Return everything that a trust file says as JSON values."""
    limits = trust.limits
    return {
        "publisher": trust.publisher,
        "label": trust.label,
        "published_at": format_instant(trust.published_at),
        "digest": trust.digest.hex(),
        "signed_by": None if trust.signed_by is None else key_text(trust.signed_by),
        "freshness": {
            "max_age_hours": None if limits.max_age_ms is None else limits.max_age_ms // HOUR,
            "not_before": None if limits.not_before is None else format_instant(limits.not_before),
        },
        "anchor": "required" if limits.is_anchor_required else "optional",
        "commit_delay_hours": limits.commit_delay_ms // HOUR,
        "rule_profiles": list(limits.rule_profiles),
        "grade_profiles": list(limits.grade_profiles),
        "algorithms": {str(n): format_instant(at) for n, at in trust.algorithms.last_dates.items()},
        "witnesses": {"policy": str(trust.witnesses.policy), "retired": dict(trust.witnesses.retired)},
        "registrars": [
            {"party": one.party, "register_origin": one.register_origin, "key": key_text(one.key)}
            for one in trust.registrars
        ],
        "log_hosts": [
            {
                "party": host.party,
                "origin_prefix": host.origin_prefix,
                "log_of_logs": host.log_of_logs,
                "keys": [_key_json(entry) for entry in host.keys],
            }
            for host in trust.log_hosts
        ],
        "closed_logs": [
            {
                "origin": one.origin,
                "tree_size": one.tree_size,
                "root_hash": one.root_hash.hex(),
                "successor": one.successor,
            }
            for one in trust.closed_logs
        ],
        "chains": [_chain_json(chain) for chain in trust.chains],
    }


def fingerprint_lines(trust: TrustFile) -> list[str]:
    """Return digest and publisher's key in groups of four digits, as two people read them to each other."""
    lines = ["SHA-256 of the file"] + [f"  {line}" for line in spoken(trust.digest)]
    if trust.signed_by is None:
        return [*lines, "NOT SIGNED: only the digest says whether two people hold the same file"]
    return [
        *lines,
        "Signed by the key with this identifier",
        *(f"  {line}" for line in spoken(trust.signed_by.kid)),
        f"Raw public key, for --trust-signer: {key_text(trust.signed_by)}",
    ]


def key_text(key: PublicKey) -> str:
    """Return a public key as the trust file writes it."""
    return key.text()


def algorithm_name(algorithm: int) -> str:
    """Return an algorithm's name and number."""
    return f"{ALGORITHMS[algorithm].title if algorithm in ALGORITHMS else 'algorithm'} ({algorithm})"


def day(at: int) -> str:
    """Return an instant as a day where it is midnight UTC, else with its time."""
    text = format_instant(at)
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d") if at % 86_400_000 == 0 else text


def _publisher(trust: TrustFile) -> Iterator[str]:
    yield f'{trust.publisher} ("{trust.label}"), {day(trust.published_at)}.'
    if trust.signed_by is None:
        yield "NOT SIGNED: nothing shows that the publisher wrote it. Compare the digest with the publisher."
    else:
        yield f"Signed by key {key_text(trust.signed_by)}."
        yield "Whose key that is, no file can say: compare it with the publisher."
    yield "SHA-256 " + "  ".join(spoken(trust.digest))


def _registrars(trust: TrustFile) -> Iterator[str]:
    for one in trust.registrars:
        yield f"{one.party}, in the log {one.register_origin}, by key {key_text(one.key)}."
    yield "Nobody has a role that none of them gave."


def _host(host: TrustedLogHost) -> Iterator[str]:
    yield f"{host.party} keeps the logs under {host.origin_prefix}; its log of logs is {host.log_of_logs}."
    for entry in host.keys:
        which = "every log without a row of its own" if entry.origin is None else entry.origin
        yield f"  Key {key_text(entry.key)} signs {which} {span(entry)}."


def span(entry: LogKey | HeadKey) -> str:
    """Return in words for which tree sizes a key counts."""
    if entry.until_size is None:
        return "from the first entry on" if entry.from_size == 0 else f"from size {entry.from_size} on"
    return f"from size {entry.from_size} to below {entry.until_size}"


def _closed(trust: TrustFile) -> Iterator[str]:
    for one in trust.closed_logs:
        after = f"{one.successor} goes on" if one.successor else "no log goes on"
        yield f"{one.origin} counts up to size {one.tree_size}, root {one.root_hash.hex()}; {after}."
    if not trust.closed_logs:
        yield "None."


def _witnesses(trust: TrustFile) -> Iterator[str]:
    witnesses = trust.witnesses
    if witnesses.asks_nobody:
        yield "Nobody: no witness is asked, so that a second history shows on the chain only."
        return
    groups = {group.name: group for group in witnesses.policy.groups}
    yield f"{_quorum(witnesses.policy.quorum, groups)} must have cosigned the log of logs."
    for name, vkey in witnesses.policy.witnesses.items():
        yield f"  {name} is {vkey}."
    for name, until in witnesses.retired.items():
        yield f"  {name} is retired: it counts only for sizes below {until}."


def _quorum(name: str, groups: Mapping[str, Group]) -> str:
    if name not in groups:
        return name
    group = groups[name]
    members = [_quorum(member, groups) for member in group.members]
    if len(members) == 1:
        return members[0]
    how = "all" if group.threshold == len(members) else f"at least {group.threshold}"
    return f"{how} of ({', '.join(members)})"


def _chain(chain: ChainProfile) -> Iterator[str]:
    yield f"Chain {chain.chain_id}, contract 0x{chain.contract.hex()}, log {chain.log_id.hex()}."
    yield f"  Its code hashes to {chain.code_hash.hex()}; slot {chain.slot}."
    yield "  That it is this chain, the publisher asserts: no block says so."
    if chain.header_profile != EVM_RLP:
        yield f"  Header profile {chain.header_profile}: its anchor can be checked online only."
    for key in chain.head_keys:
        yield f"  Head key 0x{key.address.hex()} moves its head {span(key)}."
    for block in chain.trusted_blocks:
        yield f"  Block {block.number} {block.block_hash.hex()} is believed: {block.source}."
    if not chain.trusted_blocks:
        yield "  No block is believed: its anchor can be checked online only."


def _limits(trust: TrustFile) -> Iterator[str]:
    limits = trust.limits
    if limits.max_age_ms is not None:
        hours = counted(limits.max_age_ms // HOUR, "hour")
        yield f"The newest anchored head is at most {hours} old at the check."
    if limits.not_before is not None:
        yield f"The newest anchored head is not from before {day(limits.not_before)}."
    if limits.is_anchor_required:
        yield "Without proof from a chain nothing passes."
    else:
        yield "NO proof from a chain is needed: the times in a bundle may then be the log host's word alone."
    yield (
        "A value registered more than a rule profile's delay after its interval is late; "
        f"no profile may allow more than {counted(limits.commit_delay_ms // HOUR, 'hour')}."
    )


def _algorithms(trust: TrustFile) -> Iterator[str]:
    for algorithm, last in trust.algorithms.last_dates.items():
        yield f"{algorithm_name(algorithm)}, for what was anchored until {day(last)}."
    yield "No other algorithm."


def _profiles(trust: TrustFile) -> Iterator[str]:
    yield f"Data codes by {', '.join(trust.limits.rule_profiles)}, and by no other rule profile."
    grades = ", ".join(trust.limits.grade_profiles)
    yield f"Low-carbon grades by {grades}, and by no other rule." if grades else "No low-carbon grade counts."


def _key_json(entry: LogKey) -> dict[str, Any]:
    return {
        "public": key_text(entry.key),
        "origin": entry.origin,
        "from_size": entry.from_size,
        "until_size": entry.until_size,
    }


def _chain_json(chain: ChainProfile) -> dict[str, Any]:
    return {
        "chain_id": chain.chain_id,
        "header_profile": chain.header_profile,
        "contract": chain.contract.hex(),
        "code_hash": chain.code_hash.hex(),
        "log_id": chain.log_id.hex(),
        "slot": chain.slot,
        "head_keys": [
            {"address": one.address.hex(), "from_size": one.from_size, "until_size": one.until_size}
            for one in chain.head_keys
        ],
        "trusted_blocks": [
            {"number": one.number, "hash": one.block_hash.hex(), "source": one.source}
            for one in chain.trusted_blocks
        ],
    }
