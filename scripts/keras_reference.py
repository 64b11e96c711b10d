"""Writes a small Keras network as TensorFlow.js's official converter does: test/evaluation/foreign/keras-*.

    python scripts/keras_reference.py      # needs tensorflow 2.15, tensorflowjs 4.22 and numpy

A residual network for digits, with batch norm, a depthwise convolution, ReLU, ReLU6 and a softmax, is trained for some
epochs on data/mnist10k. `tensorflowjs_converter` makes of its SavedModel a GraphModel, whose batch norm it folds into fused
convolutions, and of its .h5 file a LayersModel. keras.json holds what TensorFlow says: the logits of the first test images,
and how many are right of the first and of all.
"""
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflowjs
from tensorflow import keras
from tensorflow.keras import layers

root = Path(__file__).resolve().parent.parent
foreign = root / "test" / "evaluation" / "foreign"
LOGITS_OF, RIGHT_OF = 16, 200


def idx(name, header):
    return np.frombuffer(gzip.decompress((root / "data" / "mnist10k" / name).read_bytes())[header:], np.uint8)


def split(name):
    pixels = idx(f"{name}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1).astype(np.float32) / 255
    return pixels, idx(f"{name}-labels-idx1-ubyte.gz", 8).astype(np.int32)


def normalised(x, layer):
    return layers.BatchNormalization()(layer(x))


def network():
    images = keras.Input((28, 28, 1), name="image")
    x = layers.ReLU()(normalised(images, layers.Conv2D(8, 3, 2, padding="same", use_bias=False)))
    y = layers.ReLU(6.0)(normalised(x, layers.DepthwiseConv2D(3, padding="same", use_bias=False)))
    y = normalised(y, layers.Conv2D(8, 1))
    x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(16, 3, padding="valid", activation="relu")(x)
    x = layers.Dropout(0.1)(layers.GlobalAveragePooling2D()(x))
    x = layers.Dense(16, activation="relu")(x)
    logits = layers.Dense(10, name="logits")(x)
    return keras.Model(images, layers.Softmax(name="probabilities")(logits)), keras.Model(images, logits)


def convert(source, form, target, *options):
    shutil.rmtree(target, ignore_errors=True)
    converter = Path(sys.executable).parent / "tensorflowjs_converter"
    subprocess.run([converter, f"--input_format={form}", *options, source, target], check=True)


keras.utils.set_random_seed(0)
tf.config.experimental.enable_op_determinism()
(train_images, train_labels), (test_images, test_labels) = split("train"), split("t10k")
model, logits = network()
model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", ["accuracy"])
model.fit(train_images, train_labels, 128, 20, verbose=2)

with tempfile.TemporaryDirectory() as folder:
    model.export(f"{folder}/saved")
    model.save(f"{folder}/model.h5")
    convert(f"{folder}/saved", "tf_saved_model", foreign / "keras-graph", "--output_format=tfjs_graph_model")
    convert(f"{folder}/model.h5", "keras", foreign / "keras-layers")

right = logits.predict(test_images, verbose=0).argmax(1) == test_labels
record = {
    "what": "a Keras network on data/mnist10k's test images: logits of the first, and how many are right",
    "script": "scripts/keras_reference.py",
    "tensorflow": tf.__version__,
    "tensorflowjs": tensorflowjs.__version__,
    "right": {n: int(right[:n].sum()) for n in (RIGHT_OF, len(right))},
    "logits": [[round(float(value), 6) for value in row] for row in logits(test_images[:LOGITS_OF]).numpy()],
}
(foreign / "keras.json").write_text(json.dumps(record) + "\n")
print({**record, "logits": "…"})
