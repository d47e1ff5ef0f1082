"""Whether the bytes of a public key are a point that a signature may be checked with.

Ed25519 (RFC 8032), P-256 (SP 800-186) and the SM2 curve (GM/T 0003.5). Refused are what is no point, points
of low order (under which one signature fits many messages) and coordinates at or above the prime (a second
spelling of the same key). P-256 and SM2 have prime order, so every point but infinity has full order, and
infinity has no coordinates. Nothing here touches a secret; no arithmetic here needs constant time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from carbonseal_attest.errors import KeyRefused

_ED25519_PRIME: Final = (1 << 255) - 19
_ED25519_D: Final = -121665 * pow(121666, -1, _ED25519_PRIME) % _ED25519_PRIME
# y-coordinates of the points of order 1, 2, 4 and 8 (RFC 8032 curve); 8-torsion has five distinct ones.
_LOW_ORDER_Y: Final = frozenset(
    {
        0,
        1,
        _ED25519_PRIME - 1,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    }
)


@dataclass(frozen=True, slots=True)
class ShortCurve:
    """A curve y² = x³ - 3x + b over a prime field, of prime order."""

    prime: int
    b: int
    order: int


P256: Final = ShortCurve(
    prime=(1 << 256) - (1 << 224) + (1 << 192) + (1 << 96) - 1,
    b=0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    order=0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
)
SM2P256: Final = ShortCurve(
    prime=(1 << 256) - (1 << 224) - (1 << 96) + (1 << 64) - 1,
    b=0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93,
    order=0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123,
)


def check_ed25519_point(raw: bytes) -> None:
    """Refuse 32 bytes that are no point, a point of low order, or not its one spelling."""
    y = int.from_bytes(raw, "little") & ((1 << 255) - 1)
    if y >= _ED25519_PRIME or y in _LOW_ORDER_Y:
        raise KeyRefused("key.x", "a low-order or non-canonical point", "make a new key pair")
    # Some x² = (y² - 1) / (d·y² + 1) must exist (RFC 8032 §5.1.3): Euler's criterion.
    u, v = y * y - 1, _ED25519_D * y * y + 1
    if pow(u * v, (_ED25519_PRIME - 1) // 2, _ED25519_PRIME) != 1:
        raise KeyRefused("key.x", "no point of the curve", "give the raw Ed25519 public key")


def check_short_curve_point(raw: bytes, curve: ShortCurve) -> None:
    """Refuse 64 bytes, x and y, that are no point of `curve` or not its one spelling."""
    x, y = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    remedy = "give x and y as the key pair has them"
    if x >= curve.prime or y >= curve.prime:
        raise KeyRefused("key.x", "a coordinate is at or above the prime", remedy)
    if (y * y - x * x * x + 3 * x - curve.b) % curve.prime:
        raise KeyRefused("key.y", "no point of the curve", remedy)
