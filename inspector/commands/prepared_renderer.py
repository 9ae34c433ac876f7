"""A process that is ready to draw a report: it imports what that needs while the script imports torch. It has
imported sympy as well, so it computes derivatives in symbols for the process that runs the script.

The script must not notice it. It is no child of the script's process, so no `wait` of the script finds it. It has
a session of its own, so no signal to the script's group reaches it. The two share no descriptor until there is
something to compute or draw: the process listens on a socket, and ends when the script's process does, or after a
minute. All this needs Linux; on other systems a child process is started when there is something to draw.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from inspector.util.child_python import child_environment, python_command

if TYPE_CHECKING:
    from inspector.derivatives import AddedRows
    from inspector.graph import Graph

_LONGEST_WAIT = 60_000
"""Milliseconds to wait for something to draw: for a longer script, the time to import does not count."""

_READY = b"\n"
"""What the process sends first, when it has imported everything."""

_LONGEST_IMPORT, _LONGEST_DERIVATION = 0.1, 10.0
"""Seconds to wait until it is ready, and for derivatives in symbols, before these are computed here."""

_NICENESS = 5
"""The script comes first, where both need the processor."""

_SERVE = """
import sys
from inspector.commands.prepared_renderer import serve

def run():
    from inspector.cli import run
    run()

serve(run, *sys.argv[1:])
"""


class PreparedRenderer:
    """The process, as the one that runs the script sees it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._connection: socket.socket | None = None
        self._file: tuple[int, int] | None = None
        """What its descriptor stands for."""
        self._is_ready = self._is_gone = False

    @classmethod
    def start(cls) -> PreparedRenderer | None:
        """Start it, before the script and torch; None where the script would notice it or it saves no time."""
        if not hasattr(os, "pidfd_open") or not hasattr(os, "sched_getaffinity") or "torch" in sys.modules:
            return None
        if os.getpid() == 1 or len(os.sched_getaffinity(0)) < 2:  # process 1 adopts all orphans
            return None
        name = f"inspect-{os.getpid()}-{os.urandom(8).hex()}"
        try:
            _detach(python_command(_SERVE, name, str(os.getpid())), child_environment())
        except OSError:
            return None
        return cls(name)

    def derive(self, graph: Graph) -> None:
        """Add derivatives in symbols to a graph. Where sympy is needed, that process computes them if it can.

        Not in another thread, where graphs are built while the script goes on: it would see the connection.
        """
        from inspector.derivatives import add_local_derivatives, add_rows, may_have_symbols
        from inspector.graph.json_rows import to_rows

        is_main = threading.current_thread() is threading.main_thread()
        is_asked = is_main and "sympy" not in sys.modules and may_have_symbols(graph)
        added = self._derived(to_rows(graph)) if is_asked else None
        if added is None:
            add_local_derivatives(graph)
        else:
            add_rows(graph, added)

    def _derived(self, rows: dict[str, Any]) -> AddedRows | None:
        """What `derive_rows` returns for some rows, computed by that process; None if it does not answer."""
        connection = self._connected()
        if connection is None:
            return None
        try:
            if not self._has_imported(connection):
                return None
            connection.settimeout(_LONGEST_DERIVATION)
            connection.sendall(json.dumps({"derive": rows}).encode() + b"\n")
            with connection.makefile("rb") as lines:
                added: AddedRows = json.loads(lines.readline())
                return added
        except (OSError, ValueError):  # it crashed, or was killed
            self._give_up()
            return None
        except BaseException:  # Ctrl-C: its answer would be taken for that to the next request
            self._give_up()
            raise

    def _give_up(self) -> None:
        self.stop()
        self._is_gone = True

    def _has_imported(self, connection: socket.socket) -> bool:
        """Whether the process is ready to compute."""
        if not self._is_ready and select.select([connection], [], [], _LONGEST_IMPORT)[0]:
            self._is_ready = connection.recv(1) == _READY
        return self._is_ready

    def ask(self, arguments: list[str]) -> bool:
        """Let it draw as `inspect` with these arguments does; return whether it will."""
        connection = self._connected()
        if connection is None:
            return False
        connection.settimeout(None)
        request = {"folder": os.getcwd(), "arguments": arguments}  # noqa: PTH109
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
        except OSError:
            connection.close()
            self._is_gone = True
        return not self._is_gone

    def _connected(self) -> socket.socket | None:
        """The connection to the process; None if there is none."""
        if self._connection is None and not self._is_gone:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(f"\0{self._name}")
            except OSError:
                connection.close()
                return None
            self._connection, self._file = connection, _file_of(connection)
        elif self._connection is not None and _file_of(self._connection) != self._file:
            self._connection.detach()  # the script has closed all descriptors, and may have opened others
            self._is_gone = True
        return None if self._is_gone else self._connection

    def answer(self, limit: float) -> tuple[int, str] | None:
        """Wait for its exit status and what it printed; None if it has crashed.

        Raises TimeoutError after `limit` seconds without a word from it.
        """
        connection = self._connected()
        if connection is None:
            return None
        connection.settimeout(limit)
        printed = b""
        with contextlib.suppress(ConnectionError):
            while received := connection.recv(1 << 16):
                printed += received
        connection.close()
        text, end, status = printed.rpartition(b"\0")
        return (int(status), text.decode(errors="replace")) if end and status else None

    def stop(self) -> None:
        """Kill it. It is alive as long as it is connected."""
        if self._connection is None or self._connection.fileno() < 0 or _file_of(self._connection) != self._file:
            return
        process, _, _ = _peer(self._connection)
        with contextlib.suppress(OSError):
            os.kill(process, 9)
        self._connection.close()


