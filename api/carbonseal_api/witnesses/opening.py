"""Opens the witnesses that the settings name: a C2SP tlog-policy file with their keys and addresses.

The file says whom this service asks. Whose cosignatures count for a reader is said by the reader's trust file
alone; the one that a deployment writes about itself names the same witnesses.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Engine

from carbonseal_api.problems import SettingsInvalid
from carbonseal_api.settings import Settings
from carbonseal_attest.errors import PolicyInvalid, TrustInvalid
from carbonseal_attest.instants import Clock
from carbonseal_attest.tlog_policy import MAX_POLICY, TlogPolicy
from carbonseal_attest.trust import Witnesses
from carbonseal_ledger.errors import WitnessPolicyInvalid
from carbonseal_ledger.witnessing import Witnessing, check_policy

_FIELD: Final = "witness_policy"


def open_witnesses(settings: Settings, engine: Engine, clock: Clock, origin: str) -> Witnessing | None:
    """Return the witnesses of the log of logs `origin`; None where the settings name none.

    Raises:
        SettingsInvalid: The file cannot be read, is no such policy, or cannot stand in a trust file.
    """
    policy = read_policy(settings)
    return None if policy is None else Witnessing(engine, policy, origin, clock)


def read_policy(settings: Settings) -> TlogPolicy | None:
    """Return the policy that the settings name; None where they name none.

    Raises:
        SettingsInvalid: See `open_witnesses`.
    """
    if settings.witness_policy is None:
        return None
    try:
        with settings.witness_policy.open("rb") as file:
            policy = TlogPolicy.from_bytes(file.read(MAX_POLICY + 1))
        check_policy(policy)
        Witnesses.of(policy)
    except OSError as error:
        raise SettingsInvalid(
            _FIELD, f"cannot be read: {error.strerror}", "name a tlog-policy file"
        ) from error
    except (PolicyInvalid, TrustInvalid, WitnessPolicyInvalid) as error:
        raise SettingsInvalid(f"{_FIELD}: {error.field}", error.reason, error.remedy) from error
    return policy
