"""Makes test/data/resized.json: small image files, and what Pillow makes of them by `ImageOps.exif_transpose`, a background
by `Image.alpha_composite`, and `ImageOps.fit` or `resize`.

    python scripts/resize_fixtures.py      # needs pillow 12 (13 resamples columns first for some sizes) and numpy
"""
import base64
import io
import json
import os

import numpy as np
import PIL
from PIL import Image, ImageOps

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../test/data/resized.json")
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
random = np.random.default_rng(0)


def text(data):
    return base64.b64encode(data).decode()


def picture(mode, width, height):
    """Noise on a slope, so that neighbours differ and means matter."""
    channels = len(mode)
    y, x = np.mgrid[:height, :width]
    slope = (200 * (x + y) / (width + height)).astype(int)[..., None]
    pixels = (slope + random.integers(0, 56, (height, width, channels))).astype(np.uint8)
    if mode in ("LA", "RGBA"):
        pixels[..., -1] = random.integers(0, 256, (height, width))
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels, mode)


def file_of(image, form="PNG", **options):
    data = io.BytesIO()
    image.save(data, form, **options)
    return data.getvalue()


def case(name, data, size, crop="center", resample="bilinear", background=None):
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if background is not None:
        grey = image.mode in ("L", "LA") and len(set(background)) == 1
        behind = Image.new("RGBA", image.size, (*background, 255))
        image = Image.alpha_composite(behind, image.convert("RGBA")).convert("RGB")
        if grey:
            image = image.getchannel(0)
    elif image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    made = ImageOps.fit(image, size, FILTERS[resample]) if crop == "center" else image.resize(size, FILTERS[resample])
    pixels = np.asarray(made)
    return {"name": name, "file": text(data), "size": size, "crop": crop, "resample": resample, "background": background,
            "channels": 3 if pixels.ndim == 3 else 1, "pixels": text(pixels.tobytes())}


def indexed():
    """A palette with a transparent and a half transparent colour."""
    image = Image.fromarray(random.integers(0, 4, (9, 14), dtype=np.uint8), "P")
    image.putpalette([250, 0, 10, 0, 200, 30, 40, 50, 220, 120, 130, 140])
    return file_of(image, transparency=bytes([0, 100, 255, 255]))


exif = Image.Exif()
exif[0x0112] = 6
white, orange = [255, 255, 255], [255, 128, 0]
cases = [
    case("wide, shrunk", file_of(picture("RGB", 37, 23)), [8, 8]),
    case("tall, shrunk by a cubic", file_of(picture("RGB", 19, 43)), [9, 7], resample="bicubic"),
    case("enlarged", file_of(picture("RGB", 5, 7)), [16, 12]),
    case("enlarged by a cubic", file_of(picture("L", 6, 5)), [13, 17], resample="bicubic"),
    case("stretched", file_of(picture("RGB", 31, 12)), [10, 10], crop="none"),
    case("stretched by a cubic, one axis only", file_of(picture("RGB", 20, 8)), [7, 8], crop="none", resample="bicubic"),
    case("cut, not resized", file_of(picture("L", 14, 8)), [8, 8]),
    case("cut by half a pixel", file_of(picture("RGB", 13, 8)), [8, 8]),
    case("of the size already", file_of(picture("RGB", 8, 8)), [8, 8]),
    case("grey", file_of(picture("L", 33, 29)), [8, 8]),
    case("on its side by EXIF", file_of(picture("RGB", 40, 24), "JPEG", quality=90, exif=exif), [8, 12]),
    case("transparent on white", file_of(picture("RGBA", 21, 17)), [8, 8], background=white),
    case("transparent on orange", file_of(picture("RGBA", 21, 17)), [8, 8], background=orange, resample="bicubic"),
    case("transparent grey on white", file_of(picture("LA", 15, 15)), [8, 8], background=white),
    case("transparent grey on orange", file_of(picture("LA", 15, 15)), [8, 8], background=orange),
    case("a palette with transparent colours", indexed(), [8, 8], background=white),
    case("a transparent colour", file_of(picture("L", 12, 12), transparency=90), [8, 8], background=white),
]
with open(OUT, "w") as out:
    json.dump({"versions": {"numpy": np.__version__, "pillow": PIL.__version__}, "cases": cases}, out, indent=1)
    out.write("\n")
