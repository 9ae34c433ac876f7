"""The command line. click only parses; the command runs after click has returned.

This way click cannot interfere with the script's own click, Ctrl-C, EOFError or broken pipe.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn

import click
from msgspec.structs import replace

from inspector import __version__
from inspector.commands.options import (
    DEFAULT_BUDGET,
    DEFAULT_FOLDER,
    DEFAULT_WATCH,
    FORMATS,
    CheckOptions,
    DrawOptions,
    FlightOptions,
    FurtherFigures,
    OptionError,
    Options,
    WatchOptions,
    destination,
)
from inspector.options.choices import CHOICES, COLOURS
from inspector.options.figure_options import FigureOptions
from inspector.options.presentation import Presentation, read_highlights
from inspector.options.words import ENGLISH, read_words, template
from inspector.util.os_errors import reason
from inspector.util.stderr import discard, say

USAGE_STATUS = 2
FAILED_STATUS = 1

_EXAMPLES = """
\b
Examples:
  inspect train.py --epochs 3            arguments after the script are passed to it
  inspect -m package.train               run a module, like python -m
  inspect --backward 2 --stop train.py   draw the second backward call, then end the script
  inspect -o saddle.svg saddle.py        write this one picture only
  inspect --fail-on warning train.py     exit with status 3 if there are findings
  inspect explain detached               what a rule finds, why it matters, how to fix it
  inspect --theme dark inspect-out/report.json
                                         draw a saved report again
"""


class _Backward(click.ParamType[str]):
    name = "N|all|last"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        if value not in ("all", "last") and not (str(value).isdigit() and int(value) > 0):
            self.fail(f"{value!r} is not a positive integer, 'all' or 'last'", param, ctx)
        return str(value)


class _Positive(click.ParamType[int]):
    name = "N"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        if not (str(value).isdecimal() and int(value) > 0):
            self.fail(f"{value!r} is not a positive integer", param, ctx)
        return int(value)


class _Budget(click.ParamType[float]):
    name = "P%"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        if isinstance(value, float):
            return value
        try:
            percent = float(str(value).removesuffix("%"))
        except ValueError:
            percent = -1.0
        if not 0.0 <= percent <= 100.0:
            self.fail(f"{value!r} is not a percentage from 0 to 100, such as 3%", param, ctx)
        return percent / 100.0


class _Depth(click.ParamType[int | str]):
    name = "N|auto|full"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | str:
        if value in ("auto", "full"):
            return str(value)
        if not (str(value).isdigit() and int(value) > 0):
            self.fail(f"{value!r} is not a positive integer, 'auto' or 'full'", param, ctx)
        return int(value)


class _Command(click.Command):
    """A command that stops parsing options at `-m MODULE`, as python does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self._end_options_after_module(_with_dimension(args)))

    def _end_options_after_module(self, args: list[str]) -> list[str]:
        with_value = {
            name
            for parameter in self.params
            if isinstance(parameter, click.Option) and not parameter.is_flag
            for name in parameter.opts
        }
        position = 0
        while position < len(args) and args[position].startswith("-") and args[position] not in ("-", "--"):
            option = args[position]
            position += 2 if option in with_value else 1
            if option == "-m" or (option.startswith("-m") and not option.startswith("--")):
                return [*args[:position], "--", *args[position:]]
        return args


_INDEPENDENCE = "--check-independence"


def _with_dimension(args: list[str]) -> list[str]:
    """The arguments with the dimension that `--check-independence` may leave out; click would take the script."""
    if _INDEPENDENCE not in args:
        return args
    position = args.index(_INDEPENDENCE) + 1
    is_given = position < len(args) and re.fullmatch(r"-?\d+", args[position])
    return args if is_given else [*args[:position], "0", *args[position:]]


_SETTINGS = {"help_option_names": ["-h", "--help"], "allow_interspersed_args": False}


