"""The page in Firefox (Debian's package `firefox-esr`), where it is installed: clicked, played and exported."""

from __future__ import annotations

import os
from pathlib import Path

import graphs
import pytest
import reports
from firefox import PROGRAM, open_firefox

from inspector.page import PageSource, write_page

pytestmark = pytest.mark.skipif(
    PROGRAM is None and not os.environ.get("CI"), reason="no Firefox here (Debian's package `firefox-esr`)"
)

WALK = """
    const wait = () => new Promise(go => requestAnimationFrame(() => requestAnimationFrame(go)));
    const texts = selector => [...document.querySelectorAll(selector)].map(one => one.textContent);
    const found = {}, refused = [];
    document.addEventListener("securitypolicyviolation", event => refused.push(event.blockedURI));
    const press = key => document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
    (async () => {
        while (!document.documentElement.dataset.ready) await wait();
        document.querySelector("g.card").dispatchEvent(new MouseEvent("click", {bubbles: true, detail: 1}));
        await wait();
        found.selected = texts("#details h2");
        document.querySelector("#before").click();
        await wait();
        found.before = texts("g.card text.gradient").length;
        for (let k = 0; k < 5; k++) press("]");
        await wait();
        found.grads = texts("g.card text.gradient");
        found.moment = texts("#moment");
        press("h");
        await wait();
        found.heat = document.querySelectorAll("g.h7").length;
        found.contours = document.querySelectorAll(".contour").length;
        const saved = [];
        HTMLAnchorElement.prototype.click = function () { saved.push(this.download); };
        document.querySelector("#save-svg").click();
        document.querySelector("#save-png").click();
        for (let k = 0; k < 200 && saved.length < 2; k++) await wait();
        found.saved = saved;
        found.refused = refused;
        done(found);
    })();
"""


def test_the_page_starts_selects_plays_and_exports(tmp_path: Path) -> None:
    report = reports.report_of(graphs.saddle(2.0, 0.0))
    page, profile = tmp_path / "page.html", tmp_path / "profile"
    page.write_bytes(write_page(report.calls[0], PageSource(report)))
    profile.mkdir()
    with open_firefox(profile) as firefox:
        firefox.ask("WebDriver:Navigate", url=page.as_uri())
        found = firefox.run(WALK)
    assert found["selected"] == ["x"] and found["before"] == 0
    assert sorted(found["grads"]) == ["None → 0", "None → 4"] and found["moment"] == ["after backward"]
    assert found["heat"] > 0 and found["contours"] > 5
    assert found["saved"] == ["backward-1.view.svg", "backward-1.view.png"]
    assert found["refused"] == []
