"""Records what a lineage shows of other organisations, for each of them to see, before it is answered."""

from __future__ import annotations

from carbonseal_api.access_records.service import record
from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.grants.service import PURPOSE_OF
from carbonseal_api.lineage.schemas import Lineage
from carbonseal_attest.contents import KINDS

_SUPERVISING = {"regulator": "supervision", "operator": "operation"}


def disclosed(parts: Parts, principal: Principal, lineage: Lineage) -> None:
    """Record one disclosure for each other party of whose own the page shows something.

    Public statements disclose nothing.

    Raises:
        OperationalError: It could not be recorded; then nothing may be answered.
    """
    if not principal.roles & (_SUPERVISING.keys() | PURPOSE_OF.keys()):
        return  # such a caller sees of others what is public, and what names its own party
    owners = {
        node.party
        for node in lineage.nodes
        if node.party not in {None, principal.party, parts.registrar, parts.host_party}
        and not (node.kind in KINDS and KINDS[node.kind].is_public)
        and node.kind not in {"organisation", "undisclosed"}
    }
    words = [_SUPERVISING[role] for role in sorted(principal.roles & _SUPERVISING.keys())]
    words += [PURPOSE_OF[role] for role in sorted(principal.roles & PURPOSE_OF.keys())]
    for owner in sorted(filter(None, owners)):
        record(
            parts,
            principal,
            owner=owner,
            action="lineage",
            resource=f"/lineage/{lineage.id}",
            purpose=words[0],
        )
