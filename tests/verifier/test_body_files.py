"""What a verification body reads from others: any bytes give a value or our error; files are whole or not."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from body_log_server import BodyLogServer
from body_world import BODY, BodyWorld, verified
from bundle_factory import OPERATOR, data
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonseal_attest import cbor
from carbonseal_attest.errors import CarbonsealError
from carbonseal_verifier.errors import OutboxRefused, ServiceRefused, StatementFileInvalid, UsageInvalid
from carbonseal_verifier.findings_file import parse_findings
from carbonseal_verifier.invitation import Invitation
from carbonseal_verifier.outbox import Membership, Outbox, Place
from carbonseal_verifier.private_files import replace, write_new
from carbonseal_verifier.service_client import MAX_ANSWER, ServiceClient
from carbonseal_verifier.statement_file import FORMAT, StatementFile
from carbonseal_verifier.transcript import parse_transcript
from carbonseal_verifier.verification import KIND

READERS = {
    "statement file": lambda raw: StatementFile.parse(raw, kinds=(KIND,)),
    "invitation": Invitation.parse,
    "transcript": parse_transcript,
    "findings": lambda raw: parse_findings(raw, is_toml=True),
    "findings in JSON": lambda raw: parse_findings(raw, is_toml=False),
}
MEMBER = Membership(
    "v-body", "r-registrar", "h-host", "log.example/v-body/register", "log.example/v-body/data"
)


@pytest.fixture(scope="module")
def world() -> BodyWorld:
    return verified()


@pytest.mark.parametrize("what", sorted(READERS))
@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    raw=st.one_of(
        st.binary(max_size=300), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
    )
)
def test_any_bytes_give_a_value_or_our_error(what: str, raw: bytes) -> None:
    with suppress(CarbonsealError):
        READERS[what](raw)


@pytest.fixture(scope="module")
def file(world: BodyWorld) -> StatementFile:
    content = {"withdraws": bytes(32), "role": "verification_body", "reason": "x"}
    statement = world.add(data(BODY).replace("data", "register"), BODY, "withdrawal", content)
    return StatementFile.of(statement, world.contents[statement.payload])


def test_a_statement_file_is_read_as_it_was_written(file: StatementFile) -> None:
    again = StatementFile.parse(file.to_bytes(), kinds=("withdrawal",))
    assert (again.statement.raw, again.content_bytes, again.receipt) == (
        file.statement.raw,
        file.content_bytes,
        None,
    )


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.data())
def test_a_flipped_bit_in_a_statement_file_is_refused_or_breaks_the_signature(given_data) -> None:
    world, file = _made()
    raw = bytearray(file.to_bytes())
    at = given_data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[at // 8] ^= 1 << at % 8
    with pytest.raises(CarbonsealError):
        StatementFile.parse(bytes(raw), kinds=("withdrawal",)).statement.verify_signature(
            world.keys[BODY].public
        )


def test_a_content_that_was_not_signed_is_no_statement_file(file: StatementFile, world: BodyWorld) -> None:
    other = next(content for content in world.contents.values() if content != file.content_bytes)
    with pytest.raises(StatementFileInvalid, match="not what the statement signed"):
        StatementFile.parse(cbor.encode([FORMAT, file.statement.raw, other, None]), kinds=("withdrawal",))
    with pytest.raises(StatementFileInvalid, match="holds a withdrawal, not a verification_report"):
        StatementFile.parse(file.to_bytes(), kinds=(KIND,))


# -- answers of a log host -----------------------------------------------------------------------------

CALLS = {
    "streams": lambda client: client.streams(data(BODY), bytes(32)),
    "consistency": lambda client: client.consistency_path(data(BODY), 1, 2),
    "inclusion": lambda client: client.inclusion(data(BODY), 0, 1),
    "map proof": lambda client: client.map_proof(data(BODY), 1),
    "epoch": lambda client: client.epoch(1),
    "open": lambda client: client.open_log(b"x", b"y"),
}


@pytest.mark.parametrize("call", sorted(CALLS))
@pytest.mark.parametrize(
    "answer",
    [b"", b"null", b"[1]", b'{"path": ["zz"]}', b'[{"stream": 1}]', b"\xff", b"[" * 100_000, b'{"path": 7}'],
    ids=["empty", "null", "list", "no hex", "wrong fields", "no text", "deep", "no list"],
)
def test_garbage_from_a_log_host_is_refused_in_words(world: BodyWorld, call: str, answer: bytes) -> None:
    with BodyLogServer(world, garbles=answer) as server, ServiceClient(server.url, token="t") as client:
        if (call, answer) in {("open", b'{"path": ["zz"]}'), ("open", b'{"path": 7}')}:
            return  # a map without a status is an answer
        with pytest.raises(ServiceRefused, match=r"service|epoch"):
            CALLS[call](client)


def test_an_answer_without_end_is_not_kept(world: BodyWorld) -> None:
    with (
        BodyLogServer(world, garbles=b" " * (MAX_ANSWER + 1)) as server,
        ServiceClient(server.url, token="") as client,
        pytest.raises(ServiceRefused, match="documented call"),
    ):
        client.checkpoint(data(BODY))


def test_a_refusal_is_shown_without_control_characters(world: BodyWorld) -> None:
    class Rude(BodyLogServer):
        def answer(self, call):
            problem = b'{"field": "a\\u001b[31m", "reason": "b\\u202ec", "remedy": "d"}'
            return 422, problem, {}

    with (
        Rude(world) as server,
        ServiceClient(server.url, token="") as client,
        pytest.raises(ServiceRefused) as caught,
    ):
        client.streams(data(BODY), bytes(32))
    assert "\x1b" not in str(caught.value)
    assert "\u202e" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "log.example", "ftp://log.example", "http://", "file:///etc/passwd"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ServiceRefused, match="no http"):
        ServiceClient(url, token="")


def test_a_redirect_does_not_take_the_token_elsewhere(world: BodyWorld) -> None:
    class Leading(BodyLogServer):
        def answer(self, call):
            self.asked.append(call)
            return 302, b"", {"Location": "http://127.0.0.1:9/stolen"}

    with (
        Leading(world) as server,
        ServiceClient(server.url, token="secret") as client,
        pytest.raises(ServiceRefused, match="answered 302"),
    ):
        client.streams(data(BODY), bytes(32))
    assert len(server.asked) == 1


# -- files and the outbox -------------------------------------------------------------------------------


def test_a_private_file_is_its_owners_alone_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "nonce"
    write_new(path, b"one", field="--nonce")
    with pytest.raises(UsageInvalid, match="exists already"):
        write_new(path, b"two", field="--nonce")
    assert path.read_bytes() == b"one"
    assert path.stat().st_mode & 0o077 == 0
    replace(path, b"three", field="--nonce")
    assert (path.read_bytes(), path.stat().st_mode & 0o077) == (b"three", 0)
    assert [one.name for one in tmp_path.iterdir()] == ["nonce"]


@pytest.mark.parametrize("path", ["missing/nonce", "file/nonce"])
def test_an_unwritable_place_is_refused_in_words(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("x")
    for write in (write_new, replace):
        with pytest.raises(UsageInvalid, match="can't be written"):
            write(tmp_path / path, b"x", field="--out")


def test_an_outbox_keeps_the_order_of_signing_over_restarts(tmp_path: Path, world: BodyWorld) -> None:
    made = [world.add(data(BODY), BODY, KIND_OF, {"withdraws": bytes([n]) * 32, "role": "r", "reason": "x"})
            for n in range(3)]  # fmt: skip
    kid = world.keys[BODY].public.kid
    for statement in made:
        with Outbox(tmp_path / "box") as box:
            box.add(statement, world.contents[statement.payload])
    with Outbox(tmp_path / "box") as box:
        assert [one.digest for one, _ in box.statements()] == [one.digest for one in made]
        last = made[-1]
        assert box.last(data(BODY), kid, KIND_OF) == Place(last.header.sequence, last.digest)
        assert [one.digest for one, _ in box.beyond(data(BODY), kid, KIND_OF, made[0].header.sequence)] == [
            one.digest for one in made[1:]
        ]
        assert box.last(data(OPERATOR), kid, KIND_OF) is None


def test_an_outbox_belongs_to_one_party(tmp_path: Path) -> None:
    with Outbox(tmp_path / "box") as box:
        box.join(MEMBER)
        box.join(MEMBER)
        assert box.membership == MEMBER
        with pytest.raises(OutboxRefused, match="another party's"):
            box.join(Membership("v-other", *(getattr(MEMBER, name) for name in list(MEMBER.__slots__)[1:])))


@pytest.mark.parametrize("damage", [b"{", b"[]", b'{"party": 1}', b'{"party": "v-body"}'])
def test_a_damaged_membership_is_refused(tmp_path: Path, damage: bytes) -> None:
    with Outbox(tmp_path / "box") as box:
        (tmp_path / "box" / "membership.json").write_bytes(damage)
        with pytest.raises(OutboxRefused, match="membership"):
            _ = box.membership


KIND_OF = "withdrawal"
_KEPT: list = []


def _made() -> tuple[BodyWorld, StatementFile]:
    if not _KEPT:
        world = verified()
        content = {"withdraws": bytes(32), "role": "verification_body", "reason": "x"}
        statement = world.add(data(BODY).replace("data", "register"), BODY, KIND_OF, content)
        _KEPT.append((world, StatementFile.of(statement, world.contents[statement.payload])))
    return _KEPT[0]
