"""Steps contents, continuity and filed: what was disclosed is what was signed, nothing needed is withheld.

Register logs, ticks, and in the data log all readings, gaps, corrected readings, declared values and
downgrades that touch a report's period must be disclosed, and so must each report, its data code and every
void. Contents outside the periods may be withheld. An erased content counts as missing.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from carbonseal_attest.identity.streams import Restart
from carbonseal_attest.instants import format_instant
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.case import Case, StepFailed, require
from carbonseal_verifier.continuity import find_breaks, find_restarts
from carbonseal_verifier.log_order import LogOrder
from carbonseal_verifier.quality.inputs import LoggedStatement
from carbonseal_verifier.wording import counted

ALWAYS = frozenset({"tick", "log_key", "void", "equivocation", "calibration"})
IN_THE_PERIOD = frozenset({"readings", "gap", "corrected_readings", "declared_activity", "downgrade"})


def check_contents(case: Case) -> str:
    """Check every disclosed content against its statement, and that what must be disclosed is."""
    bundle = case.bundle
    signed = {s.payload for view in case.logs.values() for s in view.statements}
    signed |= {_genesis_payload(case)}
    stray = [digest for digest in bundle.contents if digest not in signed]
    require(
        not stray, f"content {stray[0].hex()[:16] if stray else ''} is named by no statement of the bundle"
    )
    withheld = count = 0
    reports = {report.digest for report in bundle.reports}
    for origin, view in case.logs.items():
        view.logged.clear()
        is_register = origin in {p.register_origin for p in case.parties.values()}
        for index, statement in enumerate(view.statements, view.section.first):
            content = case.content(statement)
            if content is None:
                kind, where = statement.header.kind, f"entry {index} of {origin}"
                is_needed = is_register or _must_disclose(case, statement, reports)
                require(not is_needed, f"the content of {where}, {kind}, is withheld or changed")
                withheld += 1
            view.logged.append(LoggedStatement(index, statement, content))
            count += 1
            if count % 5000 == 0:
                case.progress(f"{count} contents")
    disclosed = counted(count - withheld, "content is", "contents are")
    return f"{disclosed} what was signed; {withheld} withheld where that is allowed"


def check_filed(case: Case) -> str:
    """Find the report's statement and that of its data code in the operator's data log."""
    case.report = _find(case, case.about.digest, "emissions_report")
    body = case.report.content.body if case.report.content else {}
    case.quality = _find(case, body["quality_code_digest"], "quality_code")
    start, end = map(format_instant, case.about.period)
    places = f"entry {case.report.index}, its data code {case.quality.index}"
    return f"{body['report']} about {start} to {end}: {places}"


def check_continuity(case: Case) -> str:
    """See that no stream has a hole, a double or a fork; show voids, resumes and registered conflicts."""
    register = case.operator_register()
    restarts = find_restarts(register.logged)
    resumed = LogOrder(case, case.operator.register_origin)
    streams, voids, conflicts = 0, 0, 0
    for origin, view in case.logs.items():
        order = LogOrder(case, origin)
        breaks = find_breaks(
            view.logged,
            restarts,
            is_whole=view.section.first == 0,
            comes_before=_in_order(resumed, order),
        )
        if breaks:
            first = breaks[0]
            raise StepFailed(f"{origin}: stream {first.stream}, number {first.sequence}: {first.problem}")
        streams += len({(s.header.kid, s.header.stream) for s in view.statements})
        voids += sum(s.header.kind == "void" for s in view.statements)
        conflicts += sum(s.header.kind == "equivocation" for s in view.statements)
    shown = f"{counted(streams, 'stream')} without a hole"
    if voids or restarts or conflicts:
        shown += f"; {counted(voids, 'void')}, {counted(len(restarts), 'resume')}, "
        shown += counted(conflicts, "registered conflict")
    return shown


def _in_order(resumed: LogOrder, order: LogOrder) -> Callable[[Restart, int], bool]:
    return lambda restart, index: resumed.epoch_of(restart.index) <= order.epoch_of(index)


def _genesis_payload(case: Case) -> bytes:
    return SignedStatement.parse(case.bundle.log_of_logs_entries[0]).payload


def _must_disclose(case: Case, statement: SignedStatement, reports: AbstractSet[bytes]) -> bool:
    header = statement.header
    if header.origin != case.operator.data_origin:
        return False
    if header.kind in ALWAYS or statement.digest in reports:
        return True
    if header.kind in IN_THE_PERIOD and header.interval is not None:
        return case.bundle.concerns(header.interval)
    return False


def _find(case: Case, digest: bytes, kind: str) -> LoggedStatement:
    entry = case.operator_data().find(digest)
    if entry is None:
        raise StepFailed(f"the operator's data log holds no {kind} statement {digest.hex()[:16]}")
    require(
        entry.statement.header.kind == kind and entry.content is not None,
        f"statement {digest.hex()[:16]} is no disclosed {kind} statement",
    )
    return entry
