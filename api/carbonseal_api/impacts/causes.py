"""What takes the ground from under reports: revocations, corrections, withdrawals, calibrations out of date.

A cause counts against what was filed before it was known: whose cut-off of the register log does not reach
it. Only a party's own acts count against its own statements; of several acts on one statement the first does.
A calibration out of date counts against every period that nothing in date covers, whenever it was filed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine

from carbonseal_api.impacts import queries
from carbonseal_api.lineage.accounts import READINGS, STATED_AMOUNTS, Account
from carbonseal_attest.instants import format_instant
from carbonseal_attest.keys import PublicKey

INPUTS: Final = (*READINGS, "corrected_readings", *STATED_AMOUNTS)
EXPIRED: Final = "calibration_expired"  # the only cause that can end by itself: by a certificate filed later
_DAY: Final = 86_400_000
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause, and what it strikes directly.

    Attributes:
        kind: as the impact statement names it.
        digest: statement digest of what caused it, in hex.
        party: whose statement that is.
        known_at: since when it holds, in ms: its registration, or the end of a certificate that ran out.
        struck: digests in hex of reports, codes and opinions that it strikes directly.
        told: what the sentences of reason and cure name.
    """

    kind: str
    digest: str
    party: str
    known_at: int
    struck: frozenset[str]
    told: Mapping[str, str]


def causes_of(
    engine: Engine, party: str, accounts: Sequence[Account], takings: Iterable[Row], opinions: Iterable[Row]
) -> list[Cause]:
    """Return the causes that strike something of a party, in the order of time.

    Args:
        engine: The database.
        party: The enterprise.
        accounts: Its reports and data codes.
        takings: Corrections and withdrawals of its own statements, the first of each; `takings_back`.
        opinions: The same acts of verification bodies on their opinions about its reports.
    """
    rows = list(takings)
    gone = {bytes(row["target"]).hex(): row for row in rows}
    found = [_taken_back(row, accounts, gone) for row in rows]
    found += [_opinion(row) for row in opinions]
    found += [_revoked(engine, party, row, accounts, gone) for row in queries.revocations(engine, party)]
    found += _calibrations(engine, party, accounts, gone)
    return sorted((one for one in found if one.struck), key=lambda one: (one.known_at, one.digest))


