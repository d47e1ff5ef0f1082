"""Persons: sign-in with password and one-time code under attack, links, sessions, and what is stored."""

from __future__ import annotations

from base64 import b32decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import text, update

from carbonseal_api.accounts import persons
from carbonseal_api.accounts.attempts import MAX_FAILURES, WINDOW_MS, SignInBlocked
from carbonseal_api.accounts.models import Person
from carbonseal_api.accounts.one_time_codes import code_at, step_of
from carbonseal_api.accounts.passwords import check_password, hash_password, is_password
from carbonseal_api.accounts.persons import AddedPerson, LoginTaken, add_person, normal_login, withdraw_person
from carbonseal_api.accounts.sealing import open_secret, seal_secret
from carbonseal_api.problems import PartMissing, RequestInvalid, RoleMissing
from carbonseal_api.web.sessions import COOKIE

PASSWORD = "correct horse battery"
RFC_SECRET = b"12345678901234567890"
_numbers = iter(range(10_000))


class Visitor:
    """A person with password and authenticator, and a browser without cookies."""

    def __init__(self, site: Any, added: AddedPerson) -> None:
        self.site, self.added = site, added
        self.secret = b32decode(parse_qs(urlsplit(added.otpauth).query)["secret"][0])

    def code(self, steps: int = 0) -> str:
        return code_at(self.secret, self.site.clock.now // 30_000 + steps)

    def sign_in(self, **changes: str) -> Any:
        self.site.client.cookies.clear()
        form = {"login": self.added.login, "password": PASSWORD, "code": self.code()} | changes
        answer = self.site.client.post("/sign-in", data=form)
        self.site.client.cookies.clear()
        return answer


@pytest.fixture(scope="module")
def stored() -> str:
    return hash_password(PASSWORD)


@pytest.fixture
def person(site: Any, stored: str) -> Iterator[Visitor]:
    """A person with a password; the clock stands thirty seconds further for each."""
    site.clock.now += 30_000
    added = add_person(site.parts, site.party, f"li.wei{next(_numbers)}@example.org", ["enterprise"])
    with site.parts.engine.begin() as connection:  # as set_password would, without its tenth of a second
        wanted = update(Person).where(Person.person_id == added.person_id)
        connection.execute(wanted.values(password=stored))
    yield Visitor(site, added)
    site.client.cookies.clear()


# RFC 6238, appendix B, SHA-1: the last six of its eight digits.
@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    assert code_at(RFC_SECRET, seconds // 30) == code
    assert step_of(RFC_SECRET, code, seconds * 1000) == seconds // 30


def test_code_counts_one_step_early_or_late_and_no_further() -> None:
    now = 1_767_196_800_000
    accepted = [
        step for step in range(-3, 4) if step_of(RFC_SECRET, code_at(RFC_SECRET, now // 30_000 + step), now)
    ]
    assert accepted == [-1, 0, 1]


@pytest.mark.parametrize("code", ["", "28708", "2870822", "x" * 6, "２８７０８２", "287082\n", "\x00" * 6])
def test_rejects_what_is_no_code(code: str) -> None:
    assert step_of(RFC_SECRET, code, 59_000) is None


def test_rejects_replayed_code_and_the_one_before_it(person: Visitor) -> None:
    code, earlier = person.code(), person.code(-1)
    assert person.sign_in(code=code).status_code == 303
    assert person.sign_in(code=code).status_code == 401
    assert person.sign_in(code=earlier).status_code == 401
    assert person.sign_in(code=person.code(1)).status_code == 303


def test_one_code_sent_many_times_at_once_opens_one_session(site: Any, person: Visitor) -> None:
    code = person.code()

    def try_it(_: int) -> bool:
        try:
            persons.sign_in(site.parts, person.added.login, PASSWORD, code)
        except (persons.SignInRefused, SignInBlocked):
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(try_it, range(4))) == 1


def test_wrong_name_password_or_code_and_a_withdrawn_person_look_alike(site: Any, person: Visitor) -> None:
    gone = Visitor(site, add_person(site.parts, site.party, "gone@example.org", ["reader"]))
    withdraw_person(site.parts, gone.added.person_id)
    unset = Visitor(site, add_person(site.parts, site.party, "unset@example.org", ["reader"]))
    answers = [
        person.sign_in(login="nobody@example.org"),
        person.sign_in(password="wrong horse battery"),
        person.sign_in(code="000000" if person.code() != "000000" else "000001"),
        gone.sign_in(),
        unset.sign_in(password=""),
        person.sign_in(login="", password="", code=""),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert all("set-cookie" not in answer.headers for answer in answers)


@pytest.mark.parametrize("is_known", [True, False])
def test_name_is_blocked_after_five_attempts_known_or_not(
    site: Any, person: Visitor, *, is_known: bool
) -> None:
    login = person.added.login if is_known else f"nobody{next(_numbers)}@example.org"
    answers = [person.sign_in(login=login, code="000000", password="x") for _ in range(MAX_FAILURES + 2)]
    assert [answer.status_code for answer in answers] == [401] * MAX_FAILURES + [429] * 2
    assert answers[-1].headers["retry-after"] == "900"
    assert person.sign_in(login=login).status_code == 429  # the right password and code do not help now
    site.clock.now += WINDOW_MS
    assert person.sign_in(login=login).status_code == (303 if is_known else 401)


def test_many_guesses_at_once_count_every_one(site: Any, person: Visitor) -> None:
    def guess(number: int) -> str:
        try:
            persons.sign_in(site.parts, person.added.login, "x", f"{number:06d}")
        except (persons.SignInRefused, SignInBlocked) as refusal:
            return type(refusal).__name__
        return "signed in"

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(guess, range(12)))
    assert found.count("SignInRefused") <= MAX_FAILURES
    assert set(found) == {"SignInRefused", "SignInBlocked"}


def test_success_takes_back_the_count(person: Visitor) -> None:
    for _ in range(MAX_FAILURES - 1):
        assert person.sign_in(code="x").status_code == 401
    assert person.sign_in().status_code == 303
    for _ in range(2):
        assert person.sign_in(code="x").status_code == 401


@pytest.mark.parametrize(
    "login",
    [
        "\u212aim@example.org",  # the Kelvin sign, whose lower case is k
        "kim@example.org\u200b",
        "kіm@example.org",  # a Cyrillic і
        "kim@exämple.org",
        "ｋｉｍ@example.org",
        "kım@example.org",
        "kim@example.org\x00",
        "kim@example.org\n.evil.example",
        "kim",
        "@example.org",
        "kim@",
        "kim@example..org",
        "a" * 110 + "@example.org",
    ],
)
def test_login_that_only_looks_like_one_is_none(site: Any, login: str) -> None:
    assert normal_login(login) is None
    with pytest.raises(RequestInvalid, match="e-mail"):
        add_person(site.parts, site.party, login, ["reader"])


def test_login_is_one_in_upper_and_lower_case(site: Any) -> None:
    add_person(site.parts, site.party, "Kim@Example.org", ["reader"])
    with pytest.raises(LoginTaken, match="somebody has this name"):
        add_person(site.parts, site.party, "kim@example.ORG", ["reader"])


def test_rejects_person_with_a_role_that_reads_no_pages_or_is_not_its_partys(site: Any) -> None:
    with pytest.raises(RoleMissing, match="reads no pages"):
        add_person(site.parts, site.party, "g@example.org", ["gateway"])
    with pytest.raises(RoleMissing, match="not admitted for regulator"):
        add_person(site.parts, site.party, "r@example.org", ["regulator"])


@pytest.mark.parametrize(
    "password", ["short", "a" * 40, "x" * 200, "li.wei li.wei li.wei", "abababababab", ""]
)
def test_rejects_password_that_is_easy_or_endless(password: str) -> None:
    with pytest.raises(RequestInvalid, match="password"):
        check_password(password, "li.wei@example.org")


def test_password_is_told_by_its_hash_alone() -> None:
    stored = hash_password(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert hash_password(PASSWORD) != stored
    assert is_password(PASSWORD, stored)
    assert not is_password(PASSWORD + " ", stored)
    assert not is_password(PASSWORD, None)
    assert is_password("ｃｏｒｒｅｃｔ horse battery", stored)  # typed with full-width letters


def test_link_sets_a_password_once_and_looking_spends_nothing(site: Any) -> None:
    added = add_person(site.parts, site.party, f"once{next(_numbers)}@example.org", ["reader"])
    path = urlsplit(added.password_link).path
    client = site.client
    for _ in range(2):
        shown = client.get(path)
        assert (shown.status_code, shown.headers["referrer-policy"]) == (200, "same-origin")
    two = {"password": PASSWORD, "again": PASSWORD}
    assert client.post(path, data={**two, "again": "another one entirely"}).status_code == 422
    assert client.post(path, data={"password": "short", "again": "short"}).status_code == 422
    assert client.post(path, data=two).status_code == 303
    assert client.post(path, data=two).status_code == 401
    assert client.get(path).status_code == 401
    assert client.get("/sign-in/password/" + "A" * 43).status_code == 401


def test_link_ends_after_three_days_and_with_its_person(site: Any) -> None:
    added = add_person(site.parts, site.party, f"late{next(_numbers)}@example.org", ["reader"])
    token = added.password_link.rpartition("/")[2]
    before = site.clock.now
    try:
        site.clock.now += persons.LINK_MS
        with pytest.raises(persons.LinkSpent, match="older than three days"):
            persons.set_password(site.parts, token, PASSWORD, PASSWORD)
    finally:
        site.clock.now = before
    withdraw_person(site.parts, added.person_id)
    with pytest.raises(persons.LinkSpent, match="used before"):
        persons.set_password(site.parts, token, PASSWORD, PASSWORD)


def test_session_is_fresh_at_sign_in_and_the_old_one_ends(site: Any, person: Visitor) -> None:
    client = site.client
    form = {"login": person.added.login, "password": PASSWORD}
    client.cookies.set(COOKIE, "planted-by-somebody-else")
    answer = client.post("/sign-in", data=form | {"code": person.code()})
    first = answer.cookies[COOKIE]
    assert first != "planted-by-somebody-else"
    client.cookies.clear()
    client.cookies.set(COOKIE, first)
    site.clock.now += 30_000
    second = client.post("/sign-in", data=form | {"code": person.code()}).cookies[COOKIE]
    for token, status in ((first, 303), (second, 200)):
        client.cookies.clear()
        client.cookies.set(COOKIE, token)
        assert client.get(f"/pages/{site.party}").status_code == status


def test_session_ends_with_its_person(site: Any, person: Visitor) -> None:
    client = site.client
    token = person.sign_in().cookies[COOKIE]
    client.cookies.set(COOKIE, token)
    assert client.get(f"/pages/{site.party}").status_code == 200
    withdraw_person(site.parts, person.added.person_id, site.party)
    assert client.get(f"/pages/{site.party}").status_code == 303
    assert person.sign_in().status_code == 401


def test_session_is_no_bearer_token_and_a_person_no_api_key(site: Any, person: Visitor) -> None:
    token = person.sign_in().cookies[COOKIE]
    for credential in (token, person.added.person_id, f"csk_{person.added.person_id}_{'A' * 43}"):
        answer = site.client.get("/organisations", headers={"Authorization": f"Bearer {credential}"})
        assert answer.status_code == 401
    site.client.cookies.set(COOKIE, token)
    assert site.client.get("/organisations").status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://testserver.evil.example"}, 403),
        ({"Origin": "http://testserver@evil.example"}, 403),
        ({"Origin": "http://testserver", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://testserver", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "http://testserver"}, 303),
    ],
)
def test_form_of_somebody_elses_page_is_refused(site: Any, headers: dict[str, str], status: int) -> None:
    form = {"key": site.keys["reader"]}
    assert site.client.post("/sign-in", data=form, headers=headers).status_code == status
    assert site.client.post("/sign-out", headers=headers).status_code == status
    site.client.cookies.clear()


@pytest.mark.parametrize("path", ["/pages/e-any/grants", f"/pages/e-any/grants/{'0' * 64}/withdraw"])
def test_grant_that_somebody_elses_page_gives_or_withdraws_is_refused(
    site: Any, person: Visitor, path: str
) -> None:
    site.client.cookies.set(COOKIE, person.sign_in().cookies[COOKIE])
    answer = site.client.post(path, data={}, headers={"Origin": "https://evil.example"})
    site.client.cookies.clear()
    assert answer.status_code == 403
    assert "origin-refused" in answer.text


def test_form_that_does_not_say_where_it_comes_from_is_refused(site: Any) -> None:
    client = site.client
    kept = client.headers.pop("origin")
    try:
        answer = client.post("/sign-in", data={"key": site.keys["reader"]})
    finally:
        client.headers["origin"] = kept
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"login=" + b"a" * 5000, 413),
        (b"&".join(b"a%d=1" % number for number in range(40)), 422),
        (b"login=a&login=b&password=x&code=1", 401),
        (b"login=%00&password=%00&code=%00", 401),
        (b"login=\xff&password=%ff&code=%f0%9f", 401),
        (b"", 401),
    ],
)
def test_rejects_form_that_is_huge_doubled_or_garbled(site: Any, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert site.client.post("/sign-in", content=body, headers=headers).status_code == status


def test_sealed_secret_opens_for_its_person_alone(site: Any) -> None:
    sealed = seal_secret(site.parts, "p-one", RFC_SECRET)
    assert open_secret(site.parts, "p-one", sealed) == RFC_SECRET
    for person_id, data in (
        ("p-two", sealed),
        ("p-one", sealed[:-1] + bytes([sealed[-1] ^ 1])),
        ("p-one", b""),
    ):
        with pytest.raises(PartMissing, match="does not open"):
            open_secret(site.parts, person_id, data)


def test_nothing_of_a_person_is_stored_in_clear_or_stands_in_a_log(site: Any, person: Visitor) -> None:
    person.sign_in()
    hidden = (person.secret, person.added.password_link.rpartition("/")[2].encode(), PASSWORD.encode())
    with site.parts.engine.connect() as connection:
        tables = connection.execute(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        ).scalars()
        rows = {
            table: "\n".join(
                connection.execute(text(f'SELECT row_to_json(t)::text FROM "{table}" t')).scalars()
            )
            for table in list(tables)
        }
    for table, content in rows.items():
        for secret in hidden:
            assert secret.hex() not in content, table
            assert secret.decode("latin-1") not in content, table
        login = person.added.login
        assert (login in content or login.encode().hex() in content) == (table == "api_persons"), table


def test_person_is_added_listed_and_withdrawn_over_http(site: Any) -> None:
    address = f"/organisations/{site.party}/persons"
    wish = {"login": f"http{next(_numbers)}@example.org", "roles": ["reader"]}
    made = site.client.post(address, json=wish, headers=site.headers())
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    body = made.json()
    assert body["otpauth"].startswith("otpauth://totp/Carbonseal:")
    assert site.client.post(address, json=wish, headers=site.headers()).json()["code"] == "login-taken"
    listed = site.client.get(address, headers=site.headers())
    assert [row["has_password"] for row in listed.json() if row["login"] == wish["login"]] == [False]
    assert body["password_link"] not in listed.text
    assert site.client.delete(f"{address}/{body['person_id']}", headers=site.headers()).status_code == 204
    assert site.client.delete(f"{address}/{body['person_id']}", headers=site.headers()).status_code == 404
    assert site.client.post(address, json=wish, headers=site.headers()).status_code == 201  # the name is free


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_sign_in_page_offers_both_ways_in_both_languages(site: Any, lang: str) -> None:
    page = site.client.get(f"/sign-in?lang={lang}").text
    site.client.cookies.clear()
    assert {"zh": "一次性验证码", "en": "One-time code"}[lang] in page
    for name in ("login", "password", "code", "key"):
        assert f'name="{name}"' in page
