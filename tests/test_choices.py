"""The command and the library offer the same options, with the same words."""

import inspect
from typing import Literal, get_args, get_origin, get_type_hints

import click
import graphs
import pytest

import inspector
from inspector.cli import _options, _parameters, _parse, _run_subcommand
from inspector.commands.options import REPORT
from inspector.export import WRITERS
from inspector.options import CHOICES, FigureOptions
from inspector.scene.theme import THEMES
from inspector.styles import STYLES

OPTIONS = {option.name: option for option in _parse.params if isinstance(option, click.Option)}
TYPES = {name: option.type for name, option in OPTIONS.items()}
WORDS = {name: tuple(type.choices) for name, type in TYPES.items() if isinstance(type, click.Choice)}
PICTURE = {"theme", "text"}
DRAW = inspect.signature(inspector.draw).parameters


def words_of(hint):
    """The words of a Literal, alone or beside others: None, a number."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(word for part in get_args(hint) for word in words_of(part))


def test_the_command_offers_every_choice():
    assert WORDS.pop("formats") == (*WRITERS, REPORT)
    assert WORDS == CHOICES


def test_draw_has_the_options_of_the_command():
    options = [name for name, parameter in DRAW.items() if parameter.kind is parameter.KEYWORD_ONLY]
    assert list(DRAW) == ["thing", *options]
    assert set(options) == set(FigureOptions.__struct_fields__) | {"depth"} | PICTURE
    assert set(options) <= OPTIONS.keys()
    assert DRAW["depth"].default == OPTIONS["depth"].default
    assert DRAW["theme"].default == OPTIONS["theme"].default


@pytest.mark.parametrize("name", sorted(DRAW.keys() & CHOICES.keys()))
def test_an_editor_completes_the_words(name):
    assert words_of(get_type_hints(inspector.draw)[name]) == CHOICES[name]


@pytest.mark.parametrize("name", sorted(DRAW.keys() & CHOICES.keys()))
def test_a_wrong_word_is_answered_with_the_right_ones(name):
    with pytest.raises(ValueError, match=f"^unknown {name} 'cubist'; choose from: {', '.join(CHOICES[name])}$"):
        inspector.draw(graphs.square(), **{name: "cubist"})


def test_a_wrong_depth_is_answered_with_the_right_ones():
    with pytest.raises(ValueError, match=r"^invalid depth 'deep'; .* 'auto' or 'full'$"):
        inspector.draw(graphs.square(), depth="deep")


@pytest.mark.parametrize("door", [inspector.draw, inspector.plot, inspector.plot_norms, inspector.make_dot,
                                  inspector.trace, inspector.record, inspector.diagnose,
                                  inspector.assert_gradients])  # fmt: skip
def test_no_door_takes_whatever_it_is_given(door):
    parameters = inspect.signature(door).parameters.values()
    assert all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters)


def test_the_tables_have_the_rows_that_are_offered():
    assert tuple(STYLES) == CHOICES["style"]
    assert tuple(THEMES) == CHOICES["theme"]


def test_a_picture_has_the_theme_and_the_text_it_was_drawn_with(tmp_path):
    graph = graphs.square()
    plain, dark = inspector.draw(graph), inspector.draw(graph, theme="dark", text="plain")
    assert dark.svg() == plain.svg(theme="dark", text="plain") != plain.svg()
    assert dark.svg(theme="light", text="path") == plain.svg()
    dark.save(tmp_path / "dark.svg")
    assert (tmp_path / "dark.svg").read_text() == dark.svg()
    assert plain._repr_mimebundle_()["image/svg+xml"] == plain.svg()


@pytest.mark.parametrize("name", ["explain", "merge", "doctor", "words"])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_a_subcommand_prints_its_usage(name: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run_subcommand(name, option, options=_options(_parameters(["merge"]))) == 0
    assert capsys.readouterr().out.startswith(f"Usage: inspect {name}")
