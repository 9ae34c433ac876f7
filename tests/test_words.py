"""Other words for figures: a file of them, what is wrong in one, and where they are shown."""

from __future__ import annotations

import json
import sys

import graphs
import pytest
from pictured import panel_texts

from inspector.figure import draw, frames
from inspector.options import FigureOptions, Presentation
from inspector.options.words import ENGLISH, WORDS, Words, WordsError, read_words, template

needs_toml = pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib")


@needs_toml
def test_the_template_is_a_complete_file_of_the_english_words(tmp_path) -> None:
    path = tmp_path / "en.toml"
    path.write_text(template(), "utf-8")
    words = read_words(path)
    assert (dict(words.texts), words.missing) == (dict(WORDS), ())


def test_a_file_with_some_words_tells_which_are_missing(tmp_path) -> None:
    path = tmp_path / "de.json"
    path.write_text(json.dumps({"moment-before": "vorher"}), "utf-8")
    words = read_words(path)
    assert words.of_text("before") == "vorher"
    assert words.say("step", number=1, count=2) == ENGLISH.say("step", number=1, count=2)
    assert set(words.missing) == set(WORDS) - {"moment-before"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", '{"sums": "x"}', r"a.json: unknown key 'sums'; choose from: moment-before, "),
        ("a.json", '{"sum": "{total}"}', r"a.json: the text of 'sum' has an unknown part {total}; .* {gradient}"),
        ("a.json", '{"sum": "{"}', r"a.json: the text of 'sum' is invalid"),
        ("a.json", '{"sum": 1}', r"a.json: the value of 'sum' is not a text"),
        ("a.json", "[]", r"a.json: expected keys and texts"),
        ("a.json", "{", r"a.json is not valid JSON"),
        pytest.param("a.toml", "sum =", r"a.toml is not valid TOML", marks=needs_toml),
        ("a.txt", "", r"a.txt: unknown suffix '.txt'; choose from: .toml, .json"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path, name, content, message) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(WordsError, match=message) as error:
        read_words(tmp_path / name)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path) -> None:
    with pytest.raises(WordsError, match=r"cannot read .*none.json: No such file"):
        read_words(tmp_path / "none.json")


def test_titles_legends_and_steps_are_shown_in_the_words() -> None:
    words = Words({"moment-after": "nachher", "legend-gradients": "Richtung", "step": "Schritt {number}/{count}"})
    graph, look = graphs.saddle(2.0, 0.0), FigureOptions(style="attributes")
    shown = list(panel_texts(draw(graph, look, presentation=Presentation(words=words)).panels["after"].panels[0]))
    assert {"nachher", "Richtung"} <= set(shown)
    assert "after" not in shown
    step = frames(graph, look, presentation=Presentation(words=words)).panels["step-02"].panels[0]
    assert "Schritt 2/5" in set(panel_texts(step))