@click.command(cls=_Command, epilog=_EXAMPLES, context_settings=_SETTINGS)
@click.option("-m", "module", metavar="MODULE", help="Run a module as a script, like python -m.")
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    help=f"Output folder, or a single file whose suffix selects the format.  [default: {DEFAULT_FOLDER}/]",
)
@click.option(
    "-f",
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(FORMATS),
    help="Output format; repeatable. html: a page to explore the graph in; torchviz: torchviz's own picture of "
    "the same root; json: the report alone.  [default: svg and html]",
)
@click.option(
    "--backward",
    type=_Backward(),
    help="Backward call to draw; all: every recorded call.  "
    "[default: the first with a finding, else the first that trains]",
)
@click.option(
    "--watch",
    type=_Positive(),
    default=DEFAULT_WATCH,
    metavar="N",
    show_default=True,
    help="Record the first N backward calls that train.",
)
@click.option(
    "--budget",
    type=_Budget(),
    default=f"{DEFAULT_BUDGET:.0%}",
    show_default=True,
    help="Share of the run's time to spend on later steps, whose loss, gradient norms and learning rate are "
    "recorded; 0: record none.",
)
@click.option(
    "--again",
    is_flag=True,
    help="Record in full the step at which something went wrong in the last run, and the two steps before it.",
)
@click.option(
    "--at",
    type=_Positive(),
    metavar="STEP",
    help="Record this optimizer step and the two before it in full, instead of the first calls.",
)
@click.option(
    "--break",
    "breaks",
    metavar="nan|spike|NAME",
    help="Stop in the debugger at the first step, after the recorded calls, with a loss or gradient that is not "
    "finite (nan), with gradients far above their usual range (spike), or with either at NAME: a parameter, "
    "module or Node (such as encoder.0) or a line (train.py:12). Records every step (--budget 100%).",
)
@click.option("--stop", is_flag=True, help="End the script after the recorded backward calls.")
@click.option(
    "--record",
    type=click.Choice(CHOICES["record"]),
    default="full",
    show_default=True,
    help="What to record of the forward. full: values, names, lines and modules (light for calls not drawn); "
    "light: lines and modules; none: only the structure of the graph.",
)
@click.option(
    "--theme", type=click.Choice(CHOICES["theme"]), default="light", show_default=True, help="Colour theme."
)
@click.option(
    "--style",
    type=click.Choice(CHOICES["style"]),
    help="Visual style of the figure.  [default: attributes; modules above 30 Nodes, or where attributes would "
    "take more than two screens; on a slide circuit if attributes do not fit, and modules above 40 Nodes]",
)
@click.option(
    "--depth",
    type=_Depth(),
    default="auto",
    show_default=True,
    help="Fold modules nested deeper than N levels; full: fold nothing.",
)
@click.option(
    "--detail",
    type=click.Choice(CHOICES["detail"]),
    help="beginner: hide AccumulateGrad; standard: show every Node; expert: also what each Node saved.  "
    "[default: by size]",
)
@click.option(
    "--direction",
    type=click.Choice(CHOICES["direction"], case_sensitive=False),
    help="Direction from the root to the leaves.  [default: by style and shape]",
)
@click.option(
    "--arrows",
    type=click.Choice(CHOICES["arrows"]),
    help="Direction of the arrows. forward: as values flow; backward: as the gradient flows.  [default: by style]",
)
@click.option(
    "--canvas",
    type=click.Choice(CHOICES["canvas"]),
    help="Size of the figure: a slide, its left half, its upper half (strip), or just the content (tight).  "
    "[default: tight; 16:9 for frames]",
)
@click.option(
    "--derivatives",
    type=click.Choice(CHOICES["derivatives"]),
    help="How to write the local derivatives on the edges.  [default: both]",
)
@click.option(
    "--values",
    type=click.Choice(CHOICES["values"]),
    default="auto",
    show_default=True,
    help="How to write tensors. numbers: up to 4 x 4; heat: as a heat map, up to 16 x 16; shape: shape and norm; "
    "auto: the first of these that fits.",
)
@click.option(
    "--path", metavar="FROM:TO", help="Highlight the paths between two tensors and sum their contributions."
)
@click.option("--code", is_flag=True, help="Show the source code beside the graph.")
@click.option(
    "--frames", is_flag=True, help="Also draw one picture per step, with a caption: before, each step, after."
)
@click.option(
    "--reveal",
    is_flag=True,
    help="Like --frames, but begin with the leaves alone; each step adds the tensors that it reaches.",
)
@click.option(
    "--highlight",
    "highlights",
    multiple=True,
    metavar="TENSOR[=COLOUR]",
    help="Draw a tensor and the paths from the root to it in a separate colour; repeatable. Colours: "
    f"{', '.join(COLOURS)}.",
)
@click.option(
    "--handout",
    type=click.Choice(CHOICES["handout"]),
    help="Make an exercise. blanks: leave out the numbers to be worked out; solution: show them in another "
    "colour.",
)
@click.option(
    "--words",
    metavar="FILE",
    help="TOML or JSON file with the texts of captions, titles and legends, for example in another language; "
    "`inspect words` prints the English one.",
)
@click.option(
    "--together",
    is_flag=True,
    help="Also draw all recorded calls in one figure: before the first, and after each.",
)
@click.option("--transparent", is_flag=True, help="Make the background of svg and png transparent.")
@click.option(
    "--order",
    type=click.Choice(CHOICES["order"]),
    default="engine",
    show_default=True,
    help="Order of the steps in --frames: the engine's, or level by level (textbook).",
)
@click.option(
    "--text",
    type=click.Choice(CHOICES["text"]),
    default="path",
    show_default=True,
    help="Write text as glyph outlines (path), with an embedded font (embed) or as plain text (plain).",
)
@click.option("--quiet", is_flag=True, hidden=True)
@click.option(
    "--plot", is_flag=True, help="Also plot the root along each scalar leaf, with the tangent at its value."
)
@click.option(
    "--check", is_flag=True, help="Compare each derivative by rules, by autograd and by finite differences."
)
@click.option("--gradcheck", is_flag=True, help="Run gradcheck on custom Functions, at their actual inputs.")
@click.option(
    "--mend",
    is_flag=True,
    help="Try fixes for the findings in a copy of the script, and write those that work to mend.patch. The copy "
    "runs up to the same calls; the script itself is not changed.",
)
@click.option(
    _INDEPENDENCE,
    type=int,
    metavar="[DIM]",
    help="Check that the samples of a batch do not depend on each other. DIM: the dimension of the samples, by "
    "default 0.",
)
@click.option(
    "--fail-on",
    type=click.Choice(CHOICES["fail_on"]),
    default="never",
    show_default=True,
    help="Exit with status 3 on findings of this severity or worse, unless the script itself fails.",
)
@click.option(
    "--annotate",
    type=click.Choice(CHOICES["annotate"]),
    help="Also print the findings as annotations for a CI service.",
)
@click.option("--open", "opens", is_flag=True, help="Show the page in a browser.")
@click.option(
    "--timeline", is_flag=True, help="Draw only the timeline of a saved report: losses and gradient norms by step."
)
@click.option("--folder", hidden=True)
@click.option("--since", type=float, hidden=True, help="For merge: wait for the ranks of a run that started then.")
@click.version_option(__version__, prog_name="inspect")
@click.argument("arguments", metavar="SCRIPT [ARGS]...", nargs=-1, type=click.UNPROCESSED)
def _parse(**parameters: Any) -> dict[str, Any]:
    """Run an unmodified PyTorch script and show what autograd does in it.

    Draws the backward graph of a backward() call before and after the call, with data, grad, is_leaf and
    requires_grad of every tensor and the gradient on every edge, and prints a summary on stderr.

    Reports gradients that are missing, zero, NaN, huge or wrong, with the cause and the source line.

    Instead of SCRIPT: a saved report.json or its folder, to draw it again; a launcher with its script, as in
    `inspect torchrun train.py`, to record each of its processes; `explain [RULE]`, to list the rules or explain
    one; `merge FOLDER`, to merge the reports of the ranks of a distributed run; `doctor`, to check the
    installation; `words`, to print the texts of figures for `--words`.
    """
    return parameters


