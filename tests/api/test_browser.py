"""The pages in a real headless Chromium: from sign-in to the signed statement, in both languages."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from carbonseal_api.app import create_app
from carbonseal_api.web.sessions import open_session

TOUR = Path(__file__).parent / "browser" / "tour.mjs"


@pytest.fixture(scope="module")
def address(filed: Any) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        app = create_app(filed.site.parts)
        server = uvicorn.Server(
            uvicorn.Config(app, fd=listener.fileno(), log_level="warning", lifespan="off")
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_visitor_walks_from_the_total_down_to_a_signed_statement(
    filed: Any, address: str, lang: str, tmp_path: Path
) -> None:
    node = shutil.which("node")
    assert node is not None, "node is not installed; `make setup` needs it too"
    parts = filed.site.parts
    principal = parts.keys.authenticate(f"Bearer {filed.site.keys['reader']}")
    link = f"/sign-in/once/{open_session(parts, principal, is_link=True)}"
    ended = subprocess.run(
        [node, str(TOUR), address, link, lang, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    seen = json.loads(ended.stdout)
    steps = {step["name"]: step for step in seen["steps"]}
    assert list(steps) == [
        "sign-in", "organisation", "report", "trace", "activity", "statement", "code", "phone", "signed-out",
    ]  # fmt: skip
    assert seen["total"] == filed.report.recomputed.inventory.to_json()["total"]["rounded"]
    assert seen["statements"] == 62
    assert steps["statement"]["heading"] == {"zh": "读数", "en": "readings"}[lang]
    assert [request for request in seen["requests"] if not request.startswith(address)] == []
    assert seen["console"] == []  # no error, and nothing that the content-security policy had to stop
    assert not any(step["overflow"] for step in seen["steps"])
    assert all((tmp_path / f"{lang}-{name}.png").stat().st_size > 5000 for name in steps)
