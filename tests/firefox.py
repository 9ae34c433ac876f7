"""Firefox without a window, driven over its own protocol (Marionette), which needs no package."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("firefox-esr") or shutil.which("firefox")
_SECONDS = 60


class Firefox:
    """A connection to a Firefox that was started with --marionette."""

    def __init__(self, connection: socket.socket) -> None:
        self._stream = connection.makefile("rwb")
        self._number = 0
        self._read()  # its greeting
        self.ask("WebDriver:NewSession", capabilities={"alwaysMatch": {"acceptInsecureCerts": False}})

    def ask(self, command: str, **parameters: Any) -> Any:
        """The answer to a command of WebDriver. Raises AssertionError with what Firefox says is wrong."""
        self._number += 1
        text = json.dumps([0, self._number, command, parameters]).encode()
        self._stream.write(b"%d:%s" % (len(text), text))
        self._stream.flush()
        _, _, error, found = self._read()
        assert error is None, error
        return found

    def run(self, script: str) -> Any:
        """The result of a script; `done` is to be called with it."""
        body = f"const done = arguments[arguments.length - 1]; {script}"
        return self.ask("WebDriver:ExecuteAsyncScript", script=body, args=[])["value"]

    def _read(self) -> Any:
        size = b""
        while (letter := self._stream.read(1)) != b":":
            assert letter, "Firefox has closed the connection"
            size += letter
        return json.loads(self._stream.read(int(size)))


@contextmanager
def open_firefox(folder: Path) -> Iterator[Firefox]:
    """Firefox with a fresh profile in a folder, and a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "user.js").write_text(f'user_pref("marionette.port", {port});\n')
    command = [str(PROGRAM), "--headless", "--marionette", "--no-remote", "--profile", str(folder)]
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "MOZ_DISABLE_CONTENT_SANDBOX": "1"}
    log = folder / "log"
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file, env=environment) as process:
        try:
            yield Firefox(_connected(port, process))
        finally:
            process.kill()


def _connected(port: int, process: subprocess.Popen[bytes]) -> socket.socket:
    """The connection, as soon as Firefox takes one."""
    for _ in range(_SECONDS * 4):
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=_SECONDS)
        except OSError:
            try:
                process.wait(0.25)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"Firefox has ended with status {process.returncode}") from None
        return connection
    raise AssertionError(f"Firefox does not listen on port {port}")
