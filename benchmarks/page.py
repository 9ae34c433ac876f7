"""What the interactive page costs a reader: `python -m benchmarks.page`.

Pages of two graphs of 10,000 Nodes, of a deep model and of a figure of 30 Nodes whose leaves can be moved are
opened in Chromium, from disk, without a GPU. Times are those of the browser: until the graph is painted, and
between one frame and the next while something moves (the median of 24), or the main thread's work for a frame (the
mean). Needs Chromium and the package playwright, as the tests do.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright
from torch import nn

import inspector
from benchmarks.models import GPT
from inspector.page import write_page

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    "--js-flags=--expose-gc",
)
LIVE = "30 Nodes, live"
_SIZE = {"width": 1280, "height": 800}

_FRAMES = """async (what) => {
    const stage = document.querySelector('#stage'), area = stage.getBoundingClientRect(), times = [];
    stage.setPointerCapture = () => {};
    const point = (name, x, y) => stage.dispatchEvent(new PointerEvent(
        name, {bubbles: true, clientX: area.left + x, clientY: area.top + y, button: 0, pointerId: 1}
    ));
    const wheel = (turn) => stage.dispatchEvent(new WheelEvent(
        'wheel', {bubbles: true, cancelable: true, deltaY: turn, clientX: area.left + 300, clientY: area.top + 300}
    ));
    const slider = document.querySelector('#details input[type=range]');
    const slide = (part) => {
        slider.value = +slider.min + part * (slider.max - slider.min);
        slider.dispatchEvent(new Event('input', {bubbles: true}));
    };
    if (what === 'drag') point('pointerdown', 300, 300);
    if (what === 'play') {
        document.querySelector('#before').click();
        document.querySelector('#speed').selectedIndex = document.querySelector('#speed').options.length - 1;
        document.querySelector('#speed').dispatchEvent(new Event('change'));
        document.querySelector('#play').click();
    }
    let last = performance.now();
    for (let k = 0; k < 24; k++) {
        if (what === 'drag') point('pointermove', 300 + 4 * k, 300 + 2 * k);
        if (what === 'wheel') wheel(k < 12 ? -15 : 15);
        if (what === 'slide') slide(k / 24);
        await new Promise(requestAnimationFrame);
        times.push(performance.now() - last);
        last = performance.now();
    }
    if (what === 'drag') point('pointerup', 300, 300);
    if (what === 'play') document.querySelector('#play').click();
    return times.sort((one, other) => one - other)[12];
}"""

_OPENING = """async () => {
    const box = [...document.querySelectorAll('g.box')].at(-1), start = performance.now();
    box.dispatchEvent(new MouseEvent('click', {bubbles: true}));
    await new Promise(requestAnimationFrame);
    return performance.now() - start;
}"""

_NOTE_PAINT = """new MutationObserver((_, observer) => {
    if (!document.documentElement?.hasAttribute('data-ready')) return;
    observer.disconnect();
    requestAnimationFrame(() => requestAnimationFrame((now) => { window.paintedAt = now; }));
}).observe(document, {attributes: true, childList: true, subtree: true});"""

_PAINTED = "window.paintedAt"
_HEAP = "gc(); performance.memory.usedJSHeapSize / 1e6"


@dataclass(frozen=True)
class Gate:
    """A measurement of an opened page, and the largest value it should have, in `unit`."""

    page: str
    what: str
    most: float
    unit: str
    measure: Callable[[Page], float]


def _frames(what: str) -> Callable[[Page], float]:
    return lambda page: float(page.evaluate(_FRAMES, what))


def _work(what: str) -> Callable[[Page], float]:
    """The main thread's time for a frame, without the wait for the screen."""

    def measure(page: Page) -> float:
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        before = _task_seconds(session)
        page.evaluate(_FRAMES, what)
        return (_task_seconds(session) - before) * 1000 / 24

    return measure


def _task_seconds(session: CDPSession) -> float:
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(row["value"] for row in metrics if row["name"] == "TaskDuration"))


