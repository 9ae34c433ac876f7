"""Warnings of torch name the file and line that they name under python, so that the script's filters hold."""

import subprocess
import textwrap

import pytest
from running import command_line, environment
from undisturbed import run_both

SCRIPTS = {
    "silenced-by-module": """
        import warnings
        warnings.filterwarnings("ignore", module=r"torch\\.nn\\.")
        w = torch.randn(4, 3, requires_grad=True)
        torch.nn.Dropout2d(0.5)(w).sum().backward()
        """,
    "silenced-by-line": """
        import warnings
        warnings.filterwarnings("ignore", module="__main__", lineno=5)
        x = torch.randn(2, 3, requires_grad=True)
        x.std(0, correction=2); y = (x * 2).grad
        z = (x * 3).grad
        x.sum().backward()
        """,
    "functional": """
        x = torch.randn(2, 3, requires_grad=True)
        F = torch.nn.functional
        loss = F.softmax(x).sum() + torch.nn.Softmax()(x).sum() + F.log_softmax(x).sum()
        loss = loss + F.mse_loss(x, torch.zeros(3)) + torch.nn.L1Loss()(x, torch.zeros(1, 3))
        loss = loss + F.dropout2d(x).sum() + F.tanh(x).sum() + F.sigmoid(x).sum()
        loss = loss + torch.nn.Upsample(scale_factor=2, mode="bilinear")(x[None, None]).sum()
        loss.backward()
        """,
    "written-in-c": """
        x = torch.randn(2, 3, 4, requires_grad=True)
        y = x * 2
        print(y.grad)
        print(x.T.shape, torch.randn(1).std())
        torch.meshgrid(torch.ones(2), torch.ones(3))
        (y.to(torch.complex64).to(torch.float32)).sum().backward()
        torch.ones(3, out=torch.ones(2))
        torch.eye(3).to_sparse_csr()
        torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
        """,
    "once-for-each-line": """
        x = torch.randn(2, 3, requires_grad=True)
        def twice():
            for _ in range(3):
                torch.nn.functional.softmax(x)
                (x * 2).grad
                torch.nn.functional.softmax(x)
        twice()
        twice()
        x.sum().backward()
        """,
    "always": """
        import warnings
        warnings.simplefilter("always")
        x = torch.randn(2, 3, requires_grad=True)
        for _ in range(2):
            torch.nn.functional.softmax(x).sum().backward()
        """,
    "clipping": """
        model = torch.nn.Linear(2, 3)
        model(torch.randn(2, 2)).sum().backward()
        torch.nn.utils.clip_grad_norm_((p for p in ()), 1.0)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        torch.nn.utils.clip_grad_norm_(iter([]), max_norm=1.0)
        torch.nn.utils.clip_grad.clip_grad_norm_((p for p in ()), 1.0)
        torch.nn.utils.clip_grad_norm([], 1.0)
        """,
    "scheduler-before-optimizer": """
        model = torch.nn.Linear(2, 3)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
        model(torch.randn(2, 2)).sum().backward()
        scheduler.step()
        optimizer.step()
        scheduler.step(3)
        print(scheduler.get_lr())
        """,
    "create_graph": """
        x = torch.randn(3, requires_grad=True)
        x.pow(3).sum().backward(create_graph=True)
        """,
    "a-hook-that-warns": """
        import warnings
        x = torch.randn(3, requires_grad=True)
        def hook(gradient):
            warnings.warn("in a hook", stacklevel=1)
            warnings.warn("above a hook", stacklevel=2)
        y = x * 2
        y.register_hook(hook)
        y.sum().backward()
        """,
    "a-custom-function-that-warns": """
        import warnings
        class Noisy(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                for level in range(1, 4):
                    warnings.warn(f"forward {level}", stacklevel=level)
                return x * 2
            @staticmethod
            def backward(ctx, gradient):
                warnings.warn("backward", stacklevel=2)
                return gradient * 2
        Noisy.apply(torch.ones(3, requires_grad=True)).sum().backward()
        """,
    "a-function-of-the-script-that-modes-see": """
        import warnings
        from torch.overrides import handle_torch_function, has_torch_function
        def half(x):
            if has_torch_function((x,)):
                return handle_torch_function(half, (x,), x)
            for level in range(1, 4):
                warnings.warn(f"half {level}", stacklevel=level)
            return x / 2
        def main():
            half(torch.ones(3, requires_grad=True)).sum().backward()
        main()
        """,
    "a-mode-of-the-script": """
        from torch.overrides import TorchFunctionMode
        class Mode(TorchFunctionMode):
            def __torch_function__(self, function, types, arguments=(), options=None):
                return function(*arguments, **(options or {}))
        x = torch.randn(2, 3, requires_grad=True)
        with Mode():
            torch.nn.functional.softmax(x).sum().backward()
            (x * 2).grad
        """,
    "errors-but-for-a-module-and-what-is-caught": """
        import warnings
        warnings.filterwarnings("error")
        warnings.filterwarnings("ignore", category=UserWarning, module=r"torch\\.nn\\.functional")
        x, F = torch.randn(4, 3, requires_grad=True), torch.nn.functional
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loss = F.l1_loss(torch.nn.Linear(3, 1)(x), torch.zeros(4)) + F.softmax(x).sum()
            torch.utils.checkpoint.checkpoint(torch.nn.Linear(3, 3), x).sum().backward()
        print([(item.filename.rpartition("/")[2], item.lineno, item.category.__name__) for item in caught])
        F.mse_loss(torch.nn.Linear(3, 1)(x), torch.zeros(4)).backward()
        try:
            F.softmax(x)
        except UserWarning as error:
            print(type(error).__name__)
        loss.backward()
        """,
    "made-an-error": """
        import warnings
        warnings.simplefilter("error")
        def loss(x):
            return torch.nn.functional.softmax(x).sum()
        loss(torch.randn(2, 3, requires_grad=True)).backward()
        """,
    "made-an-error-in-c": """
        import traceback, warnings
        warnings.simplefilter("error")
        x = torch.randn(2, 3, requires_grad=True)
        try:
            (x * 2).grad
        except UserWarning:
            print([(entry.name, entry.lineno) for entry in traceback.extract_tb(__import__("sys").exc_info()[2])])
        (x * 2).sum().backward()
        (x * 2).grad
        """,
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_warnings_are_those_of_python(inspect_script, script):
    ran = run_both(inspect_script, "import torch\ntorch.manual_seed(0)\n" + textwrap.dedent(SCRIPTS[script]))
    assert "function_mode.py" not in ran.stderr and "overrides.py" not in ran.stderr


def test_pytest_with_warnings_as_errors(tmp_path):
    """pytest itself warns of plugins that were imported before it could rewrite them."""
    (tmp_path / "test_it.py").write_text(
        """
import pytest, torch
def test_it():
    with pytest.warns(UserWarning) as caught:
        torch.nn.functional.softmax(torch.ones(2, 3, requires_grad=True)).sum().backward()
    assert caught[0].filename == __file__
@pytest.mark.filterwarnings("ignore::UserWarning:torch.nn.modules")
def test_its_filter():
    torch.nn.Softmax()(torch.ones(2, 3, requires_grad=True)).sum().backward()
"""
    )
    command = command_line("-f", "json", "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider")
    ran = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2 passed" in ran.stdout and "backward 1" in ran.stderr
