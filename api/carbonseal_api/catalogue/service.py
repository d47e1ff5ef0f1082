"""Packages of this distribution, and their publication in the registrar's register log.

A package counts once the registrar has published its digest with a `method` statement; `check` compares the
files in a bundle with it. Publishing the same package again changes nothing. Packages by upload come later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_accounting.method import Method
from carbonseal_accounting.packages import shipped
from carbonseal_api.assembly import Parts
from carbonseal_api.issuing import Issuer
from carbonseal_api.problems import NotFound
from carbonseal_api.quality.queries import results
from carbonseal_attest.contents import parse_content
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import parse_instant
from carbonseal_attest.packages import package_digest
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.log_host import LogHost
from carbonseal_verifier.grade_package import read_grade_rule, shipped_grade_rules
from carbonseal_verifier.recompute import profile_package

DEFAULT_PROFILE: Final = "default@1"
_MAX_PACKAGES: Final = 10_000
_EARLIEST: Final = "2000-01-01"  # from when factor sets and profiles hold: before any data that we take in


@dataclass(frozen=True, slots=True)
class Package:
    """A package: its kind as the `method` statement names it, and its files."""

    kind: str
    files: Mapping[str, bytes]


def shipped_packages(profile: str = DEFAULT_PROFILE) -> dict[str, Package]:
    """Return the packages of this distribution by ID@VERSION: all grade rules, and one quality profile."""
    made = {name: Package("method", files) for name, files in shipped("methods").items()}
    made |= {name: Package("factor_set", files) for name, files in shipped("factor_sets").items()}
    made |= {name: Package("grade_rule", files) for name, files in shipped_grade_rules().items()}
    return made | {profile: Package("quality_profile", profile_package(profile))}


def publish_packages(host: LogHost, desk: Issuer, origin: str, packages: Mapping[str, Package]) -> int:
    """Have the registrar's desk publish what its register log `origin` does not hold yet; return how many."""
    known = {(body["id"], body["package_digest"]) for body in _published(host, origin)}
    fresh = {n: p for n, p in packages.items() if (n, package_digest(p.files)) not in known}
    for name, package in fresh.items():
        start, end = _effective(package)
        body = {
            "id": name,
            "type": package.kind,
            "package_digest": package_digest(package.files),
            "status": "active",
            "effective": {"start": start, "end": end},
        }
        desk.issue(origin, "method", body)
    return len(fresh)


def files_for_plan(plan: Mapping[str, Any]) -> dict[str, Mapping[str, bytes]]:
    """Return the files that computing under a plan may need: its method, profile, and every factor set."""
    packages = shipped_packages(str(plan["quality_profile"]))
    needed = {"factor_set", "quality_profile"}
    return {n: p.files for n, p in packages.items() if p.kind in needed or n == plan["method"]}


def published_packages(parts: Parts) -> list[Mapping[str, Any]]:
    """Return the registrar's newest statement about each package, newest first: rows of the results."""
    parts.projections.refresh_log(f"{parts.settings.log_host_name}/{parts.registrar}/register")
    rows = results(parts.engine, parts.registrar, "method", limit=_MAX_PACKAGES)
    newest: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        newest.setdefault(row["body"]["id"], row)
    return list(newest.values())


def is_in_force(parts: Parts, name: str, digest: bytes, at: int) -> bool:
    """Whether the registrar published these very files of ID@VERSION, active, and in force at an instant."""
    for row in published_packages(parts):
        body = row["body"]
        if body["id"] == name:
            start, end = body["effective"]["start"], body["effective"]["end"]
            is_same = body["package_digest"] == digest.hex() and body["status"] == "active"
            return bool(is_same and start <= at and (end is None or at < end))
    return False


def package_files(names: Iterable[str]) -> dict[str, Mapping[str, bytes]]:
    """Return the files of the named packages: methods, factor sets and quality profiles of this distribution.

    Raises:
        NotFound: a package is not in this distribution.
    """
    known = {**shipped("methods"), **shipped("factor_sets")}
    found: dict[str, Mapping[str, bytes]] = {}
    for name in names:
        try:
            found[name] = known[name] if name in known else profile_package(name)
        except CarbonsealError as problem:
            raise NotFound(
                "packages", f"{name} is not known here", "ask the registrar for the package"
            ) from problem
    return found


def _effective(package: Package) -> tuple[int, int | None]:
    if package.kind == "grade_rule":
        return read_grade_rule(package.files).effective
    since = Method.from_files(package.files).effective[0] if package.kind == "method" else _EARLIEST
    return parse_instant(f"{since}T00:00:00Z"), None


def _published(host: LogHost, origin: str) -> list[dict[str, Any]]:
    digests = [SignedStatement.parse(e.raw).payload for e in host.select(origin, kinds={"method"})]
    return [parse_content(data).body for data in host.contents.get_many(digests).values()]
