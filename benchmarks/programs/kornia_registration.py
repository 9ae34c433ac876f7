"""Find the transformation between two images with kornia."""

import kornia
import torch
import torch.nn.functional as F

torch.manual_seed(0)
image = kornia.filters.gaussian_blur2d(torch.rand(1, 1, 32, 32), (7, 7), (2.0, 2.0))
shifted = torch.roll(image, (2, 1), (2, 3))
transformation = torch.nn.Parameter(torch.eye(3)[None])
optimizer = torch.optim.Adam([transformation], lr=1e-2)
for step in range(4):
    optimizer.zero_grad()
    warped = kornia.geometry.homography_warp(image, transformation, (32, 32))
    edges = kornia.filters.sobel(warped) - kornia.filters.sobel(shifted)
    loss = F.l1_loss(warped, shifted) + 0.1 * edges.abs().mean()
    loss.backward()
    optimizer.step()
    print(f"{step} {loss.item():.4f}")
