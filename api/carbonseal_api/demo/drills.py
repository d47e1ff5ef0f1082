"""The drills on the bundle: ways to cheat, each done for real on a copy, and the step that caught it.

Each attack mends what it can: a changed member gets a new digest and the bundle a new trailer, statements are
signed anew by real keys, checkpoints by the real log key. A drill counts as caught only when the check fails
at one of the steps named for it here; failing anywhere else is reported as not caught.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from carbonseal_api.demo import forgery
from carbonseal_api.demo.forgery import Keys
from carbonseal_attest.bundle import read_members, write_bundle
from carbonseal_attest.bundle_layout import EvidenceBundle, to_members
from carbonseal_attest.errors import BundleInvalid
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.trust import TrustFile
from carbonseal_verifier.check import CheckResult, run_check

BIT_FLIPS: Final = 200  # of the whole file's bits, drawn evenly; each must be refused

Attack = Callable[["Bench"], EvidenceBundle]


@dataclass(frozen=True, slots=True)
class Bench:
    """What the drills work on: the untouched bundle, the keys that the forger holds, and the trust file."""

    bundle: EvidenceBundle
    keys: Keys
    trust: bytes
    register_origin: str
    data_origin: str
    at: int


@dataclass(frozen=True, slots=True)
class Drill:
    """One way to cheat; `steps` are those of `check` that may catch it."""

    name: str
    attack: Attack
    steps: frozenset[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a drill: the step that caught it and its reason; `step` is empty if nothing did."""

    name: str
    is_caught: bool
    step: str
    reason: str


def run_drills(bench: Bench) -> Iterator[Verdict]:
    """Yield the verdict of each drill on a bundle."""
    for drill in DRILLS:
        out = io.BytesIO()
        write_bundle(to_members(forgery.prune(drill.attack(bench))), out)
        result = check(out.getvalue(), bench)
        failed = next((s for s in result.steps if s.outcome == "failed"), None)
        if failed is None:
            yield Verdict(drill.name, is_caught=False, step="", reason="")
        else:
            yield Verdict(
                drill.name, is_caught=failed.name in drill.steps, step=failed.name, reason=failed.reason
            )


def check(data: bytes, bench: Bench) -> CheckResult:
    """Return the result of checking a bundle's bytes under the demo's trust file."""
    return run_check(io.BytesIO(data), trust=TrustFile.parse(bench.trust), at=bench.at)


