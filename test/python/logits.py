"""Computes the logits of exported networks: by PyTorch with the model.py beside the weights, and by ONNX Runtime.

    python logits.py FOLDER...    # each with images.safetensors, weights.safetensors, model.py and model.onnx
"""
import importlib.util
import sys
from pathlib import Path

import onnxruntime
import torch
from safetensors.numpy import load_file, save_file

for folder in map(Path, sys.argv[1:]):
    images = load_file(folder / "images.safetensors")["images"]
    spec = importlib.util.spec_from_file_location("model", folder / "model.py")
    model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model)
    with torch.no_grad():
        by_pytorch = model.load(str(folder / "weights.safetensors"))(torch.from_numpy(images)).numpy()
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    by_onnx_runtime = session.run(["logits"], {"images": images})[0]
    save_file({"PyTorch": by_pytorch, "ONNX Runtime": by_onnx_runtime}, folder / "logits.safetensors")
