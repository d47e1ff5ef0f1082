"""Steps container and members: is the file a bundle, and is everything in it that the check needs?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from carbonseal_attest.bundle import read_members
from carbonseal_attest.bundle_reading import MemberReader
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.case import Case, LogView, StepFailed, require
from carbonseal_verifier.wording import counted

MAX_BUNDLE: Final = 1 << 30  # bytes; a million readings take 15 MB at 60 a statement, 49 MB at 15
MAX_ENTRIES: Final = 2_000_000
_MAX_ITEMS: Final = 2 * MAX_ENTRIES  # entries and contents: every content is that of a statement


def check_container(case: Case) -> str:
    """Read the container whole: header, manifest, each member's digest, the trailer.

    Members are taken apart as they come, so that nothing is held twice. What is wrong with one of them is the
    matter of the next step, and this one reads on: only when the trailer holds does anything read count.
    """
    reader, size, count = MemberReader(), 0, 0
    for name, data in read_members(case.stream, max_bundle=MAX_BUNDLE):
        size += len(data)
        count += 1
        if case.refused is None:
            try:
                reader.take(name, data)
                require(reader.count <= _MAX_ITEMS, f"more than {MAX_ENTRIES} entries are not read")
            except (CarbonsealError, StepFailed) as error:
                case.refused, reader = error, MemberReader()
    case.reader = reader
    return f"{counted(count, 'member')}, {size} bytes; every digest and the trailer hold"


def check_members(case: Case) -> str:
    """Read the members by their meaning, and see that none is missing."""
    if case.refused is not None:
        raise case.refused
    bundle = case.reader.finish()
    case.reader = MemberReader()
    count = sum(len(section.entries) for section in bundle.logs.values())
    require(count <= MAX_ENTRIES, f"{count} entries, and at most {MAX_ENTRIES} are read")
    logs = {}
    for origin, section in bundle.logs.items():
        require(
            section.end - section.first == len(section.entries),
            f"{origin} announces entries {section.first} to {section.end} and carries {len(section.entries)}",
        )
        require(origin in bundle.maps, f"no map proofs of {origin}")
        logs[origin] = LogView(section, _statements(origin, section.first, section.entries))
    stray = sorted(set(bundle.maps) - set(logs))
    require(not stray, f"map proofs of {stray[0] if stray else ''}, a log that the bundle does not carry")
    bare = [report for report in bundle.reports if report.report_pdf is None]
    require(not bare, f"the PDF of report {bare[0].digest.hex()[:16] if bare else ''} is missing")
    require(
        bundle.anchor is not None or not case.trust.limits.is_anchor_required,
        "the trust file requires an anchor, and the bundle carries no evidence of one",
    )
    case.bundle, case.logs = bundle, logs
    rest = f"{counted(len(bundle.contents), 'content')}, {counted(len(bundle.packages), 'package')}"
    shown = f"{counted(len(bundle.reports), 'report')}, {counted(len(logs), 'log')}"
    return f"{shown} with {counted(count, 'entry', 'entries')}, {rest}"


def _statements(origin: str, first: int, entries: Sequence[bytes]) -> tuple[SignedStatement, ...]:
    statements = []
    for at, raw in enumerate(entries, first):
        try:
            statement = SignedStatement.parse(raw)
        except CarbonsealError as error:
            raise StepFailed(f"entry {at} of {origin}: {error.field}: {error.reason}") from error
        require(statement.header.origin == origin, f"entry {at} of {origin} was signed for another log")
        statements.append(statement)
    return tuple(statements)