def _detach(command: list[str], environment: dict[str, str]) -> None:
    """Start a process that is nobody's child, without streams, and with a session of its own."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(nothing, stream)
            for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
                if descriptor > 2:
                    with contextlib.suppress(OSError):  # that of the listing is closed already
                        os.close(descriptor)
            os.nice(_NICENESS)
            os.execve(command[0], command, environment)
    finally:
        os._exit(0)


def _file_of(connection: socket.socket) -> tuple[int, int] | None:
    """What the descriptor of a connection stands for; None if it is closed."""
    try:
        found = os.fstat(connection.fileno())
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _peer(connection: socket.socket) -> tuple[int, int, int]:
    """The ids of the process, user and group at the other end."""
    size = struct.calcsize("3i")
    process, user, group = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return process, user, group


def serve(run: Callable[[], None], name: str, script: str) -> NoReturn:
    """In the process itself: import what draws, wait for a request of the script's process, draw, and end.

    run: the command `inspect` with the arguments in `sys.argv`.
    """
    watched = os.pidfd_open(int(script))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{name}")
        listener.listen(1)
        from inspector.commands.warm_up import warm_up

        warm_up()
        connection = _accepted(listener, watched)
    if connection is not None and _peer(connection)[:2] == (int(script), os.getuid()):
        with contextlib.suppress(OSError):  # the other process has ended
            _answer_requests(connection, run)
    os._exit(0)


def _accepted(listener: socket.socket, watched: int) -> socket.socket | None:
    """The connection from the script's process; None if that has ended, or asks for nothing."""
    waiting = select.poll()
    for descriptor in (listener.fileno(), watched):
        waiting.register(descriptor, select.POLLIN)
    ready = {descriptor for descriptor, _ in waiting.poll(_LONGEST_WAIT)}
    return listener.accept()[0] if listener.fileno() in ready and watched not in ready else None


def _answer_requests(connection: socket.socket, run: Callable[[], None]) -> None:
    """Compute the derivatives of the graphs that are sent, then draw what is asked for, if anything is."""
    connection.sendall(_READY)
    with connection.makefile("rb") as lines:
        for line in lines:
            request = json.loads(line)
            if "derive" not in request:
                _draw(connection, request, run)
                return
            from inspector.derivatives import derive_rows

            try:
                added = derive_rows(request["derive"])
            except Exception:  # the other process says what the error is, when it computes them
                return
            connection.sendall(json.dumps(added).encode() + b"\n")


def _draw(connection: socket.socket, request: dict[str, Any], run: Callable[[], None]) -> None:
    """Draw what is asked for. What is printed goes to the other end, and after it the exit status."""
    os.dup2(connection.fileno(), 2)
    sys.argv = ["inspect", *request["arguments"]]
    try:
        os.chdir(request["folder"])
        run()
    except SystemExit as exit:
        status = exit.code if isinstance(exit.code, int) else 0
    except BaseException:
        traceback.print_exc()
        status = 1
    with contextlib.suppress(OSError):
        sys.stderr.flush()
        connection.sendall(b"\0%d" % status)
