"""docs/how-to/use-the-api.md: its program runs as it stands, over a socket, and prints what is shown."""

from __future__ import annotations

import contextlib
import io
import re
import socket
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from evidence_makers import DAY_MS, MARCH_MS
from neighbours import issue_grant

from carbonseal_api.accounts.clients import TOKEN_SECONDS, add_client
from carbonseal_api.app import create_app
from carbonseal_api.demo.cast import HOST_NAME
from carbonseal_api.evidence.corrected_rows import MAX_FILE
from carbonseal_api.idempotency import KEPT_MS
from carbonseal_api.logs.service import MAX_ENTRIES_RANGE
from carbonseal_api.settings import load_settings
from carbonseal_api.trust_files import own_trust_file
from carbonseal_attest.trust import TrustedRegistrar

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GIVEN = "export CARBONSEAL_SERVICE="  # the one block that is no program


@pytest.fixture(scope="module")
def page(repository_root: Path) -> str:
    return (repository_root / "docs" / "how-to" / "use-the-api.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def place(open_site: Any, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with open_site(database_url, "use_the_api", tmp_path_factory.mktemp("use")) as site:
        site.clock.now = MARCH_MS + DAY_MS
        for _ in range(4):
            issue_grant(site, site.cast.enterprise, site.cast.bank.facts.code)
        site.parts.projections.refresh()
        yield site


@pytest.fixture
def environment(place: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    client = add_client(place.parts, place.party, ["enterprise"], "test")
    cast = place.cast
    trust = tmp_path / "trust.toml"
    trust.write_bytes(
        own_trust_file(
            publisher="Province",
            label="of a test",
            registrar=TrustedRegistrar(
                cast.registrar.facts.code, cast.registrar.register_origin, cast.registrar.signer.public
            ),
            log_host=cast.log_host.facts.code,
            log_host_name=HOST_NAME,
            log_key=cast.log_key.public,
            chain=None,
            at=place.clock(),
            profile="default@1",
            signer=cast.publisher,
        )
    )
    monkeypatch.setenv("CARBONSEAL_CLIENT_ID", client.client_id)
    monkeypatch.setenv("CARBONSEAL_CLIENT_SECRET", client.client_secret)
    monkeypatch.setenv("CARBONSEAL_TRUST", str(trust))
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(place.parts), log_level="warning", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    monkeypatch.setenv("CARBONSEAL_SERVICE", f"http://127.0.0.1:{listener.getsockname()[1]}")
    yield
    server.should_exit = True
    thread.join(20)
    listener.close()


def test_the_program_of_the_page_runs_and_prints_what_the_page_shows(page: str, environment: None) -> None:
    blocks = BLOCK.findall(page)
    assert [text for language, text in blocks if language not in {"python", "text"}] == [
        text for _, text in blocks if text.startswith(GIVEN)
    ]
    names: dict[str, Any] = {"__name__": "use_the_api"}
    shown = 0
    for (language, text), (following, expected) in pairwise([*blocks, ("", "")]):
        if language == "python":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(text, "use-the-api.md", "exec"), names)  # noqa: S102 - the page itself
            wanted = expected if following == "text" else ""
            pattern = re.escape(wanted).replace("…", r"\S+")
            assert re.fullmatch(pattern, printed.getvalue()), (text, printed.getvalue())
            shown += following == "text"
    assert shown == 5


def test_what_the_page_does_not_set_is_told_to_be_set(page: str) -> None:
    asked = set(re.findall(r'os\.environ\["(\w+)"\]', page))
    block = next(text for _, text in BLOCK.findall(page) if text.startswith(GIVEN))
    assert asked == set(re.findall(r"(CARBONSEAL_\w+)=", block))


def test_limits_of_the_page_are_the_limits_of_the_service(page: str) -> None:
    limits, kib, mib = load_settings({}), 1024, 1 << 20
    assert f"{limits.max_body_bytes // kib} KiB; corrections of readings {MAX_FILE // mib} MiB" in page
    batch = f"a batch {limits.max_batch_bytes // mib} MiB and {limits.max_batch_items:,} statements"
    assert f"{limits.max_statement_bytes // kib} KiB; {batch}" in page
    assert f"| a content | {limits.max_content_bytes // mib} MiB |" in page
    assert f"| a document | {limits.max_document_bytes // mib} MiB |" in page
    assert f"| entries of one answer | {MAX_ENTRIES_RANGE:,} |" in page
    assert f"{TOKEN_SECONDS // 60} minutes, and 2 seconds" in page
    assert f"kept for {KEPT_MS // 3_600_000} hours" in page
