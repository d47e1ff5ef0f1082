from __future__ import annotations

import dataclasses
import hashlib
import time
from typing import Any

import pytest
from example_contents import DATA, key
from hypothesis import given
from hypothesis import strategies as st
from vector_files import read_vectors

from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.errors import AlgorithmRefused, NoteInvalid, TrustInvalid
from carbonseal_attest.signing import Esp256Signer
from carbonseal_attest.trust import (
    MAX_TRUST_FILE,
    Algorithms,
    TrustFile,
    format_trust_file,
    sign_trust_file,
    spoken,
)
from carbonseal_attest.trust.signature import with_signature

REGISTRAR = key("registrar").public.raw.hex()
LOG = key("log host").public.raw.hex()
OTHER = key("party").public.raw.hex()
TEXT = f"""format = "carbonseal-trust/v1"
publisher = "Example association 示例协会"
publisher_key = "none"
label = "made for the tests"
published_at = "2026-02-01T00:00:00Z"
closed_log = []

[freshness]
max_age_hours = 72
not_before = "2026-01-01T00:00:00Z"

[requirements]
anchor = "required"

[commit_delay]
limit_hours = 26

[profiles]
rule = ["default@1"]
grade = ["CARBON-EFFICIENCY@1.0.0"]

[witnesses]
policy = \"\"\"
quorum none
\"\"\"
retired = []

[[algorithm]]
id = -19
last_date = "2035-12-31T00:00:00Z"

[[registrar]]
party = "r-example"
register_origin = "log.example.org/r-example/register"
key = "{REGISTRAR}"

[[log_host]]
party = "h-example"
origin_prefix = "log.example.org/"
log_of_logs = "log.example.org/epochs"
[[log_host.key]]
public = "{LOG}"
from_size = 0
until_size = 100
[[log_host.key]]
public = "{OTHER}"
from_size = 100

[[chain]]
chain_id = 31337
header_profile = "evm-rlp"
contract = "0x{"c0" * 20}"
code_hash = "{"cc" * 32}"
log_id = "{"11" * 32}"
slot = 0
[[chain.head_key]]
address = "{"ab" * 20}"
from_size = 0
[[chain.trusted_block]]
number = 12
hash = "{"bb" * 32}"
source = "node of the association"
"""


def parse(text: str) -> TrustFile:
    return TrustFile.parse(text.encode())


def refuse(match: str, old: str, new: str, *, count: int = 1) -> None:
    assert TEXT.count(old) >= 1
    with pytest.raises(TrustInvalid, match=match):
        parse(TEXT.replace(old, new, count))


def test_file_says_what_it_says_and_shows_its_digest() -> None:
    trust = parse(TEXT)
    assert trust.publisher == "Example association 示例协会"
    assert trust.digest == hashlib.sha256(TEXT.encode()).digest()
    assert trust.signed_by is None
    assert trust.limits.max_age_ms == 72 * 3_600_000
    assert trust.limits.is_anchor_required
    assert trust.limits.commit_delay_ms == 26 * 3_600_000
    assert trust.algorithms.last_dates == {-19: 2_082_672_000_000}
    assert trust.chains[0].trusted_blocks[0].source == "node of the association"


