"""The demo's verification body: it commits to a sample, draws it after the anchor, recomputes, opines.

It works with the verifier's own functions. Its key, its nonce and what it signed lie where no part of the
service looks; what it sends goes over HTTP into its own log.
"""

from __future__ import annotations

import hashlib
import io
import secrets
from typing import Final

from carbonseal_api.demo.report_stretch import trust_file
from carbonseal_api.demo.scene import Filed, Scene
from carbonseal_api.demo.settling import settle, tell_statement
from carbonseal_api.reports.bundle_files import bundle_bytes
from carbonseal_attest.anchor import AnchorEvidence
from carbonseal_attest.bundle_reading import read_bundle
from carbonseal_attest.epoch import MapProof
from carbonseal_attest.identifiers import opaque_code
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.trust import TrustFile
from carbonseal_verifier.body_desk import BodyDesk, log_host_of, verify_receipt
from carbonseal_verifier.check import examine
from carbonseal_verifier.commitment import Engagement, LoggedProof
from carbonseal_verifier.drawing import make_transcript
from carbonseal_verifier.examined import Examined
from carbonseal_verifier.outbox import Outbox
from carbonseal_verifier.sample_grid import strata_of
from carbonseal_verifier.sampling import NONCE_SIZE, nonce_digest
from carbonseal_verifier.service_client import ServiceClient
from carbonseal_verifier.statement_file import StatementFile
from carbonseal_verifier.transcript import Transcript
from carbonseal_verifier.verification import Wish, body_in, compose

BLOCKS_AFTER: Final = 1
COMMITMENT, REPORT = "sampling_commitment", "verification_report"


def opine(scene: Scene, filed: Filed) -> SignedStatement:
    """Have the body commit to a sample, draw it once the block is there, and sign and send its report."""
    body, parts, narrator = scene.cast.verification_body, scene.stage.parts, scene.narrator
    key = parts.keys.issue(body.facts.code, ["verification_body"], "demo")
    with (
        narrator.step("opinion") as told,
        ServiceClient(scene.stage.url, token=key) as service,
        Outbox(scene.stage.folder / "body") as outbox,
    ):
        first = _examined(filed.bundle_bytes, filed.trust, scene.clock())
        desk = BodyDesk(body.signer, outbox, first.case.trust, scene.clock, service)
        file, nonce = _commit(scene, desk, first)
        settle(scene)  # closes the epoch that the commitment names, and mines the blocks after its anchor
        transcript, fresh = _draw(scene, filed, service, file, nonce)
        facts = body_in(fresh, body.signer.public.kid)
        wish = Wish("unmodified", "reasonable", "5", None, transcript.value["engagement"])
        report = compose(fresh, facts, wish, [], transcript)
        signed = desk.sign(facts.data_origin, REPORT, report, party=facts.party, subject=report["operator"])
        desk.send(signed)
        told |= {"drawn": transcript.drawn, "answered": transcript.answered}
    settle(scene)
    tell_statement(scene, "opinion.signed", body.data_origin, signed.statement.digest)
    return signed.statement


def _commit(scene: Scene, desk: BodyDesk, examined: Examined) -> tuple[StatementFile, bytes]:
    case, body = examined.case, scene.cast.verification_body
    nonce = secrets.token_bytes(NONCE_SIZE)
    strata = strata_of(case.prepared, confidence="95", tolerable="5", sizes={})
    value = {
        "engagement": opaque_code("en", nonce_digest(nonce)),
        "report_digest": case.about.digest,
        "nonce_digest": nonce_digest(nonce),
        "strata": [{"id": s.id, "expected": s.expected, "sample_size": s.sample_size} for s in strata],
        "epoch": len(scene.stage.host.epochs()) + 1,
        "blocks_after": BLOCKS_AFTER,
    }
    subject = scene.cast.enterprise.facts.code
    file = desk.sign(body.data_origin, COMMITMENT, value, party=body.facts.code, subject=subject)
    desk.send(file)
    return file, nonce


def _draw(
    scene: Scene, filed: Filed, service: ServiceClient, file: StatementFile, nonce: bytes
) -> tuple[Transcript, Examined]:
    """Return the transcript of the draw, on a bundle whose evidence ends in the draw's block."""
    parts, epoch = scene.stage.parts, file.content.body["epoch"]
    anchored_in = service.epoch(epoch)["anchor"]["block_number"]
    data = bundle_bytes(
        parts, scene.cast.enterprise.facts.code, filed.report.report.digest, anchored_in + BLOCKS_AFTER
    )
    evidence = AnchorEvidence.from_cbor(read_bundle(io.BytesIO(data)).anchor or b"")
    examined = _examined(data, trust_file(scene, evidence, scene.clock()), scene.clock())
    origin = file.statement.header.origin
    head = MapProof.from_value(origin, service.map_proof(origin, epoch))
    receipt, _ = service.receipt(origin, file.statement.digest)
    index = verify_receipt(receipt, file.statement, log_host_of(examined.case.trust, origin)).index
    path = tuple(service.inclusion(origin, index, head.entry.tree_size))
    transcript, _ = make_transcript(
        examined.case,
        Engagement(file, nonce, LoggedProof(index, path, head)),
        bundle_digest=examined.bundle_digest,
        anchor_block=anchored_in,
    )
    return transcript, examined


def _examined(data: bytes, trust: bytes, at: int) -> Examined:
    result, (case,) = examine(io.BytesIO(data), trust=TrustFile.parse(trust), at=at)
    return Examined(result, case, hashlib.sha256(data).digest())
