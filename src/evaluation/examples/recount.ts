// The Python program that `--save-examples` puts beside saved examples. It uses numpy and nothing of Equipoise, so that a reader
// can confirm an accuracy under attack by other software.

/** Its name in the folder of examples. */
export const RECOUNT_FILE = 'recount.py';

export const RECOUNT = `"""Recounts the adversarial examples in this folder, without Equipoise. Needs Python 3.8 and numpy.

    python3 recount.py                       # every .safetensors file beside this one
    python3 recount.py FILE.safetensors ...  # some of them
    python3 recount.py --network net.py      # and asks the original network again

Each file holds, for the n images that the model classifies right without attack: images uint8 and adversarial float32
[n, height, width, channels], labels int64 [n], logits float32 [n, classes] of the adversarial images, and survived bool [n].
Checked are that every adversarial image lies in the ball of the file's norm and epsilon around its image and in [0, 1], and
that the logits give the recorded survivals. The accuracy is the number of survivors over the number of images evaluated.
The union counts an image only if it survives every file of one model, norm and epsilon; where the files have several norms,
each at one epsilon, a last line counts an image only if it survives all of them.

net.py defines logits(images): a numpy float32 array [batch, height, width, channels] in [0, 1] to [batch, classes]. In PyTorch:

    def logits(images):
        with torch.no_grad():
            return model(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
"""
import argparse
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np

TYPES = {"F32": "<f4", "I64": "<i8", "U8": "u1", "BOOL": "?"}
BATCH = 100


def read(path):
    """The tensors and the metadata of a safetensors file."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        bytes_ = data[8 + length + begin : 8 + length + end]
        tensors[name] = np.frombuffer(bytes_, TYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors, metadata


def distances(change, norm):
    """The norm of each image's change, in units of pixels in [0, 1]."""
    change = np.abs(change.astype(np.float64)).reshape(len(change), -1)
    if norm == "linf":
        return change.max(axis=1)
    if norm == "l2":
        return np.sqrt((change**2).sum(axis=1))
    if norm == "l1":
        return change.sum(axis=1)
    raise SystemExit(f"Expected the norm linf, l2 or l1, got {norm}.")


def classes_of(logits):
    """The class of the largest logit, the first of several; -1 if a logit is not a number."""
    broken = np.isnan(logits).any(axis=1)
    return np.where(broken, -1, np.where(np.isnan(logits), -np.inf, logits).argmax(axis=1))


def load_network(path):
    spec = importlib.util.spec_from_file_location("network", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.logits


def recount(path, network):
    """The survivors of a file, and what is wrong with it."""
    tensors, metadata = read(path)
    adversarial, labels, survived = tensors["adversarial"], tensors["labels"], tensors["survived"]
    evaluated, epsilon = int(metadata["evaluated"]), float(metadata["epsilon"])
    problems = []
    if len(labels) > 0:
        change = adversarial - (tensors["images"] / np.float32(255)).astype(np.float32)
        furthest = distances(change, metadata["norm"]).max()
        if not furthest <= epsilon * (1 + 1e-4) + 1e-6:
            problems.append(f"an image is {furthest:.6g} from its original, further than {epsilon:.6g}")
        if not (adversarial.min() >= -1e-6 and adversarial.max() <= 1 + 1e-6):
            problems.append("a pixel is outside of [0, 1]")
    right = classes_of(tensors["logits"]) == labels
    if (right != survived).any():
        problems.append(f"{(right != survived).sum()} logits contradict the recorded survivals")
    correct = int(right.sum())
    line = f"{path.name}: {correct} of {evaluated} right under attack, {100 * correct / evaluated:.2f} %"
    if network is not None:
        batches = [network(adversarial[i : i + BATCH]) for i in range(0, len(labels), BATCH)]
        own = classes_of(np.concatenate([np.asarray(batch) for batch in batches])) == labels
        line += f"; the network: {int(own.sum())} of {evaluated}, {int((own != right).sum())} images differ"
        if (own & ~right).any():
            problems.append(f"the network classifies {int((own & ~right).sum())} adversarial images right that count as wrong")
    print(line)
    for problem in problems:
        print(f"  WRONG: {problem}")
    group = (metadata["checkpoint"], metadata["checkpointSha256"], metadata["datasetSha256"], metadata["norm"], epsilon)
    return group, evaluated, {int(index) for index, is_right in zip(tensors["indices"], right) if is_right}, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--network", help="a Python file that defines logits(images)")
    options = parser.parse_args()
    network = load_network(options.network) if options.network else None
    files = options.files or sorted(Path(__file__).resolve().parent.glob("*.safetensors"))
    if not files:
        raise SystemExit("There is no .safetensors file beside this one. Name the files to recount.")
    unions, wrong = {}, False
    for path in files:
        group, evaluated, survivors, problems = recount(path, network)
        wrong = wrong or bool(problems)
        unions.setdefault(group, []).append((evaluated, survivors))
    for (checkpoint, _, _, norm, epsilon), results in unions.items():
        if len(results) > 1:
            left, evaluated = len(set.intersection(*(survivors for _, survivors in results))), results[0][0]
            print(f"union of {len(results)} attacks on {checkpoint}, {norm} {epsilon:.6g}: {left} of {evaluated}, {100 * left / evaluated:.2f} %")
    models = {}
    for (*model, norm, epsilon), results in unions.items():
        models.setdefault(tuple(model), []).append((norm, epsilon, results))
    for (checkpoint, _, _), groups in models.items():
        norms = [norm for norm, _, _ in groups]
        if len(norms) > 1 and len(set(norms)) == len(norms):
            left = len(set.intersection(*(survivors for _, _, results in groups for _, survivors in results)))
            evaluated = groups[0][2][0][0]
            threats = " + ".join(f"{norm} {epsilon:.6g}" for norm, epsilon, _ in sorted(groups, key=lambda group: group[0]))
            print(f"all norms on {checkpoint}, {threats}: {left} of {evaluated}, {100 * left / evaluated:.2f} %")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
`;
