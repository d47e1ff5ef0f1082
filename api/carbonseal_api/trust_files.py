"""The trust file that a deployment can write about itself, for a first look.

It names this deployment's registrar, log host and chain, and says so in its label: whoever relies on a bundle
gets a trust file from somebody else than the party that is checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from carbonseal_attest.algorithms import ADMITTED
from carbonseal_attest.chain_profile import ChainProfile
from carbonseal_attest.instants import parse_instant
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import Signer
from carbonseal_attest.trust import (
    Algorithms,
    Limits,
    LogKey,
    TrustedLogHost,
    TrustedRegistrar,
    TrustFile,
    Witnesses,
    sign_trust_file,
)
from carbonseal_ledger.log_host import LogHost
from carbonseal_verifier.grade_package import load_grade_rules

_LAST_DATE = parse_instant("2035-12-31T00:00:00Z")
_DAY_MS = 86_400_000
_COMMIT_DELAY_MS = 26 * 3_600_000  # as in the rule profile default@1


def own_trust_file(
    *,
    publisher: str,
    label: str,
    registrar: TrustedRegistrar,
    log_host: str,
    log_host_name: str,
    log_key: PublicKey,
    changed_keys: Sequence[LogKey] = (),
    chain: ChainProfile | None,
    at: int,
    profile: str,
    signer: Signer,
    witnesses: Witnesses | None = None,
) -> bytes:
    """Return a signed trust file about one deployment.

    `at` is the instant of publication in ms; anchored heads must be no older than the day before it.
    Without a chain no anchor is required, without witnesses no cosignature. `changed_keys` are the rows of
    logs that `log_key` has not signed from their beginning (`changed_log_keys`).
    """
    trust = TrustFile(
        publisher=publisher,
        label=label,
        published_at=at,
        digest=b"",
        signed_by=None,
        registrars=(registrar,),
        log_hosts=(
            TrustedLogHost(
                log_host,
                f"{log_host_name}/",
                f"{log_host_name}/epochs",
                (LogKey(log_key, 0, None), *changed_keys),
            ),
        ),
        closed_logs=(),
        witnesses=witnesses or Witnesses.none(),
        chains=() if chain is None else (chain,),
        algorithms=Algorithms(dict.fromkeys(sorted(ADMITTED), _LAST_DATE)),
        limits=Limits(
            max_age_ms=None,
            not_before=at - _DAY_MS,
            is_anchor_required=chain is not None,
            commit_delay_ms=_COMMIT_DELAY_MS,
            rule_profiles=(profile,),
            grade_profiles=tuple(sorted(load_grade_rules())),
        ),
    )
    return sign_trust_file(trust, signer)


def changed_log_keys(host: LogHost, origins: Iterable[str]) -> list[LogKey]:
    """Return the rows of a trust file for those of the origins whose log key was rotated."""
    rows: list[LogKey] = []
    for origin in sorted(set(origins)):
        spans = host.log_key_spans(origin)
        ends = [size for size, _ in spans[1:]]
        if ends:
            rows += [
                LogKey(key, size, end, origin) for (size, key), end in zip(spans, [*ends, None], strict=True)
            ]
    return rows
