"""A script under `inspector.runscript` does what it does under plain python, which each test runs beside it."""

import compileall
import os
import re
import shutil
import signal
import subprocess
import sys
import zipapp
from dataclasses import dataclass
from pathlib import Path

import pytest

from inspector.runscript import ScriptError, ScriptExit, ScriptTarget, run_script
from inspector.runscript.traceback_frames import hide_our_frames

HERE = Path(__file__).parent / "scripts_script"
HARNESS = HERE / "harness.py"
SAME = sorted((HERE / "same").glob("*.py"))
SAME_BYTES = {
    "syntax_error": b'print("never")\ndef f(x)\n    return x\n',
    "syntax_error_end": b"value = (1,\n         2\n",
    "syntax_error_indent": b"if True:\n        x = 1\n    y = 2\n",
    "syntax_error_tab": b"if True:\n        x = 1\n\ty = 2\n",
    "syntax_error_scope": 'print("é"); return 3\n'.encode(),
    "syntax_error_nonlocal": 'def f():\n    x = "é"; nonlocal y\n'.encode(),
    "syntax_error_string": b'x = "unterminated\ny = 1',
    "syntax_error_triple": b'x = """unterminated\ny = 1',
    "syntax_error_continued": b"x = 1 + \\",
    "syntax_error_fstring": b'x = f"{1 +}"\n',
    "syntax_error_latin": b'# -*- coding: latin-1 -*-\nprint(ascii("caf\xe9"))\nprint(1 +)\n',
    "syntax_error_future": b"from __future__ import braces\n",
    "syntax_warning": b'x = 3\nprint(x is 3, "\\d")\n',
    "latin": b'# -*- coding: latin-1 -*-\nprint(ascii("caf\xe9"))\nassert "\xe9" == 1\n',
    "bom_crlf": b'\xef\xbb\xbfprint(ascii("caf\xc3\xa9"))\r\nraise ValueError("bom and crlf")\r\n',
    "form_feed": b"\x0cprint(1)\n\x0c\n1 / 0",
    "empty": b"",
}


@dataclass
class Ended:
    status: int
    stdout: str
    stderr: str


def python(*arguments, cwd, feed="", **environment) -> Ended:
    """What `python ARGUMENTS` does; addresses in its output are masked."""
    ended = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"} | {key: str(value) for key, value in environment.items()},
        input=feed.encode(),
        capture_output=True,
        timeout=300,
    )
    stdout, stderr = (re.sub(r"(?i)0x[0-9a-f]+", "0x", text.decode()) for text in (ended.stdout, ended.stderr))
    return Ended(ended.returncode, stdout, stderr)


def assert_same(*arguments, cwd, flags=(), feed="", **environment) -> Ended:
    plain = python(*flags, *arguments, cwd=cwd, feed=feed, **environment)
    ours = python(*flags, HARNESS, *arguments, cwd=cwd, feed=feed, **environment)
    assert ours.stderr == plain.stderr
    assert ours.stdout == plain.stdout
    assert ours.status == plain.status
    return plain


def setting(script: Path, name: str) -> str:
    """The value of a `# name: value` comment at the top of a script; "" without one."""
    found = re.search(rf"^# {name}: (.*)$", script.read_text(), re.MULTILINE)
    return found[1] if found else ""


@pytest.mark.parametrize("script", SAME, ids=lambda script: script.stem)
def test_same_as_plain_python(script, tmp_path):
    feed = setting(script, "input")
    assert_same(script, *setting(script, "arguments").split(), cwd=tmp_path, feed=feed + "\n" if feed else "")


@pytest.mark.parametrize("name", SAME_BYTES)
def test_same_as_plain_python_in_parsing(name, tmp_path):
    (tmp_path / "script.py").write_bytes(SAME_BYTES[name])
    assert_same("script.py", cwd=tmp_path)


def test_unknown_encoding_is_a_syntax_error(tmp_path):
    """The one difference known: the words of the message, from another part of the interpreter."""
    (tmp_path / "script.py").write_text("# coding: no-such-coding\n")
    ended = python(HARNESS, "script.py", cwd=tmp_path)
    assert ended.status == 1
    assert ended.stderr.endswith("SyntaxError: unknown encoding: no-such-coding\n")


