"""Records one-step training attacks, computed from their formulas in PyTorch: test/golden/training-attacks.*.

    pip install torch numpy safetensors
    python scripts/training_attacks_reference.py

RS-FGSM (Wong, Rice and Kolter 2020, arXiv:2001.03994) and N-FGSM (de Jorge et al. 2022, arXiv:2202.01181) of the first images
of test/golden/attack-net.safetensors on the net there, in linf and l2, with the cross-entropy of the label and with the KL
divergence from the clean prediction. The noise is stored, so that other code can start from the same points.
"""
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch.nn import functional as F

golden = Path(__file__).resolve().parent.parent / "test" / "golden"
COUNT = 2
SEED = 20262
EPSILON = {"linf": 8 / 255, "l2": 0.5}
LOSSES = ("cross-entropy", "kl")

weights = {name: torch.from_numpy(value) for name, value in load_file(golden / "attack-net.safetensors").items()}
images = weights["images"][:COUNT].float() / 255
labels = weights["labels"][:COUNT].long()


def net(x):
    x = x.permute(0, 3, 1, 2)
    for layer in ("conv1", "conv2"):
        kernel = weights[f"{layer}.kernel"].permute(3, 2, 0, 1)
        x = F.max_pool2d(F.relu(F.conv2d(x, kernel, weights[f"{layer}.bias"], padding=1)), 2)
    return x.permute(0, 2, 3, 1).reshape(len(x), -1) @ weights["dense.kernel"] + weights["dense.bias"]


def gradient(x, loss):
    """The gradient of the sum of the images' losses at x."""
    x = x.clone().requires_grad_()
    if loss == "cross-entropy":
        value = F.cross_entropy(net(x), labels, reduction="sum")
    else:
        value = F.kl_div(F.log_softmax(net(x), 1), F.softmax(net(images), 1).detach(), reduction="sum")
    return torch.autograd.grad(value, x)[0]


def length(x):
    return x.flatten(1).norm(dim=1).view(-1, 1, 1, 1)


def steepest(norm, g):
    return g.sign() if norm == "linf" else g / length(g)


def project(norm, delta, epsilon):
    return delta.clamp(-epsilon, epsilon) if norm == "linf" else delta * (epsilon / length(delta)).clamp(max=1)


def sample(norm, radius):
    """A point uniform in the ball for each image."""
    if norm == "linf":
        return (2 * torch.rand(images.shape) - 1) * radius
    direction = torch.randn(images.shape)
    size = images[0].numel()
    return radius * torch.rand(COUNT, 1, 1, 1) ** (1 / size) * direction / length(direction)


def rs_fgsm(norm, noise, epsilon, loss):
    start = (images + noise).clamp(0, 1)
    moved = start + 1.25 * epsilon * steepest(norm, gradient(start, loss))
    return (images + project(norm, moved - images, epsilon)).clamp(0, 1)


def n_fgsm(norm, noise, epsilon, loss):
    start = (images + noise).clamp(0, 1)
    return (start + epsilon * steepest(norm, gradient(start, loss))).clamp(0, 1)


ATTACKS = {"rs-fgsm": (rs_fgsm, 1), "n-fgsm": (n_fgsm, 2)}

assert (net(images) - weights["logits"][:COUNT]).abs().max() < 1e-4
torch.manual_seed(SEED)
tensors = {}
for norm, epsilon in EPSILON.items():
    for name, (attack, radius) in ATTACKS.items():
        noise = sample(norm, radius * epsilon)
        tensors[f"{name}.{norm}.noise"] = noise
        for loss in LOSSES:
            tensors[f"{name}.{norm}.{loss}"] = attack(norm, noise, epsilon, loss)
save_file({name: value.numpy().astype(np.float32) for name, value in tensors.items()}, golden / "training-attacks.safetensors")
record = {
    "topic": "training-attacks",
    "what": f"RS-FGSM and N-FGSM of images 0..{COUNT - 1} of attack-net: ATTACK.NORM.noise is what the start adds to the images (uniform in the ball of radius epsilon, or of twice epsilon), ATTACK.NORM.LOSS the adversarial images",
    "formulas": {
        "rs-fgsm": "x0 = clip(x + noise); x' = clip(x + project(x0 + 1.25 epsilon steepest(grad loss(x0)) - x, epsilon))",
        "n-fgsm": "x0 = clip(x + noise); x' = clip(x0 + epsilon steepest(grad loss(x0)))",
        "steepest": "sign(g) in linf, g / ||g|| in l2",
    },
    "epsilon": EPSILON,
    "losses": {"cross-entropy": "of the label", "kl": "KL(p(x) || p(x'))"},
    "seed": SEED,
    "provenance": {"package": "torch", "version": torch.__version__, "script": "scripts/training_attacks_reference.py"},
}
(golden / "training-attacks.json").write_text(json.dumps(record, indent=1) + "\n")
