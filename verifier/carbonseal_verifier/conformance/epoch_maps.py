"""Family epoch-map: heads of logs in an epoch's sorted map, absent ones and whole maps (`attest.epoch`)."""

from __future__ import annotations

from carbonseal_attest import cbor
from carbonseal_attest.epoch import AbsenceProof, EpochEntry, EpochMap, MapProof
from carbonseal_verifier.conformance import ours
from carbonseal_verifier.conformance.case import Meaning
from carbonseal_verifier.conformance.fields import Fields


def _epoch_map(fields: Fields) -> Meaning:
    epoch = EpochEntry.decode(fields.hex("epoch_entry"))
    if "map_entries" in fields:
        EpochMap.parse(fields.hexes("map_entries"), epoch)
        return {"epoch_entry": epoch.encode()}
    origin = fields.text("origin")
    if "absence_proof" in fields:
        AbsenceProof.from_value(origin, cbor.decode(fields.hex("absence_proof"))).verify(epoch)
        return {"epoch_entry": epoch.encode()}
    proof = MapProof.from_value(origin, cbor.decode(fields.hex("map_proof")))
    proof.verify(epoch)
    return {"map_entry": proof.entry.encode(), "epoch_entry": epoch.encode()}


EPOCH_MAP = (ours.shape("epoch-map", _epoch_map, meanings={"map_entry": "hex", "epoch_entry": "hex"}),)
