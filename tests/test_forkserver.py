"""The fork server of the tests: a child of it is as a process of its own. (No torch: `modules` is small.)"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from forkserver import ForkServer

TARGETS = """
import atexit, os, signal, sys, threading, warnings, subprocess

def says():
    import __main__
    print(sys.argv[1:], os.getcwd(), os.environ["COLOUR"], "HOME" in os.environ, __main__.__name__)
    print(repr(sys.stdin.read()), sys.stdin.isatty(), sys.stdout.name, sys.stdout.encoding)
    print("é", file=sys.stderr)
    return 3

def says_text(): sys.exit("text")
def leaves_quietly(): pass
def raises(): 1 / 0
def is_interrupted(): raise KeyboardInterrupt
def is_killed(): os.kill(os.getpid(), signal.SIGSEGV)
def sleeps():
    print("asleep", flush=True)
    subprocess.run(["tail", "-f", "/dev/null"])
def warns(): warnings.warn("careful")
def closes(): print("x"); sys.stdout.close()

def ends():
    def late():
        threading.main_thread().join()
        print("thread")
    threading.Thread(target=late).start()
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    atexit.register(print, "at exit")
    print("main")

class Loud:
    def __del__(self): print("deleted")

def is_finalised():
    sys.modules["__main__"].loud = Loud()
    sys.exit(5)

def state():
    import json
    print("seen" in json.__dict__, sys.modules.get("shared") is not None)
    json.seen = True

def path(): print(sys.path[1:3], os.path.basename(sys.argv[0]))
def pid(): print(os.getppid())
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ForkServer(["json"]) as server:
        yield server


@pytest.fixture
def run(server, tmp_path):
    (tmp_path / "targets.py").write_text(TARGETS)

    def run(name, *argv, env=None, **options):
        env = os.environ | {"PYTHONPATH": str(tmp_path)} | (env or {})
        return server.run(argv, cwd=tmp_path, env=env, entry=f"targets:{name}", **options)

    return run


def test_arguments_streams_and_status(run, tmp_path):
    ended = run("says", "--a", "b c", env={"COLOUR": "blue"}, input="line\nä")
    home = "HOME" in os.environ
    assert ended.stdout == (f"['--a', 'b c'] {tmp_path} blue {home} __main__\n'line\\nä' False <stdout> utf-8\n")
    assert (ended.status, ended.stderr) == (3, "é\n")


@pytest.mark.parametrize(
    ("name", "status", "stderr"),
    [
        ("says_text", 1, "text\n"),
        ("leaves_quietly", 0, ""),
        ("raises", 1, "ZeroDivisionError: division by zero\n"),
        ("is_interrupted", -signal.SIGINT, "KeyboardInterrupt\n"),
        ("is_killed", -signal.SIGSEGV, ""),
        ("no_such", 1, "AttributeError: module 'targets' has no attribute 'no_such'\n"),
        ("closes", 0, ""),
    ],
)
def test_ends(run, name, status, stderr):
    ended = run(name)
    assert ended.status == status
    assert ended.stderr.endswith(stderr) and bool(ended.stderr) == bool(stderr)


def test_threads_then_atexit(run):
    assert run("ends").stdout == "main\nthread\nat exit\n"


@pytest.mark.parametrize("finalise", [False, True])
def test_interpreter_takes_itself_apart_only_if_asked(run, finalise):
    ended = run("is_finalised", finalise=finalise)
    assert (ended.status, ended.stdout) == (5, "deleted\n" if finalise else "")


def test_time_limit_ends_grandchildren(run):
    start = time.monotonic()
    with pytest.raises(TimeoutError, match="asleep"):
        run("sleeps", timeout=0.5)
    assert time.monotonic() - start < 5
    assert run("leaves_quietly").status == 0


def test_warnings(run):
    assert run("warns").status == 0
    assert "UserWarning: careful" in run("warns").stderr
    assert run("warns", warnings="error").status == 1
    assert run("warns", env={"PYTHONWARNINGS": "ignore"}).stderr == ""
    assert run("warns", env={"PYTHONWARNINGS": "ignore"}, warnings="error").status == 1


def test_children_share_nothing(run):
    assert run("state").stdout == run("state").stdout == "False False\n"


def test_path_and_program(run, tmp_path):
    path, program = run("path").stdout.rsplit(" ", 1)
    assert program == "inspect\n"
    assert path.startswith(f"['{tmp_path}', ")


def test_environment_is_taken_when_it_runs(server, monkeypatch, tmp_path):
    (tmp_path / "targets.py").write_text(TARGETS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert server.run([], cwd=tmp_path, entry="targets:leaves_quietly").status == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_close_leaves_no_process(tmp_path):
    (tmp_path / "targets.py").write_text(TARGETS)
    server = ForkServer(["json"])
    server.close()  # nothing has started
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    with server:
        process = int(server.run([], cwd=tmp_path, env=env, entry="targets:pid").stdout)
        assert Path(f"/proc/{process}").exists()
    assert not Path(f"/proc/{process}").exists()
    assert server.run([], cwd=tmp_path, env=env, entry="targets:leaves_quietly").status == 0
    server.close()


@pytest.mark.parametrize("name", ["threads", "interrupted", "excepthook_exits", "multiprocessing_spawn"])
def test_script_in_a_child_is_as_in_a_process(server, tmp_path, name):
    scripts = Path(__file__).parent / "scripts_script"
    script = str(scripts / "same" / f"{name}.py")
    env = os.environ | {"PYTHONPATH": str(scripts)}
    ours = server.run([script], cwd=tmp_path, env=env, entry="harness:main")
    plain = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True)
    assert (ours.status, ours.stdout, ours.stderr) == (plain.returncode, plain.stdout, plain.stderr)


def test_server_that_cannot_start(tmp_path, capfd):
    with pytest.raises(RuntimeError, match="could not start"):
        ForkServer(["no_such_module"]).run([], cwd=tmp_path)
    assert "no_such_module" in capfd.readouterr().err


def test_torch_works_in_a_child(tmp_path):
    (tmp_path / "small.py").write_text(
        "import sys\n"
        "def run():\n"
        "    assert 'torch' in sys.modules\n"
        "    import torch\n"
        "    x = torch.ones(600, 600, requires_grad=True)\n"
        "    (x @ x).sum().backward()\n"
        "    print(x.grad[0, 0].item())\n"
    )
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    with ForkServer() as server:
        for _ in range(2):
            ended = server.run([], cwd=tmp_path, env=env, entry="small:run")
            assert (ended.status, ended.stdout, ended.stderr) == (0, "1200.0\n", "")
