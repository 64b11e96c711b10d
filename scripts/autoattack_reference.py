"""Records what the reference package leaves right on the golden net: test/golden/autoattack-alone.json.

    git clone https://github.com/fra31/auto-attack
    python scripts/autoattack_reference.py auto-attack [Linf L2 L1]     # needs torch and numpy

Every attack of AutoAttack runs alone on the 200 images of test/golden/autoattack.safetensors, in linf at 2/255, in l2 at
0.25 and in l1 at 4, as `standard` sets it up, but Square with 1000 queries; seed 0. In l1 there are also APGD-CE as a
single run at one radius, and the four attacks in a row. A mask is 1 where an image is right without and under the attack.
Runs of norms that are not named stay in the file.
"""
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

package = Path(sys.argv[1])
sys.path.insert(0, str(package))
from autoattack import AutoAttack  # noqa: E402

golden = Path(__file__).resolve().parent.parent / "test" / "golden"
RADII = {"Linf": ("2/255", 2 / 255), "L2": ("0.25", 0.25), "L1": ("4", 4.0)}
ATTACKS = ["apgd-ce", "apgd-t", "square", "fab-t"]
norms = sys.argv[2:] or list(RADII)
DTYPES = {"F32": np.float32, "I32": np.int32, "U8": np.uint8}


def read_safetensors(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            tensors[name] = torch.from_numpy(
                np.frombuffer(data[start:end], DTYPES[entry["dtype"]]).reshape(entry["shape"]).copy()
            )
    return tensors


weights = read_safetensors(golden / "attack-net.safetensors")
given = read_safetensors(golden / "autoattack.safetensors")
images = (given["images"].float() / 255).permute(0, 3, 1, 2).contiguous()
labels = given["labels"].long()


def net(x):
    for layer in ("conv1", "conv2"):
        kernel = weights[f"{layer}.kernel"].permute(3, 2, 0, 1)
        x = F.max_pool2d(F.relu(F.conv2d(x, kernel, weights[f"{layer}.bias"], padding=1)), 2)
    return x.permute(0, 2, 3, 1).reshape(len(x), -1) @ weights["dense.kernel"] + weights["dense.bias"]


assert (net(images) - given["logits"]).abs().max() < 1e-4
torch.set_num_threads(1)
target = golden / "autoattack-alone.json"
runs = json.loads(target.read_text())["runs"] if target.exists() else {}
result = {
    "topic": "autoattack-alone",
    "what": "each attack of AutoAttack alone on the net of attack-net and the 200 images of autoattack; Square with 1000 queries",
    "provenance": {
        "repository": "fra31/auto-attack",
        "commit": subprocess.check_output(["git", "-C", str(package), "rev-parse", "HEAD"], text=True).strip(),
        "function": "AutoAttack(net, norm, eps, seed=0, version='custom', attacks_to_run=[attack]).run_standard_evaluation",
        "script": "scripts/autoattack_reference.py",
        "torch": torch.__version__,
    },
    "runs": runs,
}


def record(name, norm, attacks, one_radius=False):
    """Runs attacks in a row, set up as the version `standard` does, and records which images they leave right."""
    text, epsilon = RADII[norm]
    adversary = AutoAttack(
        net, norm=norm, eps=epsilon, seed=0, version="custom", attacks_to_run=attacks, device="cpu", verbose=False
    )
    adversary.fab.n_restarts = 1
    adversary.square.n_queries = 1000
    adversary.apgd.n_restarts = 5 if norm == "L1" and not one_radius else 1
    if norm == "L1":
        adversary.apgd_targeted.n_target_classes = 5
        adversary.apgd.use_largereps = adversary.apgd_targeted.use_largereps = not one_radius
    adversarial = adversary.run_standard_evaluation(images, labels, bs=200)
    with torch.no_grad():
        mask = (net(images).argmax(1) == labels) & (net(adversarial).argmax(1) == labels)
    runs[f"{norm.lower()}.{name}"] = {
        "norm": norm.lower(),
        "epsilon": text,
        "robust": int(mask.sum()),
        "mask": mask.int().tolist(),
    }
    print(norm, name, int(mask.sum()), flush=True)
    target.write_text(json.dumps(result) + "\n")


for norm in norms:
    for attack in ATTACKS:
        record(attack, norm, [attack])
    if norm == "L1":
        record("apgd-ce-one-radius", norm, ["apgd-ce"], one_radius=True)
        record("cascade", norm, ["apgd-ce", "apgd-t", "fab-t", "square"])
