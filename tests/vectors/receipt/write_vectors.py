"""Writes `receipt.json`, `consistency-receipt.json`, `extended.json` (good and bad) and `foreign.json`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import example_contents as example
import foreign_cose as foreign
from example_statements import statements
from vector_files import Vector, document, write

from carbonseal_attest import cbor
from carbonseal_attest.algorithms import EDDSA, ESP256
from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.cose import ALG, join_sign1, sig_structure
from carbonseal_attest.cose_receipt import CoseReceipt
from carbonseal_attest.epoch import EpochEntry, EpochMap, MapEntry
from carbonseal_attest.extended_receipt import FORMAT, ExtendedReceipt
from carbonseal_attest.merkle import (
    consistency_path,
    inclusion_path,
    leaf_hash,
    root_from_inclusion,
    root_of,
)
from carbonseal_attest.receipt import make_consistency_receipt, make_receipt
from carbonseal_attest.signing import signer_from_seed

LOG_HOST = "h-examplehost"
SIGNER = example.key("log host")
ENTRIES = [made.raw for made in statements(7)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {
        "receipt.json": document(__file__, "receipt.md", _receipts()),
        "consistency-receipt.json": document(__file__, "receipt.md", _consistency_receipts()),
        "extended.json": document(__file__, "extended-receipt.md", _extended()),
        "foreign.json": document(__file__, "receipt.md", _foreign()),
    }


def _node(level: int, at: int) -> bytes:
    return root_of(LEAVES[at << level : (at + 1) << level])


def _receipts() -> list[Vector]:
    index = 3
    path, root = inclusion_path(index, 5, _node), root_of(LEAVES[:5])
    p256 = signer_from_seed(ESP256, example.digest("P-256 example"))

    def made(signer: Any) -> bytes:
        return make_receipt(
            signer, log_host=LOG_HOST, origin=example.DATA, tree_size=5, index=index, path=path, root=root
        )

    receipt = made(SIGNER)

    def vector(
        desc: str, data: bytes, code: str | None = "proof-invalid", entry: bytes = ENTRIES[3], **more: Any
    ) -> Vector:
        given = {"receipt": data.hex(), "entry": entry.hex(), "origin": example.DATA}
        meaning = {"tree_size": 5, "index": index, "root_hash": root.hex()} if code is None else {}
        public = SIGNER.public.text()
        return {"desc": desc, "want_error": code, **given, "public": public, **meaning, **more}

    protected, unprotected, _, signature = cbor.decode(receipt[1:])
    labels = cbor.decode(protected)

    def with_proof(*proof: Any) -> bytes:
        return join_sign1(protected, {396: {-1: [cbor.encode(list(proof))]}}, None, signature)

    def with_labels(changes: dict[int, Any]) -> bytes:
        """Signed again, so that only the header is wrong."""
        changed = cbor.encode({**labels, **changes})
        return join_sign1(changed, unprotected, None, SIGNER.sign(sig_structure(changed, root)))

    proof = unprotected[396][-1][0]
    unordered = b"\xa6" + protected[4:] + protected[1:4]  # alg last
    return [
        vector("entry 3 in a tree of 5", receipt, None),
        vector("entry 3 in a tree of 5, signed with P-256", made(p256), None, public=p256.public.text()),
        vector("another entry", receipt, "signature-invalid", ENTRIES[2]),
        vector("of another log", receipt, origin=example.REGISTER),
        vector("by another key", receipt, public=example.key("party").public.text()),
        vector("the proof's size is not the signed one", with_proof(6, index, path)),
        vector("another size in the header, not signed", _with_header(receipt, {-70007: 6})),
        vector("another size in the header and in the proof, not signed",
               _with_header(with_proof(6, index, path), {-70007: 6}), "signature-invalid"),
        vector("another index", with_proof(5, 2, path), "signature-invalid"),
        vector("index is false", with_proof(5, False, path)),
        vector("index is the size", with_proof(5, 5, path)),
        vector("a path too short", with_proof(5, index, path[:-1])),
        vector("a path with a hash too many", with_proof(5, index, [*path, bytes(32)])),
        vector("a log of one entry", _with_header(with_proof(1, 0, []), {-70007: 1})),
        vector("origin in the header is not the subject", with_labels({-70001: example.REGISTER})),
        vector("vds 2", with_labels({395: 2})),
        vector("vds is true", with_labels({395: True})),
        vector("a label outside the profile", with_labels({3: 0})),
        vector("legacy algorithm -8, not admitted", with_labels({ALG: EDDSA}), "algorithm-refused"),
        vector("the root carried along", join_sign1(protected, unprotected, root, signature)),
        vector("two proofs", join_sign1(protected, {396: {-1: [proof, proof]}}, None, signature)),
        vector("a proof of consistency beside it",
               join_sign1(protected, {396: {-1: [proof], -2: [proof]}}, None, signature)),
        vector("something else in the unprotected header",
               join_sign1(protected, {**unprotected, 4: b"k"}, None, signature)),
        vector("empty protected header", join_sign1(b"\xa0", unprotected, None, signature)),
        vector("header not sorted, signed as sent",
               join_sign1(unordered, unprotected, None, SIGNER.sign(sig_structure(unordered, root)))),
        vector("no tag", receipt[1:]),
        vector("one bit of the signature", receipt[:-1] + bytes([receipt[-1] ^ 1]), "signature-invalid"),
    ]  # fmt: skip


def _with_header(receipt: bytes, changes: dict[int, Any]) -> bytes:
    protected, unprotected, _, signature = cbor.decode(receipt[1:])
    return join_sign1(cbor.encode({**cbor.decode(protected), **changes}), unprotected, None, signature)


def _consistency_receipts() -> list[Vector]:
    def made(old: int, new: int) -> bytes:
        return make_consistency_receipt(
            SIGNER, log_host=LOG_HOST, origin=example.DATA, old_size=old, new_size=new,
            path=consistency_path(old, new, _node), root=root_of(LEAVES[:new]),
        )  # fmt: skip

    def vector(
        desc: str, data: bytes, code: str | None = "proof-invalid", old: int = 3, new: int = 7, **more: Any
    ) -> Vector:
        head = {"old_size": old, "old_root": root_of(LEAVES[:old]).hex()}
        meaning = {"tree_size": new, "root_hash": root_of(LEAVES[:new]).hex()} if code is None else {}
        given = {"consistency_receipt": data.hex(), "origin": example.DATA, "public": SIGNER.public.text()}
        return {"desc": desc, "want_error": code, **given, **head, **meaning, **more}

    receipt, path = made(3, 7), consistency_path(3, 7, _node)
    protected, unprotected, _, signature = cbor.decode(receipt[1:])

    def with_proof(*proof: Any) -> bytes:
        return join_sign1(protected, {396: {-2: [cbor.encode(list(proof))]}}, None, signature)

    inclusion = {396: {-1: unprotected[396][-2]}}
    return [
        vector("from 3 to 7", receipt, None),
        vector("from 4 to 7, where the old tree is whole", made(4, 7), None, old=4),
        vector("from another old size", receipt, old=4),
        vector("from another old root", receipt, old_root=bytes(32).hex()),
        vector("of another log", receipt, origin=example.REGISTER),
        vector("the proof's new size is not the signed one", with_proof(3, 6, path)),
        vector("another old size in the proof", with_proof(4, 7, path), old=4),
        vector("old size is true", with_proof(True, 7, path)),
        vector("old size 0", with_proof(0, 7, path)),
        vector("from a size to itself", with_proof(7, 7, [])),
        vector("a path too short", with_proof(3, 7, path[:-1])),
        vector("as a proof of inclusion", join_sign1(protected, inclusion, None, signature)),
        vector("one hash another", with_proof(3, 7, [bytes(32), *path[1:]]), "signature-invalid"),
        vector("one bit of the signature", receipt[:-1] + bytes([receipt[-1] ^ 1]), "signature-invalid"),
    ]


def _extended() -> list[Vector]:
    index, size, number, above = 3, 5, 4, 6
    root = root_of(LEAVES[:size])
    receipt = make_receipt(
        SIGNER, log_host=LOG_HOST, origin=example.DATA, tree_size=size, index=index,
        path=inclusion_path(index, size, _node), root=root,
    )  # fmt: skip
    others = [
        MapEntry(f"{example.HOST}/e-{c * 2}/data", n + 1, example.digest(c)) for n, c in enumerate("abc")
    ]
    heads = EpochMap([*others, MapEntry(example.DATA, size, root)])
    epochs = [EpochEntry(n, example.digest(f"map {n}"), 4, example.INTERVAL[1] + n) for n in range(1, above)]
    epochs[number - 1] = heads.close(number, example.INTERVAL[1] + number)
    leaves = [LEAVES[0], *(leaf_hash(entry.encode()) for entry in epochs)]

    def top(level: int, at: int) -> bytes:
        return root_of(leaves[at << level : (at + 1) << level])

    head = Checkpoint(f"{example.HOST}/epochs", above, root_of(leaves))
    proof = heads.prove(example.DATA)
    path = inclusion_path(number, above, top)
    made = ExtendedReceipt(
        receipt, proof.index, proof.path, epochs[number - 1], tuple(path), sign_checkpoint(head, SIGNER), None
    )
    form, *parts = cbor.decode(made.encode())

    def vector(
        desc: str, data: bytes, code: str | None = "proof-invalid", entry: bytes = ENTRIES[3], **more: Any
    ) -> Vector:
        given = {"extended_receipt": data.hex(), "entry": entry.hex(), "origin": example.DATA}
        given |= {"log_of_logs": head.origin, "public": SIGNER.public.text()}
        meaning = {"index": index, "tree_size": size, "epoch": number, "head_size": above}
        meaning |= {"head_root": head.root_hash.hex()}
        return {"desc": desc, "want_error": code, **given, **(meaning if code is None else {}), **more}

    def changed(at: int, value: Any) -> bytes:
        return cbor.encode([form, *parts[:at], value, *parts[at + 1 :]])

    def signed(**other: Any) -> str:
        return sign_checkpoint(replace(head, **other), SIGNER)

    mapped, entry = [proof.index, list(proof.path)], epochs[number - 1]
    later = EpochEntry(number + 1, entry.map_root, entry.origins, entry.closed_at)
    swapped = cbor.encode([form, parts[0], [mapped[0] - 1, mapped[1]], *parts[2:]])
    fork = make_receipt(
        SIGNER, log_host=LOG_HOST, origin=example.DATA, tree_size=size, index=index,
        path=[bytes(32), *inclusion_path(index, size, _node)[1:]],
        root=_root_over(index, size, [bytes(32), *inclusion_path(index, size, _node)[1:]]),
    )  # fmt: skip
    assert form == FORMAT
    return [
        vector("entry 3, in epoch 4, in a log of logs of 6", made.encode(), None),
        vector("another entry", made.encode(), "signature-invalid", ENTRIES[2]),
        vector("of another log", made.encode(), origin=example.REGISTER),
        vector("by another key", made.encode(), "note-invalid", public=example.key("party").public.text()),
        vector("a second history of the log, signed by its key", changed(0, fork)),
        vector("another place in the map", swapped),
        vector("a map path too short", changed(1, [mapped[0], mapped[1][:-1]])),
        vector("one hash of the map path another", changed(1, [mapped[0], [bytes(32), *mapped[1][1:]]])),
        vector("index in the map is true", changed(1, [True, mapped[1]])),
        vector("the epoch entry under another number", changed(2, later.encode())),
        vector("an epoch entry with another map root", changed(2, epochs[1].encode())),
        vector("a path in the log of logs too short", changed(3, path[:-1])),
        vector("a path in the log of logs with a hash too many", changed(3, [*path, bytes(32)])),
        vector("another log of logs, signed by its key", changed(4, signed(root_hash=bytes(32)))),
        vector("another size of the log of logs", changed(4, signed(tree_size=8))),
        vector("the checkpoint of another log", changed(4, signed(origin=example.DATA)), "note-invalid"),
        vector("no signature on the checkpoint", changed(4, head.text() + "\n"), "note-invalid"),
        vector("evidence that is none", changed(5, b"\xa0"), "anchor-malformed"),
        vector("evidence is false", changed(5, False)),
        vector("another form", cbor.encode([form[:-1] + "2", *parts])),
        vector("six parts", cbor.encode([form, *parts[:-1]])),
        vector("the receipt alone", receipt),
    ]  # fmt: skip


def _root_over(index: int, size: int, path: list[bytes]) -> bytes:
    return root_from_inclusion(index, size, LEAVES[index], path)


def _foreign() -> list[Vector]:
    def vector(desc: str, data: str, **more: Any) -> Vector:
        read = CoseReceipt.parse(bytes.fromhex(data))
        meaning = {
            "vds": read.structure,
            "inclusion": [[p.tree_size, p.index, len(p.path)] for p in read.inclusion],
            "consistency": [[p.old_size, p.new_size, len(p.path)] for p in read.consistency],
        }
        return {"desc": desc, "want_error": None, "cose_receipt": data, **meaning, **more}

    index, size = 2, 5
    path, root = inclusion_path(index, size, _node), root_of(LEAVES[:size])
    protected = cbor.encode({ALG: SIGNER.public.algorithm, 395: 1})
    signature = SIGNER.sign(sig_structure(protected, root))
    proofs = [cbor.encode([size, at, inclusion_path(at, size, _node)]) for at in (0, index)]

    first, last = {-1: proofs[:1]}, {-1: proofs[1:]}

    def crafted(proofs: Any, payload: bytes | None, header: bytes = protected) -> str:
        return join_sign1(header, {396: proofs}, payload, signature).hex()

    given = {"entry": ENTRIES[index].hex(), "public": SIGNER.public.text(), "admitted": [-19]}
    held = {**given, "root_hash": root.hex()}
    assert len(path) == 3

    def refused(desc: str, data: str, code: str, **more: Any) -> Vector:
        return {"desc": desc, "want_error": code, "cose_receipt": data, **more}

    return [
        vector("inclusion, as the draft of RFC 9942 shows it", foreign.DRAFT_INCLUSION),
        vector("consistency, as the draft of RFC 9942 shows it", foreign.DRAFT_CONSISTENCY),
        vector(
            "a log of one entry, with an empty path",
            foreign.INTEROP_FIRST,
            entry=foreign.INTEROP_FIRST_ENTRY,
            public=foreign.INTEROP_FIRST_KEY,
            admitted=[EDDSA],
            root_hash=foreign.INTEROP_FIRST_ROOT,
        ),
        vector(
            "entry 151 of 152, legacy algorithm",
            foreign.INTEROP_LATER,
            entry=foreign.INTEROP_LATER_ENTRY,
            public=foreign.INTEROP_LATER_KEY,
            admitted=[EDDSA],
            root_hash=foreign.INTEROP_LATER_ROOT,
        ),
        vector("CCF: another verifiable data structure, integer and text labels", foreign.INTEROP_CCF),
        vector("two proofs, crafted", crafted({-1: proofs}, None), **held),
        vector("payload attached, crafted", crafted(last, root), **held),
        vector("other proofs beside, crafted", crafted({-1: proofs[1:], "x": 1}, None), **held),
        refused("legacy algorithm, not admitted", foreign.INTEROP_LATER, "algorithm-refused",
                entry=foreign.INTEROP_LATER_ENTRY, public=foreign.INTEROP_LATER_KEY, admitted=[-19]),
        refused("CCF, to be verified", foreign.INTEROP_CCF, "unsupported", **given),
        refused("another root attached, crafted", crafted(last, bytes(32)), "proof-invalid", **given),
        refused("no proof of that entry, crafted", crafted(first, None), "signature-invalid", **given),
        refused("no proof, crafted", crafted({}, None), "malformed-cose"),
        refused("an empty list of proofs, crafted", crafted({-1: []}, None), "malformed-cose"),
        refused("size 0, crafted", crafted({-1: [cbor.encode([0, 0, []])]}, None), "proof-invalid"),
        refused("vds not protected, crafted", crafted(first, None, cbor.encode({1: -19})), "malformed-cose"),
    ]  # fmt: skip


if __name__ == "__main__":
    write(__file__, files())