def test_formatted_file_reads_back_to_the_same_facts() -> None:
    trust = parse(TEXT)
    again = parse(format_trust_file(trust))
    assert dataclasses.replace(again, digest=trust.digest) == trust
    assert format_trust_file(again) == format_trust_file(trust)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("carbonseal-trust/v1", "carbonseal-trust/v2", "format"),
        ("label =", "labels =", "label: is missing"),
        ("closed_log = []", "closed_log = []\nextra = 1", "extra: is not known"),
        ("slot = 0", "slot = 0\nslots = 1", "slots: is not known"),
        ("from_size = 100", "from_size = 100\nnote = 1", "note: is not known"),
        ("max_age_hours = 72", "max_age_hours = 0", "max_age_hours"),
        ("max_age_hours = 72", "max_age_hours = true", "not of type int"),
        ("max_age_hours = 72", "max_age_hours = 72.0", "not of type int"),
        ("from_size = 0", "from_size = -1", "from_size"),
        ('anchor = "required"', 'anchor = "no"', "neither required nor optional"),
        ('"2026-02-01T00:00:00Z"', "2026-02-01T00:00:00Z", "not of type str"),
        ('"2026-02-01T00:00:00Z"', '"2026-02-01"', "published_at"),
        ('"Example association', '"\\u202eExample', "not plain text"),
        ('"Example association', '"a\\nb', "not plain text"),
        (f'key = "{REGISTRAR}"', f'key = "{REGISTRAR.upper()}"', "not a public key"),
        (f'key = "{REGISTRAR}"', f'key = "{"00" * 32}"', "low-order"),
        (f'key = "{REGISTRAR}"', 'key = "' + "\\u0661" * 64 + '"', "not a public key"),
        ('party = "r-example"', 'party = "Registrar"', "opaque code"),
        ('origin_prefix = "log.example.org/"', 'origin_prefix = "log.example.org"', "ending in a slash"),
        ('origin_prefix = "log.example.org/"', 'origin_prefix = ""', "empty"),
        ("id = -19", "id = 19", "id"),
    ],
)
def test_refuses_unknown_missing_or_malformed_key(old: str, new: str, match: str) -> None:
    refuse(match, old, new)


def test_refuses_file_without_freshness() -> None:
    refuse(
        "neither max_age_hours nor not_before",
        'max_age_hours = 72\nnot_before = "2026-01-01T00:00:00Z"\n',
        "",
    )


def test_refuses_required_anchor_without_a_chain() -> None:
    without = TEXT[: TEXT.index("[[chain]]")]
    with pytest.raises(TrustInvalid, match="no chain is named"):
        parse(without.replace("closed_log = []", "closed_log = []\nchain = []"))


PARTS = {
    "publisher": 'publisher = "Example association 示例协会"\n',
    "label": 'label = "made for the tests"\n',
    "published_at": 'published_at = "2026-02-01T00:00:00Z"\n',
    "closed_log": "closed_log = []\n",
    "freshness": '[freshness]\nmax_age_hours = 72\nnot_before = "2026-01-01T00:00:00Z"\n',
    "requirements": '[requirements]\nanchor = "required"\n',
    "requirements.anchor": 'anchor = "required"\n',
    "commit_delay": "[commit_delay]\nlimit_hours = 26\n",
    "commit_delay.limit_hours": "limit_hours = 26\n",
    "profiles": '[profiles]\nrule = ["default@1"]\ngrade = ["CARBON-EFFICIENCY@1.0.0"]\n',
    "profiles.rule": 'rule = ["default@1"]\n',
    "profiles.grade": 'grade = ["CARBON-EFFICIENCY@1.0.0"]\n',
    "witnesses": '[witnesses]\npolicy = """\nquorum none\n"""\nretired = []\n',
    "witnesses.policy": 'policy = """\nquorum none\n"""\n',
    "witnesses.retired": "retired = []\n",
    "publisher_key": 'publisher_key = "none"\n',
    "algorithm": '[[algorithm]]\nid = -19\nlast_date = "2035-12-31T00:00:00Z"\n',
    "algorithm[0].last_date": 'last_date = "2035-12-31T00:00:00Z"\n',
    "chain": TEXT[TEXT.index("[[chain]]") :],
}


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_refused_by_name_with_what_to_write_and_has_no_default(part: str) -> None:
    assert PARTS[part] in TEXT
    with pytest.raises(TrustInvalid) as refused:
        parse(TEXT.replace(PARTS[part], "", 1))
    assert refused.value.field == part
    assert refused.value.reason == "is missing"
    assert refused.value.remedy.startswith("write ")


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("id = -19", "id = -9", "does not admit"),
        ('rule = ["default@1"]', "rule = []", "profiles.rule: none is named"),
        ('rule = ["default@1"]', 'rule = ["default"]', "not ID@VERSION"),
        ('rule = ["default@1"]', 'rule = ["default@1", "default@1"]', "each once"),
        ('rule = ["default@1"]', "rule = [1]", "each once"),
        ("limit_hours = 26", "limit_hours = 0", "limit_hours"),
        ("quorum none", "quorum nobody", "witnesses"),
    ],
)
def test_refuses_limits_that_let_nothing_or_anything_pass(old: str, new: str, match: str) -> None:
    refuse(match, old, new)


