"""Amending a party's registration policy: a file of figures becomes a statement that three have agreed to.

It runs where the keys of log host and registrar are, and the party's: a party whose key is elsewhere agrees
elsewhere, and is refused here. What the file leaves out stays as it is in force (`docs/spec/log.md`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.deployment import key_folder
from carbonseal_api.problems import ApiError
from carbonseal_attest.contents import KINDS
from carbonseal_attest.contents.identity import registration_policy
from carbonseal_attest.endorsement import endorse
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.identity.policies import RegistrationPolicy
from carbonseal_attest.statement import SignedStatement

MAX_FILE: Final = 1 << 16  # bytes


class PolicyFileInvalid(ApiError):
    """A policy file is no TOML, or a figure in it is unknown or out of range."""

    code = "policy-file-invalid"
    status = 422


def read_policy(path: Path, standing: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy in force with what the file says otherwise.

    In `[kinds]` each line is a kind with true, where its content must be stored first, or false.

    Raises:
        PolicyFileInvalid: no such file, or not such a policy.
    """
    try:
        data = path.read_bytes()
        if len(data) > MAX_FILE:
            raise PolicyFileInvalid(str(path), f"longer than {MAX_FILE} bytes", "write the figures only")
        given = tomllib.loads(data.decode("utf-8"))
    except FileNotFoundError as error:
        raise PolicyFileInvalid(str(path), "there is no such file", "write a TOML file of figures") from error
    except (OSError, ValueError) as error:
        raise PolicyFileInvalid(str(path), str(error), "write a TOML file of figures") from error
    kinds = given.pop("kinds", None)
    policy = {**standing, **given}
    if kinds is not None:
        policy["kinds"] = _rules(path, kinds)
    try:
        registration_policy(policy, "policy")
        RegistrationPolicy.of(policy)
    except CarbonsealError as error:
        remedy = "see docs/spec/contents.md, registration-policy"
        raise PolicyFileInvalid(f"{path}: {error.field}", error.reason, remedy) from error
    return policy


def amend(parts: Parts, party: str, policy: Mapping[str, Any], reason: str) -> SignedStatement:
    """Register a `policy` statement, signed by the party, endorsed by log host and registrar.

    Raises:
        PartMissing: a key of the three is not here.
        StatementRefused: the log refused it; another amendment may have come first.
        LogUnknown: the party's register log is not open here.
    """
    history, keys = parts.host.policies(party), key_folder(parts.settings)
    body: dict[str, Any] = {
        "origin": history.origin,
        "amends": history.spans[-1].digest,
        "policy": dict(policy),
        "reason": reason,
        "endorsements": [],
    }
    body["endorsements"] = [
        endorse(keys.signer("log"), "policy", party, "log_host", body),
        endorse(keys.signer("registrar"), "policy", party, "registrar", body),
    ]
    with parts.desks.desk(party) as desk:
        return desk.issue(history.origin, "policy", body)


def _rules(path: Path, kinds: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(kinds, dict):
        raise PolicyFileInvalid(f"{path}: kinds", "is no table", "write [kinds] and a line for each kind")
    rules = {}
    for kind, is_first in kinds.items():
        if kind not in KINDS:
            raise PolicyFileInvalid(f"{path}: kinds.{kind[:40]}", "is no kind", "name kinds of the registry")
        if not isinstance(is_first, bool):
            remedy = "true: its content first; false: it may follow"
            raise PolicyFileInvalid(f"{path}: kinds.{kind}", "is neither true nor false", remedy)
        rules[kind] = {"signer": KINDS[kind].signer, "content_first": is_first}
    return rules
