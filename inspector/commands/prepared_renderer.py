"""A process that is ready to draw a report: it imports what that needs while the script imports torch.

The script must not notice it. It is no child of the script's process, so no `wait` of the script finds it. It has
a session of its own, so no signal to the script's group reaches it. The two share no descriptor until there is
something to draw: the process listens on a socket, and ends when the script's process does, or after a minute. All
this needs Linux; on other systems a child process is started when there is something to draw.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from inspector.util.child_python import child_environment, python_command

_LONGEST_WAIT = 60_000
"""Milliseconds to wait for something to draw: for a longer script, the time to import does not count."""

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

    def ask(self, arguments: list[str]) -> bool:
        """Let it draw as `inspect` with these arguments does; return whether it will."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(f"\0{self._name}")
            request = {"folder": os.getcwd(), "arguments": arguments}  # noqa: PTH109
            connection.sendall(json.dumps(request).encode() + b"\n")
        except OSError:
            connection.close()
            return False
        self._connection = connection
        return True

    def answer(self, limit: float) -> tuple[int, str] | None:
        """Wait for its exit status and what it printed; None if it has crashed.

        Raises TimeoutError after `limit` seconds without a word from it.
        """
        assert self._connection is not None
        self._connection.settimeout(limit)
        printed = b""
        with contextlib.suppress(ConnectionError):
            while received := self._connection.recv(1 << 16):
                printed += received
        self._connection.close()
        text, end, status = printed.rpartition(b"\0")
        return (int(status), text.decode(errors="replace")) if end and status else None

    def stop(self) -> None:
        """Kill it. It is alive as long as it is connected."""
        if self._connection is None or self._connection.fileno() < 0:
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
        _draw(connection, run)
    os._exit(0)


def _accepted(listener: socket.socket, watched: int) -> socket.socket | None:
    """The connection from the script's process; None if that has ended, or asks for nothing."""
    waiting = select.poll()
    for descriptor in (listener.fileno(), watched):
        waiting.register(descriptor, select.POLLIN)
    ready = {descriptor for descriptor, _ in waiting.poll(_LONGEST_WAIT)}
    return listener.accept()[0] if listener.fileno() in ready and watched not in ready else None


def _draw(connection: socket.socket, run: Callable[[], None]) -> None:
    """Draw what is asked for. What is printed goes to the other end, and after it the exit status."""
    with connection.makefile("rb") as lines:
        request = json.loads(lines.readline())
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
