"""The registration policy of a party's two logs, folded out of its register log: what it demands, and when.

The genesis of the register states the first policy, the data log's genesis repeats it, and `policy`
statements in the register amend it for both, for what follows them (`docs/spec/log.md`, Registration policy).
A policy leaves kinds out and demands more than the formats do; it never lets anybody else sign, nor shuts out
the kinds by which a log keeps itself in order. Ledger and checker both ask `PolicyHistory.check` before they
`apply`, and `RegistrationPolicy.misfit` of each entry. Rates are figures here: only the ledger can hold them.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from carbonseal_attest.algorithms import ADMITTED
from carbonseal_attest.contents import KINDS
from carbonseal_attest.endorsement import verify_endorsement
from carbonseal_attest.errors import AttestError, IdentityInvalid
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.statement import Header

# Kinds by which a log keeps itself in order: a policy that shut them out could not be amended, its keys not
# be revoked, and a refused statement would block its stream for ever.
ALWAYS: Final = frozenset(
    {
        "genesis",
        "policy",
        "tick",
        "log_key",
        "void",
        "equivocation",
        "erasure",
        "recovery",
        "party",
        "device",
        "resume",
    }
)
KIND, STATEMENT_SIZE, CONTENT_SIZE, CLOCK = "kind", "statement size", "content size", "clock"


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a statement does not fit a policy; `rule` is one of the four above."""

    rule: str
    field: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class RegistrationPolicy:
    """One registration policy. Sizes in bytes, times in milliseconds.

    `kinds` maps a kind to whether its content must be stored before the receipt; empty: every kind of the
    registry, each with its content. `value` is the policy as it was signed.
    """

    value: Mapping[str, Any]
    kinds: Mapping[str, bool]
    max_statement_bytes: int
    max_content_bytes: int
    max_batch_statements: int
    statements_per_second: int
    bytes_per_day: int
    conflicts_per_key: int
    clock_tolerance_ms: int
    late_after_ms: int
    epoch_ms: int

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> RegistrationPolicy:
        """Return the policy that an admitted genesis or policy body states.

        Raises:
            IdentityInvalid: it lets somebody else sign a kind than the registry does, lets a content wait
                that is needed at once, or names a kind that there is not.
        """
        for kind, rule in value["kinds"].items():
            place = f"content.body.policy.kinds.{kind[:40]}"
            if kind not in KINDS:
                raise _refusal(place, "is no kind of the registry", "name registered kinds only")
            if rule["signer"] != KINDS[kind].signer:
                reason = f"a {rule['signer']} would sign {kind}, which is the {KINDS[kind].signer}'s"
                raise _refusal(place, reason, "leave a kind out, or name its own signer")
            if not rule["content_first"] and not KINDS[kind].may_follow:
                raise _refusal(place, f"the content of {kind} is needed at once", "have it stored first")
        kinds = {kind: bool(rule["content_first"]) for kind, rule in value["kinds"].items()}
        figures = {name: value[name] for name in cls.__dataclass_fields__ if name not in {"value", "kinds"}}
        return cls(value, kinds, **figures)

    def is_content_first(self, kind: str) -> bool:
        """Whether the content of a kind must be stored before a receipt is given."""
        return self.kinds.get(kind, True)

    def misfit(
        self,
        header: Header,
        *,
        statement_bytes: int,
        content_bytes: int | None,
        registered_by: int | None,
    ) -> Misfit | None:
        """Return what of a statement this policy does not admit, None where it admits all of it.

        Args:
            header: of the statement.
            statement_bytes: length of the entry.
            content_bytes: length of the content, None where it is not there.
            registered_by: ms; the ledger's clock as it registers; None for a checker, who does not judge a
                signer's clock here.
        """
        kind, name = KINDS.get(header.kind), header.kind
        if kind is None:
            return Misfit(
                KIND, "header.content_type", f"{name} is not in the registry", "use a registered kind"
            )
        if name not in ALWAYS:
            if self.kinds and name not in self.kinds:
                reason = f"the log's policy leaves {name} out"
                return Misfit(KIND, "header.content_type", reason, "register it in another log")
            if statement_bytes > self.max_statement_bytes:
                remedy = f"sign at most {self.max_statement_bytes} bytes"
                return Misfit(STATEMENT_SIZE, "statement", f"{statement_bytes} bytes", remedy)
            if content_bytes is not None and content_bytes > self.max_content_bytes:
                remedy = f"send at most {self.max_content_bytes} bytes; seal a shorter window"
                return Misfit(CONTENT_SIZE, "content", f"{content_bytes} bytes", remedy)
        if registered_by is not None and kind.signer != "log_host":
            field, latest = "header.iat", header.issued_at * 1000
            if kind.signer == "device" and header.interval is not None and header.interval[1] > latest:
                field, latest = "header.interval", header.interval[1]  # what has not ended is not measured
            if latest - registered_by > self.clock_tolerance_ms:
                remedy = f"set the clock; at most {self.clock_tolerance_ms} ms are tolerated"
                return Misfit(CLOCK, field, f"{latest - registered_by} ms in the future", remedy)
        return None


