"""Reads the fields of a vector: hex, base64, whole numbers, texts; what is missing or malformed is refused.

A vector that cannot be read says nothing about the code, so it refuses the file instead of counting as a
case.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from carbonseal_verifier.conformance.vector_file import refusal


class Fields:
    """The fields of one vector; `name` says in a refusal which vector it is."""

    def __init__(self, vector: Any, name: str) -> None:
        if not isinstance(vector, dict):
            raise refusal(name[:120], "not an object")
        self._vector = vector
        self.name = name

    def __contains__(self, key: str) -> bool:
        return key in self._vector

    def value(self, *keys: str) -> Any:
        """Return the first of `keys` that is there (suites rename fields between versions)."""
        for key in keys:
            if key in self._vector:
                return self._vector[key]
        raise self.refusal(keys[0], "is missing")

    def text(self, *keys: str, default: str | None = None) -> str:
        """Return a text."""
        if default is not None and not any(key in self._vector for key in keys):
            return default
        value = self.value(*keys)
        if not isinstance(value, str):
            raise self.refusal(keys[0], "not a text")
        return value

    def whole(self, *keys: str) -> int:
        """Return a whole number."""
        value = self.value(*keys)
        if type(value) is not int:
            raise self.refusal(keys[0], "not a whole number")
        return value

    def flag(self, key: str, *, default: bool | None = None) -> bool:
        """Return a boolean."""
        value = self._vector.get(key, default)
        if not isinstance(value, bool):
            raise self.refusal(key, "neither true nor false")
        return value

    def hex(self, *keys: str) -> bytes:
        """Return the bytes that a hex text writes."""
        return self._hex(self.text(*keys), keys[0])

    def hexes(self, *keys: str) -> list[bytes]:
        """Return the bytes of each hex text of an array."""
        return [self._hex(item, keys[0]) for item in self._texts(keys)]

    def texts(self, *keys: str) -> list[str]:
        """Return the texts of an array."""
        return self._texts(keys)

    def base64(self, *keys: str) -> bytes:
        """Return the bytes that a base64 text writes; of null, none."""
        value = self.value(*keys)
        return b"" if value is None else self._base64(value, keys[0])

    def base64s(self, *keys: str) -> list[bytes]:
        """Return the bytes of each base64 text of an array; of null, none."""
        if self.value(*keys) is None:
            return []
        return [self._base64(item, keys[0]) for item in self._texts(keys)]

    def items(self, *keys: str) -> list[Any]:
        """Return an array."""
        value = self.value(*keys)
        if not isinstance(value, list):
            raise self.refusal(keys[0], "not an array")
        return value

    def within(self, *keys: str) -> Fields:
        """Return the fields of an object inside."""
        return Fields(self.value(*keys), f"{self.name} {keys[0]}")

    def refusal(self, key: str, reason: str) -> Exception:
        """Return the refusal of a field."""
        return refusal(f"{self.name[:120]}: {key}", reason, "mend the vector file, or fetch it again")

    def _texts(self, keys: tuple[str, ...]) -> list[str]:
        items = self.items(*keys)
        if not all(isinstance(item, str) for item in items):
            raise self.refusal(keys[0], "not an array of texts")
        return items

    def _hex(self, text: str, key: str) -> bytes:
        try:
            return binascii.unhexlify(text.encode())
        except (ValueError, binascii.Error) as error:
            raise self.refusal(key, "not hex") from error

    def _base64(self, text: Any, key: str) -> bytes:
        try:
            return base64.b64decode(text, validate=True)
        except (ValueError, TypeError, binascii.Error) as error:
            raise self.refusal(key, "not base64") from error
