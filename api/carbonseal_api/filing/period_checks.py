"""What must hold before a period is filed; all of it is asked before anything is signed.

A filed report cannot be taken out of the log again, so a mistaken call must leave nothing behind. A report
that was taken back, by a withdrawal or a correction in the register log, leaves its period open to another.
This module does not judge the readings: that is the data code's part.
"""

from __future__ import annotations

from carbonseal_api.problems import ApiError
from carbonseal_attest.contents import parse_content
from carbonseal_attest.instants import Interval, format_instant
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.outcomes import LoggedEntry


class PeriodNotOver(ApiError):
    """A report was asked for before its period ended."""

    code = "period-not-over"
    status = 422


class NothingToReport(ApiError):
    """The data log holds no reading of the period."""

    code = "nothing-to-report"
    status = 422


class AlreadyFiled(ApiError):
    """A report of the installation stands already for the period or a part of it."""

    code = "already-filed"
    status = 409


def check_period(
    host: LogHost, *, register_origin: str, data_origin: str, installation: str, period: Interval, now: int
) -> list[bytes]:
    """See that `period` (half-open, in ms) can be filed at `now` (ms).

    Returns the digests of its reports that were taken back, oldest first.

    Raises:
        PeriodNotOver: it ends after `now`.
        NothingToReport: no reading of it is logged.
        AlreadyFiled: a report of the installation over a part of it stands: neither withdrawn nor superseded.
    """
    start, end = period
    shown = f"{format_instant(start)}/{format_instant(end)}"
    if end > now:
        raise PeriodNotOver(
            "period",
            f"{shown} is not over yet: it is {format_instant(now)}",
            "file it once its last day has ended, or name an earlier last day",
        )
    if not host.select(data_origin, kinds={"readings"}, overlapping=period):
        raise NothingToReport(
            "period",
            f"there is nothing to report: no reading of {shown} is logged",
            "name a period that was measured, or deliver its readings first",
        )
    filed = host.select(data_origin, kinds={"emissions_report"}, subject=installation, overlapping=period)
    taken_back = _taken_back(host, register_origin) if filed else set()
    earlier = []
    for entry in filed:
        digest = SignedStatement.parse(entry.raw).digest
        earlier.append(digest)
        if digest not in taken_back:
            raise AlreadyFiled(
                "period",
                f"report {digest.hex()} (entry {entry.index} of {data_origin}) stands for {_period(entry)}",
                "use that report, or file days that it does not cover; to correct it, register its"
                " withdrawal, or a correction that supersedes it, and file the period again",
            )
    return earlier


def _taken_back(host: LogHost, register_origin: str) -> set[bytes]:
    entries = host.select(register_origin, kinds={"withdrawal", "correction"})
    payloads = [SignedStatement.parse(entry.raw).payload for entry in entries]
    bodies = [parse_content(data).body for data in host.contents.get_many(payloads).values()]
    return {body["withdraws"] if "withdraws" in body else body["supersedes"] for body in bodies}


def _period(entry: LoggedEntry) -> str:
    start, end = entry.interval or (0, 0)
    return f"{format_instant(start)}/{format_instant(end)}"