def _saved_report(path: str) -> str | None:
    """The report that a path names, itself or by its folder; None for a script."""
    if path.endswith((".json", ".json.gz")):
        return path
    inside = Path(path) / "report.json"
    return str(inside) if inside.is_file() and not (Path(path) / "__main__.py").exists() else None


_SUBCOMMANDS = {
    "explain": "inspect explain [RULE]...\n\n  List the rules, or explain one: what it finds, why, how to fix it.",
    "merge": "inspect merge FOLDER\n\n  Merge and draw the reports of the ranks of a distributed run.",
    "doctor": "inspect doctor\n\n  Check the installation: versions, the layout engine, what this torch offers.",
    "words": "inspect words\n\n  Print the texts of figures as a TOML file for --words.",
}


def _run_subcommand(name: str, *arguments: str, options: Options, since: float | None = None) -> int:
    """Run `inspect explain`, `merge`, `doctor` or `words`, or print its usage; return the exit status.

    since: see `merge`.
    """
    if arguments[:1] in (("--help",), ("-h",)):
        print(f"Usage: {_SUBCOMMANDS[name]}")
        return 0
    if name == "explain":
        from inspector.commands.explain import explain

        return explain(arguments)
    if name == "merge":
        from inspector.commands.merge import merge

        return merge(arguments, options, since)
    if name == "doctor":
        from inspector.commands.doctor import doctor

        return doctor()
    print(template(), end="")
    return 0


