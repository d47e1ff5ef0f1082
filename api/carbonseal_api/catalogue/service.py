"""Packages of this distribution, and their publication in the registrar's register log.

A package counts once the registrar has published its digest with a `method` statement; `check` compares the
files in a bundle with it. Publishing the same package again changes nothing. Packages by upload come later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_accounting.method import Method
from carbonseal_accounting.packages import package_digest, shipped
from carbonseal_api.issuing import Issuer
from carbonseal_api.problems import NotFound
from carbonseal_attest.contents import parse_content
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import parse_instant
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.log_host import LogHost
from carbonseal_verifier.recompute import profile_package

DEFAULT_PROFILE: Final = "default@1"
_EARLIEST: Final = "2000-01-01"  # from when factor sets and profiles hold: before any data that we take in


@dataclass(frozen=True, slots=True)
class Package:
    """A package: its kind as the `method` statement names it, and its files."""

    kind: str
    files: Mapping[str, bytes]


def shipped_packages(profile: str = DEFAULT_PROFILE) -> dict[str, Package]:
    """Return the packages of this distribution by ID@VERSION, with one quality profile."""
    made = {name: Package("method", files) for name, files in shipped("methods").items()}
    made |= {name: Package("factor_set", files) for name, files in shipped("factor_sets").items()}
    return made | {profile: Package("quality_profile", profile_package(profile))}


def publish_packages(host: LogHost, desk: Issuer, origin: str, packages: Mapping[str, Package]) -> int:
    """Have the registrar's desk publish what its register log `origin` does not hold yet; return how many."""
    known = {(body["id"], body["package_digest"]) for body in _published(host, origin)}
    fresh = {n: p for n, p in packages.items() if (n, package_digest(p.files)) not in known}
    for name, package in fresh.items():
        since = Method.from_files(package.files).effective[0] if package.kind == "method" else _EARLIEST
        body = {
            "id": name,
            "type": package.kind,
            "package_digest": package_digest(package.files),
            "status": "active",
            "effective": {"start": parse_instant(f"{since}T00:00:00Z"), "end": None},
        }
        desk.issue(origin, "method", body)
    return len(fresh)


def files_for_plan(plan: Mapping[str, Any]) -> dict[str, Mapping[str, bytes]]:
    """Return the files that computing under a plan may need: its method, profile, and every factor set."""
    packages = shipped_packages(str(plan["quality_profile"]))
    return {n: p.files for n, p in packages.items() if p.kind != "method" or n == plan["method"]}


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


def _published(host: LogHost, origin: str) -> list[dict[str, Any]]:
    digests = [SignedStatement.parse(e.raw).payload for e in host.select(origin, kinds={"method"})]
    return [parse_content(data).body for data in host.contents.get_many(digests).values()]
