"""The pages of docs/spec say what the code does: tables, labels, example bytes and limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import example_contents
import pytest
from example_statements import statement
from vector_files import read_vectors

from carbonseal_attest import cbor, foreign_cbor
from carbonseal_attest import statement as envelope
from carbonseal_attest.anchor import (
    AnchorEvidence,
    AnchorInvalid,
    HeaderProfileUnknown,
    history_link,
    storage_slots,
)
from carbonseal_attest.contents.identity import ACTIONS
from carbonseal_attest.errors import EncodingError
from carbonseal_attest.evm_proof import parse_header, verify_account, verify_storage
from carbonseal_attest.identifiers import MAX_ORIGIN, is_plain_text
from carbonseal_attest.identity.device_requests import COLUMNS
from carbonseal_attest.json_view import read_json_view
from carbonseal_attest.merkle import MAX_PATH
from carbonseal_attest.note import MAX_NOTE, MAX_SIGNATURES
from carbonseal_attest.tlog_policy import MAX_DEFINED, MAX_POLICY
from carbonseal_attest.tlog_proof import MAX_EXTRA
from carbonseal_attest.trust import TrustFile

_CELL = re.compile(r"(?<!\\)\|")


@pytest.fixture(scope="session")
def kind_pages(repository_root: Path) -> ModuleType:
    found = spec_from_file_location("kind_pages", repository_root / "infra/develop/kind_pages.py")
    assert found is not None
    assert found.loader is not None
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def spec(repository_root: Path) -> Path:
    return repository_root / "docs" / "spec"


def rows(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in _CELL.split(line)[1:-1]]


def section(text: str, title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"no section {title}"
    return found[1]


def hex_blocks(text: str) -> list[bytes]:
    blocks = re.findall(r"^```\n((?:[0-9a-f]+\n)+)```$", text, re.MULTILINE)
    return [bytes.fromhex(block.replace("\n", "")) for block in blocks]


def test_registry_and_tables_on_the_page_are_those_of_the_schemas(spec: Path, kind_pages: ModuleType) -> None:
    page = (spec / "contents.md").read_text(encoding="utf-8")
    assert kind_pages.page(page) == page, "run infra/develop/kind_pages.py"


def test_kind_without_a_section_on_the_page_is_refused(spec: Path, kind_pages: ModuleType) -> None:
    page = (spec / "contents.md").read_text(encoding="utf-8")
    with pytest.raises(LookupError, match="no section gap"):
        kind_pages.page(page.replace("## gap\n", "## hole\n"))


def test_page_of_identity_opens_with_bytes_of_the_example_and_lists_every_column(spec: Path) -> None:
    page = (spec / "identity.md").read_text(encoding="utf-8")
    assert hex_blocks(page)[0] == example_contents.content("device")
    shown = {name for row in rows(section(page, "Requests")) for name in re.findall("`(\\w+)`", row[0])}
    assert shown == set(COLUMNS)
    acts = {row[0].strip("`") for row in rows(section(page, "Devices")) if row[0].startswith("`")}
    assert acts == set(ACTIONS)


def test_page_of_contents_opens_with_bytes_of_the_example(spec: Path) -> None:
    page = (spec / "contents.md").read_text(encoding="utf-8")
    assert hex_blocks(page)[0] == example_contents.content("gap")


def test_list_of_refused_characters_on_the_page_is_complete(spec: Path) -> None:
    page = (spec / "contents.md").read_text(encoding="utf-8")
    listed = re.search(r"none of these code points: U\+(.*?), and everything from 3FFFE on", page, re.DOTALL)
    assert listed
    ranges = [item.strip().split("–") for item in listed[1].replace("\n", " ").split(",")]
    refused = {c for item in ranges for c in range(int(item[0], 16), int(item[-1], 16) + 1)}
    for code in range(0x40000):
        assert is_plain_text(chr(code)) == (code not in refused and code < 0x3FFFE), hex(code)


def test_page_of_cbor_and_of_its_json_view_open_with_one_value(spec: Path) -> None:
    value = cbor.decode(hex_blocks((spec / "cbor.md").read_text(encoding="utf-8"))[0])
    page = (spec / "json-view.md").read_text(encoding="utf-8")
    shown = re.search(r"^```json\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert shown
    assert read_json_view(shown[1]) == value


def test_each_encoding_that_the_page_of_cbor_names_is_refused(spec: Path) -> None:
    page = (spec / "cbor.md").read_text(encoding="utf-8")
    named = [row for row in rows(section(page, "What is left out, and how it is judged")) if row[0][0] == "`"]
    for row in named:
        for data in re.findall(r"`([0-9a-f]+)`", row[0]):
            with pytest.raises(EncodingError):
                cbor.decode(bytes.fromhex(data))
            try:
                is_deterministic = foreign_cbor.read(bytes.fromhex(data)).is_deterministic
            except EncodingError:
                assert row[1].startswith("not well-formed")
            else:
                assert is_deterministic == row[1].startswith("deterministic")
    assert len(named) == 7


def test_page_of_statements_shows_the_example_and_every_label(spec: Path) -> None:
    page = (spec / "statement.md").read_text(encoding="utf-8")
    assert hex_blocks(page)[0] == statement().raw
    assert statement().digest.hex() in page
    labels = {int(row[0]) for row in rows(section(page, "Labels")) if re.fullmatch(r"-?\d+", row[0])}
    names = ("ORIGIN", "STREAM", "SEQUENCE", "PREVIOUS", "INTERVAL", "CHECKPOINT", "TREE_SIZE")
    assert labels == {1, 4, 15, 16, 258, 259, *(getattr(envelope, name) for name in names)}


def test_page_of_trees_opens_with_a_range_proof_of_the_vectors(spec: Path) -> None:
    page = (spec / "merkle.md").read_text(encoding="utf-8")
    (shown,) = (v for v in read_vectors("range") if v["desc"] == "entries 5 to 8 of 13")
    assert hex_blocks(page) == [bytes.fromhex(shown["range_proof"])]


@pytest.mark.parametrize(
    ("page", "family", "fields", "limits"),
    [
        ("note.md", "note", ("note", "known"), (MAX_NOTE, MAX_SIGNATURES)),
        ("checkpoint.md", "checkpoint", ("note", "public"), (MAX_ORIGIN,)),
        ("cosignature.md", "cosignature", ("note",), ()),
        ("tlog-policy.md", "cosignature", ("policy",), (MAX_POLICY, MAX_DEFINED)),
        ("tlog-proof.md", "tlog-proof", ("proof", "leaf_hash"), (MAX_EXTRA, MAX_PATH)),
    ],
)
def test_page_of_a_text_format_shows_the_first_vector_and_our_limits(
    spec: Path, page: str, family: str, fields: tuple[str, ...], limits: tuple[int, ...]
) -> None:
    text = (spec / page).read_text(encoding="utf-8")
    first = read_vectors(family)[0]
    for field in fields:
        shown = first[field][0] if isinstance(first[field], list) else first[field]
        is_hex = field in {"note", "proof"} and re.fullmatch(r"[0-9a-f]+", shown)
        assert (bytes.fromhex(shown).decode() if is_hex else shown) in text
    for limit in limits:
        assert re.search(rf"\b{limit}\b", text)


def test_page_of_tiles_shows_a_tile_and_an_entry_bundle_of_the_vectors(spec: Path) -> None:
    blocks = hex_blocks((spec / "tile.md").read_text(encoding="utf-8"))
    data = {bytes.fromhex(v["data"]) for v in read_vectors("tile") if v["want_error"] is None}
    assert len(blocks) == 2
    assert set(blocks) <= data


@pytest.mark.parametrize(
    ("name", "family", "file", "field"),
    [
        ("receipt.md", "receipt", "receipt.json", "receipt"),
        ("extended-receipt.md", "receipt", "extended.json", "extended_receipt"),
        ("transparent-statement.md", "statement", "transparent.json", "transparent_statement"),
    ],
)
def test_page_opens_with_the_first_of_its_vectors(
    spec: Path, name: str, family: str, file: str, field: str
) -> None:
    page = (spec / name).read_text(encoding="utf-8")
    assert hex_blocks(page)[0].hex() == read_vectors(family, file)[0][field]


def test_page_of_cose_opens_with_a_message_of_the_vectors_and_what_it_signs(spec: Path) -> None:
    page = (spec / "cose.md").read_text(encoding="utf-8")
    shown = [block.hex() for block in hex_blocks(page)]
    assert shown in [[v["message"], v.get("to_be_signed")] for v in read_vectors("cose-sign1")]


def test_page_of_epochs_shows_entry_and_proof_of_the_vectors(spec: Path) -> None:
    page = (spec / "epochs-and-anchor.md").read_text(encoding="utf-8")
    first = read_vectors("epoch-map", "epoch.json")[0]
    assert [bytes.fromhex(first[name]) for name in ("epoch_entry", "map_entry", "map_proof")] == hex_blocks(
        page
    )


def test_page_of_anchor_evidence_shows_what_the_vectors_contract_held(spec: Path) -> None:
    page = (spec / "anchor-evidence.md").read_text(encoding="utf-8")
    first = read_vectors("anchor", "evidence.json")[0]
    evidence = AnchorEvidence.from_cbor(bytes.fromhex(first["evidence"]))
    history, folded = bytes(32), []
    for head in evidence.heads:
        history = history_link(history, head)
        folded.append(f"size {head.tree_size:<3} {history.hex()}")
    assert "\n".join(folded) in page
    block = parse_header(evidence.headers[0], header_profile="evm-rlp")
    account = verify_account(block.state_root, evidence.contract, evidence.account_proof)
    slots = storage_slots(evidence.log_id, 0)
    words = map(verify_storage, [account.storage_root] * 3, slots, evidence.storage_proofs)
    assert hex_blocks(page)[0] == b"".join(words)
    assert f"{len(evidence.to_cbor())} bytes" in page
    for leaf in AnchorInvalid.__subclasses__():
        assert leaf is HeaderProfileUnknown or f"`{leaf.code}`" in page


def test_page_of_bundles_opens_with_the_bytes_of_the_example(spec: Path) -> None:
    page = (spec / "bundle.md").read_text(encoding="utf-8")
    whole = bytes.fromhex(read_vectors("bundle")[0]["bundle"])
    assert whole.startswith(hex_blocks(page)[0])
    for name in read_vectors("bundle")[0]["members"]:
        assert f"`{name.split('/')[0]}" in page


def test_page_of_trust_files_opens_with_a_file_that_parses(spec: Path) -> None:
    page = (spec / "trust-file.md").read_text(encoding="utf-8")
    example = re.search(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert example
    trust = TrustFile.parse(example[1].encode())
    assert trust.signed_by == example_contents.key("registrar").public
