"""Prints the permission table and the table of party roles as docs/spec/permissions.md.

`python -m carbonseal_api.permissions_page > docs/spec/permissions.md`; a test holds the page to the tables.
"""

from __future__ import annotations

import sys

from carbonseal_api.authentication import ROLES
from carbonseal_api.permissions import PUBLIC, PermissionTable, Rule, shipped_table
from carbonseal_api.standing import party_roles

_HEAD = """# Permissions

Printed from `api/carbonseal_api/permissions.toml` and `party_roles.toml` by
`python -m carbonseal_api.permissions_page`; change those, never this page. The guard stands in front of every
route and reads the same tables. A route without a row is refused (`permission-missing`), and a test fails.

Who is not known is answered 401, who lacks the role 403 `role-missing`. Beyond the role, a caller reaches its
own organisation alone (**own**), or in some roles every organisation (**all**). Everybody else reaches
another organisation only as far as its owner's grant goes. What is foreign is answered like what does not
exist, byte for byte: 404, or 403 `grant-missing` where grants decide.

## Roles of accounts

An account (an API key, an OAuth2 client, a person) has a role only while its party is admitted with the role
beside it. Nobody gives a role that it has not got; an enterprise also gives `gateway` and `reader`.
"""

_PARTIES = """
## Roles of parties

A legal person, known by its credit code, is one party. Roles that exclude each other are never admitted for
it.
"""

_TABLE = """
## The table

own: of the caller's own organisation; all: of every organisation; –: refused. *session*: by the cookie of the
pages instead of a bearer credential.
"""


def page(table: PermissionTable) -> str:
    """Return the page."""
    return (
        "\n".join([_HEAD, *_accounts(), _PARTIES, *_parties(), _TABLE, *_matrix(table), *_routes(table)])
        + "\n"
    )


def _accounts() -> list[str]:
    needed = {account: role for role, row in party_roles().items() for account in row["accounts"]}
    rows = [f"| `{name}` | {text} | `{needed[name]}` |" for name, text in ROLES.items()]
    return ["| role | what it is for | party role |", "|---|---|---|", *rows]


def _parties() -> list[str]:
    rows = [
        f"| `{role}` | {_codes(row['accounts'])} | {_codes(row['excludes'])} |"
        for role, row in party_roles().items()
    ]
    return ["| party role | roles of its accounts | excludes |", "|---|---|---|", *rows]


def _matrix(table: PermissionTable) -> list[str]:
    roles = list(ROLES)
    head = [
        "| resource | action | public | " + " | ".join(role.replace("_", " ") for role in roles) + " |",
        "|---" * (len(roles) + 3) + "|",
    ]
    rows = [
        f"| {_resource(rule)} | {rule.action} | {'yes' if rule.is_public else '–'} | "
        + " | ".join(_reach(rule, role) for role in roles)
        + " |"
        for rule in table.rules
    ]
    return head + rows


def _routes(table: PermissionTable) -> list[str]:
    head = ["", "## Routes", "", "| resource | action | routes |", "|---|---|---|"]
    routes = ["<br>".join(f"`{route}`" for route in rule.routes) for rule in table.rules]
    rows = zip(table.rules, routes, strict=True)
    return head + [f"| {_resource(rule)} | {rule.action} | {named} |" for rule, named in rows]


def _resource(rule: Rule) -> str:
    return rule.resource.replace("_", " ") + (" *(session)*" if rule.credential == "session" else "")


def _reach(rule: Rule, role: str) -> str:
    if PUBLIC in rule.roles:
        return "yes"
    if role not in rule.roles:
        return "–"
    return "all" if role in rule.everywhere else "own"


def _codes(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


if __name__ == "__main__":
    sys.stdout.write(page(shipped_table()))
