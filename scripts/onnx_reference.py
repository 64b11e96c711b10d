"""Writes networks of PyTorch as ONNX, with PyTorch's logits and input gradients, for scripts/compare-onnx.ts and the tests.

    python scripts/onnx_reference.py FOLDER [NETWORK …]   # large networks of torchvision and timm, random weights
    python scripts/onnx_reference.py --small [NETWORK …]   # test/evaluation/foreign/onnx, which the tests read

Needs torch, torchvision, timm, onnx and onnxscript. Each network becomes NAME.onnx and NAME.json, which holds the images
[batch, height, width, channels], the logits, the gradient of Σ weights · logits with respect to the images, and how far that
gradient in float32 is from the one in float64 (relative l2 distance). Every norm is given statistics and scales other
than those it starts with. The exporter of TorchScript and the one of torch.export (dynamo) take turns.
"""
import json
import sys
import warnings
from pathlib import Path

import onnx
import torch
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")
small_folder = Path(__file__).resolve().parent.parent / "test" / "evaluation" / "foreign" / "onnx"


def shaken(model):
    """A model whose norms have learnt something, so that no term of theirs is 0 or 1."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        for name, low, high in [("running_mean", -0.2, 0.2), ("running_var", 0.7, 1.5)]:
            value = getattr(module, name, None)
            if value is not None:
                value.data = low + (high - low) * torch.rand(value.shape, generator=generator)
        if isinstance(getattr(module, "weight", None), nn.Parameter) and module.weight.dim() == 1:
            module.weight.data = 0.7 + 0.6 * torch.rand(module.weight.shape, generator=generator)
            if getattr(module, "bias", None) is not None:
                module.bias.data = 0.2 * torch.rand(module.bias.shape, generator=generator) - 0.1
    for weights in model.parameters():
        # timm starts some heads at 0.
        if weights.dim() == 2 and not weights.any():
            weights.data = 0.1 * torch.randn(weights.shape, generator=generator)
    return model.eval()


def reference(model, images):
    """Logits and the gradient of their weighted sum, in the precision of the images."""
    images = images.clone().requires_grad_()
    logits = model.to(images.dtype)(images)
    weights = torch.cos(torch.arange(logits.numel(), dtype=images.dtype)).reshape(logits.shape)
    (gradient,) = torch.autograd.grad((weights * logits).sum(), images)
    return logits.detach(), gradient


def distance(a, b):
    return ((a.double() - b.double()).norm() / b.double().norm()).item()


def write(folder, name, model, images, *, dynamo, opset, batch=None, external_data=False):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.onnx"
    model = shaken(model)
    # A softmax that ends it is left out, as evaluation does.
    to_logits = model[0] if isinstance(model, nn.Sequential) and isinstance(model[-1], nn.Softmax) else model
    logits, gradient = reference(to_logits, images)
    exact_logits, exact = reference(to_logits, images.double())
    model.float()
    options = {}
    if batch is None and dynamo:
        options = {"dynamic_shapes": ({0: torch.export.Dim("batch")},)}
    elif batch is None:
        options = {"dynamic_axes": {"image": {0: "batch"}, "logits": {0: "batch"}}}
    if dynamo:
        options["external_data"] = external_data
    torch.onnx.export(
        model, (images[:batch],), str(path), dynamo=dynamo, opset_version=opset, input_names=["image"],
        output_names=["logits"], **options,
    )
    if dynamo and not external_data:
        # Where each node came from in Python is most of a small file.
        proto = onnx.load(path)
        for part in [proto.graph, *proto.graph.node, *proto.graph.value_info, *proto.graph.input, *proto.graph.output]:
            del part.metadata_props[:]
        onnx.save(proto, path)
    digits = 9 if external_data else 6

    def rounded(tensor):
        return [float(f"{value:.{digits}g}") for value in tensor.flatten().tolist()]

    record = {
        "script": "scripts/onnx_reference.py",
        "torch": torch.__version__,
        "exporter": "dynamo" if dynamo else "torchscript",
        "opset": opset,
        "shape": [images.shape[i] for i in (0, 2, 3, 1)],
        "images": rounded(images.permute(0, 2, 3, 1)),
        "logits": rounded(logits),
        "gradient": rounded(gradient.permute(0, 2, 3, 1)),
        "float32ToFloat64": {"logits": distance(logits, exact_logits), "gradient": distance(gradient, exact)},
    }
    path.with_suffix(".json").write_text(json.dumps(record) + "\n")
    print(f"{name}: {'dynamo' if dynamo else 'torchscript'}, opset {opset}", flush=True)


class SiluWrn(nn.Module):
    """A wide residual network with SiLU and its own normalisation, in the form of RobustBench's entries."""

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.batchnorm_0 = nn.BatchNorm2d(inputs)
            self.relu_0 = nn.SiLU()
            self.conv_0 = nn.Conv2d(inputs, outputs, 3, stride, 0 if stride == 2 else 1, bias=False)
            self.batchnorm_1 = nn.BatchNorm2d(outputs)
            self.relu_1 = nn.SiLU()
            self.conv_1 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.shortcut = None if inputs == outputs else nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.stride = stride

        def forward(self, x):
            before = self.relu_0(self.batchnorm_0(x))
            v = F.pad(before, (0, 1, 0, 1)) if self.stride == 2 else before
            v = self.conv_1(self.relu_1(self.batchnorm_1(self.conv_0(v))))
            return v + (x if self.shortcut is None else self.shortcut(before))

    def __init__(self, depth=28, width=4, classes=10, stem=16):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.4914, 0.4822, 0.4465]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.2471, 0.2435, 0.2616]).view(1, 3, 1, 1))
        blocks, inputs = [], stem
        for outputs, stride in [(stem * width, 1), (2 * stem * width, 2), (4 * stem * width, 2)]:
            for i in range((depth - 4) // 6):
                blocks.append(self.Block(inputs, outputs, stride if i == 0 else 1))
                inputs = outputs
        self.init_conv = nn.Conv2d(3, stem, 3, 1, 1, bias=False)
        self.layer = nn.Sequential(*blocks)
        self.batchnorm = nn.BatchNorm2d(inputs)
        self.logits = nn.Linear(inputs, classes)

    def forward(self, x):
        x = self.layer(self.init_conv((x - self.mean) / self.std))
        x = F.silu(self.batchnorm(x)).mean((2, 3))
        return self.logits(x)


def large():
    """By name: what makes the network, the size of its images, the exporter and its opset."""
    import timm
    import torchvision.models as tv

    def vision(name, **options):
        return lambda: getattr(tv, name)(weights=None, **options)

    def image_model(name, **options):
        return lambda: timm.create_model(name, pretrained=False, **options)

    return {
        "resnet50": (vision("resnet50"), 64, False, 11),
        "mobilenet_v2": (vision("mobilenet_v2"), 64, True, 18),
        "mobilenet_v3_large": (vision("mobilenet_v3_large"), 64, False, 17),
        "efficientnet_b0": (vision("efficientnet_b0"), 64, True, 20),
        "densenet121": (vision("densenet121"), 64, False, 13),
        "convnext_tiny": (vision("convnext_tiny"), 64, True, 20),
        "vit_tiny": (image_model("vit_tiny_patch16_224", img_size=64), 64, True, 18),
        "deit_tiny": (image_model("deit_tiny_distilled_patch16_224", img_size=64), 64, False, 17),
        "regnet_y_400mf": (vision("regnet_y_400mf"), 64, True, 18),
        "inception_v3": (vision("inception_v3", aux_logits=False, init_weights=False), 96, False, 14),
        "wrn_28_4_silu": (SiluWrn, 32, False, 17),
        "vgg11_bn": (vision("vgg11_bn"), 64, True, 18),
        "swin_tiny": (vision("swin_t"), 64, False, 17),
        "shufflenet_v2": (vision("shufflenet_v2_x1_0"), 64, True, 18),
        "squeezenet1_1": (vision("squeezenet1_1"), 64, False, 12),
        "resnext50": (vision("resnext50_32x4d"), 64, True, 18),
        "mixer": (image_model("mixer_s16_224", img_size=64), 64, False, 16),
    }


class Mobile(nn.Module):
    """What MobileNets and EfficientNets are made of."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish())
        self.depthwise = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 2, groups=8, dilation=2, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.squeeze, self.excite = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1)
        self.grouped = nn.Conv2d(8, 12, 3, padding="same", groups=2)
        self.head = nn.Linear(12, 5)

    def forward(self, x):
        x = self.depthwise(self.stem(x))
        x = x * F.hardsigmoid(self.excite(F.silu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))))
        x = F.max_pool2d(self.grouped(x), 3, 2, 1, ceil_mode=True)
        return self.head(F.dropout(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1), 0.2, self.training))


class Transformer(nn.Module):
    """What vision transformers are made of: patches, a class token, attention, layer norms and GELU."""

    def __init__(self, approximate="none"):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.token = nn.Parameter(0.1 * torch.randn(1, 1, 8))
        self.places = nn.Parameter(0.1 * torch.randn(1, 10, 8))
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(8), nn.LayerNorm(8), nn.LayerNorm(8)
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(approximate), nn.Linear(16, 8))
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places
        batch, length, size = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(batch, length, 3, 2, size // 2).permute(2, 0, 3, 1, 4).unbind(0)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, size))
        x = x + self.mlp(self.norm2(x))
        return self.head(self.norm3(x)[:, 0])


class Windows(nn.Module):
    """What Swin and ConvNeXt are made of: rolls, strided slices, einsum, layer norms over channels, and pooled averages."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 4, 3, 1, 1), nn.LayerNorm(4)
        self.merge, self.head = nn.Linear(16, 6), nn.Linear(6, 5)
        self.scale = nn.Parameter(torch.rand(4, 1, 1))

    def forward(self, x):
        x = self.scale * F.avg_pool2d(self.stem(x), 3, 2, 1, ceil_mode=True, count_include_pad=False)
        x = self.norm(x.permute(0, 2, 3, 1))
        x = torch.roll(x, (-1, 1), (1, 2))
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        x = torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], -1)
        x = F.elu(self.merge(x)).flatten(1, 2)
        weights = torch.einsum("bic,bjc->bij", x, x).softmax(-1)
        return self.head(torch.einsum("bij,bjc->bic", weights, x).amax(1))


