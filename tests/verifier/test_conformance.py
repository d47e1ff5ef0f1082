"""The conformance command over every public suite and all our vectors, and over vectors that must fail it."""

from __future__ import annotations

import base64
import copy
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.merkle import inclusion_path, leaf_hash, root_of
from carbonseal_attest.signing import Ed25519Signer, Esp256Signer, MlDsa44Signer, Signer
from carbonseal_verifier.cli import main
from carbonseal_verifier.conformance.deviations import DEVIATIONS
from carbonseal_verifier.conformance.families import FAMILIES

ORDER = [
    *(
        "inclusion",
        "consistency",
        "range",
        "epoch-map",
        "cbor",
        "cose-sign1",
        "ed25519",
        "ecdsa-p256",
        "ml-dsa",
    ),
    *("note", "checkpoint", "cosignature", "tile", "tlog-proof", "statement", "receipt", "anchor", "bundle"),
]
VECTORS = Path(__file__).resolve().parent.parent / "vectors"
READ_AS = {"content": "statement", "evm": "anchor"}  # folders that no family is named after
OURS = sorted(
    path
    for path in VECTORS.glob("*/*.json")
    if (READ_AS.get(path.parent.name) or path.parent.name) in FAMILIES
)
TLOG_KEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
SUITES = [  # family, file, least number of same, of unsupported, of deviations
    ("inclusion", "merkle-rfc6962-proofs/inclusion.json", 53, 0, 0),
    ("consistency", "merkle-rfc6962-proofs/consistency.json", 43, 0, 0),
    ("cbor", "cbor-rfc8949/appendix_a.json", 54, 0, 28),
    ("ed25519", "wycheproof-signatures/ed25519_test.json.gz", 151, 0, 0),
    ("ecdsa-p256", "wycheproof-signatures/ecdsa_secp256r1_sha256_test.json.gz", 484, 0, 0),
]

Lines = list[dict[str, Any]]


