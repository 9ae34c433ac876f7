"""Runs a command of ours in a fresh process that finds torch imported already.

`import torch` takes seconds; a fork takes some milliseconds. One server process imports torch, then forks a
child for every run. In conftest.py::

    @pytest.fixture(scope="session")        # once per pytest process, so once per xdist worker
    def fork_server():
        with ForkServer() as server:
            yield server

and in a test::

    ended = fork_server.run(["--stop", "train.py", "--epochs", "3"], cwd=folder, warnings="error")
    assert ended.status == 0, ended.stderr

The child is as a console script is: ``__main__`` calls the entry function, `sys.argv[0]` is the program
beside the interpreter, standard streams are files. What it cannot be: torch is in `sys.modules` before the
script; what is read when torch or the interpreter starts (OMP_NUM_THREADS, PYTHONHASHSEED, `sys.flags`) is
the server's; the process ends by `os._exit` after threads, atexit and flushing, unless `finalise` asks for
the interpreter's own end (half a second). Tests of those run a real process.
"""

import argparse
import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

_GRACE = 20.0
"""Seconds that the client waits for an answer beyond a run's own time limit."""


@dataclass(frozen=True)
class Completed:
    """status: the exit status, negative for the signal that ended the process."""

    status: int
    stdout: str
    stderr: str


class ForkServer:
    """A process that has imported `modules` and forks a child for each `run`.

    It starts with the first `run`, and ends with `close` or with this process.
    """

    def __init__(self, modules: Iterable[str] = ("torch",)) -> None:
        self._modules = list(modules)
        self._process: subprocess.Popen | None = None
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> "ForkServer":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def run(
        self,
        argv: Sequence[str | os.PathLike],
        *,
        cwd: str | os.PathLike,
        env: Mapping[str, str] | None = None,
        input: str = "",
        timeout: float = 300,
        entry: str = "inspector.cli:run",
        warnings: str | None = None,
        finalise: bool = False,
    ) -> Completed:
        """Call `entry` ("module:function") in a child, with ``sys.argv[1:] == argv``.

        env: the whole environment; None: this process's, as it is now. warnings: as after ``-W``.
        Raises TimeoutError, with what was printed, where the child took longer than `timeout` seconds; it
        and what it started are dead then.
        """
        request = {
            "argv": [os.fspath(argument) for argument in argv],
            "cwd": os.fspath(cwd),
            "env": dict(os.environ if env is None else env),
            "timeout": timeout,
            "entry": entry,
            "warnings": warnings,
            "finalise": finalise,
        }
        with contextlib.ExitStack() as stack:
            streams = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
            streams[0].write(input.encode())
            streams[0].seek(0)
            answer = self._ask(request, [stream.fileno() for stream in streams])
            stdout, stderr = (_text_of(stream) for stream in streams[1:])
        if answer["status"] is None:
            raise TimeoutError(f"{argv} took more than {timeout} s\nstdout:\n{stdout}\nstderr:\n{stderr}")
        return Completed(answer["status"], stdout, stderr)

    def close(self) -> None:
        """End the server. A later `run` starts another."""
        if self._process is None:
            return
        self._socket.close()
        self._process.kill()
        self._process.wait()
        self._process = self._socket = None

    def _ask(self, request: dict, descriptors: list[int]) -> dict:
        with self._lock:
            if self._process is None:
                self._start()
            payload = json.dumps(request).encode()
            self._socket.settimeout(request["timeout"] + _GRACE)
            try:
                # The length goes along with the descriptors, the rest may come in several pieces.
                socket.send_fds(self._socket, [len(payload).to_bytes(8, "big")], descriptors)
                self._socket.sendall(payload)
                answer = _receive(self._socket)
            except OSError as error:
                self.close()
                raise RuntimeError(f"the fork server does not answer: {error}") from error
            if answer is None:
                self.close()
                raise RuntimeError("the fork server has died")
            return answer

    def _start(self) -> None:
        self._socket, theirs = socket.socketpair()
        command = [sys.executable, __file__, str(theirs.fileno()), *self._modules]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        self._socket.settimeout(300)
        if _receive(self._socket) is None:  # says that the modules are imported
            self.close()
            raise RuntimeError("the fork server could not start; its own error is on stderr")


def _text_of(stream) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "backslashreplace")


def _send(connection: socket.socket, message: dict) -> None:
    payload = json.dumps(message).encode()
    connection.sendall(len(payload).to_bytes(8, "big") + payload)


