"""The process that is started before the script to draw its report: the script sees nothing of it."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from graphs import saddle
from reports import report_of
from running import command_line, environment

from inspector.commands.prepared_renderer import PreparedRenderer
from inspector.report import save

pytestmark = pytest.mark.skipif(
    not hasattr(os, "pidfd_open") or len(os.sched_getaffinity(0)) < 2, reason="it is not started here"
)


def in_process(folder: Path, code: str) -> str:
    """What a process without torch prints. It has a report, and `prepared`, which waits until it is heard."""
    save(report_of(saddle(2.0, 0.0)), folder / "report.json")
    begin = """
        import os, signal, sys
        from pathlib import Path
        from inspector.commands import render_subprocess
        from inspector.commands.options import Destination, DrawOptions, Options, WatchOptions
        from inspector.commands.prepared_renderer import PreparedRenderer
        options = Options(WatchOptions(), DrawOptions(), Destination(Path("out"), None, ("svg",)))
        before = sorted(os.listdir("/proc/self/fd"))
        prepared = PreparedRenderer.start()
        asked = prepared.ask
        def ask(arguments):
            while not asked(arguments):  # it does not listen yet
                os.sched_yield()
            return True
        prepared.ask = ask
        """
    script = textwrap.dedent(begin) + textwrap.dedent(code)
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment(), capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_it_is_no_child_of_the_script_and_shares_no_descriptor_until_it_draws(tmp_path):
    code = """
        try:
            print(os.wait())
        except ChildProcessError:
            print("no child")
        print(sorted(os.listdir("/proc/self/fd")) == before)
        drawing = render_subprocess.RenderProcess(Path("report.json"), options, prepared)
        peer = prepared._connection.getsockopt(1, 17, 12)
        other = int.from_bytes(peer[:4], sys.byteorder)
        print(os.getpgid(other) != os.getpgid(0), os.getsid(other) != os.getsid(0), drawing._child)
        print(drawing.wait(), *(file.name for file in drawing.files), drawing._child)
        """
    assert in_process(tmp_path, code).splitlines() == [
        "no child",
        "True",
        "True True None",
        "None backward-1.svg backward-1.before.svg backward-1.after.svg None",
    ]
    assert (tmp_path / "out" / "backward-1.svg").exists()


def test_where_it_crashes_or_is_not_heard_a_child_draws(tmp_path):
    code = """
        drawing = render_subprocess.RenderProcess(Path("report.json"), options, prepared)
        prepared.answer = lambda limit: None  # as after a crash
        print(drawing.wait(), len(drawing.files), drawing._child.returncode)
        prepared = PreparedRenderer("nobody-listens")
        drawing = render_subprocess.RenderProcess(Path("report.json"), options, prepared)
        print(drawing.wait(), len(drawing.files), drawing._child.returncode)
        """
    assert in_process(tmp_path, code).splitlines() == ["None 3 0", "None 3 0"]


def test_its_errors_are_told_and_it_can_be_stopped(tmp_path):
    code = """
        Path("out").write_text("")
        drawing = render_subprocess.RenderProcess(Path("report.json"), options, prepared)
        print(drawing.wait(), drawing._child)
        prepared = PreparedRenderer.start()
        while not prepared.ask(["--version"]):
            os.sched_yield()
        prepared.stop()
        print(prepared._connection.fileno())
        """
    said = in_process(tmp_path, code).splitlines()
    assert said[0].startswith("cannot write") and said[0].endswith(" None")
    assert said[1:] == ["-1"]


DERIVES = f"""
        sys.path.append({str(Path(__file__).parent)!r})
        from graphs import saddle
        from inspector.graph.json_rows import from_rows, to_rows
        from inspector.commands import prepared_renderer
        def connect(seconds):
            prepared_renderer._LONGEST_IMPORT = seconds
            while prepared._connected() is None:  # it does not listen yet
                os.sched_yield()
        def bare():
            rows = to_rows(saddle(2.0, 1.0))
            for row in rows["edges"]:
                row.pop("local", None)
            return from_rows(rows)
        def symbols(graph):
            return [edge["local"]["symbol"] for *_, edge in graph.edges("next") if "local" in edge]
        """


def test_it_computes_derivatives_and_then_draws(tmp_path):
    code = DERIVES + """
        connect(60.0)
        for _ in range(2):
            graph = bare()
            prepared.derive(graph)
            print(symbols(graph), "sympy" in sys.modules)
        drawing = render_subprocess.RenderProcess(Path("report.json"), options, prepared)
        print(drawing.wait(), len(drawing.files), drawing._child)
        """
    assert in_process(tmp_path, code).splitlines() == [
        "['1', '-1', '2*x', '2*y'] False",
        "['1', '-1', '2*x', '2*y'] False",
        "None 3 None",
    ]


def test_derivatives_are_computed_here_if_it_has_not_imported_sympy_yet_or_crashes(tmp_path):
    code = DERIVES + """
        connect(0.0)
        first = bare()
        prepared.derive(first)
        print(symbols(first), "sympy" in sys.modules)
        drawing = render_subprocess.RenderProcess(Path("report.json"), options, prepared)
        print(drawing.wait(), len(drawing.files), drawing._child)  # drawn by it, once it has imported all
        """
    assert in_process(tmp_path, code).splitlines() == ["['1', '-1', '2*x', '2*y'] True", "None 3 None"]


def test_derivatives_are_computed_here_if_it_crashes(tmp_path):
    code = DERIVES + """
        connect(60.0)
        os.kill(int.from_bytes(prepared._connection.getsockopt(1, 17, 12)[:4], sys.byteorder), signal.SIGKILL)
        graph = bare()
        prepared.derive(graph)
        print(symbols(graph), "sympy" in sys.modules, asked(["--version"]))
        drawing = render_subprocess.RenderProcess(Path("report.json"), options)
        print(drawing.wait(), len(drawing.files), drawing._child.returncode)
        """
    assert in_process(tmp_path, code).splitlines() == ["['1', '-1', '2*x', '2*y'] True False", "None 3 0"]


def test_after_ctrl_c_it_is_asked_nothing_else(tmp_path):
    code = DERIVES + """
        connect(60.0)
        loads = prepared_renderer.json.loads
        def interrupted(text):
            prepared_renderer.json.loads = loads
            raise KeyboardInterrupt
        prepared_renderer.json.loads = interrupted
        try:
            prepared.derive(bare())
        except KeyboardInterrupt:
            print("interrupted", asked(["--version"]))
        graph = bare()
        prepared.derive(graph)
        print(symbols(graph), "sympy" in sys.modules)
        """
    assert in_process(tmp_path, code).splitlines() == ["interrupted False", "['1', '-1', '2*x', '2*y'] True"]


def test_it_is_not_asked_in_another_thread(tmp_path):
    code = DERIVES + """
        import threading
        prepared._connected = lambda: print("asked")  # returns None: there is no such process
        graph = bare()
        thread = threading.Thread(target=prepared.derive, args=(graph,))
        thread.start()
        thread.join()
        print(symbols(graph))
        del sys.modules["sympy"]
        prepared.derive(graph)
        """
    assert in_process(tmp_path, code).splitlines() == ["['1', '-1', '2*x', '2*y']", "asked"]


def test_where_the_script_closes_its_descriptor_a_child_draws_and_what_was_opened_since_stays_open(tmp_path):
    code = """
        drawing = render_subprocess.RenderProcess(Path("report.json"), options, prepared)
        number = prepared._connection.fileno()
        os.closerange(3, number + 1)
        while (mine := os.open("mine", os.O_CREAT | os.O_RDWR)) != number:
            pass
        prepared.stop()
        print(drawing.wait(), len(drawing.files), drawing._child.returncode)
        print(os.write(mine, b"kept"), Path("mine").read_text())
        """
    assert in_process(tmp_path, code).splitlines() == ["None 3 0", "4 kept"]


def test_it_is_not_started_where_torch_is_there_already(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert PreparedRenderer.start() is None


def test_a_script_that_waits_for_any_child_and_lists_its_descriptors_runs_as_under_python(tmp_path):
    (tmp_path / "script.py").write_text(
        "import os, torch\n"
        "x = torch.tensor(2.0, requires_grad=True)\n"
        "print(sorted(os.listdir('/proc/self/fd')), os.getpgid(0) == os.getpid())\n"
        "if os.fork() == 0:\n    os._exit(7)\n"
        "print(os.wait()[1])\n"
        "try:\n    os.wait()\nexcept ChildProcessError:\n    print('no more')\n"
        "(x**2).backward()\n"
    )
    plain, inspected = (
        subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True)
        for command in ([sys.executable, "script.py"], command_line("-f", "svg", "script.py"))
    )
    assert inspected.stdout == plain.stdout and "no more" in plain.stdout, inspected.stderr
    assert inspected.returncode == plain.returncode == 0
    assert (tmp_path / "inspect-out" / "backward-1.svg").exists(), inspected.stderr


SQUARES = """
import os, sys, time, torch
w = torch.ones(3, requires_grad=True)
for _ in range(3):
    (w * w).sum().backward()
"""

ENDINGS = {
    "hours later": "now = time.monotonic\ntime.monotonic = lambda: now() + 7200\ntime.time = lambda: 2e9\n",
    "an error": "time.monotonic = lambda: 1e6\nraise ValueError('late')\n",
    "an exit status": "sys.exit(4)\n",
    "another folder and a closed output": "os.makedirs('deep')\nos.chdir('deep')\nsys.stdout.close()\n",
    "another limit": "import socket\nsocket.setdefaulttimeout(0.001)\n",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_pictures_drawn_while_the_script_went_on_are_listed(ending, inspect_script):
    """However late it is by the clock that the script sees, and however it ends."""
    ran = inspect_script(SQUARES + ENDINGS[ending], options=("-f", "dot"))
    assert ran.status == {"an error": 1, "an exit status": 4}.get(ending, 0)
    assert "no picture" not in ran.stderr and "backward-1.dot" in ran.stderr.partition("wrote ")[2]
    assert ran.files >= {"backward-1.dot", "report.json"}
