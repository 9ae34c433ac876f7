"""What happens around the backward calls: optimizers, grads, parameters and the graphs that stay alive."""
