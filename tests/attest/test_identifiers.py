from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.errors import IdentifierInvalid
from carbonseal_attest.identifiers import (
    check_code,
    check_credit_code,
    check_lei,
    check_name,
    check_org,
    check_origin,
    is_plain_text,
    opaque_code,
)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "log.example.org",
        "/e-a/data",
        "log/e-a/",
        "Log/e-a/data",
        "log/e-a//data",
        "log/../data",
        "log/a..b/data",
        "a..b/e-a/data",
        "log/e-a/data\n",
        "log/e-a/d\u0430ta",
        "log/" + "a" * 120,
        "log/.hidden",
        "https://log/e-a",
        5,
        None,
        b"log/e-a/data",
    ],
)
def test_refuses_malformed_origin(origin: object) -> None:
    with pytest.raises(IdentifierInvalid, match="not a log origin"):
        check_origin(origin)


@pytest.mark.parametrize(
    "code", ["", "e", "e-", "E-abc", "abcd-x", "e-\u0661", "e-a_b", "e-" + "a" * 48, "e-a\n", 1]
)
def test_refuses_malformed_code(code: object) -> None:
    with pytest.raises(IdentifierInvalid, match="not an opaque code"):
        check_code(code)


@pytest.mark.parametrize("name", ["", "/a", "a/../b", "a//b", "A", "a b", "a" * 81, "a\n", "\u00e9", None])
def test_refuses_malformed_name(name: object) -> None:
    with pytest.raises(IdentifierInvalid, match="not a machine name"):
        check_name(name)


def test_accepts_the_forms_that_the_spec_shows() -> None:
    assert check_origin("log.example.org/e-exampleworks/data")
    assert check_code("m-boiler1")
    assert check_name("readings/m-boiler1")


def test_opaque_codes_of_one_material_differ_by_prefix_and_are_stable() -> None:
    assert opaque_code("e", b"x") == opaque_code("e", b"x")
    assert opaque_code("e", b"x")[2:] != opaque_code("g", b"x")[2:]
    assert check_code(opaque_code("abc", b""))


def test_credit_code_with_wrong_check_character_is_refused() -> None:
    assert check_credit_code("91350100M000100Y43")  # the example of GB 32100-2015
    for at in range(18):
        wrong = "91350100M000100Y43"[:at] + "0" + "91350100M000100Y43"[at + 1 :]
        if wrong != "91350100M000100Y43":
            with pytest.raises(IdentifierInvalid):
                check_credit_code(wrong)


@pytest.mark.parametrize(
    "code", ["91350100M000100Y4", "91350100M000100Y4I", "91350100m000100y43", "", 18, "\u0661" * 18]
)
def test_refuses_what_is_no_credit_code(code: object) -> None:
    with pytest.raises(IdentifierInvalid):
        check_credit_code(code)


@pytest.mark.parametrize(
    "character",
    [
        "\n",
        "\x00",
        "\x7f",
        "\x85",
        "\u00a0",
        "\u00ad",
        "\u200b",
        "\u200f",
        "\u2028",
        "\u202e",
        "\u2066",
        "\ufeff",
        "\ud800",
        "\ue000",
        "\uffff",
        "\U000e0001",
        "\U0010ffff",
    ],
    ids=ascii,
)
def test_text_that_a_reader_cannot_see_is_not_plain(character: str) -> None:
    assert not is_plain_text(f"a{character}b")


def test_chinese_with_full_width_signs_and_units_with_signs_are_plain() -> None:
    assert is_plain_text("二号锅炉（燃气）：蒸汽，１．５\u3000吨、CO₂ m³·h⁻¹ 😀 𠀋")


@given(st.text())
def test_plain_text_holds_nothing_that_the_library_calls_a_control(text: str) -> None:
    if is_plain_text(text):
        assert text.encode().decode() == text
        assert not any(c in text for c in map(chr, [*range(32), *range(127, 160)]))


# Public LEIs: the first is that of the foundation that runs the system.
LEIS = ["506700GE1G29325QX363", "7H6GLXDRUGQFU57RNE97", "5493001KJTIIGC8Y1R12"]


@pytest.mark.parametrize("lei", LEIS)
def test_lei_with_any_wrong_character_is_refused(lei: str) -> None:
    assert check_lei(lei) == lei == check_org(lei)
    # ISO 7064 promises this for a digit in a digit's place and a letter in a letter's.
    for at, here in enumerate(lei):
        for other in set("0123456789" if here.isdigit() else "ABCDEFGHIJKLMNOPQRSTUVWXYZ") - {here}:
            with pytest.raises(IdentifierInvalid):
                check_lei(lei[:at] + other + lei[at + 1 :])


def test_lei_with_check_digits_that_the_standard_never_makes_is_refused() -> None:
    for digits in ("00", "01", "99"):
        for tail in range(97):
            text = f"{tail:018d}{digits}"
            with pytest.raises(IdentifierInvalid):
                check_lei(text)


@pytest.mark.parametrize("org", ["", "9135", LEIS[0].lower(), LEIS[0] + "0", "91350100M000100Y43 ", None, 20])
def test_refuses_what_is_neither_credit_code_nor_lei(org: object) -> None:
    with pytest.raises(IdentifierInvalid):
        check_org(org)


@pytest.mark.parametrize("org", ["91350100M000100Y43", *LEIS])
def test_no_code_holds_the_number_of_a_legal_person(org: str) -> None:
    with pytest.raises(IdentifierInvalid, match="names a legal person"):
        check_code(f"e-{org.lower()}")
