"""Foreign texts (status words, file names, an answer's reason) made fit for a content: visible and short."""

from __future__ import annotations

from carbonseal_attest.identifiers import is_plain_text


def as_plain_text(text: str, limit: int) -> str:
    """At most `limit` characters of `text`, with a question mark for each that a reader cannot see."""
    return "".join(c if is_plain_text(c) else "?" for c in text[:limit])


def counted(number: int, word: str) -> str:
    """A number and its noun: `1 meter`, `2 meters`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
