"""Origins of logs as callers name them: whose log it is, and who may ask for it at this door."""

from __future__ import annotations

from carbonseal_api.authentication import Principal
from carbonseal_api.problems import NotFound


def party_of(origin: str) -> str:
    """Return the party code in an origin `<host>/<party>/<log>`.

    Raises:
        NotFound: The origin has another shape.
    """
    pieces = origin.split("/")
    if len(pieces) != 3:
        raise NotFound("origin", "no such log for this key", "write <log host>/<party>/register or …/data")
    return pieces[1]


def allow_origin(principal: Principal, origin: str) -> None:
    """Refuse a caller who neither owns the log nor runs the host.

    Raises:
        NotFound: Another party's log; whether it exists is not said.
    """
    if not principal.sees_all:
        principal.require_party(party_of(origin), "origin")
