"""The corpus of the diagnosis' tests: scripts with one defect each, and healthy ones.

Each script starts with comments that say what the diagnosis must find::

    # expect: detached                 the rule (`nothing` in a healthy script)
    # line: 37 or 41                   the line at fault, 1-based; any of these is right
    # harmed: encoder.*, head.weight   what is harmed; `*` where naming it means nothing
    # options: --gradcheck             options that `inspect` needs (left out: none)
    # exit: 1                          the script's own exit status (left out: 0)

`harmed` names parameters as `named_parameters()` of the script's model does (with several models, with or
without the variable before it: `discriminator.0.weight`), and tensors as the script does; `*` and `?` are
wildcards. Every pattern must be met by a harmed parameter, and a harmed parameter must meet a pattern.

Run as a program, it checks the headers against the scripts, each of which it runs plainly::

    python tests/scripts/check.py [--measure] [SCRIPT ...]

--measure also prints the losses and the parameters without a gradient, with a zero one, with NaN or Inf.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import fnmatch
import gc
import json
import math
import os
import signal
import sys
import tempfile
import time
import tokenize
import traceback
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
KEYS = ("expect", "line", "harmed", "options", "exit")
LIMIT = 60
"""Seconds after which a script is stopped."""


@dataclass(frozen=True)
class Expectation:
    """rule: None in a healthy script. lines: any of them is right."""

    path: Path
    rule: str | None
    lines: tuple[int, ...] = ()
    harmed: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    exit: int = 0

    @property
    def name(self) -> str:
        return self.path.relative_to(HERE).with_suffix("").as_posix()

    def meets(self, harmed: set[str]) -> bool:
        """Whether these names, as a finding gives them, are the harmed ones."""
        if self.harmed == ("*",):
            return True

        def met(name: str, pattern: str) -> bool:
            return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, "*." + pattern)

        return all(any(met(name, pattern) for name in harmed) for pattern in self.harmed) and all(
            any(met(name, pattern) for pattern in self.harmed) for name in harmed
        )


def read(path: Path) -> Expectation:
    """The expectation in the comments that a script starts with; ValueError if they are not as they should be."""
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        key, colon, value = line.removeprefix("# ").partition(": ")
        if not line.startswith("# ") or not colon or key not in KEYS:
            break
        if key in found:
            raise ValueError(f"{path}: two of {key!r}")
        found[key] = value.strip()
    rule = found.get("expect")
    if not rule:
        raise ValueError(f"{path}: no 'expect'")
    healthy = rule == "nothing"
    if healthy != ("line" not in found) or healthy != ("harmed" not in found):
        raise ValueError(f"{path}: 'line' and 'harmed' belong to a broken script")
    return Expectation(
        path,
        None if healthy else rule,
        tuple(int(number) for number in found.get("line", "").split(" or ") if number),
        tuple(name.strip() for name in found.get("harmed", "").split(",") if name.strip()),
        tuple(found.get("options", "").split()),
        int(found.get("exit", "0")),
    )


def corpus() -> list[Expectation]:
    """All scripts, broken ones first, in the order of their names."""
    paths = [*sorted(HERE.glob("broken/*/*.py")), *sorted(HERE.glob("healthy/*.py"))]
    return [read(path) for path in paths]


@dataclass
class Ran:
    status: int
    seconds: float
    error: str
    names: set[str] = field(default_factory=set)
    losses: list[float] = field(default_factory=list)
    gradients: dict[str, list[float | None]] = field(default_factory=dict)
    stderr: str = ""


class _Watch:
    """What a script's variables are called, its losses, and its gradients after each backward call."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.names: set[str] = set()
        self.losses: list[float] = []
        self.gradients: dict[str, list[float | None]] = {}
        self.calls = 0

    def install(self) -> None:
        import torch

        engine: Any = torch.autograd
        original = engine.graph._engine_run_backward

        def wrapped(roots: Any, *args: Any, **options: Any) -> Any:
            self.look(sys._getframe(1))
            value = sum(float(root.detach().double().sum()) for root in roots if root.numel() == 1)
            result = original(roots, *args, **options)
            if options.get("accumulate_grad"):
                self.losses.append(value)
                self.measure()
            return result

        engine.graph._engine_run_backward = engine._engine_run_backward = wrapped

    def look(self, frame: types.FrameType | None) -> None:
        while frame is not None:
            if frame.f_code.co_filename == self.path:
                self.take(frame.f_locals)
                self.take(frame.f_globals)
            frame = frame.f_back

    def take(self, variables: dict[str, Any]) -> None:
        import torch

        for name, value in list(variables.items()):
            if issubclass(type(value), torch.Tensor):
                self.names.add(name)
            elif issubclass(type(value), torch.nn.Module):
                for inner, _ in value.named_parameters(remove_duplicate=False):
                    self.names |= {inner, f"{name}.{inner}"}

    @staticmethod
    def parameters() -> dict[str, Any]:
        """The parameters of all modules that are not inside another."""
        import torch

        modules = [thing for thing in gc.get_objects() if issubclass(type(thing), torch.nn.Module)]
        inner = {id(child) for module in modules for child in module.children()}
        outer = [module for module in modules if id(module) not in inner]
        outer = [module for module in outer if any(True for _ in module.parameters())]
        named = {}
        for number, module in enumerate(outer):
            for name, parameter in module.named_parameters():
                named[f"{number}:{name}" if len(outer) > 1 else name] = parameter
        return named

    def measure(self) -> None:
        for name, parameter in self.parameters().items():
            grad = parameter.grad
            norm = None if grad is None else float(grad.detach().to_dense().double().norm())
            self.gradients.setdefault(name, [None] * self.calls).append(norm)
        self.calls += 1


