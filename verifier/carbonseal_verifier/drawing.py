"""Drawing a sample on a bundle, and drawing it again: the same inputs give everybody the same transcript.

The commitment travels in the transcript whole, with the proof that it stood in the body's log when the epoch
was closed, so that nobody can say afterwards what was committed to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import format_instant
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.case import Case
from carbonseal_verifier.commitment import KIND, Engagement, LoggedProof, check_commitment
from carbonseal_verifier.errors import SamplingRefused, TranscriptInvalid
from carbonseal_verifier.sample_block import STATED, DrawBlock, find_block
from carbonseal_verifier.sample_grid import Sample, samples_of
from carbonseal_verifier.sampling import Stratum, draw, nonce_digest, seed_of, stratum_seed
from carbonseal_verifier.statement_file import StatementFile
from carbonseal_verifier.transcript import FORMAT, Transcript, encode, malformed


def make_transcript(
    case: Case,
    engagement: Engagement,
    *,
    bundle_digest: bytes,
    anchor_block: int | None = None,
    block_hash: bytes | None = None,
) -> tuple[Transcript, DrawBlock]:
    """Draw, and return the transcript of the draw on one bundle, and the block that decided it.

    `bundle_digest` is the SHA-256 of the bundle's file; the rest as in `find_block`.

    Raises:
        SamplingRefused: commitment, nonce, block and bundle do not fit together.
        OpinionRefused: whoever signed the commitment has no role here, or is not independent.
    """
    commitment, statement = engagement.commitment.content.body, engagement.commitment.statement
    check_commitment(case, engagement.commitment)
    if nonce_digest(engagement.nonce) != commitment["nonce_digest"]:
        raise SamplingRefused(
            "nonce", "is not the one that was committed to", "give the nonce of this commitment"
        )
    block = find_block(
        case,
        epoch=commitment["epoch"],
        blocks_after=commitment["blocks_after"],
        anchor_block=anchor_block,
        block_hash=block_hash,
    )
    if engagement.logged is not None:
        engagement.logged.verify(case, statement, commitment["epoch"])
    strata = [Stratum(**row) for row in commitment["strata"]]
    seed = seed_of(engagement.nonce, block.block_hash, statement.digest)
    slots = draw(seed, strata)
    samples = {stratum.id: samples_of(case.prepared, stratum.id, slots[stratum.id]) for stratum in strata}
    value = {
        "format": FORMAT,
        "engagement": commitment["engagement"],
        "operator": case.operator.party,
        "report_digest": case.about.digest.hex(),
        "bundle_digest": bundle_digest.hex(),
        "plan_digest": case.prepared.plan_digest.hex(),
        "period": dict(zip(("start", "end"), map(format_instant, case.about.period), strict=True)),
        "commitment": {
            "statement_digest": statement.digest.hex(),
            "statement": statement.raw.hex(),
            "content": engagement.commitment.content_bytes.hex(),
            "logged": None if engagement.logged is None else engagement.logged.to_json(),
        },
        "nonce": engagement.nonce.hex(),
        "block": _block(block),
        "seed": seed.hex(),
        "strata": [_stratum(seed, stratum, samples[stratum.id]) for stratum in strata],
        "drawn": sum(map(len, samples.values())),
        "answered": sum(sample.is_answered for drawn in samples.values() for sample in drawn),
    }
    return Transcript(encode(value), value), block


def redraw(case: Case, transcript: Transcript, *, bundle_digest: bytes) -> DrawBlock:
    """Draw again from what a transcript names; the result must be the same bytes. Returns the block.

    Raises:
        TranscriptInvalid: the transcript is another one, of another bundle, or names what cannot be read.
        SamplingRefused, OpinionRefused: commitment, nonce, block and bundle do not fit together.
    """
    value = transcript.value
    if value["bundle_digest"] != bundle_digest.hex():
        raise TranscriptInvalid(
            "bundle_digest",
            "the transcript was made on another bundle",
            "take the bundle that it was made on",
        )
    block = value["block"]
    stated_block = block["anchor_block"] if block["anchor_block_from"] == STATED else None
    stated_hash = bytes.fromhex(block["block_hash"]) if block["hash_from"] == STATED else None
    again, drawn_from = make_transcript(
        case,
        _engagement(value),
        bundle_digest=bundle_digest,
        anchor_block=stated_block,
        block_hash=stated_hash,
    )
    if again.data != transcript.data:
        raise malformed("transcript", f"drawing again gives another {_first_difference(value, again.value)}")
    return drawn_from


def _engagement(value: Mapping[str, Any]) -> Engagement:
    given = value["commitment"]
    try:
        statement = SignedStatement.parse(bytes.fromhex(given["statement"]))
        file = StatementFile.of(statement, bytes.fromhex(given["content"]))
        logged = given["logged"]
        proof = None if logged is None else LoggedProof.from_json(statement.header.origin, logged)
    except (CarbonsealError, KeyError, TypeError, ValueError) as error:
        reason = (
            error.reason if isinstance(error, CarbonsealError) else "holds something else than hexadecimal"
        )
        raise malformed("commitment", reason) from error
    if file.content.kind != KIND:
        raise malformed("commitment", f"is a {file.content.kind}")
    return Engagement(file, bytes.fromhex(value["nonce"]), proof)


def _block(block: DrawBlock) -> dict[str, Any]:
    return {
        "epoch": block.epoch,
        "anchored_at": None if block.anchored_at is None else format_instant(block.anchored_at),
        "anchor_block": block.anchor_block,
        "anchor_block_from": block.anchor_block_from,
        "blocks_after": block.blocks_after,
        "block": block.number,
        "block_hash": block.block_hash.hex(),
        "hash_from": block.hash_from,
    }


def _stratum(seed: bytes, stratum: Stratum, samples: list[Sample]) -> dict[str, Any]:
    return {
        "id": stratum.id,
        "expected": stratum.expected,
        "sample_size": stratum.sample_size,
        "seed": stratum_seed(seed, stratum).hex(),
        "samples": [
            {
                "slot": sample.slot,
                "start": format_instant(sample.start),
                "end": format_instant(sample.end),
                "state": sample.state,
                "is_answered": sample.is_answered,
                "value": sample.value,
                "quality": sample.quality,
                "statement_digest": None if sample.digest is None else sample.digest.hex(),
            }
            for sample in samples
        ],
    }


def _first_difference(found: Mapping[str, Any], again: Mapping[str, Any]) -> str:
    return next((key for key in sorted(again) if found.get(key) != again[key]), "spelling")