def _receive(connection: socket.socket) -> dict | None:
    """The next message; None where the other end is gone."""
    header = _read(connection, 8)
    return None if header is None else json.loads(_read(connection, int.from_bytes(header, "big")) or b"null")


def _read(connection: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            return None
        data += piece
    return data


# The server's side.


def serve(connection: socket.socket, modules: Sequence[str]) -> None:
    """Import `modules` (and run nothing of them: a pool of threads does not outlive a fork), then fork."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for pytest, which then closes the connection
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # else the first collection in each child copies every page of what was imported
    _send(connection, {"ready": True})
    while True:
        header, descriptors, _, _ = socket.recv_fds(connection, 8, 3)
        if not header:
            return
        request = json.loads(_read(connection, int.from_bytes(header, "big")))
        child = os.fork()
        if child == 0:
            connection.close()
            _be_the_child(request, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        _send(connection, {"status": _wait(child, request["timeout"])})


def _wait(child: int, timeout: float) -> int | None:
    """The child's status; None, and it is dead, after `timeout` seconds. Its own children end with it."""
    # Not reaped yet, so that its number cannot be another's when its group is ended.
    waits = threading.Thread(target=os.waitid, args=(os.P_PID, child, os.WEXITED | os.WNOWAIT))
    waits.start()
    waits.join(timeout)
    has_ended = not waits.is_alive()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)  # it may have died, or not yet be the leader of its group
    waits.join()  # the server forks: it has no other thread then
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if has_ended else None


# The child's side.


def _be_the_child(request: dict, descriptors: Sequence[int]) -> None:
    """Never returns; raises SystemExit only for `finalise`."""
    os.setsid()
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
        os.close(descriptor)
    _be_fresh(request)
    status = _call(request["entry"])
    if request["finalise"] and status >= 0:
        raise SystemExit(status)
    _end(status)


def _be_fresh(request: dict) -> None:
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    # As a console script: its own folder first, then PYTHONPATH, then what the installation has.
    programs = Path(sys.executable).parent
    added = [path for path in request["env"].get("PYTHONPATH", "").split(os.pathsep) if path]
    installed = [path for path in sys.path[1:] if path not in _SERVER_PATH]
    sys.path[:] = [str(programs), *added, *installed]
    sys.argv = [str(programs / "inspect"), *request["argv"]]
    sys.orig_argv = [sys.executable, *sys.argv]
    main = ModuleType("__main__")
    main.__dict__.update(__annotations__={}, __builtins__=sys.modules["builtins"], __file__=sys.argv[0])
    sys.modules["__main__"] = main
    _open_streams()
    _set_warnings([*request["env"].get("PYTHONWARNINGS", "").split(","), request["warnings"] or ""])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # which a shell has its background jobs ignore


_SERVER_PATH = {path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path}


def _open_streams() -> None:
    encoding, _, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        raw = io.FileIO(descriptor, "w" if descriptor else "r", closefd=False)
        raw.name = f"<{name}>"
        stream = io.TextIOWrapper(
            io.BufferedWriter(raw) if descriptor else io.BufferedReader(raw),
            encoding=encoding or "utf-8",
            errors="backslashreplace" if name == "stderr" else errors or "strict",
            line_buffering=name == "stderr",
        )
        stream.mode = "w" if descriptor else "r"
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _set_warnings(options: Sequence[str]) -> None:
    options = [option for option in options if option]
    if options:
        sys.warnoptions[:] = options
        warnings._processoptions(options)


def _call(entry: str) -> int:
    """What the process ends with after `sys.exit(entry())`; -SIGINT after KeyboardInterrupt."""
    module, _, function = entry.partition(":")
    try:
        result = getattr(importlib.import_module(module), function)()
        raise SystemExit(result)
    except SystemExit as end:
        ended = end
    except BaseException as error:
        ended = error
    if not isinstance(ended, SystemExit):
        sys.excepthook(type(ended), ended, ended.__traceback__)
        return -signal.SIGINT if type(ended) is KeyboardInterrupt else 1
    if ended.code is None or isinstance(ended.code, int):
        return (ended.code or 0) & 0xFF
    print(ended.code, file=sys.stderr)
    return 1


def _end(status: int) -> None:
    """The interpreter's own steps, without taking its modules apart."""
    try:
        threading._shutdown()
    except BaseException:
        traceback.print_exc()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except Exception:
            status = 120  # as the interpreter ends when it cannot flush
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("descriptor", type=int)
    parser.add_argument("modules", nargs="*")
    arguments = parser.parse_args()
    serve(socket.socket(fileno=arguments.descriptor), arguments.modules)
