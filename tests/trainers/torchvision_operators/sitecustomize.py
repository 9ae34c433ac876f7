"""Declares the operators that torchvision asks for when it is imported; no model of the tests needs them.

Its wheel may not fit the torch of a machine without a GPU, and then lacks them. Python imports this module when it
starts, if its folder is in PYTHONPATH.
"""

import importlib.abc
import sys


class _BeforeTorchvision(importlib.abc.MetaPathFinder):
    library = None

    def find_spec(self, name, path, target=None):
        if name == "torchvision":
            import torch

            sys.meta_path.remove(self)
            self.library = torch.library.Library(name, "FRAGMENT")
            for operator in ("nms", "qnms"):
                self.library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            sys.modules[__name__].finder = self  # the operators live as long as the library
        return


sys.meta_path.insert(0, _BeforeTorchvision())
