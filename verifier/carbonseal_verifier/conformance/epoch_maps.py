"""Family epoch-map: heads of logs in an epoch's sorted map, through `attest.epoch`."""

from __future__ import annotations

from carbonseal_attest import cbor
from carbonseal_attest.epoch import EpochEntry, MapProof
from carbonseal_verifier.conformance import ours
from carbonseal_verifier.conformance.case import Meaning
from carbonseal_verifier.conformance.fields import Fields


def _head(fields: Fields) -> Meaning:
    origin = fields.text("origin")
    epoch = EpochEntry.decode(fields.hex("epoch_entry"))
    proof = MapProof.from_value(origin, cbor.decode(fields.hex("map_proof")))
    proof.verify(epoch)
    return {"map_entry": proof.entry.encode(), "epoch_entry": epoch.encode()}


EPOCH_MAP = (ours.shape("epoch-map", _head, meanings={"map_entry": "hex", "epoch_entry": "hex"}),)
