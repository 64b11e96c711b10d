"""Records what locuslab/smoothing certifies from given counts, for test/evaluation/certify/parity.test.ts.

    python scripts/certify_reference.py FOLDER

FOLDER is a checkout of https://github.com/locuslab/smoothing. Needs torch, scipy below 1.12, which still has its binom_test, and
statsmodels. Its class Smooth certifies counts of our choice in place of those that it would sample on a GPU. Writes
test/golden/certify.json.
"""
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

folder = Path(sys.argv[1])
sys.path.insert(0, str(folder / "code"))
from core import Smooth  # noqa: E402

random = np.random.default_rng(0)
CLASSES = 10


def counts_of(share, draws):
    """Counts of ten classes, one of which has about a share of the draws."""
    first = random.integers(CLASSES)
    others = (1 - share) / (CLASSES - 1)
    return random.multinomial(draws, [share if c == first else others for c in range(CLASSES)])


def case(sigma, n0, n, alpha, share):
    shown = [counts_of(share, n0)]
    others = np.roll(counts_of(share, n), 0)
    # The same class leads in both, unless the share is low.
    others = np.roll(others, int(shown[0].argmax()) - int(others.argmax())) if share > 0.3 else others
    shown.append(others)
    smoothed = Smooth(None, CLASSES, sigma)
    smoothed.base_classifier = type("Network", (), {"eval": lambda self: None})()
    answers = iter(shown)
    smoothed._sample_noise = lambda image, draws, batch_size: next(answers)
    prediction, radius = smoothed.certify(None, n0, n, alpha, 1000)
    return {
        "sigma": sigma, "n": n, "alpha": alpha,
        "selection": shown[0].tolist(), "estimation": shown[1].tolist(),
        "prediction": int(prediction), "radius": float(radius),
    }


cases = [
    case(sigma, n0, n, alpha, share)
    for sigma in (0.12, 0.25, 1.0)
    for n0, n in ((10, 100), (100, 1000), (100, 10_000), (100, 100_000))
    for alpha in (0.001, 0.05)
    for share in (0.2, 0.5, 0.51, 0.6, 0.9, 0.999, 1.0)
]
bound = Smooth(None, CLASSES, 1)._lower_confidence_bound
bounds = [
    {"successes": int(k), "draws": int(n), "alpha": alpha, "bound": float(bound(int(k), int(n), alpha))}
    for n in (1, 2, 10, 100, 10_000, 100_000, 1_000_000)
    for k in sorted({1, n // 3, n // 2, n // 2 + 1, n - 1, n} - {0})
    for alpha in (1e-6, 0.001, 0.3)
]
commit = subprocess.run(["git", "-C", folder, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
target = Path(__file__).resolve().parent.parent / "test" / "golden" / "certify.json"
target.write_text(json.dumps({"script": "scripts/certify_reference.py", "commit": commit, "cases": cases, "bounds": bounds}) + "\n")
