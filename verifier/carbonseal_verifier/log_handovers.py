"""That each change of a log's key is logged as the trust file has it, on the word of both keys.

The trust file alone says which key signs which sizes. The log says it too, by a `log_key` statement that is
the last entry of the first head under the new key: signed by that key, endorsed by the one before. Where the
two differ, or one is silent, the check fails. The log of logs holds no statements; of its key the log host's
register log says it.
"""

from __future__ import annotations

from typing import Any

from carbonseal_attest.endorsement import verify_endorsement
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.case import Case, StepFailed, require

_Said = set[tuple[str, int, bytes]]  # origin, from which size, key id


def check_handovers(case: Case) -> None:
    """Check every `log_key` statement against the trust file, and that none is missing.

    Raises:
        StepFailed: a statement that the trust file does not bear out, or a change of key that is not logged.
    """
    said: _Said = set()
    for origin, view in case.logs.items():
        for index, statement in enumerate(view.statements, view.section.first):
            if statement.header.kind == "log_key":
                said.add(_check_one(case, origin, index, statement))
    for origin, view in case.logs.items():
        _check_logged(case, origin, view.section.first, view.section.end, said)
    _check_logged(case, case.log_host.log_of_logs, 0, len(case.bundle.log_of_logs_entries), said)


def _check_one(case: Case, origin: str, index: int, statement: SignedStatement) -> tuple[str, int, bytes]:
    where, content = f"entry {index} of {origin}", case.content(statement)
    if content is None:
        raise StepFailed(f"{where}: the content of the log_key statement is withheld or changed")
    body: dict[str, Any] = content.body
    about, size, key = body["origin"], body["from_size"], PublicKey.from_cose_key(body["key"])
    is_own = about == origin and size == index + 1
    register = case.parties[case.bundle.log_host].register_origin
    is_above = about == case.log_host.log_of_logs and origin == register
    require(is_own or is_above, f"{where}: the log_key statement is about another log or head than its own")
    known = {(at, new.kid): old for at, new, old in case.log_host.handovers(about)}
    old = known.get((size, key.kid))
    require(
        old is not None and old.kid == body["retired"],
        f"{where}: the trust file knows nothing of this change of the log key of {about}",
    )
    if old is not None:
        admitted = case.trust.algorithms.last_dates
        try:
            verify_endorsement(
                "log_key", statement.header.subject, "predecessor", body, old, admitted=admitted
            )
        except CarbonsealError as error:
            raise StepFailed(f"{where}: {error.reason}") from error
    return about, size, key.kid


def _check_logged(case: Case, origin: str, first: int, end: int, said: _Said) -> None:
    for size, key, _ in case.log_host.handovers(origin):
        require(
            not first < size <= end or (origin, size, key.kid) in said,
            f"{origin}: the trust file names a new log key from size {size}, of which no statement tells",
        )
