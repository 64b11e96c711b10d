"""Loads what `equipoise export --to pytorch` wrote into PyTorch's modules, strictly, and compares logits with the golden ones.

    equipoise import test/evaluation/foreign/resnet18.safetensors --model resnet18 --width 1/16 --out net.safetensors
    equipoise export net.safetensors --to pytorch --out export.safetensors
    python scripts/pytorch_export.py export.safetensors      # needs torch, numpy and safetensors

Knows the resnet18 and wrn-10-1 of the golden vectors, the preactresnet18 that lies beside them, and any vgg16, which it only
loads and runs.
"""
import json
import sys

import torch
from pytorch_weights import PreActResNet18, ResNet18, Wrn10, golden, test
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn


class Vgg16(nn.Module):
    """The width follows from the weights."""

    def __init__(self, state):
        super().__init__()
        layers = []
        for ends in (2, 4, 7, 10, 13):
            while sum(isinstance(layer, nn.Conv2d) for layer in layers) < ends:
                outputs, inputs = state[f"features.{len(layers)}.weight"].shape[:2]
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(*reversed(state["classifier.weight"].shape))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


path = sys.argv[1]
with safe_open(path, "pt") as file:
    name = json.loads(file.metadata()["equipoise_model"])["name"]
state = load_file(path)
model, reference = {
    "resnet18": lambda: (ResNet18(), "resnet18"),
    "wrn-10-1": lambda: (Wrn10(), "wrn10_1"),
    "preactresnet18": lambda: (PreActResNet18(), "preactresnet18"),
    "vgg16": lambda: (Vgg16(state), None),
}[name]()
print(name, model.load_state_dict(state, strict=True))
with torch.no_grad():
    logits = model.eval()((golden["images"].float() / 255).permute(0, 3, 1, 2))
if reference is not None:
    if reference == "preactresnet18":
        expected = torch.tensor(json.loads((test / "evaluation" / "foreign" / "preactresnet18.json").read_text())["logits"])
    else:
        expected = golden[f"{reference}.torch.eval.logits"]
    difference = (logits - expected).abs().max().item()
    print(f"logits within {difference:.1e} of the golden ones")
