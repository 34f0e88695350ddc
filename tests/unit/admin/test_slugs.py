import re

import pytest

from lockgate.admin.slugs import make_slug, slugified


@pytest.mark.parametrize(
    "name, letters, start",
    [
        ("Research", 6, "ws-resear-"),
        ("A/B test!", 6, "ws-a-b-te-"),
        ("  Ümlaut  ", 6, "ws-umlaut-"),
        ("claude with fallback", 6, "ws-claude-"),
        ("abcde fgh", 6, "ws-abcde-"),
        ("Support reply", 10, "ws-support-re-"),
        ("日本", 6, "ws-"),
        ("", 6, "ws-"),
    ],
)
def test_a_slug_is_prefix_letters_and_six_digits(name, letters, start):
    assert re.fullmatch(re.escape(start) + "[0-9a-f]{6}", make_slug("ws-", name, letters))


def test_two_of_the_same_name_differ():
    assert make_slug("", "a") != make_slug("", "a")


def test_a_name_as_a_slug():
    assert slugified("Anthropic  Prod (EU)") == "anthropic-prod-eu"


@pytest.mark.parametrize(
    "name, slug",
    [
        ("Größe 東京", "grosse"),
        ("Équipe Zürich \N{ROCKET}", "equipe-zurich"),
        ("Łódź, Århus & Ærø", "lodz-arhus-aero"),
        ("Þórður", "thordur"),
        ("İzmir Isparta ısı", "izmir-isparta-isi"),
        ("Œuvre ﬁne", "oeuvre-fine"),
        ("東京", ""),
        ("Москва 2", "2"),
    ],
)
def test_letters_with_marks_become_those_without(name, slug):
    assert slugified(name) == slug
