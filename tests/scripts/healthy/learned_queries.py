# expect: nothing
import torch
from torch import nn


class Detector(nn.Module):
    def __init__(self, queries=5, width=16):
        super().__init__()
        self.queries = nn.Parameter(torch.randn(queries, width))
        self.refine = nn.Linear(width, width)
        self.backbone = nn.Linear(12, width)
        self.attend = nn.MultiheadAttention(width, 2, batch_first=True)
        self.boxes = nn.Linear(width, 4)

    def forward(self, images):
        memory = self.backbone(images)
        q = self.refine(self.queries).expand(images.shape[0], -1, -1)
        out, _ = self.attend(q, memory, memory)
        return self.boxes(out).sigmoid()


torch.manual_seed(6)
model = Detector()
opt = torch.optim.AdamW(model.parameters(), lr=1e-3)
for _ in range(4):
    images, boxes = torch.randn(3, 9, 12), torch.rand(3, 5, 4)
    loss = nn.functional.l1_loss(model(images), boxes)
    opt.zero_grad()
    loss.backward()
    opt.step()