def test_an_empty_table_of_algorithms_is_refused_not_read_as_any() -> None:
    text = TEXT.replace(PARTS["algorithm"], "").replace("closed_log = []", "closed_log = []\nalgorithm = []")
    with pytest.raises(TrustInvalid, match="none is admitted"):
        parse(text)


CLOSED = """[[closed_log]]
origin = "log.example.org/e-a/data"
tree_size = 812
root_hash = "{root}"
successor = "{successor}"
"""


def closed(*entries: str) -> str:
    return TEXT.replace("closed_log = []\n", "") + "".join(entries)


def test_a_closed_log_says_up_to_which_head_it_counts_and_what_goes_on() -> None:
    entry = CLOSED.format(root="ab" * 32, successor="log2.example.org/e-a/data")
    (log,) = parse(closed(entry)).closed_logs
    assert (log.tree_size, log.root_hash, log.successor) == (
        812,
        b"\xab" * 32,
        "log2.example.org/e-a/data",
    )
    assert parse(closed(CLOSED.format(root="ab" * 32, successor="none"))).closed_logs[0].successor is None


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ([("e-a", "none"), ("e-a", "none")], "closed twice"),
        ([("e-a", "e-c"), ("e-b", "e-c")], "one successor"),
        ([("e-a", "e-a")], "succeeds itself"),
        ([("e-a", "e-b"), ("e-b", "e-a")], "succeeds itself"),
        ([("e-a", "")], "empty"),
    ],
)
def test_refuses_closed_logs_that_contradict_each_other(entries: list[tuple[str, str]], match: str) -> None:
    def name(code: str) -> str:
        return f"log.example.org/{code}/data" if code.startswith("e-") else code

    text = [
        CLOSED.format(root="ab" * 32, successor=name(after)).replace(
            "log.example.org/e-a/data", name(origin), 1
        )
        for origin, after in entries
    ]
    with pytest.raises(TrustInvalid, match=match):
        parse(closed(*text))


def test_refuses_a_log_key_that_cannot_sign_checkpoints() -> None:
    other = Esp256Signer.from_seed(bytes(31) + b"\x01").public.text()
    text = TEXT.replace(f'public = "{LOG}"', f'public = "{other}"')
    with pytest.raises(TrustInvalid, match="not an Ed25519 key"):
        parse(text)


def test_a_row_about_one_log_takes_it_out_of_the_rows_about_all() -> None:
    third = key("device").public.raw.hex()
    row = f'[[log_host.key]]\npublic = "{third}"\norigin = "{DATA}"\nfrom_size = 50\n'
    (host,) = parse(TEXT.replace("\n[[chain]]", f"{row}\n[[chain]]", 1)).log_hosts
    assert host.key_for(DATA, 60).raw.hex() == third
    assert host.key_for("log.example.org/e-other/data", 60).raw.hex() == LOG
    with pytest.raises(TrustInvalid, match="no key for tree size 49"):
        host.key_for(DATA, 49)


def rotated(*signers: str, size: int = 100) -> str:
    head = Checkpoint(DATA, size, bytes(32))
    notes = [sign_checkpoint(head, key(name)) for name in signers]
    return notes[0] + "".join(note.rpartition("\n\n")[2] for note in notes[1:])


def test_the_first_head_under_a_new_log_key_carries_both_signatures() -> None:
    (host,) = parse(TEXT).log_hosts
    assert host.open_checkpoint(rotated("log host", "party"), origin=DATA).tree_size == 100
    for signers in (("party",), ("log host",)):
        with pytest.raises(NoteInvalid, match="no signature of the expected key"):
            host.open_checkpoint(rotated(*signers), origin=DATA)


