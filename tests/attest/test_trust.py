from __future__ import annotations

import dataclasses
import hashlib
import time

import pytest
from example_contents import DATA, key
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.errors import TrustInvalid
from carbonseal_attest.trust import MAX_TRUST_FILE, TrustFile, format_trust_file, sign_trust_file

REGISTRAR = key("registrar").public.raw.hex()
LOG = key("log host").public.raw.hex()
OTHER = key("party").public.raw.hex()
TEXT = f"""format = "carbonseal-trust/v1"
publisher = "Example association 示例协会"
label = "made for the tests"
published_at = "2026-02-01T00:00:00Z"

[freshness]
max_age_hours = 72
not_before = "2026-01-01T00:00:00Z"

[requirements]
anchor = "required"

[quality]
profile = "default@1"

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
    assert trust.max_age_ms == 72 * 3_600_000
    assert trust.is_anchor_required
    assert trust.last_dates == {-19: 2_082_672_000_000}
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
        ("[quality]", "extra = 1\n[quality]", "extra: is not known"),
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
        (f'key = "{REGISTRAR}"', f'key = "{REGISTRAR.upper()}"', "lower-case hex"),
        (f'key = "{REGISTRAR}"', f'key = "{"00" * 32}"', "low-order"),
        (f'key = "{REGISTRAR}"', 'key = "' + "\\u0661" * 64 + '"', "lower-case hex"),
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
    with pytest.raises(TrustInvalid, match="no chain is named"):
        parse(TEXT[: TEXT.index("[[chain]]")])


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
    signed = sign_trust_file(TEXT, key("party"))
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
    signed = sign_trust_file(TEXT, key("party"))
    for changed in (
        signed + b"\n",
        signed[:-1],
        signed + b"# more\n",
        signed.replace(b"\n# sig", b"\n\r# sig"),
    ):
        with pytest.raises(TrustInvalid):
            TrustFile.parse(changed)
    with pytest.raises(TrustInvalid, match="doubled"):
        TrustFile.parse(sign_trust_file(signed.decode(), key("registrar")))


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
