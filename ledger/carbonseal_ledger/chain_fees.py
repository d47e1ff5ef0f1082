"""What is paid for transactions, and when one that stays unmined is replaced.

A replacement raises both fee fields of EIP-1559, or the one gas price of a legacy chain, by at least 12.5 %,
the strictest node's least increase; with the nonce kept, only one of a transaction and its replacements can
ever be mined. It leaves out who sends what (the journals).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from carbonseal_ledger.chain_answers import Fees

REPLACE_AFTER_MS: Final = 180_000  # a transaction unmined for longer is replaced
MAX_FEE_WEI: Final = 10**13  # 10,000 gwei for one unit of gas: beyond it somebody must look
_TOO_CHEAP: Final = ("underpriced", "fee too low", "less than block base fee")  # geth, Besu, alloy
_RAISE_NUMERATOR, _RAISE_DENOMINATOR = 9, 8  # 12.5 %


@dataclass(frozen=True, slots=True)
class FeeLimits:
    """When to replace and how much to pay.

    Attributes:
        replace_after_ms: how long a sent transaction may stay unmined.
        max_fee_wei: the most that is ever offered for one unit of gas; a larger one lets a fee spike, or a
            lying node, burn the paying key's money.
    """

    replace_after_ms: int = REPLACE_AFTER_MS
    max_fee_wei: int = MAX_FEE_WEI

    def objection(self, fees: Fees) -> str | None:
        """Return why these fees are not paid, None when they are."""
        if fees.max_fee_wei <= self.max_fee_wei:
            return None
        return f"gas costs {fees.max_fee_wei} wei a unit, and the limit is {self.max_fee_wei}"


def replacement_fees(max_fee_wei: int, max_priority_fee_wei: int, suggested: Fees) -> Fees:
    """Return a replacement's fees: both raised by 12.5 % or more, and at least what the chain asks."""
    most = max(_raised(max_fee_wei), suggested.max_fee_wei)
    if suggested.is_legacy:
        return Fees(most, most, is_legacy=True)
    return Fees(most, max(_raised(max_priority_fee_wei), suggested.max_priority_fee_wei))


def is_too_cheap(reason: str) -> bool:
    """Whether a node's words mean that it wants higher fees."""
    return any(phrase in reason.lower() for phrase in _TOO_CHEAP)


def is_nonce_used(reason: str) -> bool:
    """Whether a node's words mean that a transaction with the nonce is in the chain already."""
    return "nonce" in reason.lower() and "low" in reason.lower()


def _raised(fee_wei: int) -> int:
    """Return the fee raised by 12.5 %, rounded up, and by at least 1 wei."""
    return max(fee_wei + 1, -(-fee_wei * _RAISE_NUMERATOR // _RAISE_DENOMINATOR))
