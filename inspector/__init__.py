"""See what PyTorch's autograd does: the backward graph, before and after backward()."""

__version__ = "0.1.0"