_LAUNCHERS = ("torchrun", "accelerate", "python", "python3")


def _launch(arguments: Sequence[str], options: Options) -> None:
    """Start a launcher and exit as it does; return if the arguments name none."""
    from inspector.commands.launch import launch, launch_command

    try:
        command = launch_command(arguments, sys.argv[1 : len(sys.argv) - len(arguments)])
    except OptionError as error:
        _complain(str(error))
    if command is not None:
        sys.exit(launch(command, options))


def run() -> NoReturn:
    """Entry point of the commands `inspect` and `inspect-autograd`; ends the process."""
    parameters = _parameters(sys.argv[1:])
    if parameters["module"] is None and len(parameters["arguments"]) > 1:
        parameters = _with_options_after_report(parameters)
    arguments = parameters["arguments"]
    try:
        options = _options(parameters)
        if not arguments and parameters["module"] is None:
            raise OptionError("missing argument SCRIPT")
    except OptionError as error:
        _complain(str(error))
    if parameters["module"] is None and arguments[0] in _SUBCOMMANDS:
        sys.exit(_printing(partial(_run_subcommand, *arguments, options=options, since=parameters["since"])))
    if parameters["module"] is None and arguments[0] in _LAUNCHERS:
        _launch(arguments, options)
    if parameters["module"] is None and (saved := _saved_report(arguments[0])) is not None:
        from inspector.commands.redraw_report import draw_saved

        sys.exit(draw_saved(saved, options, quiet=parameters["quiet"]))
    from inspector.commands.again import second_run
    from inspector.commands.run_script import inspect_script
    from inspector.runscript import ScriptError, ScriptTarget, finish

    script, rest = (None, arguments) if parameters["module"] else (arguments[0], arguments[1:])
    if script is not None and (hint := _misplaced(script, rest)):
        options = replace(options, hint=hint)
    try:
        target = ScriptTarget(script, parameters["module"], tuple(rest))
        exit = inspect_script(target, second_run(target, options))
    except (ScriptError, OptionError) as error:
        _complain(str(error))
    finish(exit)


