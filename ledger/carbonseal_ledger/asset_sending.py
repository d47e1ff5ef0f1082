"""Carry a signed transaction of an act to the chain: send it, look for it, send it again, replace it.

A raw transaction is stored with its nonce before it is sent, and only ever the stored bytes are sent; what
was signed is sent until its nonce is used up, because a nonce that is left out would hold up every later one.
One that stays unmined is replaced under the same nonce with both fees raised. It leaves out what an act needs
next (`asset_machine`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from carbonseal_attest.instants import Clock
from carbonseal_ledger.asset_journal import AssetJournal, Unsigned
from carbonseal_ledger.asset_models import AssetAct, AssetTransaction, Leg
from carbonseal_ledger.carbon_assets import CarbonAssetsClient
from carbonseal_ledger.chain_answers import ChainRefused, Fees, TxReceipt
from carbonseal_ledger.chain_client import ChainAccount
from carbonseal_ledger.chain_fees import FeeLimits, is_nonce_used, is_too_cheap, replacement_fees
from carbonseal_ledger.errors import LedgerError

MAX_ATTEMPTS = 5  # nonces that one act may use up without success


class MemberKeyMissing(LedgerError):
    """Nobody here has the key of the member who has to sign."""

    code = "asset-member-key-missing"


@dataclass(frozen=True)
class Members:
    """The accounts whose keys are here, each with a nonce of its own.

    Attributes:
        admin: founds the contract, admits members, grants roles.
        registrar: confirms, and freezes.
        registrar_party: code of the registrar's party.
        holders: by party code, who proposes for the party; read anew each time.
        second_registrar: proposes cancellations and releases for which no holder's key is here.
    """

    admin: ChainAccount
    registrar: ChainAccount
    registrar_party: str
    holders: Mapping[str, ChainAccount] = field(default_factory=dict)
    second_registrar: ChainAccount | None = None

    def account(self, address: bytes) -> ChainAccount:
        """Return the account of an address.

        Raises:
            MemberKeyMissing: its key is not here.
        """
        for account in (self.admin, self.registrar, self.second_registrar, *self.holders.values()):
            if account is not None and account.address == address:
                return account
        reason = f"the key of 0x{address.hex()} is not here"
        raise MemberKeyMissing("member", reason, "put it into the key folder, or act where it is")


class Sender:
    """Sends what acts need."""

    def __init__(
        self,
        journal: AssetJournal,
        client: CarbonAssetsClient,
        clock: Clock,
        limits: FeeLimits,
        members: Members,
    ) -> None:
        self._journal = journal
        self._client = client
        self._clock = clock
        self._limits = limits
        self._members = members

    def sign(self, act: AssetAct, leg: Leg, call: Unsigned) -> AssetAct | None:
        """Sign and store a leg's transaction; None when it costs more than is paid."""
        account = self._account(act, leg)
        fees = self._affordable(act, self._client.suggest_fees())
        if fees is None:
            return None
        return self._journal.sign(
            act,
            leg,
            account.address,
            call,
            first_nonce=lambda: self._client.transaction_count(account.address),
            sign=lambda nonce: self._client.sign(
                account, call.to, call.data, nonce=nonce, fees=fees, gas=call.gas
            ),
            address=account.contract_address_for,
        )

    def send(self, act: AssetAct, leg: Leg) -> AssetAct | None:
        """Send the stored transaction of a leg; the very same bytes each time."""
        transaction = self._journal.transactions(act, leg)[0]
        try:
            self._client.send(transaction.raw)
        except ChainRefused as refusal:
            if is_nonce_used(refusal.reason):
                if self.find_mined(act, leg) is not None:
                    return self._journal.sent(act, transaction)
                # Somebody else who has this key has used the nonce, or an older copy of this journal did.
                return self.retry(act, leg, refusal.reason)
            if is_too_cheap(refusal.reason):
                return self._replace(act, leg, transaction, None)
            self._journal.complain(act, refusal.reason)
            return None
        return self._journal.sent(act, transaction)

    def find_mined(self, act: AssetAct, leg: Leg) -> tuple[bytes, TxReceipt] | None:
        """Return which of a leg's transactions the present chain holds, and where; any may have won."""
        for transaction in self._journal.transactions(act, leg):
            tx_receipt = self._client.tx_receipt(transaction.transaction_hash)
            if tx_receipt is not None:
                return transaction.transaction_hash, tx_receipt
        return None

    def is_known(self, act: AssetAct, leg: Leg) -> bool:
        """Whether the node has a leg's newest transaction, mined or waiting."""
        return self._client.knows(self._journal.transactions(act, leg)[0].transaction_hash)

    def wait(self, act: AssetAct, leg: Leg, fresh: Callable[[], bytes | None]) -> AssetAct | None:
        """Send what the node has forgotten again, and replace what nobody mines.

        `fresh` makes the call anew for a replacement; None keeps it as it was.
        """
        transaction = self._journal.transactions(act, leg)[0]
        if not self._client.knows(transaction.transaction_hash):
            # A restarted node, or one after a reorganisation.
            return self.send(act, leg)
        waiting_since = transaction.sent_at if transaction.sent_at is not None else act.changed_at
        if self._clock() - waiting_since < self._limits.replace_after_ms:
            return None
        return self._replace(act, leg, transaction, fresh())

    def retry(self, act: AssetAct, leg: Leg, problem: str) -> AssetAct:
        """Do a leg anew whose nonce was used up without success."""
        account = self._account(act, leg)
        next_nonce = self._client.transaction_count(account.address)
        return self._journal.retry(act, leg, problem, next_nonce=next_nonce, most=MAX_ATTEMPTS)

    def _replace(
        self, act: AssetAct, leg: Leg, transaction: AssetTransaction, data: bytes | None
    ) -> AssetAct | None:
        account = self._account(act, leg)
        suggested = self._client.suggest_fees()
        fees = self._affordable(
            act, replacement_fees(transaction.max_fee_wei, transaction.max_priority_fee_wei, suggested)
        )
        if fees is None:
            return None
        call = Unsigned(self._client.known_contract, data or transaction.data, transaction.gas)
        signed = self._client.sign(
            account, call.to, call.data, nonce=transaction.nonce, fees=fees, gas=call.gas
        )
        return self._journal.replace(act, leg, account.address, call, signed)

    def _account(self, act: AssetAct, leg: Leg) -> ChainAccount:
        address = act.proposer if leg == Leg.PROPOSAL else act.confirmer
        return self._members.account(address or act.confirmer)

    def _affordable(self, act: AssetAct, fees: Fees) -> Fees | None:
        problem = self._limits.objection(fees)
        if problem is None:
            return fees
        self._journal.complain(act, problem)
        return None
