"""A verification body in a small world of bundles: admitted, with its own logs, key file and outbox.

The body's data log stands in the same epochs as the others', so that a commitment can be proved in time; the
chain has blocks after the anchor, each a second younger, of which the trust file names the last.
"""

from __future__ import annotations

import copy
import hashlib
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bundle_factory import (
    END,
    HOUR,
    LOG_HOST,
    OPERATOR,
    REGISTRAR,
    MemoryLog,
    World,
    data,
    register,
    signer,
    to_bytes,
)
from chain_evidence import CHAIN_ID, CODE_HASH, CONTRACT, HEAD_KEY, SLOT, TestChain, Trie

from carbonseal_attest.anchor import AnchorEvidence, history_link, storage_slots
from carbonseal_attest.chain_profile import ChainProfile, TrustedBlock
from carbonseal_attest.endorsement import endorse
from carbonseal_attest.evm_proof import keccak256, rlp_encode, rlp_encode_uint
from carbonseal_attest.merkle import inclusion_path, leaf_hash, root_of
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.trust import format_trust_file
from carbonseal_verifier.check import examine
from carbonseal_verifier.commitment import KIND, Engagement, LoggedProof
from carbonseal_verifier.drawing import make_transcript
from carbonseal_verifier.examined import Examined
from carbonseal_verifier.sample_grid import strata_of
from carbonseal_verifier.sampling import nonce_digest
from carbonseal_verifier.statement_file import StatementFile
from carbonseal_verifier.transcript import Transcript

BODY = "v-body"
NONCE = bytes(range(32))
BLOCKS_AFTER = 3
FIRST_BLOCK = 10  # number of the anchor's block, the first header of the evidence


