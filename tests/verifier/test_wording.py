"""Numbers and their nouns, in reasons of steps and in messages of rules."""

from __future__ import annotations

import re

import pytest
from quality_scopes import START, STEP, ScopeBuilder

from carbonseal_verifier.cli import main
from carbonseal_verifier.quality.catalogue import load_catalogue
from carbonseal_verifier.wording import counted, fill, in_plural


@pytest.mark.parametrize(("count", "words"), [(0, "0 entries"), (1, "1 entry"), (2, "2 entries")])
def test_the_noun_follows_the_number(count, words):
    assert counted(count, "entry", "entries") == words


def test_a_template_chooses_the_word_that_fits():
    template = "{count:instant stands|instants stand} twice in {where}"
    assert fill(template, {"count": "1", "where": "a"}) == "1 instant stands twice in a"
    assert fill(template, {"count": "12", "where": "a"}) == "12 instants stand twice in a"
    assert in_plural(template) == "{count} instants stand twice in {where}"


def test_a_finding_about_one_reading_says_so_in_the_singular():
    times = [START + i * STEP for i in range(96)]
    builder = ScopeBuilder().point().readings([10 + i % 7 for i in range(97)], times=[*times, times[-1]])
    (found,) = builder.findings("duplicate")
    assert found.observed["en"].startswith("1 instant stands twice")


def test_no_message_of_the_catalogue_writes_a_plural_beside_a_bare_number():
    for rule in load_catalogue().values():
        for part in rule.message.values():
            assert not re.search(r"\{(count|runs|days|roll_overs|matched)\} [a-z]*s\b", part["en"]), rule.id


def test_explain_shows_messages_without_the_choice_of_words(capsys):
    assert main(["rules", "explain", "duplicate"]) == 0
    assert "{count} instants stand twice" in capsys.readouterr().out