def flip_bits(data: bytes, count: int, seed: int) -> tuple[int, int]:
    """Return (how many of `count` single-bit changes were refused, how many were tried)."""
    draw = random.Random(seed)  # noqa: S311 - which bits is no secret; the seed makes a run repeatable
    refused = 0
    for bit in draw.sample(range(len(data) * 8), min(count, len(data) * 8)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            for _ in read_members(io.BytesIO(bytes(changed))):
                pass
        except BundleInvalid:
            refused += 1
    return refused, min(count, len(data) * 8)


def _reading_changed(bench: Bench) -> EvidenceBundle:
    made = forgery.copy_of(bench.bundle)
    section = made.logs[bench.data_origin]
    start, end = bench.bundle.reports[0].period
    inside = [
        statement
        for statement in map(SignedStatement.parse, section.entries)
        if statement.header.kind == "readings"
        and statement.header.interval is not None
        and start <= statement.header.interval[0] < statement.header.interval[1] <= end
    ]
    statement = inside[len(inside) // 2]
    new = forgery.rewrite_body(made.contents[statement.payload], _lower_a_reading)
    kept = {digest: data for digest, data in made.contents.items() if digest != statement.payload}
    made.contents = kept | {hashlib.sha256(new).digest(): new}
    return made


def _lower_a_reading(body: dict[str, Any]) -> None:
    series = body["series"][0]
    at = next(i for i, value in enumerate(series["values"]) if value)
    series["values"][at] -= 1
    if series["scale"] and all(v is None or v % 10 == 0 for v in series["values"]):
        series["values"][at] -= 1  # keep the scale the least one, or the schema would refuse it


def _statement_removed(bench: Bench) -> EvidenceBundle:
    made = forgery.copy_of(bench.bundle)
    section = made.logs[bench.data_origin]
    at = forgery.find_entry(section, "readings")
    rest = [*section.entries[:at], *section.entries[at + 1 :]]
    made.logs[bench.data_origin] = forgery.with_entries(section, rest, bench.keys.log_key)
    return made


def _factor_swapped(bench: Bench) -> EvidenceBundle:
    made = forgery.copy_of(bench.bundle)
    name, path = min((n, p) for n, files in made.packages.items() for p in files if b"0.5" in files[p])
    data = made.packages[name][path]
    at = data.index(b"0.5")
    made.packages[name][path] = data[:at] + b"0.4" + data[at + 3 :]
    return made


def _key_not_enrolled(bench: Bench) -> EvidenceBundle:
    made = forgery.copy_of(bench.bundle)
    section = made.logs[bench.data_origin]
    at = forgery.find_entry(section, "readings", last=True)
    old, stranger = SignedStatement.parse(section.entries[at]), Ed25519Signer.generate()
    new = forgery.resign(old, stranger, made.contents[old.payload], sequence=0, previous=None)
    entries = [*section.entries[:at], new.raw, *section.entries[at + 1 :]]
    made.logs[bench.data_origin] = forgery.with_entries(section, entries, bench.keys.log_key)
    return made


def _revocation_left_out(bench: Bench) -> EvidenceBundle:
    made = forgery.copy_of(bench.bundle)
    section = made.logs[bench.register_origin]
    at = forgery.find_entry(section, "device", last=True)
    made.logs[bench.register_origin] = forgery.truncated(section, section.first + at, bench.keys.log_key)
    return made


def _checkpoint_rolled_back(bench: Bench) -> EvidenceBundle:
    made = forgery.copy_of(bench.bundle)
    section = made.logs[bench.data_origin]
    at = forgery.find_entry(section, "document", last=True)
    made.logs[bench.data_origin] = forgery.truncated(section, section.first + at, bench.keys.log_key)
    return made


def _second_history(bench: Bench) -> EvidenceBundle:
    section = bench.bundle.logs[bench.data_origin]
    at = forgery.find_entry(section, "document", last=True)
    statement = SignedStatement.parse(section.entries[at])
    (report,) = bench.bundle.reports
    pdf = (report.report_pdf or b"") + b"\n% another rendering\n"

    def change(body: dict[str, Any]) -> None:
        body["document_digest"], body["size"] = hashlib.sha256(pdf).digest(), len(pdf)

    content = forgery.rewrite_body(bench.bundle.contents[statement.payload], change)
    made = forgery.second_history(bench.bundle, bench.keys, bench.data_origin, at, content)
    made.reports = (replace(report, report_pdf=pdf),)
    return made


def _report_figure_edited(bench: Bench) -> EvidenceBundle:
    made = forgery.copy_of(bench.bundle)
    (bundled,) = made.reports
    report = json.loads(bundled.report_json)
    total = report["emissions"]["total"]
    total["value"] = total["value"][:-1] + ("1" if total["value"][-1] != "1" else "2")
    edited = (json.dumps(report, ensure_ascii=False, sort_keys=True, indent=2) + "\n").encode()
    made.reports = (replace(bundled, report_json=edited),)
    return made


DRILLS: Final = (
    Drill("reading_changed_in_bundle", _reading_changed, frozenset({"contents"})),
    Drill("statement_removed", _statement_removed, frozenset({"continuity", "log-proofs", "epochs"})),
    Drill("factor_swapped", _factor_swapped, frozenset({"packages"})),
    Drill("key_not_enrolled", _key_not_enrolled, frozenset({"signatures"})),
    Drill("revocation_left_out", _revocation_left_out, frozenset({"registers-whole", "epochs"})),
    Drill("checkpoint_rolled_back", _checkpoint_rolled_back, frozenset({"log-proofs", "epochs", "cut-off"})),
    Drill("second_history", _second_history, frozenset({"anchor"})),
    Drill("report_figure_edited", _report_figure_edited, frozenset({"report"})),
)

__all__ = ["BIT_FLIPS", "DRILLS", "Bench", "Drill", "Verdict", "check", "flip_bits", "run_drills"]
