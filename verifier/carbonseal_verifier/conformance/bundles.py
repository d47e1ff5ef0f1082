"""Family bundle: evidence bundles, ours in hex or one as it is, through `attest.bundle`.

Their form is checked, and that the members written again are the same bytes; what they prove is the work of
`carbonseal-verifier check`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import partial
from typing import Any

from carbonseal_attest.bundle import read_members, write_bundle
from carbonseal_attest.bundle_layout import to_members
from carbonseal_attest.bundle_reading import from_members
from carbonseal_attest.errors import BundleInvalid
from carbonseal_verifier.conformance import ours
from carbonseal_verifier.conformance.case import ACCEPTED, Case, Meaning
from carbonseal_verifier.conformance.fields import Fields
from carbonseal_verifier.conformance.shape import Shape
from carbonseal_verifier.conformance.vector_file import Source

_START = b"\x82\x71carbonseal-bundle"


def _is_bundle(document: Any) -> bool:
    return isinstance(document, bytes) and document.startswith(_START)


def _raw(document: Any, source: Source) -> Iterable[Case]:
    yield Case(source.name, ACCEPTED, partial(_read, document))


def _read(data: bytes) -> Meaning:
    members = dict(read_members(io.BytesIO(data)))
    out = io.BytesIO()
    write_bundle(to_members(from_members(members.items())), out)
    if out.getvalue() != data:
        raise BundleInvalid("bundle", "writes other bytes again", "report this as a defect")
    return {"members": {name: member.hex() for name, member in members.items()}}


def _ours(fields: Fields) -> Meaning:
    found = _read(fields.hex("bundle"))
    wanted = fields.value("members") if "members" in fields else found["members"]
    if wanted != found["members"]:
        raise BundleInvalid("members", "differ from what the vector says", "compare the members")
    return found


BUNDLE = (
    ours.shape("bundle", _ours),
    Shape("bundle", "an evidence bundle as it is", _is_bundle, _raw),
)
