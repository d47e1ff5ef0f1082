"""Steps completeness, packages, recompute and rules: the period computed again."""

from __future__ import annotations

from typing import Any

from carbonseal_attest import cbor
from carbonseal_attest.instants import format_instant
from carbonseal_attest.packages import package_digest
from carbonseal_verifier.case import Case, StepFailed, require
from carbonseal_verifier.errors import ProfileInvalid
from carbonseal_verifier.quality.inputs import LoggedStatement, disclosed
from carbonseal_verifier.recompute import (
    PackageSet,
    find_plan,
    finish,
    pick_profile,
    prepare,
    profile_package,
)
from carbonseal_verifier.wording import counted

HOUR = 3_600_000
USABLE = frozenset({"active", "legacy"})


def check_packages(case: Case) -> str:
    """See that the report's packages are those that the registrar published; the profile, the trusted one."""
    report = _report(case)
    named = {row["id"]: row["digest"] for row in report["packages"]}
    require(len(named) == len(report["packages"]), "the report names a package twice")
    published = _published(case)
    for name, digest in named.items():
        files = case.bundle.packages.get(name)
        if files is None:
            raise StepFailed(f"the package {name} is not in the bundle")
        require(
            package_digest(files) == digest, f"the files of {name} have another digest than the report names"
        )
        _check_published(name, digest, published.get(name), case.about.period)
    stray = sorted(set(case.bundle.packages) - _named_by_reports(case))
    require(not stray, f"the package {stray[0] if stray else ''} is named by no report of the bundle")
    packages = PackageSet.read({name: case.bundle.packages[name] for name in named})
    _check_profile(case, packages)
    require(report["method"] in packages.methods, f"no package of the method {report['method']}")
    case.packages = packages
    shown = counted(len(named), "package is", "packages are")
    return f"{shown} as the registrar published; profile {case.profile.reference}"


def check_completeness(case: Case) -> str:
    """Count the plan's grid from the entries up to the cut-off. A gap is a result; not counting it is not."""
    register_size, data_size = _cut_off_sizes(case)
    register = case.operator_register()
    data = case.operator_data()
    case.progress("reading the period's contents")
    case.prepared = prepare(
        register.logged[:register_size],
        data.logged[: data_size - data.section.first],
        plan_digest=_report(case)["plan_digest"],
        period=case.about.period,
        profile=case.profile,
    )
    rows = case.prepared.activity.completeness()
    require(bool(rows), "the plan declares no measurement")
    totals = {
        key: sum(row[key] for row in rows) for key in ("expected", "measured", "late", "gap", "missing")
    }
    shown = ", ".join(f"{count} {name}" for name, count in totals.items())
    corrections = len(case.prepared.inputs.corrections)
    if corrections:
        corrected = sum(row["corrected"] for row in rows)
        shown += f"; {counted(corrections, 'statement')} corrected by the party, {corrected} of these"
    return f"{counted(len(rows), 'point')}: {shown}"


def check_recompute(case: Case) -> str:
    """Compute activity data and inventory again; every figure must equal the signed report's text."""
    report = _report(case)
    heads = [(head["origin"], head["tree_size"], head["root_hash"]) for head in report["cut_off"]]
    case.recomputed = finish(case.prepared, case.packages, profile=case.profile, cut_off=heads)
    inventory = case.recomputed.inventory.to_json()
    require(inventory["method"] == report["method"], "the report names another method than its plan")
    used = {f"{row['id']}@{row['version']}": row["digest"] for row in inventory["packages"]}
    named = {row["id"]: row["digest"].hex() for row in report["packages"]}
    require(
        all(named.get(name) == digest for name, digest in used.items()),
        "the report leaves out a package used",
    )
    _same("total", report["totals"].get("total"), _quantity(inventory["total"]))
    for name, figure in report["totals"].items():
        again = inventory["totals"].get(name)
        require(again is not None, f"the report signs a total {name}, which its method does not have")
        _same(f"total {name}", figure, _quantity(again))
    require(set(report["by_stream"]) == set(inventory["by_stream"]), "the report has other source streams")
    for stream, row in inventory["by_stream"].items():
        for part in ("activity", "emissions"):
            _same(f"{part} of {stream}", report["by_stream"][stream][part], _quantity(row[part]))
    total = inventory["total"]
    streams = counted(len(inventory["by_stream"]), "source stream")
    return f"{streams}, total {total['value']} {total['unit']}: equal to the last digit"


