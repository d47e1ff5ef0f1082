"""Trust policies (C2SP tlog-policy): logs, witnesses, groups, and the quorum that makes a head valid.

A policy keeps its text and prints it exactly; names are octets and nothing more, so text that is not UTF-8
stands in `str` as surrogate escapes. Which signatures verify is told by `cosignature`; this module only
counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from carbonseal_attest.errors import KeyRefused, PolicyInvalid
from carbonseal_attest.vkey import COSIGNATURES, Vkey

NONE: Final = "none"
MAX_POLICY: Final = 262_144  # characters; 128 verifier keys of ML-DSA-44 fill nine tenths of it
MAX_DEFINED: Final = 64  # logs, witnesses and groups, each; the format recommends 32 at least
_UNFIT: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_SPACE: Final = re.compile("[ \t]+")
_THRESHOLD: Final = re.compile("[1-9][0-9]{0,3}")


@dataclass(frozen=True, slots=True)
class Group:
    """A group has witnessed a head when at least `threshold` of its members have."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TlogPolicy:
    """Logs, witnesses by name, groups in the order of definition, and the name of the quorum."""

    logs: tuple[Vkey, ...]
    witnesses: Mapping[str, Vkey]
    groups: tuple[Group, ...]
    quorum: str
    urls: Mapping[str, str] = field(compare=False)  # by verifier key, as text
    text: str = field(compare=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> TlogPolicy:
        """Return the policy that `text` writes; `str()` gives `text` back.

        Raises:
            PolicyInvalid: a line is malformed, a name or key stands twice, or a name is used before its line.
        """
        if len(text) > MAX_POLICY:
            raise _refusal("text", f"longer than {MAX_POLICY} characters")
        if _UNFIT.search(text):
            raise _refusal("text", "holds a control character other than tab and newline")
        reading = _Reading()
        for number, line in enumerate(text.split("\n"), 1):
            words = [word for word in _SPACE.split(line) if word]
            if words and not words[0].startswith("#"):
                reading.take(f"line {number}", words)
        return reading.policy(text)

    @classmethod
    def from_bytes(cls, data: bytes) -> TlogPolicy:
        """Return the policy of a file; `bytes()` gives `data` back."""
        return cls.parse(data.decode("utf-8", "surrogateescape"))

    def __bytes__(self) -> bytes:
        """Return the policy as a file."""
        return self.text.encode("utf-8", "surrogateescape")

    def __str__(self) -> str:
        """Return the very text that was read."""
        return self.text

    def is_met(self, witnessed: Iterable[str]) -> bool:
        """Say whether these witnesses, by their names here, make the quorum; other names do not count."""
        if self.quorum == NONE:
            return True
        met = set(witnessed) & self.witnesses.keys()
        for group in self.groups:  # a group names only what stands before it
            if sum(member in met for member in group.members) >= group.threshold:
                met.add(group.name)
        return self.quorum in met


class _Reading:
    """What the lines read so far have defined."""

    def __init__(self) -> None:
        self.logs: dict[bytes, Vkey] = {}
        self.witnesses: dict[str, Vkey] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self.urls: dict[str, str] = {}
        self.keys: set[tuple[int, bytes]] = set()  # of witnesses
        self.members: set[str] = set()

    def take(self, field: str, words: list[str]) -> None:
        match words:
            case ["log", vkey, *url] if len(url) <= 1:
                self._log(field, vkey, url)
            case ["witness", name, vkey, *url] if len(url) <= 1:
                self._witness(field, name, vkey, url)
            case ["group", name, threshold, member, *members]:
                self._group(field, name, threshold, (member, *members))
            case ["quorum", name]:
                if self.quorum is not None:
                    raise _refusal(field, "a second quorum")
                if name != NONE and name not in self.witnesses and name not in self.groups:
                    raise _refusal(field, "a quorum that no line before defines")
                self.quorum = name
            case _:
                raise _refusal(field, "not a log, witness, group or quorum line of the right length")

    def policy(self, text: str) -> TlogPolicy:
        if self.quorum is None:
            raise _refusal("quorum", "no quorum line")
        return TlogPolicy(
            tuple(self.logs.values()),
            MappingProxyType(self.witnesses),
            tuple(self.groups.values()),
            self.quorum,
            MappingProxyType(self.urls),
            text,
        )

    def _log(self, field: str, text: str, url: list[str]) -> None:
        vkey = _vkey(field, text)
        if vkey.key.kid in self.logs:
            raise _refusal(field, "a second log with this key")
        self.logs[vkey.key.kid] = vkey
        self._note(field, len(self.logs), vkey, url)

    def _witness(self, field: str, name: str, text: str, url: list[str]) -> None:
        self._name(field, name)
        vkey = _vkey(field, text)
        if vkey.signature_type not in COSIGNATURES:
            raise _refusal(field, f"signature type {vkey.signature_type:02x} is not one of a cosignature")
        identity = vkey.key.algorithm, vkey.key.raw
        if identity in self.keys:
            raise _refusal(field, "a second witness with this key")
        self.keys.add(identity)
        self.witnesses[name] = vkey
        self._note(field, len(self.witnesses), vkey, url)

    def _group(self, field: str, name: str, threshold: str, members: tuple[str, ...]) -> None:
        self._name(field, name)
        if threshold in {"any", "all"}:
            count = 1 if threshold == "any" else len(members)
        elif _THRESHOLD.fullmatch(threshold) and int(threshold) <= len(members):
            count = int(threshold)
        else:
            raise _refusal(field, "threshold is not all, any, or a number from 1 to that of the members")
        for member in members:
            if member not in self.witnesses and member not in self.groups:
                raise _refusal(field, "a member that no line before defines")
            if member in self.members:
                raise _refusal(field, "a member that already counts elsewhere")
            self.members.add(member)
        self.groups[name] = Group(name, count, members)
        if len(self.groups) > MAX_DEFINED:
            raise _refusal(field, f"more than {MAX_DEFINED} groups")

    def _name(self, field: str, name: str) -> None:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise _refusal(field, "a name that is reserved or taken")

    def _note(self, field: str, count: int, vkey: Vkey, url: list[str]) -> None:
        if count > MAX_DEFINED:
            raise _refusal(field, f"more than {MAX_DEFINED} logs or witnesses")
        if url:
            self.urls[str(vkey)] = url[0]


def _vkey(field: str, text: str) -> Vkey:
    try:
        return Vkey.parse(text)
    except KeyRefused as error:
        raise _refusal(field, f"verifier key: {error.reason}") from error


def _refusal(field: str, reason: str) -> PolicyInvalid:
    return PolicyInvalid(f"policy {field}", reason, "write the policy as C2SP tlog-policy has it")
