# expect: unstable-log-softmax
# line: 16 or 17
# harmed: *

"""Distil a wide teacher into a narrow student at a raised temperature."""
import torch
from torch import nn


def mlp(width):
    return nn.Sequential(nn.Linear(6, width), nn.GELU(), nn.Linear(width, 4))


def distillation_loss(student_logits, teacher_logits, temperature):
    p_teacher = (teacher_logits / temperature).softmax(-1)
    p_student = (student_logits / temperature).softmax(-1)
    return -(p_teacher * p_student.log()).sum(-1).mean() * temperature**2


def main():
    torch.manual_seed(0)
    teacher, student = mlp(64).eval().requires_grad_(False), mlp(8)
    optimizer = torch.optim.Adam(student.parameters(), lr=1e-2)
    x = torch.randn(32, 6)
    for epoch in range(4):
        with torch.no_grad():
            teacher_logits = teacher(x)
        loss = distillation_loss(student(x), teacher_logits, temperature=3.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"epoch {epoch}: {loss.item():.4f}")


main()
