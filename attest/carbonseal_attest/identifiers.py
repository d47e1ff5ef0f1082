"""Codes and origins. Headers carry opaque codes only; names, credit codes and LEIs stay in contents.

Origins follow C2SP tlog-checkpoint (schema-less URL). The credit code is GB 32100-2015 (18 characters, the
last one a check character), the LEI ISO 17442 (20 characters, the last two check digits of ISO 7064 mod
97-10). No name holds `..` or an empty segment, so that none can climb out of a folder. Whether such a number
was ever given to anybody is left to its register.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from carbonseal_attest.errors import IdentifierInvalid

MAX_ORIGIN: Final = 120  # characters; it stands in every statement header
_ORIGIN: Final = re.compile(r"[a-z0-9][a-z0-9.-]*(/[a-z0-9][a-z0-9._-]*){1,6}")
_CODE: Final = re.compile(r"[a-z]{1,3}-[a-z0-9][a-z0-9-]{1,46}")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._/-]{0,79}")
# Controls, invisible formatting (a right-to-left override can show another name than it writes), line and
# paragraph separators, halves of surrogate pairs, private use and non-characters. Written out, since what a
# library calls printable changes with its edition of Unicode.
_NOT_PLAIN: Final = re.compile(
    "[\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f"
    "\u205f-\u206f\u3164\ud800-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U0001fffe\U0001ffff\U0002fffe\U0002ffff"
    "\U0003fffe-\U0010ffff]"
)
_LEI: Final = re.compile(r"[0-9A-Z]{18}[0-9]{2}")
_CREDIT: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100 leaves out I, O, S, V, Z


def check_origin(value: object, *, field: str = "origin") -> str:
    """Return `value` if it is a log origin such as `log.example.org/e-abc/data`."""
    if isinstance(value, str) and len(value) <= MAX_ORIGIN and _ORIGIN.fullmatch(value) and ".." not in value:
        for part in value.split("/"):
            _check_names_nobody(part, field)
        return value
    raise IdentifierInvalid(
        field, "not a log origin", "write host/party/log in lower case, at most 120 characters"
    )


def check_code(value: object, *, field: str = "code") -> str:
    """Return `value` if it is an opaque code: one to three letters, a dash, and up to 47 of [a-z0-9-].

    A credit code or LEI behind the dash is refused, whatever its case: that would name the firm.
    """
    if isinstance(value, str) and _CODE.fullmatch(value):
        _check_names_nobody(value, field)
        return value
    raise IdentifierInvalid(field, "not an opaque code", "write a prefix, a dash and lower-case characters")


def check_name(value: object, *, field: str = "name") -> str:
    """Return `value` if it is a short machine name (stream, point, measurement): [a-z0-9._/-], at most 80."""
    if isinstance(value, str) and _NAME.fullmatch(value) and ".." not in value and "//" not in value:
        return value
    raise IdentifierInvalid(
        field, "not a machine name", "write at most 80 of a-z, 0-9, dot, dash, underscore, slash"
    )


def is_plain_text(value: str) -> bool:
    """Say whether `value` holds only characters that a reader can see, and plain spaces.

    Refused are U+0000-001F, 007F-00A0, 00AD, 034F, 061C, 115F-1160, 17B4-17B5, 180B-180F, 200B-200F,
    2028-202F, 205F-206F, 3164, D800-F8FF, FDD0-FDEF, FE00-FE0F, FEFF, FFA0, FFF0-FFFF, 1BCA0-1BCA3,
    1D173-1D17A, 1FFFE-1FFFF, 2FFFE-2FFFF and everything from 3FFFE on.
    """
    return _NOT_PLAIN.search(value) is None


def opaque_code(prefix: str, material: bytes) -> str:
    """Return a code that says nothing about `material` to whoever doesn't know it (80 bits of SHA-256)."""
    digest = hashlib.sha256(b"carbonseal-code\x00" + prefix.encode() + b"\x00" + material).digest()
    return check_code(f"{prefix}-{base64.b32encode(digest[:10]).decode().lower()}")


def check_credit_code(value: object, *, field: str = "org") -> str:
    """Return `value` if it is an 18-character unified social credit code with a right check character."""
    if isinstance(value, str) and len(value) == 18 and set(value) <= set(_CREDIT):
        total = sum(_CREDIT.index(c) * pow(3, i, 31) for i, c in enumerate(value[:17]))
        if _CREDIT[(31 - total % 31) % 31] == value[17]:
            return value
        raise IdentifierInvalid(
            field, "check character is wrong", "copy the credit code again, all 18 characters"
        )
    raise IdentifierInvalid(
        field, "not a unified social credit code", "write 18 characters as GB 32100-2015 has them"
    )


def check_lei(value: object, *, field: str = "org") -> str:
    """Return `value` if it is a Legal Entity Identifier with right check digits."""
    if isinstance(value, str) and _LEI.fullmatch(value):
        # ISO 7064 mod 97-10 over digits, A = 10 … Z = 35; the check digits it makes run from 02 to 98.
        number = int("".join(str(int(c, 36)) for c in value))
        if number % 97 == 1 and 2 <= int(value[18:]) <= 98:
            return value
        raise IdentifierInvalid(field, "check digits are wrong", "copy the LEI again, all 20 characters")
    raise IdentifierInvalid(field, "not an LEI", "write 20 characters as ISO 17442 has them")


def check_org(value: object, *, field: str = "org") -> str:
    """Return `value` if it is a unified social credit code or, for a firm of another country, an LEI."""
    if isinstance(value, str) and len(value) == 18:
        return check_credit_code(value, field=field)
    if isinstance(value, str) and len(value) == 20:
        return check_lei(value, field=field)
    raise IdentifierInvalid(
        field,
        "neither a unified social credit code nor an LEI",
        "write the 18 characters of GB 32100-2015, outside China the 20 of ISO 17442",
    )


def _check_names_nobody(text: str, field: str) -> None:
    """Refuse a part of a header that is a credit code or LEI, whole or behind its first dash."""
    for part in (text, text.partition("-")[2]):
        if len(part) in {18, 20} and is_org(part.upper()):
            raise IdentifierInvalid(field, "names a legal person", "make the code of a key or at random")


def is_org(text: str) -> bool:
    """Say whether `text` is a credit code or an LEI with right check characters."""
    try:
        check_org(text)
    except IdentifierInvalid:
        return False
    return True
