"""Asks `carbonseal_api.bundles` for the evidence bundle of filed reports, from what this service holds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.bundles.service import BundleRequest, build_bundle, write
from carbonseal_api.catalogue.service import package_files
from carbonseal_api.evidence.queries import document
from carbonseal_api.problems import ApiError, RequestInvalid
from carbonseal_api.quality.queries import result_by_digest, results
from carbonseal_api.reports.report_json import parse_report
from carbonseal_api.reports.service import report_json
from carbonseal_attest.bundle_layout import BundledReport
from carbonseal_attest.errors import AnchorInvalid
from carbonseal_attest.instants import parse_instant
from carbonseal_ledger.anchoring import AnchorNotReady
from carbonseal_ledger.chain_answers import ChainRefused

_IN_MEMORY: Final = 8 << 20  # bytes of a bundle that are kept off the disk
_PIECE: Final = 1 << 20  # bytes sent at a time


class BlockUnusable(ApiError):
    """The block that a reader trusts does not exist yet, or the report's anchor is not in it."""

    code = "block-unusable"
    status = 409


def bundle_file(
    parts: Parts, party: str, digests: Sequence[bytes], trusted_block: int | None = None
) -> IO[bytes]:
    """Return a temporary file with the evidence bundle of filed reports, as the ledger stands now.

    Its anchor is proved up to the block with the number `trusted_block`, which the reader's trust file names;
    by default up to the newest final one. Whoever takes the file closes it.

    Raises:
        NotFound: No such report, its report.json is not kept here, or a package it names is not known here.
        RequestInvalid: A block is named and nothing is anchored here.
        BlockUnusable: The block named does not exist, or a report was not anchored yet in it.
    """
    name = parts.settings.log_host_name
    reports, packages = [], set()
    for digest in dict.fromkeys(digests):
        data = report_json(parts, party, digest)
        content = parse_report(data)
        start, end = (parse_instant(content["period"][key]) for key in ("start", "end"))
        zone, pdf = content["period"]["time_zone"], filed_pdf(parts, party, digest)
        reports.append(BundledReport(digest, (start, end), zone, data, pdf))
        packages |= {f"{p['id']}@{p['version']}" for p in content["method"]["packages"]}
    parties = {party, parts.registrar, parts.host_party}
    request = BundleRequest(
        operator=party,
        registrar=parts.registrar,
        log_host=parts.host_party,
        register_origin=f"{name}/{party}/register",
        data_origin=f"{name}/{party}/data",
        registers=tuple(sorted(f"{name}/{one}/register" for one in parties if one != party)),
        reports=tuple(reports),
        packages=package_files(sorted(packages)),
        anchor=_evidence(parts, party, [report.digest for report in reports], trusted_block),
        cosigners=() if parts.witnesses is None else tuple(parts.witnesses.policy.witnesses.values()),
    )
    out = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the caller closes it
    try:
        write(build_bundle(parts.host, request), out)
        out.seek(0)
    except BaseException:
        out.close()
        raise
    return out


def bundle_bytes(parts: Parts, party: str, digest: bytes, trusted_block: int | None = None) -> bytes:
    """Return the bytes of the evidence bundle of one filed report; see `bundle_file`."""
    with bundle_file(parts, party, [digest], trusted_block) as file:
        return file.read()


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Yield a file's bytes piece by piece, and close it."""
    with file:
        while piece := file.read(_PIECE):
            yield piece


def _evidence(parts: Parts, party: str, digests: Sequence[bytes], trusted_block: int | None) -> bytes | None:
    if trusted_block is None:
        return None if parts.anchors is None else parts.anchors.evidence()
    if parts.anchors is None:
        raise RequestInvalid("trusted_block", "nothing is anchored on a chain here", "leave it away")
    rows = [result_by_digest(parts.engine, party, digest) for digest in digests]
    origin = f"{parts.settings.log_host_name}/{party}/data"
    last = max((row["entry_index"] for row in rows if row is not None), default=None)
    epoch = None if last is None else parts.host.epoch_covering(origin, last + 1)
    covering = None if epoch is None else epoch.tree_size
    try:
        return parts.anchors.evidence(covering, trusted_block=trusted_block)
    except (AnchorInvalid, AnchorNotReady, ChainRefused) as problem:
        raise BlockUnusable(
            "trusted_block",
            f"no evidence ends in block {trusted_block} ({problem.reason})",
            "name a final block, the one of the report's anchor or a later one",
        ) from problem


def filed_pdf(parts: Parts, party: str, digest: bytes) -> bytes | None:
    """Return the PDF that a `document` statement relates to the report, where its owner keeps it here."""
    for row in results(parts.engine, party, "document"):
        body = row["body"]
        if body["media_type"] == "application/pdf" and digest.hex() in body["relates_to"]:
            stored = document(parts.engine, party, bytes.fromhex(body["document_digest"]))
            if stored is not None:
                return bytes(stored["data"])
    return None
