"""The trust file of a pilot: written by the deployment about itself, and labelled so."""

from __future__ import annotations

import io

from carbonseal_api.assembly import Parts
from carbonseal_api.catalogue.service import DEFAULT_PROFILE
from carbonseal_api.chain_anchors import ChainAnchors
from carbonseal_api.deployment import key_folder, read_identity
from carbonseal_api.trust_files import changed_log_keys, own_trust_file
from carbonseal_attest.anchor import AnchorEvidence
from carbonseal_attest.bundle_reading import read_bundle
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.trust import TrustedRegistrar, Witnesses


def pilot_trust_file(parts: Parts, bundle: bytes) -> bytes:
    """Return a trust file that names this deployment and trusts the block of the bundle's anchor."""
    identity = read_identity(parts.settings)
    read = read_bundle(io.BytesIO(bundle))
    evidence = read.anchor
    chain = None
    if evidence is not None and isinstance(parts.anchors, ChainAnchors):
        chain = parts.anchors.profile(AnchorEvidence.from_cbor(evidence))
    return own_trust_file(
        publisher=f"Log host {identity.host_party}",
        label="made by the log host itself",
        registrar=TrustedRegistrar(
            identity.registrar,
            f"{identity.log_host_name}/{identity.registrar}/register",
            PublicKey.from_text(identity.registrar_key),
        ),
        log_host=identity.host_party,
        log_host_name=identity.log_host_name,
        log_key=parts.log_key,
        changed_keys=changed_log_keys(parts.host, [*read.logs, parts.host.log_of_logs]),
        chain=chain,
        at=parts.clock(),
        profile=DEFAULT_PROFILE,
        witnesses=None if parts.witnesses is None else Witnesses.of(parts.witnesses.policy),
        signer=key_folder(parts.settings).signer("log-host"),
    )