@pytest.mark.parametrize("path", ["./main_names.py", "../same/main_names.py", "main_names.py"])
def test_file_names_are_kept_as_written(path):
    assert_same(path, cwd=HERE / "same")


def test_symbolic_link_and_working_directory(tmp_path):
    (tmp_path / "link.py").symlink_to(HERE / "same" / "main_names.py")
    assert_same("link.py", "a", cwd=tmp_path)
    assert_same(tmp_path / "link.py", cwd="/")


@pytest.mark.parametrize("flags", [["-P"], ["-W", "error"], ["-O"], ["-u"], ["-X", "dev"]])
def test_interpreter_options(flags, tmp_path):
    (tmp_path / "script.py").write_text("import sys\nprint(__debug__, sys.path, sys.warnoptions)\nx = 3 is 3\n")
    assert_same("script.py", cwd=tmp_path, flags=flags)


@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "pack", "a", "-b"],
        ["-m", "module"],
        ["-m", "pack.sibling"],
        ["-m", "broken"],
        ["folder", "x"],
        ["./folder/"],
    ],
    ids=" ".join,
)
def test_modules_and_folders(arguments, tmp_path):
    parts = tmp_path / "parts"
    shutil.copytree(HERE / "parts", parts)
    (parts / "broken.py").write_text("def (")
    assert_same(*arguments, cwd=parts)


def test_zip_and_compiled_file(tmp_path):
    zipapp.create_archive(HERE / "parts" / "folder", tmp_path / "packed.pyz", interpreter="/usr/bin/env python")
    assert_same("packed.pyz", "x", cwd=tmp_path)
    (tmp_path / "script.py").write_text("print(__file__, __loader__)\n1 / 0\n")
    compileall.compile_file(tmp_path / "script.py", legacy=True, quiet=1)
    assert_same("script.pyc", cwd=tmp_path)


def test_broken_pipe(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("for i in range(100_000): print(i)\n")
    results = []
    for command in ([script], [HARNESS, script]):
        process = subprocess.Popen(
            [sys.executable, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        first = process.stdout.readline()
        process.stdout.close()
        error = process.stderr.read()
        process.stderr.close()
        results.append((first, error, process.wait()))
    assert results[0] == results[1]
    assert "BrokenPipeError" in results[0][1]


def test_interrupt_while_waiting_for_threads(tmp_path):
    (tmp_path / "script.py").write_text(
        "import linecache, os, signal, sys, threading, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it\n"
        "def main_waits():\n"
        "    frame = sys._current_frames()[threading.main_thread().ident]\n"
        "    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)\n"
        "    waits = 'acquire(' in line or '_thread_shutdown(' in line\n"
        "    # by its name: inside of start(), main waits for this thread as well\n"
        "    return frame.f_code is threading._shutdown.__code__ and waits\n"
        "def interrupt():\n"
        "    while not main_waits():\n        pass\n"
        "    time.sleep(0.3)  # a signal just before main blocks would be handled only after it\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    threading.Event().wait()\n"
        "threading.Thread(target=interrupt).start()\n"
    )
    plain = assert_same("script.py", cwd=tmp_path)
    assert "KeyboardInterrupt" in plain.stderr


def test_interrupted_script_ends_by_the_signal(tmp_path):
    script = HERE / "same" / "interrupted.py"
    assert python(HARNESS, script, cwd=tmp_path).status == -signal.SIGINT
    assert python("-m", "harness", script, cwd=HERE).status == -signal.SIGINT


# What the runner reports to us.


def log_of(*arguments, cwd, **environment) -> list[str]:
    log = Path(cwd) / "harness.log"
    python(HARNESS, *arguments, cwd=cwd, HARNESS_LOG=log, **environment)
    return log.read_text().splitlines()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "status 0 None False False"),
        ("raise SystemExit(3)", "status 3 None False False"),
        ("raise SystemExit('text')", "status 1 SystemExit: text False False"),
        ("1 / 0", "status 1 ZeroDivisionError: division by zero False False"),
        ("raise KeyboardInterrupt", "status 130 KeyboardInterrupt False False"),
        ("import json; json.loads('')", "status 1 json.decoder.JSONDecodeError: Expecting value: line 1"),
        ("raise ValueError('at 0x7f2a10\\nand more')", "status 1 ValueError: at 0x… False False"),
        ("def (", "status 1 SyntaxError: invalid syntax (script.py, line 1) False False"),
    ],
)
def test_exit(source, said, tmp_path):
    (tmp_path / "script.py").write_text(source)
    (line,) = log_of("script.py", cwd=tmp_path)
    assert line.startswith(said)


