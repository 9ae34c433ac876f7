"""Real programs under `inspect`: `python -m benchmarks.picture_table [NAME ...]` prints a table of their pictures.

Each program runs plainly and under `inspect`, and both must print the same. `programs/` has programs with common
libraries (`pip install autograd-inspector[programs]`) and others as they are often written; the rest is from the
tests and the gallery. A program whose library is not installed is named below the table.
`--pictures FOLDER` keeps the figures, `--output FILE` writes the table as Markdown.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from forkserver import Completed, ForkServer  # noqa: E402
from running import environment  # noqa: E402

import inspector  # noqa: E402
from inspector.export.svg import write_svg  # noqa: E402

IMAGE_CLASSIFIERS = (
    *("timm convnext_atto", "timm vit_tiny_patch16_224"),
    *("torchvision densenet121", "torchvision resnet18", "torchvision swin_t"),
)
"""Arguments of `programs/image_classifier.py`."""
OF_THE_TESTS = (
    "dcgan_shared_fake",
    *("vae_reparametrised", "style_transfer_net", "siamese_contrastive", "pinn_burgers", "dqn_target_network"),
    *("ppo_clipped", "sac_three_optimizers", "maml_sine", "wgan_gradient_penalty", "ddpm_tiny", "real_nvp"),
)
OF_THE_GALLERY = ("nanogpt", "mingpt", "t5", "vit")
COMMAND = "python -m benchmarks.picture_table"
_ABOUT = (
    f"Written by `{COMMAND} --output docs/programs.md`. Each program ran plainly and under `inspect`. Boxes and "
    "size are those of the default picture after the drawn call; findings are of warning or error level."
)
HEAD = ("program", "Nodes", "boxes", "size in points", "findings", "same output")
_LOUD = ("warning", "error")
_MISSING = re.compile(r"^ModuleNotFoundError: No module named '([\w.]+)'$", re.MULTILINE)
_WORDS = {True: "yes", False: "no"}
_BOX = re.compile(r'<g id="figure-after-(?:g_)?n\d+"')
_TIMEOUT = 1200.0


@dataclass(frozen=True)
class Program:
    """A script with its arguments."""

    path: Path
    arguments: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name in the table."""
        return "_".join(self.arguments) or self.path.stem


@dataclass(frozen=True)
class Row:
    """What came of a program. wrong: what must not happen, in words; empty if nothing."""

    name: str
    cells: tuple[str, ...]
    wrong: str


class NotInstalled(Exception):
    """The library of a program is missing."""


def programs(names: Sequence[str]) -> Iterator[Program]:
    """The programs whose names contain one of these texts; all if there are none."""
    classifier = HERE / "programs" / "image_classifier.py"
    found = [Program(path) for path in sorted((HERE / "programs").glob("*.py")) if path != classifier]
    found += [Program(classifier, tuple(model.split())) for model in IMAGE_CLASSIFIERS]
    found += [Program(ROOT / "tests" / "scripts" / "healthy" / f"{name}.py") for name in OF_THE_TESTS]
    found += [Program(ROOT / "gallery" / f"{name}.py") for name in OF_THE_GALLERY]
    return (program for program in found if not names or any(name in program.name for name in names))


def run(server: ForkServer, program: Program, folder: Path) -> Row:
    """Run a program plainly and under `inspect`, and draw the call that `inspect` draws by default."""
    plain = _run(server, [], program, "plain:run")
    if plain.status and (found := _MISSING.search(plain.stderr)):
        raise NotInstalled(found[1])
    output = folder / program.name
    ours = _run(server, ["-f", "json", "-o", str(output)], program, "inspector.cli:run")
    same = (plain.status, plain.stdout) == (ours.status, ours.stdout)
    if not (output / "report.json").exists():
        return Row(program.name, ("?", "?", "?", "?", _WORDS[same]), ours.stderr.strip()[-300:])
    report = inspector.load(output / "report.json")
    findings = [finding.rule for finding in report.findings if finding.severity in _LOUD]
    drawn = report.recording["drawn"][0]
    graph = next(call.graph for call in report.calls if call.index == drawn)
    scene = inspector.draw(graph).figure.panels["after"]
    figure = write_svg(scene)
    (folder / f"{program.name}.svg").write_text(figure, encoding="utf-8")
    size = f"{scene.width:,.0f} \N{MULTIPLICATION SIGN} {scene.height:,.0f}"
    nodes = sum(1 for _ in graph.functions())
    cells = (f"{nodes:,}", str(len(_BOX.findall(figure))), size, ", ".join(findings) or "none", _WORDS[same])
    remarks = [line for line in ours.stderr.splitlines() if "internal error" in line]
    return Row(program.name, cells, "; ".join([*findings, *remarks, *([] if same else ["other output"])]))


def _run(server: ForkServer, options: Sequence[str], program: Program, entry: str) -> Completed:
    env = environment(PYTHONPATH=str(ROOT / "tests"))
    argv = [*options, program.path.name, *program.arguments]
    return server.run(argv, cwd=program.path.parent, env=env, entry=entry, timeout=_TIMEOUT)


def table(rows: Sequence[Row], missing: Sequence[str]) -> str:
    """The rows in Markdown."""
    lines = [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}"]
    lines += [f"| {' | '.join((row.name, *row.cells))} |" for row in rows]
    return "\n".join([*lines, *([f"\nNot run, since not installed: {', '.join(missing)}"] if missing else [])])


def main() -> int:
    """Run the chosen programs and print the table. Status 1 if something was wrong."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="parts of names; all programs if none")
    parser.add_argument("--pictures", type=Path, help="a folder that keeps what `inspect` writes")
    parser.add_argument("--output", type=Path, help="a Markdown file for the table")
    chosen = parser.parse_args()
    rows, missing = [], []
    os.environ["PYTHONPATH"] = str(HERE)  # of the server
    with tempfile.TemporaryDirectory() as folder, ForkServer(("torch", "torchvision_operators")) as server:
        for program in programs(chosen.names):
            try:
                rows.append(run(server, program, (chosen.pictures or Path(folder)).resolve()))
            except NotInstalled as error:
                missing.append(f"{program.name} ({error})")
                continue
            print(f"{rows[-1].name}: {' | '.join(rows[-1].cells)}", flush=True)
    text = table(rows, missing)
    print(text)
    if chosen.output is not None:
        chosen.output.write_text(f"# Pictures of real programs\n\n{_ABOUT}\n\n{text}\n", encoding="utf-8")
    for row in rows:
        if row.wrong:
            print(f"{row.name}: {row.wrong}")
    return int(any(row.wrong for row in rows))


if __name__ == "__main__":
    sys.exit(main())
