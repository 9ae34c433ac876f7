"""The command line: options, files, bad input. Whatever goes wrong, the script's own end is kept."""

import json
import re
import shlex
import subprocess
import sys
import textwrap
import xml.etree.ElementTree
from pathlib import Path

import pytest
from graphs import square
from reports import finding, report_of
from running import GALLERY, OUTPUT, command_line, environment, valid_report

from inspector import cli
from inspector.commands.output_folder import cannot_write
from inspector.report import save
from inspector.util.dependencies import requirements

SQUARE = (GALLERY / "square.py").read_text()
LOOP = """
    import torch
    x = torch.tensor(1.0, requires_grad=True)
    for step in range(5):
        y = x * (step + 2)
        y.backward()
    print("the end", x.grad.item())
"""
SUM = 2.0 + 3 + 4 + 5 + 6


def drawn(ran):
    return ran.report["recording"]["drawn"]


def watched(ran):
    return ran.report["recording"]["watched"]


# ---- bad input --------------------------------------------------------------------------------------------

WRONG = {
    "no script": ([], "missing argument SCRIPT"),
    "missing": (["missing.py"], "no such file: missing.py"),
    "close match": (["sqare.py"], "did you mean square.py?"),
    "binary": (["binary.py"], "not a Python file: binary.py"),
    "not text": (["latin.py"], "not a Python file: latin.py (line 2 is not UTF-8"),
    "missing module": (["-m", "no_such_module"], "No module named no_such_module"),
    "unknown option": (["--frobnicate", "square.py"], "No such option"),
    "format": (["-f", "gif2", "square.py"], "'gif2' is not one of 'svg'"),
    "style": (["--style", "nice", "square.py"], "'nice' is not one of 'attributes', 'circuit', 'partials'"),
    "detail": (["--detail", "much", "square.py"], "'much' is not one of 'beginner', 'standard', 'expert'"),
    "canvas": (["--canvas", "A4", "square.py"], "'A4' is not one of 'tight', '16:9', '4:3', 'half'"),
    "derivatives": (["--derivatives", "all", "square.py"], "'all' is not one of 'symbols', 'numbers', 'both'"),
    "theme": (["--theme", "pink", "square.py"], "'pink' is not one of 'light'"),
    "direction": (["--direction", "up", "square.py"], "'up' is not one of"),
    "text": (["--text", "glyphs", "square.py"], "'glyphs' is not one of"),
    "backward 0": (["--backward", "0", "square.py"], "'0' is not a positive integer, 'all' or 'last'"),
    "backward first": (["--backward", "first", "square.py"], "'first' is not a positive integer"),
    "watch 0": (["--watch", "0", "square.py"], "'0' is not a positive integer"),
    "watch many": (["--watch", "many", "square.py"], "'many' is not a positive integer"),
    "at no step": (["--at", "-1", "square.py"], "'-1' is not a positive integer"),
    "at a word": (["--at", "last", "square.py"], "'last' is not a positive integer"),
    "value missing": (["--theme"], "requires an argument"),
    "suffix": (["-o", "picture.jpeg2", "square.py"], "--output picture.jpeg2: unknown format .jpeg2"),
    "two formats": (["-o", "a.svg", "-f", "dot", "square.py"], "cannot be combined with --format dot"),
    "no report": (["none.json"], "cannot read none.json: No such file"),
    "no JSON": (["broken.json"], "broken.json is not JSON"),
    "other JSON": (["other.json"], "other.json is not a report"),
    "newer": (["newer.json"], "was written by a newer version (schema 99"),
    "damaged": (["damaged.json"], "is a damaged report"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage_is_one_line_and_status_2(case, inspect_script):
    argv, message = WRONG[case]
    inspect_script.write(SQUARE, "square.py")
    (inspect_script.folder / "binary.py").write_bytes(b"\x7fELF\0\0")
    (inspect_script.folder / "latin.py").write_bytes(b"x = 1\n# caf\xe9\n")
    inspect_script.write("{", "broken.json")
    inspect_script.write("[1]", "other.json")
    inspect_script.write('{"schema": 99}', "newer.json")
    inspect_script.write('{"schema": 1}', "damaged.json")
    ran = inspect_script.command(*argv)
    assert ran.status == 2
    assert ran.stdout == ""
    (line,) = ran.stderr.splitlines()
    assert line.startswith("inspect: ") and message in line
    assert not (ran.folder / OUTPUT).exists()


def test_a_file_that_is_no_python_gives_its_syntax_error(inspect_script):
    ran = inspect_script("this is no python\n")
    plain = inspect_script.plain("this is no python\n")
    assert ran.status == plain.status == 1
    assert ran.stdout == ""
    assert ran.stderr.startswith(plain.stderr) and plain.stderr.endswith("SyntaxError: invalid syntax\n")
    (ours,) = ran.said
    assert ours == "inspect: nothing to draw: backward() was not called before script.py ended"


def test_a_script_without_torch(tmp_path):
    """In a real process: the fork server's children have torch already."""
    (tmp_path / "script.py").write_text("import sys\nprint('torch' in sys.modules)\nsys.exit(3)\n")
    ended = subprocess.run(
        command_line("script.py"), cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (3, "False\n")
    assert ended.stderr == "inspect: nothing to show: script.py did not import torch\n"
    assert [path.name for path in tmp_path.iterdir()] == ["script.py"]


def test_a_script_without_backward(inspect_script):
    ran = inspect_script("import torch\nprint(torch.ones(2).sum().item())\n")
    assert (ran.status, ran.stdout) == (0, "2.0\n")
    assert ran.said == ["inspect: nothing to draw: backward() was not called"]
    assert ran.calls == [] and drawn(ran) == [] and watched(ran) == 0


RAISES = """
    import sys, torch

    class Bad(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            raise ValueError("in backward")

    x = torch.tensor(2.0, requires_grad=True)
    when = sys.argv[1]
    if when == "before":
        raise ValueError("before backward")
    y = (Bad.apply(x * 3) if when == "in" else x * 3) ** 2
    y.backward()
    if when == "after":
        raise ValueError("after backward")
    if when == "exit":
        sys.exit(3)
    if when == "text":
        sys.exit("a text")
    print("x.grad", x.grad.item())
"""


@pytest.mark.parametrize("when", ["before", "in", "after", "exit", "text", "never"])
def test_a_script_that_ends_otherwise(when, inspect_script):
    plain = inspect_script.plain(RAISES, when)
    ran = inspect_script(RAISES, when)
    assert (ran.status, ran.stdout) == (plain.status, plain.stdout)
    assert plain.stderr in ran.stderr  # the traceback, to the letter
    report = ran.report
    assert report["exit"]["status"] == plain.status
    kept = {"before": None, "in": "ValueError: in backward", "after": None, "exit": None, "text": None}
    if when == "before":
        assert ran.calls == []
    else:
        assert ran.calls[0]["graph"]["error"] == kept.get(when)
        assert ran.tensor("x")["before"] == {"data": 2.0, "grad": None}
        assert ran.report["recording"]["drawn"] == [1]
    raised = {"before": "ValueError: before backward", "in": "ValueError: in backward"}
    raised |= {"after": "ValueError: after backward"}
    if when in raised:
        assert plain.stderr and report["exit"]["exception"] == raised[when]


def test_a_backward_that_raises_shows_how_far_it_came(inspect_script):
    ran = inspect_script(RAISES, "in")
    steps = {row["name"]: row["step"] for row in ran.functions()}
    assert steps == {"PowBackward0": 1, "BadBackward": 2, "MulBackward0": None, "AccumulateGrad": None}
    assert ran.grads("x") == (None, None)


def test_tracebacks_and_output_of_real_processes(tmp_path):
    """`python script.py` beside `inspect script.py`, both from the shell's point of view."""
    script = tmp_path / "script.py"
    script.write_text(
        "import torch\nx = torch.tensor([1.0, 2.0], requires_grad=True)\nprint('out')\n"
        "def f():\n    (x * 2).backward()\nf()\n"
    )
    ends = [
        subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True)
        for command in ([sys.executable, "script.py"], command_line("-f", "dot", "script.py"))
    ]
    assert ends[0].returncode == ends[1].returncode == 1
    assert ends[0].stdout == ends[1].stdout == "out\n"
    assert "grad can be implicitly created only for scalar outputs" in ends[0].stderr
    assert ends[0].stderr in ends[1].stderr
    assert valid_report(tmp_path / OUTPUT / "report.json")["exit"]["status"] == 1


NO_GRAD_FN = """
    import torch
    x = torch.tensor(2.0)
    y = x * 3
    y.backward()
"""


def test_a_root_without_grad_fn(inspect_script):
    plain = inspect_script.plain(NO_GRAD_FN)
    ran = inspect_script(NO_GRAD_FN)
    assert ran.status == plain.status == 1
    assert plain.stderr in ran.stderr
    assert "element 0 of tensors does not require grad" in ran.calls[0]["graph"]["error"]
    assert "internal error" not in ran.stderr
    assert ran.stderr.count("Traceback") == 1


@pytest.mark.parametrize("place", ["inspect-out", "deep/inside/place/"])
def test_an_output_folder_that_cannot_be_written(place, inspect_script):
    """A file is in the way: that stops root, too."""
    (inspect_script.folder / place.split("/")[0]).write_text("in the way")
    options = ("-o", place) if place != OUTPUT else ()
    ran = inspect_script(LOOP + "    raise SystemExit(4)\n", options=options)
    assert (ran.status, ran.stdout) == (4, f"the end {SUM}\n")
    (line,) = ran.said
    assert line.startswith(f"inspect: cannot write {place.rstrip('/')}: ") and "--output" in line
    assert "x" in ran.stderr.replace(line, ""), "the table is printed all the same"
    assert "Traceback" not in ran.stderr
    assert "wrote" not in ran.stderr


def test_a_picture_that_cannot_be_written(inspect_script):
    (inspect_script.folder / OUTPUT / "backward-1.dot").mkdir(parents=True)
    ran = inspect_script(SQUARE, options=("-f", "dot"))
    assert ran.status == 0
    (line,) = ran.said
    assert line.startswith("inspect: no picture: cannot write ")
    assert line.endswith("; the numbers are in inspect-out/report.json")
    assert ran.grads("x") == (None, 4.0)


def test_the_report_alone(inspect_script):
    ran = inspect_script(SQUARE, options=("-f", "json"))
    assert (ran.status, ran.files) == (0, {"report.json", ".gitignore"})
    assert ran.grads("x") == (None, 4.0)
    again = inspect_script.command("-f", "json", f"{OUTPUT}/report.json")
    assert again.status == cli.USAGE_STATUS
    assert again.said[0].startswith("inspect: inspect-out/report.json is a report already: choose the format of ")


# ---- which calls ------------------------------------------------------------------------------------------

CALLS = {
    (): ([1], 3),
    ("--backward", "2"): ([2], 3),
    ("--backward", "5"): ([5], 5),
    ("--backward", "all"): ([1, 2, 3], 3),
    ("--backward", "all", "--watch", "2"): ([1, 2], 2),
    ("--backward", "last"): ([5], 5),
    ("--watch", "1"): ([1], 1),
    ("--watch", "9"): ([1], 5),
    ("--backward", "9"): ([], 5),
}


@pytest.mark.parametrize("options", CALLS, ids=" ".join)
def test_which_calls_are_watched_and_drawn(options, inspect_script):
    ran = inspect_script(LOOP, options=("-f", "dot", *options))
    assert (ran.status, ran.stdout) == (0, f"the end {SUM}\n")
    assert (drawn(ran), watched(ran)) == CALLS[options]
    indexes = [call["index"] for call in ran.calls]
    assert set(drawn(ran)) <= set(indexes)
    assert {name for name in ran.files if name.endswith(".dot")} == {f"backward-{k}.dot" for k in drawn(ran)}
    for call in ran.calls:
        k = call["index"]
        (x,) = [row for row in call["graph"]["nodes"] if row.get("name") == "x"]
        before, after = sum(range(2, k + 1)), sum(range(2, k + 2))
        assert (x["before"]["grad"], x["after"]["grad"]) == (before or None, after)
        assert call["location"] == {"file": "script.py", "line": 6, "code": "y.backward()"}


def test_a_call_that_never_came_is_said(inspect_script):
    ran = inspect_script(LOOP, options=("-f", "dot", "--backward", "9"))
    assert any("9" in line for line in ran.said), ran.stderr


def test_stop_ends_the_script_after_the_watched_calls(inspect_script):
    ran = inspect_script(LOOP, options=("-f", "dot", "--watch", "2", "--stop"))
    assert (ran.status, ran.stdout) == (0, "")
    assert watched(ran) == 2 and ran.report["exit"] == {"status": 0, "exception": None}
    assert ran.grads("x") == (None, 2.0)


def test_stop_runs_the_finally_blocks_of_the_script(inspect_script):
    code = """
        import torch
        x = torch.ones((), requires_grad=True)
        try:
            x.backward()
        finally:
            print('bye')
    """
    ran = inspect_script(code, options=("-f", "dot", "--watch", "1", "--stop"))
    assert (ran.status, ran.stdout) == (0, "bye\n")


def test_the_table_comes_when_the_watched_calls_are_done(inspect_script):
    """Not at the end of forty epochs: the script itself can see it on stderr."""
    code = """
        import sys, torch
        x = torch.tensor(2.0, requires_grad=True)
        y = x**2
        y.backward()
        print("after the backward", file=sys.stderr)
    """
    ran = inspect_script(code, options=("-f", "dot", "--watch", "1"))
    assert ran.stderr.index("PowBackward") < ran.stderr.index("after the backward")


# ---- files ------------------------------------------------------------------------------------------------


def test_the_files_of_a_run(inspect_script):
    ran = inspect_script(SQUARE, options=("-f", "dot", "-f", "svg"))
    pictures = {"backward-1.svg", "backward-1.before.svg", "backward-1.after.svg", "backward-1.dot"}
    assert ran.files == {".gitignore", "report.json", *pictures}
    assert (ran.folder / OUTPUT / ".gitignore").read_text() == "*\n"
    for name in pictures - {"backward-1.dot"}:
        assert xml.etree.ElementTree.parse(ran.folder / OUTPUT / name).getroot().tag.endswith("svg")
    assert all(name in ran.stderr for name in pictures)


def test_the_last_report_becomes_previous(inspect_script):
    inspect_script(SQUARE)
    first = (inspect_script.folder / OUTPUT / "report.json").read_bytes()
    (inspect_script.folder / OUTPUT / "mine.txt").write_text("the user's")
    (inspect_script.folder / OUTPUT / ".gitignore").write_text("mine too")
    ran = inspect_script(SQUARE.replace("x**2", "x**3"))
    assert (ran.folder / OUTPUT / "previous.json").read_bytes() == first
    assert ran.grads("x") == (None, 12.0)
    assert (ran.folder / OUTPUT / "mine.txt").read_text() == "the user's"
    assert (ran.folder / OUTPUT / ".gitignore").read_text() == "mine too"


@pytest.mark.parametrize("name", ["picture.svg", "deep/picture.dot", "PICTURE.SVG"])
def test_one_file(name, inspect_script):
    ran = inspect_script(SQUARE, options=("-o", name))
    assert ran.status == 0 and ran.said == []
    assert {path.name for path in ran.folder.rglob("*") if path.is_file()} == {"script.py", Path(name).name}
    text = (ran.folder / name).read_text()
    assert ("<svg" in text) is name.lower().endswith("svg")
    assert ("digraph" in text) is name.endswith("dot")


def test_the_output_stays_where_the_command_started(inspect_script):
    (inspect_script.folder / "elsewhere").mkdir()
    ran = inspect_script("import os\nos.chdir('elsewhere')\n" + SQUARE)
    assert ran.grads("x") == (None, 4.0)
    assert list((ran.folder / "elsewhere").iterdir()) == []
    assert ran.calls[0]["location"] == {"file": "script.py", "line": 8, "code": "y.backward()"}


def test_the_same_bytes_every_time(inspect_script):
    files = []
    for _ in range(2):
        ran = inspect_script(SQUARE, options=("-f", "dot"))
        files.append(
            {name: (ran.folder / OUTPUT / name).read_bytes() for name in ("report.json", "backward-1.dot")}
        )
    assert files[0] == files[1]


def test_no_absolute_path_in_a_report(inspect_script):
    ran = inspect_script(SQUARE)
    text = (ran.folder / OUTPUT / "report.json").read_text()
    assert str(ran.folder) not in text and str(Path.home()) not in text


# ---- a saved report ---------------------------------------------------------------------------------------

POISON = """
    import sys
    sys.modules["torch"] = None  # an import of torch fails
    from inspector.cli import run
    sys.argv = ["inspect", *sys.argv[1:]]
    try:
        run()
    finally:
        assert sys.modules["torch"] is None
"""


def test_a_saved_report_is_drawn_again_without_torch(inspect_script):
    ran = inspect_script(SQUARE, options=("-f", "svg"))
    files = {path.name: path.read_bytes() for path in (ran.folder / OUTPUT).iterdir()}
    poisoned = inspect_script.write(POISON, "poisoned.py")
    for name in files.keys() - {"report.json", ".gitignore"}:
        (ran.folder / OUTPUT / name).unlink()
    ended = subprocess.run(
        [sys.executable, poisoned, "-f", "svg", f"{OUTPUT}/report.json"],
        cwd=ran.folder,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    assert {path.name: path.read_bytes() for path in (ran.folder / OUTPUT).iterdir()} == files
    lines = ran.stderr.replace("report.json ", "").splitlines()  # it was read, not written
    assert sorted(ended.stderr.splitlines()) == sorted(lines)


def test_a_saved_report_with_other_options(inspect_script):
    inspect_script(LOOP)
    ran = inspect_script.command("--backward", "2", "-o", "second.dot", f"{OUTPUT}/report.json")
    assert ran.status == 0 and "digraph" in (ran.folder / "second.dot").read_text()
    ran = inspect_script.command("--theme", "dark", "-o", "dark.svg", f"{OUTPUT}/report.json")
    light = inspect_script.command("-o", "light.svg", f"{OUTPUT}/report.json")
    assert ran.status == light.status == 0
    assert (ran.folder / "dark.svg").read_text() != (ran.folder / "light.svg").read_text()


def test_options_after_a_saved_report_are_ours(inspect_script):
    inspect_script(SQUARE)
    for words in (
        (f"{OUTPUT}/report.json", "--theme", "dark", "-o", "after.svg"),
        ("--theme", "dark", OUTPUT, "-o", "after.svg"),
        ("--", f"{OUTPUT}/report.json", "-o", "after.svg", "--theme=dark"),
    ):
        before = inspect_script.command("--theme", "dark", "-o", "before.svg", f"{OUTPUT}/report.json")
        after = inspect_script.command(*words)
        assert before.status == after.status == 0, after.stderr
        picture = after.folder / "after.svg"
        assert picture.read_bytes() == (before.folder / "before.svg").read_bytes(), words
        picture.unlink()


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        (["more.json"], "unexpected argument 'more.json': a saved report is drawn on its own"),
        (["--theme", "blue"], "'blue' is not one of"),
        (["--styles", "circuit"], "No such option"),
        (["-o"], "requires an argument"),
        (["--", "-o"], "unexpected argument '-o'"),
        ([f"{OUTPUT}/report.json"], "unexpected argument"),
    ],
)
def test_an_unexpected_word_after_a_saved_report_is_an_error(rest, message, inspect_script):
    inspect_script(SQUARE)
    ran = inspect_script.command(f"{OUTPUT}/report.json", *rest)
    assert ran.status == 2 and ran.stdout == "" and message in ran.stderr


def test_a_saved_report_without_the_call_asked_for(inspect_script):
    inspect_script(LOOP)
    ran = inspect_script.command("--backward", "7", f"{OUTPUT}/report.json")
    assert ran.status == 2
    assert ran.said == ["inspect: script.py: no backward call 7 in this report: it has 1, 2, 3"]


# ---- the script's own matters -----------------------------------------------------------------------------


def test_everything_after_the_script_is_the_scripts(inspect_script):
    code = "import sys, torch\nprint(sys.argv)\nassert __name__ == '__main__'\n"
    ran = inspect_script(code, "--theme", "pink", "-m", "-o", "x", "--help", "--")
    assert ran.status == 0
    assert ran.stdout == "['script.py', '--theme', 'pink', '-m', '-o', 'x', '--help', '--']\n"


HINTS = {
    ("--style", "circuit"): "--style",
    ("--epochs", "3", "--theme=dark"): "--theme",
    ("3", "--frames"): "--frames",
    ("--depth", "2", "--style", "engine"): "--depth",
    ("--style", "vgg"): "",
    ("--theme",): "",
    ("--depth", "deep"): "",
    ("style", "circuit"): "",
    ("-o", "x"): "",
    ("--", "--style", "circuit"): "",
    ("--lr", "--", "--frames"): "",
    ("--folder", "x"): "",
}


@pytest.mark.parametrize("words", HINTS, ids=" ".join)
def test_an_option_of_ours_after_the_script_is_told(words, inspect_script, monkeypatch):
    script = inspect_script.write(SQUARE)
    monkeypatch.setattr(sys, "argv", ["inspect", "--quiet", str(script), *words])
    told = HINTS[words] and f"{HINTS[words]} was passed to the script; give it before the script's name"
    assert cli._misplaced(str(script), words) == told
    monkeypatch.setattr(sys, "argv", ["inspect", "--", str(script), *words])
    assert cli._misplaced(str(script), words) == ""


def test_of_a_script_that_reads_its_arguments_nothing_is_told(inspect_script):
    ran = inspect_script(SQUARE + "import sys\nprint(sys.argv[1:])\n", "--style", "circuit")
    assert ran.stdout == "['--style', 'circuit']\n" and "was passed to the script" not in ran.stderr
    ran = inspect_script(SQUARE, "--style", "circuit")
    assert ran.stderr.splitlines()[-1] == (
        "inspect: --style was passed to the script; give it before the script's name"
    )


def test_a_module(inspect_script):
    inspect_script.write("", "package/__init__.py")
    inspect_script.write(SQUARE + "import sys\nprint(sys.argv[1:], __spec__.name)\n", "package/train.py")
    ran = inspect_script.command("-f", "dot", "-m", "package.train", "-m", "--theme", "9")
    assert (ran.status, ran.stdout) == (0, "['-m', '--theme', '9'] package.train\n")
    assert ran.report["script"] == "package.train"
    assert ran.grads("x") == (None, 4.0)


OWN_CLICK = """
    import click, torch

    @click.command()
    @click.option("--at", type=float)
    @click.argument("name")
    def main(at, name):
        x = torch.tensor(at, requires_grad=True)
        y = x**2
        y.backward()
        click.echo(f"{name} {x.grad.item()} {click.prompt('more')} {click.get_current_context().command_path}")

    main()
"""
OWN_ARGPARSE = """
    import argparse, torch
    parser = argparse.ArgumentParser()
    parser.add_argument("--at", type=float)
    parser.add_argument("name")
    chosen = parser.parse_args()
    x = torch.tensor(chosen.at, requires_grad=True)
    y = x**2
    y.backward()
    print(chosen.name, x.grad.item())
"""


def test_a_script_with_a_click_of_its_own(inspect_script):
    inspect_script.write(OWN_CLICK)
    ran = inspect_script.command("-f", "dot", "script.py", "--at", "3", "gradient", input="yes\n")
    assert (ran.status, ran.stdout) == (0, "more: gradient 6.0 yes script.py\n")
    assert ran.grads("x") == (None, 6.0)


def test_a_script_with_an_argparse_of_its_own(inspect_script):
    ran = inspect_script(OWN_ARGPARSE, "--at", "3", "gradient")
    assert (ran.status, ran.stdout) == (0, "gradient 6.0\n")
    assert ran.grads("x") == (None, 6.0)
    wrong = inspect_script(OWN_ARGPARSE, "--wrong")
    assert wrong.status == 2 and "usage: script.py [-h] [--at AT] name" in wrong.stderr


def test_a_closed_stderr_costs_the_script_nothing(inspect_script):
    ran = inspect_script("import sys\nsys.stderr.close()\nsys.stderr = None\n" + SQUARE + "print('end')\n")
    assert (ran.status, ran.stdout) == (0, "end\n")
    assert ran.grads("x") == (None, 4.0)


SHELL_STREAMS = {"stderr": "2>&-", "stdout": ">&-", "both": "2>&- >&-"}
LOGS = """
    import sys, torch
    log = open("user.log", "w")
    if sys.stderr is None:
        sys.stderr = log
    print("by the script", file=log)
    x = torch.tensor(2.0, requires_grad=True)
    y = x.detach() * x
    y.backward()
    print("end")
    log.flush()
"""


def in_shell(redirection: str, *argv: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """`inspect ARGV` with a stream closed or a file in its place, as a shell does that."""
    words = shlex.join(command_line(*argv))
    return subprocess.run(
        ["sh", "-c", f"exec {words} {redirection}"], cwd=folder, env=environment(), capture_output=True, text=True
    )


@pytest.mark.parametrize("stream", SHELL_STREAMS)
def test_nothing_of_ours_goes_to_stdout_or_into_a_file_of_the_script(stream, inspect_script):
    """Without stderr, print and rich take stdout, and the file that the script opens is descriptor 2."""
    inspect_script.write(LOGS)
    options = ("-f", "dot", "--annotate", "github", "--check", "--gradcheck")
    ended = in_shell(SHELL_STREAMS[stream], *options, "script.py", "--theme", "dark", folder=inspect_script.folder)
    assert ended.returncode == 0
    assert ended.stdout == ("end\n" if stream == "stderr" else "")
    assert ("backward 1" in ended.stderr) is (stream == "stdout")
    assert (inspect_script.folder / "user.log").read_text() == "by the script\n"
    assert (inspect_script.folder / OUTPUT / "backward-1.dot").exists()


@pytest.mark.parametrize(
    ("argv", "status"),
    [
        (["--frobnicate"], 2),
        (["missing.py"], 2),
        (["missing.json"], 2),
        (["explain", "missing"], 2),
        (["report.json"], 0),
        (["-o", "deep/", "report.json"], 1),
    ],
)
def test_without_stderr_nothing_is_said_at_all(argv, status, tmp_path):
    save(report_of(square(), findings=[finding()]), tmp_path / "report.json")
    (tmp_path / "deep").write_text("in the way")
    ended = in_shell("2>&-", *argv, folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (status, "")


@pytest.mark.parametrize("argv", [["doctor"], ["explain"], ["explain", "detached"], ["--help"]], ids=" ".join)
def test_what_is_printed_on_stdout_goes_nowhere_else(argv, tmp_path):
    assert in_shell("", *argv, folder=tmp_path).stdout
    closed = in_shell(">&-", *argv, folder=tmp_path)
    assert closed.returncode == 0 and "inspect:" not in closed.stderr and "Traceback" not in closed.stderr


FULL = Path("/dev/full")  # every write to it fails as on a full disk


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
@pytest.mark.parametrize("argv", [["doctor"], ["explain"], ["--help"], ["--version"]], ids=" ".join)
def test_a_full_disk_behind_stdout_is_one_line(argv, tmp_path):
    ended = in_shell(f">{FULL}", *argv, folder=tmp_path)
    said = [line for line in ended.stderr.splitlines() if not line.startswith("Fontconfig")]
    assert (ended.returncode, said) == (1, ["inspect: cannot write to stdout: No space left on device"])


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
def test_a_full_disk_behind_stderr_costs_nothing_but_the_text(tmp_path):
    save(report_of(square()), tmp_path / "report.json")
    ended = in_shell(f"2>{FULL}", "-f", "dot", "report.json", folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "") and (tmp_path / OUTPUT / "backward-1.dot").exists()


SMALL_FILES = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
"""After it, a file can hold no more bytes: writes fail as on a full disk, without the name of a file."""


@pytest.mark.parametrize(
    ("limit", "options", "told"),
    [
        (900, (), "cannot write inspect-out/report.json: File too large; choose another folder with --output"),
        (
            900,
            ("-o", "x.svg"),
            "/report.json: File too large; set TMPDIR to use another folder for temporary files",
        ),
        (
            30_000,
            ("-f", "svg"),
            "cannot write inspect-out/backward-1.svg: File too large; the numbers are in inspect-out/report.json",
        ),
    ],
)
def test_a_full_disk_is_told_with_the_file(limit, options, told, inspect_script):
    ran = inspect_script(SMALL_FILES.format(limit=limit) + SQUARE, options=options)
    (line,) = ran.said
    assert ran.status == 0 and line.endswith(told) and "None" not in line
    assert not [path for path in ran.folder.rglob(".*") if path.name != ".gitignore"], "half a file"


def test_redrawing_onto_a_full_disk_is_told_with_the_file(tmp_path):
    save(report_of(square()), tmp_path / "report.json")
    ended = subprocess.run(
        ["sh", "-c", f"ulimit -f 1; exec {shlex.join(command_line('-f', 'svg', 'report.json'))}"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )
    (line, *_) = [line for line in ended.stderr.splitlines() if line.startswith("inspect:")]
    assert (ended.returncode, line) == (1, "inspect: cannot write inspect-out/backward-1.svg: File too large")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            OSError(28, "No space left on device", "inspect-out/a.svg"),
            "inspect-out/a.svg: No space left on device",
        ),
        (OSError(28, "No space left on device"), "else.json: No space left on device"),
        (OSError("encoder error"), "else.json: encoder error"),
        (OSError(), "else.json: OSError"),
        (PermissionError(13, "Permission denied", b"inspect-out"), "inspect-out: Permission denied"),
        (OSError(9, "Bad file descriptor", 7), "else.json: Bad file descriptor"),
    ],
)
def test_no_error_of_the_system_is_told_as_none(error, text):
    assert cannot_write(error, Path("else.json")) == f"cannot write {text}"


# ---- errors of ours, told as what they are ----------------------------------------------------------------

BREAKS = """
    import inspector.recording.session as session
    def broken(*given, **options):
        raise RuntimeError("deliberate")
    session.Session.{method} = broken
"""


def test_an_error_at_the_import_of_torch_is_not_told_as_an_import_that_was_not(inspect_script):
    """In a process of its own, in which a sitecustomize of the test breaks what begins to watch."""
    inspect_script.write(SQUARE)
    inspect_script.write(
        "import inspector.commands.run_script as inspection\n"
        "def broken(self):\n    raise RuntimeError('deliberate')\n"
        "inspection._Inspection.begin = broken\n",
        "start/sitecustomize.py",
    )
    path = f"{inspect_script.folder / 'start'}:{GALLERY.parent}"
    ended = subprocess.run(
        command_line("script.py"),
        cwd=inspect_script.folder,
        env=environment(PYTHONPATH=path),
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0
    assert ended.stderr.splitlines() == [
        "inspect: torch cannot be observed: RuntimeError: deliberate",
        "inspect: nothing to show: script.py imported torch, but it could not be observed",
    ]


def test_an_import_of_torch_that_fails_is_told_as_that(tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('no library')\n")
    (tmp_path / "script.py").write_text("try:\n    import torch\nexcept ImportError:\n    print('without')\n")
    ended = subprocess.run(
        command_line("script.py"), cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (0, "without\n")
    assert ended.stderr == "inspect: nothing to show: script.py could not import torch\n"


@pytest.mark.parametrize(
    ("method", "options", "said"),
    [
        ("_start", (), "RuntimeError: deliberate (in broken, line 4)"),
        ("_end", (), "RuntimeError: deliberate (in broken, line 4)"),
        ("_start", ("--backward", "2"), "RuntimeError: deliberate (in broken, line 4)"),
    ],
)
def test_an_error_of_ours_in_a_call_is_not_told_as_a_call_that_was_not(method, options, said, inspect_script):
    ran = inspect_script(BREAKS.format(method=method) + LOOP, options=("-f", "dot", *options))
    assert (ran.status, ran.stdout) == (0, f"the end {SUM}\n")
    assert ran.said == [
        f"inspect: internal error, recording stopped (your script is not affected): {said}",
        "inspect: nothing to draw: no backward call had been recorded by then",
    ]


def test_calls_that_were_watched_before_an_error_of_ours_are_shown(inspect_script):
    breaks = """
        import inspector.recording.session as session
        start, seen = session.Session._start, []
        def broken(*given):
            seen.append(1)
            if len(seen) == 2:
                raise RuntimeError("deliberate")
            return start(*given)
        session.Session._start = broken
    """
    code = textwrap.dedent(breaks) + textwrap.dedent(LOOP)
    ran = inspect_script(code)
    (line,) = ran.said
    assert "recording stopped (your script is not affected): RuntimeError: deliberate" in line
    assert drawn(ran) == [1]
    ran = inspect_script(code, options=("-f", "dot", "--backward", "2"))
    assert ran.said[1:] == ["inspect: nothing to draw: 1 backward call had been recorded by then"]


def test_a_call_too_few_is_told_with_those_that_were_seen(inspect_script):
    ran = inspect_script(LOOP, options=("-f", "dot", "--backward", "9"))
    assert ran.said == ["inspect: nothing to draw: there is no backward call 9, script.py made 5 backward calls"]
    ran = inspect_script("import torch\n1 / 0\n")
    assert ran.said == ["inspect: nothing to draw: backward() was not called before script.py ended"]


def test_help_and_version_need_no_torch(tmp_path):
    code = (
        "import sys\nsys.argv = ['inspect', sys.argv[1]]\nfrom inspector.cli import run\n"
        "late = {'torch', 'networkx', 'sympy', 'rich', 'importlib.metadata'}\n"
        "try:\n    run()\nfinally:\n    assert not late & sys.modules.keys()\n"
    )
    for option, text in (("--help", "SCRIPT [ARGS]"), ("--version", "inspect, version")):
        ended = subprocess.run([sys.executable, "-c", code, option], cwd=tmp_path, capture_output=True, text=True)
        assert ended.returncode == 0 and text in ended.stdout, ended.stderr


def test_doctor(inspect_script):
    ran = inspect_script.command("doctor")
    assert ran.status == 0
    assert re.search(r"^torch +2\.", ran.stdout, re.MULTILINE)
    assert re.search(r"^layout engine +works", ran.stdout, re.MULTILINE)
    assert {"torch", "pyyaml", "reportlab", "numpy"} <= {*requirements()}
    names = [*requirements(), *requirements("slides")]
    assert all(re.search(rf"^{name} +\d", ran.stdout, re.MULTILINE) for name in names)


def test_a_script_called_doctor(inspect_script):
    inspect_script.write("import torch\nprint('mine')\n", "doctor")
    assert inspect_script.command("./doctor").stdout == "mine\n"


def test_the_launcher_of_a_checkout(tmp_path):
    (tmp_path / "script.py").write_text(SQUARE)
    launcher = GALLERY.parent / "cli.py"
    ended = subprocess.run(
        [sys.executable, launcher, "-f", "dot", "script.py"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    report = json.loads((tmp_path / OUTPUT / "report.json").read_text())
    assert report["script"] == "script.py" and len(report["backward_calls"]) == 1