def _child(path: Path, streams: dict[int, Path], answer: Path) -> None:
    """Runs the script as `python SCRIPT` would, and writes what came of it."""
    for number, target in streams.items():
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT)
        os.dup2(descriptor, number)
    sys.argv, sys.path[0] = [str(path)], str(path.parent)
    main = types.ModuleType("__main__")
    main.__file__ = str(path)
    sys.modules["__main__"] = main
    watch = _Watch(path)
    watch.install()
    status, error, start = 0, "", time.perf_counter()
    try:
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec", dont_inherit=True), main.__dict__)
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException as raised:
        status, error = 1, traceback.format_exception_only(raised)[-1].strip()
        trace = raised.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == str(path):
                watch.take(trace.tb_frame.f_locals)
            trace = trace.tb_next
    seconds = time.perf_counter() - start
    watch.take(main.__dict__)
    watch.names |= set(watch.parameters())
    result = [status, seconds, error, sorted(watch.names), watch.losses, watch.gradients]
    answer.write_text(json.dumps(result), encoding="utf-8")
    sys.stdout.flush()
    sys.stderr.flush()


def run(path: Path) -> Ran:
    """Runs a script in a fork of this process, which has imported torch."""
    import torch._dynamo  # noqa: F401 (an optimizer's first step imports it, which takes a second)

    with tempfile.TemporaryDirectory() as folder:
        streams = {1: Path(folder, "stdout"), 2: Path(folder, "stderr")}
        answer = Path(folder, "answer")
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            try:
                signal.alarm(LIMIT)
                _child(path, streams, answer)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        stderr = streams[2].read_text(encoding="utf-8")
        if not answer.exists():
            return Ran(-1, 0.0, "it died: " + stderr[-300:])
        status, seconds, error, names, losses, gradients = json.loads(answer.read_text(encoding="utf-8"))
        return Ran(status, seconds, error, set(names), losses, gradients, stderr)


def code_lines(path: Path) -> set[int]:
    """The lines that hold code, not only comments or a docstring."""
    source = path.read_text(encoding="utf-8")
    lines: set[int] = set()
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in (tokenize.NAME, tokenize.OP, tokenize.NUMBER):
                lines.add(token.start[0])
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def problems(expected: Expectation, ran: Ran) -> list[str]:
    """What is wrong with a script or its header."""
    wrong = []
    if ran.status != expected.exit:
        wrong.append(f"exit status {ran.status}, not {expected.exit}: {ran.error or ran.stderr[-300:]}")
    folder = expected.path.parent
    if expected.rule != (folder.name if folder.parent.name == "broken" else None):
        wrong.append(f"expects {expected.rule} in the folder {folder.name}")
    code = code_lines(expected.path)
    wrong += [f"line {line} is not code" for line in expected.lines if line not in code]
    for pattern in expected.harmed:
        if not any(fnmatch.fnmatchcase(name.partition(":")[2] or name, pattern) for name in ran.names):
            wrong.append(f"no parameter or tensor {pattern!r}")
    return wrong


def measured(ran: Ran) -> str:
    """One script's losses, and the parameters whose gradients are missing, zero or not finite."""
    rows = [f"    losses {' '.join(f'{loss:.4g}' for loss in ran.losses[:10])}"]

    def say(what: str, names: list[str]) -> None:
        if names:
            rows.append(f"    {what}: {', '.join(names[:12])}{' ...' if len(names) > 12 else ''}")

    seen = {name: values for name, values in ran.gradients.items() if values}
    say("never a gradient", [name for name, values in seen.items() if all(v is None for v in values)])
    say("always zero", [n for n, v in seen.items() if any(x is not None for x in v) and not any(v)])
    odd = [name for name, values in seen.items() if not all(math.isfinite(v or 0.0) for v in values)]
    say("sometimes NaN or Inf", odd)
    for call in range(min(3, max((len(v) for v in seen.values()), default=0))):
        norms = {n: v[call] for n, v in seen.items() if len(v) > call and v[call]}
        if norms:
            low, high = min(norms, key=lambda n: norms[n] or 0), max(norms, key=lambda n: norms[n] or 0)
            rows.append(f"    call {call + 1}: {norms[low]:.2e} ({low}) to {norms[high]:.2e} ({high})")
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description="Check the headers of the scripts, and run each script.")
    parser.add_argument("scripts", nargs="*", type=Path, help="which ones (default: all)")
    parser.add_argument("--measure", action="store_true", help="print losses and odd gradients")
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    wanted = [read(path.resolve()) for path in args.scripts] or corpus()
    failures = 0
    counts: dict[str, int] = {}
    for expected in wanted:
        ran = run(expected.path)
        wrong = problems(expected, ran)
        failures += bool(wrong)
        kind = expected.rule or "healthy"
        counts[kind] = counts.get(kind, 0) + 1
        lines = " or ".join(map(str, expected.lines))
        head = f"{'FAIL' if wrong else 'ok':4} {expected.name:60}"
        print(f"{head} line {lines:18} exit {ran.status} {ran.seconds:.2f} s")
        for problem in wrong:
            print(f"     {problem}")
        if ran.error and not wrong and args.measure:
            print(f"     {ran.error[:150]}")
        if args.measure:
            print(measured(ran))
            warned = [line for line in ran.stderr.splitlines() if "Warning" in line]
            for line in warned:
                print(f"     {line[-170:]}")
    print()
    for kind, count in counts.items():
        print(f"{count:4} {kind}")
    print(f"{len(wanted):4} scripts, {failures} with a problem")
    return int(failures > 0)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
