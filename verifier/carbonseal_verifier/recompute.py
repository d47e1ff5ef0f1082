"""Recomputes a period from its logged statements: activity data, inventory and data code.

One function for both sides: the service files what it returns, and `check` compares with it. Same entries,
contents and packages, same figures and the same bytes. Pure: no clock, disk or network. Corrections of
readings are applied and shown; declared values count where a downgrade says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from typing import Any, Final

from carbonseal_accounting.activity import ActivityData, derive_activity
from carbonseal_accounting.factors import FactorSet
from carbonseal_accounting.inventory import Inventory, build_inventory
from carbonseal_accounting.method import Method
from carbonseal_attest.contents import check_content
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.beside_totals import correction_rows, declared_rows, downgrade_rows
from carbonseal_verifier.errors import PackageUnusable, PlanUnusable, ProfileInvalid
from carbonseal_verifier.logged import LoggedStatement, disclosed
from carbonseal_verifier.quality.code import DataCode, judge
from carbonseal_verifier.quality.grid import SlotCounts
from carbonseal_verifier.quality.inputs import PeriodInputs, gather_inputs
from carbonseal_verifier.quality.profile import PROFILE_FILE, Profile
from carbonseal_verifier.quality.scope import Scope

_COUNTS: Final = ("expected", "measured", "late", "gap", "missing", "substituted", "corrected")
_CHECK_INPUTS: Final = ("active", "reactive", "power_factor", "whole", "a", "b")

CutOff = Sequence[tuple[str, int, bytes]]
Packages = Mapping[str, Mapping[str, bytes]]


@dataclass(frozen=True, slots=True)
class PackageSet:
    """Method, factor sets and quality profiles, read from their files, by `ID@VERSION`."""

    methods: Mapping[str, Method]
    factor_sets: Mapping[str, FactorSet]
    profiles: Mapping[str, Profile]

    @classmethod
    def read(cls, packages: Packages) -> PackageSet:
        """Return the packages that these files write; what a package is follows from its main file.

        Raises:
            PackageUnusable: a package is of no known kind, or its files name another package.
            AccountingError, ProfileInvalid: a package is malformed.
        """
        methods: dict[str, Method] = {}
        factor_sets: dict[str, FactorSet] = {}
        profiles: dict[str, Profile] = {}
        for name, members in packages.items():
            if "method.toml" in members:
                methods[name] = Method.from_files(members)
                actual = methods[name].name
            elif "factor_set.toml" in members:
                factor_sets[name] = FactorSet.from_files(members)
                actual = factor_sets[name].name
            elif set(members) == {PROFILE_FILE}:
                profiles[name] = Profile.parse(members[PROFILE_FILE])
                actual = profiles[name].reference
            else:
                raise PackageUnusable(
                    name, "is no method, factor set or profile", "take the published package"
                )
            if actual != name:
                raise PackageUnusable(name, f"its files are those of {actual}", "take the published package")
        return cls(methods, factor_sets, profiles)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A period before any factor: its plan, what its statements hold, and its activity data."""

    plan: dict[str, Any]
    plan_digest: bytes
    period: tuple[int, int]
    inputs: PeriodInputs
    activity: ActivityData


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What a period's statements give.

    `completeness` has one row per measurement {measurement, name, expected, measured, late, gap, missing,
    substituted, corrected}; `signer_classes` counts readings statements by class of the signer; corrections,
    declared activity and downgrades are rows that stand beside the totals, see `beside_totals`.
    """

    plan: dict[str, Any]
    activity: ActivityData
    inventory: Inventory
    code: DataCode
    quality_body: dict[str, Any]
    completeness: list[dict[str, Any]]
    signer_classes: dict[str, int]
    corrections: list[dict[str, Any]]
    declared_activity: list[dict[str, Any]]
    downgrades: list[dict[str, Any]]


def recompute_period(
    *,
    register_entries: Sequence[bytes],
    data_entries: Sequence[tuple[int, bytes]],
    contents: Mapping[bytes, bytes],
    plan_digest: bytes,
    start_ms: int,
    end_ms: int,
    cut_off: CutOff,
    packages: Packages,
) -> Recomputed:
    """Return activity data, inventory and data code of `[start_ms, end_ms)`.

    Args:
        register_entries: the register log whole, up to the cut-off.
        data_entries: (index, statement) of the data log up to the cut-off, at the latest from the period's
            first possible index. Ticks among them bound registration; what stands after the last tick has no
            bound and counts as late, so a cut-off follows a tick.
        contents: content bytes by their SHA-256.
        plan_digest: statement digest of the monitoring plan.
        start_ms: start of the period, inclusive.
        end_ms: end of the period, exclusive.
        cut_off: (origin, tree size, root hash) of the data log, then of the register log.
        packages: files of method, factor sets and quality profile by `ID@VERSION`.

    Raises:
        AttestError: an entry or a content is malformed, or contradicts its header.
        VerifierError, AccountingError: plan, packages or readings cannot be computed.
    """
    register = [_logged(at, raw, contents) for at, raw in enumerate(register_entries)]
    data = [_logged(at, raw, contents) for at, raw in data_entries]
    ready = PackageSet.read(packages)
    plan = find_plan(register, plan_digest)
    profile = pick_profile(ready, plan)
    prepared = prepare(register, data, plan_digest=plan_digest, period=(start_ms, end_ms), profile=profile)
    return finish(prepared, ready, profile=profile, cut_off=cut_off)


def prepare(
    register: Sequence[LoggedStatement],
    data: Sequence[LoggedStatement],
    *,
    plan_digest: bytes,
    period: tuple[int, int],
    profile: Profile,
) -> Prepared:
    """Return the activity data of a period, before any factor; see `recompute_period`."""
    plan = find_plan(register, plan_digest)
    _refuse_superseded(register, plan_digest, period)
    _refuse_idle_checks(plan)
    inputs = gather_inputs(
        register,
        data,
        period=period,
        profile=profile,
        plan_digest=plan_digest,
        installation=_installation(register, plan_digest),
    )
    activity = derive_activity(plan, inputs.sources, start_ms=period[0], end_ms=period[1])
    return Prepared(plan, plan_digest, period, inputs, activity)


def finish(prepared: Prepared, packages: PackageSet, *, profile: Profile, cut_off: CutOff) -> Recomputed:
    """Return inventory and data code of a prepared period."""
    start, end = prepared.period
    inventory = build_inventory(
        prepared.plan,
        prepared.activity,
        methods=packages.methods,
        factor_sets=packages.factor_sets,
        start_ms=start,
        end_ms=end,
    )
    rows = {row["measurement"]: row for row in prepared.activity.completeness()}
    inputs = prepared.inputs
    scope = Scope(
        plan=prepared.plan,
        start=start,
        end=end,
        as_of=inputs.as_of,
        profile=profile,
        index=inputs.index,
        gaps=inputs.gaps,
        calibrations=inputs.calibrations,
        breaks=inputs.breaks,
        disowned=inputs.disowned,
        counted={name: SlotCounts(**{key: row[key] for key in _COUNTS}) for name, row in rows.items()},
        corrections=inputs.corrections,
        activity=prepared.activity,
        documents=inputs.documents,
        other_plan=inputs.other_plan,
        declared_percent=Decimal(inventory.shares()["declared_activity"]) * 100,
    )
    code = judge(scope)
    return Recomputed(
        plan=prepared.plan,
        activity=prepared.activity,
        inventory=inventory,
        code=code,
        quality_body=code.to_body(scope, plan_digest=prepared.plan_digest, cut_off=cut_off),
        completeness=[
            {"measurement": m["id"], "name": dict(m["name"]), **{key: rows[m["id"]][key] for key in _COUNTS}}
            for m in prepared.plan["measurements"]
        ],
        signer_classes=dict(inputs.signer_classes),
        corrections=correction_rows(inputs.corrections),
        declared_activity=declared_rows(prepared.plan, prepared.activity),
        downgrades=downgrade_rows(prepared.plan, prepared.activity),
    )


def find_plan(register: Sequence[LoggedStatement], plan_digest: bytes) -> dict[str, Any]:
    """Return the body of the monitoring plan statement with this digest.

    Raises:
        PlanUnusable: the register log holds no such plan, or its content is withheld.
    """
    for entry, content in disclosed(register, "monitoring_plan"):
        if entry.statement.digest == plan_digest:
            return content.body
    raise PlanUnusable("plan", f"{plan_digest.hex()[:16]} is not in the register log", "disclose the plan")


def _installation(register: Sequence[LoggedStatement], plan_digest: bytes) -> str:
    """Return the subject of the plan's statement."""
    found = (e.statement for e in register if e.statement.digest == plan_digest)
    return next(statement.header.subject for statement in found)


