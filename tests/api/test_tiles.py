"""The static read side over HTTP: what is refused, what caches are told, and that a client follows a log."""

from __future__ import annotations

import base64
from typing import Any

import cbor2
import pytest

from carbonseal_attest import cbor
from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.cose_receipt import CoseReceipt
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import leaf_hash
from carbonseal_attest.receipt import ConsistencyReceipt
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.tiles import TileNodes, decode_entries, entries_path, tile_path
from carbonseal_attest.transparent_statement import TransparentStatement
from carbonseal_ledger.outcomes import Submission
from carbonseal_ledger.tree_reader import read_frontier

START_MS = 1_767_196_800_000
HOUR_MS = 3_600_000
FEBRUARY_MS = START_MS + 31 * 24 * HOUR_MS


@pytest.fixture(scope="module")
def log(open_site: Any, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A site of its own whose data log passed the first full tile, with an epoch."""
    with open_site(database_url, "tiles", tmp_path_factory.mktemp("tiles")) as site:
        made = []
        for hour in range(150):
            start = START_MS + hour * HOUR_MS
            site.clock.now = start + HOUR_MS
            statement, content = site.seal_readings(["1"], start_ms=start)
            made.append(statement)
            site.host.register(site.origin, [Submission(statement.raw, content)])
        site.host.build_epoch()
        site.statements = made
        yield site


def get(site: Any, path: str, role: str | None = None, **headers: str) -> Any:
    sent = {} if role is None else site.headers(role)
    return site.client.get(path, headers=sent | headers, follow_redirects=False)


def checkpoint(site: Any, origin: str) -> Checkpoint:
    return Checkpoint.of_note(get(site, f"/logs/{origin}/checkpoint").text)


@pytest.mark.parametrize(
    "path",
    ["0/x000/000", "00/000", "0/000.p/0", "0/000.p/256", "0/000.p/01", "0/1", "64/000", "0/000.p/1/",
     "entries/000/..", "0/%2e%2e/000", "0/000%00", "7/000", "0/002"],
)  # fmt: skip
def test_refuses_what_is_no_tile_of_this_log(log: Any, path: str) -> None:
    answer = get(log, f"/logs/{log.origin}/tile/{path}")
    assert answer.status_code in {401, 404}
    assert answer.json()["code"] in {"not-found", "api-key-missing"}


def test_a_client_that_knows_c2sp_alone_rebuilds_the_root_of_each_log(log: Any) -> None:
    for origin in (log.origin, log.cast.enterprise.register_origin, log.host.log_of_logs):
        head = checkpoint(log, origin)

        def fetch(level: int, index: int, width: int, origin: str = origin) -> bytes:
            answer = get(log, f"/logs/{origin}/{tile_path(level, index, width)}")
            assert answer.status_code == 200
            return answer.content

        nodes = TileNodes(head.tree_size, fetch)
        assert read_frontier(head.tree_size, nodes.get_node).root() == head.root_hash


def test_partial_tiles_of_checkpoints_before_the_full_one_are_still_served(log: Any) -> None:
    full = get(log, f"/logs/{log.origin}/tile/0/000").content
    for width in (1, 17, 255):
        assert get(log, f"/logs/{log.origin}/tile/0/000.p/{width}").content == full[: 32 * width]


def test_caches_keep_full_tiles_for_good_and_checkpoints_for_seconds(log: Any) -> None:
    full = get(log, f"/logs/{log.origin}/tile/0/000")
    partial = get(log, f"/logs/{log.origin}/tile/0/000.p/3")
    head = get(log, f"/logs/{log.origin}/checkpoint")
    assert full.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "immutable" not in partial.headers["cache-control"]
    assert head.headers["cache-control"] == "public, max-age=5, must-revalidate"
    assert head.headers["content-type"] == "text/plain; charset=utf-8"
    for answer in (full, partial, head):
        path, tag = answer.request.url.path, answer.headers["etag"]
        for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            again = get(log, path, **{"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
        assert get(log, path, **{"If-None-Match": '"other"'}).content == answer.content


def test_a_checkpoint_that_moved_has_another_tag(log: Any) -> None:
    register = log.cast.enterprise.register_origin
    before = get(log, f"/logs/{register}/checkpoint").headers["etag"]
    log.clock.now += 120_000
    log.admit("stranger")
    register = log.cast.registrar.register_origin
    assert get(log, f"/logs/{register}/checkpoint", **{"If-None-Match": before}).status_code == 200


def test_entry_bundles_need_a_key_or_a_grant_and_show_nothing_to_others(log: Any) -> None:
    path = f"/logs/{log.origin}/tile/entries/000"
    assert get(log, path).status_code == 401
    for role in ("stranger", "bank", "verification_body"):
        answer = get(log, path, role)
        assert answer.status_code in {403, 404}, role
        assert answer.json()["code"] in {"not-found", "grant-missing"}
    for beyond in ("/logs/log.carbonseal.example/e-nobody/data/tile/entries/000", f"{path[:-3]}009"):
        assert get(log, beyond, "bank").json()["code"] == get(log, path, "bank").json()["code"]


def test_entry_bundles_give_their_owner_the_leaves_of_the_tiles(log: Any) -> None:
    size = checkpoint(log, log.origin).tree_size
    assert 256 < size < 512
    for index, width in ((0, 256), (1, size - 256), (1, 3)):
        answer = get(log, f"/logs/{log.origin}/{entries_path(index, width)}", "enterprise")
        assert answer.status_code == 200, (index, width, answer.text)
        assert answer.headers["cache-control"].startswith("private")
        entries = decode_entries(answer.content)
        tile = get(log, f"/logs/{log.origin}/{tile_path(0, index, width)}").content
        assert b"".join(map(leaf_hash, entries)) == tile
    beyond = f"/logs/{log.origin}/{entries_path(1, size - 255)}"
    assert get(log, beyond, "enterprise").status_code == 404


def test_a_grant_shows_bundles_whose_every_time_lies_in_it(log: Any) -> None:
    def grant(name: str, period: tuple[int, int]) -> None:
        given = {
            "grant": name, "to": log.party_of("verification_body"), "purpose": "verification",
            "level": "evidence", "period": {"start": period[0], "end": period[1]},
            "valid": {"start": 0, "end": FEBRUARY_MS * 2},
        }  # fmt: skip
        enterprise = log.cast.enterprise
        enterprise.issue(enterprise.register_origin, "grant", given)

    path = f"/logs/{log.origin}/tile/entries/000"
    assert get(log, path, "verification_body").json()["code"] == "grant-missing"
    grant("gr-first-day", (START_MS, START_MS + 24 * HOUR_MS))
    assert get(log, path, "verification_body").status_code == 404
    within = get(log, path + ".p/20", "verification_body")
    assert len(decode_entries(within.content)) == 20
    grant("gr-month", (START_MS, FEBRUARY_MS))
    assert get(log, path, "verification_body").status_code == 200


def test_bundles_of_the_log_of_logs_are_public_and_of_no_other(log: Any) -> None:
    name = log.parts.settings.log_host_name
    size = checkpoint(log, f"{name}/epochs").tree_size
    answer = get(log, f"/logs/{name}/epochs/{entries_path(0, size)}")
    tile = get(log, f"/logs/{name}/epochs/{tile_path(0, 0, size)}").content
    assert b"".join(map(leaf_hash, decode_entries(answer.content))) == tile
    assert get(log, f"/logs/other.example/epochs/{entries_path(0, 1)}").status_code == 404
    assert get(log, f"/logs/{name}/epochs/{entries_path(0, size + 1)}").status_code == 404


def test_a_receipts_kid_leads_to_its_key(log: Any) -> None:
    statement = log.statements[3]
    receipt = get(log, f"/logs/{log.origin}/receipts/{statement.digest.hex()}", "gateway").content
    kid = CoseReceipt.parse(receipt).message.headers[4]
    named = base64.urlsafe_b64encode(kid).decode().rstrip("=")
    answer = get(log, f"/.well-known/scitt-keys/{named}")
    key = cbor.decode(answer.content)
    assert key.pop(2) == kid
    assert PublicKey.from_cose_key(key).kid == kid
    listed = cbor.decode(get(log, "/.well-known/scitt-keys").content)
    assert [one[2] for one in listed] == [kid]
    for other in (named[:-1], named + "=", kid.hex(), "A" * 43, "…"):
        refused = get(log, f"/.well-known/scitt-keys/{other}", Accept="application/cbor")
        assert refused.status_code == 404
        assert refused.headers["content-type"] == "application/concise-problem-details+cbor"
        assert cbor2.loads(refused.content)[-1] == "not found"


def test_a_transparent_statement_verifies_by_itself(log: Any) -> None:
    statement = log.statements[5]
    path = f"/logs/{log.origin}/transparent-statements/{statement.digest.hex()}"
    assert get(log, path).status_code == 401
    assert get(log, path, "stranger").status_code == 404
    read = TransparentStatement.parse(get(log, path, "enterprise").content)
    key = log.cast.log_key.public
    receipt, _ = read.verify(key=log.cast.gateway.public, log_key=lambda *_: key)
    assert (read.statement.raw, receipt.origin) == (statement.raw, log.origin)
    assert SignedStatement.parse(read.statement.raw) == statement
    assert get(log, path[:-64] + "0" * 64, "enterprise").json()["code"] == "entry-unknown"
    assert get(log, path[:-1], "enterprise").json()["code"] == "request-invalid"


def test_a_consistency_receipt_leads_from_a_held_head_to_the_newest(log: Any) -> None:
    path = f"/logs/{log.origin}/proofs/consistency-receipt?old_size="
    head = checkpoint(log, log.origin)
    for size in (1, 255, 256, head.tree_size - 1):
        receipt = ConsistencyReceipt.parse(get(log, f"{path}{size}").content)
        held = log.host.root_at(log.origin, size)
        key = log.cast.log_key.public
        assert receipt.verify(size, held, origin=log.origin, key=key) == head.root_hash
    for size in (-1, 0, head.tree_size, head.tree_size + 1):
        assert get(log, f"{path}{size}").json()["code"] == "range-invalid"
