"""Checks the structure of a PROV-JSON document: records, relations and what they refer to.

Written from the W3C Member Submission PROV-JSON of 2013-04-24 and the PROV data model; it checks form and
references, not whether the provenance is true.
"""

from __future__ import annotations

import re
from typing import Any

QUALIFIED = re.compile(r"(?:_|[a-z][a-z0-9]*):[A-Za-z0-9/@._~%+-]+")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
RECORDS = ("entity", "activity", "agent")
# Relation: member to the record that it refers to; a member with `?` may be left out.
RELATIONS = {
    "wasGeneratedBy": {"prov:entity": "entity", "prov:activity?": "activity"},
    "used": {"prov:activity": "activity", "prov:entity?": "entity"},
    "wasDerivedFrom": {
        "prov:generatedEntity": "entity",
        "prov:usedEntity": "entity",
        "prov:activity?": "activity",
    },
    "wasAttributedTo": {"prov:entity": "entity", "prov:agent": "agent"},
    "wasAssociatedWith": {"prov:activity": "activity", "prov:agent?": "agent", "prov:plan?": "entity"},
    "actedOnBehalfOf": {"prov:delegate": "agent", "prov:responsible": "agent", "prov:activity?": "activity"},
    "wasInvalidatedBy": {"prov:entity": "entity", "prov:activity?": "activity"},
    "wasInfluencedBy": {"prov:influencee": None, "prov:influencer": None},
    "hadMember": {"prov:collection": "entity", "prov:entity": "entity"},
}
OTHER_MEMBERS = {"prov:role", "prov:type", "prov:time", "prov:label"}


def check_prov(document: dict[str, Any]) -> None:
    """Fail unless a document is well-formed PROV-JSON whose references lead somewhere."""
    assert set(document) <= {"prefix", *RECORDS, *RELATIONS}, set(document)
    prefixes = document["prefix"]
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", name) and ":" in uri for name, uri in prefixes.items())
    known = {record: set(document.get(record, {})) for record in RECORDS}
    for record in RECORDS:
        for name, said in document.get(record, {}).items():
            check_name(name, prefixes)
            check_attributes(said, prefixes)
            for key in ("prov:startTime", "prov:endTime"):
                assert key not in said or (record == "activity" and INSTANT.fullmatch(said[key]))
    seen: set[str] = set()
    for relation, members in RELATIONS.items():
        for name, said in document.get(relation, {}).items():
            check_name(name, prefixes)
            assert name not in seen, f"{name} stands twice"
            seen.add(name)
            rest = dict(said)
            for member, record in members.items():
                value = rest.pop(member.rstrip("?"), None)
                assert value is not None or member.endswith("?"), (relation, member)
                if value is not None:
                    check_name(value, prefixes)
                    places = known[record] if record is not None else set().union(*known.values())
                    assert value in places, f"{relation} names {value}, which is no {record}"
            check_attributes(rest, prefixes)
            assert set(rest) <= OTHER_MEMBERS, set(rest)


def check_name(name: str, prefixes: dict[str, str]) -> None:
    assert QUALIFIED.fullmatch(name), f"{name!r} is no qualified name"
    assert name.partition(":")[0] in {"_", "prov", *prefixes}, f"{name!r} has an undeclared prefix"


def check_attributes(said: dict[str, Any], prefixes: dict[str, str]) -> None:
    for key, value in said.items():
        check_name(key, prefixes)
        values = value if isinstance(value, list) else [value]
        assert values, f"{key} is empty"
        for one in values:
            if isinstance(one, dict):
                assert "$" in one
                assert set(one) <= {"$", "type", "lang"}
                assert isinstance(one["$"], str)
                if one.get("type") == "prov:QUALIFIED_NAME":
                    check_name(one["$"], prefixes)
            else:
                assert isinstance(one, str | int | bool)