class LongChain(TestChain):
    """A chain whose evidence holds the anchor's block and those after it, a second apart."""

    __test__ = False
    blocks = BLOCKS_AFTER + 2
    first_shown = 0  # how many of them the evidence leaves out at its beginning

    def _headers(self, state_root: bytes) -> list[bytes]:
        headers: list[bytes] = []
        seconds = self.heads[-1].anchored_at // 1000
        for at in range(self.blocks):
            parent = keccak256(headers[-1]) if headers else bytes(32)
            headers.append(_header(parent, FIRST_BLOCK + at, state_root, seconds + at))
        return headers

    def evidence(self) -> AnchorEvidence:
        last, history = self.heads[-1], bytes(32)
        for head in self.heads:
            history = history_link(history, head)
        packed = (last.anchored_at // 1000).to_bytes(5, "big") + last.tree_size.to_bytes(7, "big") + HEAD_KEY
        slots = storage_slots(self.log_id, SLOT)
        words = dict(zip(slots, (packed, last.root_hash, history), strict=True))
        storage = Trie({slot: rlp_encode(word.lstrip(b"\0")) for slot, word in words.items()})
        account = rlp_encode([b"\x01", b"", storage.root, CODE_HASH])
        state = Trie({CONTRACT: account, b"another": rlp_encode([b"", b"\x01", bytes(32), bytes(32)])})
        return AnchorEvidence(
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            log_id=self.log_id,
            headers=tuple(self._headers(state.root)[self.first_shown :]),
            account_proof=state.prove(CONTRACT),
            storage_proofs=tuple(storage.prove(slot) for slot in slots),
            heads=tuple(self.heads),
        )

    def profile(self) -> ChainProfile:
        headers = self.evidence().headers
        number = FIRST_BLOCK + self.blocks - 1
        block = TrustedBlock(number, keccak256(headers[-1]), "made by the test")
        return replace(super().profile(), trusted_blocks=(block,))


def _header(parent: bytes, number: int, state_root: bytes, seconds: int) -> bytes:
    word, stamp, place = bytes(32), rlp_encode_uint(seconds), rlp_encode_uint(number)
    return rlp_encode([parent, word, bytes(20), state_root, word, word, bytes(256), b"", place, b"", b"",
                       stamp, b"", word, bytes(8)])  # fmt: skip


class BodyWorld(World):
    """A world with a verification body in it; `org` are credit codes by party, `roles` of the body."""

    def __init__(
        self,
        *,
        roles: tuple[str, ...] = ("verification_body",),
        org: Mapping[str, str] | None = None,
        body_key: str = BODY,
        **story: Any,
    ) -> None:
        super().__init__(**story)
        self.keys[BODY] = signer(body_key)
        self.body_roles, self.org = roles, dict(org or {})

    def found(self) -> BodyWorld:
        super().found()
        before = self.chain.heads
        self.chain = LongChain(self.chain.genesis_leaf, self.chain.opened_at)
        self.chain.heads = before
        for log in (register, data):
            self.genesis(log(BODY), BODY, BODY)
        if self.body_roles:
            self.admit_body()
        return self

    def admit_body(self, status: str = "admitted", *, rotated_to: str | None = None) -> None:
        """Have the registrar state anew who enterprise and body are; the body's key changes to another's."""
        for party, roles in ((OPERATOR, ("enterprise",)), (BODY, self.body_roles or ("bank",))):
            by = rotated_to if rotated_to is not None and party == BODY else party
            body: dict[str, Any] = {
                "party": party, "status": status if party == BODY else "admitted", "roles": list(roles),
                "key": self.keys[by].public.cose_key(), "register_origin": register(party),
                "data_origin": data(party), "endorsements": [],
                "name": {"zh": f"{party}名称", "en": f"name of {party}"}, "org": self.org.get(party),
            }  # fmt: skip
            if by != party:
                proofs = ((by, "party"), (party, "predecessor"))
                body["endorsements"] = [
                    endorse(self.keys[name], "party", party, role, body) for name, role in proofs
                ]
            self.add(register(REGISTRAR), REGISTRAR, "party", body, subject=party)

    def twin(self) -> BodyWorld:
        """A world with the same past, whose future is its own."""
        made = copy.copy(self)
        made.logs = {
            log.origin: MemoryLog(log.origin, list(log.entries), dict(log.streams))
            for log in self.logs.values()
        }
        made.contents, made.epochs = dict(self.contents), list(self.epochs)
        made.log_of_logs = list(self.log_of_logs)
        made.chain = copy.copy(self.chain)
        made.chain.heads = list(self.chain.heads)
        return made

    # -- sampling ----------------------------------------------------------------------------------

    def commit(
        self, *, sizes: Mapping[str, int] | None = None, by: str = BODY, **changes: Any
    ) -> StatementFile:
        """Log a commitment to the next epoch but one; `changes` go into its body."""
        examined = self.examined()
        strata = strata_of(examined.case.prepared, confidence="95", tolerable="5", sizes=sizes or {})
        body = {
            "engagement": "en-example", "report_digest": self.report.digest,
            "nonce_digest": nonce_digest(NONCE),
            "strata": [{"id": s.id, "expected": s.expected, "sample_size": s.sample_size} for s in strata],
            "epoch": len(self.epochs) + 1, "blocks_after": BLOCKS_AFTER, **changes,
        }  # fmt: skip
        statement = self.add(data(by), by, KIND, body, subject=OPERATOR)
        return StatementFile.of(statement, self.contents[statement.payload])

    def anchor(self) -> None:
        """Close and anchor the epoch that a commitment names."""
        self.now += HOUR
        self.close_epoch()

    def proof(self, file: StatementFile, epoch: int | None = None) -> LoggedProof:
        """The proof that a commitment stood in the body's log when its epoch was closed."""
        _, epoch_map = self.epochs[(epoch or file.content.body["epoch"]) - 1]
        origin = file.statement.header.origin
        head = epoch_map.prove(origin)
        entries = self.logs[origin].entries
        index = entries.index(file.statement.raw)
        leaves = [leaf_hash(raw) for raw in entries[: head.entry.tree_size]]

        def node(level: int, at: int) -> bytes:
            return root_of(leaves[at << level : (at + 1) << level])

        return LoggedProof(index, tuple(inclusion_path(index, len(leaves), node)), head)

    def drawn(self, file: StatementFile | None = None, **changes: Any) -> Transcript:
        """The transcript of a whole honest engagement, or of a given commitment."""
        if file is None:
            file = self.commit()
            self.anchor()
        logged = changes.pop("logged") if "logged" in changes else self.proof(file)
        engagement = Engagement(file, changes.pop("nonce", NONCE), logged)
        examined = changes.pop("examined", None) or self.examined()
        return make_transcript(examined.case, engagement, bundle_digest=examined.bundle_digest, **changes)[0]

    # -- handing over ------------------------------------------------------------------------------

    def bundle_bytes(self) -> bytes:
        """A bundle without the body's logs, as a report's bundle is."""
        made = self.bundle()
        for log in (register, data):
            del made.logs[log(BODY)], made.maps[log(BODY)]
        statements = [SignedStatement.parse(raw) for log in made.logs.values() for raw in log.entries]
        signed = {s.payload for s in (*statements, SignedStatement.parse(self.log_of_logs[0]))}
        made.contents = {digest: content for digest, content in made.contents.items() if digest in signed}
        return to_bytes(made)

    def examined(self, bundle: bytes | None = None, **changes: Any) -> Examined:
        """Check a bundle, this world's own by default, under this world's trust file."""
        raw = self.bundle_bytes() if bundle is None else bundle
        trust = self.trust(**changes)
        result, (case,) = examine(io.BytesIO(raw), trust=trust, at=self.now + HOUR)
        return Examined(result, case, hashlib.sha256(raw).digest())

    def write(self, folder: Path, **changes: Any) -> tuple[Path, Path]:
        """Write bundle and trust file; returns their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        bundle, trust = folder / "evidence.bundle", folder / "trust.toml"
        bundle.write_bytes(self.bundle_bytes())
        changed = self.trust(**changes)
        trust.write_text(format_trust_file(changed), encoding="utf-8")
        return bundle, trust


def verified(**story: Any) -> BodyWorld:
    """A world that has told its whole story, with a body admitted in it."""
    world = BodyWorld(**story).found()
    world.measure().file()
    return world


__all__ = ["BODY", "END", "LOG_HOST", "NONCE", "BodyWorld", "LongChain", "verified"]
