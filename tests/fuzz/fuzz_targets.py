"""Eight groups of parsers, each a function of bytes that returns, or refuses as we refuse, or shows a bug.

`run.py` feeds them with atheris; tests/attest/test_any_bytes.py with Hypothesis and with the committed seeds.
Beyond "a value or our refusal" each holds what reading promises: what was read prints as the same bytes. Only
the attest room is needed here; `run.py` adds the vector reader, which is the verifier's.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from carbonseal_attest import cbor, foreign_cbor
from carbonseal_attest.anchor import AnchorEvidence
from carbonseal_attest.bundle import read_members, write_bundle
from carbonseal_attest.bundle_layout import to_members
from carbonseal_attest.bundle_reading import from_members
from carbonseal_attest.chain_profile import EVM_RLP
from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.contents import parse_content
from carbonseal_attest.cose import Sign1, join_sign1
from carbonseal_attest.cose_receipt import CoseReceipt
from carbonseal_attest.epoch import AbsenceProof, EpochEntry, MapEntry, MapProof
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.evm_proof import keccak256, parse_header, rlp_decode, rlp_encode, trie_value
from carbonseal_attest.extended_receipt import ExtendedReceipt
from carbonseal_attest.json_view import from_json_view, read_json_view, to_json_view
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.note import SignedNote
from carbonseal_attest.range_proof import RangeProof
from carbonseal_attest.receipt import ConsistencyReceipt, Receipt
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.tiles import TileName, decode_entries, encode_entries, split_hashes
from carbonseal_attest.tlog_policy import TlogPolicy
from carbonseal_attest.tlog_proof import TlogProof
from carbonseal_attest.tlog_witness import AddCheckpoint
from carbonseal_attest.transparent_statement import TransparentStatement
from carbonseal_attest.trust import TrustFile
from carbonseal_attest.vkey import Vkey

Parse = Callable[[bytes], Any]
ORIGIN: Final = "log.example.org/e-exampleworks/data"


def text(data: bytes) -> str:
    """The bytes as text, whatever they are: parsers of text must also withstand halves of surrogate pairs."""
    return data.decode("utf-8", "surrogateescape")


def same(data: bytes, written: bytes) -> None:
    """What was read must print as the same bytes."""
    assert written == data, "reads, but prints other bytes"


# -- one function a parser


def cbor_value(data: bytes) -> None:
    value = cbor.decode(data)
    same(data, cbor.encode(value))
    assert cbor.encode(from_json_view(to_json_view(value))) == data


def any_cbor(data: bytes) -> None:
    item = foreign_cbor.read(data)
    if item.is_deterministic and not item.outside:
        same(data, cbor.encode(item.value))


def json_view(data: bytes) -> None:
    cbor.encode(read_json_view(text(data)))


def statement(data: bytes) -> None:
    same(data, SignedStatement.parse(data).raw)


def content(data: bytes) -> None:
    parse_content(data)


def receipt(data: bytes) -> None:
    Receipt.parse(data)


def consistency_receipt(data: bytes) -> None:
    ConsistencyReceipt.parse(data)


def extended_receipt(data: bytes) -> None:
    same(data, ExtendedReceipt.parse(data).encode())


def cose_message(data: bytes) -> None:
    read = Sign1.parse(data, admits_untagged=True)
    if read.is_tagged and not read.departures:
        same(data, join_sign1(read.protected, read.unprotected, read.payload, read.signature))


def cose_receipt(data: bytes) -> None:
    CoseReceipt.parse(data)


def transparent_statement(data: bytes) -> None:
    same(data, TransparentStatement.parse(data).encode())


def note(data: bytes) -> None:
    same(data, SignedNote.parse(data).encode())


def checkpoint(data: bytes) -> None:
    same(data, Checkpoint.parse(text(data)).text().encode("utf-8", "surrogateescape"))


def vkey(data: bytes) -> None:
    same(data, str(Vkey.parse(text(data))).encode("utf-8", "surrogateescape"))


def policy(data: bytes) -> None:
    same(data, bytes(TlogPolicy.from_bytes(data)))


def entry_bundle(data: bytes) -> None:
    same(data, encode_entries(decode_entries(data)))


def hash_tile(data: bytes) -> None:
    same(data, b"".join(split_hashes(data)))


def epoch_entry(data: bytes) -> None:
    same(data, EpochEntry.decode(data).encode())


def map_proof(data: bytes) -> None:
    proof = MapProof.from_value(ORIGIN, cbor.decode(data))
    same(data, cbor.encode(proof.to_value()))


def map_entry(data: bytes) -> None:
    same(data, MapEntry.decode(data).encode())


def absence_proof(data: bytes) -> None:
    proof = AbsenceProof.from_value(ORIGIN, cbor.decode(data))
    same(data, cbor.encode(proof.to_value()))


def range_proof(data: bytes) -> None:
    proof = RangeProof.from_value(cbor.decode(data))
    same(data, cbor.encode(proof.to_value()))
    proof.root([bytes(32)] * (proof.end - proof.start if proof.end - proof.start <= 64 else 1))


def tlog_proof(data: bytes) -> None:
    same(data, TlogProof.parse(data).encode())


def add_checkpoint(data: bytes) -> None:
    same(data, AddCheckpoint.parse(data).encode())


def tile_path(data: bytes) -> None:
    same(data, str(TileName.parse(text(data))).encode("utf-8", "surrogateescape"))


def anchor(data: bytes) -> None:
    same(data, AnchorEvidence.from_cbor(data).to_cbor())


def rlp(data: bytes) -> None:
    same(data, rlp_encode(rlp_decode(data)))


def block_header(data: bytes) -> None:
    parse_header(data, header_profile=EVM_RLP)


def trie_proof(data: bytes) -> None:
    """An address, and the rest as nodes, each after its length in two bytes; the first one is the root."""
    nodes = decode_entries(data[20:])
    trie_value(keccak256(nodes[0]), data[:20], nodes, field="fuzz")


def bundle(data: bytes) -> None:
    out = io.BytesIO()
    write_bundle(to_members(from_members(read_members(io.BytesIO(data)))), out)
    same(data, out.getvalue())


def bundle_members(data: bytes) -> None:
    """The members of a bundle as a CBOR map: what a manifest and trailer that fit would let through."""
    members = cbor.decode(data)
    if isinstance(members, dict) and all(isinstance(m, bytes) for m in members.values()):
        from_members((str(name), member) for name, member in members.items())


def trust_file(data: bytes) -> None:
    TrustFile.parse(data)


def cose_key(data: bytes) -> None:
    same(data, cbor.encode(PublicKey.from_cose_key(cbor.decode(data)).cose_key()))


PARSERS: Final[dict[str, tuple[Parse, ...]]] = {
    "cbor": (cbor_value, any_cbor, json_view),
    "statement": (statement, transparent_statement, content),
    "cose": (cose_message, receipt, consistency_receipt, extended_receipt, cose_receipt, cose_key),
    "note": (note, checkpoint, vkey, tlog_proof, add_checkpoint, tile_path),
    "proofs": (
        entry_bundle,
        hash_tile,
        epoch_entry,
        map_entry,
        map_proof,
        absence_proof,
        range_proof,
        policy,
    ),
    "anchor": (anchor, rlp, block_header, trie_proof),
    "bundle": (bundle, bundle_members),
    "trust": (trust_file,),
}


CORPUS: Final = Path(__file__).resolve().parent / "corpus"


def read_seeds(group: str) -> list[bytes]:
    """The committed seeds of a group, one a line in hex; `write_corpus.py` makes them from the vectors."""
    return [
        bytes.fromhex(line) for line in (CORPUS / f"{group}.txt").read_text(encoding="utf-8").splitlines()
    ]


def attempt(parse: Parse, data: bytes) -> None:
    """Run one parser: a value, or a refusal of ours that can be printed on one line."""
    try:
        parse(data)
    except CarbonsealError as error:
        line = str(error)
        assert "\n" not in line, "a refusal of more than one line"
        line.encode()


def run_target(name: str, data: bytes) -> None:
    """Run every parser of a group on the same bytes."""
    for parse in PARSERS[name]:
        attempt(parse, data)
