"""Dense masked PyTorch and, where it is installed, SparseProp: what `npm run bench` times beside the engine.

    python pytorch_rival.py THREADS        # needs torch and numpy; sparseprop 0.1.14 for its column

One request a line on stdin, one answer a line on stdout, both JSON; tensors go through safetensors files, in the layout
of TensorFlow.js: images [batch, height, width, channels], kernels [height, width, inputs, outputs] or [inputs, units].

    {"do": "load", "net", "file", "program"}           a network (src/ops/network.ts) with its parameters, images, labels
    {"do": "check", "net", "side", "out"}              logits, input gradient, weight gradients -> a file
    {"do": "time", "net", "side", "action", "steps"}   milliseconds of one attack, step or pgd
    {"do": "layer", "file", "stride", "padding"}       one convolution: x, kernel, dy
    {"do": "check-layer", "side", "out"}               y, dx, dw -> a file
    {"do": "time-layer", "side"}                       milliseconds of its forward and backward pass
    {"do": "torchvision", "net", "file", "onnx"}       a classifier of torchvision with random weights -> an ONNX file
    {"do": "check-torchvision", "net", "out"}          logits, input gradient -> a file
    {"do": "memory"}                                   peak resident megabytes: in all, and of the imports
    {"do": "unload"}                                   forgets networks and the layer
"""
import json
import resource
import struct
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

try:
    from sparseprop.modules.conv2d import SparseConv2d
    from sparseprop.modules.utils import from_sparse_format_conv2d
    from importlib.metadata import version
    SPARSEPROP = version("sparseprop")
except ImportError:
    SPARSEPROP = None

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
TYPES = {"F32": np.float32, "I32": np.int32}


