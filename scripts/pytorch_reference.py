"""Dense masked PyTorch, the rival that scripts/bench.ts times: one CIFAR VGG16-BN, one command a line on stdin.

    python pytorch_reference.py FILE THREADS     # needs torch and numpy

FILE is a safetensors file with the parameters of `vgg16` by their names here (kernels dense, HWIO or [in, out]), `images`
[batch, height, width, channels] and `labels`. Each command answers with one line of JSON.

    check           logits, the input gradient in evaluation mode and the weight gradients in training mode -> a file
    attack FORMAT   milliseconds of one attack iteration: forward and input gradient, batch norm in evaluation mode
    step FORMAT     milliseconds of one training step with SGD and the masks applied
    pgd FORMAT K    milliseconds of one adversarial training step: K attack iterations and the step
"""
import json
import struct
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

CHANNELS_LAST = "channels_last"


def read_safetensors(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    types = {"F32": np.float32, "I32": np.int32}
    return {
        name: torch.from_numpy(
            np.frombuffer(data[slice(*entry["data_offsets"])], types[entry["dtype"]]).reshape(entry["shape"]).copy())
        for name, entry in header.items() if name != "__metadata__"
    }


class Vgg(nn.Module):
    """The layers in the order of `layers`: the name of a convolution, 'pool', or the name of the dense layer."""

    def __init__(self, tensors, layers):
        super().__init__()
        self.layers = nn.Sequential()
        for layer in layers:
            if layer == "pool":
                self.layers.append(nn.MaxPool2d(2))
            elif tensors[f"{layer}.kernel"].dim() == 4:
                kernel = tensors[f"{layer}.kernel"].permute(3, 2, 0, 1)
                convolution = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1, bias=False)
                convolution.weight.data = kernel.contiguous()
                number = layer.removeprefix("conv")
                norm = nn.BatchNorm2d(kernel.shape[0])
                norm.weight.data, norm.bias.data = tensors[f"bn{number}.gamma"], tensors[f"bn{number}.beta"]
                norm.running_mean, norm.running_var = (
                    tensors[f"bn{number}.moving_mean"], tensors[f"bn{number}.moving_variance"])
                self.layers.extend([convolution, norm, nn.ReLU(inplace=True)])
            else:
                dense = nn.Linear(*tensors[f"{layer}.kernel"].shape)
                dense.weight.data = tensors[f"{layer}.kernel"].T.contiguous()
                dense.bias.data = tensors[f"{layer}.bias"]
                self.layers.extend([nn.Flatten(), dense])

    def forward(self, images):
        return self.layers(images)

    def kernels(self):
        return [layer.weight for layer in self.layers if isinstance(layer, (nn.Conv2d, nn.Linear))]


class Rival:
    def __init__(self, tensors, layers, memory_format):
        self.model = Vgg(tensors, layers)
        self.images = tensors["images"].permute(0, 3, 1, 2).contiguous()
        if memory_format == CHANNELS_LAST:
            self.model = self.model.to(memory_format=torch.channels_last)
            self.images = self.images.to(memory_format=torch.channels_last)
        self.labels = tensors["labels"].long()
        self.masks = [(weight != 0).float() for weight in self.model.kernels()]
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)

    def input_gradient(self, images):
        """No weight gradient is asked for: a fair rival in the attack."""
        self.model.eval().requires_grad_(False)
        images = images.detach().requires_grad_(True)
        logits = self.model(images)
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits, self.labels, reduction="sum"), images)
        self.model.requires_grad_(True)
        return logits, gradient

    def attack(self, steps, epsilon=8 / 255, step_size=2 / 255):
        adversarial = self.images
        for _ in range(steps):
            _, gradient = self.input_gradient(adversarial)
            adversarial = adversarial + step_size * gradient.sign()
            adversarial = torch.min(torch.max(adversarial, self.images - epsilon), self.images + epsilon).clamp(0, 1)
        return adversarial

    def weight_gradients(self, images):
        self.model.train()
        self.optimizer.zero_grad()
        F.cross_entropy(self.model(images), self.labels).backward()

    def step(self, images):
        self.weight_gradients(images)
        self.optimizer.step()
        with torch.no_grad():
            for weight, mask in zip(self.model.kernels(), self.masks):
                weight.mul_(mask)


def milliseconds(action):
    start = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - start)


def main():
    path, threads = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(threads)
    tensors = read_safetensors(path)
    layers = json.loads(sys.stdin.readline())
    copy = lambda: {name: tensor.clone() for name, tensor in tensors.items()}
    rivals = {memory_format: Rival(copy(), layers, memory_format) for memory_format in ("contiguous", CHANNELS_LAST)}
    print(json.dumps({"torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "check":
            rival = Rival(copy(), layers, "contiguous")
            logits, gradient = rival.input_gradient(rival.images)
            rival.weight_gradients(rival.images)
            answer = {"logits": logits, "images": gradient.permute(0, 2, 3, 1)}
            for name, weight in zip([layer for layer in layers if layer != "pool"], rival.model.kernels()):
                dense = weight.grad.permute(2, 3, 1, 0) if weight.dim() == 4 else weight.grad.T
                answer[f"{name}.kernel"] = dense
            raw = {name: value.detach().contiguous().numpy().ravel() for name, value in answer.items()}
            np.concatenate(list(raw.values())).astype(np.float32).tofile(arguments[0])
            print(json.dumps({name: len(value) for name, value in raw.items()}), flush=True)
        else:
            rival = rivals[arguments[0]]
            if command == "attack":
                elapsed = milliseconds(lambda: rival.input_gradient(rival.images))
            elif command == "step":
                elapsed = milliseconds(lambda: rival.step(rival.images))
            else:
                elapsed = milliseconds(lambda: rival.step(rival.attack(int(arguments[1]))))
            print(json.dumps({"milliseconds": elapsed}), flush=True)


main()
