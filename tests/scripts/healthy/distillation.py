# expect: nothing

"""Knowledge distillation: soft targets of a frozen teacher and hard labels."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3, padding=1)
        self.fc = nn.Linear(width, 5)

    def forward(self, x):
        return self.fc(F.relu(self.conv(x)).mean(dim=(2, 3)))


def kd_loss(student, teacher, labels, T=4.0, alpha=0.7):
    soft = F.kl_div(F.log_softmax(student / T, dim=1), F.softmax(teacher / T, dim=1), reduction="batchmean")
    return alpha * T * T * soft + (1 - alpha) * F.cross_entropy(student, labels)


torch.manual_seed(0)
teacher, student = Net(32), Net(8)
teacher.eval()
optimizer = torch.optim.Adam(student.parameters(), lr=1e-2)
x, y = torch.randn(20, 1, 6, 6), torch.randint(0, 5, (20,))
for epoch in range(5):
    with torch.no_grad():
        teacher_logits = teacher(x)
    loss = kd_loss(student(x), teacher_logits, y)
    # the probabilities of an ensemble are a target of cross_entropy as well
    loss = loss + 0.1 * F.cross_entropy(student(x), teacher_logits.softmax(dim=1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch}: {loss.item():.4f}")
