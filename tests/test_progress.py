"""Signs of life on a terminal, and Ctrl-C during our own work."""

import io
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from reports import model, report_of
from rich.console import Console
from running import environment

from inspector.commands.progress_line import ProgressLine
from inspector.report import save
from inspector.terminal import progress
from inspector.util.stderr import say


def shown(is_terminal, monkeypatch, patience):
    monkeypatch.setattr(progress, "PATIENCE", patience)
    stream = io.StringIO()
    with progress.working(Console(file=stream, force_terminal=is_terminal), "drawing"):
        for timer in [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]:
            timer.join(None if patience == 0 else 0)
    return stream.getvalue()


def test_long_work_shows_a_sign_on_a_terminal(monkeypatch):
    assert "drawing" in shown(True, monkeypatch, 0.0)


def test_short_work_and_a_pipe_show_none(monkeypatch):
    assert shown(True, monkeypatch, 60.0) == ""
    assert shown(False, monkeypatch, 0.0) == ""


class Terminal(io.StringIO):
    def isatty(self):
        return True


def lines_on_screen(text):
    """What a terminal shows of a text: a carriage return goes back to the beginning of the line."""
    shown = []
    for line in text.split("\n"):
        row = ""
        for part in line.split("\r"):
            row = part + row[len(part) :]
        shown.append(row.rstrip())
    return shown


def test_a_line_in_the_middle_of_a_run_is_clear_of_a_bar():
    from tqdm import tqdm

    terminal = Terminal()
    with tqdm(total=10, file=terminal, ncols=60, mininterval=0) as bar:
        bar.update(3)
        say("has made 3 steps and goes on", terminal)
        bar.update(3)
    first, second, *_ = lines_on_screen(terminal.getvalue())
    assert first == "inspect: has made 3 steps and goes on"
    assert " 60%" in second and second.count("%") == 1


def test_a_long_run_says_how_far_it_is_on_a_terminal_only(monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.perf_counter", lambda: now)
    terminal, pipe = Terminal(), io.StringIO()
    lines = [ProgressLine(terminal), ProgressLine(pipe)]
    for step in range(1, 31):  # a step takes 10 seconds
        now += 10.0
        for line in lines:
            line.show("train.py", {"steps": step, "last_root": 0.25 if step < 20 else float("nan")})
    assert terminal.getvalue().splitlines() == [
        "inspect: train.py has made 6 steps, the last with a loss of 0.25",
        "inspect: train.py has made 12 steps, the last with a loss of 0.25",
        "inspect: train.py has made 24 steps, the last with a loss of nan",
    ]
    assert pipe.getvalue() == ""


def test_a_running_bar_is_left_alone(monkeypatch):
    from tqdm import tqdm

    with tqdm(total=3, file=io.StringIO()):
        assert shown(True, monkeypatch, 0.0) == ""


CHECKOUT = Path(__file__).parent.parent

_DRAW = """
import sys
from pathlib import Path
import inspector.commands.export_figures as pictures
write, count = pictures.write_bytes_atomically, 0
def interrupted(path, content):
    global count
    count += 1
    if count == 2:
        part = Path.write_bytes
        def half(self, data):
            part(self, data[:10])
            raise KeyboardInterrupt
        Path.write_bytes = half
    write(path, content)
pictures.write_bytes_atomically = interrupted
from inspector.cli import run
sys.argv = ["inspect", "-o", "out/", "report.json"]
run()
"""

_RUN = """
import sys
import inspector.commands.render_subprocess as drawing
def interrupted(self):
    self.stop()
    raise KeyboardInterrupt
drawing.RenderProcess.wait = interrupted
from inspector.cli import run
sys.argv = ["inspect", "script.py"]
run()
"""


_TRACE = """
import atexit
import sys
from inspector.cli import run
from inspector.recording.training.retained_graphs import RetainedGraphs
begins, seen = RetainedGraphs.begins, []
def interrupted(*given):
    if seen:
        return begins(*given)
    seen.append(sys._getframe(3).f_locals["watch"].capture)
    print("hooks", len(seen[0]._hooks) > 0)
    raise KeyboardInterrupt
RetainedGraphs.begins = interrupted
atexit.register(lambda: print("left", len(seen[0]._hooks)))
sys.argv = ["inspect", "-o", "out/", "script.py"]
run()
"""


def interrupted(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """How a Python process ends that interrupts itself while it runs `code` in a folder."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment(PYTHONPATH=str(CHECKOUT)),
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_an_interrupt_while_we_trace_is_the_scripts_and_leaves_no_hook_of_ours(tmp_path):
    (tmp_path / "script.py").write_text(
        "import torch\n"
        "x = torch.tensor(2.0, requires_grad=True)\n"
        "y = x * x\n"
        "try:\n"
        "    y.backward()\n"
        "except KeyboardInterrupt:\n"
        "    print('stopped', x.grad)\n"
        "y.backward()\n"
        "print(x.grad)\n"
    )
    ended = interrupted(_TRACE, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["hooks True", "stopped None", "tensor(4.)", "left 0"]
    assert (tmp_path / "out" / "report.json").exists() and "Traceback" not in ended.stderr


@pytest.mark.parametrize("code", [_DRAW, _RUN], ids=["saved", "script"])
def test_an_interrupt_leaves_nothing_half_written_and_gives_130(code, tmp_path):
    save(report_of(model()), tmp_path / "report.json")
    script = "import torch\nx = torch.tensor(1.0, requires_grad=True)\n(x * x).backward()\n"
    (tmp_path / "script.py").write_text(script)
    ended = interrupted(code, tmp_path)
    assert ended.returncode == 130, ended.stderr
    assert "interrupted before the pictures were finished" in ended.stderr and "Traceback" not in ended.stderr
    for path in tmp_path.rglob("*.svg"):
        assert path.read_text("utf-8").endswith("</svg>\n")
    assert not [path for path in tmp_path.rglob(".*") if path.name != ".gitignore"]