def peak_megabytes():
    """getrusage's figure, the only one elsewhere, is on Linux at least that of the process that started this one."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


IMPORTS = peak_megabytes()


def read_safetensors(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    return {
        name: torch.from_numpy(
            np.frombuffer(data[slice(*entry["data_offsets"])], TYPES[entry["dtype"]]).reshape(entry["shape"]).copy())
        for name, entry in header.items() if name != "__metadata__"
    }


def write_safetensors(path, tensors):
    header, offset, arrays = {}, 0, []
    for name, tensor in sorted(tensors.items()):
        array = tensor.detach().contiguous().numpy().astype(np.float32)
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
        arrays.append(array)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(array.tobytes() for array in arrays))


def to_torch(kernel):
    return kernel.permute(3, 2, 0, 1).contiguous() if kernel.dim() == 4 else kernel.T.contiguous()


def from_torch(kernel):
    return kernel.permute(2, 3, 1, 0) if kernel.dim() == 4 else kernel.T


nchw = lambda images: images.permute(0, 3, 1, 2).contiguous()
nhwc = lambda images: images.permute(0, 2, 3, 1)


class Normalize(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.mean, self.std = (torch.tensor(values).view(1, -1, 1, 1) for values in (mean, std))

    def forward(self, x):
        return (x - self.mean) / self.std


class Residual(nn.Module):
    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


class FlattenPixels(nn.Module):
    """Row-major over height, width, channels."""

    def forward(self, x):
        return nhwc(x).flatten(1)


def module_of(layer, tensors, kernels):
    kind = layer["kind"]
    if kind in ("conv", "dense"):
        kernel = to_torch(tensors[f"{layer['name']}.kernel"])
        module = (nn.Linear(layer["inputs"], layer["units"], bias=layer["bias"]) if kind == "dense" else
                  nn.Conv2d(layer["inputs"], layer["filters"], layer["size"], layer["stride"], layer["padding"],
                            bias=layer["bias"]))
        module.weight.data = kernel
        if layer["bias"]:
            module.bias.data = tensors[f"{layer['name']}.bias"].clone()
        kernels[layer["name"]] = module
        return module
    if kind == "batchNorm":
        module = nn.BatchNorm2d(layer["channels"])
        module.weight.data, module.bias.data, module.running_mean, module.running_var = (
            tensors[f"{layer['name']}.{part}"].clone() for part in ("gamma", "beta", "moving_mean", "moving_variance"))
        return module
    if kind == "residual":
        return Residual(*(sequence(layer[part], tensors, kernels) for part in ("body", "shortcut")))
    return {
        "normalize": lambda: Normalize(layer["mean"], layer["std"]),
        "relu": lambda: nn.ReLU(inplace=True),
        "maxPool": lambda: nn.MaxPool2d(layer["size"]),
        "globalAveragePool": lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        "flatten": FlattenPixels,
    }[kind]()


def sequence(layers, tensors, kernels):
    return nn.Sequential(*(module_of(layer, tensors, kernels) for layer in layers))


class Net:
    def __init__(self, tensors, program, memory_format):
        self.kernels = {}
        self.model = sequence(program["layers"], tensors, self.kernels).to(memory_format=memory_format)
        self.images = nchw(tensors["images"]).to(memory_format=memory_format)
        self.labels = tensors["labels"].long()
        weights = [module.weight for module in self.kernels.values()]
        self.masks = [(weight, (weight != 0).float()) for weight in weights if (weight == 0).any()]
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)

    def input_gradient(self, images):
        """No weight gradient is asked for: a fair rival in the attack."""
        self.model.eval().requires_grad_(False)
        images = images.detach().requires_grad_(True)
        logits = self.model(images)
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits, self.labels, reduction="sum"), images)
        self.model.requires_grad_(True)
        return logits, gradient

    def perturb(self, steps, epsilon=8 / 255, step_size=2 / 255):
        start = self.images + torch.empty_like(self.images).uniform_(-epsilon, epsilon)
        adversarial = start.clamp(0, 1)
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
            for weight, mask in self.masks:
                weight.mul_(mask)

    def run(self, action, steps):
        {"attack": lambda: self.input_gradient(self.images), "step": lambda: self.step(self.images),
         "pgd": lambda: self.step(self.perturb(steps))}[action]()

    def check(self):
        logits, gradient = self.input_gradient(self.images)
        self.weight_gradients(self.images)
        return {"logits": logits, "images": nhwc(gradient),
                **{f"{name}.kernel": from_torch(module.weight.grad) for name, module in self.kernels.items()}}


class Photos(Net):
    """A classifier of torchvision on photos: random weights, and batch norms that have seen something."""

    def __init__(self, name, tensors, memory_format):
        import torchvision

        torch.manual_seed(0)
        self.model = torchvision.models.get_model(name, weights=None).eval()
        for module in self.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
        self.model.to(memory_format=memory_format)
        self.images = nchw(tensors["images"]).to(memory_format=memory_format)
        self.labels = tensors["labels"].long()

    def export(self, path):
        torch.onnx.export(self.model, (self.images,), path, dynamo=False, opset_version=17, input_names=["images"],
                          output_names=["logits"], dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}})

    def check(self):
        logits, gradient = self.input_gradient(self.images)
        return {"logits": logits, "images": nhwc(gradient)}


class DenseLayer:
    """A masked convolution as PyTorch runs it: the zeros are multiplied."""

    def __init__(self, tensors, stride, padding, memory_format):
        self.x, self.dy = (nchw(tensors[name]).to(memory_format=memory_format) for name in ("x", "dy"))
        self.weight = to_torch(tensors["kernel"]).to(memory_format=memory_format).requires_grad_(True)
        self.x.requires_grad_(True)
        self.options = {"stride": stride, "padding": padding}

    def forward(self):
        return F.conv2d(self.x, self.weight, **self.options)

    def backward(self, y):
        return torch.autograd.grad(y, [self.x, self.weight], self.dy)

    def dense(self, dw):
        return dw


class SparsePropLayer:
    """One of SparseProp's two kernels: vectorised over the batch, or over the output's columns.

    The first works on images in an order with the batch last. It leaves its results in that order, in which ReLU keeps them;
    PyTorch's batch norm and pooling return NCHW, which it copies into its order again.
    """

    def __init__(self, tensors, stride, padding, over_columns=False, batch_last=False):
        self.x, self.dy = (nchw(tensors[name]) for name in ("x", "dy"))
        if batch_last:
            self.x, self.dy = (t.permute(1, 2, 3, 0).contiguous().permute(3, 0, 1, 2) for t in (self.x, self.dy))
        self.x.requires_grad_(True)
        kernel = to_torch(tensors["kernel"])
        self.shape = kernel.shape
        self.module = SparseConv2d(kernel, None, padding, stride, vectorizing_over_on=over_columns)

    def forward(self):
        return self.module(self.x)

    def backward(self, y):
        return torch.autograd.grad(y, [self.x, self.module.W_val], self.dy)

    def dense(self, dw):
        return from_sparse_format_conv2d(dw, self.module.W_idx, shape=self.shape)


def milliseconds(action):
    start = time.perf_counter()
    result = action()
    return 1000 * (time.perf_counter() - start), result


class Rival:
    def __init__(self):
        self.nets, self.layers = {}, {}

    def answer(self, do, **request):
        return getattr(self, do.replace("-", "_"))(**request) or {}

    def load(self, net, file, program, sides=tuple(FORMATS)):
        tensors = read_safetensors(file)
        self.nets[net] = {side: Net(tensors, program, FORMATS[side]) for side in sides}

    def check(self, net, side, out):
        write_safetensors(out, self.nets[net][side].check())

    def time(self, net, side, action, steps=0):
        elapsed, _ = milliseconds(lambda: self.nets[net][side].run(action, steps))
        return {"milliseconds": elapsed}

    def torchvision(self, net, file, onnx):
        tensors = read_safetensors(file)
        self.nets[net] = {side: Photos(net, tensors, FORMATS[side]) for side in FORMATS}
        self.nets[net]["contiguous"].export(onnx)

    def check_torchvision(self, net, out):
        write_safetensors(out, self.nets[net]["contiguous"].check())

    def layer(self, file, stride, padding):
        tensors = read_safetensors(file)
        self.layers = {side: DenseLayer(tensors, stride, padding, FORMATS[side]) for side in FORMATS}
        if SPARSEPROP:
            self.layers["sparseprop over batch"] = SparsePropLayer(tensors, stride, padding)
            self.layers["sparseprop over columns"] = SparsePropLayer(tensors, stride, padding, over_columns=True)
            self.layers["batch-last sparseprop"] = SparsePropLayer(tensors, stride, padding, batch_last=True)

    def check_layer(self, side, out):
        layer = self.layers[side]
        y = layer.forward()
        dx, dw = layer.backward(y)
        write_safetensors(out, {"y": nhwc(y), "dx": nhwc(dx), "dw": from_torch(layer.dense(dw))})

    def time_layer(self, side):
        layer = self.layers[side]
        forward, y = milliseconds(layer.forward)
        backward, _ = milliseconds(lambda: layer.backward(y))
        return {"forward": forward, "backward": backward}

    def memory(self):
        return {"imports": IMPORTS, "peak": peak_megabytes()}

    def unload(self):
        self.nets, self.layers = {}, {}


def main():
    torch.set_num_threads(int(sys.argv[1]))
    rival = Rival()
    print(json.dumps({"pytorch": torch.__version__, "sparseprop": SPARSEPROP}), flush=True)
    for line in sys.stdin:
        try:
            answer = rival.answer(**json.loads(line))
        except Exception as error:  # the bench reports it and goes on without this figure
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
