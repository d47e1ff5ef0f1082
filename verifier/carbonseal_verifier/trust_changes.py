"""What changed between two trust files, and whether each change makes the trust wider or narrower.

Wider: something passes that would have failed. Narrower: something fails that would have passed. What is
neither for sure (another key, another publisher) is called different. Pure; wording for one language.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest.chain_profile import ChainProfile, HeadKey
from carbonseal_attest.trust import LogKey, TrustFile
from carbonseal_verifier.quorums import DIFFERENT, NARROWER, WIDER, compare_quorums
from carbonseal_verifier.trust_words import HOUR, algorithm_name, day, key_text

_NEVER: Final = 1 << 62  # a span without an end


@dataclass(frozen=True, slots=True)
class Change:
    """One change: what it is about, how it was, how it is, and what it does to the trust."""

    what: str
    before: str
    after: str
    effect: str

    def to_json(self) -> dict[str, str]:
        """Return {what, before, after, effect}."""
        return {"what": self.what, "before": self.before, "after": self.after, "effect": self.effect}

    def line(self) -> str:
        """Return the change on one line."""
        return f"{self.effect:9} {self.what}: {self.before} -> {self.after}"


def changes(old: TrustFile, new: TrustFile) -> list[Change]:
    """Return the changes from `old` to `new`, part by part."""
    return [
        *_of_publisher(old, new),
        *_of_limits(old, new),
        *_of_algorithms(old, new),
        *_of_witnesses(old, new),
        *_of_registrars(old, new),
        *_of_log_hosts(old, new),
        *_of_closed_logs(old, new),
        *_of_chains(old, new),
    ]


def verdict(found: list[Change]) -> str:
    """Return what all changes together do, in one line."""
    effects = {change.effect for change in found}
    if not found:
        return "same: both say the same"
    if effects == {WIDER}:
        return "wider: the second believes more than the first"
    if effects == {NARROWER}:
        return "narrower: the second believes less than the first"
    return "different: neither wider nor narrower as a whole"


def _of_publisher(old: TrustFile, new: TrustFile) -> Iterator[Change]:
    yield from _plain("publisher", old.publisher, new.publisher)
    yield from _plain("label", old.label, new.label)
    yield from _plain("published", day(old.published_at), day(new.published_at))
    yield from _plain("signed by", _signer(old), _signer(new))


def _of_limits(old: TrustFile, new: TrustFile) -> Iterator[Change]:
    was, now = old.limits, new.limits
    ages = tuple(_NEVER if one.max_age_ms is None else one.max_age_ms for one in (was, now))
    yield from _ranked("greatest age of the newest anchored head", ages, tuple(map(_hours, ages)))
    earliest = tuple(-1 if one.not_before is None else one.not_before for one in (was, now))
    shown = tuple("any" if at == -1 else day(at) for at in earliest)
    yield from _ranked("earliest newest anchored head", (-earliest[0], -earliest[1]), shown)
    anchors = tuple("required" if one.is_anchor_required else "optional" for one in (was, now))
    yield from _ranked("anchor", (not was.is_anchor_required, not now.is_anchor_required), anchors)
    delays = was.commit_delay_ms, now.commit_delay_ms
    yield from _ranked("greatest commit delay of a profile", delays, tuple(map(_hours, delays)))
    for what, before, after in (
        ("rule profile", was.rule_profiles, now.rule_profiles),
        ("grade profile", was.grade_profiles, now.grade_profiles),
    ):
        yield from _set(what, dict.fromkeys(before, ""), dict.fromkeys(after, ""))


def _of_algorithms(old: TrustFile, new: TrustFile) -> Iterator[Change]:
    was, now = old.algorithms.last_dates, new.algorithms.last_dates
    for algorithm in sorted(was.keys() | now.keys()):
        dates = was.get(algorithm, -1), now.get(algorithm, -1)
        shown = tuple("not admitted" if at == -1 else f"until {day(at)}" for at in dates)
        yield from _ranked(algorithm_name(algorithm), dates, shown)


def _of_witnesses(old: TrustFile, new: TrustFile) -> Iterator[Change]:
    was, now = old.witnesses, new.witnesses
    if str(was.policy) != str(now.policy):
        shown = [" / ".join(str(one.policy).strip().splitlines()) for one in (was, now)]
        effect = compare_quorums(was, now)
        if effect is not None:
            yield Change("witness quorum", shown[0], shown[1], effect)
    for name in sorted(was.retired.keys() | now.retired.keys()):
        sizes = tuple(one.retired.get(name, _NEVER) for one in (was, now))
        words = tuple("counts" if size == _NEVER else f"counts below size {size}" for size in sizes)
        yield from _ranked(f"witness {name}", sizes, words)


def _of_registrars(old: TrustFile, new: TrustFile) -> Iterator[Change]:
    was, now = (
        {one.party: f"{one.register_origin}, key {key_text(one.key)}" for one in trust.registrars}
        for trust in (old, new)
    )
    yield from _set("registrar", was, now)


def _of_log_hosts(old: TrustFile, new: TrustFile) -> Iterator[Change]:
    was, now = ({one.party: one for one in trust.log_hosts} for trust in (old, new))
    yield from _set("log host", dict.fromkeys(was, ""), dict.fromkeys(now, ""))
    for party in sorted(was.keys() & now.keys()):
        before, after = was[party], now[party]
        if before.origin_prefix != after.origin_prefix:
            effect = DIFFERENT
            if before.origin_prefix.startswith(after.origin_prefix):
                effect = WIDER
            elif after.origin_prefix.startswith(before.origin_prefix):
                effect = NARROWER
            yield Change(f"origins of {party}", before.origin_prefix, after.origin_prefix, effect)
        yield from _plain(f"log of logs of {party}", before.log_of_logs, after.log_of_logs)
        yield from _of_log_keys(party, before.keys, after.keys)


def _of_log_keys(party: str, old: tuple[LogKey, ...], new: tuple[LogKey, ...]) -> Iterator[Change]:
    was, now = (
        {(one.origin or "", key_text(one.key), one.from_size): one for one in keys} for keys in (old, new)
    )
    for name in sorted(was.keys() | now.keys()):
        origin, key, start = name
        # A row about one log takes that log out of the rows about all: neither more nor less for sure.
        about = f"key {key} of {party} from size {start}" + (f" of {origin}" if origin else "")
        ends = tuple(_end(rows.get(name)) for rows in (was, now))
        for change in _ranked(about, ends, _ends(ends)):
            yield Change(change.what, change.before, change.after, DIFFERENT if origin else change.effect)


def _of_closed_logs(old: TrustFile, new: TrustFile) -> Iterator[Change]:
    was, now = ({one.origin: one for one in trust.closed_logs} for trust in (old, new))
    for origin in sorted(was.keys() | now.keys()):
        sizes = tuple(_NEVER if origin not in rows else rows[origin].tree_size for rows in (was, now))
        shown = tuple("open" if size == _NEVER else f"closed at size {size}" for size in sizes)
        yield from _ranked(f"log {origin}", sizes, shown)
        if origin in was and origin in now:
            before, after = was[origin], now[origin]
            yield from _plain(f"successor of {origin}", str(before.successor), str(after.successor))
            if before.tree_size == after.tree_size:
                yield from _plain(f"last root of {origin}", before.root_hash.hex(), after.root_hash.hex())


def _of_chains(old: TrustFile, new: TrustFile) -> Iterator[Change]:
    was, now = ({_chain_name(one): one for one in trust.chains} for trust in (old, new))
    yield from _set("chain", dict.fromkeys(was, ""), dict.fromkeys(now, ""))
    for name in sorted(was.keys() & now.keys()):
        before, after = was[name], now[name]
        yield from _plain(f"contract of {name}", before.contract.hex(), after.contract.hex())
        yield from _plain(f"code of {name}", before.code_hash.hex(), after.code_hash.hex())
        yield from _plain(f"slot of {name}", str(before.slot), str(after.slot))
        yield from _plain(f"header profile of {name}", before.header_profile, after.header_profile)
        was_keys, now_keys = (
            {(one.address.hex(), one.from_size): one for one in chain.head_keys} for chain in (before, after)
        )
        for at in sorted(was_keys.keys() | now_keys.keys()):
            ends = tuple(_end(rows.get(at)) for rows in (was_keys, now_keys))
            yield from _ranked(f"head key 0x{at[0]} from size {at[1]} of {name}", ends, _ends(ends))
        blocks = [
            {f"{one.number} {one.block_hash.hex()}": "" for one in chain.trusted_blocks}
            for chain in (before, after)
        ]
        yield from _set(f"believed block of {name}", blocks[0], blocks[1])


def _plain(what: str, before: str, after: str) -> Iterator[Change]:
    if before != after:
        yield Change(what, before, after, DIFFERENT)


def _ranked(what: str, ranks: tuple[Any, ...], shown: tuple[str, ...]) -> Iterator[Change]:
    """Compare two values of which the greater one lets more pass."""
    if ranks[0] != ranks[1]:
        yield Change(what, shown[0], shown[1], WIDER if ranks[1] > ranks[0] else NARROWER)


def _set(what: str, was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Change]:
    """Compare two tables of things that each let more pass."""
    for name in sorted(was.keys() | now.keys()):
        if name not in now:
            yield Change(f"{what} {name}", was[name] or "there", "gone", NARROWER)
        elif name not in was:
            yield Change(f"{what} {name}", "not there", now[name] or "there", WIDER)
        else:
            yield from _plain(f"{what} {name}", was[name], now[name])


def _ends(ends: tuple[int, ...]) -> tuple[str, ...]:
    return tuple({-1: "none", _NEVER: "without end"}.get(end, f"below {end}") for end in ends)


def _end(entry: LogKey | HeadKey | None) -> int:
    if entry is None:
        return -1
    return _NEVER if entry.until_size is None else entry.until_size


def _chain_name(chain: ChainProfile) -> str:
    return f"{chain.chain_id}, log {chain.log_id.hex()}"


def _hours(milliseconds: int) -> str:
    return "any" if milliseconds == _NEVER else f"{milliseconds // HOUR} hours"


def _signer(trust: TrustFile) -> str:
    return "nobody" if trust.signed_by is None else key_text(trust.signed_by)
