"""The flight recorder: what it finds at which step, what it leaves alone, and what it costs."""

from __future__ import annotations

import json
import signal
from textwrap import dedent
from typing import Any

import pytest
from late_faults import NOT_FINITE, OTHERS, Fault
from running import OUTPUT, Ran, ScriptRunner
from steady_trainings import SLOW, STEADY
from test_page_data import unpacked

from inspector.diagnosis import RULES
from inspector.plots import plot_timeline
from inspector.report import ReportError, load
from inspector.typography import width

EVERY_STEP = ("-f", "json", "--budget", "100%")
LATE = {name for name, rule in RULES.items() if "timeline" in rule.needs}


def findings(ran: Ran) -> dict[str, dict[str, Any]]:
    """The loud findings by rule."""
    return {row["rule"]: row for row in ran.report["findings"] if row["severity"] != "note"}


def triggers(ran: Ran) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ran.report["timeline"]["triggers"]
    return found


@pytest.mark.parametrize("fault", NOT_FINITE, ids=lambda fault: fault.name)
def test_a_late_nan_has_its_step_its_parameters_and_its_line(fault: Fault, inspect_script: ScriptRunner) -> None:
    ran = inspect_script(fault.code, options=EVERY_STEP)
    assert ran.status == 0, ran.stderr
    truth = json.loads(ran.stdout.splitlines()[-1])
    assert truth is not None, "the script has no fault"
    (trigger,) = [found for found in triggers(ran) if found["kind"].endswith("not_finite")][:1]
    assert trigger["step"] == truth["step"]
    kind = "gradient_not_finite" if truth["loss"] else "root_not_finite"
    assert trigger["kind"] == kind and fault.kind in (kind, "any")
    if truth["loss"]:
        assert trigger["parameters"] == truth["names"]
    found = findings(ran)
    rule = next((rule for rule in fault.rules if rule in found), None)
    assert rule is not None, sorted(found)
    assert f"at step {truth['step']}" in found[rule]["message"]
    assert set(truth["names"]) <= set(found[rule]["parameters"]) or rule == "non-finite-step"
    if fault.line is not None:
        assert found[rule]["location"]["line"] == fault.line, found[rule]
    if fault.steps > truth["step"]:
        assert "the last loss was" in " ".join(ran.stderr.split())


@pytest.mark.parametrize("fault", OTHERS, ids=lambda fault: fault.name)
def test_other_late_faults(fault: Fault, inspect_script: ScriptRunner) -> None:
    ran = inspect_script(fault.code, options=EVERY_STEP)
    assert ran.status == 0, ran.stderr
    (trigger,) = [found for found in triggers(ran) if found["kind"] == fault.kind]
    if fault.step is not None:
        assert trigger["step"] == fault.step
    assert tuple(trigger["parameters"]) == fault.parameters or fault.kind == "spike"
    found = findings(ran)
    assert set(fault.rules) <= found.keys(), sorted(found)
    assert ran.report["timeline"]["last_root"] not in ("nan", "inf")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW or number % 2))
        for number, name in enumerate(STEADY)
    ],
)
def test_healthy_trainings_raise_no_alarm(name: str, inspect_script: ScriptRunner) -> None:
    ran = inspect_script(STEADY[name], options=EVERY_STEP)
    assert ran.status == 0 and "Traceback" not in ran.stderr, ran.stderr
    late = [row for row in ran.report["findings"] if row["severity"] != "note" and row["rule"] in LATE]
    assert late == []
    assert not [found for found in triggers(ran) if found["kind"] not in ("constant_root",)], triggers(ran)
    assert "internal error" not in ran.stderr


TRAINING = """
import gc, os, signal, sys, torch, weakref
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(1, 61):
    x = torch.randn(16, 6)
    loss = (model(x) - x.sum(1, keepdim=True)).pow(2).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
"""


def last_line(ran: Ran) -> str:
    """The last sentence on stderr."""
    return " ".join(ran.stderr.rpartition("\nwatched ")[2].split())