def check_rules(case: Case) -> str:
    """Run the quality rules again; the body must be, byte for byte, the signed data code. Red is a result."""
    signed = case.quality.content.body if case.quality.content else {}
    again = case.recomputed.quality_body
    for key in sorted(set(signed) | set(again)):
        require(
            cbor.encode(signed.get(key)) == cbor.encode(again.get(key)),
            f"the rules give another {key} of the data code than was signed",
        )
    figures = again["figures"]
    found = ", ".join(f"{figures[f'findings_{s}']} {s}" for s in ("critical", "major", "minor"))
    return f"data code {again['code']} as signed ({found} findings)"


def _report(case: Case) -> dict[str, Any]:
    body: dict[str, Any] = case.report.content.body if case.report.content else {}
    return body


def _cut_off_sizes(case: Case) -> tuple[int, int]:
    data, register = _report(case)["cut_off"]
    return register["tree_size"], data["tree_size"]


def _published(case: Case) -> dict[str, dict[str, Any]]:
    """Return the newest `method` statement of each package in the registrar's register log."""
    entries: list[LoggedStatement] = case.logs[case.registrar.register_origin].logged
    return {content.body["id"]: content.body for _, content in disclosed(entries, "method")}


def _named_by_reports(case: Case) -> set[str]:
    """Return the packages that any report of the bundle names."""
    found = (case.operator_data().find(report.digest) for report in case.bundle.reports)
    bodies = (e.content.body for e in found if e and e.content and e.content.kind == "emissions_report")
    return {row["id"] for body in bodies for row in body["packages"]}


def _check_published(name: str, digest: bytes, entry: dict[str, Any] | None, period: tuple[int, int]) -> None:
    if entry is None:
        raise StepFailed(f"the registrar has published no package {name}")
    require(entry["package_digest"] == digest, f"the registrar published {name} with another digest")
    require(entry["status"] in USABLE, f"the registrar lists {name} as {entry['status']}")
    effective = entry["effective"]
    require(
        effective["start"] <= period[0] and (effective["end"] is None or effective["end"] >= period[1]),
        f"{name} is effective from {format_instant(effective['start'])}, not for the whole period",
    )


def _check_profile(case: Case, packages: PackageSet) -> None:
    limits = case.trust.limits
    wanted = find_plan(case.operator_register().logged, _report(case)["plan_digest"])["quality_profile"]
    require(
        wanted in limits.rule_profiles,
        f"the plan is judged by {wanted}, and the trust file counts {', '.join(limits.rule_profiles)} only",
    )
    case.profile = pick_profile(packages, {"quality_profile": wanted})
    require(
        case.profile.commit_delay_ms <= limits.commit_delay_ms,
        f"{wanted} lets values come {case.profile.commit_delay_ms // HOUR} hours after their interval, "
        f"the trust file {limits.commit_delay_ms // HOUR}",
    )
    try:
        own = profile_package(wanted)
    except ProfileInvalid:
        return  # not one of ours: the registrar's published digest decides
    require(
        case.bundle.packages[wanted] == own, f"the profile {wanted} differs from the one of that name here"
    )


def _quantity(value: dict[str, Any]) -> dict[str, str]:
    return {"value": value["value"], "unit": value["unit"]}


def _same(what: str, signed: object, again: dict[str, str]) -> None:
    require(signed == again, f"{what}: reported {_shown(signed)}, recomputed {_shown(again)}")


def _shown(value: object) -> str:
    return f"{value['value']} {value['unit']}" if isinstance(value, dict) else "nothing"