def test_a_retired_log_key_signs_no_later_head_and_a_new_one_no_earlier() -> None:
    (host,) = parse(TEXT).log_hosts
    assert host.open_checkpoint(rotated("log host", size=99), origin=DATA).tree_size == 99
    assert host.open_checkpoint(rotated("party", size=101), origin=DATA).tree_size == 101
    for signer, size in (("log host", 101), ("party", 99)):
        with pytest.raises(NoteInvalid, match="no signature of the expected key"):
            host.open_checkpoint(rotated(signer, size=size), origin=DATA)


def test_algorithm_is_judged_by_when_it_was_anchored_and_by_its_own_last_date() -> None:
    algorithms = Algorithms({-19: 1000, -48: 2000})
    algorithms.require(-19, anchored_at=1000, what="entry 1")
    with pytest.raises(AlgorithmRefused, match="counts until"):
        algorithms.require(-19, anchored_at=1001, what="entry 1")
    algorithms.require(-48, anchored_at=1001, what="entry 1")
    with pytest.raises(AlgorithmRefused, match="is not admitted"):
        algorithms.require(-9, anchored_at=0, what="entry 1")


def test_digest_is_read_out_in_sixteen_groups_of_four() -> None:
    lines = spoken(bytes(range(32)))
    assert lines[0] == "0001 0203 0405 0607"
    assert "".join(lines).replace(" ", "") == bytes(range(32)).hex()


@pytest.mark.parametrize(
    ("addition", "match"),
    [
        ('[[algorithm]]\nid = -19\nlast_date = "2099-01-01T00:00:00Z"\n', "stands twice"),
        (
            (
                '[[registrar]]\nparty = "r-example"\nregister_origin = "log.example.org/x/register"\n'
                f'key = "{OTHER}"\n'
            ),
            "stands twice",
        ),
        (
            (
                '[[log_host]]\nparty = "h-second"\norigin_prefix = "log.example.org/e-a/"\n'
                'log_of_logs = "log.example.org/e-a/epochs"\nkey = []\n'
            ),
            "inside another",
        ),
        (
            (
                '[[log_host]]\nparty = "h-second"\norigin_prefix = "log.example.org/"\n'
                'log_of_logs = "log.example.org/epochs"\nkey = []\n'
            ),
            "inside another",
        ),
        (TEXT[TEXT.index("[[chain]]") :], "one chain stands twice"),
    ],
)
def test_refuses_two_answers_to_one_question(addition: str, match: str) -> None:
    with pytest.raises(TrustInvalid, match=match):
        parse(TEXT + addition)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("until_size = 100", "until_size = 101"),
        ("until_size = 100\n", ""),
        ("from_size = 0\nuntil_size = 100", "from_size = 5\nuntil_size = 5"),
        (
            "from_size = 0\nuntil_size = 100",
            (
                "from_size = 0\nuntil_size = 100\n[[log_host.key]]\n"
                f'public = "{LOG}"\nfrom_size = 7\nuntil_size = 8'
            ),
        ),
    ],
)
def test_refuses_log_keys_whose_sizes_overlap_or_are_empty(old: str, new: str) -> None:
    refuse("overlap", old, new)


def test_refuses_log_of_logs_outside_its_hosts_prefix() -> None:
    refuse("outside", 'log_of_logs = "log.example.org/epochs"', 'log_of_logs = "other.example.org/epochs"')


def test_refuses_file_that_trusts_no_registrar() -> None:
    start, end = TEXT.index("[[registrar]]"), TEXT.index("[[log_host]]")
    with pytest.raises(TrustInvalid, match="registrar"):
        parse("registrar = []\n" + TEXT[:start] + TEXT[end:])


def test_log_key_is_chosen_by_tree_size_and_only_within_the_hosts_prefix() -> None:
    (host,) = parse(TEXT).log_hosts
    assert host.key_for(DATA, 99).raw.hex() == LOG
    assert host.key_for(DATA, 100).raw.hex() == OTHER
    with pytest.raises(TrustInvalid, match="outside"):
        host.key_for("log.example.org.evil/e-a/data", 1)
    with pytest.raises(TrustInvalid, match="outside"):
        host.key_for("log.example.orgx/e-a/data", 1)


