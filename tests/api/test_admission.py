"""Admission of parties whose key is elsewhere, their standing, and organisations by credit code."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, make_url, text

from carbonseal_api import key_files
from carbonseal_api.accounts.clients import add_client
from carbonseal_api.accounts.persons import add_person
from carbonseal_api.admitting import InvitedParty, PartyKnown, change_status, invite_party, parse_public_key
from carbonseal_api.app import create_app
from carbonseal_api.authentication import KeyRing
from carbonseal_api.cli import main
from carbonseal_api.deployment import admit_enterprise, found_deployment, open_deployment
from carbonseal_api.party_keys import rotate_here
from carbonseal_api.problems import NotFound, PartyNotAdmitted, RequestInvalid
from carbonseal_api.running import opened
from carbonseal_api.settings import load_settings
from carbonseal_api.standing import RolesExclude, account_roles_of, check_exclusions, party_roles
from carbonseal_api.web.sessions import COOKIE, open_session
from carbonseal_attest import cbor
from carbonseal_attest.algorithms import algorithm_named
from carbonseal_attest.contents import build_content, parse_content
from carbonseal_attest.contents.identity import ROLES
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.identity.party_rotation import endorse_rotation, read_rotation, write_rotation
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import Ed25519Signer, generate_signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.invitation import Invitation

NAME = {"zh": "别处的机构", "en": "Body elsewhere"}
LEI = "506700GE1G29325QX363"  # public, of the foundation that runs the system
CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def credit_code(number: int) -> str:
    body = f"92330000MB{number:07d}"
    return body + CREDIT[(31 - sum(CREDIT.index(c) * pow(3, i, 31) for i, c in enumerate(body)) % 31) % 31]


@dataclass
class Guest:
    """A party with its key elsewhere: what the registrar gave it, and the key that never came here."""

    site: Any
    signer: Ed25519Signer
    invited: InvitedParty

    def genesis(self, signer: Ed25519Signer | None = None) -> list[bytes]:
        made = Invitation.parse(self.invited.invitation).sign(
            signer or self.signer, issued_at=self.site.clock() // 1000
        )
        return [cbor.encode([statement.raw, content]) for statement, content in made]

    def send(self, body: bytes, key: str | None = None, media_type: str = "application/cbor") -> Any:
        headers = {"Authorization": f"Bearer {key or self.invited.api_key}", "Content-Type": media_type}
        return self.site.client.post("/logs", content=body, headers=headers)


def invite(site: Any, *roles: str, org: str | None = None, signer: Ed25519Signer | None = None) -> Guest:
    key = signer or Ed25519Signer.generate()
    facts = site.cast.host_facts(None)
    return Guest(site, key, invite_party(site.parts, facts, key.public, NAME, roles=roles, org=org))


@pytest.fixture(scope="module")
def site(
    database_url: str, open_site: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """A site of its own: the registrar's desk here is not the cast's, which remembers where it was."""
    with open_site(database_url, "admission", tmp_path_factory.mktemp("admission")) as made:
        for name in ("bank", "laboratory", "stranger", "regulator"):
            made.admit(name)
        yield made


@pytest.fixture(scope="module")
def guest(site: Any) -> Guest:
    return invite(site, "verification_body")


# -- what may not be admitted --


@pytest.mark.parametrize(
    "roles", [("enterprise", "verification_body"), ("bank", "verification_body"), ("enterprise", "regulator")]
)
def test_roles_that_exclude_each_other_are_refused_in_either_order(site: Any, roles: tuple[str, ...]) -> None:
    for order in (roles, roles[::-1]):
        with pytest.raises(RolesExclude, match="excludes"):
            invite(site, *order)


def test_roles_that_exclude_each_other_cannot_be_had_under_two_codes(site: Any) -> None:
    org = credit_code(1)
    invite(site, "enterprise", org=org)
    with pytest.raises(PartyKnown, match="is the credit code of e-"):
        invite(site, "verification_body", org=org)


def test_table_of_roles_names_every_role_once_and_exclusions_both_ways() -> None:
    table = party_roles()
    assert set(table) == set(ROLES)
    for role, row in table.items():
        assert row["accounts"], role
        assert account_roles_of(role)
        for other in row["excludes"]:
            with pytest.raises(RolesExclude, match="excludes"):
                check_exclusions([other, role])


@pytest.mark.parametrize("key", ["", "00", "zz" * 32, "00" * 33, " " * 64])
def test_rejects_public_key_that_is_none(key: str) -> None:
    with pytest.raises(RequestInvalid, match="public_key: "):
        parse_public_key(key)


@pytest.mark.parametrize(
    ("roles", "name", "org"),
    [
        ((), NAME, None),
        (("king",), NAME, None),
        (("bank", "bank"), NAME, None),
        (("bank",), {"zh": "行"}, None),
        (("bank",), {"zh": "行", "en": "B\u202eank"}, None),
        (("bank",), NAME, credit_code(2)[:-1] + ("0" if credit_code(2)[-1] != "0" else "1")),
        (("bank",), NAME, "91330000MA0000000I"),
    ],
)
def test_rejects_admission_that_is_not_whole(
    site: Any, roles: tuple[str, ...], name: dict[str, str], org: str | None
) -> None:
    key, before = Ed25519Signer.generate().public, registered(site)
    with pytest.raises(CarbonsealError, match=r"roles|name|org"):
        invite_party(site.parts, site.cast.host_facts(None), key, name, roles=roles, org=org)
    assert registered(site) == before


def registered(site: Any) -> int:
    return int(site.host.head(site.cast.registrar.register_origin).tree_size)


# -- opening logs with a genesis made elsewhere --


def test_rejects_genesis_of_another_key_than_the_one_admitted(site: Any, guest: Guest) -> None:
    thief = Ed25519Signer.generate()
    with pytest.raises(CarbonsealError, match="another key"):
        guest.genesis(thief)
    body, _ = cbor.decode(guest.genesis()[0]), None
    content = parse_content(body[1])
    changed = content.body | {"party_key": thief.public.cose_key()}
    mine = build_content(
        "genesis", subject=content.subject, stream="genesis", interval=None, body=changed, salt=b""
    )
    answer = guest.send(cbor.encode([body[0], mine]))
    assert (answer.status_code, answer.json()["code"]) == (409, "genesis-refused")


def test_rejects_genesis_whose_signature_or_policy_was_changed(guest: Guest) -> None:
    statement, content = cbor.decode(guest.genesis()[0])
    flipped = statement[:-1] + bytes([statement[-1] ^ 1])
    parsed = parse_content(content)
    lax = parsed.body | {"policy": {**parsed.body["policy"], "clock_tolerance_ms": 86_400_000}}
    other = build_content(
        "genesis", subject=parsed.subject, stream="genesis", interval=None, body=lax, salt=b""
    )
    for body in ([flipped, content], [statement, other], [statement, None], [statement, b""]):
        answer = guest.send(cbor.encode(body))
        assert (answer.status_code, answer.json()["code"]) == (409, "genesis-refused"), answer.text


def test_genesis_of_one_party_sent_by_another_is_not_found(site: Any, guest: Guest) -> None:
    answer = guest.send(guest.genesis()[0], key=site.keys["enterprise"])
    unknown = invite(site, "bank")
    missing = guest.send(unknown.genesis()[0], key=site.keys["enterprise"])
    assert answer.status_code == missing.status_code == 404
    assert answer.text == missing.text


def test_rejects_data_log_before_its_register_log(site: Any) -> None:
    early = invite(site, "laboratory")
    assert early.send(early.genesis()[1]).status_code in {404, 409}
    assert [early.send(body).status_code for body in early.genesis()] == [201, 201]


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"", "application/cbor", 422),
        (b"\xff", "application/cbor", 422),
        (cbor.encode([b"x", b"y"]), "application/cbor", 400),
        (cbor.encode([1, 2]), "application/cbor", 422),
        (cbor.encode([b"x"]), "application/cbor", 422),
        (b"{}", "application/json", 415),
        (b"x" * 3_000_000, "application/cbor", 413),
    ],
)
def test_rejects_what_is_no_genesis(guest: Guest, body: bytes, media_type: str, status: int) -> None:
    assert guest.send(body, media_type=media_type).status_code == status


def test_logs_are_opened_once_and_the_same_genesis_again_is_a_duplicate(site: Any, guest: Guest) -> None:
    for origin, body in zip(
        (guest.invited.register_origin, guest.invited.data_origin), guest.genesis(), strict=True
    ):
        first, again = guest.send(body), guest.send(body)
        assert (first.status_code, first.json()["status"]) == (201, "accepted")
        assert (again.status_code, again.json()["status"]) == (200, "duplicate")
        assert first.json()["origin"] == origin
        assert site.client.get(f"/logs/{origin}/checkpoint").text.startswith(origin)
    site.clock.now += 1000
    later = guest.send(guest.genesis()[0])
    assert (later.status_code, later.json()["code"]) == (409, "genesis-refused")


def test_inviting_again_changes_nothing_and_gives_the_same_invitation(site: Any, guest: Guest) -> None:
    before = registered(site)
    again = invite(site, "verification_body", signer=guest.signer)
    assert again.invited.invitation == guest.invited.invitation
    assert registered(site) == before


def test_account_of_a_body_reaches_its_own_logs_and_no_enterprise(site: Any, guest: Guest) -> None:
    headers = {"Authorization": f"Bearer {guest.invited.api_key}"}
    own = site.client.get(f"/logs/{guest.invited.data_origin}/streams", headers=headers)
    assert own.status_code == 200
    for path in (f"/logs/{site.origin}/streams", f"/organisations/{site.party}"):
        assert site.client.get(path, headers=headers).status_code == 404


def test_key_of_a_party_elsewhere_is_on_no_disk_and_in_no_table(site: Any, guest: Guest) -> None:
    seed = guest.signer.seed
    folder = site.parts.settings.data_folder
    for path in (path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        assert seed not in data, path
        assert seed.hex().encode() not in data, path


# -- standing --


def test_suspended_party_s_key_token_and_session_stop_at_the_next_call(site: Any) -> None:
    member = site.admit("bank")
    party, client = member.facts.code, site.client
    token = add_client(site.parts, party, ["bank"], "x")
    form = {
        "grant_type": "client_credentials",
        "client_id": token.client_id,
        "client_secret": token.client_secret,
    }
    headers = [
        site.headers("bank"),
        {"Authorization": f"Bearer {client.post('/oauth2/token', data=form).json()['access_token']}"},
    ]
    session = open_session(site.parts, site.parts.keys.authenticate(headers[0]["Authorization"]))
    person = add_person(site.parts, party, "teller@example.org", ["bank"])
    try:
        change_status(site.parts, party, "suspend", "案件调查 / inquiry")
        for sent in headers:
            answer = client.get("/organisations", headers=sent)
            assert (answer.status_code, answer.json()["code"]) == (403, "party-not-admitted")
        client.cookies.set(COOKIE, session)
        assert client.get(f"/pages/{party}").status_code == 303
        client.cookies.clear()
        assert client.post("/oauth2/token", data=form).json()["error"] == "invalid_client"
        assert site.parts.keys.principal_of(person.person_id) is None
        with pytest.raises(PartyNotAdmitted, match="not admitted"):
            site.parts.keys.issue(party, ["bank"], "x")
        assert site.client.get(f"/organisations/{party}", headers=site.headers("operator")).json()[
            "status"
        ] == ("suspended")
    finally:
        change_status(site.parts, party, "readmit", "closed")
    assert all(client.get("/organisations", headers=sent).status_code == 200 for sent in headers)
    body = site.parts.keys.standing.newest(party)
    assert (body["status"], body["reason"]) == ("admitted", "closed")


def test_other_process_learns_of_a_suspension_within_two_seconds(site: Any) -> None:
    party = site.admit("laboratory").facts.code
    key, ticks = f"Bearer {site.parts.keys.issue(party, ['laboratory'], 'x')}", [0.0]
    other = KeyRing(site.parts.engine, site.clock, site.parts.keys.standing, ticks=lambda: ticks[0])
    other.authenticate(key)
    try:
        change_status(site.parts, party, "suspend", "x")
        ticks[0] = 1.9
        assert other.remembered(key) is not None
        ticks[0] = 2.0
        assert other.remembered(key) is None
        with pytest.raises(PartyNotAdmitted, match="not admitted"):
            other.authenticate(key)
    finally:
        change_status(site.parts, party, "readmit", "x")


def test_removal_is_for_good_and_frees_the_credit_code(site: Any) -> None:
    org = credit_code(3)
    gone = invite(site, "enterprise", org=org)
    change_status(site.parts, gone.invited.party, "remove", "closed down")
    with pytest.raises(RequestInvalid, match="removed already"):
        change_status(site.parts, gone.invited.party, "readmit", "x")
    with pytest.raises(PartyKnown, match="is removed"):
        invite(site, "enterprise", org=org, signer=gone.signer)
    assert invite(site, "enterprise", org=org).invited.party != gone.invited.party


@pytest.mark.parametrize("reason", ["", "  ", "x" * 401, "a\u202eb"])
def test_rejects_change_of_standing_without_a_readable_reason(site: Any, reason: str) -> None:
    with pytest.raises(RequestInvalid, match="reason"):
        change_status(site.parts, site.admit("bank").facts.code, "suspend", reason)


def test_rejects_suspension_of_nobody_and_of_who_runs_the_service(site: Any) -> None:
    with pytest.raises(NotFound, match="no such party"):
        change_status(site.parts, "e-nobodynobody22", "suspend", "x")
    for party in (site.parts.registrar, site.parts.host_party):
        with pytest.raises(RequestInvalid, match="runs this service"):
            change_status(site.parts, party, "suspend", "x")


# -- organisations by credit code --


def test_organisation_is_found_by_its_credit_code_by_whoever_may_see_it(site: Any) -> None:
    stranger = site.admit("stranger")
    address = f"/organisations/by-credit-code/{stranger.facts.org}"
    for role, status in (("stranger", 200), ("operator", 200), ("regulator", 200), ("registrar", 200)):
        answer = site.client.get(address, headers=site.headers(role))
        assert (answer.status_code, answer.json()["party"]) == (status, stranger.facts.code)
    for role in ("enterprise", "bank", "verification_body"):
        foreign = site.client.get(address, headers=site.headers(role))
        missing = site.client.get(
            f"/organisations/by-credit-code/{credit_code(9_999_999)}", headers=site.headers(role)
        )
        assert foreign.status_code == missing.status_code == 404
        assert foreign.json() | {"instance": ""} == missing.json() | {"instance": ""}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("91330000MA0000000X", "check character is wrong"),
        ("91330000ma27xnxh11", "not a unified social credit code"),
        ("9133", "neither a unified social credit code nor an LEI"),
        ("91330000MA2I000000", "not a unified social credit code"),
        ("９1330000MA00000002", "not a unified social credit code"),
    ],
)
def test_rejects_credit_code_by_field_reason_and_remedy(site: Any, code: str, reason: str) -> None:
    answer = site.client.get(f"/organisations/by-credit-code/{code}", headers=site.headers("operator"))
    body = answer.json()
    assert (answer.status_code, body["field"], body["reason"]) == (400, "credit_code", reason)
    assert body["remedy"]


# -- the commands --


@pytest.fixture(scope="module")
def folder(database_url: str) -> Iterator[Path]:
    data = Path(tempfile.mkdtemp(prefix="cs-adm-"))
    server = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE admission_commands"))
    server.dispose()
    url = make_url(database_url).set(database="admission_commands", drivername="postgresql")
    (data / "carbonseal.toml").write_text(f'database_url = "{url.render_as_string(hide_password=False)}"\n')
    found_deployment(load_settings({}, data_folder=data)).close()
    yield data
    shutil.rmtree(data, ignore_errors=True)


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    def command(*arguments: str, code: int = 0) -> Any:
        assert main([*arguments, "--data", str(folder)]) == code
        printed = capsys.readouterr()
        return printed.err if code else json.loads(printed.out) if printed.out else None

    return command


def test_commands_admit_a_body_by_its_key_and_keep_parties_and_accounts(
    run: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    names = ("--name-zh", "核查机构", "--name-en", "Body")
    assert "never made on a server" in run("admit", *names, "--role", "verification_body", code=2)
    signer, out = Ed25519Signer.generate(), tmp_path / "invitation.json"
    by_key = (
        *names,
        "--role",
        "verification_body",
        "--public-key",
        signer.public.raw.hex(),
        "--out",
        str(out),
    )
    made = run("admit", *by_key)
    assert "is there already" in run("admit", *by_key, code=2)
    assert made["api_key"] not in out.read_text(encoding="utf-8")
    invitation = Invitation.parse(out.read_bytes())
    assert invitation.party == made["party"]
    parts = open_deployment(load_settings({}, data_folder=folder))
    try:
        with TestClient(create_app(parts)) as client:
            headers = {"Authorization": f"Bearer {made['api_key']}", "Content-Type": "application/cbor"}
            for statement, content in invitation.sign(signer, issued_at=parts.clock() // 1000):
                body = cbor.encode([statement.raw, content])
                assert client.post("/logs", content=body, headers=headers).status_code == 201
        with pytest.raises(RequestInvalid, match="never made"):
            admit_enterprise(parts, NAME, roles=("verification_body",))
    finally:
        parts.close()
    bank = run("admit", "--name-zh", "银行", "--name-en", "Bank", "--role", "bank", "--org", credit_code(4))
    assert "credit code of" in run(
        "admit",
        "--name-zh",
        "银行",
        "--name-en",
        "Bank",
        "--role",
        "enterprise",
        "--org",
        credit_code(4),
        code=2,
    )
    party = ("--party", bank["party"])
    client_made = run("client", "add", *party, "--roles", "bank", "--label", "grades")
    assert run("client", "list", *party)[0]["client_id"] == client_made["client_id"]
    run("client", "withdraw", client_made["client_id"])
    assert run("client", "list", *party)[0]["withdrawn_at"] is not None
    person = run("person", "add", *party, "--login", "li.wei@example.org", "--roles", "bank")
    assert person["password_link"].startswith("http://127.0.0.1:8440/sign-in/password/")
    run("person", "withdraw", person["person_id"])
    assert run("person", "list", *party)[0]["withdrawn_at"] is not None
    assert "not admitted for enterprise" in run(
        "client", "add", *party, "--roles", "enterprise", "--label", "x", code=2
    )
    run("party", "suspend", bank["party"], "--reason", "inquiry")
    assert "not admitted" in run("client", "add", *party, "--roles", "bank", "--label", "x", code=2)
    run("party", "readmit", bank["party"], "--reason", "closed")
    run("client", "add", *party, "--roles", "bank", "--label", "again")


@pytest.mark.parametrize("name", ["esp256", "ml-dsa-44"])
def test_a_party_may_hold_a_key_of_any_admitted_algorithm(
    run: Callable[..., Any], folder: Path, tmp_path: Path, name: str
) -> None:
    names = ("--name-zh", "新算法厂", "--name-en", "Other Algorithm Works")
    here = run("admit", *names, "--algorithm", name)
    with opened(folder) as parts, parts.desks.desk(here["party"]) as desk:
        assert PublicKey.from_cose_key(parts.keys.standing.newest(here["party"])["key"]) == desk.signer.public
        assert desk.signer.public.text().startswith(f"{name}:")
        body = {"withdraws": bytes(32), "role": "operator", "reason": "drill"}
        desk.issue(here["register_origin"], "withdrawal", body)
    turned = [run("party", "rotate", here["party"], *more) for more in ((), ("--algorithm", "ed25519"))]
    assert turned[0]["public_key"].startswith(f"{name}:")
    assert len(turned[1]["public_key"]) == 64
    elsewhere = generate_signer(algorithm_named(name).id)
    by_key = (*names, "--public-key", elsewhere.public.text(), "--out", str(tmp_path / "invitation.json"))
    assert "the key says it" in run("admit", *by_key, "--algorithm", name, code=2)
    run("admit", *by_key)
    invitation = Invitation.parse((tmp_path / "invitation.json").read_bytes())
    assert len(invitation.sign(elsewhere, issued_at=1)) == 2


def test_a_party_key_is_rotated_where_its_keys_are(run: Callable[..., Any], folder: Path) -> None:
    here = run("admit", "--name-zh", "轮换厂", "--name-en", "Turning Works", "--org", LEI)
    assert run("party", "find", LEI)["party"] == here["party"]
    assert "no party of that number" in run("party", "find", credit_code(77), code=2)
    key = folder / "keys" / f"{here['party']}.key"
    before = key.read_bytes()
    turned = run("party", "rotate", here["party"])
    assert key.read_bytes() != before
    assert [path.read_bytes() for path in key.parent.glob(f"{here['party']}.*.retired")] == [before]
    with opened(folder) as parts:
        assert parts.keys.standing.newest(here["party"])["key"] == (
            PublicKey.from_text(turned["public_key"]).cose_key()
        )
        with parts.desks.desk(here["party"]) as desk:  # and the new key signs
            body = {"withdraws": bytes(32), "role": "operator", "reason": "drill"}
            desk.issue(here["register_origin"], "withdrawal", body)


def test_a_party_key_that_is_elsewhere_is_rotated_by_a_file(
    run: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    old, new = Ed25519Signer.generate(), Ed25519Signer.generate()
    out, wish, endorsed = (str(tmp_path / name) for name in ("invitation.json", "wish.json", "endorsed.json"))
    names = ("--name-zh", "核查机构", "--name-en", "Body", "--role", "verification_body")
    body = run("admit", *names, "--public-key", old.public.text(), "--out", out)["party"]
    run("party", "rotate", body, "--public-key", new.public.text(), "--out", wish)
    assert "endorse" in run("party", "rotate", "--endorsed", wish, code=2)
    stated = read_rotation(Path(wish).read_bytes())
    Path(endorsed).write_bytes(write_rotation(endorse_rotation(stated, old, new)))
    run("party", "rotate", "--endorsed", endorsed)
    again = run("party", "rotate", body, "--public-key", new.public.text(), code=2)
    assert "is the party's key already" in again
    host = json.loads((folder / "identity.json").read_text("utf-8"))["host_party"]
    assert "runs this service" in run("party", "rotate", host, code=2)


def test_two_rotations_of_one_party_at_once_follow_each_other_and_lose_no_key(
    run: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = run("admit", "--name-zh", "同时轮换厂", "--name-en", "Turned Twice Works")["party"]
    both, make = threading.Barrier(2), key_files.generate_signer

    def make_once_both_are_there(algorithm: int) -> Any:
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(timeout=1)  # passes at once where nothing keeps the second out
        return make(algorithm)

    monkeypatch.setattr(key_files, "generate_signer", make_once_both_are_there)

    def rotate() -> PublicKey:
        with opened(folder) as parts:
            return rotate_here(parts, here)

    with ThreadPoolExecutor(2) as two:
        made = {future.result().kid for future in [two.submit(rotate), two.submit(rotate)]}
    with opened(folder) as parts, parts.desks.desk(here) as desk:
        standing = parts.keys.standing.newest(here)
        assert standing is not None
        assert PublicKey.from_cose_key(standing["key"]) == desk.signer.public
        assert len(made) == 2
        assert desk.signer.public.kid in made


def test_a_party_whose_key_went_elsewhere_is_not_rotated_here_and_keeps_its_file(
    run: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    here = run("admit", "--name-zh", "迁出厂", "--name-en", "Moved Out Works")["party"]
    new, wish = Ed25519Signer.generate(), tmp_path / "wish.json"
    run("party", "rotate", here, "--public-key", new.public.text(), "--out", str(wish))
    with opened(folder) as parts, parts.desks.desk(here) as desk:
        endorsed = endorse_rotation(read_rotation(wish.read_bytes()), desk.signer, new)
    wish.write_bytes(write_rotation(endorsed))
    run("party", "rotate", "--endorsed", str(wish))
    files = sorted((path.name, path.read_bytes()) for path in (folder / "keys").iterdir())
    assert "is not in this folder" in run("party", "rotate", here, code=2)
    assert sorted((path.name, path.read_bytes()) for path in (folder / "keys").iterdir()) == files


def test_nothing_is_registered_where_the_invitation_or_the_rotation_cannot_be_written(
    run: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    nowhere, key = str(tmp_path / "none" / "file.json"), Ed25519Signer.generate().public.text()
    names = ("--name-zh", "无处可写", "--name-en", "Nowhere To Write")
    said = run("admit", *names, "--public-key", key, "--out", nowhere, code=2)
    assert f"{nowhere} cannot be written (No such file or directory)" in said
    assert "Nowhere To Write" not in "".join(body["name"]["en"] for body in _admitted(folder)), (
        "it was admitted"
    )
    here = run("admit", "--name-zh", "轮换厂", "--name-en", "Written Works")["party"]
    assert "cannot be written" in run("party", "rotate", here, "--public-key", key, "--out", nowhere, code=2)


def _admitted(folder: Path) -> list[Any]:
    with opened(folder) as parts:
        entries = parts.host.select(parts.keys.standing.register_origin, kinds={"party"})
        digests = [SignedStatement.parse(entry.raw).payload for entry in entries]
        return [parse_content(parts.host.contents.get(digest)).body for digest in digests]


def test_makes_no_other_pass_phrase_where_that_of_the_keys_is_lost(
    run: Callable[..., Any], folder: Path
) -> None:
    file = folder / "keys" / key_files.PASSPHRASE_FILE
    kept = file.read_bytes()
    file.unlink()
    try:
        names = ("--name-zh", "无口令厂", "--name-en", "Passphraseless Works")
        assert "keys/passphrase: is not there, but keys are" in run("admit", *names, code=2)
        assert not file.exists()
        file.write_bytes(b"\xff\xfe")
        assert "keys/passphrase: is not what was written there" in run("admit", *names, code=2)
    finally:
        file.write_bytes(kept)
