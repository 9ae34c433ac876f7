"""Frames that stand in for others: what a warning names, and what a traceback shows."""

import sys
import traceback
import warnings

import pytest

from inspector.util.stand_in_frames import call_as, hide_call, is_stand_in, without_stand_ins


def warn(level):
    warnings.warn("careful", stacklevel=level)


def watched(*arguments):
    return call_as(sys._getframe(1), warn, arguments, {})


def inner(function, level):
    function(level)


def outer(function, level):
    inner(function, level)


def named(function, level):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outer(function, level)
    (found,) = caught
    return found.filename, found.lineno


@pytest.mark.parametrize("level", range(1, 6))
def test_a_warning_names_what_it_names_without_us(level):
    assert named(watched, level) == named(warn, level)


def test_the_filters_and_the_registry_are_those_of_the_frame():
    """A warning is shown once for each place, which Python notes in the global variables of the frame."""
    space = {"call": watched, "__name__": "elsewhere"}
    code = compile("\n\n\ndef run():\n    for _ in range(3):\n        call(2)\n", "elsewhere.py", "exec")
    exec(code, space)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        warnings.filterwarnings("ignore", module="^test_stand_in_frames$")
        space["run"]()
    assert [(item.filename, item.lineno) for item in caught] == [("elsewhere.py", 6)]
    assert "__warningregistry__" in space


def test_arguments_results_and_errors():
    frame = sys._getframe()

    def function(*arguments, **options):
        if options.get("fails"):
            raise KeyError(*arguments)
        return arguments, options

    assert call_as(frame, function, (1, 2), {"a": 3}) == ((1, 2), {"a": 3})
    assert call_as(None, function, (1,), {}, levels=9) == ((1,), {})
    with pytest.raises(KeyError) as raised:
        call_as(frame, function, (1,), {"fails": True})
    hide_call(raised.value)
    assert [entry.name for entry in traceback.extract_tb(raised.value.__traceback__)] == ["function"]


def test_a_stand_in_is_known_as_one():
    found = call_as(sys._getframe(), lambda: sys._getframe(1), (), {})
    assert is_stand_in(found.f_code) and found.f_globals is globals()
    assert found.f_code.co_name == "test_a_stand_in_is_known_as_one"
    assert not is_stand_in(test_a_stand_in_is_known_as_one.__code__)
    frames = call_as(sys._getframe(), lambda: [sys._getframe(), without_stand_ins(sys._getframe(1))], (), {})
    assert not any(is_stand_in(frame.f_code) for frame in frames)
