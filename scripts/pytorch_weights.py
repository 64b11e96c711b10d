"""Writes the networks of test/golden/models, and one more, as PyTorch's own state dicts: test/evaluation/foreign/*.safetensors.

    python scripts/pytorch_weights.py      # needs torch, numpy and safetensors

The modules are those of the code that these networks are known from (kuangliu/pytorch-cifar, yaodongyu/TRADES), in the
widths of the golden vectors. Each takes the golden weights, is held to the golden logits, and is saved as users save
theirs, by `safetensors.torch.save_file`. The VGG has the biases that PyTorch gives a convolution, absorbed by the running
means, and sits in `nn.DataParallel`, whose prefix `module.` its names keep. The pre-activation ResNet (locuslab/robust_overfitting)
is not among the golden vectors: its weights are drawn here, and its logits for their images written beside them.
"""
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

test = Path(__file__).resolve().parent.parent / "test"
golden = load_file(test / "golden" / "models.safetensors")


def conv3(inputs, outputs, stride=1):
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


class Basic(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.bn1 = conv3(inputs, outputs, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = conv3(outputs, outputs), nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class ResNet18(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = conv3(3, 4), nn.BatchNorm2d(4)
        widths = [4, 4, 8, 16, 32]
        for i in range(1, 5):
            stride = 1 if i == 1 else 2
            blocks = [Basic(widths[i - 1], widths[i], stride), Basic(widths[i], widths[i], 1)]
            setattr(self, f"layer{i}", nn.Sequential(*blocks))
        self.linear = nn.Linear(32, 10)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            out = layer(out)
        return self.linear(F.avg_pool2d(out, 4).flatten(1))


class PreActBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv3(inputs, outputs, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(outputs), conv3(outputs, outputs)
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False))

    def forward(self, x):
        activated = F.relu(self.bn1(x))
        shortcut = self.shortcut(activated) if hasattr(self, "shortcut") else x
        return self.conv2(F.relu(self.bn2(self.conv1(activated)))) + shortcut


class PreActResNet18(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = conv3(3, 4)
        widths = [4, 4, 8, 16, 32]
        for i in range(1, 5):
            stride = 1 if i == 1 else 2
            blocks = [PreActBlock(widths[i - 1], widths[i], stride), PreActBlock(widths[i], widths[i], 1)]
            setattr(self, f"layer{i}", nn.Sequential(*blocks))
        self.bn, self.linear = nn.BatchNorm2d(32), nn.Linear(32, 10)

    def forward(self, x):
        out = self.conv1(x)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            out = layer(out)
        return self.linear(F.avg_pool2d(F.relu(self.bn(out)), 4).flatten(1))


class WideBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv3(inputs, outputs, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(outputs), conv3(outputs, outputs)
        self.equal = inputs == outputs
        self.convShortcut = None if self.equal else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x):
        activated = F.relu(self.bn1(x))
        out = self.conv2(F.relu(self.bn2(self.conv1(activated))))
        return out + (x if self.equal else self.convShortcut(activated))


class Stage(nn.Module):
    def __init__(self, *blocks):
        super().__init__()
        self.layer = nn.Sequential(*blocks)

    def forward(self, x):
        return self.layer(x)


class Wrn10(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = conv3(3, 8)
        self.block1 = Stage(WideBlock(8, 8, 1))
        self.block2 = Stage(WideBlock(8, 16, 2))
        self.block3 = Stage(WideBlock(16, 32, 2))
        self.bn1, self.fc = nn.BatchNorm2d(32), nn.Linear(32, 10)

    def forward(self, x):
        out = self.block3(self.block2(self.block1(self.conv1(x))))
        return self.fc(F.avg_pool2d(F.relu(self.bn1(out)), 8).flatten(1))


class Vgg16(nn.Module):
    def __init__(self):
        super().__init__()
        layers, inputs = [], 3
        for filters in [4, 4, "M", 4, 4, "M", 8, 8, 8, "M", 16, 16, 16, "M", 16, 16, 16]:
            if filters == "M":
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(inputs, filters, 3, padding=1), nn.BatchNorm2d(filters), nn.ReLU()]
                inputs = filters
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(64, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 10)
        )

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


LEAVES = {"weight": "kernel", "bias": "bias", "running_mean": "moving_mean", "running_var": "moving_variance"}


def vgg_names(model):
    """Golden names of the modules of a VGG: conv1, bn1, …, dense14, …"""
    names, counts = {}, {nn.Conv2d: 0, nn.BatchNorm2d: 0, nn.Linear: 13}
    for name, module in model.named_modules():
        if type(module) in counts:
            counts[type(module)] += 1
            prefix = {nn.Conv2d: "conv", nn.BatchNorm2d: "bn", nn.Linear: "dense"}[type(module)]
            names[name] = f"{prefix}{counts[type(module)]}"
    return names


def fill(model, network):
    names = vgg_names(model) if network == "vgg16" else {}
    modules = dict(model.named_modules())
    state = model.state_dict()
    for key in state:
        module, leaf = key.rsplit(".", 1)
        if leaf == "num_batches_tracked":
            continue
        normalises = isinstance(modules[module], nn.BatchNorm2d)
        part = {"weight": "gamma", "bias": "beta"}.get(leaf) if normalises else None
        name = f"{network}.{names.get(module, module)}.{part or LEAVES[leaf]}"
        if name not in golden:  # the bias of a VGG's convolution
            torch.manual_seed(len(key))
            state[key] = torch.randn_like(state[key])
            continue
        value = golden[name]
        if isinstance(modules[module], nn.Conv2d):
            value = value.permute(3, 2, 0, 1)
        elif value.ndim == 2 and module == "classifier.0":
            value = value.reshape(2, 2, 16, 16).permute(3, 2, 0, 1).reshape(16, 64)
        elif value.ndim == 2:
            value = value.T
        state[key] = value.contiguous()
    if network == "vgg16":
        order = list(names)
        for conv, norm in zip(order, order[1:]):
            if names[conv].startswith("conv"):
                state[f"{norm}.running_mean"] = state[f"{norm}.running_mean"] + state[f"{conv}.bias"]
    model.load_state_dict(state)
    return model.eval()


def drawn(model):
    """The model with weights of its own, and batch norms that are not those of a start."""
    torch.manual_seed(18)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.running_var):
                tensor.uniform_(0.5, 1.5)
            for tensor in (module.bias.data, module.running_mean):
                tensor.normal_(0, 0.2)
    return model.eval()


def main():
    out = test / "evaluation" / "foreign"
    images = (golden["images"].float() / 255).permute(0, 3, 1, 2)
    for network, model in {"vgg16": Vgg16(), "resnet18": ResNet18(), "wrn10_1": Wrn10()}.items():
        model = fill(model, network)
        with torch.no_grad():
            difference = (model(images) - golden[f"{network}.torch.eval.logits"]).abs().max().item()
        assert difference < 2e-5, (network, difference)
        saved = nn.DataParallel(model) if network == "vgg16" else model
        save_file(saved.state_dict(), out / f"{network}.safetensors")
        print(f"{network}: logits within {difference:.1e} of the golden ones")
    model = drawn(PreActResNet18())
    save_file(model.state_dict(), out / "preactresnet18.safetensors")
    with torch.no_grad():
        logits = {"torch": torch.__version__, "logits": model(images).tolist()}
    (out / "preactresnet18.json").write_text(json.dumps(logits) + "\n")


if __name__ == "__main__":
    main()
