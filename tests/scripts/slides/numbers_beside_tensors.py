"""Operations with numbers beside tensors."""
import torch
x = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
y = torch.tensor([0.1, 0.2, 0.3], requires_grad=True)
t = torch.tensor([1., 2., 3.])
a = torch.lerp(x, y, 0.3)
b = torch.clamp(a, -0.5, 0.5)
c = torch.where(t > 1, b, 0.25)
d = torch.addcmul(c, x, y, value=0.75)
e = torch.add(d, x, alpha=3)
loss = (e**2).sum()
loss.backward()