def pick_profile(packages: PackageSet, plan: Mapping[str, Any]) -> Profile:
    """Return the quality profile that a plan names, from its package."""
    name = plan["quality_profile"]
    if name not in packages.profiles:
        raise ProfileInvalid("quality_profile", f"no package of {name!s:.60}", "add the profile's package")
    return packages.profiles[name]


def profile_package(reference: str) -> dict[str, bytes]:
    """Return the files of a quality profile that comes with this room, as a package."""
    path = files("carbonseal_verifier.quality.profiles").joinpath(f"{reference}.toml")
    if "/" in reference or not path.is_file():
        raise ProfileInvalid("profile", f"no profile {reference!r:.60}", "use default@1")
    return {PROFILE_FILE: path.read_bytes()}


def _logged(index: int, raw: bytes, contents: Mapping[bytes, bytes]) -> LoggedStatement:
    statement = SignedStatement.parse(raw)
    data = contents.get(statement.payload)
    return LoggedStatement(index, statement, None if data is None else check_content(statement, data))


def _refuse_superseded(
    register: Sequence[LoggedStatement], plan_digest: bytes, period: tuple[int, int]
) -> None:
    """Refuse a plan that was taken back, or of which a later version is effective within the period.

    Otherwise whoever reports could choose, of all the plans ever filed, the one that looks best.
    """
    for kind, field in (("correction", "supersedes"), ("withdrawal", "withdraws")):
        if any(content.body[field] == plan_digest for _, content in disclosed(register, kind)):
            raise PlanUnusable("plan", f"was taken back by a {kind}", "compute under the plan that stands")
    used: dict[str, Any] | None = None
    for entry, content in disclosed(register, "monitoring_plan"):
        body, effective = content.body, content.body["effective"]
        if entry.statement.digest == plan_digest:
            used = body
        elif used is not None and body["plan"] == used["plan"]:
            overlaps = effective["start"] < period[1]
            overlaps = overlaps and (effective["end"] is None or effective["end"] > period[0])
            if overlaps:
                raise PlanUnusable(
                    "plan",
                    f"version {used['plan_version']} was followed by version {body['plan_version']} "
                    f"(entry {entry.index}), which is effective within the period",
                    "compute under the newest version, in parts where two are effective",
                )


def _refuse_idle_checks(plan: Mapping[str, Any]) -> None:
    """Refuse a cross-check that compares a measurement with itself: it would always agree."""
    for check in plan["cross_checks"]:
        used = [*(check[name] for name in _CHECK_INPUTS if name in check), *check.get("parts", ())]
        if len(set(used)) != len(used):
            raise PlanUnusable(
                f"cross-check {check['id']}", "compares a measurement with itself", "name two sources"
            )