def test_signature_of_the_publisher_is_shown_and_any_flipped_bit_is_refused() -> None:
    signed = sign_trust_file(parse(TEXT), key("party"))
    assert TrustFile.parse(signed).signed_by == key("party").public
    for at in range(0, len(signed), 3):
        changed = signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :]
        with pytest.raises(TrustInvalid):
            # A comment that is no longer a signature line leaves the file unsigned, in plain sight.
            assert TrustFile.parse(changed).signed_by is not None or _unsigned(changed)


def _unsigned(data: bytes) -> None:
    assert b"# signature" not in data
    raise TrustInvalid("signature", "the file counts as unsigned", "sign it")


@pytest.mark.parametrize(
    "tail",
    [
        "# signature 00 00\n",
        "# signature\n",
        "x = 1 # signature y\n",
    ],
)
def test_refuses_signature_line_that_is_malformed(tail: str) -> None:
    with pytest.raises(TrustInvalid, match="signature"):
        parse(TEXT + tail)


def test_refuses_signature_that_is_not_the_last_line_or_stands_twice() -> None:
    signed = sign_trust_file(parse(TEXT), key("party"))
    for changed in (
        signed + b"\n",
        signed[:-1],
        signed + b"# more\n",
        signed.replace(b"\n# sig", b"\n\r# sig"),
    ):
        with pytest.raises(TrustInvalid):
            TrustFile.parse(changed)
    with pytest.raises(TrustInvalid, match="doubled"):
        TrustFile.parse(with_signature(signed.decode(), key("registrar")))


def test_refuses_to_write_text_that_would_say_more_than_it_seems() -> None:
    for label in ('x"\nanchor = "optional', "", "a\\b", "\u202e"):
        with pytest.raises(TrustInvalid, match="label"):
            format_trust_file(dataclasses.replace(parse(TEXT), label=label))


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"a = " + b"9" * 900,
        b"a = " + b"[" * 900,
        b"a = " + b"{a=" * 300,
        b"a = 2026-99-99",
        b"a" + b".a" * 100_000 + b" = 1",
        b"x" * (MAX_TRUST_FILE + 1),
        b"\n".join(b"a" + b".b" * 450 + b".c%d = 1" % n for n in range(280)),
        b"",
    ],
    ids=lambda data: data[:12].hex(),
)
def test_hostile_toml_is_refused_in_little_time(data: bytes) -> None:
    before = time.process_time()
    with pytest.raises(TrustInvalid):
        TrustFile.parse(data)
    assert time.process_time() - before < 5  # a dotted key of 50,000 parts takes half a minute to read


@given(
    st.binary(max_size=120) | st.text(max_size=120).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_any_bytes_give_our_refusal(data: bytes) -> None:
    with pytest.raises(TrustInvalid):
        TrustFile.parse(data)


@given(st.data())
def test_any_change_of_bytes_gives_a_file_or_our_refusal(data: st.DataObject) -> None:
    whole = TEXT.encode()
    at = data.draw(st.integers(0, len(whole)))
    new = data.draw(st.binary(max_size=6) | st.sampled_from([b'"', b"\n", b"[[", b"0", b"#", b"9" * 100]))
    try:
        TrustFile.parse(whole[:at] + new + whole[at + data.draw(st.integers(0, 6)) :])
    except TrustInvalid:
        return


VECTORS = read_vectors("trust-file")


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["desc"] for vector in VECTORS])
def test_vector(vector: dict[str, Any]) -> None:
    data = vector["file"].encode()
    if vector["want_error"] is not None:
        with pytest.raises(TrustInvalid) as refused:
            TrustFile.parse(data)
        assert (refused.value.code, refused.value.field) == (vector["want_error"], vector["field"])
        return
    trust = TrustFile.parse(data)
    assert trust.digest.hex() == vector["digest"]
    assert (None if trust.signed_by is None else trust.signed_by.text()) == vector["signed_by"]
    for origin, size, text in vector["keys"]:
        assert trust.log_hosts[0].key_for(origin, size).text() == text
    for names, is_met in vector["met"]:
        assert trust.witnesses.policy.is_met(names) == is_met
    if trust.signed_by is None:
        again = TrustFile.parse(format_trust_file(trust).encode())
        assert dataclasses.replace(again, digest=trust.digest) == trust
