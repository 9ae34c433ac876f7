# expect: non-leaf-tensor
# line: 14
# harmed: W
# exit: 1

# Softmax regression from scratch.
import torch

torch.manual_seed(0)
num_inputs, num_outputs = 12, 4
X = torch.randn(60, num_inputs)
y = (X @ torch.randn(num_inputs, num_outputs)).argmax(dim=1)

W = torch.randn(num_inputs, num_outputs, requires_grad=True) * 0.01
b = torch.zeros(num_outputs, requires_grad=True)


def softmax(O):
    O_exp = torch.exp(O - O.max(dim=1, keepdim=True).values)
    return O_exp / O_exp.sum(dim=1, keepdim=True)


def cross_entropy(y_hat, y):
    return -torch.log(y_hat[range(len(y_hat)), y] + 1e-9).mean()


for epoch in range(5):
    l = cross_entropy(softmax(X @ W + b), y)
    l.backward()
    with torch.no_grad():
        for param in (W, b):
            param -= 0.5 * param.grad
            param.grad.zero_()
    print(f"epoch {epoch}, loss {l.item():.4f}")
