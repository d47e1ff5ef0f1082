"""The one permission table: role x resource x action, as data in `permissions.toml`.

Read once and checked as a whole: an unknown role, a route named twice or a key that nobody reads is refused.
`guard` holds every call to it; `docs/spec/permissions.md` prints it. Which organisation's resources a caller
may see is decided after the table, by `Principal.require_party` or the domain's own service; the table only
says which roles reach every organisation.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from carbonseal_api.authentication import ROLES, Principal
from carbonseal_api.problems import ApiError

TABLE: Final = "permissions.toml"
PUBLIC: Final = "public"
CREDENTIALS: Final = ("bearer", "session")
_METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH"})
_NAME: Final = re.compile(r"[a-z][a-z_]{1,39}")
_ROUTE: Final = re.compile(r"([A-Z]+) (/[^ ]*)")
_CONVERTER: Final = re.compile(r"\{(\w+):\w+\}")
_RULE_KEYS: Final = frozenset({"roles", "everywhere", "routes"})


class PermissionsInvalid(ApiError):
    """The permission table contradicts itself, or the routes of the service."""

    code = "permissions-invalid"
    status = 500


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: who may do one thing with one kind of resource.

    Attributes:
        resource: What it is about.
        action: What is done with it.
        roles: Who may; `public` needs no caller.
        everywhere: Roles among them that reach every organisation.
        credential: How a caller shows who it is: `bearer` or `session`.
        routes: `METHOD /path` of each route of this row.
    """

    resource: str
    action: str
    roles: frozenset[str]
    everywhere: frozenset[str]
    credential: str
    routes: tuple[str, ...]

    @property
    def is_public(self) -> bool:
        """Whether no caller is needed."""
        return PUBLIC in self.roles

    def admit(self, principal: Principal) -> Principal:
        """Return the caller as this row sees it: with the roles that the row names, and no other.

        A second role that the row does not name cannot widen what the first one reaches.

        Raises:
            RoleMissing: None of the roles.
        """
        principal.require(self.roles)
        if principal.roles <= self.roles and principal.everywhere == self.everywhere:
            return principal
        return Principal(principal.key_id, principal.party, principal.roles & self.roles, self.everywhere)


class PermissionTable:
    """The rows, found by route."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._by_route: dict[str, Rule] = {}
        for rule in self.rules:
            for route in rule.routes:
                if route in self._by_route:
                    raise PermissionsInvalid(TABLE, f"{route} stands in two rows", "leave it in one")
                self._by_route[route] = rule

    @property
    def routes(self) -> frozenset[str]:
        """Every route that has a row."""
        return frozenset(self._by_route)

    @property
    def page_roles(self) -> frozenset[str]:
        """Roles that may look at some page, and may therefore open a session."""
        kept = [rule.roles for rule in self.rules if rule.credential == "session" and not rule.is_public]
        return frozenset().union(*kept)

    def rule(self, method: str, path: str) -> Rule | None:
        """Return the row of a route, None when there is none."""
        return self._by_route.get(route_name(method, path))


def route_name(method: str, path: str) -> str:
    """Return a route as the table writes it: converters such as `{origin:path}` are left out."""
    plain = _CONVERTER.sub(r"{\1}", path)
    return f"{method} {plain}"


@cache
def shipped_table() -> PermissionTable:
    """Return the table that this version ships.

    Raises:
        PermissionsInvalid: It contradicts itself.
    """
    return parse_table(resources.files("carbonseal_api").joinpath(TABLE).read_text(encoding="utf-8"))


def parse_table(text: str) -> PermissionTable:
    """Return the table of a TOML text.

    Raises:
        PermissionsInvalid: Not TOML, or a row is not as documented.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise PermissionsInvalid(TABLE, f"is not TOML: {problem}", "mend it") from problem
    if set(found) != {"resources"} or not isinstance(found["resources"], dict):
        raise PermissionsInvalid(TABLE, "holds something else than resources", "write [resources.<name>]")
    return PermissionTable(
        rule for name, resource in found["resources"].items() for rule in _rules_of(name, resource)
    )


def _rules_of(name: str, resource: Mapping[str, Any]) -> Iterable[Rule]:
    credential = resource.get("credential", "bearer")
    if not _NAME.fullmatch(name) or credential not in CREDENTIALS:
        raise PermissionsInvalid(name, "name or credential is unknown", f"use one of {CREDENTIALS}")
    for action, row in resource.items():
        if action != "credential":
            yield _rule(name, action, credential, row)


def _rule(resource: str, action: str, credential: str, row: Any) -> Rule:
    place = f"{resource}.{action}"
    if not isinstance(row, dict) or not _NAME.fullmatch(action) or set(row) - _RULE_KEYS:
        raise PermissionsInvalid(place, "is not a row", f"write {', '.join(sorted(_RULE_KEYS))}")
    roles, routes = _texts(place, row, "roles"), _texts(place, row, "routes")
    unknown = roles - ROLES.keys() - {PUBLIC}
    if unknown or not roles or (PUBLIC in roles and len(roles) > 1):
        reason = f"roles {sorted(unknown) or sorted(roles)} are unknown, none, or public beside others"
        raise PermissionsInvalid(place, reason, f"choose from {', '.join(ROLES)} or public alone")
    if "everywhere" in row:
        everywhere = _texts(place, row, "everywhere")
        if not everywhere <= roles:
            raise PermissionsInvalid(place, "everywhere names a role that may not call", "name it in roles")
    else:
        everywhere = roles & ({"operator", "regulator"} if action == "read" else {"operator"})
    for route in routes:
        match = _ROUTE.fullmatch(route)
        if match is None or match.group(1) not in _METHODS:
            raise PermissionsInvalid(place, f"{route!r} is no route", "write METHOD /path")
    if not routes:
        raise PermissionsInvalid(place, "names no route", "name one, or leave the row out")
    named = tuple(sorted(route_name(*route.split(" ", 1)) for route in routes))
    return Rule(resource, action, frozenset(roles), frozenset(everywhere), credential, named)


def _texts(place: str, row: Mapping[str, Any], key: str) -> set[str]:
    values = row.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise PermissionsInvalid(f"{place}.{key}", "is not a list of texts", "write a list")
    if len(set(values)) != len(values):
        raise PermissionsInvalid(f"{place}.{key}", "names something twice", "name it once")
    return set(values)