def _with_options_after_report(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters with those after a saved report, which takes no arguments of its own as a script does."""
    report, *rest = parameters["arguments"]
    if report in (*_SUBCOMMANDS, *_LAUNCHERS) or _saved_report(report) is None:
        return parameters
    before = sys.argv[1 : len(sys.argv) - len(rest) - 1]
    parameters = _parameters([*before[: -1 if before[-1:] == ["--"] else None], *rest])
    if parameters["arguments"]:
        _complain(f"unexpected argument {parameters['arguments'][0]!r}: a saved report is drawn on its own")
    return parameters | {"arguments": (report,)}


_READS_ARGUMENTS = re.compile(rb"\b(argv|argparse|parse_args|click|typer|fire|absl|getopt|docopt|hydra|tyro)\b")


def _misplaced(script: str, rest: Sequence[str]) -> str:
    """A hint if an option of inspect was given after the script, where it belongs to the script.

    Empty if there is none, after `--`, and if the script reads its arguments itself.
    """
    before = sys.argv[1 : len(sys.argv) - len(rest)]
    try:
        if "--" in before or _READS_ARGUMENTS.search(Path(script).read_bytes()):
            return ""
    except OSError:
        return ""
    options = {name: option for option in _parse.params if isinstance(option, click.Option) and not option.hidden
               for name in option.opts if name.startswith("--")}  # fmt: skip
    words = [*takewhile(lambda word: word != "--", rest)]
    for position, word in enumerate(words):
        name, _, value = word.partition("=")
        values = [value] if value else words[position + 1 : position + 2]
        if name in options and _fits(options[name], values):
            return f"{name} was passed to the script; give it before the script's name"
    return ""


def _fits(option: click.Option, values: Sequence[str]) -> bool:
    if option.is_flag:
        return True
    try:
        return any(option.type(value, option, None) is not None for value in values)
    except click.ClickException:
        return False


def _parameters(argv: list[str]) -> dict[str, Any]:
    try:
        result = _printing(lambda: _parse.main(argv, prog_name="inspect", standalone_mode=False))
    except click.UsageError as error:
        _complain(error.format_message())
    if not isinstance(result, dict):  # --help or --version has printed everything
        sys.exit(result)
    return result


def _printing(action: Callable[[], Any]) -> Any:
    """Run an action that prints on stdout. Exits with status 1 on a full disk (with a message) or broken pipe."""
    try:
        result = action()
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            say(f"cannot write to stdout: {reason(error)}")
        discard(sys.stdout)
        sys.exit(FAILED_STATUS)
    return result


def _options(parameters: dict[str, Any]) -> Options:
    wanted = [f"--{name}" for name in ("again", "at", "backward") if parameters[name]]
    wanted += ["--break"] if parameters["breaks"] and wanted and wanted != ["--backward"] else []
    if len(wanted) > 1:
        raise OptionError(f"{wanted[0]} and {wanted[1]} cannot be combined")
    if parameters["breaks"] and not (os.environ.get("PYTHONBREAKPOINT") or sys.stdin.isatty()):
        raise OptionError("--break needs a terminal for the debugger, or PYTHONBREAKPOINT")
    return Options(
        WatchOptions(
            parameters["backward"] or ("all" if parameters["together"] else None),
            parameters["watch"],
            parameters["stop"],
            parameters["record"],
            parameters["again"],
            parameters["at"],
            flight=FlightOptions(1.0 if parameters["breaks"] else parameters["budget"], parameters["breaks"]),
        ),
        _look(parameters),
        destination(parameters["output"], parameters["formats"]),
        CheckOptions(
            derivatives=parameters["check"],
            functions=parameters["gradcheck"],
            mend=parameters["mend"],
            independence=parameters["check_independence"],
            fail_on=parameters["fail_on"],
            annotate=parameters["annotate"],
        ),
        opens=parameters["opens"],
    )


def _look(parameters: dict[str, Any]) -> DrawOptions:
    folder = Path(parameters["folder"]) if parameters["folder"] is not None else None
    return DrawOptions(
        theme=parameters["theme"],
        text=parameters["text"],
        figure=FigureOptions(
            style=parameters["style"],
            detail=parameters["detail"],
            direction=parameters["direction"],
            arrows=parameters["arrows"],
            canvas=parameters["canvas"],
            derivatives=parameters["derivatives"],
            values=parameters["values"],
            path=parameters["path"] or "",
            code=parameters["code"],
        ),
        presentation=_presentation(parameters),
        depth=parameters["depth"],
        folder=folder,
        further=FurtherFigures(parameters["plot"], parameters["together"], parameters["timeline"]),
        transparent=parameters["transparent"],
    )


def _presentation(parameters: dict[str, Any]) -> Presentation:
    """Raises OptionError for an unknown colour, and for a file of words that cannot be used."""
    try:
        return Presentation(
            frames=parameters["frames"] or parameters["reveal"],
            order=parameters["order"],
            reveal=parameters["reveal"],
            highlights=read_highlights(parameters["highlights"]),
            handout=parameters["handout"],
            words=ENGLISH if parameters["words"] is None else read_words(Path(parameters["words"])),
        )
    except ValueError as error:
        raise OptionError(str(error)) from error


def _complain(message: str) -> NoReturn:
    """Print the usage error in one line and exit with status 2."""
    text = " ".join(message.split())
    say(f"{text.rstrip('.')} (see inspect --help)")
    sys.exit(USAGE_STATUS)
