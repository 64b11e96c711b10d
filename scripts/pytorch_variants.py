"""Logits of networks that share their state dict with another one: ResNets with other stems and activations, and VGGs with
dropout among their poolings. Writes test/evaluation/foreign/variants.safetensors; needs torch and safetensors.

    python scripts/pytorch_variants.py
"""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

FOREIGN = Path(__file__).parent.parent / "test/evaluation/foreign"


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, activation):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.activation = activation
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.activation(self.bn1(self.conv1(x)))
        return self.activation(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet18(nn.Module):
    def __init__(self, size=3, stride=1, pool=False, activation=F.relu):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, size, stride, size // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.activation = activation
        self.pool = nn.MaxPool2d(3, 2, 1) if pool else nn.Identity()
        inputs = 4
        for stage, outputs in enumerate([4, 8, 16, 32], 1):
            blocks = []
            for i in range(2):
                blocks.append(Block(inputs, outputs, 2 if stage > 1 and i == 0 else 1, activation))
                inputs = outputs
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.linear = nn.Linear(inputs, 10)

    def forward(self, x):
        x = self.pool(self.activation(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.linear(x.mean((2, 3)))


RESNETS = {
    "stride-2": {"stride": 2},
    "max-pool": {"pool": True},
    "imagenet": {"stride": 2, "pool": True},
    "silu": {"activation": F.silu},
    "gelu": {"activation": F.gelu},
    "elu": {"activation": F.elu},
    "leaky-relu": {"activation": F.leaky_relu},
    "leaky-relu-0.1": {"activation": lambda x: F.leaky_relu(x, 0.1)},
    "softplus": {"activation": F.softplus},
    "tanh": {"activation": torch.tanh},
    "imagenet-7": {"size": 7, "stride": 2, "pool": True},
}

# Filters of a convolution, M for a max pool, D for dropout.
VGGS = {
    "vgg-dropout": ([4, "D", 4, "M", 8, "D", 8, "M"], "average"),
    "vgg-dropout-pooled": ([4, 4, "D", "M", 8, "D", 8, "M"], "average"),
    "vgg-plain": ([4, "M", 8, "M", 8, "M"], "flat"),
}


class VGG(nn.Module):
    def __init__(self, plan, head):
        super().__init__()
        layers, inputs = [], 3
        for entry in plan:
            if entry == "M":
                layers.append(nn.MaxPool2d(2))
            elif entry == "D":
                layers.append(nn.Dropout(0.3))
            else:
                layers += [nn.Conv2d(inputs, entry, 3, 1, 1), nn.BatchNorm2d(entry), nn.ReLU()]
                inputs = entry
        self.features = nn.Sequential(*layers)
        self.average = head == "average"
        side = 32 // 2 ** plan.count("M")
        self.classifier = nn.Linear(inputs if self.average else inputs * side * side, 10)

    def forward(self, x):
        x = self.features(x)
        return self.classifier(x.mean((2, 3)) if self.average else x.flatten(1))


def randomise(net):
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 1.5)
    return net.eval()


@torch.no_grad()
def main():
    torch.manual_seed(0)
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    pixels = images.float() / 255
    out = {"images": images}
    weights = load_file(FOREIGN / "resnet18.safetensors")
    for name, options in RESNETS.items():
        net = ResNet18(**options)
        if options.get("size") == 7:
            out[f"{name}.conv1.weight"] = net.conv1.weight.clone()
        net.load_state_dict({**weights, "conv1.weight": out.get(f"{name}.conv1.weight", weights["conv1.weight"])})
        out[f"{name}.logits"] = net.eval()(pixels)
    for name, (plan, head) in VGGS.items():
        net = randomise(VGG(plan, head))
        out.update({f"{name}.state.{key}": value.clone() for key, value in net.state_dict().items()})
        out[f"{name}.logits"] = net(pixels)
    save_file(out, FOREIGN / "variants.safetensors", {"torch": torch.__version__})


if __name__ == "__main__":
    main()