def test_exit_of_a_forked_child(tmp_path):
    (tmp_path / "script.py").write_text("import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)\n")
    assert log_of("script.py", cwd=tmp_path) == [
        "status 0 None False True ScriptExit",
        "status 0 None False False ScriptExit",
    ]


def test_stop(tmp_path):
    ended = python(HARNESS, HERE / "stops.py", cwd=tmp_path)
    assert (ended.status, ended.stdout, ended.stderr) == (0, "finally\nat exit\n", "")
    assert log_of(HERE / "stops.py", cwd=tmp_path) == ["status 0 None True False ScriptExit"]
    assert python(HARNESS, HERE / "stop_caught.py", cwd=tmp_path).status == 4


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("trian.py", None, "no such file: trian.py (did you mean train.py?)"),
        ("quite_another", None, "no such file: quite_another"),
        ("nowhere/x.py", None, "no such file: nowhere/x.py"),
        ("image.py", b"\x89PNG\0\0", "not a Python file: image.py (it contains null bytes)"),
        (
            "latin.py",
            b"x\ny = '\xe9'",
            "not a Python file: latin.py (line 2 is not UTF-8, and no other encoding is declared)",
        ),
        ("old.pyc", b"1234....", "not compiled by this Python (3.11): old.pyc"),
        ("empty_folder/", None, "can't find '__main__' module in '{folder}/empty_folder/'"),
    ],
)
def test_nothing_to_run(path, content, said, tmp_path):
    (tmp_path / "train.py").touch()
    (tmp_path / "empty_folder").mkdir()
    if content is not None:
        (tmp_path / path).write_bytes(content)
    ended = python(HARNESS, path, cwd=tmp_path)
    said = said.replace("3.11", f"{sys.version_info[0]}.{sys.version_info[1]}").format(folder=tmp_path)
    assert (ended.status, ended.stdout, ended.stderr) == (2, "", f"inspect: {said}\n")


def test_no_module_and_no_permission(tmp_path, monkeypatch):
    ended = python(HARNESS, "-m", "no_such", cwd=tmp_path)
    assert (ended.status, ended.stderr) == (2, "inspect: No module named no_such\n")
    assert python(HARNESS, "-m", "pack.no_such", cwd=HERE / "parts").status == 2
    (tmp_path / "script.py").touch()

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ScriptError, match=r"^cannot read .*script\.py: Permission denied$"):
        run_script(ScriptTarget(str(tmp_path / "script.py"), None), on_torch=lambda: None)


# Names that collide with ours.


def test_modules_beside_the_script(tmp_path):
    log = tmp_path / "log"
    plain = assert_same(HERE / "beside" / "script.py", cwd=tmp_path, HARNESS_LOG=log)
    assert "No module named 'inspector.runscript'" in plain.stderr
    # The user's torch is no torch, yet it is called back, with our own inspector in view.
    assert log.read_text().splitlines()[0] == "torch False inspector"
    assert "status 1" in log.read_text()


def test_our_own_package_is_importable(tmp_path):
    (tmp_path / "script.py").write_text(
        "import inspector.runscript as s\nprint(s.Exit(0))\nimport inspector.user_code.paths\n"
    )
    assert_same("script.py", cwd=tmp_path)


# The import of torch.


FAKE_TORCH = """
import sys
order = sys.__dict__.setdefault("order", [])
order.append("torch executed")
class Tensor: pass
if len(order) < int(sys.argv[1]):
    raise {failure}
"""


def torch_script(folder: Path, source: str, failure: str = "OSError('no library')") -> Path:
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text(FAKE_TORCH.format(failure=failure))
    (folder / "torch" / "nn.py").touch()
    (folder / "script.py").write_text(source)
    return folder / "script.py"


