"""Record what happens around the backward calls: optimizers, grads, parameters and graphs kept alive."""