def test_the_last_line_says_how_much_was_watched(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(TRAINING, options=EVERY_STEP)
    assert last_line(ran).startswith("3 steps recorded in full, 57 by their numbers only, down to Nodes, at ")
    timeline = ran.report["timeline"]
    assert (timeline["steps"], timeline["calls"], sum(timeline["rows"])) == (60, 60, 60)
    assert [(row["level"], row["first"], row["last"]) for row in timeline["levels"]] == [
        ("full", 1, 3),
        ("nodes", 4, 60),
    ]


def test_the_columns_are_the_numbers_of_torch(inspect_script: ScriptRunner) -> None:
    say = "    print([loss.item(), 0.01, *(p.grad.norm().item() for p in model.parameters())])"
    ran = inspect_script(TRAINING.replace("optimizer.step()", f"optimizer.step()\n{say}"), options=EVERY_STEP)
    truth = [json.loads(line) for line in ran.stdout.splitlines()]
    deeper = ("module", "output", "update")
    columns = [column for column in ran.report["timeline"]["columns"] if column["kind"] not in deeper]
    assert [(column["kind"], column["name"]) for column in columns] == [
        ("root", "optimizer"),
        ("learning_rate", "optimizer"),
        *[("gradient", f"{layer}.{name}") for layer in (0, 2) for name in ("weight", "bias")],
    ]
    for number, column in enumerate(columns):
        known = 2 if column["kind"] == "learning_rate" else 0  # not noted for the watched steps
        assert column["middle"][known:] == pytest.approx([row[number] for row in truth][known:], rel=1e-5)


def test_a_short_run_needs_no_timeline(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(TRAINING.replace("61", "4"))
    assert "timeline" not in ran.report and "watched " not in ran.stderr


def test_a_budget_of_zero_takes_everything_off(inspect_script: ScriptRunner) -> None:
    check = """
    from torch.optim import optimizer as module
    assert not module._global_optimizer_pre_hooks and not module._global_optimizer_post_hooks
    assert "inspector" not in str(torch.autograd.graph._engine_run_backward.__code__)
    """
    ran = inspect_script(TRAINING + dedent(check), options=("-f", "json", "--budget", "0"))
    assert ran.status == 0, ran.stderr
    assert "timeline" not in ran.report
    last = "inspect: 3 backward calls recorded in full; later steps were not recorded (--budget 0)"
    assert ran.said[-1] == last


@pytest.mark.parametrize("budget", ["much", "-1", "101%", "nan", ""])
def test_a_budget_that_is_no_percentage(budget: str, inspect_script: ScriptRunner) -> None:
    ran = inspect_script(TRAINING, options=("--budget", budget))
    assert ran.status == 2 and "is not a percentage from 0 to 100, such as 3%" in ran.stderr


def test_the_training_is_the_same_bit_by_bit(inspect_script: ScriptRunner) -> None:
    code = TRAINING + "print([[p.tolist(), p.grad.tolist()] for p in model.parameters()])"
    plain = inspect_script.plain(code, warnings="error")
    for budget in ("3%", "100%"):
        ran = inspect_script(code, options=("-f", "json", "--budget", budget), warnings="error")
        assert (ran.status, ran.stdout) == (plain.status, plain.stdout), ran.stderr


def test_no_tensor_is_kept_alive(inspect_script: ScriptRunner) -> None:
    check = """
    alive = [weakref.ref(item) for item in (loss, x, model[0].weight, model[0].weight.grad, optimizer)]
    del loss, x, model, optimizer
    gc.collect()
    print([reference() is None for reference in alive])
    """
    ran = inspect_script(TRAINING + dedent(check), options=EVERY_STEP)
    assert ran.stdout == "[True, True, True, True, True]\n", ran.stderr


def test_a_signal_writes_what_is_known(inspect_script: ScriptRunner) -> None:
    check = """
        if step == 30:
            os.kill(os.getpid(), signal.SIGUSR1)
            print(open("inspect-out/report.json").read().partition('"steps": ')[2].partition(",")[0])
        if step == 35:
            os.kill(os.getpid(), signal.SIGQUIT)
        if step == 50:
            os.kill(os.getpid(), signal.SIGTERM)
    """
    ran = inspect_script(TRAINING + check.replace("\n    ", "\n"), options=EVERY_STEP)
    assert ran.status == -signal.SIGTERM
    for steps in (30, 35):
        assert f"inspect: script.py has made {steps} steps and goes on" in ran.said
    assert ran.said[-1] == "inspect: script.py has made 50 steps and was ended by SIGTERM"
    assert ran.report["timeline"]["steps"] == 50 and ran.report["exit"]["status"] is None


def test_signals_of_the_script_stay_its_own(inspect_script: ScriptRunner) -> None:
    own = """
import faulthandler, signal
signal.signal(signal.SIGUSR1, lambda *_: print('mine'))
faulthandler.register(signal.SIGQUIT, file=open("stacks", "w"))
"""
    send = """
os.kill(os.getpid(), signal.SIGUSR1)
os.kill(os.getpid(), signal.SIGQUIT)
print("most recent call first" in open("stacks").read())
"""
    ran = inspect_script(own + TRAINING + send)
    assert ran.stdout == "mine\nTrue\n" and "goes on" not in ran.stderr


def test_an_exception_ends_the_timeline(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(TRAINING + "    assert step < 40\n", options=EVERY_STEP)
    assert ran.status == 1 and "AssertionError" in ran.stderr
    assert ran.report["timeline"]["steps"] == 40
    assert last_line(ran).startswith("3 steps recorded in full, 37 by")


def test_a_graph_that_differs_has_no_line(inspect_script: ScriptRunner) -> None:
    other = "loss = loss.log().log() if step == 40 else loss\n    optimizer.zero_grad()"
    code = TRAINING.replace("optimizer.zero_grad()", other)
    ran = inspect_script(code.replace("0.01)", "0.05)"), options=EVERY_STEP)
    (finding,) = [row for row in ran.report["findings"] if row["rule"] == "non-finite-forward"]
    assert finding["message"].startswith("at step 40, Log computed NaN from finite inputs")
    assert "; its line is unknown: the graph differs from those of the recorded calls" in finding["message"]


def test_the_timeline_is_drawn_again_from_the_report(inspect_script: ScriptRunner) -> None:
    fault = next(fault for fault in NOT_FINITE if fault.name == "sqrt at zero")
    ran = inspect_script(fault.code, options=("-f", "svg", "-f", "html", "--budget", "100%", "--text", "plain"))
    assert "timeline.svg" in ran.files
    (page,) = [name for name in ran.files if name.startswith("backward-") and name.endswith(".html")]
    assert unpacked((ran.folder / OUTPUT / page).read_bytes())["timeline"]["steps"] == 60
    index = (ran.folder / OUTPUT / "index.html").read_text("utf-8")
    assert '<img src="timeline.svg"' in index and f'<img src="{page[:-5]}.svg"' in index
    picture = (ran.folder / OUTPUT / "timeline.svg").read_text("utf-8")
    line = f"script.py:{fault.line}"
    for text in ("60 steps of script.py", "step 40: the gradient", line, "not finite", "body"):
        assert text in picture, text
    options = ("--timeline", "-f", "svg", "--text", "plain", "-o", "again")
    again = inspect_script.command(*options, f"{OUTPUT}/report.json")
    assert again.status == 0, again.stderr
    assert (ran.folder / "again" / "timeline.svg").read_text("utf-8") == picture
    assert "the last loss was NaN" in " ".join(again.stderr.split())


def test_no_line_of_a_trigger_crosses_the_number_of_a_step(inspect_script: ScriptRunner) -> None:
    fault = next(fault for fault in NOT_FINITE if fault.name == "sqrt at zero")
    ran = inspect_script(fault.code, options=("-f", "json", "--budget", "100%", "--text", "plain"))
    report = load(ran.folder / OUTPUT / "report.json")
    assert report.timeline is not None
    (trigger,) = report.timeline["triggers"]
    assert trigger["step"] == 40
    for step in (1, 9, 10, 11, 40, 59, 60):  # beside and on numbers of the axis
        trigger["step"] = step
        scene = plot_timeline(report).scene
        (_, panel) = scene.panels
        (axis,) = [box for box in panel.boxes if box.id == "steps"]
        (line,) = [wire for wire in panel.wires if wire.id == "trigger.0.line"]
        assert line.points[-1][1] > axis.area.bottom, "it passes the axis on its way to its text"
        numbers = [run for run in axis.texts if run.text != "step"]
        assert len(numbers) >= 6
        for run in numbers:
            assert abs(run.x - line.points[0][0]) > width(run.text, run.size) / 2, (step, run.text)


def test_a_report_without_a_timeline_is_refused(inspect_script: ScriptRunner) -> None:
    inspect_script(TRAINING.replace("61", "3"))
    ran = inspect_script.command("--timeline", f"{OUTPUT}/report.json")
    assert ran.status == 2 and "no timeline in this report: no step after the watched" in ran.stderr


def test_an_internal_error_is_said_and_the_script_goes_on(inspect_script: ScriptRunner) -> None:
    broken = """
    import inspector.recording.flight.flight as flight
    def fails(self, optimizer):
        raise RuntimeError("broken on purpose")
    flight.Flight.after_step = fails
    """
    ran = inspect_script(dedent(broken) + TRAINING + "print('done')\n")
    assert (ran.status, ran.stdout) == (0, "done\n")
    assert any("steps are no longer recorded: RuntimeError: broken on purpose" in line for line in ran.said)
    assert ran.said[-1] == "inspect: 3 backward calls recorded in full; later steps are unknown"


KILLED = """
import inspector.commands.flight_watch as flight_watch
flight_watch.KEPT_EVERY = 0.0
""" + TRAINING.replace("loss = (", "loss = (0.0 if step < 30 else float('nan')) + (") + """
    if step == 50:
        os.kill(os.getpid(), signal.SIGKILL)
"""


STOPPED = TRAINING.replace("61", "201").replace("import", """
from inspector.recording.flight.cost_control import CostControl
CostControl.is_exceeded = lambda self, may_skip: True
import""", 1) + """
    if step == 150:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_recorded_before_it_took_too_long_is_left_after_sigkill(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(STOPPED, options=EVERY_STEP)
    assert ran.status == -signal.SIGKILL
    timeline = load(ran.folder / OUTPUT / "report.json").timeline
    assert timeline is not None and timeline["stopped"] and 64 <= timeline["steps"] < 150


FULL_DISK = """
import errno, pathlib
import inspector.commands.flight_watch as flight_watch
flight_watch.KEPT_EVERY = 0.0
def is_full(path, content):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
""" + TRAINING + """
    if step == 30:
        pathlib.Path.write_bytes = is_full
    if step == 40:
        os.kill(os.getpid(), signal.SIGUSR1)
print("done")
"""


def test_a_disk_that_gets_full_costs_what_came_after_and_nothing_else(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(FULL_DISK, options=EVERY_STEP)
    assert (ran.status, ran.stdout) == (0, "done\n"), ran.stderr
    told = [line for line in ran.said if "cannot write" in line]
    assert [line.rpartition("; ")[2] for line in told] == [
        "the steps are kept in memory only",
        "it holds what was known before",
        "it holds what was known before",
    ]
    assert "internal error" not in ran.stderr
    report = load(ran.folder / OUTPUT / "report.json")
    assert report.timeline is not None and report.timeline["steps"] in (29, 30)
    assert last_line(ran).startswith("3 steps recorded in full, 57 by their numbers only")


def test_what_is_left_after_sigkill(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(KILLED, options=EVERY_STEP)
    assert ran.status == -signal.SIGKILL
    folder = ran.folder / OUTPUT
    report = load(folder / "report.json")
    assert report.timeline is not None and report.timeline["steps"] == 50
    assert [found["step"] for found in report.timeline["triggers"]] == [30]
    again = inspect_script.command("-f", "svg", "--timeline", OUTPUT)
    assert again.status == 0 and (folder / "timeline.svg").exists(), again.stderr
    said = " ".join(again.stderr.split())
    assert "at step 30, Pow (line " in said and "written while the script ran" in said
    (folder / "report.timeline.json").write_text("{", "utf-8")
    with pytest.raises(ReportError, match=r"report\.timeline\.json is not JSON"):
        load(folder / "report.json")
