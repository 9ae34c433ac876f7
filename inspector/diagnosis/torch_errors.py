"""What errors of torch mean that end a script before or beside backward."""

from __future__ import annotations

_MEANINGS = {
    "view of a leaf Variable that requires grad is being used in an in-place operation": (
        "a part of a tensor that requires a gradient is written in place, which autograd cannot follow: write "
        "under torch.no_grad(), as an initialisation or an update, or compute a new tensor with torch.where"
    ),
    "leaf Variable that requires grad is being used in an in-place operation": (
        "a tensor that requires a gradient is changed in place, which autograd cannot follow: change it under "
        "torch.no_grad(), as an optimizer does, or compute a new tensor from it (w = w + 0.1)"
    ),
    "leaf variable has been moved into the graph interior": (
        "a leaf was overwritten in place and is no longer a leaf: compute a new tensor from it instead"
    ),
    "grad can be implicitly created only for scalar outputs": (
        "the root has several elements, and torch cannot know how to weigh them: reduce it to one number first "
        "(loss.mean()), or pass a gradient of its shape (loss.backward(gradient))"
    ),
    "Can't call numpy() on Tensor that requires grad": (
        "NumPy records no graph, so what it computes cannot train anything: use torch's functions for the loss, "
        "and tensor.detach().numpy() for a value that is only printed or stored"
    ),
    "'float' object has no attribute 'backward'": (
        "the root is a Python number, which has no graph: add up the tensors themselves, without .item()"
    ),
    "'int' object has no attribute 'backward'": (
        "the root is a Python number, which has no graph: no tensor was added to it"
    ),
    "'numpy.float32' object has no attribute 'backward'": (
        "the root is a NumPy number, which has no graph: compute the loss with torch's functions"
    ),
    "'numpy.float64' object has no attribute 'backward'": (
        "the root is a NumPy number, which has no graph: compute the loss with torch's functions"
    ),
    "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol": (
        "a tensor cannot be copied together with its graph: deepcopy before it is computed, or tensor.detach()"
    ),
    "Expected more than 1 value per channel when training": (
        "a batch norm normalises each channel over one number, which would always be 0: give it several "
        "samples (drop_last=True), or call model.eval()"
    ),
    "Inference tensors cannot be saved for backward": (
        "a tensor computed under inference_mode is used where a gradient is recorded: compute it under no_grad, "
        "or use tensor.clone()"
    ),
    "ensors of floating point and complex dtype can require gradients": (
        "integers have no derivative: make the tensor a floating-point one first (torch.tensor(3.0))"
    ),
}
"""Text of the exception -> what it means and what to do. The first that fits counts."""


def meaning_of(error: BaseException) -> str | None:
    """What an error of torch means and what to do about it; None for any other exception."""
    if not isinstance(error, (RuntimeError, AttributeError, ValueError)):
        return None
    text = str(error)
    return next((meaning for part, meaning in _MEANINGS.items() if part in text), None)