SEEN = "print(open(__import__('os').environ['HARNESS_LOG']).read())\n"
FINDERS = "import sys\nprint([str(finder) for finder in sys.meta_path if 'inspector' in str(finder)])\n"


@pytest.mark.parametrize("statement", ["import torch", "import torch.nn", "from torch import nn as torch"])
def test_called_before_the_next_line(statement, tmp_path):
    script = torch_script(tmp_path, f"{statement}\n{SEEN}{FINDERS}print(torch.__spec__, torch.__loader__)")
    log = tmp_path / "log"
    ours = python(HARNESS, script, 0, cwd=tmp_path, HARNESS_LOG=log)
    assert ours.stdout.startswith("torch False inspector\n\n[]\nModuleSpec(name='torch")
    assert "SourceFileLoader" in ours.stdout
    assert log.read_text().count("torch") == 1


def test_torch_is_not_imported_by_a_look_for_it(tmp_path):
    find = "import importlib.util, sys\nprint(importlib.util.find_spec('torch').name, 'torch' in sys.modules)\n"
    script = torch_script(tmp_path, find + "print(importlib.util.find_spec('nowhere'))")
    assert_same(script, 0, cwd=tmp_path)
    assert log_of(script, 0, cwd=tmp_path) == ["status 0 None False False ScriptExit"]


def test_reload_and_threads_call_once(tmp_path):
    script = torch_script(
        tmp_path,
        "import importlib, threading\n"
        "def load():\n    import torch\n"
        "threads = [threading.Thread(target=load) for _ in range(8)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "import torch\nimportlib.reload(torch)\n",
    )
    assert log_of(script, 0, cwd=tmp_path) == ["torch False inspector", "status 0 None False False ScriptExit"]


@pytest.mark.parametrize("failure", ["OSError('no library')", "ImportError('no library')", "KeyboardInterrupt"])
def test_failing_import_of_torch(failure, tmp_path):
    twice = (
        "import traceback\n"
        "try:\n    import torch\nexcept BaseException:\n    traceback.print_exc()\n"
        "import torch\n"
    )
    script = torch_script(tmp_path, twice, failure)
    assert_same(script, 9, cwd=tmp_path)  # fails twice
    assert_same(script, 2, cwd=tmp_path)  # fails once
    assert log_of(script, 2, cwd=tmp_path)[0] == "torch False inspector"


def test_error_of_ours_is_one_line(tmp_path):
    script = torch_script(tmp_path, "import torch\nprint('goes on')")
    ours = python(HARNESS, script, 0, cwd=tmp_path, HARNESS_FAIL=1)
    assert (ours.status, ours.stdout) == (0, "goes on\n")
    assert ours.stderr == "inspect: torch cannot be observed: RuntimeError: deliberate\n"


def test_real_torch(tmp_path):
    log = tmp_path / "log"
    (tmp_path / "script.py").write_text(
        "import sys\nprint('torch' in sys.modules)\nimport torch\n"
        + SEEN
        + FINDERS
        + "torch.ones(2) @ torch.ones(3)\n"
    )
    ours = python(HARNESS, "script.py", cwd=tmp_path, HARNESS_LOG=log)
    assert ours.stdout == "False\ntorch True inspector\n\n[]\n"
    assert ours.status == 1
    assert "scripts_script" not in ours.stderr and "inspector/runscript" not in ours.stderr
    assert log.read_text().splitlines()[1].startswith("status 1 RuntimeError: inconsistent tensor size")


# Small parts.


def test_describe_survives_a_broken_message():
    class Broken(Exception):
        def __str__(self):
            raise ValueError

    assert ScriptExit(1, Broken()).describe().endswith("Broken: (its message cannot be read)")
    assert ScriptExit(1, ValueError()).describe() == "ValueError"


def test_hidden_frames_in_the_middle():
    namespace = {}
    middle = str(Path(sys.modules["inspector.runscript"].__file__).with_name("somewhere.py"))
    exec(compile("def ours(function): function()", middle, "exec"), namespace)

    def fail():
        raise ValueError

    try:
        namespace["ours"](fail)
    except ValueError as caught:
        error = caught
    hide_our_frames(error)
    names = []
    trace = error.__traceback__
    while trace is not None:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert names == ["test_hidden_frames_in_the_middle", "fail"]
