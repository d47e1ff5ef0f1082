"""Fetch, check and keep offline evidence of final anchors.

Nodes forget the proofs of old blocks, so evidence is taken when a head becomes final and stored. Before that
it is checked with the very code that a relying party runs. It leaves out when to fetch (`anchoring`) and
whether anybody else trusts the block (the trust file).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from carbonseal_attest import cbor
from carbonseal_attest.anchor import (
    MAX_EVIDENCE_SIZE,
    AnchoredHead,
    AnchorEvidence,
    storage_slots,
    verify_anchor_evidence,
)
from carbonseal_attest.chain_profile import EVM_RLP, ChainProfile, HeadKey, TrustedBlock
from carbonseal_attest.evm_proof import parse_header
from carbonseal_attest.instants import Clock
from carbonseal_ledger.anchoring_models import FinalHead, StoredEvidence
from carbonseal_ledger.chain_answers import StateProof
from carbonseal_ledger.log_anchor import CODE_HASH, LOGS_SLOT, LogAnchorClient


class EvidenceKeeper:
    """Evidence of one log in one contract."""

    def __init__(
        self, engine: Engine, chain: LogAnchorClient, clock: Clock, *, contract: bytes, log_id: bytes
    ) -> None:
        self._engine = engine
        self._chain = chain
        self._clock = clock
        self._contract = contract
        self._log_id = log_id
        self._key = {"chain_id": chain.chain_id, "contract": contract, "log_id": log_id}

    def fetch(self, final_block: int, trusted_block: int, *, scan_from: Callable[[], int]) -> AnchorEvidence:
        """Return evidence at `final_block`, with headers up to `trusted_block`, checked as a stranger would.

        Heads are read from blocks since the newest final head that is kept; without one, since `scan_from()`.

        Raises:
            AnchorInvalid: what the node answers does not hold together.
            HeaderNotReproducible, ChainRefused: this chain or node gives no offline evidence.
        """
        proof = self._chain.state_proof(self._contract, storage_slots(self._log_id, LOGS_SLOT), final_block)
        headers = tuple(self._chain.header(number)[1] for number in range(final_block, trusted_block + 1))
        evidence = self._evidence(headers, proof, self._heads(final_block, scan_from))
        verify_anchor_evidence(evidence, profile=self.profile(evidence, source="this ledger"))
        return evidence

    def profile(self, evidence: AnchorEvidence, *, source: str) -> ChainProfile:
        """Return what a trust file says that trusts the last block of the evidence."""
        last = parse_header(evidence.headers[-1], header_profile=EVM_RLP)
        return ChainProfile(
            chain_id=evidence.chain_id,
            header_profile=EVM_RLP,
            contract=self._contract,
            code_hash=CODE_HASH,
            log_id=self._log_id,
            slot=LOGS_SLOT,
            head_keys=(HeadKey(self._chain.head_address, 0, None),),
            trusted_blocks=(TrustedBlock(last.number, last.block_hash, source),),
        )

    def keep(self, evidence: AnchorEvidence) -> None:
        """Store the proofs of evidence under the size of its last head, once; its heads are kept already."""
        first = parse_header(evidence.headers[0], header_profile=EVM_RLP)
        storage = [list(proof) for proof in evidence.storage_proofs]
        row = self._key | {
            "tree_size": evidence.heads[-1].tree_size,
            "block_number": first.number,
            "proofs": cbor.encode([list(evidence.headers), list(evidence.account_proof), storage]),
            "stored_at": self._clock(),
        }
        with Session(self._engine) as session, session.begin():
            session.execute(insert(StoredEvidence).values(row).on_conflict_do_nothing())

    def has(self, tree_size: int) -> bool:
        """Whether evidence is kept that covers a size."""
        query = select(StoredEvidence.tree_size).filter_by(**self._key)
        with Session(self._engine) as session:
            return session.scalars(query.where(StoredEvidence.tree_size >= tree_size)).first() is not None

    def kept(self, tree_size: int) -> AnchorEvidence | None:
        """Return the oldest evidence kept that covers a size."""
        query = select(StoredEvidence).filter_by(**self._key).where(StoredEvidence.tree_size >= tree_size)
        with Session(self._engine) as session:
            row = session.scalars(query.order_by(StoredEvidence.tree_size).limit(1)).first()
            if row is None:
                return None
            headers, account_proof, storage_proofs = cbor.decode(row.proofs, max_size=MAX_EVIDENCE_SIZE)
            return self._evidence(
                headers,
                StateProof(tuple(account_proof), tuple(tuple(proof) for proof in storage_proofs)),
                tuple(_head(kept) for kept in self._kept_heads(session, row.block_number)),
            )

    def kept_heads(self) -> tuple[tuple[AnchoredHead, ...], int]:
        """Return the final heads that are kept, oldest first, and the block after the newest one's."""
        with Session(self._engine) as session:
            query = select(FinalHead).filter_by(**self._key).order_by(FinalHead.tree_size)
            rows = list(session.scalars(query))
            return tuple(map(_head, rows)), rows[-1].block_number + 1 if rows else 0

    def _evidence(
        self, headers: Sequence[bytes], proof: StateProof, heads: tuple[AnchoredHead, ...]
    ) -> AnchorEvidence:
        return AnchorEvidence(
            chain_id=self._chain.chain_id,
            contract=self._contract,
            log_id=self._log_id,
            headers=tuple(headers),
            account_proof=proof.account_proof,
            storage_proofs=proof.storage_proofs,
            heads=heads,
        )

    def _kept_heads(self, session: Session, final_block: int) -> list[FinalHead]:
        query = select(FinalHead).filter_by(**self._key).where(FinalHead.block_number <= final_block)
        return list(session.scalars(query.order_by(FinalHead.tree_size)))

    def _heads(self, final_block: int, scan_from: Callable[[], int]) -> tuple[AnchoredHead, ...]:
        """Return all heads up to a final block: those kept, and newer ones, which are then kept."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            kept = self._kept_heads(session, final_block)
            start = kept[-1].block_number + 1 if kept else scan_from()
            found = self._chain.heads_between(self._contract, self._log_id, start, final_block + 1)
            for mined in found:
                head = mined.head
                row = self._key | {
                    "tree_size": head.tree_size,
                    "root_hash": head.root_hash,
                    "anchored_at": head.anchored_at,
                    "block_number": mined.block.number,
                }
                session.execute(insert(FinalHead).values(row).on_conflict_do_nothing())
        return (*map(_head, kept), *(mined.head for mined in found))


def _head(row: FinalHead) -> AnchoredHead:
    return AnchoredHead(row.tree_size, row.root_hash, row.anchored_at)
