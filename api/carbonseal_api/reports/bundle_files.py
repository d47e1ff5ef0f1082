"""Asks `carbonseal_api.bundles` for the evidence bundle of a filed report, from what this service holds."""

from __future__ import annotations

import io

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


class BlockUnusable(ApiError):
    """The block that a reader trusts does not exist yet, or the report's anchor is not in it."""

    code = "block-unusable"
    status = 409


def bundle_bytes(parts: Parts, party: str, digest: bytes, trusted_block: int | None = None) -> bytes:
    """Return the evidence bundle of a filed report as the ledger stands now.

    Its anchor is proved up to the block with the number `trusted_block`, which the reader's trust file names;
    by default up to the newest final one.

    Raises:
        NotFound: No such report, its report.json is not kept here, or a package it names is not known here.
        RequestInvalid: A block is named and nothing is anchored here.
        BlockUnusable: The block named does not exist, or the report was not anchored yet in it.
    """
    data = report_json(parts, party, digest)
    content = parse_report(data)
    name = parts.settings.log_host_name
    start, end = (parse_instant(content["period"][key]) for key in ("start", "end"))
    zone = content["period"]["time_zone"]
    parties = {party, parts.registrar, parts.host_party}
    register = f"{name}/{party}/register"
    request = BundleRequest(
        operator=party,
        registrar=parts.registrar,
        log_host=parts.host_party,
        register_origin=register,
        data_origin=f"{name}/{party}/data",
        registers=tuple(sorted(f"{name}/{one}/register" for one in parties if one != party)),
        reports=(BundledReport(digest, (start, end), zone, data, filed_pdf(parts, party, digest)),),
        packages=package_files([f"{p['id']}@{p['version']}" for p in content["method"]["packages"]]),
        anchor=_evidence(parts, party, digest, trusted_block),
    )
    buffer = io.BytesIO()
    write(build_bundle(parts.host, request), buffer)
    return buffer.getvalue()


def _evidence(parts: Parts, party: str, digest: bytes, trusted_block: int | None) -> bytes | None:
    if trusted_block is None:
        return None if parts.anchors is None else parts.anchors.evidence()
    if parts.anchors is None:
        raise RequestInvalid("trusted_block", "nothing is anchored on a chain here", "leave it away")
    row = result_by_digest(parts.engine, party, digest)
    origin = f"{parts.settings.log_host_name}/{party}/data"
    epoch = None if row is None else parts.host.epoch_covering(origin, row["entry_index"] + 1)
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