def uncovered(start: int, end: int, validities: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the parts of [start, end) that no validity covers, in ms."""
    gaps: list[tuple[int, int]] = []
    at = start
    for low, high in [*sorted(validities), (end, end)]:
        if min(low, end) > at:
            gaps.append((at, min(low, end)))
        at = max(at, high)
    return gaps


def _taken_back(row: Row, accounts: Sequence[Account], gone: Mapping[str, Row]) -> Cause:
    kind, target = row["target_kind"], bytes(row["target"]).hex()
    struck: set[str] = set()
    cause = "readings_corrected"
    if kind == "emissions_report":
        cause, struck = "report_withdrawn", {target}
    elif kind in INPUTS:
        # A corrected value counts for who knew the correction that put it there, and for nobody else.
        puts = [act for act in gone.values() if act["replacement"] == target]
        struck = {
            one.digest
            for one in accounts
            if one.rested_on(row)
            and not one.knows(row)
            and (kind != "corrected_readings" or any(one.knows(act) for act in puts))
        }
    told = {
        "subject": row["subject"],
        "statement": target[:16],
        "start": "" if row["start"] is None else format_instant(row["start"]),
        "end": "" if row["end"] is None else format_instant(row["end"]),
    }
    return Cause(cause, row["digest"].hex(), row["party"], row["registered_at"], frozenset(struck), told)


def _opinion(row: Row) -> Cause:
    target = bytes(row["target"]).hex()
    told = {"subject": row["subject"], "statement": target[:16], "start": "", "end": ""}
    return Cause(
        "opinion_withdrawn",
        row["digest"].hex(),
        row["party"],
        row["registered_at"],
        frozenset({target}),
        told,
    )


def _revoked(
    engine: Engine, party: str, row: Row, accounts: Sequence[Account], gone: Mapping[str, Row]
) -> Cause:
    body = row["body"]
    # The projection keeps a COSE_Key as JSON: labels as text, bytes in hex.
    key = {int(label): value for label, value in body["key"].items()}
    key[-2] = bytes.fromhex(key[-2])
    kid = PublicKey.from_cose_key(key).kid
    last = {item["stream"]: item["sequence"] for item in body["last"]}
    beyond = [
        one
        for one in queries.revoked_readings(engine, party, kid)
        if one["stream"] not in last or one["sequence"] > last[one["stream"]]
    ]
    struck = {
        account.digest
        for account in accounts
        if not account.knew(row["entry_index"], row["registered_at"])
        and any(
            account.counts(one["device"], one["point"], one["start"], one["end"], one["entry_index"])
            and not _was_gone(account, gone.get(bytes(one["digest"]).hex()))
            for one in beyond
        )
    }
    told = {"subject": body["device"], "statement": "", "start": "", "end": ""}
    digest = bytes(row["statement_digest"]).hex()
    return Cause("device_revoked", digest, party, row["registered_at"], frozenset(struck), told)


def _was_gone(account: Account, act: Row | None) -> bool:
    """Whether an account knew that a statement was taken back, and so did not count it."""
    return act is not None and account.knows(act)


def _calibrations(
    engine: Engine, party: str, accounts: Sequence[Account], gone: Mapping[str, Row]
) -> list[Cause]:
    rows = queries.calibrations(engine, party)
    standing = [row for row in rows if bytes(row["digest"]).hex() not in gone]
    struck: dict[tuple[str, str], set[str]] = {}
    by_digest = {bytes(row["digest"]).hex(): row for row in rows}
    for account in accounts:
        for device, cycle in _required(account):
            valid = [_validity(row, cycle) for row in standing if row["device"] == device]
            for low, high in uncovered(account.start, account.end, valid):
                digest = _expired(standing, device, cycle, low)
                if digest is not None:
                    struck.setdefault((EXPIRED, digest), set()).add(account.digest)
                for other in _withdrawn(rows, gone, account, device, (low, high)):
                    struck.setdefault(("calibration_withdrawn", other), set()).add(account.digest)
    return [
        _calibration(kind, by_digest[digest], gone.get(digest), party, frozenset(hit))
        for (kind, digest), hit in struck.items()
    ]


def _calibration(kind: str, row: Row, act: Row | None, party: str, struck: frozenset[str]) -> Cause:
    told = {
        "subject": row["device"],
        "statement": row["certificate"],
        "start": format_instant(row["start"]),
        "end": format_instant(row["end"]),
    }
    # What took a certificate back is the cause; one that ran out is its own.
    digest, at = (row["digest"], row["end"]) if act is None else (act["digest"], act["registered_at"])
    return Cause(kind, bytes(digest).hex(), party, at, struck, told)


def _required(account: Account) -> list[tuple[str, int]]:
    found = {
        (item["device"], item["calibration"]["cycle_days"])
        for item in account.measurements
        if item["calibration"]["required"]
    }
    return sorted(found)


def _validity(row: Row, cycle: int) -> tuple[int, int]:
    # As the data code's rule has it: the plan's cycle may end a certificate early; 0 leaves it alone.
    end = min(row["end"], row["start"] + cycle * _DAY) if cycle else row["end"]
    return row["start"], end


def _expired(standing: Collection[Row], device: str, cycle: int, gap: int) -> str | None:
    """Return the certificate that ran out last before a gap begins, None when there was none before."""
    ended = [
        (_validity(row, cycle)[1], bytes(row["digest"]).hex())
        for row in standing
        if row["device"] == device and _validity(row, cycle)[1] <= gap
    ]
    return max(ended)[1] if ended else None


def _withdrawn(
    rows: Collection[Row], gone: Mapping[str, Row], account: Account, device: str, gap: tuple[int, int]
) -> list[str]:
    """Return the certificates taken back after an account was filed that would have covered some of a gap."""
    found = []
    for row in rows:
        act = gone.get(bytes(row["digest"]).hex())
        is_known = row["index"] < account.register_cut
        if act is None or row["device"] != device or account.knows(act) or not is_known:
            continue
        if row["start"] < gap[1] and row["end"] > gap[0]:
            found.append(bytes(row["digest"]).hex())
    return found