@dataclass(frozen=True, slots=True)
class PolicySpan:
    """A policy and the entries [start, end) of the register log that it is for; `digest` states it."""

    policy: RegistrationPolicy
    digest: bytes
    start: int
    end: int | None = None
    reason: str = ""


class PolicyHistory:
    """The policies of a party's logs after some entries of its register log `origin`, in log order."""

    def __init__(self, origin: str, party: str) -> None:
        self.origin = origin
        self.party = party
        self.spans: tuple[PolicySpan, ...] = ()

    def copy(self) -> PolicyHistory:
        """Return a copy that further statements may be tried on."""
        made = PolicyHistory(self.origin, self.party)
        made.spans = self.spans
        return made

    @property
    def newest(self) -> RegistrationPolicy:
        """The policy in force after the newest entry."""
        return self.spans[-1].policy

    def at(self, index: int) -> RegistrationPolicy:
        """The policy that entry `index` of the register is held to: it counts for what follows it."""
        return next(span.policy for span in reversed(self.spans) if span.start <= index)

    def open(self, digest: bytes, body: Mapping[str, Any]) -> None:
        """Begin with the register's genesis, entry 0.

        Raises:
            IdentityInvalid: see `RegistrationPolicy.of`.
        """
        self.spans = (PolicySpan(RegistrationPolicy.of(body["policy"]), digest, 0),)

    def check(
        self,
        subject: str,
        body: Mapping[str, Any],
        *,
        log_key: PublicKey,
        registrar_keys: Sequence[PublicKey],
        admitted: Container[int] = ADMITTED,
    ) -> None:
        """Check that a `policy` statement may follow what the register says so far.

        Args:
            subject: the statement header's.
            body: of the content, admitted by its schema.
            log_key: the key that signs the log's heads there.
            registrar_keys: any of which may endorse.
            admitted: algorithms under which an endorsement counts.

        Raises:
            IdentityInvalid: about another log, amending another policy than the one in force, a policy that
                is none, or not endorsed by log host and registrar.
        """
        if subject != self.party:
            raise _refusal("header.subject", "is not the party", "sign with the party as subject")
        if body["origin"] != self.origin:
            raise _refusal(
                "content.body.origin", f"is not {self.origin}", "amend the policy in the party's register log"
            )
        if not self.spans or body["amends"] != self.spans[-1].digest:
            raise _refusal(
                "content.body.amends",
                "names another statement than the one whose policy is in force",
                "read the policy in force and have the amendment of that one endorsed",
            )
        RegistrationPolicy.of(body["policy"])
        _check_endorsed(subject, body, "log_host", [log_key], admitted)
        _check_endorsed(subject, body, "registrar", registrar_keys, admitted)

    def apply(self, index: int, digest: bytes, body: Mapping[str, Any]) -> None:
        """Add entry `index` of the register log, a `policy` statement that `check` has let pass."""
        start = index + 1
        made = PolicySpan(RegistrationPolicy.of(body["policy"]), digest, start, None, body["reason"])
        self.spans = (*self.spans[:-1], replace(self.spans[-1], end=start), made)


def _check_endorsed(
    subject: str, body: Mapping[str, Any], role: str, keys: Sequence[PublicKey], admitted: Container[int]
) -> None:
    reason = "no key of that role is known"
    for key in keys:
        try:
            verify_endorsement("policy", subject, role, body, key, admitted=admitted)
        except AttestError as error:
            reason = error.reason
        else:
            return
    raise _refusal(
        f"endorsement by {role}", reason, f"have the {role.replace('_', ' ')}'s key endorse this very body"
    )


def _refusal(field: str, reason: str, remedy: str) -> IdentityInvalid:
    return IdentityInvalid(field, reason, remedy)
