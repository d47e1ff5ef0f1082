"""The drill on the database: somebody with its password changes one reading in a copy.

The copy is a real PostgreSQL database made from the demo's own, with its published copy beside it. The audit
re-hashes what is stored and must name the place.
"""

from __future__ import annotations

import shutil
from typing import Final

from sqlalchemy import create_engine, text

from carbonseal_api.demo.drills import Verdict
from carbonseal_api.demo.stage import Stage
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.log_audit import LogAudit
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.row_checksums import SETTING, UNKEYED

_COPY: Final = "tampered_copy"


def change_a_reading(stage: Stage) -> Verdict:
    """Change one byte of a stored reading in a copy of the database; return what the audit says."""
    source = stage.engine.url
    origin = stage.cast.enterprise.data_origin
    (first, *_) = stage.host.select(origin, kinds={"readings"})
    digest = SignedStatement.parse(first.raw).payload
    stage.engine.dispose()  # PostgreSQL copies a database only while nobody is in it
    admin = create_engine(source.set(database="template1"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE {_COPY} TEMPLATE "{source.database}"'))
    folder = stage.folder / "tampered"
    shutil.copytree(stage.folder / "published", folder)
    copy = create_engine(source.set(database=_COPY))
    # The audit has the host's key of row checksums; whoever only has the database's password has not.
    audited = create_engine(
        source.set(database=_COPY), connect_args={"options": f"-c {SETTING}={UNKEYED.hex()}"}
    )
    try:
        with copy.begin() as connection:
            changed = connection.execute(
                text(
                    "UPDATE ledger_contents SET data = set_byte(data, length(data) - 1,"
                    " get_byte(data, length(data) - 1) # 1) WHERE digest = :digest"
                ),
                {"digest": digest},
            )
            if changed.rowcount != 1:
                return Verdict(
                    "reading_changed_in_database", is_caught=False, step="", reason="nothing was changed"
                )
        found = LogAudit(audited, PublishedCopy(folder), stage.cast.log_key.public).run().first
    finally:
        audited.dispose()
        copy.dispose()
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {_COPY}"))
        admin.dispose()
        shutil.rmtree(folder)
    if found is None:
        return Verdict(
            "reading_changed_in_database", is_caught=False, step="", reason="the audit found nothing"
        )
    is_right = found.where == f"{origin} entry {first.index} content"
    return Verdict("reading_changed_in_database", is_right, "log-audit", f"{found.where}: {found.what}")
