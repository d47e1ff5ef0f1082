"""Audits a deployment: the ledger's tables and published copy, the service's tables, and the projections.

The ledger's audit does the logs (`carbonseal_ledger.log_audit`); here documents are hashed again, both rooms'
row checksums and migration versions are compared, and the projections are drawn again beside the standing
ones (`projections_again`). The database is opened without starting the log host, so that an audit also runs
where the ledger refuses to; the projections then stay unaudited, and the answer says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, column, select, text
from sqlalchemy import table as sql_table
from sqlalchemy.exc import SQLAlchemyError

import carbonseal_api
import carbonseal_ledger
from carbonseal_api.assembly import system_clock
from carbonseal_api.audit.projections_again import differences
from carbonseal_api.database import API, VERSION_TABLE
from carbonseal_api.deployment import database_of, key_folder, open_deployment, read_identity
from carbonseal_api.operation.job_runs import JobBook
from carbonseal_api.published_place import open_published
from carbonseal_api.settings import Settings
from carbonseal_attest.errors import CarbonsealError
from carbonseal_ledger.audit_report import AuditReport, Damage, Progress, silent
from carbonseal_ledger.coverage import LEDGER
from carbonseal_ledger.log_audit import LogAudit, audit_checksums

_VERSIONS: Final = (
    ("ledger_alembic_version", Path(carbonseal_ledger.__file__).parent / "migrations"),
    (VERSION_TABLE, Path(carbonseal_api.__file__).parent / "migrations"),
)


@dataclass(slots=True)
class DeploymentAudit:
    """What an audit of a deployment found, and what it did not look at, in words."""

    report: AuditReport
    documents: int = 0
    projections: int = 0
    not_audited: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the report's JSON with {documents, projections, not_audited}."""
        counts = {"documents": self.documents, "projections": self.projections}
        return {**self.report.to_json(), **counts, "not_audited": self.not_audited}


def audit_deployment(
    settings: Settings,
    *,
    limit: int,
    with_projections: bool = True,
    progress: Progress = silent,
) -> DeploymentAudit:
    """Audit the deployment of some settings; stops after `limit` damages of the ledger.

    Raises:
        PartMissing: The folder was never founded, or a key file is gone.
        LedgerError: The database cannot be opened.
    """
    read_identity(settings)  # a folder that was never founded is refused here
    engine = database_of(settings)
    try:
        ledger = LogAudit(
            engine,
            open_published(settings),
            key_folder(settings).signer("log").public,
            limit=limit,
            progress=progress,
        )
        audit = DeploymentAudit(ledger.run(coverage=(LEDGER,)))
        audit.report.damages += _own_tables(engine, audit)
    finally:
        engine.dispose()
    if with_projections:
        _projections(settings, audit, progress)
    else:
        audit.not_audited.append("projections: not asked for")
    return audit


def note_audit(settings: Settings, *, began_at: int, is_sound: bool) -> None:
    """Note in the book of jobs that an audit has ended, so that the age of the last sound one is a metric.

    Where the database takes no note, the audit counts all the same: what it found is what was asked for.
    """
    engine = database_of(settings)
    try:
        jobs = JobBook(engine, system_clock)
        with contextlib.suppress(SQLAlchemyError, CarbonsealError):
            jobs.note("fsck", began_at=began_at, problem=None if is_sound else "the audit found something")
    finally:
        engine.dispose()


def _own_tables(engine: Engine, audit: DeploymentAudit) -> Iterator[Damage]:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        if connection.scalar(text("SELECT to_regclass('api_documents')")) is not None:
            yield from audit_checksums(connection, API, audit.report)
            query = text("SELECT digest, sha256(data) = digest AS is_whole FROM api_documents")
            for row in connection.execution_options(yield_per=200).execute(query):
                audit.documents += 1
                if not row.is_whole:
                    where = f"api_documents digest={bytes(row.digest).hex()}"
                    yield Damage(where, "its bytes do not give its digest", "ask its owner for the file")
        for table, scripts in _VERSIONS:
            config = Config()
            config.set_main_option("script_location", str(scripts))
            newest = set(ScriptDirectory.from_config(config).get_heads())
            found: set[str] = set(
                connection.execute(select(column("version_num")).select_from(sql_table(table))).scalars()
            )
            if found != newest:
                what = f"it says {', '.join(sorted(found)) or 'nothing'}, not {', '.join(sorted(newest))}"
                yield Damage(table, what, "restore the row; the tables are those of this version")


def _projections(settings: Settings, audit: DeploymentAudit, progress: Progress) -> None:
    try:
        parts = open_deployment(settings, system_clock)
    except CarbonsealError as error:
        audit.not_audited.append(f"projections: the ledger does not start ({error})")
        return
    try:
        for _, rows, wrong in differences(parts, progress):
            audit.projections += rows
            audit.report.damages += [
                Damage(one, "differs from what the logs give", "run `carbonseal fsck --draw-projections`")
                for one in wrong
            ]
    except CarbonsealError as error:
        audit.not_audited.append(f"projections: they cannot be drawn again ({error})")
    finally:
        parts.close()


def draw_projections(settings: Settings) -> int:
    """Drop the projections and draw them from the logs; returns the number of entries read."""
    parts = open_deployment(settings, system_clock)
    try:
        return parts.projections.replay()
    finally:
        parts.close()
