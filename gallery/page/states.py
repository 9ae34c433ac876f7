"""Pictures of the interactive page in twelve states: `python -m gallery.page.states` writes them into `states/`.

Needs Chromium and the package playwright, as the tests do. They show what the page looked like when they were last
taken; README and docs show some of them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

SCRIPTS = Path(__file__).parents[1]
FOLDER = Path(__file__).parent / "states"
COLOURS = 96
"""In a picture: as many as its text needs, in a third of the bytes."""
WIDE, NARROW = (1280, 800), (800, 600)


@dataclass(frozen=True)
class State:
    """A state of a page: the script, what is done to it, and how it is looked at.

    actions: `click SELECTOR`, `press KEY` or `type TEXT`, in order.
    """

    name: str
    script: str
    actions: Sequence[str] = ()
    theme: str = "light"
    size: tuple[int, int] = WIDE


STATES = (
    State("small", "saddle"),
    State("small-dark-narrow", "saddle", theme="dark", size=NARROW),
    State("live", "olah", ["click g.card"]),
    State("step", "saddle", ["click #before", "press ]", "press ]"]),
    State("slide", "olah", ["press s", "press ]", "press ]"], theme="dark"),
    State("quiz", "olah", ["click #quiz"]),
    State("model", "gpt2"),
    State("model-heat-dark", "gpt2", ["press h"], theme="dark"),
    State("unrolled", "lstm", ["click #open-all"]),
    State("node", "lstm", ["click g.node", "press p"]),
    State("search", "lstm", ["press /", "type op:tanh grad>0"], size=NARROW),
    State("keys", "lstm", ["press ?"], theme="dark"),
)


def write_states(folder: Path) -> list[Path]:
    """Run the scripts, open their pages and write a PNG of each state."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work, sync_playwright() as playwright:
        pages = {script: _page(script, Path(work)) for script in sorted({state.script for state in STATES})}
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        files = [_write(browser, state, pages[state.script], folder) for state in STATES]
        browser.close()
    return files


def _page(script: str, work: Path) -> Path:
    options = ("-f", "html", "--stop", "-o", f"{work / script}/")
    command = [sys.executable, "-m", "inspector", *options, str(SCRIPTS / f"{script}.py")]
    subprocess.run(command, check=True, capture_output=True)
    return work / script / "backward-1.html"


def _write(browser: Browser, state: State, page: Path, folder: Path) -> Path:
    width, height = state.size
    tab = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme=state.theme, reduced_motion="reduce"
    )
    tab.goto(page.as_uri())
    tab.wait_for_selector("html[data-ready]", state="attached")
    for action in state.actions:
        kind, _, what = action.partition(" ")
        if kind == "click":
            tab.locator(what).first.click()
        elif kind == "press":
            tab.keyboard.press(what)
        else:
            tab.keyboard.type(what)
    tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    file = folder / f"{state.name}.png"
    tab.screenshot(path=file)
    tab.close()
    with Image.open(file) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    return file


if __name__ == "__main__":
    print(*write_states(Path(sys.argv[1]) if sys.argv[1:] else FOLDER), sep="\n")