def _value(expression: str) -> Callable[[Page], float]:
    return lambda page: float(page.evaluate(expression))


def _open_all(page: Page) -> float:
    start = page.evaluate("performance.now()")
    page.click("#open-all")
    page.evaluate("() => new Promise(requestAnimationFrame)")
    return float(page.evaluate("performance.now()") - start)


def _of_many_nodes(page: str) -> tuple[Gate, ...]:
    return (
        Gate(page, "first paint", 1500, "ms", _value(_PAINTED)),
        Gate(page, "open all", 10_000, "ms", _open_all),
        Gate(page, "a frame while dragging", 33.4, "ms", _frames("drag")),
        Gate(page, "a frame while zooming", 33.4, "ms", _frames("wheel")),
        Gate(page, "a frame of playback", 33.4, "ms", _frames("play")),
        Gate(page, "memory", 300, "MB", _value(_HEAP)),
    )


GATES = (
    *_of_many_nodes("10,000 in modules"),
    *_of_many_nodes("10,000 without"),
    Gate("GPT, 12 blocks", "first paint", 1500, "ms", _value(_PAINTED)),
    Gate("GPT, 12 blocks", "open a block", 100, "ms", _value(_OPENING)),
    Gate(LIVE, "first paint", 1500, "ms", _value(_PAINTED)),
    Gate(LIVE, "work a frame while a leaf moves", 16, "ms", _work("slide")),
)
"""In this order: what is opened stays open."""


def _large() -> inspector.Recording:
    model = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(2000)))
    with inspector.record() as recording:
        model(torch.ones(1, 4)).sum().backward()
    return recording


def _wide() -> inspector.Recording:
    """A hundred strands, each of which meets its neighbour in every round."""
    strands = [torch.tensor(float(number), requires_grad=True) for number in range(100)]
    with inspector.record() as recording:
        for _ in range(100):
            strands = [one + other for one, other in zip(strands, [*strands[1:], strands[0]], strict=True)]
        torch.stack(strands).sum().backward()
    return recording


def _deep() -> inspector.Recording:
    model = GPT(12, 64)
    with inspector.record() as recording:
        model(torch.zeros(1, 8, dtype=torch.int64)).sum().backward()
    return recording


def _live() -> inspector.Recording:
    a, b = torch.tensor(0.7, requires_grad=True), torch.tensor(1.2, requires_grad=True)
    with inspector.record() as recording:
        z = a * b
        for _ in range(5):
            z = torch.sin(z * a) + torch.exp(-z * b)
        z.backward()
    return recording


PAGES: dict[str, Callable[[], inspector.Recording]] = {
    "10,000 in modules": _large,
    "10,000 without": _wide,
    "GPT, 12 blocks": _deep,
    LIVE: _live,
}


def _opened(browser: Browser, folder: Path, name: str) -> Iterator[tuple[Gate, float]]:
    """The gates of one page, each with what was measured."""
    file = folder / "page.html"
    file.write_bytes(write_page(PAGES[name]().calls[0]))
    page = browser.new_page(viewport=_SIZE, reduced_motion="reduce")  # type: ignore[arg-type]
    page.set_default_timeout(60_000)
    page.add_init_script(_NOTE_PAINT)
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    page.evaluate("() => new Promise(done => setTimeout(done, 500))")
    if name == LIVE:
        page.click("#open-all")
        page.locator("#outline li", has=page.locator(".leaf")).first.click()
    for gate in GATES:
        if gate.page == name:
            yield gate, gate.measure(page)
            if gate.what == "open all":
                page.click("#fit")
    page.close()


def main() -> None:
    """Print a line for each gate."""
    print(f"{'page':17}  {'what':32}  {'measured':>11}  {'at most':>11}")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)
        for name in PAGES:
            for gate, found in _opened(browser, Path(folder), name):
                measured, most = f"{found:8.1f} {gate.unit}", f"{gate.most:8.1f} {gate.unit}"
                print(f"{gate.page:17}  {gate.what:32}  {measured}  {most}", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
