from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carbonseal_attest import cbor
from carbonseal_attest.json_view import from_json_view
from carbonseal_verifier.cli import main
from carbonseal_verifier.errors import UsageInvalid
from carbonseal_verifier.shown import MAX_SHOWN, UNCHECKED, show
from carbonseal_verifier.statement_file import FORMAT

VECTORS = Path(__file__).resolve().parents[1] / "vectors"


def vector(family: str, name: str) -> dict[str, Any]:
    return json.loads((VECTORS / family / f"{name}.json").read_text(encoding="utf-8"))["vectors"][0]


STATEMENT = bytes.fromhex(vector("statement", "statement")["statement"])
CONTENT = bytes.fromhex(vector("statement", "statement")["content"])
RECEIPT = bytes.fromhex(vector("receipt", "receipt")["receipt"])
BUNDLE = bytes.fromhex(vector("bundle", "bundle")["bundle"])
KINDS = sorted(path.stem for path in (VECTORS / "content").glob("*.json"))


@pytest.fixture
def stored(tmp_path: Path) -> Any:
    def store(data: bytes) -> str:
        path = tmp_path / "file"
        path.write_bytes(data)
        return str(path)

    return store


@pytest.mark.parametrize(
    "data",
    [b"\xff", b"\xd2", b"\xd2\x84", b"\x00" * (MAX_SHOWN + 1), cbor.encode([FORMAT, STATEMENT, b"", None])],
    ids=["no CBOR", "tag", "cut off", "too large", "another content"],
)
def test_bytes_that_are_nothing_are_refused_with_the_reason(data: bytes) -> None:
    with pytest.raises(UsageInvalid):
        show(data)


@given(st.binary(max_size=200) | st.builds(lambda end: STATEMENT[:end] + b"\x00", st.integers(0, 300)))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_bytes_give_something_shown_or_our_refusal(data: bytes) -> None:
    try:
        text = show(data).to_text()
    except UsageInvalid:
        return
    assert text.replace("\n", " ").isprintable()
    assert text.isascii()


@pytest.mark.parametrize("kind", KINDS)
def test_example_of_every_kind_is_shown_and_its_view_gives_the_bytes_back(kind: str) -> None:
    good = vector("content", kind)
    shown = show(bytes.fromhex(good["content"])).to_json()
    assert (shown["what"], shown["kind"], shown["version"]) == ("content", kind, good["version"])
    assert cbor.encode(from_json_view(shown["view"])).hex() == good["content"]


def test_draft_kind_is_called_a_draft() -> None:
    data = bytes.fromhex(vector("content", "finding")["content"])
    assert show(data).to_text().startswith("content finding v0 (draft)\n")


def test_statement_shows_its_header_and_digest(stored: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", stored(STATEMENT), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["what"], shown["kind"]) == ("statement", "readings")
    assert shown["digest"] == vector("statement", "statement")["digest"]
    assert shown["header"]["sequence"] == 0


def test_receipt_shows_origin_size_and_index() -> None:
    header = show(RECEIPT).to_json()["header"]
    good = vector("receipt", "receipt")
    assert [header[name] for name in ("origin", "tree_size", "index")] == [
        good[name] for name in ("origin", "tree_size", "index")
    ]


def test_consistency_receipt_shows_both_sizes() -> None:
    good = vector("receipt", "consistency-receipt")
    shown = show(bytes.fromhex(good["consistency_receipt"])).to_json()
    assert shown["what"] == "consistency receipt"
    assert [shown["header"][name] for name in ("old_size", "tree_size")] == [
        good["old_size"],
        good["tree_size"],
    ]


def test_transparent_statement_shows_the_statement_and_each_receipt() -> None:
    good = vector("statement", "transparent")
    shown = show(bytes.fromhex(good["transparent_statement"])).to_json()
    assert (shown["what"], shown["kind"]) == ("transparent statement", "readings")
    assert [(part["what"], part["header"]["index"]) for part in shown["receipts"]] == [
        ("receipt", good["index"])
    ]


def test_receipts_and_messages_of_others_are_shown_as_what_they_are() -> None:
    path = VECTORS / "receipt" / "foreign.json"
    for good in json.loads(path.read_text(encoding="utf-8"))["vectors"]:
        if good["want_error"]:
            continue
        shown = show(bytes.fromhex(good["cose_receipt"])).to_json()
        assert (shown["what"], shown["header"]["vds"]) == ("COSE receipt", good["vds"])
        assert [[p["tree_size"], p["index"]] for p in shown["header"]["inclusion"]] == [
            place[:2] for place in good["inclusion"]
        ]
    header = show(bytes.fromhex(vector("cose-sign1", "cose-sign1")["message"])).to_json()["header"]
    assert header["protected"] == {"$map": [[1, -19], [4, {"$bytes": "3131"}]]}


@pytest.mark.parametrize(
    ("protected", "shown"),
    [
        ("a101f93c00", [[1, {"$float": "1.0"}]]),
        ("a101c100", [[1, {"$tag": [1, 0]}]]),
        ("a101f7", [[1, {"$simple": 23}]]),
        ("a101a1f500", [[1, {"$map": [[True, 0]]}]]),
        ("a10181a16178f93e00", [[1, [{"x": {"$float": "1.5"}}]]]),
    ],
)
def test_what_our_cbor_leaves_out_is_shown_in_messages_of_others(protected: str, shown: Any) -> None:
    message = (
        bytes.fromhex("d284") + bytes([0x40 + len(protected) // 2]) + bytes.fromhex(protected + "a04040")
    )
    assert show(message).to_json()["header"]["protected"] == {"$map": shown}


def test_statement_file_shows_all_three() -> None:
    shown = show(cbor.encode([FORMAT, STATEMENT, CONTENT, RECEIPT])).to_json()
    assert shown["what"] == "statement file"
    assert shown["content"]["kind"] == shown["kind"]
    assert shown["receipt"]["what"] == "receipt"


def test_bundle_lists_its_members_and_shows_one(stored: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(BUNDLE)
    assert main(["show", path, "--json"]) == 0
    names = [one["name"] for one in json.loads(capsys.readouterr().out)["members"]]
    assert "subject" in names
    chunk = next(name for name in names if name.startswith("contents/"))
    assert main(["show", path, "--member", "subject", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["what"] == "value"
    assert main(["show", path, "--member", chunk, "--item", "0"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("content ")
    assert out.endswith(f"{UNCHECKED}\n")


@pytest.mark.parametrize(
    ("data", "arguments"),
    [
        (BUNDLE, ["--member", "nothing"]),
        (BUNDLE, ["--member", "subject", "--item", "0"]),
        (BUNDLE, ["--member", "contents/000000", "--item", "99"]),
        (BUNDLE, ["--member", "contents/000000", "--item", "-1"]),
        (BUNDLE[:-1], []),
        (CONTENT, ["--member", "subject"]),
    ],
    ids=["no member", "no items", "no item", "negative", "cut off", "no bundle"],
)
def test_what_is_not_there_is_refused(
    data: bytes, arguments: list[str], stored: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", stored(data), *arguments]) == 2
    assert capsys.readouterr().err.startswith("carbonseal-verifier: ")


def test_text_that_hides_characters_is_shown_with_escapes() -> None:
    assert "\\u202e" in show("right \u202e left".encode()).to_text()
