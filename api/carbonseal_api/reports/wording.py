"""The Chinese and English catalogue of the reports and pages: sentences are data, not code.

A missing sentence or language is refused when it is asked for, never replaced by the other language. This
module leaves out number formats: figures are printed as they stand in report.json, in both languages; shares
alone lose the zeros at their end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from carbonseal_api.problems import WordingMissing

LANGUAGES: Final = ("zh", "en")


@dataclass(frozen=True, slots=True)
class Wording:
    """The sentences of one language.

    Attributes:
        lang: `zh` or `en`.
        sentences: Key to sentence; placeholders in braces.
    """

    lang: str
    sentences: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """Return the sentence of a key, its placeholders filled.

        Raises:
            WordingMissing: The catalogue has no such key in this language.
        """
        sentence = self.sentences.get(key)
        if sentence is None:
            raise WordingMissing(
                f"{self.lang}.{key}", "no such sentence", "add it to the catalogue in both languages"
            )
        return sentence.format(**values) if values else sentence

    def has(self, key: str) -> bool:
        """Return whether the catalogue has the key."""
        return key in self.sentences

    def term(self, family: str, code: str) -> str:
        """Return the word for a code of a family (`state`, `severity`), or the code itself when unknown."""
        return self.sentences.get(f"{family}.{code}", code)

    def name(self, names: Any, fallback: str = "") -> str:
        """Return the name in this language from `{zh, en}`, a plain text, or the fallback.

        A name that exists in one language only is shown in that one: names are never translated.
        """
        if isinstance(names, str):
            return names
        if isinstance(names, Mapping):
            for lang in (self.lang, *LANGUAGES):
                if names.get(lang):
                    return str(names[lang])
        return fallback


@cache
def load_wording(lang: str, catalogue: str = "reports/wording.json") -> Wording:
    """Return the catalogue of one language.

    Args:
        lang: `zh` or `en`.
        catalogue: Path of the catalogue inside this package.

    Raises:
        WordingMissing: The language is not offered.
    """
    if lang not in LANGUAGES:
        raise WordingMissing("lang", f"{lang!r} is not offered", "ask for zh or en")
    text = resources.files("carbonseal_api").joinpath(catalogue).read_text(encoding="utf-8")
    pairs: dict[str, dict[str, str]] = json.loads(text)
    return Wording(lang, {key: pair[lang] for key, pair in pairs.items()})


def percentage(share: str) -> str:
    """Return a share in percent as people read it: no zeros at the end, and the sign."""
    return f"{bare_share(share)} %"


def bare_share(share: str) -> str:
    """Return a share in percent without zeros at its end, for a column whose head has the sign."""
    return share.rstrip("0").rstrip(".") if "." in share else share
