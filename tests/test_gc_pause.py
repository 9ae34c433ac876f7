"""Garbage collection is paused without a difference that a script could rely on."""

import gc
import subprocess
import sys
import textwrap
import weakref
from pathlib import Path

import pytest
from running import environment

from inspector.util.gc_pause import gc_paused_for_import


class Cycle:
    """An object that only a collection frees."""

    def __init__(self):
        self.itself = self


def printed_by(code: str, folder: Path) -> list[str]:
    """The lines that a process prints on stdout; nothing on stderr."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    ended = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=True)
    assert ended.stderr == ""
    return ended.stdout.splitlines()


@pytest.fixture
def collector():
    """Leaves the collector as it was."""
    callbacks, enabled = gc.callbacks.copy(), gc.isenabled()
    gc.callbacks.clear()
    gc.unfreeze()
    gc.enable()
    yield
    gc.unfreeze()
    gc.callbacks[:] = callbacks
    (gc.enable if enabled else gc.disable)()


def test_an_import_ends_with_old_objects_and_the_collector_as_before(collector):
    resume = gc_paused_for_import()
    made = [[]]
    assert not gc.isenabled()
    assert any(item is made for item in gc.get_objects(generation=0))
    resume()
    assert gc.isenabled() and gc.get_freeze_count() == 0
    assert any(item is made for item in gc.get_objects(generation=2))


def test_garbage_from_before_an_import_does_not_grow_old(collector):
    left = weakref.ref(Cycle())
    resume = gc_paused_for_import()
    assert left() is None
    resume()


@pytest.mark.parametrize("change", [gc.disable, gc.freeze, lambda: gc.callbacks.append(print_nothing)])
def test_a_collector_that_the_script_has_changed_is_left_alone(collector, change):
    change()
    before = gc.isenabled(), gc.get_freeze_count() > 0, gc.callbacks.copy()
    resume = gc_paused_for_import()
    assert gc.isenabled() == before[0]
    resume()
    assert (gc.isenabled(), gc.get_freeze_count() > 0, gc.callbacks) == before


def print_nothing(phase, info):
    pass


def test_an_import_that_enables_the_collector_keeps_it(collector):
    resume = gc_paused_for_import()
    gc.enable()
    resume()
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("body", "printed"),
    [
        ("print(gc.isenabled())", ["False", "begins False", "True 0"]),
        ("1 / 0", ["ZeroDivisionError", "True 0"]),
    ],
)
def test_the_collector_is_paused_while_torch_is_imported_and_not_after_it_or_a_failure(tmp_path, body, printed):
    (tmp_path / "torch.py").write_text(f"import gc\n{body}\n")
    code = """
        import gc, sys
        from inspector.runscript.torch_import import TorchImport
        sys.path.insert(0, ".")
        TorchImport(lambda: print("begins", gc.isenabled()), print).install()
        try:
            import torch
        except ZeroDivisionError:
            print("ZeroDivisionError")
        print(gc.isenabled(), gc.get_freeze_count())
        """
    assert printed_by(code, tmp_path) == printed