def family_of(path: Path) -> str:
    return READ_AS.get(path.parent.name, path.parent.name)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command and returns its exit code, the lines of the cases, the summary and what it refused."""

    def call(family: str, path: Path, *options: str) -> tuple[int, Lines, dict[str, Any], str]:
        code = main(["conformance", family, str(path), *options])
        shown = capsys.readouterr()
        lines = [json.loads(line) for line in shown.out.splitlines()]
        return code, lines[:-1], lines[-1] if lines else {}, shown.err

    return call


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def put(document: Any, name: str = "vectors.json") -> Path:
        path = tmp_path / name
        path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
        return path

    return put


def test_list_names_every_family_first_on_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ORDER


# -- what must come out the same


@pytest.mark.parametrize(("family", "name", "same", "unsupported", "deviation"), SUITES)
def test_public_suite_shows_nothing_different(
    run: Any, shared_data: Path, family: str, name: str, same: int, unsupported: int, deviation: int
) -> None:
    code, lines, summary, _ = run(family, shared_data / name)
    assert code == 0
    assert summary == {
        "family": family,
        "file": Path(name).name,
        "cases": same + unsupported + deviation,
        "same": same,
        "different": 0,
        "unsupported": unsupported,
        "deviation": deviation,
    }
    assert len(lines) == summary["cases"]
    assert all({"id", "outcome", "expected", "observed"} <= line.keys() for line in lines)
    assert all(line["reason"] for line in lines if line["outcome"] in {"unsupported", "deviation"})


def test_every_example_of_the_cose_working_group_comes_out_as_told_or_is_named(
    run: Any, write: Any, shared_data: Path
) -> None:
    folder = shared_data / "cose-wg-examples"
    paths = sorted(folder.rglob("*.json"))
    vectors = [(path.relative_to(folder).as_posix(), json.loads(path.read_bytes())) for path in paths]
    code, lines, summary, _ = run("cose-sign1", write([{"path": p, "vector": v} for p, v in vectors]))
    assert (code, summary["same"], summary["unsupported"], len(lines)) == (0, 13, 23, 36)
    named = {line["reason"].split(" ")[0] for line in lines if line["outcome"] == "unsupported"}
    assert named == {"COSE_Sign", "COSE_Mac0", "COSE_Encrypt0", "P-384", "P-521", "ES512", "Ed448"}
    for _, vector in vectors:
        vector["fail"] = not vector.get("fail", False)
    code, _, summary, _ = run("cose-sign1", write([{"path": p, "vector": v} for p, v in vectors]))
    assert (code, summary["different"]) == (1, 13)


def outcome_of(run: Any, family: str, path: Path) -> str:
    code, lines, _, _ = run(family, path)
    (line,) = lines
    assert code == (1 if line["outcome"] == "different" else 0)
    return str(line["outcome"])


def test_a_foreign_receipt_is_read_as_it_is_in_hex_and_in_base64(run: Any, tmp_path: Path) -> None:
    vectors = json.loads((VECTORS / "receipt" / "foreign.json").read_text(encoding="utf-8"))["vectors"]
    path = tmp_path / "receipt.cbor"
    for vector in vectors[:5]:
        data = bytes.fromhex(vector["cose_receipt"])
        spelt = [
            vector["cose_receipt"].upper().encode(),
            base64.b64encode(data),
            base64.urlsafe_b64encode(data),
        ]
        for form in (data, *spelt):
            path.write_bytes(form)
            assert outcome_of(run, "receipt", path) == "same"
        path.write_bytes(data)
        assert outcome_of(run, "cose-sign1", path) == "same"
        assert outcome_of(run, "statement", path) == "deviation"
    path.write_bytes(data[:-1])
    for family in ("receipt", "cose-sign1", "statement"):
        assert outcome_of(run, family, path) == "different"


def test_a_raw_statement_is_read_with_and_without_its_receipts(run: Any, tmp_path: Path) -> None:
    vectors = json.loads((VECTORS / "statement" / "transparent.json").read_text(encoding="utf-8"))["vectors"]
    path = tmp_path / "statement.cose"
    for name in ("statement", "transparent_statement"):
        path.write_bytes(bytes.fromhex(vectors[0][name]))
        for family in ("statement", "cose-sign1"):
            assert outcome_of(run, family, path) == "same"
        assert outcome_of(run, "receipt", path) == "different"
    path.write_bytes(b"\xd1" + bytes.fromhex(vectors[0]["statement"])[1:])
    assert outcome_of(run, "cose-sign1", path) == "unsupported"


@pytest.mark.parametrize("size", range(16))
def test_public_checkpoint_is_read_and_verified(run: Any, shared_data: Path, size: int) -> None:
    path = shared_data / "tlog-tiles-small" / f"checkpoint.{size}"
    for family in ("note", "checkpoint"):
        assert run(family, path, "--key", TLOG_KEY)[2]["same"] == 1


def test_every_file_of_the_public_tiled_log_is_read(run: Any, shared_data: Path) -> None:
    files = sorted(path for path in (shared_data / "tlog-tiles-small" / "tile").rglob("*") if path.is_file())
    assert len(files) == 30
    for path in files:
        code, lines, summary, _ = run("tile", path)
        assert (code, summary["same"]) == (0, 1)
        assert lines[0]["id"] in path.as_posix()


@pytest.mark.parametrize("path", OURS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_own_vectors_all_come_out_the_same(run: Any, path: Path) -> None:
    code, lines, summary, refused = run(family_of(path), path)
    assert (code, refused) == (0, "")
    assert summary["same"] == summary["cases"] == len(lines) > 0


SUBTREES = {  # happy paths of github.com/transparency-dev/merkle, testdata/subtree*
    "inclusion": {
        "leafIdx": 13,
        "start": 8,
        "end": 16,
        "root": "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=",
        "leafHash": "QnGia+DYqE8L1UyMMC58s6O10fpngKQLzOKHNHfatlg=",
        "proof": [
            "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
            "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=",
            "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
        ],
        "desc": "happy path - subtree",
        "wantErr": False,
    },
    "consistency": {
        "start": 4,
        "end": 7,
        "size": 8,
        "root1": "g327FS6bB5AQcX6E6GXaTrwPoZioBtWdMb8VrM7yLQ4=",
        "root2": "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=",
        "proof": [
            "sIaT7C5yFZcTBkHoIR5+7cy0wmQTlj7ubB4u0W/7Gl8=",
            "Rvb/rdPQagn/PFhg0nVci5gZ2330QlF4jH2OMYDejrE=",
            "DrxdNDf74tsVi58Sah0RjjCBgQMdCpSfje3t68VY72o=",
            "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
        ],
        "desc": "happy path",
        "wantErr": False,
    },
}


@pytest.mark.parametrize("family", SUBTREES)
def test_subtree_vectors_of_merkle_tree_certificates_are_run(run: Any, write: Any, family: str) -> None:
    good = SUBTREES[family]
    moved = {**good, "start": 0, "wantErr": True}
    swapped = {**good, "root2" if family == "consistency" else "root": good["proof"][0], "wantErr": True}
    named = [{"path": str(at), "vector": vector} for at, vector in enumerate((good, moved, swapped))]
    code, lines, summary, _ = run(family, write(named))
    assert (code, summary["same"], len(lines)) == (0, 3, 3)
    assert run(family, write({**good, "wantErr": True}))[0] == 1


def test_every_family_has_vectors_of_ours() -> None:
    assert {family_of(path) for path in OURS} == set(FAMILIES)


# -- the command can fail


@pytest.mark.parametrize("path", OURS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_own_vectors_turned_round_are_different(run: Any, write: Any, path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    if "vectors" not in document:
        document["block_hash"] = "00" * 32
        assert run(family_of(path), write(document))[0] == 1
        return
    turned = copy.deepcopy(document)
    for vector in turned["vectors"]:
        vector["want_error"] = "attest-error" if vector["want_error"] is None else None
    code, lines, summary, _ = run(family_of(path), write(turned))
    assert code == 1
    assert {line["outcome"] for line in lines} == {"different"}
    assert summary["different"] == len(document["vectors"])
    for vector in turned["vectors"]:
        vector["want_error"] = "some-other-code"
    assert run(family_of(path), write(turned))[2]["different"] == len(document["vectors"])


@pytest.mark.parametrize(("family", "name"), [(suite[0], suite[1]) for suite in SUITES])
def test_public_suite_turned_round_is_different(
    run: Any, write: Any, shared_data: Path, family: str, name: str
) -> None:
    data = (shared_data / name).read_bytes()
    text = (gzip.decompress(data) if name.endswith(".gz") else data).decode()
    for old, new in (("wantErr", {"true": "false", "false": "true"}), ("roundtrip", {"true": "false"})):
        text = re.sub(
            rf'("{old}": ?)(true|false)',
            lambda found, new=new: found[1] + new.get(found[2], found[2]),
            text,
        )
    swapped = {"valid": "invalid", "invalid": "valid"}
    text = re.sub(r'("result" ?: ?)"(valid|invalid)"', lambda m: f'{m[1]}"{swapped[m[2]]}"', text)
    code, _, summary, _ = run(family, write(text.encode()))
    assert code == 1
    assert summary["different"] >= 30


def test_value_that_differs_from_the_one_told_is_different(run: Any, write: Any) -> None:
    vectors = [{"hex": "01", "roundtrip": True, "decoded": 2}, {"hex": "f5", "roundtrip": True, "decoded": 1}]
    code, lines, _, _ = run("cbor", write(vectors))
    assert code == 1
    assert [line["reason"] for line in lines] == ["value is 1, not 2", "value is True, not 1"]


def test_note_not_signed_by_the_key_given_is_different(run: Any, shared_data: Path, write: Any) -> None:
    note = (shared_data / "tlog-tiles-small" / "checkpoint.5").read_bytes()
    assert run("checkpoint", write(note.replace(b"\n5\n", b"\n6\n"), "note"), "--key", TLOG_KEY)[0] == 1
    of_another = note.replace(b"example.com", b"example.net")
    assert run("checkpoint", write(of_another, "note"), "--key", TLOG_KEY)[0] == 1


def test_tile_of_another_width_than_its_path_is_different(run: Any, tmp_path: Path) -> None:
    for place, data in (("0", bytes(96)), ("entries", b"\x00\x01a\x00\x01b")):
        path = tmp_path / "tile" / place / "000.p" / "5"
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        assert run("tile", path)[0] == 1


# -- shapes of public suites of which no file lies here


def wycheproof(algorithm: str, signer: Signer, group: dict[str, Any]) -> dict[str, Any]:
    """A Wycheproof file of one group: a good signature, a bad one, and one that may be either."""
    message = b"Hello world"
    good = signer.sign(message)
    bad = good[:-1] + bytes([good[-1] ^ 1])
    cases = [(good, "valid"), (bad, "invalid"), (good[:-1], "invalid"), (b"", "invalid"), (bad, "acceptable")]
    tests = [
        {"tcId": number, "msg": message.hex(), "sig": sig.hex(), "result": result, "flags": []}
        for number, (sig, result) in enumerate(cases, 1)
    ]
    return {"algorithm": algorithm, "schema": "...", "testGroups": [group | {"tests": tests}]}


def p1363_file() -> dict[str, Any]:
    signer = Esp256Signer.from_seed(bytes(range(32)))
    key = {"type": "EcPublicKey", "curve": "secp256r1", "uncompressed": "04" + signer.public.raw.hex()}
    return wycheproof("ECDSA", signer, {"type": "EcdsaP1363Verify", "sha": "SHA-256", "publicKey": key})


def ml_dsa_file() -> dict[str, Any]:
    signer = MlDsa44Signer.from_seed(bytes(range(32)))
    file = wycheproof("ML-DSA-44", signer, {"type": "MlDsaVerify", "publicKey": signer.public.raw.hex()})
    tests = file["testGroups"][0]["tests"]
    tests.append(tests[0] | {"tcId": 6, "ctx": ""})
    tests.append(tests[0] | {"tcId": 7, "ctx": "00", "result": "invalid"})
    short = {
        "type": "MlDsaVerify",
        "publicKey": "00" * 5,
        "tests": [tests[0] | {"tcId": 8, "result": "invalid"}],
    }
    return file | {"testGroups": [*file["testGroups"], short]}


@pytest.mark.parametrize(
    ("family", "document", "same", "unsupported"),
    [("ecdsa-p256", p1363_file(), 5, 0), ("ml-dsa", ml_dsa_file(), 7, 1)],
    ids=["P1363", "ML-DSA-44"],
)
def test_signatures_of_the_other_wycheproof_files_come_out_as_told(
    run: Any, write: Any, family: str, document: dict[str, Any], same: int, unsupported: int
) -> None:
    code, lines, summary, _ = run(family, write(document))
    assert (code, summary["same"], summary["unsupported"]) == (0, same, unsupported)
    assert {line["expected"] for line in lines} == {"accepted", "refused", "either"}
    wrapped = [{"path": "testvectors_v1/x.json", "vector": document}]
    assert run(family, write(wrapped))[1][0]["id"] == "testvectors_v1/x.json tc1"
    document["testGroups"][0]["tests"][1]["result"] = "valid"
    assert run(family, write(document))[0] == 1


# -- single vectors, and a real log's bundle


def test_one_vector_alone_is_a_file_too(run: Any, write: Any) -> None:
    vector = {"hex": "8101", "roundtrip": True, "decoded": [1]}
    assert run("cbor", write(vector))[2]["same"] == 1
    wrapped = [{"path": "a.json", "vector": vector, "sha256": "00"}, {"path": "b.json", "vector": vector}]
    code, lines, _, _ = run("cbor", write(wrapped))
    assert (code, [line["id"] for line in lines]) == (0, ["a.json 8101", "b.json 8101"])
    edge = {"number": 3, "key": "58" + "66" * 31, "sig": "00" * 64, "msg": "m", "flags": ["non_canonical_R"]}
    assert run("ed25519", write(edge))[2]["same"] == 1


@pytest.mark.parametrize(("size", "outcome"), [(1, "same"), (0, "deviation")])
def test_equal_sizes_and_short_roots_come_out_as_the_public_suite_has_them(
    run: Any, write: Any, size: int, outcome: str
) -> None:
    roots = {"root1": "ZG9uJ3QgY2FyZSAy", "root2": "ZG9uJ3QgY2FyZSAy", "proof": []}
    code, lines, _, _ = run("consistency", write({"size1": size, "size2": size, "wantErr": False} | roots))
    assert (code, lines[0]["outcome"]) == (0, outcome)
    assert run("consistency", write({"size1": size, "size2": size, "wantErr": True} | roots))[0] == (
        size == 1
    )


def bundle_of_another_log(leaves: int = 5, index: int = 3) -> dict[str, Any]:
    hashes = [leaf_hash(b"entry %d" % number) for number in range(leaves)]
    path = inclusion_path(index, leaves, lambda level, at: root_of(hashes[at << level : (at + 1) << level]))
    signer = Ed25519Signer.from_seed(bytes(range(32)))
    head = Checkpoint("log.example.com - 12345", leaves, root_of(hashes), ("Timestamp: 1",))
    signature = base64.b64encode(bytes(4) + signer.sign(b"")).decode()
    note = f"{head.text()}\n\N{EM DASH} log.example.com {signature}\n"
    proof = {
        "logIndex": str(index),
        "treeSize": str(leaves),
        "rootHash": base64.b64encode(root_of(hashes)).decode(),
        "hashes": [base64.b64encode(node).decode() for node in path],
        "checkpoint": {"envelope": note},
    }
    body = base64.b64encode(b"entry %d" % index).decode()
    return {"verificationMaterial": {"tlogEntries": [{"canonicalizedBody": body, "inclusionProof": proof}]}}


def test_inclusion_proof_and_checkpoint_of_a_bundle_of_another_log_are_checked(run: Any, write: Any) -> None:
    bundle = bundle_of_another_log()
    assert run("inclusion", write(bundle))[2]["same"] == 1
    assert run("checkpoint", write(bundle))[2]["same"] == 1
    assert run("checkpoint", write(bundle), "--key", TLOG_KEY)[0] == 1
    proof = bundle["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]
    for name, value in (("logIndex", "2"), ("treeSize", 4), ("rootHash", ""), ("hashes", [])):
        changed = copy.deepcopy(bundle)
        changed["verificationMaterial"]["tlogEntries"][0]["inclusionProof"] = proof | {name: value}
        assert run("inclusion", write(changed))[0] == 1, name
    proof["checkpoint"] = bundle_of_another_log(7)["verificationMaterial"]["tlogEntries"][0][
        "inclusionProof"
    ]["checkpoint"]
    assert run("inclusion", write(bundle))[0] == 1


# -- deviations and what is not ours


def test_deviations_on_the_page_are_those_of_the_table(repository_root: Path) -> None:
    page = (repository_root / "docs" / "spec" / "deviations.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    told = [[d.name, ", ".join(d.families), d.what, d.reason] for d in DEVIATIONS.values()]
    assert rows[2:] == told
    assert all(set(d.families) <= set(FAMILIES) for d in DEVIATIONS.values())


def test_low_order_key_that_others_accept_is_a_deviation(run: Any, write: Any) -> None:
    point = "01" + "00" * 31
    vector = {"number": 0, "key": point, "sig": point + "00" * 32, "msg": "any", "flags": ["low_order_A"]}
    residue = {**vector, "number": 1, "flags": ["low_order_A", "low_order_residue"]}
    plain = {**vector, "number": 2, "flags": None, "key": "58" + "66" * 31}  # the base point
    code, lines, _, _ = run("ed25519", write([vector, residue, plain]))
    assert [line["outcome"] for line in lines] == ["deviation", "same", "different"]
    assert code == 1
    assert lines[0]["reason"].startswith("ed25519-low-order-key: ")


@pytest.mark.parametrize(
    ("family", "group", "what"),
    [
        ("ed25519", {"publicKey": {"curve": "edwards448", "pk": "00"}}, "edwards448"),
        (
            "ecdsa-p256",
            {
                "publicKey": {"curve": "secp256k1", "uncompressed": "04"},
                "sha": "SHA-256",
                "type": "EcdsaVerify",
            },
            "secp256k1",
        ),
        ("ml-dsa", {"type": "MlDsaVerify", "publicKey": "00"}, "ML-DSA-65"),
    ],
)
def test_algorithm_that_is_not_ours_is_named(
    run: Any, write: Any, family: str, group: dict[str, Any], what: str
) -> None:
    algorithm = {"ed25519": "EDDSA", "ecdsa-p256": "ECDSA", "ml-dsa": "ML-DSA-65"}[family]
    whole = group | {"tests": [{"tcId": 7, "msg": "", "sig": "", "result": "valid"}]}
    code, lines, _, _ = run(family, write({"algorithm": algorithm, "testGroups": [whole]}))
    assert code == 0
    assert (lines[0]["id"], lines[0]["outcome"]) == ("tc7", "unsupported")
    assert what in lines[0]["reason"]


# -- what cannot be read

GOOD = {"leafIdx": 0, "treeSize": 1, "root": None, "leafHash": "", "proof": None, "wantErr": True}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "of no shape that inclusion reads; give one of these shapes: "),
        (b"\xd2\x84\x00", "of no shape"),
        (b"{}", "of no shape"),
        (b"[]", "of no shape"),
        (b"[1]", "of no shape"),
        (b"{", "not JSON"),
        (b'{"a": NaN}', "no number of JSON"),
        (b'{"a": 1, "a": 2}', "a key stands twice"),
        (b'{"a": ' + b"1" * 5000 + b"}", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[" * 60 + b"]" * 60, "nested more than"),
        (b"[" + b"1," * 1_000_001 + b"1]", "more than 1000000 values"),
        (b'{"family": "inclusion", "vectors": []}', "holds no case"),
        (b'{"family": "receipt", "vectors": [{}]}', "not of inclusion; run `conformance receipt`"),
        (b'{"family": "inclusion", "vectors": [{"desc": "x"}]}', "want_error: is missing"),
        (b'{"family": "inclusion", "vectors": [{"desc": "x", "want_error": null}]}', "index: is missing"),
        (json.dumps(GOOD | {"leafIdx": 1.5}).encode(), "leafIdx: not a whole number"),
        (json.dumps(GOOD | {"leafIdx": True}).encode(), "leafIdx: not a whole number"),
        (json.dumps(GOOD | {"root": "!"}).encode(), "root: not base64"),
        (json.dumps(GOOD | {"proof": ["", 1]}).encode(), "proof: not an array of texts"),
        (json.dumps(GOOD | {"wantErr": 1}).encode(), "wantErr: neither true nor false"),
        (json.dumps([{"path": "a", "vector": GOOD}, {"path": "b"}]).encode(), "no {path, vector}"),
        (json.dumps([{"path": "a", "vector": GOOD}, {"path": "b", "vector": {}}]).encode(), "b: of no shape"),
        (json.dumps([{"path": "p" * 501, "vector": GOOD}]).encode(), "a path of more than 500 characters"),
        (b"\x1f\x8b\x08\x00", "broken gzip"),
        (gzip.compress(bytes(1 << 27)), "more than 67108864 bytes"),
        (gzip.compress(b"[" + b" " * (1 << 25)), "JSON of more than"),
    ],
    ids=lambda value: repr(value[:40]),
)  # fmt: skip
def test_unreadable_file_is_refused_with_a_reason(run: Any, write: Any, data: bytes, said: str) -> None:
    code, lines, summary, refused = run("inclusion", write(data))
    assert (code, lines, summary) == (2, [], {})
    assert said in refused
    assert "; " in refused


@pytest.mark.parametrize(
    "arguments",
    [[], ["inclusion"], ["merkle", "x.json"], ["--list", "cbor"], ["cbor", "absent.json"], ["cbor", "."]],
)
def test_bad_usage_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", *arguments]) == 2
    assert capsys.readouterr().err.startswith("carbonseal-verifier: ")


def test_key_that_is_none_is_refused(run: Any, shared_data: Path) -> None:
    path = shared_data / "tlog-tiles-small" / "checkpoint.5"
    assert run("checkpoint", path, "--key", "log.example.org+00+AA")[0] == 2
    code, lines, _, _ = run("checkpoint", path, "--key", "log.example.org+00000000+BQAA")
    assert (code, lines[0]["outcome"], lines[0]["reason"]) == (0, "unsupported", "note signature type 05")


def test_index_of_the_specification_names_every_page_and_every_vector_file(repository_root: Path) -> None:
    spec = repository_root / "docs" / "spec"
    index = (spec / "README.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in index.splitlines() if line.startswith("| [")]
    pages = {re.search(r"\(([\w-]+\.md)\)", row[1])[1] for row in rows}
    about = {"README.md", "conformance.md", "deviations.md"}
    assert pages == {path.name for path in spec.glob("*.md")} - about
    patterns = re.findall(r"`(tests/vectors/[^`]+\.json)`", index)
    named = {path for pattern in patterns for path in repository_root.glob(pattern)}
    assert named == set(VECTORS.glob("*/*.json"))
    assert all(any(repository_root.glob(pattern)) for pattern in patterns)
    families = {name.strip() for row in rows for name in row[3].split(",") if name.strip()}
    assert families <= set(FAMILIES)
