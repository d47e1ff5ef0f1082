"""The service's own description as data: its operations, and whether an answer is one that it documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jsonschema_rs

from carbonseal_api.permissions import Rule, shipped_table

TOKEN = "/oauth2/token"  # its refusals are those of RFC 6749
PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Operation:
    """One method of one path, as /openapi.json tells it."""

    method: str
    path: str
    told: dict[str, Any]
    components: dict[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        return str(self.told["operationId"])

    @cached_property
    def rule(self) -> Rule:
        rule = shipped_table().rule(self.method, self.path)
        assert rule is not None
        return rule

    @property
    def bodies(self) -> dict[str, dict[str, Any]]:
        """Media types that it takes, with schema and examples."""
        found: dict[str, dict[str, Any]] = self.told.get("requestBody", {}).get("content", {})
        return found

    @property
    def can_be_badly_formed(self) -> bool:
        """Whether something besides its path has a shape."""
        shaped = [one for one in self.told.get("parameters", ()) if one["in"] != "path"]
        return bool(shaped) or "application/json" in self.bodies

    def validator(self, schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
        """Of a schema that may refer to the description's components."""
        return jsonschema_rs.Draft202012Validator(schema | {"components": self.components})

    def examples(self, media_type: str = "application/json") -> list[Any]:
        """The examples of a body, written at the route, its media type or its model."""
        content = self.bodies.get(media_type, {})
        named = [one["value"] for one in content.get("examples", {}).values()]
        return named or self.of_schema(content.get("schema", {}))

    def of_schema(self, schema: dict[str, Any]) -> list[Any]:
        """The examples of a schema or of the one that it refers to."""
        referred = schema.get("$ref", "").rpartition("/")[2]
        found: list[Any] = (self.components["schemas"][referred] if referred else schema).get("examples", [])
        return found

    def filled(self, facts: dict[str, str]) -> str:
        """Its path with every parameter filled."""
        return re.sub(r"\{(\w+)\}", lambda match: facts[match[1]], self.path)

    def fault_of(self, answer: Any) -> str | None:
        """What an answer has that is not documented; None when it is as documented."""
        documented = self.told["responses"].get(str(answer.status_code))
        if documented is None:
            return f"status {answer.status_code} is not documented: {answer.text[:300]}"
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        content = documented.get("content", {})
        if not content:
            return None if not answer.content else f"a body of {media_type!r} is not documented"
        described = content.get(media_type, content.get("*/*"))
        if described is None:
            return f"media type {media_type!r} is not documented, {list(content)} are"
        if answer.status_code >= 400 and self.path != TOKEN and media_type != PROBLEM:
            return f"a refusal of {media_type!r} is no problem detail"
        if not media_type.endswith("json") or not described.get("schema"):
            return None
        faults = [error.message for error in self.validator(described["schema"]).iter_errors(answer.json())]
        return f"not the documented shape: {faults[:3]}" if faults else None


def operations(site: Any) -> Iterator[Operation]:
    """Every operation that the site describes."""
    document = site.client.app.openapi()
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            yield Operation(method.upper(), path, told, document["components"])