class Mixed(nn.Module):
    """Norms over groups and instances, resizing both ways, borders, transposed convolutions, and other activations."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 5, (2, 1), (2, 1), padding_mode="reflect")
        self.groups, self.instances = nn.GroupNorm(3, 6), nn.InstanceNorm2d(6, affine=True)
        self.up = nn.ConvTranspose2d(6, 4, 3, 2, 1, 1, groups=2)
        self.prelu, self.head = nn.PReLU(4), nn.Linear(36, 5)

    def forward(self, x):
        x = F.leaky_relu(self.groups(self.stem(x)), 0.1)
        x = F.softplus(self.instances(F.interpolate(x, scale_factor=2.0, mode="nearest")))
        x = self.prelu(self.up(x))
        x = F.interpolate(x, size=(7, 7), mode="bilinear", align_corners=False)
        x = F.avg_pool2d(torch.selu(x), 3, 2, 1)
        x = F.normalize(x[:, :, :3, :3].flatten(1), dim=1) * 3
        return self.head(x)


class Sequence(nn.Module):
    """One-dimensional convolutions over the rows of an image."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv1d(36, 8, 3, padding=1), nn.BatchNorm1d(8)
        self.second, self.head = nn.Conv1d(8, 8, 3, padding=2, dilation=2, groups=8), nn.Linear(8, 5)

    def forward(self, x):
        x = F.relu(self.norm(self.first(x.flatten(1, 2))))
        x = F.max_pool1d(self.second(x), 2)
        return self.head(torch.tanh(x).mean(2))


