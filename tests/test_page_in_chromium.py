"""The page as a person uses it, in Chromium over file://, without a network and under the page's own policy.

Needs Debian's package `chromium`. Where CI is set a missing one fails; elsewhere these tests are skipped.
"""

from __future__ import annotations

import json
import math
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import graphs
import pytest
import reports
import torch
from chromium import PROGRAM, open_browser
from golden import FOLDER as GOLDEN
from msgspec.structs import replace
from PIL import Image
from playwright.sync_api import Browser, Page
from test_page_data import hostile_graph

import inspector
from inspector.diagnosis.mark_graph import mark_graph
from inspector.graph import Graph
from inspector.graph.rows import Rows
from inspector.graph.topology import topology_of
from inspector.page import PageSource, still_of, write_page
from inspector.report import BackwardCall, Report, from_json, load
from inspector.typography import format_number

pytestmark = pytest.mark.skipif(
    PROGRAM is None and not os.environ.get("CI"), reason="no chromium here (Debian's package `chromium`)"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert PROGRAM is not None, "no chromium: install Debian's package `chromium`"
    with open_browser() as browser:
        yield browser


class Opened:
    """A page in the browser, and what it complained about."""

    def __init__(self, browser: Browser, path: Path, **more: Any) -> None:
        size: Any = {"width": 1300, "height": 800}
        context = browser.new_context(viewport=size, offline=True, reduced_motion="reduce", **more)
        self.page: Page = context.new_page()
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.goto(path.as_uri())

    def _asked(self, url: str) -> None:
        if not url.startswith(("file:", "data:", "blob:")):
            self.said.append(url)

    def settle(self) -> None:
        """Wait until what was asked for is drawn, which happens in the next frame."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def texts(self, selector: str) -> list[str]:
        self.settle()
        return self.page.locator(selector).all_text_contents()

    def count(self, selector: str) -> int:
        self.settle()
        return self.page.locator(selector).count()


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    """Opens the page of a report's first call; at the end nothing may have been complained about."""
    pages: list[Opened] = []

    def opened(report: Report, **more: Any) -> Opened:
        path = tmp_path / f"page{len(pages)}.html"
        path.write_bytes(write_page(report.calls[0], PageSource(report)))
        pages.append(Opened(browser, path, **more))
        pages[-1].page.wait_for_selector("html[data-ready]", state="attached")
        return pages[-1]

    yield opened
    for one in pages:
        one.page.context.close()
        assert one.said == []


def saddle() -> Report:
    return reports.report_of(graphs.saddle(2.0, 0.0))


def place(one: Opened, selector: str) -> tuple[float, float]:
    one.settle()
    box = one.page.locator(selector).first.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"]


# ---- the map ------------------------------------------------------------------------------------------------


def unrolled() -> Report:
    """The LSTM without modules: the iterations of its loop are boxes."""
    rows = json.loads((GOLDEN / "lstm.json").read_text("utf-8"))
    for row in rows["backward_calls"][0]["graph"]["nodes"]:
        if row["kind"] == "function":
            row["module"] = ""
            row.pop("passes", None)
    return from_json(json.dumps(rows))


def closed(show: Any) -> Opened:
    """Its page, with every box closed."""
    one: Opened = show(unrolled())
    assert one.texts(".titles .frame-name") == ["line 10, step 5"], "as in the picture"
    one.page.click("#close-all")
    one.page.click("#fit")
    return one


def test_the_page_starts_folded_and_a_click_opens_a_box_where_it_was(show: Any) -> None:
    one = closed(show)
    assert len(one.texts("g.box .bold.ink")) == 4
    key = one.page.locator("g.box", has_text="line 10, step 5").get_attribute("data-key")
    before = place(one, f"g[data-key={key}] > rect.body")
    one.page.locator("g.box", has_text="line 10, step 5").click()
    one.page.wait_for_selector(f"g.frame[data-key={key}]")
    after = place(one, f"g.frames g[data-key={key}] > rect")
    assert after == pytest.approx(before, abs=1.5)
    assert "line 10, step 5" in one.texts("#details h2")
    one.page.locator(f".titles g[data-key={key}]").click()
    one.page.wait_for_selector(f"g.box[data-key={key}]")
    assert place(one, f"g[data-key={key}] > rect.body") == pytest.approx(before, abs=1.5)


def test_one_of_several_equal_parts_can_be_opened(show: Any) -> None:
    one = closed(show)
    one.page.locator("#outline li", has_text="step 2–4").locator(".name").click()  # noqa: RUF001
    one.page.locator("#details .parts button", has_text="step 3").click()
    one.page.click("#fit")
    assert one.texts(".titles .frame-name") == ["line 10, step 3"]
    names = {f"line 10, step {number}" for number in (5, 4, 2, 1)}
    assert names <= set(one.texts("g.box .bold.ink"))


def test_a_drag_moves_and_the_wheel_zooms_under_the_pointer(show: Any) -> None:
    one = show(saddle())
    x, y = place(one, "g.card >> nth=0")
    one.page.mouse.move(600, 700)
    one.page.mouse.down()
    one.page.mouse.move(640, 670, steps=4)
    one.page.mouse.up()
    assert place(one, "g.card >> nth=0") == pytest.approx((x + 40, y - 30), abs=1)
    one.page.mouse.move(x + 40, y - 30)
    one.page.mouse.wheel(0, -200)
    assert place(one, "g.card >> nth=0")[1] == pytest.approx(y - 30, abs=3)


def test_only_what_is_in_view_is_drawn(show: Any) -> None:
    one = show(reports.report_of(graphs.chain(400)))
    one.page.click("#open-all")
    assert 3 < one.count("g.boxes > g") < 60
    one.page.click("#fit")
    one.page.wait_for_selector("#stage[data-detail='0']")
    assert one.count("#stage *") < 200


def test_from_afar_a_drag_draws_nothing_and_playback_only_what_ran(show: Any) -> None:
    one = show(reports.report_of(graphs.chain(400)))
    one.page.click("#open-all")
    one.page.click("#fit")
    one.page.wait_for_selector("#stage[data-detail='0']")
    one.page.click("#before")
    one.settle()
    first = one.page.evaluate_handle("document.querySelector('.boxes path')")
    one.page.mouse.move(600, 400)
    one.page.mouse.down()
    one.page.mouse.move(640, 430, steps=3)
    one.page.mouse.up()
    one.page.keyboard.press("]")
    one.settle()
    one.page.keyboard.press("]")
    one.settle()
    assert one.count(".boxes path.ran") == 2
    assert first.evaluate("path => path.isConnected")
    one.page.keyboard.press("[")
    one.settle()
    assert not first.evaluate("path => path.isConnected") and one.count(".boxes path.ran") == 1


# ---- details and search -------------------------------------------------------------------------------------


def facts(one: Opened) -> dict[str, str]:
    return dict(zip(one.texts("#details dt"), one.texts("#details dd"), strict=True))


def test_details_say_what_torch_says(show: Any) -> None:
    one = show(saddle())
    one.page.locator("g.card", has_text="x").first.click()
    found = facts(one)
    wanted = {"data": "2", "grad": "4", "is_leaf": "True", "requires_grad": "True", "dtype": "float32"}
    assert wanted.items() <= found.items()
    code = one.texts("#details .copy code")[0]
    assert code.startswith("z.grad_fn.next_functions[0][0]") and code.endswith(".variable")
    one.page.click("#before")
    assert facts(one)["grad"] == "None"
    assert "backward has not run yet" in one.page.locator("#details").inner_text()


def test_small_tensors_are_heat_maps(show: Any) -> None:
    weight = torch.tensor([[1.0, -2.0, float("nan")], [0.0, 0.5, float("inf")]] * 2, requires_grad=True)
    with inspector.record() as recording:
        (weight * weight).sum().backward()
    one = show(recording.report())
    one.page.locator("g.card", has_text="weight").first.click()
    cells = one.page.locator("#details svg.map").first.locator("> rect")
    fills = cells.evaluate_all("cells => cells.map(cell => [cell.textContent, cell.getAttribute('fill')])")
    shown = [float(text.replace("\N{MINUS SIGN}", "-").replace("Infinity", "inf")) for text, _ in fills]
    assert torch.equal(torch.tensor(shown).nan_to_num(), weight.detach().reshape(-1).nan_to_num())
    for number, (_, fill) in zip(weight.detach().reshape(-1).tolist(), fills, strict=True):
        end, share = ("0", number / -2.0) if number < 0 else ("24", number / 2.0)
        wanted = f"color-mix(in srgb,var(--diverging-{end}) {100 * share:g}%,var(--ground))"
        assert fill == (wanted if math.isfinite(number) else "url(#odd)")


def test_the_python_expression_reaches_the_tensor(show: Any) -> None:
    x, y = (torch.tensor(value, requires_grad=True) for value in (2.0, 3.0))
    z = (x * y).sin() - y**2
    one = show(reports.report_of(inspector.trace(z)))
    for name, leaf in (("x", x), ("y", y)):
        one.page.locator("#outline li", has=one.page.locator(".leaf", has_text=name)).first.click()
        (code,) = one.texts("#details .copy code")
        assert eval(code, {"z": z}) is leaf


def test_search_finds_by_words_and_filters_and_opens_what_holds_a_result(show: Any) -> None:
    report = load(GOLDEN / "lstm.json")
    one = show(report)
    count = sum(row["name"].startswith("TanhBackward") for _, row in report.calls[0].graph.functions())
    one.page.keyboard.press("/")
    one.page.keyboard.type("op:tanh grad>0")
    assert one.texts("#results [role=status]") == [f"{count} results"]
    one.page.keyboard.press("Enter")
    one.page.wait_for_selector("g.node.selected")
    assert one.texts("#details h2") == ["TanhBackward"]
    one.page.fill("#search", "nan")
    assert one.texts("#results [role=status]") == ["nothing found; filters:"]


def test_a_finding_leads_to_its_place_and_lights_the_way(show: Any) -> None:
    graph = graphs.saddle(2.0, 0.0)
    cause = next(key for key, row in graph.functions() if row["name"] == "PowBackward0")
    report = reports.report_of(graph, findings=[reports.finding(nodes=[cause], parameters=["x", "y"])])
    mark_graph(report)
    one = show(report)
    assert one.texts("#tab-findings") == ["Findings 1"]
    one.page.locator("#panel-findings button").click()
    assert one.count("g.node.selected") == 1
    assert one.count("g.item.dim") < one.count("g.item.lit")
    one.page.keyboard.press("Escape")
    assert one.count("g.item.dim") == 0


# ---- time ---------------------------------------------------------------------------------------------------


def test_playback_ends_at_the_state_of_the_report(show: Any) -> None:
    report = saddle()
    one = show(report)
    one.page.click("#before")
    assert one.count("g.item.ran") == 0
    spoken = []
    for _ in range(5):
        one.page.keyboard.press("]")
        spoken.append(one.page.locator("#live").inner_text())
    ids = {node["id"]: node for node in json.loads(json.dumps([
        {"id": key, "name": row["name"], "step": row["step"]} for key, row in report.calls[0].graph.functions()
    ]))}  # fmt: skip
    assert [said.split(":")[0] for said in spoken] == [f"step {number}" for number in range(1, 6)]
    assert [ids[step]["step"] for step in report.calls[0].graph.steps] == [1, 2, 3, 4, 5]
    assert one.count("g.item.ran") == 5
    grads = set(one.texts("g.card text.gradient"))
    assert grads == {"None → 4", "None → 0"}
    assert one.texts("#moment") == ["after backward"]


def test_partial_sums_show_at_a_fan_in(show: Any) -> None:
    graph = graphs.fan_out()
    of = topology_of(graph)
    fan_in = next(position for position in range(len(of)) if len(of.arrivals.of(position)) > 1)
    one = show(reports.report_of(graph))
    one.page.locator(f"#outline [data-item='{fan_in}']").click()
    one.page.click("#before")
    totals = []
    for _ in range(12):
        one.page.keyboard.press("]")
        totals.append(facts(one).get("so far") or facts(one).get("sum"))
    assert totals[0] == "nothing yet" and totals[-1] not in (None, "nothing yet")
    assert len(set(totals)) >= 3  # nothing, a part, the whole


def trained() -> Report:
    """A report with a timeline, whose gradients are measured in every step."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with inspector.watch(model, optimizer, budget=1) as flight:
        for _ in range(20):
            optimizer.zero_grad()
            model(torch.randn(16, 4)).pow(2).mean().backward()
            optimizer.step()
    return flight.report()


def test_a_click_on_the_run_shows_the_loss_and_the_norms_of_a_step(show: Any) -> None:
    report = trained()
    assert report.timeline is not None
    losses = next(column["middle"] for column in report.timeline["columns"] if column["kind"] == "root")
    one = show(report)
    area = one.page.locator("#strip").bounding_box()
    assert area is not None
    one.page.mouse.click(area["x"] + area["width"] * 9.5 / 20, area["y"] + 10)
    assert one.texts("#details h2") == ["step 10"]
    assert one.texts("#details td")[0] == format_number(losses[9])
    assert one.texts("#details th")[-2:] == ["0", "2"]
    one.page.keyboard.press("ArrowRight")
    assert one.page.locator("#strip").get_attribute("aria-valuetext") == "step 11"
    one.page.wait_for_url("**run=11*")
    one.page.keyboard.press("Escape")
    assert one.texts("#details th") == []


# ---- the live figure ----------------------------------------------------------------------------------------


def move(one: Opened, leaf: str, value: float) -> None:
    one.page.locator("#outline li", has_text=leaf).first.click()
    one.page.fill("#details .move input[type=number]", str(value))


@pytest.mark.parametrize("at", [-1.5, 0.25, 3.0])
def test_a_moved_leaf_has_the_gradient_that_torch_gives_there(at: float, show: Any) -> None:
    one = show(saddle())
    x, y = (torch.tensor(value, requires_grad=True) for value in (at, 0.0))
    (x**2 - y**2).backward()
    assert x.grad is not None
    move(one, "x", at)
    section = one.page.locator("#details section", has=one.page.locator(".move"))
    assert section.locator("dd").all_text_contents() == [
        format_number(at**2), format_number(x.grad.item()), "computed by the rules"
    ]  # fmt: skip
    assert one.page.locator("#moved").is_visible()
    assert format_number(x.grad.item()) in one.texts("g.card text.gradient")
    one.page.click("#unmove")
    assert "None → 4" in one.texts("g.card text.gradient") and not one.page.locator("#moved").is_visible()


def test_contour_lines_are_where_the_root_is_equal_and_a_click_moves_both_leaves(show: Any) -> None:
    one = show(saddle())
    one.page.locator("#outline li", has_text="x").first.click()
    lines = one.page.locator(".contour").evaluate_all(
        "lines => lines.map(line => [line.textContent, line.getAttribute('d').match(/[\\d.]+/g).map(Number)])"
    )
    half = 1.2 * 2.0  # of the height: the largest leaf, and a fifth more
    assert len(lines) > 5
    for level, numbers in lines:
        for u, v in zip(numbers[::2], numbers[1::2], strict=True):
            x, y = 2.0 + (u / 270 - 0.5) * 2 * half * 270 / 200, (0.5 - v / 200) * 2 * half
            assert x**2 - y**2 == pytest.approx(float(level.replace("\u2212", "-")), abs=0.05)
    area = one.page.locator(".surface").bounding_box()
    assert area is not None
    one.page.mouse.click(area["x"] + area["width"] / 2, area["y"] + area["height"] / 4)
    x, y = (torch.tensor(value, requires_grad=True) for value in (2.0, half / 2))
    (x**2 - y**2).backward()
    assert x.grad is not None and y.grad is not None
    shown = [float(text.replace("\u2212", "-")) for text in one.texts("g.card text.gradient")]
    assert shown == pytest.approx([x.grad.item(), y.grad.item()], abs=0.05)


@pytest.mark.parametrize("name", ["polynomial", "product", "micrograd", "olah", "cs231n_neuron", "cs224n_max"])
def test_at_the_recorded_point_the_rules_give_torchs_numbers(name: str, show: Any) -> None:
    """Else the page does not offer to move a leaf."""
    one = show(load(GOLDEN / f"{name}.json"))
    one.page.locator("#outline li", has=one.page.locator(".leaf")).first.click()
    assert one.count("#details .move") == 1
    assert "as torch measured" in one.texts("#details .quiet")


def test_the_quiz_hides_gradients_and_checks_answers_by_torchs(show: Any) -> None:
    one = show(saddle())
    one.page.click("#quiz")
    assert "None → 4" not in one.texts("g.card text") and one.count("g.edge-text, text.edge-text") == 0
    one.page.locator("#outline li", has_text="x").last.click()
    one.page.fill("#details .move input", "3")
    one.page.click("#details .move button >> text=Check")
    assert one.texts("#details [role=status]") == ["Not yet."]
    one.page.click("#details .move button >> text=Hint")
    assert "2x" in one.texts("#details [role=status]")[0]
    one.page.fill("#details .move input", "4")
    one.page.keyboard.press("Enter")
    assert "Right: 4" in one.texts("#details section p")
    assert "None → 4" in one.texts("g.card text")
    one.page.click("#quiz")
    assert one.count("text.edge-text") == 4


def test_a_graph_of_tensors_cannot_be_moved(show: Any) -> None:
    one = show(load(GOLDEN / "lstm.json"))
    one.page.locator("#outline li", has=one.page.locator(".leaf")).first.click()
    assert one.count("#details .move") == 0
    assert not one.page.locator("#quiz").is_visible()


def test_two_calls_stand_side_by_side_and_follow_each_other(show: Any) -> None:
    report = saddle()
    place: Any = {"file": "script.py", "line": 7, "code": "z.backward()"}
    second = BackwardCall(2, place, graphs.saddle(3.0, 1.0))
    one = show(replace(report, calls=[*report.calls, second]))
    one.page.select_option("#beside", "0")
    assert one.texts("#stage g.card text.gradient") == ["None → 4", "None → 0"]
    assert one.texts("#stage-2 g.card text.gradient") == ["None → 6", "None → \u22122"]
    one.page.locator("#stage-2 g.card").first.click()
    assert one.count("#stage g.card.selected") == one.count("#stage-2 g.card.selected") == 1
    one.page.click("#export")
    with one.page.expect_download() as waiting:
        one.page.click("#save-svg")
    one.page.click("#close-formats")
    saved = ElementTree.parse(waiting.value.path()).getroot()
    texts = [element.text for element in saved.iter("{http://www.w3.org/2000/svg}text")]
    assert {"None → 4", "None → 6"} <= set(texts) and texts[-2:] == ["call 1", "call 2"]
    pictures = saved.findall("{http://www.w3.org/2000/svg}svg")
    assert len({(picture.get("x"), picture.get("y")) for picture in pictures}) == 2
    one.page.select_option("#beside", "before")
    assert one.texts("#half-2") == ["before backward"] and one.texts("#stage-2 g.card text.gradient") == []
    one.page.select_option("#beside", "")
    assert one.count("#stage-2 g.card") == 0


# ---- keys, state, export ------------------------------------------------------------------------------------


def test_the_keyboard_alone_walks_opens_and_goes_back(show: Any) -> None:
    one = closed(show)
    one.page.focus("#stage")
    one.page.keyboard.press("ArrowDown")
    first = one.texts("#details h2")
    one.page.keyboard.press("ArrowDown")
    assert one.texts("#details h2") == ["line 10, step 5"] != first
    one.page.keyboard.press("Enter")
    one.page.wait_for_selector("g.frame.selected")
    one.page.keyboard.press("Escape")
    assert one.texts("#details h2") == ["loss.backward()"]
    one.page.keyboard.press("?")
    assert one.page.locator("#keys").is_visible()
    one.page.keyboard.press("Escape")
    one.page.focus("#outline [tabindex='0']")
    one.page.keyboard.press("ArrowDown")
    one.page.keyboard.press("Enter")
    assert one.count("#outline [aria-selected=true]") == 1


def tab_to(one: Opened, selector: str) -> None:
    """Press Tab until an element that matches has the focus."""
    for _ in range(60):
        if one.page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        one.page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {selector}")


def use(one: Opened, selector: str, *keys: str) -> None:
    """Go to an element with Tab, and press keys there."""
    tab_to(one, selector)
    for key in keys:
        one.page.keyboard.press(key)
    one.settle()


def test_everything_else_works_from_the_keyboard_alone(show: Any, tmp_path: Path) -> None:
    graph = graphs.saddle(2.0, 0.0)
    cause = next(key for key, row in graph.functions() if row["name"] == "PowBackward0")
    report = reports.report_of(graph, findings=[reports.finding(nodes=[cause], parameters=["x", "y"])])
    mark_graph(report)
    place: Any = {"file": "script.py", "line": 7, "code": "z.backward()"}
    one = show(replace(report, calls=[*report.calls, BackwardCall(2, place, graphs.saddle(3.0, 1.0))]))
    # a finding, and the way from it
    use(one, "#tab-findings", "Enter")
    use(one, "#panel-findings button", "Enter")
    assert one.count("g.node.selected") == 1 and one.count("g.item.lit") > 0
    one.page.keyboard.press("Escape")
    # time: before and after, steps, playback
    use(one, "#before", "Enter")
    assert one.texts("#moment") == ["before backward"]
    use(one, "#scrub", "End")
    assert one.texts("#moment") == ["after backward"]
    use(one, "#play", "Enter")
    assert one.page.locator("#play").get_attribute("aria-pressed") == "true"
    one.page.keyboard.press("k")
    # two pictures
    use(one, "#beside", "ArrowDown", "ArrowDown")
    assert one.count("#stage-2 g.card") == 2
    use(one, "#beside", "Home")
    # search, a leaf that moves, the calls
    tab_to(one, "#search")
    one.page.keyboard.type("leaf")
    one.page.wait_for_selector("#results button")
    one.page.keyboard.press("ArrowDown")
    one.page.keyboard.press("Enter")
    use(one, "#details .move input[type=number]", "Control+a", "3", "Enter")
    assert one.texts("#stage g.card text")[2:6] == ["data", "3", "gradient", "6"]
    use(one, "#unmove", "Enter")
    # the quiz
    use(one, "#quiz", "Enter")
    assert "None → 4" not in one.texts("#stage g.card text")
    use(one, "#details .move input", "1", "Enter")  # it begins at the root
    assert "Right: 1" in one.texts("#details section p")
    use(one, "#quiz", "Enter")
    # slides, colours, export
    one.page.keyboard.press("s")
    assert one.page.locator("#caption").is_visible()
    one.page.keyboard.press("Escape")
    one.page.keyboard.press("h")
    assert one.page.locator("#heat").get_attribute("aria-pressed") == "true"
    one.page.keyboard.press("e")
    tab_to(one, "#save-json")
    with one.page.expect_download() as waiting:
        one.page.keyboard.press("Enter")
    waiting.value.save_as(tmp_path / "view.json")
    assert len(json.loads((tmp_path / "view.json").read_text("utf-8"))["nodes"]) == 2, "what the search has lit"


def test_the_outline_mirrors_the_picture(show: Any) -> None:
    one = closed(show)
    row = one.page.locator("#outline li", has_text="line 10, step 1").first
    assert row.get_attribute("aria-expanded") == "false"
    row.locator(".twist").click()
    assert one.texts(".titles .frame-name") == ["line 10, step 1"]
    assert one.count("#outline li[aria-level='2']") >= 10


def test_the_address_holds_the_state(show: Any) -> None:
    one = closed(show)
    one.page.locator("g.box", has_text="line 10, step 5").click()
    one.page.keyboard.press("h")
    one.page.keyboard.press("[")
    one.page.wait_for_url("**#*heat=1*")
    one.page.wait_for_url("**step=80*")
    shown, moment = one.texts("g.titles text"), one.texts("#moment")
    one.page.reload()
    one.page.wait_for_selector("html[data-ready]", state="attached")
    assert (one.texts("g.titles text"), one.texts("#moment")) == (shown, moment)
    assert one.page.locator("#heat").get_attribute("aria-pressed") == "true"


def test_exports_can_be_read(show: Any, tmp_path: Path) -> None:
    one = show(saddle())
    one.page.click("#export")
    files = {}
    for name in ("svg", "png", "dot", "json"):
        with one.page.expect_download() as waiting:
            one.page.click(f"#save-{name}")
        files[name] = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(files[name])
    drawn = ElementTree.fromstring(files["svg"].read_text("utf-8"))
    assert "PowBackward" in {element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")}
    image = Image.open(files["png"]).convert("RGB")
    assert len(image.getcolors(1_000_000) or []) > 20 and image.width > 1000
    graph = json.loads(files["json"].read_text("utf-8"))
    assert len(graph["nodes"]) == 5 and len(graph["edges"]) == 4
    assert files["dot"].read_text("utf-8").count("->") == 4


@pytest.mark.parametrize(
    "text", ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>" + 300 * "x", "\u202egnp\x00"]
)
def test_hostile_texts_do_nothing(text: str, show: Any) -> None:
    one = show(reports.report_of(hostile_graph(text), findings=[reports.finding(message=text, advice=text)]))
    one.page.locator("g.node").first.click()
    widths = "frames => frames.map(frame => Number(frame.getAttribute('width')))"
    assert all(wide < 1000 for wide in one.page.locator("g.frame > .frame-body").evaluate_all(widths))
    assert one.count("body img, #details script") == 0
    assert one.count("script") == 3


def test_odd_graphs_can_be_looked_at(show: Any) -> None:
    for graph in (
        Graph(Rows, roots=[], error="no grad"), graphs.leaf_root(),
        graphs.saddle(2.0, 0.0, error_at="b"), graphs.saddle(2.0, 0.0, ran=False),
    ):  # fmt: skip
        one = show(reports.report_of(graph))
        one.page.keyboard.press("ArrowDown")
        assert one.page.locator("#nothing").is_visible() == (graph.error == "no grad")
        raised = one.texts("#moment") == ["where backward raised"]
        assert raised == (graph.error is not None)
        one.page.keyboard.press("b")


def test_a_notebook_shows_the_page_in_a_sandboxed_frame(browser: Browser, tmp_path: Path) -> None:
    bundle = inspector.draw(graphs.saddle(2.0, 0.0))._repr_mimebundle_()
    assert list(bundle) == ["text/html", "image/svg+xml", "text/plain"]
    assert bundle["text/plain"].startswith("z = x**2 - y**2")
    path = tmp_path / "cell.html"
    path.write_text(f"<!doctype html><meta charset=utf-8>{bundle['text/html']}", "utf-8")
    one = Opened(browser, path)
    frame = one.page.frame_locator("iframe")
    frame.locator("g.node").first.click()
    assert frame.locator("#details h2").inner_text() == "SubBackward"
    frame.locator("#heat").click()
    frame.locator("#heat[aria-pressed=true]").wait_for()
    assert one.said == []
    one.page.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(theme: str, show: Any) -> None:
    axe = (resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
    one = show(trained(), color_scheme=theme, bypass_csp=True)
    one.page.evaluate(axe)
    for state in ("", "#heat", "#outline .leaf", "#strip", "#help"):
        if state:
            one.page.locator(state).first.click()
        one.settle()
        found = one.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert len(found["passes"]) > 15
        serious = [row for row in found["violations"] if row["impact"] in ("serious", "critical")]
        assert [(row["id"], row["nodes"][0]["target"]) for row in serious] == [], state


def test_slides_show_the_graph_and_the_words_of_each_step(show: Any) -> None:
    one = show(saddle())
    one.page.keyboard.press("s")
    assert not one.page.locator("#details").is_visible()
    assert one.texts("#slide-title") == ["before backward"]
    one.page.keyboard.press("]")
    one.page.keyboard.press("]")
    assert one.texts("#slide-words") == ["PowBackward, gradient \u22121, sends 0 to y"]
    card, words = one.page.locator("g.card").last.bounding_box(), one.page.locator("#slide-title").bounding_box()
    assert card is not None and words is not None and card["y"] + card["height"] < words["y"]
    one.page.keyboard.press("e")
    with one.page.expect_download() as waiting:
        one.page.click("#save-svg")
    slide = ElementTree.parse(waiting.value.path())
    texts = [element.text for element in slide.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[-2:] == ["step 2 of 5", "PowBackward, gradient \u22121, sends 0 to y"]
    one.page.click("#close-formats")
    one.page.keyboard.press("Escape")
    assert one.page.locator("#details").is_visible() and not one.page.locator("#caption").is_visible()


def test_without_scripts_the_picture_is_there(browser: Browser, tmp_path: Path) -> None:
    from inspector.figure import draw

    graph = graphs.saddle(2.0, 0.0)
    path = tmp_path / "still.html"
    call = BackwardCall(1, {"file": "script.py", "line": 7, "code": "z.backward()"}, graph)
    path.write_bytes(write_page(call, still=still_of(draw(graph).scene, "light")))
    one = Opened(browser, path, java_script_enabled=False)
    assert one.page.locator("noscript svg").is_visible()
    assert "None (not a leaf)" in one.page.locator("noscript table").inner_text()
    one.page.context.close()
