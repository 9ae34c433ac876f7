"""One step of a vision transformer: twelve layers as in the base model, of a small width."""
import torch
from transformers import ViTConfig, ViTForImageClassification

torch.manual_seed(0)
config = ViTConfig(
    hidden_size=48, num_attention_heads=4, num_hidden_layers=12, intermediate_size=96, image_size=32, patch_size=8,
    num_labels=10,
)
model = ViTForImageClassification(config)
images, labels = torch.randn(2, 3, 32, 32), torch.tensor([3, 7])
loss = model(images, labels=labels).loss
loss.backward()