def small():
    """By name: the network, the exporter and its opset, and how many images it takes; null where any number."""
    return {
        "mobile-torchscript-11": (Mobile, False, 11, None),
        "mobile-dynamo-20": (Mobile, True, 20, None),
        "transformer-torchscript-17": (Transformer, False, 17, None),
        "transformer-dynamo-18": (lambda: Transformer("tanh"), True, 18, None),
        "windows-torchscript-13": (Windows, False, 13, None),
        "windows-dynamo-20": (Windows, True, 20, None),
        "mixed-torchscript-17": (Mixed, False, 17, None),
        "mixed-dynamo-23": (Mixed, True, 23, None),
        "sequence-torchscript-14": (Sequence, False, 14, None),
        "silu-fixed-batch": (lambda: SiluWrn(10, 1, 5, 4), False, 17, 2),
        "softmax": (lambda: nn.Sequential(Mobile(), nn.Softmax(1)), True, 18, None),
    }


def main():
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["--small"]:
        for name, (make, dynamo, opset, batch) in small().items():
            if len(sys.argv) > 2 and name not in sys.argv[2:]:
                continue
            torch.manual_seed(0)
            network = make()
            images = torch.rand(3, 3, 12, 12).mul(16).round().div(16)
            write(small_folder, name, network, images, dynamo=dynamo, opset=opset, batch=batch)
        return
    folder, *chosen = sys.argv[1:]
    networks = large()
    for name in chosen or networks:
        make, size, dynamo, opset = networks[name]
        torch.manual_seed(0)
        network = make()
        images = torch.rand(2, 3, size, size)
        write(Path(folder), name, network, images, dynamo=dynamo, opset=opset, external_data=True)


if __name__ == "__main__":
    main()
